/* Failures in all the forms in which services tell them. */
#include <jansson.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/memory.h"
#include "chat/dialect/failure.h"
#include "chat/dialect/retry_delay.h"
#include "trial.h"

static void assert_failure(const struct chat_failure *failure, const char *expected) {
    struct buffer scoped(buffer_fini) buf;
    buffer_init(&buf, 4096);
    trial_put_failure(failure, &buf);
    assert_string_equal(buf.data, expected);
}

struct row {
    int status;
    const char *headers, *reply, *expected;
};

static void run(const struct row *rows, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct chat_failure failure;
        memset(&failure, 0x5A, sizeof(failure));
        chat_failure_of_reply(rows[i].status, text_of(rows[i].headers), text_of(rows[i].reply), &failure);
        assert_failure(&failure, rows[i].expected);
        assert_int_equal(failure.http_status, rows[i].status == 200 ? 0 : rows[i].status);
    }
}

#define OPENAI(type, code) "{\"error\":{\"message\":\"m\",\"type\":\"" type "\",\"param\":null,\"code\":" code "}}"

static void statuses_and_words_say_whose_fault_it_is(void **state) {
    (void)state;
    static const struct row rows[] = {
        { 400, "", OPENAI("invalid_request_error", "null"),
          "invalid_parameters request final invalid_request_error//: m" },
        { 400, "", OPENAI("invalid_request_error", "\"context_length_exceeded\""),
          "invalid_parameters request final invalid_request_error/context_length_exceeded/: m" },
        { 400, "", OPENAI("invalid_request_error", "\"content_filter\""),
          "content_policy_violation request final invalid_request_error/content_filter/: m" },
        { 400, "",
          "{\"error\":{\"code\":\"x\",\"message\":\"m\",\"innererror\":{\"code\":\"ResponsibleAIPolicyViolation\"}}}",
          "content_policy_violation request final /x/: m" },
        { 400, "", "{\"error\":{\"message\":\"m\",\"param\":\"messages[0].role\",\"type\":\"x\",\"code\":\"y\"}}",
          "invalid_parameters request final x/y/messages[0].role: m" },
        { 404, "", OPENAI("invalid_request_error", "\"model_not_found\""),
          "resource_not_found route final invalid_request_error/model_not_found/: m" },
        { 404, "", OPENAI("invalid_request_error", "null"),
          "resource_not_found request final invalid_request_error//: m" },
        { 413, "", "", "invalid_parameters request final //: " },
        { 422, "", "", "invalid_parameters request final //: " },
        { 401, "", OPENAI("invalid_request_error", "\"invalid_api_key\""),
          "service_error key final invalid_request_error/invalid_api_key/: m" },
        { 401, "", "{}", "service_error key final //: " },
        { 403, "", OPENAI("permission_error", "null"), "service_error key final permission_error//: m" },
        { 402, "",
          "{\"error\":{\"message\":\"Insufficient Balance\",\"type\":\"unknown_error\",\"param\":null,"
          "\"code\":\"invalid_request_error\"}}",
          "quota_exceeded account final unknown_error/invalid_request_error/: Insufficient Balance" },
        { 429, "", OPENAI("insufficient_quota", "\"insufficient_quota\""),
          "quota_exceeded account final insufficient_quota/insufficient_quota/: m" },
        { 429, "x-should-retry: true\n", OPENAI("insufficient_quota", "null"),
          "quota_exceeded account final insufficient_quota//: m" },
        { 429, "", "{\"error\":{\"message\":\"m\",\"type\":\"exceeded_current_quota_error\"}}",
          "quota_exceeded account final exceeded_current_quota_error//: m" },
        { 429, "", OPENAI("requests", "\"rate_limit_exceeded\""),
          "resource_exhausted capacity again requests/rate_limit_exceeded/: m" },
        { 429, "", "", "resource_exhausted capacity again //: " },
        { 408, "", "", "service_error provider again //: " },
        { 409, "", "", "service_error request again //: " },
        { 500, "", OPENAI("server_error", "null"), "service_error provider again server_error//: m" },
        { 502, "", "", "service_error provider again //: " },
        { 503, "", "", "service_unavailable provider again //: " },
        /* llama.cpp */
        { 503, "", "{\"error\":{\"code\":503,\"message\":\"Loading model\",\"type\":\"unavailable_error\"}}",
          "service_unavailable capacity again unavailable_error/503/: Loading model" },
        { 400, "", "{\"error\":{\"code\":400,\"message\":\"too long\",\"type\":\"exceed_context_size_error\"}}",
          "invalid_parameters request final exceed_context_size_error/400/: too long" },
        /* Anthropic, Gemini, Ollama */
        { 529, "", "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}",
          "resource_exhausted capacity again overloaded_error//: Overloaded" },
        { 429, "",
          "[{\"error\":{\"code\":429,\"message\":\"m\",\"status\":\"RESOURCE_EXHAUSTED\",\"details\":"
          "[{\"@type\":\"x\"},{\"retryDelay\":\"12s\"}]}}]",
          "resource_exhausted capacity again 12000ms RESOURCE_EXHAUSTED/429/: m" },
        { 404, "", "{\"error\":\"model 'x' not found\"}", "resource_not_found request final //: model 'x' not found" },
        /* a weak word under a status that knows better */
        { 500, "", OPENAI("invalid_request_error", "null"), "service_error provider again invalid_request_error//: m" },
        { 200, "", OPENAI("invalid_request_error", "null"),
          "invalid_parameters request final invalid_request_error//: m" },
        { 200, "", "{\"error\":{\"code\":\"429\",\"message\":\"m\"}}", "resource_exhausted capacity again /429/: m" },
        { 200, "", "{\"error\":{\"code\":401,\"message\":\"m\"}}", "service_error key final /401/: m" },
        { 200, "", "{\"base_resp\":{\"status_code\":1008,\"status_msg\":\"insufficient balance\"}}",
          "quota_exceeded account final /1008/: insufficient balance" },
        { 200, "", "{\"base_resp\":{\"status_code\":1002,\"status_msg\":\"rate limit\"}}",
          "resource_exhausted capacity again /1002/: rate limit" },
        { 200, "", "{\"base_resp\":{\"status_code\":1026,\"status_msg\":\"m\"}}",
          "content_policy_violation request final /1026/: m" },
        { 400, "", "{\"base_resp\":{\"status_code\":2049,\"status_msg\":\"m\"}}", "service_error key final /2049/: m" },
        { 200, "", "{\"base_resp\":{\"status_code\":1000,\"status_msg\":\"m\"}}",
          "service_error provider again /1000/: m" },
        { 200, "", "{\"error\":{\"code\":7,\"message\":\"m\"}}", "service_error provider again /7/: m" },
    };
    run(rows, ARRAY_SIZE(rows));
}

static void words_are_found_in_every_form(void **state) {
    (void)state;
    static const struct row rows[] = {
        { 422, "",
          "{\"detail\":[{\"loc\":[\"body\",\"messages\",0,\"content\"],\"msg\":\"field required\",\"type\":\"v\"}]}",
          "invalid_parameters request final //messages[0].content: field required" },
        { 500, "", "{\"detail\":\"it broke\"}", "service_error provider again //: it broke" },
        { 500, "", "{\"detail\":{\"message\":\"it broke\",\"code\":\"c\"}}",
          "service_error provider again /c/: it broke" },
        { 500, "", "{\"message\":\"it broke\",\"detail\":\"x\"}", "service_error provider again //: it broke" },
        { 400, "",
          "{\"object\":\"error\",\"message\":\"it broke\",\"type\":\"BadRequestError\",\"param\":null,\"code\":400}",
          "invalid_parameters request final BadRequestError/400/: it broke" },
        { 500, "", "{\"success\":false,\"errors\":[{\"code\":7003,\"message\":\"it broke\"}]}",
          "service_error provider again /7003/: it broke" },
        { 500, "", "\"it broke\"", "service_error provider again //: it broke" },
        { 500, "", "  it\n\tbroke\r\n", "service_error provider again //: it  broke" },
        { 502, "", "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>nginx</body>",
          "service_error provider again //: 502 Bad Gateway" },
        { 502, "", "<title>Passerelle d\xE9" "fectueuse, é</title>",
          "service_error provider again //: Passerelle d?fectueuse, é" },
        { 502, "", "<html><body>nginx</body>", "service_error provider again //: " },
        { 502, "", "<html><title>never ends", "service_error provider again //: " },
        { 500, "", "{\"error\":{\"mess", "service_error provider again //: " },
        { 500, "", "\xFF\xFE", "service_error provider again //: " },
        { 500, "", "[]", "service_error provider again //: " },
        { 500, "", "{\"error\":[],\"detail\":[]}", "service_error provider again //: " },
        { 500, "", "{\"error\":{\"message\":{\"a\":1},\"type\":7,\"code\":[]}}", "service_error provider again 7//: " },
    };
    run(rows, ARRAY_SIZE(rows));
}

static void headers_say_when_to_try_again(void **state) {
    (void)state;
    static const struct row rows[] = {
        { 429, "HTTP/1.1 429\r\nRetry-After: 7\r\n", "", "resource_exhausted capacity again 7000ms //: " },
        { 429, "retry-after: 7\nRetry-After-Ms: 1500\n", "", "resource_exhausted capacity again 1500ms //: " },
        { 503, "Retry-After:2", "", "service_unavailable provider again 2000ms //: " },
        { 503, "retry-after: 99999999", "", "service_unavailable provider again 86400000ms //: " },
        { 503, "retry-after: soon", "", "service_unavailable provider again //: " },
        { 503, "retry-after: -5", "", "service_unavailable provider again //: " },
        /* a date counts from the reply's own */
        { 503, "Date: Wed, 10 Jun 2026 08:39:54 GMT\r\nRetry-After: Wed, 10 Jun 2026 08:40:24 GMT\r\n", "",
          "service_unavailable provider again 30000ms //: " },
        { 503, "Date: Wed, 10 Jun 2026 08:39:54 GMT\r\nRetry-After: Wed, 10 Jun 2026 08:39:00 GMT\r\n", "",
          "service_unavailable provider again //: " },
        { 503, "Retry-After: Wed, 10 Jun 2026 08:40:24 GMT\r\n", "", "service_unavailable provider again //: " },
        /* what is used up, else what comes first */
        { 429, "x-ratelimit-reset-requests: 1s\nx-ratelimit-reset-tokens: 6m30s\nx-ratelimit-remaining-tokens: 0\n", "",
          "resource_exhausted capacity again 390000ms //: " },
        { 429, "x-ratelimit-reset-requests: 120ms\nx-ratelimit-reset-tokens: 6m0s\n", "",
          "resource_exhausted capacity again 120ms //: " },
        { 429, "x-ratelimit-reset: 30\n", "", "resource_exhausted capacity again 30000ms //: " },
        { 429, "Date: Wed, 10 Jun 2026 08:39:54 GMT\nX-RateLimit-Reset: 1781080804000\n", "",
          "resource_exhausted capacity again 10000ms //: " },
        { 429, "Date: Wed, 10 Jun 2026 08:39:54 GMT\nX-RateLimit-Reset: 1781080804\n", "",
          "resource_exhausted capacity again 10000ms //: " },
        { 429, "X-RateLimit-Reset: 1781080804\n", "", "resource_exhausted capacity again //: " },
        { 500, "x-ratelimit-reset-requests: 1s\n", "", "service_error provider again //: " },
        { 429, "retry-after: 3\nx-ratelimit-reset-requests: 1s\n", "",
          "resource_exhausted capacity again 3000ms //: " },
        /* x-should-retry, but never for what an operator has to mend */
        { 500, "X-Should-Retry: false\n", "{\"error\":{\"type\":\"server_error\",\"message\":\"m\"}}",
          "service_error provider final server_error//: m" },
        { 429, "x-should-retry: false\n", OPENAI("requests", "\"rate_limit_exceeded\""),
          "resource_exhausted capacity final requests/rate_limit_exceeded/: m" },
        { 401, "x-should-retry: true\n", "", "service_error key final //: " },
    };
    run(rows, ARRAY_SIZE(rows));
}

static void durations_are_read(void **state) {
    (void)state;
    static const struct {
        const char *duration;
        int64_t ms;
    } rows[] = {
        { "1s", 1000 },
        { "6m30s", 390000 },
        { "1h2m3.5s", 3723500 },
        { "250ms", 250 },
        { "1m0.25s", 60250 },
        { "12", 12000 },
        { "1.5", 1500 },
        { " 2s ", 2000 },
        { "1d", 86400000 },
        { "9d", 86400000 },
        { "999999999999h", 86400000 },
        { "", 0 },
        { "s", 0 },
        { "1x", 0 },
        { "-1s", 0 },
        { "1s2", 0 },
        { "1..5s", 0 },
        { ".5s", 0 },
        { "1e3s", 0 },
        { "11111111111111111111111111s", 0 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_int_equal(chat_duration_ms(text_of(rows[i].duration)), rows[i].ms);
    }
}

static void long_words_are_cut_at_a_character(void **state) {
    (void)state;
    struct chat_failure failure;
    char words[1000];
    memset(words, 'x', sizeof(words));
    memcpy(words + sizeof(failure.message) - 3, "\xF0\x9F\xA6\x8A", 4);
    chat_failure_of_break("b", &failure);
    assert_failure(&failure, "service_error provider again //: b");
    chat_failure_set_message(&failure, (struct text){ words, sizeof(words) });
    assert_int_equal(strlen(failure.message), sizeof(failure.message) - 3);
    json_t *value =
        json_pack("{s:{s:s#,s:s#,s:s#}}", "error", "type", words, 600, "code", words, 600, "param", words, 600);
    chat_failure_of_value(value, &failure);
    json_decref(value);
    assert_int_equal(strlen(failure.type), sizeof(failure.type) - 1);
    assert_int_equal(strlen(failure.code), sizeof(failure.code) - 1);
    assert_int_equal(strlen(failure.param), sizeof(failure.param) - 1);
}

static void errors_are_told_from_answers(void **state) {
    (void)state;
    static const struct {
        const char *json;
        bool told;
    } rows[] = {
        { "{\"error\":{}}", true },
        { "{\"error\":\"x\"}", true },
        { "{\"error\":true}", true },
        { "{\"type\":\"error\"}", true },
        { "{\"object\":\"error\"}", true },
        { "{\"base_resp\":{\"status_code\":1004}}", true },
        { "{\"base_resp\":{\"status_code\":0,\"status_msg\":\"\"}}", false },
        { "{\"base_resp\":null}", false },
        { "{\"error\":null}", false },
        { "{\"error\":false}", false },
        { "{\"error\":\"\",\"choices\":[]}", false },
        { "{\"choices\":[]}", false },
        { "[]", false },
        { "\"error\"", false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        json_t *value = NULL;
        assert_int_equal(json_read_any(text_of(rows[i].json), 8, &value, NULL), OK);
        assert_int_equal(chat_failure_told(value), rows[i].told);
        json_decref(value);
    }
}

int test_failure(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statuses_and_words_say_whose_fault_it_is),
        cmocka_unit_test(words_are_found_in_every_form),
        cmocka_unit_test(headers_say_when_to_try_again),
        cmocka_unit_test(durations_are_read),
        cmocka_unit_test(long_words_are_cut_at_a_character),
        cmocka_unit_test(errors_are_told_from_answers),
    };
    return cmocka_run_group_tests_name("failures", tests, NULL, NULL);
}
