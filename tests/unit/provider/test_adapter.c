/* Adapters: loading, requests, steps, failures, credentials, encodings. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "bridge_tests.h"
#include "catalog/catalog.h"
#include "provider/adapter.h"
#include "provider/bridge.h"

#define JWT_EXPECTED                                                                                                   \
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."                                                                            \
    "eyJleHAiOjE3ODEwODI1OTQsImlzcyI6ImFrLXRlc3QiLCJuYmYiOjE3ODEwODA3ODl9."                                            \
    "28K_QR0iM7CQnubRjEXobNDoWbKx0lGcxoOzcnmh_nw"
#define BASIC                                                                                                          \
    "return { submit = function() return { post = '/x' } end,\n"                                                       \
    "accepted = function(reply) return { id = 'j' } end,\n"

/* ---- loading ---- */

static const struct {
    const char *source, *words;
} mistakes[] = {
    { BASIC "}", "p.lua:1: the adapter has no url" },
    { BASIC "url = 'ftp://x' }", "p.lua:3: url must begin with https://" },
    { BASIC "url = 'https://x.example/' }", "p.lua:3: url must begin" },
    { BASIC "url = 7 }", "p.lua:3: url must be a string, not a number" },
    { BASIC "url = 'https://x.example', colour = 1 }", "p.lua:1: an adapter has no member colour" },
    { BASIC "url = 'https://x.example',\ncolour = 1 }", "p.lua:4: an adapter has no member colour" },
    { BASIC "url = 'https://x.example', [1] = 2 }", "an adapter has no member 1" },
    { BASIC "url = 'https://x.example',\npoll = '/x' }", "p.lua:4: poll must be a function, not a string" },
    { BASIC "url = 'https://x.example',\npoll = function() end }", "p.lua:4: poll needs polled as well" },
    { BASIC "url = 'https://x.example',\nlookup = function() end }", "p.lua:4: lookup needs found as well" },
    { BASIC "url = 'https://x.example',\nhosts = { 'a b' } }", "p.lua:4: a b is neither a host nor" },
    { BASIC "url = 'https://x.example',\nhosts = { '*.com' } }", "p.lua:4: *.com is neither" },
    { BASIC "url = 'https://x.example',\nhosts = { '*' } }", "p.lua:4: * is neither" },
    { BASIC "url = 'https://x.example',\nhosts = { 7 } }", "p.lua:4: hosts must be a list of texts" },
    { BASIC "url = 'https://x.example',\nurls = { rest = 'x' } }", "p.lua:4: each of urls must begin" },
    { BASIC "url = 'https://x.example',\nstatuses = { DONE = 'done' } }", "p.lua:4: DONE must become pending" },
    { BASIC "url = 'https://x.example',\nstatuses = { 'a' } }", "p.lua:4: statuses must be a table" },
    { BASIC "url = 'https://x.example',\nsignature = { scheme = 'x' } }", "p.lua:4: signature.scheme must be" },
    { BASIC "url = 'https://x.example',\nsignature = { scheme = 'timestamped' } }", "p.lua:4: signature.header is missing" },
    { BASIC "url = 'https://x.example',\nprogress_max = 7 }", "p.lua:4: progress_max must be 1 or 100" },
    { BASIC "url = 'https://x.example',\npoll_min = 0 }", "p.lua:4: poll_min must be over 0" },
    { BASIC "url = 'https://x.example',\nbackup = 'x' }", "p.lua:4: backup must begin with https://" },
    { BASIC "url = 'https://x.example',\ninputs = 'paper' }", "p.lua:4: inputs must be links, inline, either or files" },
    { BASIC "url = 'https://x.example',\npoll_factor = 0.5 }", "p.lua:4: poll_factor must be from 1 to 10" },
    { BASIC "url = 'https://x.example',\ncancelled = function() end }", "p.lua:4: cancelled needs cancel as well" },
    { BASIC "url = 'https://x.example',\npoll_many = function() end }", "p.lua:4: poll_many needs polled_many" },
    { BASIC "url = 'https://x.example',\npoll_max = 2, poll_min = 3 }", "p.lua:4: poll_max must not be less" },
    { BASIC "url = 'https://x.example',\npoll_first = 2 }", "p.lua:4: poll_first needs poll as well" },
    { BASIC "url = 'https://x.example',\npoll_many_max = 2 }", "p.lua:4: poll_many_max needs poll_many as well" },
    { BASIC "url = 'https://x.example',\nsignature = { scheme = 'standard' } }", "p.lua:4: signature needs hook" },
    { BASIC "url = 'https://x.example',\nsamples = { a = 1 } }", "p.lua:4: samples must be a list" },
    { BASIC "url = 'https://x.example',\nsamples = { print } }", "p.lua:4: unknown name `print`" },
    { BASIC "url = 'https://x.example',\nsamples = { hash } }", "p.lua:4: samples: a function has no JSON form" },
    { "return {\nchat = 'openai' }", "p.lua:1: the adapter has no url" },
    { "return { url = 'https://x.example',\nchat = 'latin' }", "p.lua:2: chat must be openai, anthropic, gemini or ollama" },
    { "return { url = 'https://x.example',\nchat = true }", "p.lua:2: chat must be a string, not a boolean" },
    { BASIC "url = 'https://x.example', chat = 'openai' }", "submit is for jobs; beside chat there is no place for it" },
    { "return { url = 'https://x.example', chat = 'openai',\nfailure = function() end }", "p.lua:2: failure is for jobs" },
    { "return { url = 'https://x.example', chat = 'openai',\npoll_min = 1 }", "p.lua:2: poll_min is for jobs" },
    { "return { url = 'https://x.example', chat = 'openai',\nstatuses = {} }", "p.lua:2: statuses is for jobs" },
    { "return { url = 'https://x.example', chat = 'openai',\ninputs = 'links' }", "p.lua:2: inputs is for jobs" },
    { "return { url = 'https://x.example', chat = 'openai',\nhosts = { '*' } }", "p.lua:2: * is neither a host" },
};

static void language_models_need_no_functions(void **state) {
    (void)state;
    static const struct {
        const char *source, *chat;
        double concurrency;
    } rows[] = {
        { "return { url = 'https://x.example', chat = 'openai' }", "openai", 10000 },
        { "return { url = 'https://x.example', chat = 'anthropic', concurrency = 4, key_concurrency = 2, timeout = 9,\n"
          "auth = function(key) return { k = key } end, hosts = { 'y.example' } }", "anthropic", 4 },
        { "return { url = 'https://x.example', chat = 'gemini' }", "gemini", 10000 },
        { "return { url = 'https://x.example', chat = 'ollama' }", "ollama", 10000 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct test_catalog files;
        test_catalog_init(&files);
        test_catalog_put(&files, "providers/p.lua", rows[i].source);
        struct bridge *loaded = test_catalog_open(&files);
        const struct adapter *spoken = bridge_adapter(loaded, "p");
        assert_string_equal(spoken->chat, rows[i].chat);
        assert_true(spoken->concurrency == rows[i].concurrency);
        assert_false(adapter_has(spoken, ADAPTER_SUBMIT));
        bridge_close(loaded);
        test_catalog_fini(&files);
    }
}

/* A route from one kind of model to the other kind of service is a slip of the pen. */
static void routes_lead_to_their_own_kind(void **state) {
    (void)state;
    static const struct {
        const char *model, *words;
    } rows[] = {
        { "llm 'x' { routes = { fal = { target = 'x' } }, price = per_token{ input = 0, output = 0 } }",
          "models/x.lua: model `x`: the provider fal is not for language models: its adapter has no `chat`" },
        { "model 'x' { type = 'image', params = {}, routes = { openai = { target = 'x' } }, results = function() end, "
          "price = per_call(1) }",
          "models/x.lua: model `x`: the provider openai is for language models, which this is not" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct test_catalog files;
        test_catalog_init(&files);
        test_catalog_put(&files, "models/x.lua", rows[i].model);
        test_catalog_refused(&files, rows[i].words);
        test_catalog_fini(&files);
    }
}

static void mistakes_are_named(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++) {
        struct test_catalog catalog;
        test_catalog_init(&catalog);
        test_catalog_put(&catalog, "providers/p.lua", mistakes[i].source);
        test_catalog_refused(&catalog, mistakes[i].words);
        test_catalog_fini(&catalog);
    }
}

/* ---- one adapter with everything ---- */

static const char everything[] =
    "return { url = 'https://api.example.com/v1', backup = 'https://api2.example.com', urls = { files = 'https://files.example.com' },\n"
    "hosts = { '*.cdn.example.net', 'other.example', '*.example.com' },\n"
    "auth = function(key, now)\n"
    "  if key == 'query' then return { query = { key = key } } end\n"
    "  if key == 'basic' then return { basic = { 'user', key } } end\n"
    "  if key == 'jwt' then return { Authorization = 'Bearer ' .. hs256_jwt({ iss = 'ak-test', exp = now + 1800, nbf = "
    "now - 5 }, 'sk-test'), lifetime = 1500 } end\n"
    "  if key == 'bad' then return { Authorization = 7 } end\n"
    "  return { Authorization = 'Key ' .. key } end,\n"
    "submit = function(task) return { post = '/' .. task.target, json = task.input } end,\n"
    "accepted = function(reply) return { id = reply.json.id } end,\n"
    "poll = function(job) return { get = '/jobs/' .. url_encode(job.id) } end,\n"
    "polled = function(reply) return { status = reply.json.status, progress = reply.json.progress } end,\n"
    "output = function(reply) return { output = reply.json } end,\n"
    "cancel = function(job) if job.state then return nil end return { delete = '/jobs/' .. job.id } end,\n"
    "cancelled = function(reply) if reply.status == 202 then return { status = 'RUN' } end end,\n"
    "poll_many = function(jobs) return { get = '/jobs', query = { ids = jobs[1].id .. ',' .. jobs[2].id } } end,\n"
    "polled_many = function(reply) return reply.json end,\n"
    "lookup = function(task) return { get = '/jobs', query = { external = task.external_id } } end,\n"
    "found = function(reply) if #reply.json.jobs == 0 then return nil end return { id = reply.json.jobs[1] } end,\n"
    "hook = function(event) return { id = event.json.id, status = event.json.status } end,\n"
    "failure = function(reply) if reply.json then return { code = 'quota_exceeded', taken = false } end end,\n"
    "statuses = { IN_QUEUE = 'pending', RUN = 'processing', DONE = 'completed', BAD = 'failed' }, progress_max = 1,\n"
    "idempotency = 'Idempotency-Key', signature = { scheme = 'standard' }, concurrency = 4, poll_min = 0.5, poll_max = "
    "10,\n"
    "timeout = 30, inputs = 'files', key_concurrency = 2, poll_first = 3, poll_factor = 2, poll_many_max = 50 }\n";

static struct test_catalog catalog;
static struct bridge *bridge;
static const struct adapter *adapter;

static int setup(void **state) {
    (void)state;
    test_catalog_init(&catalog);
    test_catalog_put(&catalog, "providers/whole.lua", everything);
    bridge = test_catalog_open(&catalog);
    adapter = bridge_adapter(bridge, "whole");
    assert_non_null(adapter);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    bridge_close(bridge);
    test_catalog_fini(&catalog);
    return 0;
}

static void settings_are_kept(void **state) {
    (void)state;
    assert_string_equal(adapter->url, "https://api.example.com/v1");
    assert_int_equal(adapter->url_count, 1);
    assert_int_equal(adapter->host_count, 3);
    assert_int_equal(adapter->status_count, 4);
    assert_string_equal(adapter->idempotency, "Idempotency-Key");
    assert_true(adapter->progress_max == 1 && adapter->concurrency == 4 && adapter->poll_min_s == 0.5);
    assert_true(adapter->key_concurrency == 2 && adapter->poll_first_s == 3 && adapter->poll_factor == 2 &&
                adapter->poll_many_max == 50);
    assert_string_equal(adapter->inputs, "files");
    assert_string_equal(adapter->backup, "https://api2.example.com");
    for (enum adapter_call call = 0; call < ADAPTER_CALL_COUNT; call++) {
        assert_true(adapter_has(adapter, call));
    }
}

static void functions_are_called(void **state) {
    (void)state;
    static const struct {
        enum adapter_call call;
        const char *first, *expected;
    } rows[] = {
        { ADAPTER_SUBMIT, "{\"target\":\"a/b\",\"input\":{\"x\":[]}}", "{\"post\":\"/a/b\",\"json\":{\"x\":[]}}" },
        { ADAPTER_ACCEPTED, "{\"json\":{\"id\":9007199254740993}}", "{\"id\":9007199254740993}" },
        { ADAPTER_POLL, "{\"id\":\"models/x y\"}", "{\"get\":\"/jobs/models%2Fx%20y\"}" },
        { ADAPTER_CANCEL, "{\"id\":\"1\"}", "{\"delete\":\"/jobs/1\"}" },
        { ADAPTER_CANCEL, "{\"id\":\"1\",\"state\":{}}", "null" },
        { ADAPTER_FOUND, "{\"json\":{\"jobs\":[]}}", "null" },
        { ADAPTER_FOUND, "{\"json\":{\"jobs\":[\"7\"]}}", "{\"id\":\"7\"}" },
        { ADAPTER_FAILURE, "{\"status\":500}", "null" },
        { ADAPTER_CANCELLED, "{\"status\":202}", "{\"status\":\"RUN\"}" },
        { ADAPTER_POLL_MANY, "[{\"id\":\"a\"},{\"id\":\"b\"}]", "{\"get\":\"/jobs\",\"query\":{\"ids\":\"a,b\"}}" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        scoped(json_release) json_t *first = json_loads(rows[i].first, 0, NULL);
        scoped(json_release) json_t *expected = json_loads(rows[i].expected, JSON_DECODE_ANY, NULL);
        scoped(json_release) json_t *got = NULL;
        assert_int_equal(adapter_run(adapter, rows[i].call, first, NULL, &got, NULL), OK);
        assert_true(json_equal(got, expected));
        assert_int_equal(adapter_check_returned(adapter, rows[i].call, got, NULL), OK);
    }
    struct fault fault = { 0 };
    json_t *got = NULL;
    assert_int_equal(adapter_run(adapter, ADAPTER_ACCEPTED, NULL, NULL, &got, &fault), ERR_SCRIPT);
    assert_non_null(strstr(fault.message, "whole.lua:10:"));
}

static void credentials_take_every_form(void **state) {
    (void)state;
    struct adapter_credentials credentials;
    assert_int_equal(adapter_authenticate(adapter, "fake:key", 0, &credentials, NULL), OK);
    assert_string_equal(json_string_value(json_object_get(credentials.headers, "Authorization")), "Key fake:key");
    adapter_credentials_fini(&credentials);
    assert_int_equal(adapter_authenticate(adapter, "query", 0, &credentials, NULL), OK);
    assert_int_equal(json_object_size(credentials.headers), 0);
    assert_string_equal(json_string_value(json_object_get(credentials.query, "key")), "query");
    adapter_credentials_fini(&credentials);
    assert_int_equal(adapter_authenticate(adapter, "basic", 0, &credentials, NULL), OK);
    assert_int_equal(json_array_size(credentials.basic), 2);
    adapter_credentials_fini(&credentials);
    struct fault fault = { 0 };
    assert_int_equal(adapter_authenticate(adapter, "bad", 0, &credentials, &fault), ERR_SCRIPT);
    assert_non_null(strstr(fault.message, "auth must return headers as texts"));
    /* claims in the order exp, iss, nbf; the signature recomputed with another implementation */
    assert_int_equal(adapter_authenticate(adapter, "jwt", 1781080794, &credentials, NULL), OK);
    assert_string_equal(json_string_value(json_object_get(credentials.headers, "Authorization")),
                        "Bearer " JWT_EXPECTED);
    assert_true(credentials.lifetime_s == 1500);
    adapter_credentials_fini(&credentials);
}

/* ---- requests ---- */

#define SIMULATOR "http://127.0.0.1:9999"
#define GATEWAY "https://gateway.example:8443"

static const struct {
    const char *value, *override;
    const char *method, *url; /* or NULL and */
    const char *words;
} requests[] = {
    { "{\"get\":\"/a\"}", NULL, "GET", "https://api.example.com/v1/a", NULL },
    { "{\"post\":\"/a\",\"json\":[1]}", NULL, "POST", "https://api.example.com/v1/a", NULL },
    { "{\"put\":\"/a\",\"text\":\"x\",\"headers\":{\"X-A\":\"b\"}}", NULL, "PUT", "https://api.example.com/v1/a",
      NULL },
    { "{\"patch\":\"/a\",\"form\":{\"a\":\"b\"}}", NULL, "PATCH", "https://api.example.com/v1/a", NULL },
    { "{\"delete\":\"/a\",\"auth\":false,\"binary\":true,\"timeout\":3}", NULL, "DELETE",
      "https://api.example.com/v1/a", NULL },
    { "{\"post\":\"/"
      "up\",\"base\":\"files\",\"multipart\":[{\"name\":\"f\",\"file\":\"audio_url\"},{\"name\":\"m\",\"value\":\"x\"}]"
      "}",
      NULL, "POST", "https://files.example.com/up", NULL },
    { "{\"get\":\"/a?b=1\",\"query\":{\"id\":\"x/y z&\",\"n\":5,\"no\":null,\"t\":true}}", NULL, "GET",
      "https://api.example.com/v1/a?b=1&id=x%2Fy%20z%26&n=5&t=true", NULL },
    { "{\"get\":\"https://v3.cdn.example.net/f?x=1\"}", NULL, "GET", "https://v3.cdn.example.net/f?x=1", NULL },
    { "{\"get\":\"https://OTHER.example:8443/f\"}", NULL, "GET", "https://OTHER.example:8443/f", NULL },
    { "{\"get\":\"/a\"}", SIMULATOR, "GET", SIMULATOR "/a", NULL },
    { "{\"get\":\"/a\",\"base\":\"files\"}", SIMULATOR, "GET", SIMULATOR "/a", NULL },
    { "{\"get\":\"" SIMULATOR "/status\"}", SIMULATOR, "GET", SIMULATOR "/status", NULL },
    { "{\"get\":\"" SIMULATOR "/status\"}", NULL, NULL, NULL, "127.0.0.1 is not one of the provider's hosts" },
    { "{\"get\":\"http://api.example.com/a\"}", NULL, NULL, NULL,
      "api.example.com is not one of the provider's hosts, or not https" },
    { "{\"get\":\"https://api.example.com:443/a\"}", NULL, "GET", "https://api.example.com:443/a", NULL },
    { "{\"get\":\"https://api.example.com:8443/a\"}", NULL, NULL, NULL, "api.example.com is not one" },
    { "{\"get\":\"" GATEWAY "/a\"}", GATEWAY "/v1", "GET", GATEWAY "/a", NULL },
    { "{\"get\":\"http://gateway.example:8443/a\"}", GATEWAY "/v1", NULL, NULL, "gateway.example is not one" },
    { "{\"get\":\"http://gateway.example/a\"}", "https://gateway.example", NULL, NULL, "gateway.example is not one" },
    { "{\"get\":\"https://gateway.example/a\"}", GATEWAY "/v1", NULL, NULL, "gateway.example is not one" },
    { "{\"get\":\"https://v3.cdn.example.net/f\"}", GATEWAY "/v1", "GET", "https://v3.cdn.example.net/f", NULL },
    { "{\"get\":\"https://127.0.0.1:9999/a\"}", SIMULATOR, "GET", "https://127.0.0.1:9999/a", NULL },
    { "{\"get\":\"http://127.0.0.1:9998/a\"}", SIMULATOR, NULL, NULL, "127.0.0.1 is not one" },
    { "{\"get\":\"https://[::1]:9999/a\"}", "https://[::1]:9999", "GET", "https://[::1]:9999/a", NULL },
    { "{\"get\":\"https://[::1]:9998/a\"}", "https://[::1]:9999", NULL, NULL, "[::1] is not one" },
    { "{\"get\":\"https://evil.example/a\"}", NULL, NULL, NULL, "evil.example is not one" },
    { "{\"get\":\"https://cdn.example.net/a\"}", NULL, NULL, NULL, "cdn.example.net is not one" },
    { "{\"get\":\"https://xcdn.example.net/a\"}", NULL, NULL, NULL, "xcdn.example.net is not one" },
    { "{\"get\":\"https://api.example.com@evil.example/a\"}", NULL, NULL, NULL, "is not one" },
    { "{\"get\":\"https://evil.example\\\\@api.example.com/a\"}", NULL, NULL, NULL, "is not one" },
    { "{\"get\":\"https://[::1]/a\"}", NULL, NULL, NULL, "[::1] is not one" },
    { "{\"get\":\"file:///etc/hostname\"}", NULL, NULL, NULL, "is not one" },
    { "{\"get\":\"a\"}", NULL, NULL, NULL, "is not one" },
    { "{\"get\":\"/a b\"}", NULL, NULL, NULL, "has a space or control character" },
    { "{\"get\":\"/a\\r\\nHost: x\"}", NULL, NULL, NULL, "has a space or control character" },
    { "{\"get\":\"/a\",\"post\":\"/b\"}", NULL, NULL, NULL, "has one method" },
    { "{\"get\":7}", NULL, NULL, NULL, "has one method" },
    { "{}", NULL, NULL, NULL, "must have one of get, post" },
    { "[]", NULL, NULL, NULL, "must be a table" },
    { "{\"get\":\"/a\",\"body\":1}", NULL, NULL, NULL, "has no member body" },
    { "{\"post\":\"/a\",\"json\":1,\"form\":{}}", NULL, NULL, NULL, "has a wrong or second body" },
    { "{\"post\":\"/a\",\"multipart\":[]}", NULL, NULL, NULL, "has a wrong or second body: multipart" },
    { "{\"post\":\"/a\",\"multipart\":[{\"value\":\"x\"}]}", NULL, NULL, NULL,
      "has a wrong or second body: multipart" },
    { "{\"post\":\"/a\",\"text\":{}}", NULL, NULL, NULL, "has a wrong or second body: text" },
    { "{\"get\":\"/a\",\"base\":\"nowhere\"}", NULL, NULL, NULL, "base must be a name in urls" },
    { "{\"get\":\"/a\",\"query\":{\"a\":[]}}", NULL, NULL, NULL, "query must be texts" },
    { "{\"get\":\"/a\",\"query\":[]}", NULL, NULL, NULL, "query must be texts" },
    { "{\"get\":\"/a\",\"headers\":{\"A\":\"b\\r\\nC: d\"}}", NULL, NULL, NULL, "headers that are no texts" },
    { "{\"get\":\"/a\",\"timeout\":0}", NULL, NULL, NULL, "timeout = seconds" },
    { "{\"get\":\"/a\",\"paid\":0}", NULL, NULL, NULL, "paid = true or false" },
    { "{\"get\":\"https://api2.example.com/a\"}", NULL, "GET", "https://api2.example.com/a", NULL },
};

static void requests_are_checked(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
        scoped(json_release) json_t *value = json_loads(requests[i].value, 0, NULL);
        assert_non_null(value);
        struct adapter_request request;
        struct fault fault = { 0 };
        enum err err = adapter_read_request(adapter, value, requests[i].override, &request, &fault);
        if (requests[i].method) {
            if (err != OK) {
                fail_msg("%s: %s", requests[i].value, fault.message);
            }
            assert_string_equal(request.method, requests[i].method);
            assert_string_equal(request.url, requests[i].url);
            assert_int_equal(request.with_key, strstr(requests[i].value, "auth") == NULL);
            adapter_request_fini(&request);
        } else {
            assert_true(err == ERR_SCRIPT || err == ERR_BLOCKED_ADDRESS);
            if (!strstr(fault.message, requests[i].words)) {
                fail_msg("%s: expected %s\ngot %s", requests[i].value, requests[i].words, fault.message);
            }
        }
    }
}

static void a_backup_stands_in_for_url_alone(void **state) {
    (void)state;
    static const struct {
        const char *value, *override, *backup;
    } rows[] = {
        { "{\"get\":\"/a\",\"query\":{\"b\":1}}", NULL, "https://api2.example.com/a?b=1" },
        { "{\"get\":\"https://api.example.com/v1/x\"}", NULL, "https://api2.example.com/x" },
        { "{\"get\":\"https://api.example.com/v12\"}", NULL, NULL },
        { "{\"get\":\"/a\",\"base\":\"files\"}", NULL, NULL },
        { "{\"get\":\"/a\"}", SIMULATOR, NULL },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        scoped(json_release) json_t *value = json_loads(rows[i].value, 0, NULL);
        struct adapter_request request;
        assert_int_equal(adapter_read_request(adapter, value, rows[i].override, &request, NULL), OK);
        assert_true(request.paid);
        if (rows[i].backup) {
            assert_non_null(request.backup_url);
            assert_string_equal(request.backup_url, rows[i].backup);
        } else {
            assert_null(request.backup_url);
        }
        adapter_request_fini(&request);
    }
}

/* ---- steps and failures ---- */

static const struct {
    const char *value;
    enum adapter_state state;
    const char *id, *unknown;
    int progress;
} steps[] = {
    { "{\"id\":\"abc\"}", ADAPTER_PROCESSING, "abc", NULL, -1 },
    { "{\"id\":9007199254740993}", ADAPTER_PROCESSING, "9007199254740993", NULL, -1 },
    { "{\"id\":\"models/x/operations/y\",\"status\":\"pending\"}", ADAPTER_PENDING, "models/x/operations/y", NULL, -1 },
    { "{\"status\":\"IN_QUEUE\"}", ADAPTER_PENDING, NULL, NULL, -1 },
    { "{\"status\":\"RUN\",\"progress\":0.374}", ADAPTER_PROCESSING, NULL, NULL, 37 },
    { "{\"status\":\"RUN\",\"progress\":7}", ADAPTER_PROCESSING, NULL, NULL, 100 },
    { "{\"status\":\"RUN\",\"progress\":-1,\"delay\":2}", ADAPTER_PROCESSING, NULL, NULL, 0 },
    { "{\"status\":\"WARMING\"}", ADAPTER_PROCESSING, NULL, "WARMING", -1 },
    { "{\"status\":\"DONE\",\"output\":{}}", ADAPTER_COMPLETED, NULL, NULL, -1 },
    { "{\"status\":\"DONE\",\"next\":{\"get\":\"/r\"},\"step\":\"file\"}", ADAPTER_COMPLETED, NULL, NULL, -1 },
    { "{\"output\":{\"a\":1},\"cost\":3.5,\"progress\":null}", ADAPTER_COMPLETED, NULL, NULL, -1 },
    { "{\"status\":\"RUN\",\"position\":3}", ADAPTER_PROCESSING, NULL, NULL, -1 },
    { "{\"next\":{\"get\":\"" SIMULATOR "/r\"},\"state\":{\"a\":1}}", ADAPTER_PROCESSING, NULL, NULL, -1 },
    { "{\"status\":\"BAD\"}", ADAPTER_FAILED, NULL, NULL, -1 },
    { "{\"error\":{\"code\":\"service_error\"}}", ADAPTER_FAILED, NULL, NULL, -1 },
};

static void steps_are_read(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        scoped(json_release) json_t *value = json_loads(steps[i].value, 0, NULL);
        struct adapter_step step;
        struct fault fault = { 0 };
        if (adapter_read_step(adapter, value, &step, &fault) != OK) {
            fail_msg("%s: %s", steps[i].value, fault.message);
        }
        assert_int_equal(step.state, steps[i].state);
        assert_int_equal(step.progress, steps[i].progress);
        assert_int_equal(step.id == NULL, steps[i].id == NULL);
        assert_int_equal(step.unknown_status == NULL, steps[i].unknown == NULL);
        if (step.id) {
            assert_string_equal(step.id, steps[i].id);
        }
        if (step.unknown_status) {
            assert_string_equal(step.unknown_status, steps[i].unknown);
        }
        assert_int_equal(step.state == ADAPTER_FAILED, step.failure.error != TASK_ERROR_NONE);
    }
}

static void wrong_steps_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *value, *words;
    } rows[] = {
        { "{}", "a step needs one of" },
        { "{\"id\":null,\"output\":null}", "a step needs one of" },
        { "[]", "a step must be a table" },
        { "{\"id\":\"\"}", "a step's id must be" },
        { "{\"id\":1.5}", "a step's id must be" },
        { "{\"id\":\"a\",\"colour\":1}", "a step has no member colour" },
        { "{\"status\":\"DONE\"}", "a completed step needs output" },
        { "{\"status\":7}", "status and step texts" },
        { "{\"status\":\"RUN\",\"progress\":\"7\"}", "progress and delay must be numbers" },
        { "{\"status\":\"RUN\",\"delay\":-1}", "progress and delay must be numbers" },
        { "{\"status\":\"RUN\",\"position\":-1}", "a step's position must be a whole number" },
        { "{\"status\":\"RUN\",\"position\":\"3\"}", "a step's position must be a whole number" },
        { "{\"error\":{\"code\":\"oops\"}}", "a failure's code must be a task error code, not oops" },
        { "{\"error\":{}}", "not nothing" },
        { "{\"error\":{\"code\":\"service_error\",\"retry\":true}}", "a failure has no member retry" },
        { "{\"error\":{\"code\":\"service_error\",\"retryable\":1}}", "retryable and taken booleans" },
        { "{\"error\":\"x\"}", "a failure must be a table" },
        { "{\"error\":{\"code\":\"service_error\",\"scope\":\"world\"}}", "a failure's scope must be request" },
        { "{\"error\":{\"code\":\"service_error\",\"again\":7}}", "again a boolean" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        scoped(json_release) json_t *value = json_loads(rows[i].value, 0, NULL);
        struct adapter_step step;
        struct fault fault = { 0 };
        assert_int_equal(adapter_read_step(adapter, value, &step, &fault), ERR_SCRIPT);
        if (!strstr(fault.message, rows[i].words)) {
            fail_msg("%s: expected %s\ngot %s", rows[i].value, rows[i].words, fault.message);
        }
    }
}

static void failures_say_whether_the_job_was_taken(void **state) {
    (void)state;
    scoped(json_release) json_t *plain = json_pack("{s:s}", "code", "service_unavailable");
    scoped(json_release) json_t *said = json_pack("{s:s, s:b, s:b, s:s, s:i}", "code", "quota_exceeded", "taken", 0,
                                                  "retryable", 0, "message", "no", "delay", 3);
    struct adapter_failure failure;
    assert_int_equal(adapter_read_failure(adapter, plain, &failure, NULL), OK);
    assert_true(failure.taken && failure.retryable && failure.error == TASK_ERROR_UNAVAILABLE);
    assert_int_equal(adapter_read_failure(adapter, said, &failure, NULL), OK);
    assert_true(!failure.taken && !failure.retryable && failure.error == TASK_ERROR_QUOTA && failure.delay_s == 3);
    assert_string_equal(failure.message, "no");
    assert_true(failure.scope == SCOPE_ACCOUNT && !failure.scope_said && !failure.again_said);
    scoped(json_release) json_t *scoped_one =
        json_pack("{s:s, s:s, s:b}", "code", "service_error", "scope", "capacity", "again", 1);
    assert_int_equal(adapter_read_failure(adapter, scoped_one, &failure, NULL), OK);
    assert_true(failure.scope == SCOPE_CAPACITY && failure.scope_said && failure.again_said && failure.again);
    static const struct {
        int status;
        enum task_error error;
        bool retryable, taken;
    } rows[] = {
        { 422, TASK_ERROR_INVALID_PARAMETERS, false, false },
        { 429, TASK_ERROR_RESOURCE_EXHAUSTED, true, false },
        { 503, TASK_ERROR_UNAVAILABLE, true, false },
        { 500, TASK_ERROR_SERVICE, true, true },
        { 504, TASK_ERROR_SERVICE, true, true },
        { 408, TASK_ERROR_SERVICE, true, true },
        { 418, TASK_ERROR_SERVICE, false, false },
        { 402, TASK_ERROR_QUOTA, false, false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct adapter_failure got = adapter_status_failure(rows[i].status);
        assert_int_equal(got.error, rows[i].error);
        assert_int_equal(got.retryable, rows[i].retryable);
        assert_int_equal(got.taken, rows[i].taken);
    }
}

static void a_status_tells_whose_fault_it_is(void **state) {
    (void)state;
    static const struct {
        int status;
        enum failure_scope scope;
        bool again;
    } rows[] = {
        { 400, SCOPE_REQUEST, false }, { 401, SCOPE_KEY, false },     { 402, SCOPE_ACCOUNT, false },
        { 403, SCOPE_KEY, false },     { 404, SCOPE_REQUEST, false }, { 408, SCOPE_PROVIDER, true },
        { 425, SCOPE_REQUEST, true },  { 429, SCOPE_CAPACITY, true }, { 500, SCOPE_PROVIDER, true },
        { 503, SCOPE_PROVIDER, true },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_int_equal(adapter_status_scope(rows[i].status), rows[i].scope);
        assert_int_equal(adapter_status_failure(rows[i].status).scope, rows[i].scope);
        assert_int_equal(adapter_status_again(rows[i].status), rows[i].again);
    }
}

static void many_steps_are_checked(void **state) {
    (void)state;
    scoped(json_release) json_t *good = json_loads("{\"a\":{\"status\":\"RUN\"},\"b\":{\"output\":{}}}", 0, NULL);
    scoped(json_release) json_t *bad = json_loads("{\"a\":{\"status\":\"RUN\"},\"b\":{}}", 0, NULL);
    scoped(json_release) json_t *list = json_array();
    struct fault fault = { 0 };
    assert_int_equal(adapter_check_returned(adapter, ADAPTER_POLLED_MANY, good, &fault), OK);
    assert_int_equal(adapter_check_returned(adapter, ADAPTER_POLLED_MANY, bad, &fault), ERR_SCRIPT);
    assert_int_equal(adapter_check_returned(adapter, ADAPTER_POLLED_MANY, list, &fault), ERR_SCRIPT);
    assert_non_null(strstr(fault.message, "polled_many must return a table of steps"));
}

/* ---- the words for adapters, by the assertions of a Lua file ---- */

static void encodings_are_right(void **state) {
    (void)state;
    struct test_catalog words;
    test_catalog_init(&words);
    test_catalog_put(
        &words, "models/words.lua",
        "assert(base64('') == '' and base64('\\0\\255fennec') == 'AP9mZW5uZWM=')\n"
        "assert(unbase64('AP9mZW5uZWM=') == '\\0\\255fennec' and unbase64('AP9mZW5uZWM') == '\\0\\255fennec')\n"
        "assert(unbase64('*') == nil)\n"
        "assert(hex('\\0\\255') == '00ff' and unhex('00Ff') == '\\0\\255' and unhex('0') == nil and unhex('zz') == "
        "nil)\n"
        "assert(hex(sha256('abc')) == 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')\n"
        "assert(base64(hmac_sha256('kiekey', 'task-1.1781080794')) == 'WFPlxI9tVGSjX3OZqDzUC6/44e+YbyHLbi9KYGZCbeg=')\n"
        "assert(url_encode('a b/ü~-._') == 'a%20b%2F%C3%BC~-._')\n"
        "assert(to_json({ b = 1, a = array{}, c = null }) == '{\"a\":[],\"b\":1,\"c\":null}')\n"
        "local value = from_json('{\"a\":[1,null]}')\n"
        "assert(value.a[1] == 1 and value.a[2] == null and from_json('{') == nil and from_json('7') == 7)\n"
        "assert(hash('') == 1672528962 and hash('x') ~= hash('y'))\n"
        "assert(hs256_jwt('{\"iss\":\"a\"}', 'k') == hs256_jwt({ iss = 'a' }, 'k'))\n"
        "assert(not pcall(to_json, hash) and not pcall(hs256_jwt, 1, 'k') and not pcall(hash))\n");
    struct bridge *opened = test_catalog_open(&words);
    bridge_close(opened);
    test_catalog_fini(&words);
}

int test_adapter(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(language_models_need_no_functions),
        cmocka_unit_test(routes_lead_to_their_own_kind),      cmocka_unit_test(settings_are_kept),
        cmocka_unit_test(functions_are_called),    cmocka_unit_test(credentials_take_every_form),
        cmocka_unit_test(requests_are_checked),    cmocka_unit_test(steps_are_read),
        cmocka_unit_test(wrong_steps_are_refused), cmocka_unit_test(failures_say_whether_the_job_was_taken),
        cmocka_unit_test(encodings_are_right),     cmocka_unit_test(a_backup_stands_in_for_url_alone),
        cmocka_unit_test(many_steps_are_checked),  cmocka_unit_test(a_status_tells_whose_fault_it_is),
    };
    return cmocka_run_group_tests_name("adapter", tests, setup, teardown);
}
