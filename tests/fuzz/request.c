/* Requests to a whole server, with every kind of key: paths, queries, headers and bodies of every endpoint. Each is answered,
 * never as our own fault; errors have their shape, JSON is JSON; nobody sees what belongs to another account (S2), nor a
 * key; no request makes the server connect to its own network (S1); in the end the books are right (L1, L3, T1).
 *
 *   whose key (house.h), or "-"
 *   the method and the target
 *   headers, a line each
 *   an empty line, and the body
 *
 * "@task@" and the like stand for what there is in the house. */
#include <curl/curl.h>
#include <jansson.h>
#include <stdlib.h>

#include "api/api.h"
#include "base/buffer.h"
#include "base/memory.h"
#include "fuzz.h"
#include "house.h"

#define INPUTS_A_HOUSE 2000 /* then comes a new one, so that no input meets all that others left behind */
#define WORD_NAME_MAX 12

static unsigned inputs;

/* curl before atexit: the program's engine ends before OpenSSL cleans up, so the last house has to, and what is registered
 * first is called last. */
void fuzz_begin(void) {
    fuzz_hold(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    house_open();
    atexit(house_close);
}

/* ---- seeds ---- */

/* What there is for "{name}" in a route's pattern. */
static const char *segment_for(const char *name) {
    static const struct {
        const char *name, *word;
    } words[] = {
        { "{task_id}", "@task@" }, { "{file_id}", "@file@" }, { "{account_id}", "@account@" }, { "{key_id}", "1" },
        { "{provider}", "fal" }, { "{model}", "phota-image" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (strncmp(name, words[i].name, strlen(words[i].name)) == 0) {
            return words[i].word;
        }
    }
    return "7";
}

static void seed_route(const struct http_route *route, unsigned number) {
    static const char *const methods[] = { "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "OTHER" };
    char name[32];
    struct buffer buf;
    buffer_init(&buf, 4096);
    char who = route->access == ACCESS_ADMIN ? HOUSE_OPERATOR : route->access == ACCESS_KEY ? HOUSE_TEST : '-';
    buffer_printf(&buf, "%c\n%s ", who, methods[route->method]);
    for (const char *c = route->pattern; *c != '\0'; c++) {
        if (*c == '{') {
            buffer_put(&buf, text_of(segment_for(c)));
            c = strchr(c, '}');
        } else {
            buffer_put_char(&buf, *c);
        }
    }
    buffer_put(&buf, route->takes_body ? TEXT("\nContent-Type: application/json\n\n{}") : TEXT("\n\n"));
    fuzz_hold(buffer_ok(&buf));
    snprintf(name, sizeof(name), "route-%u", number + 1);
    fuzz_seed(name, buffer_text(&buf));
    buffer_fini(&buf);
}

#define JSON "\nContent-Type: application/json\n"

static const char *const lists[] = {
    "t\nGET /v1/tasks?limit=2&status=completed&type=image&model=phota-image\n\n",
    "t\nGET /v1/tasks?after=@task@&limit=100\n\n",
    "t\nGET /v1/tasks?ids=@task@,%20@other@,task-unified-1764000000-abcd1234&after=@task@\n\n",
    "t\nGET /v1/tasks/@other@\n\n",
    "o\nGET /v1/tasks/@other@?wait=1&sync_upstream=true\nPrefer: respond-async, wait=2\nIf-None-Match: W/\"0\", *\n\n",
    "t\nGET /v1/tasks/@task@/events?after=1\nLast-Event-ID: 2.50\n\n",
    "t\nGET /v1/files?limit=1&after=@file@&sort=created\n\n",
    "t\nGET /v1/files/@otherfile@\n\n",
    "t\nGET /v1/callbacks?limit=3&status=delivered\n\n",
    "t\nGET /v1/account/ledger?from=2026-01-31&to=9999-12-31&after=0&limit=1000&format=csv\n\n",
    "t\nGET /v1/account/usage?by=day,model,key&from=2026-01-01&to=2026-02-01&key=web&model=phota-image&format=json\n\n",
    "a\nGET /admin/v1/accounts?limit=2&after=1\n\n",
    "a\nGET /admin/v1/tasks?account=@account@&status=completed&type=image&limit=1&after=@task@&model=phota-image"
    "&provider=simulator\n\n",
    "a\nGET /admin/v1/changes?limit=2&after=3&account=@account@\n\n",
    "a\nGET /admin/v1/callbacks?status=failed&account=@account@&task_id=@task@&limit=5\n\n",
    "a\nGET /admin/v1/accounts/@account@/ledger?from=2026-01-01&format=csv&after=1\n\n",
    "t\nGET /v1/models?type=image\nAuthorization: Basic eA==\n\n",
    "-\nGET /v1/account/credits\nauthorization:  bearer   sk-test-0123456789012345678901234567890123456789012\n\n",
    "-\nGET @link@\nRange: bytes=0-9,20-\nIf-None-Match: \"x\"\nIf-Range: \"y\"\n\n",
    "-\nHEAD @link@&download=1\nRange: bytes=-5\n\n",
    "-\nGET /v1/artifacts/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855/a.png?expires=1&signature=A\n\n",
    "-\nOPTIONS /v1/tasks\nOrigin: https://example.com\nAccess-Control-Request-Method: POST\n\n",
    "-\nGET /openapi.json\nAccept-Encoding: gzip;q=0.5, *\nIf-None-Match: W/\"a\"\n\n",
    NULL,
};

static const char *const submissions[] = {
    "t\nPOST /v1/images/generations\nIdempotency-Key: one" JSON "\n{\"model\":\"phota-image\",\"prompt\":\"x\","
    "\"callback_url\":\"https://example.com/hook\",\"result_ttl\":60.0,\"dry_run\":false}",
    "t\nPOST /v1/images/generations\nIdempotency-Key: one" JSON "\n{\"model\":\"phota-image\",\"prompt\":\"y\"}",
    "t\nPOST /v1/videos/generations\nPrefer: wait=1" JSON "\n{\"model\":\"seedance-2.0-text-to-video\",\"prompt\":\"x\","
    "\"duration\":5,\"resolution\":\"480p\",\"dry_run\":true}",
    "t\nPOST /v1/audios/generations\nContent-Type: application/json;charset=utf-8\n\n{\"model\":\"x\",\"callback_url\":"
    "\"https://127.0.0.1/\",\"result_ttl\":60}",
    "t\nPOST /v1/chat/completions\nIdempotency-Key: chat" JSON "\n{\"model\":\"deepseek-chat\",\"messages\":[{\"role\":\"user\","
    "\"content\":\"hello\"}],\"stream\":true,\"stream_options\":{\"include_usage\":true}}",
    "t\nPOST /v1/llm/generations?sync=1" JSON
    "\n{\"model\":\"deepseek-chat\",\"prompt\":\"hello\",\"sync\":true,\"stream\":false}",
    "t\nPOST /v1/llm_async/chat/completions" JSON
    "\n{\"model\":\"deepseek-chat\",\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}",
    "t\nPOST /v1/tasks/@task@/renew" JSON "\n{\"result_ttl\":3600}",
    "t\nPOST /v1/tasks/@other@/cancel" JSON "\n{}",
    "t\nPOST /v1/images/generations" JSON "\n{\"model\":\"phota-image\",\"prompt\":\"fennec:error=timeout\"}",
    "t\nPOST /v1/files/upload/base64" JSON "\n{\"file_data\":\"data:text/plain;base64,aGVsbG8=\",\"file_name\":\"../a.txt\","
    "\"auto_cleanup\":true}",
    "t\nPOST /v1/files/upload/url" JSON "\n{\"url\":\"https://93.184.216.34/a.png\",\"file_name\":\"a\"}",
    "t\nPOST /v1/files/upload/url" JSON "\n{\"url\":\"http://localhost@link@\"}",
    "t\nPOST /v1/files/upload/stream\nContent-Type: multipart/form-data; boundary=x\n\n--x\r\nContent-Disposition: form-data; "
    "name=\"file\"; filename=\"a.txt\"\r\n\r\nhello\r\n--x\r\nContent-Disposition: form-data; name=\"auto_cleanup\"\r\n\r\n"
    "true\r\n--x--\r\n",
    "t\nPOST /v1/callbacks/test" JSON "\n{\"url\":\"https://example.com/\"}",
    "t\nPOST /v1/callbacks/secret/rotate" JSON "\n{\"overlap_s\":60}",
    "-\nPOST /v1/hooks/AAAAAAAAAAAAAAAAAAAAADQyLjEudGFzay11bmlmaWVkLTE3NjQwMDAwMDAtYWJjZDEyMzQ?a=b" JSON "\n{}",
    NULL,
};

static const char *const orders[] = {
    "a\nPOST /admin/v1/accounts" JSON "\n{\"name\":\"new\",\"group\":\"default\"}",
    "a\nPATCH /admin/v1/accounts/@account@" JSON "\n{\"suspended\":true,\"reason\":\"x\",\"group\":\"y\"}",
    "a\nPOST /admin/v1/accounts/@account@/credits" JSON
    "\n{\"amount\":\"1.5\",\"reason\":\"gift\",\"reference\":\"r-1\"}",
    "a\nPOST /admin/v1/accounts/@account@/credits" JSON "\n{\"amount\":-0.000001,\"reason\":\"x\",\"reference\":\"r-2\"}",
    "a\nPOST /admin/v1/accounts/@account@/keys" JSON "\n{\"name\":\"k\",\"mode\":\"test\",\"expires_in\":3600,"
    "\"requests_per_minute\":5,\"concurrency\":2,\"budget_total\":10,\"budget_day\":0.5}",
    "a\nPATCH /admin/v1/accounts/@account@/keys/1" JSON "\n{\"name\":\"n\",\"budget_total\":null,\"concurrency\":1}",
    "a\nDELETE /admin/v1/accounts/@account@/keys/1\n\n",
    "a\nPOST /admin/v1/keys" JSON "\n{\"name\":\"op\",\"expires_in\":3600}",
    "a\nPOST /admin/v1/tasks/@task@/refund" JSON "\n{\"amount\":\"0.5\",\"reason\":\"x\",\"reference\":\"r-3\"}",
    "a\nPOST /admin/v1/tasks/@task@/fail" JSON "\n{\"reason\":\"x\"}",
    "a\nPOST /admin/v1/models/phota-image/pause" JSON "\n{\"reason\":\"x\"}",
    "a\nPOST /admin/v1/providers/simulator/pause" JSON "\n{\"reason\":\"x\"}",
    "a\nGET /admin/v1/models/ollama%2Fany\n\n",
    NULL,
};

void fuzz_seeds(void) {
    unsigned count;
    const struct http_route *routes = api_routes(&count);
    for (unsigned i = 0; i < count; i++) {
        seed_route(&routes[i], i);
    }
    fuzz_seed_list("list", lists);
    fuzz_seed_list("submission", submissions);
    fuzz_seed_list("order", orders);
}

/* ---- what is true of every answer ---- */

static bool has(const struct house_answer *answer, struct text words) {
    return memmem(answer->bytes.data, answer->bytes.len, words.ptr, words.len) != NULL;
}

/* A key that the client has `sent` elsewhere than where keys are, say as the name of a parameter that there is not, may come back
 * to it: an error names what it is about. */
static void hold_secrets(const struct house_answer *answer, char who, struct text sent) {
    static const char everybody[] = { HOUSE_TEST, HOUSE_LIVE, HOUSE_OTHER, HOUSE_OPERATOR };
    for (size_t i = 0; i < sizeof(everybody); i++) {
        struct text key = house_key(everybody[i]);
        bool its_own = memmem(sent.ptr, sent.len, key.ptr, key.len) != NULL;
        fuzz_hold(its_own || !has(answer, key), "the key %c is told", everybody[i]);
    }
    fuzz_hold(who == HOUSE_OTHER || who == HOUSE_OPERATOR || !has(answer, house_secret()), "S2: %.*s",
              TEXT_ARG(buffer_text(&answer->bytes)));
}

/* That it is not ready is no error of a request. */
static bool is_readiness(const struct house_answer *answer, const json_t *value) {
    return answer->status == 503 && json_object_get(value, "status") != NULL;
}

static void hold_error(const struct house_answer *answer, const json_t *value) {
    static const char *const members[] = { "message", "type", "code" };
    const json_t *error = json_object_get(value, "error");
    for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
        fuzz_hold(json_string_length(json_object_get(error, members[i])) > 0, "%.*s", TEXT_ARG(answer->body));
    }
    fuzz_hold(json_object_get(error, "param") != NULL, "%.*s", TEXT_ARG(answer->body));
}

/* Errors without JSON are of the library's parser (http/server.h). */
static void hold_body(const struct house_answer *answer, bool head) {
    if (head || answer->status == 204 || answer->status == 304) {
        fuzz_hold(answer->body.len == 0, "%.*s", TEXT_ARG(buffer_text(&answer->bytes)));
        return;
    }
    if (!text_starts(house_header(answer, TEXT("content-type")), TEXT("application/json"))) {
        fuzz_hold(answer->status < 400 || house_header(answer, TEXT("x-request-id")).ptr == NULL, "%.*s",
                  TEXT_ARG(buffer_text(&answer->bytes)));
        return;
    }
    json_error_t words;
    json_t *value = json_loadb(answer->body.ptr, answer->body.len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &words);
    fuzz_hold(value != NULL, "%s: %.*s", words.text, TEXT_ARG(answer->body));
    if (answer->status >= 400 && !is_readiness(answer, value)) {
        hold_error(answer, value);
    }
    json_decref(value);
}

/* Whether it is a request line that any server answers. */
static bool is_plain(struct text request) {
    struct text target = request, method = text_cut(&target, ' ');
    for (size_t i = 0; i < method.len; i++) {
        if (method.ptr[i] < 'A' || method.ptr[i] > 'Z') {
            return false;
        }
    }
    for (size_t i = 0; i < target.len; i++) {
        if (target.ptr[i] <= ' ' || target.ptr[i] > '~') {
            return false;
        }
    }
    return method.len > 0 && target.len > 0 && target.ptr[0] == '/';
}

static void hold_answer(const struct house_answer *answer, char who, struct text request, struct text sent) {
    if (answer->status == 0) {
        fuzz_hold(!is_plain(request), "no answer to %.*s", TEXT_ARG(request));
        return;
    }
    fuzz_hold(answer->status >= 200 && (answer->status < 500 || answer->status == 503 || answer->status == 505),
              "%.*s: %.*s", TEXT_ARG(request), TEXT_ARG(buffer_text(&answer->bytes)));
    fuzz_hold(answer->status != 503 || house_header(answer, TEXT("retry-after")).ptr != NULL);
    hold_body(answer, text_starts(request, TEXT("HEAD ")));
    hold_secrets(answer, who, sent);
}

/* ---- one request ---- */

/* The input with words in the place of their names; freed by buffer_fini. */
static void put_words(struct text input, struct buffer *buf) {
    while (input.len > 0) {
        size_t at = text_find(input, '@');
        buffer_put(buf, (struct text){ input.ptr, at });
        input = (struct text){ input.ptr + at, input.len - at };
        if (input.len == 0) {
            return;
        }
        struct text rest = { input.ptr + 1, input.len - 1 };
        size_t length = text_find(rest, '@');
        bool named = length < rest.len && length <= WORD_NAME_MAX;
        struct text word = named ? house_word((struct text){ rest.ptr, length }) : TEXT_NONE;
        size_t taken = word.ptr != NULL ? length + 2 : 1;
        buffer_put(buf, word.ptr != NULL ? word : TEXT("@"));
        input = (struct text){ input.ptr + taken, input.len - taken };
    }
}

/* What an operator, or a deletion, has changed for all that come after is changed back. */
static void undo(char who, struct text request) {
    static const struct text pause = TEXT("/pause");
    struct house_answer answer;
    struct buffer back;
    if (text_starts(request, TEXT("GET ")) || text_starts(request, TEXT("HEAD "))) {
        return;
    }
    struct text target = text_clip(request, text_find(request, '?'));
    if (text_ends(target, pause)) {
        buffer_init(&back, 1 << 16);
        buffer_printf(&back, "%.*s/resume", TEXT_ARG(text_clip(target, target.len - pause.len)));
        house_ask(who, buffer_text(&back), TEXT_NONE, TEXT_NONE, &answer);
        house_answer_fini(&answer);
        buffer_fini(&back);
    }
    if (who == HOUSE_OPERATOR || text_starts(request, TEXT("DELETE "))) {
        house_mend();
    }
}

static size_t end_of_headers(struct text rest) {
    const char *end = rest.len > 0 ? memmem(rest.ptr, rest.len, "\n\n", 2) : NULL;
    if (rest.len > 0 && rest.ptr[0] == '\n') {
        return 0;
    }
    return end != NULL ? (size_t)(end - rest.ptr) + 1 : rest.len;
}

/* Without what no line may have in it, as the client leaves it out; in place, the line is of the buffer. */
static struct text without_controls(struct text line) {
    char *bytes = (char *)(uintptr_t)line.ptr;
    size_t kept = 0;
    for (size_t i = 0; i < line.len; i++) {
        if (bytes[i] != '\r' && bytes[i] != '\0') {
            bytes[kept++] = bytes[i];
        }
    }
    return (struct text){ bytes, kept };
}

void fuzz_one(struct text input) {
    struct house_answer answer;
    struct buffer buf;
    if (++inputs % INPUTS_A_HOUSE == 0) {
        house_close();
        house_open();
    }
    buffer_init(&buf, (size_t)4 << 20);
    put_words(input, &buf);
    fuzz_hold(buffer_ok(&buf));
    struct text rest = buffer_text(&buf), line = fuzz_line(&rest), request = without_controls(fuzz_line(&rest));
    char who = line.len > 0 ? line.ptr[0] : '-';
    size_t end = end_of_headers(rest);
    struct text headers = { rest.ptr, end }, body = { rest.ptr + end, rest.len - end };
    fuzz_line(&body);
    if (request.len > 0) {
        house_ask(who, request, headers, body, &answer);
        hold_answer(&answer, who, request, buffer_text(&buf));
        if (answer.status >= 200 && answer.status < 300) {
            undo(who, request);
        }
        house_answer_fini(&answer);
    }
    buffer_fini(&buf);
}
