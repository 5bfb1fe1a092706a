/* Requests as they leave: bodies, credentials, and where they may go. */
#include <jansson.h>
#include <stdlib.h>

#include "adapters.h"
#include "base/compiler.h"
#include "net/courier.h"
#include "trial.h"

/* A service that answers at once: what it was asked is all that matters. */
#define SENDING "url = 'https://queue.example', accepted = function() return { output = {} } end,\n"

static char *sent_by(const char *submit, const char *key) {
    char adapter[4096];
    snprintf(adapter, sizeof(adapter), SENDING "%s", submit);
    struct scene *scene = scene_open(adapter);
    char path[128];
    snprintf(path, sizeof(path), "%s/voice.wav", scene->house.directory);
    FILE *file = fopen(path, "w");
    assert_true(file && fwrite("RI\0FF", 1, 5, file) == 5 && fclose(file) == 0);
    const struct attempt_file files[] = { { "audio_urls[1]", path, "audio/wav" } };
    scene->trial.attempt.files = files;
    scene->trial.attempt.file_count = 1;
    scene->trial.attempt.key = key;
    scene_reply(scene, "P", 200, "{}");
    trial_run(&scene->trial, TASK_ERROR_NONE);
    char *request = fake_request(scene->house.service, "P", 0);
    scene_close(scene);
    return request;
}

static void bodies_and_headers_are_as_described(void **state) {
    (void)state;
    static const struct {
        const char *submit, *words[4];
    } rows[] = {
        { "submit = function(task) return { put = '/a', query = { x = 'y z' }, json = array{ 1, 'é' } } end",
          { "PUT /a?x=y%20z HTTP/1.1\r\n", "Content-Type: application/json\r\n", "\r\n\r\n[1,\"é\"]" } },
        { "submit = function(task) return { post = '/a', form = { a = 'b&c d', n = 7 } } end",
          { "Content-Type: application/x-www-form-urlencoded\r\n", "a=b%26c%20d", "n=7" } },
        { "submit = function(task) return { post = '/a', form = { a = { 'x', 'y' } } } end", { "\r\n\r\na=x&a=y" } },
        { "submit = function(task) return { post = '/a', text = '<x/>', headers = { ['content-type'] = 'text/xml', "
          "['X-A'] = 'b' } } end",
          { "content-type: text/xml\r\n", "X-A: b\r\n", "\r\n\r\n<x/>" } },
        { "submit = function(task) return { patch = '/a', text = '' } end", { "PATCH /a ", "Content-Length: 0\r\n" } },
        { "submit = function(task) return { post = '/a', multipart = { { name = 'm\"x', value = 'v' },"
          " { name = 'f', file = 'audio_urls[1]', filename = 'a.wav' } } } end",
          { "Content-Type: multipart/form-data; boundary=",
            "Content-Disposition: form-data; name=\"m%22x\"\r\n\r\nv\r\n--",
            "Content-Disposition: form-data; name=\"f\"; filename=\"a.wav\"\r\nContent-Type: audio/wav\r\n\r\nRI" } },
        { "submit = function(task) return { post = '/a', json = { t = task.target, m = task.model, i = task.id, "
          "n = task.number, e = task.external_id, c = task.callback_url, r = task.route ~= nil } } end",
          { "\"t\":\"maker/model\"", "\"e\":\"" TRIAL_SUBMISSION "\"", "\"c\":\"https://media.example.com/",
            "\"i\":\"task-unified-1-abcdefgh\"" } },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char *request = sent_by(rows[i].submit, TRIAL_KEY);
        for (size_t k = 0; k < ARRAY_SIZE(rows[i].words) && rows[i].words[k]; k++) {
            if (!strstr(request, rows[i].words[k])) {
                fail_msg("row %zu has no %s:\n%s", i, rows[i].words[k], request);
            }
        }
        assert_null(strstr(request, TRIAL_KEY));
        free(request);
    }
}

static void credentials_go_where_the_adapter_says(void **state) {
    (void)state;
#define POSTS "submit = function() return { post = '/a', query = { q = 1 } } end,"
    static const struct {
        const char *adapter, *key, *words; /* words NULL: nothing of the key */
    } rows[] = {
        { POSTS "auth = function(key) return { ['X-Key'] = key } end", "k&1 2", "X-Key: k&1 2\r\n" },
        { POSTS "auth = function(key) return { query = { key = key } } end", "k&1 2", "POST /a?q=1&key=k%261%202 " },
        { POSTS "auth = function(key) return { basic = { 'me', key } } end", "sesame",
          "Authorization: Basic bWU6c2VzYW1l\r\n" },
        { POSTS "auth = function(key) return { ['X-Key'] = key } end", NULL, NULL },
        { "submit = function() return { post = '/a', auth = false } end,"
          "auth = function(key) return { ['X-Key'] = key } end",
          "sesame", NULL },
        /* header.payload.signature, the claims' keys sorted; recomputed with another implementation */
        { POSTS "auth = function(key) return { Authorization = 'Bearer ' .. hs256_jwt({ iss = 'ak-test', "
                "exp = 1781082594, nbf = 1781080789 }, key), lifetime = 1500 } end",
          "sk-test",
          "Authorization: Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
          "eyJleHAiOjE3ODEwODI1OTQsImlzcyI6ImFrLXRlc3QiLCJuYmYiOjE3ODEwODA3ODl9."
          "28K_QR0iM7CQnubRjEXobNDoWbKx0lGcxoOzcnmh_nw\r\n" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char *request = sent_by(rows[i].adapter, rows[i].key);
        if (rows[i].words && !strstr(request, rows[i].words)) {
            fail_msg("row %zu has no %s:\n%s", i, rows[i].words, request);
        }
        assert_true(rows[i].words || (!strstr(request, "sesame") && !strstr(request, "X-Key")));
        free(request);
    }
}

/* Each has the moment it was made in it. */
#define SIGNING(lifetime)                                                                                              \
    "url = 'https://queue.example', poll_min = 3, poll_max = 3, auth = function(key, now)\n"                           \
    "  return { ['X-Made'] = tostring(now), lifetime = " lifetime " } end,\n"                                          \
    "submit = function() return { post = '/jobs' } end, accepted = function() return { id = 'job-1' } end,\n"          \
    "poll = function() return { get = '/jobs/job-1' } end, polled = function(reply) return { output = {} } end,\n"

static bool same_credentials(const char *lifetime_adapter) {
    struct scene *scene = scene_open(lifetime_adapter);
    scene_reply(scene, "POST /jobs", 200, "{}");
    scene_reply(scene, "GET /jobs", 200, "{}");
    trial_run(&scene->trial, TASK_ERROR_NONE);
    char *first = fake_request(scene->house.service, "POST /jobs", 0);
    char *second = fake_request(scene->house.service, "GET /jobs", 0);
    const char *a = strstr(first, "X-Made: "), *b = strstr(second, "X-Made: ");
    bool same = strncmp(a, b, strcspn(a, "\r")) == 0;
    free(first);
    free(second);
    scene_close(scene);
    return same;
}

static void credentials_are_used_for_their_lifetime(void **state) {
    (void)state;
    assert_true(same_credentials(SIGNING("1500")));
    assert_false(same_credentials(SIGNING("1")));
}

/* ---- S1 ---- */

enum blocked_at { AT_SUBMISSION, AT_EVERY_QUESTION, AT_FIRST_QUESTION };

static void ends_blocked(const char *url, bool allow_private, const char *reply_url, unsigned port,
                         enum blocked_at at) {
    struct house house;
    struct trial trial;
    char body[256];
    house_open_at(&house,
                  "url = 'http://127.0.0.1:9', hosts = { 'localhost' }, poll_min = 0.1,\n"
                  "submit = function() return { post = '/jobs' } end,\n"
                  "accepted = function(reply) return { id = 'a', state = reply.json.url } end,\n"
                  "poll = function(job) return { get = job.state } end,\n"
                  "polled = function() return { output = {} } end,\n",
                  url, allow_private);
    trial_init(&trial, &house);
    snprintf(body, sizeof(body), "{\"url\":\"%s:%u/x\"}", reply_url ? reply_url : "",
             port > 0 ? port : fake_service_port(house.service));
    fake_reply(house.service, "POST /jobs", 200, NULL, body);
    fake_reply(house.service, "GET /", 200, NULL, "{}");
    trial_start(&trial);
    if (at == AT_SUBMISSION) {
        trial_await_done(&trial);
        assert_int_equal(trial.outcome.fate, JOB_NOT_MADE);
        assert_int_equal(trial.outcome.scope, SCOPE_PROVIDER);
    } else if (at == AT_FIRST_QUESTION) {
        trial_await_done(&trial);
        assert_int_equal(trial.outcome.fate, JOB_ENDED);
        assert_int_equal(trial.outcome.error, TASK_ERROR_SERVICE);
    } else {
        trial_await_taken(&trial);
        house_linger(&house, 60);
        assert_int_equal(trial.done, 0);
        remote_driver.leave(house.driver, &trial.attempt);
    }
    assert_int_equal(fake_count(house.service, ""), at == AT_SUBMISSION ? 0 : 1);
    trial_fini(&trial);
    house_close(&house);
}

static void only_the_operators_own_address_may_be_private(void **state) {
    (void)state;
    ends_blocked("", false, NULL, 0, AT_SUBMISSION);  /* their URL, without the word */
    ends_blocked(NULL, true, NULL, 0, AT_SUBMISSION); /* the adapter's URL */
    /* a reply that leads to another private place, by another name or scheme; what a name leads to may change */
    ends_blocked("", true, "http://localhost", 0, AT_EVERY_QUESTION);
    ends_blocked("", true, "https://127.0.0.1", 0, AT_EVERY_QUESTION);
    /* or to a host that is none of the provider's, or to another port */
    ends_blocked("", true, "http://evil.example", 80, AT_FIRST_QUESTION);
    ends_blocked("", true, "http://127.0.0.1", 1, AT_FIRST_QUESTION);
}

static void a_backup_is_asked_once_when_nobody_is_there(void **state) {
    (void)state;
    struct house house;
    struct trial trial;
    house_open_at(&house,
                  "url = 'http://127.0.0.1:1', backup = '@URL@', hosts = { '127.0.0.1' },\n"
                  "submit = function() return { post = '/jobs?a=b', json = { c = 1 } } end,\n"
                  "accepted = function() return { output = {} } end",
                  NULL, false);
    const char *allowed[] = { "127.0.0.1:1", house.url + strlen("http://") };
    courier_allow(house.courier, allowed, ARRAY_SIZE(allowed));
    trial_init(&trial, &house);
    fake_reply(house.service, "POST /jobs?a=b ", 200, NULL, "{}");
    trial_run(&trial, TASK_ERROR_NONE);
    assert_int_equal(fake_count(house.service, ""), 1);
    trial_fini(&trial);
    house_close(&house);
}

static void a_backup_gets_nothing_that_may_have_arrived(void **state) {
    (void)state;
    struct house house;
    struct trial trial;
    house_open_at(&house,
                  "url = '@URL@', backup = 'http://127.0.0.1:1', hosts = { '127.0.0.1' },\n"
                  "submit = function() return { post = '/jobs' } end,\n"
                  "accepted = function() return { output = {} } end",
                  NULL, false);
    const char *allowed[] = { "127.0.0.1:1", house.url + strlen("http://") };
    courier_allow(house.courier, allowed, ARRAY_SIZE(allowed));
    trial_init(&trial, &house);
    fake_bytes(house.service, "POST /jobs", "", FAKE_RESET);
    trial_run(&trial, TASK_ERROR_SUBMISSION_UNKNOWN); /* not sent to the backup: that would be "not made" */
    assert_int_equal(trial.outcome.fate, JOB_UNKNOWN);
    trial_fini(&trial);
    house_close(&house);
}

static void download_headers_are_for_the_providers_hosts(void **state) {
    (void)state;
    static const struct {
        const char *url, *key;
        bool given;
    } rows[] = {
        { "https://files.queue.example/v.mp4", TRIAL_KEY, true },
        { "https://queue.example/v.mp4", TRIAL_KEY, true },
        { "http://queue.example/v.mp4", TRIAL_KEY, false },
        { "https://cdn.example/v.mp4", TRIAL_KEY, false },
        { "https://queue.example.evil.example/v.mp4", TRIAL_KEY, false },
        { "https://queue.example/v.mp4", NULL, false },
    };
    struct scene *scene = scene_open(QUEUE);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        scene->trial.attempt.key = rows[i].key;
        json_t *headers = remote_driver.download_headers(scene->house.driver, &scene->trial.attempt, rows[i].url);
        assert_int_equal(headers != NULL, rows[i].given);
        if (headers) {
            assert_string_equal(json_string_value(json_object_get(headers, "Authorization")), "Key " TRIAL_KEY);
        }
        json_decref(headers);
    }
    scene_close(scene);
}

static void inputs_come_as_the_adapter_wants_them(void **state) {
    (void)state;
    static const struct {
        const char *member;
        enum input_form form;
    } rows[] = { { "", INPUT_LINKS }, { "inputs = 'inline'", INPUT_INLINE }, { "inputs = 'files'", INPUT_FILES } };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char adapter[2048];
        snprintf(adapter, sizeof(adapter), "%s%s", QUEUE, rows[i].member);
        struct scene *scene = scene_open(adapter);
        assert_int_equal(remote_driver.input_form(scene->house.driver, &scene->trial.attempt), rows[i].form);
        scene_close(scene);
    }
}

int test_requests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_and_headers_are_as_described),
        cmocka_unit_test(credentials_go_where_the_adapter_says),
        cmocka_unit_test(credentials_are_used_for_their_lifetime),
        cmocka_unit_test(only_the_operators_own_address_may_be_private),
        cmocka_unit_test(a_backup_is_asked_once_when_nobody_is_there),
        cmocka_unit_test(a_backup_gets_nothing_that_may_have_arrived),
        cmocka_unit_test(download_headers_are_for_the_providers_hosts),
        cmocka_unit_test(inputs_come_as_the_adapter_wants_them),
    };
    return cmocka_run_group_tests_name("requests", tests, NULL, NULL);
}
