/* Failures: whose fault they are, and whether anything may be sent again. */
#include <jansson.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "events.h"
#include "trial.h"

static const struct {
    int status;
    const char *headers, *body;
    enum task_error error;
    enum failure_scope scope;
    bool retryable;
    int64_t delay_ms;
} refusals[] = {
    { 400, NULL, "{\"error\":{\"message\":\"Too long.\",\"type\":\"invalid_request_error\",\"param\":\"messages\","
                 "\"code\":\"context_length_exceeded\"}}",
      TASK_ERROR_INVALID_PARAMETERS, SCOPE_REQUEST, false, 0 },
    { 401, NULL, "{\"error\":{\"message\":\"No.\",\"code\":\"invalid_api_key\"}}", TASK_ERROR_SERVICE, SCOPE_KEY, false,
      0 },
    { 429, "Retry-After: 7\r\n", "{\"error\":{\"message\":\"Slow down.\",\"type\":\"rate_limit_error\"}}",
      TASK_ERROR_RESOURCE_EXHAUSTED, SCOPE_CAPACITY, true, 7000 },
    { 429, NULL, "{\"error\":{\"message\":\"Pay.\",\"code\":\"insufficient_quota\"}}", TASK_ERROR_QUOTA, SCOPE_ACCOUNT,
      false, 0 },
    { 500, NULL, "<html>oops</html>", TASK_ERROR_SERVICE, SCOPE_PROVIDER, true, 0 },
    { 503, "Retry-After: 2\r\n", "", TASK_ERROR_UNAVAILABLE, SCOPE_PROVIDER, true, 2000 },
};

static void refusals_made_nothing(void **state) {
    (void)state;
    for (size_t i = 0; i < 2 * ARRAY_SIZE(refusals); i++) {
        struct house house;
        struct trial trial;
        size_t k = i / 2;
        house_open(&house, "openai");
        trial_init(&trial, &house, HELLO, i % 2);
        fake_reply(house.service, CHAT, refusals[k].status, refusals[k].headers, refusals[k].body);
        trial_run(&trial, refusals[k].error);
        assert_int_equal(trial.outcome.fate, JOB_NOT_MADE);
        assert_int_equal(trial.outcome.scope, refusals[k].scope);
        assert_int_equal(trial.outcome.retryable, refusals[k].retryable);
        assert_int_equal(trial.outcome.delay_ms, refusals[k].delay_ms);
        assert_non_null(trial.outcome.chat);
        assert_int_equal(trial.failure.http_status, refusals[k].status);
        assert_int_equal(fake_count(house.service, CHAT), 1);
        trial_fini(&trial);
        house_close(&house);
    }
}

static void the_clients_part_of_a_failure_is_whole(void **state) {
    (void)state;
    struct house house;
    struct trial trial;
    house_open(&house, "openai");
    trial_init(&trial, &house, HELLO, true);
    fake_reply(house.service, CHAT, 400, NULL, refusals[0].body);
    trial_run(&trial, TASK_ERROR_INVALID_PARAMETERS);
    assert_string_equal(trial.failure.message, "Too long.");
    assert_string_equal(trial.failure.code, "context_length_exceeded");
    assert_string_equal(trial.failure.type, "invalid_request_error");
    assert_string_equal(trial.failure.param, "messages");
    assert_string_equal(trial.message, "Too long.");
    assert_non_null(strstr(trial.detail, "HTTP 400"));
    trial_fini(&trial);
    house_close(&house);
}

static void keys_are_in_no_words(void **state) {
    (void)state;
    struct house house;
    struct trial trial;
    house_open(&house, "openai");
    trial_init(&trial, &house, HELLO, true);
    fake_reply(house.service, CHAT, 401, NULL,
               "{\"error\":{\"message\":\"Incorrect API key provided: " TRIAL_KEY ".\",\"code\":\"invalid_api_key\"}}");
    trial_run(&trial, TASK_ERROR_SERVICE);
    assert_null(strstr(trial.detail, TRIAL_KEY));
    assert_non_null(strstr(trial.detail, "Incorrect API key provided: ***"));
    trial_fini(&trial);
    fake_reply(house.service, CHAT, 400, NULL,
               "{\"error\":{\"message\":\"What is " TRIAL_KEY "?\",\"type\":\"invalid_request_error\"}}");
    trial_init(&trial, &house, HELLO, true);
    trial_run(&trial, TASK_ERROR_INVALID_PARAMETERS);
    assert_string_equal(trial.message, "What is ***?");
    assert_string_equal(trial.failure.message, "What is ***?");
    trial_fini(&trial);
    house_close(&house);
}

/* Of the operator's keys, balance, projects and machines: they are in the detail alone. */
static void an_operators_matters_are_not_the_clients(void **state) {
    (void)state;
    static const struct {
        int status;
        const char *reply;
        enum task_error error;
    } cases[] = {
        { 401, "{\"error\":{\"message\":\"Bad key acme\",\"code\":\"invalid_api_key\"}}", TASK_ERROR_SERVICE },
        { 403, "{\"error\":{\"message\":\"Denied on acme\",\"status\":\"PERMISSION_DENIED\"}}", TASK_ERROR_SERVICE },
        { 400, "{\"error\":{\"message\":\"acme has no money\",\"type\":\"billing_error\"}}", TASK_ERROR_QUOTA },
        { 429, "{\"error\":{\"message\":\"Limit of acme\",\"type\":\"rate_limit_error\"}}",
          TASK_ERROR_RESOURCE_EXHAUSTED },
        { 500, "{\"error\":{\"message\":\"db-7.acme refused\",\"type\":\"server_error\"}}", TASK_ERROR_SERVICE },
        { 403, "{\"error\":{\"message\":\"acme lacks it\",\"code\":\"model_not_found\"}}", TASK_ERROR_RESOURCE_NOT_FOUND },
        { 502, "<html><title>acme gateway</title></html>", TASK_ERROR_SERVICE },
        { 200, "{\"error\":{\"message\":\"acme has no money\",\"code\":\"insufficient_quota\"}}", TASK_ERROR_QUOTA },
        { 200, "{\"choices\":null,\"base_resp\":{\"status_code\":1008,\"status_msg\":\"acme has no money\"}}",
          TASK_ERROR_QUOTA },
    };
    struct house house;
    house_open(&house, "openai");
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct trial trial;
        trial_init(&trial, &house, HELLO, i % 2 == 0);
        fake_reply(house.service, CHAT, cases[i].status, NULL, cases[i].reply);
        trial_run(&trial, cases[i].error);
        assert_int_equal(trial.outcome.fate, JOB_NOT_MADE);
        assert_null(strstr(trial.message, "acme"));
        assert_null(strstr(trial.failure.message, "acme"));
        assert_non_null(strstr(trial.detail, "acme"));
        trial_fini(&trial);
    }
    house_close(&house);
}

/* Where a text is cut, nothing is left of a key that began there: the key comes after so many bytes. */
static void no_part_of_a_key_is_in_any_words(void **state) {
    (void)state;
    static const size_t starts[] = { 480,  485,  490,  495,  500,  504,  508,  511,
                                     1980, 1990, 1995, 2000, 2005, 2010, 2015, 2020 };
    struct house house;
    house_open(&house, "openai");
    for (size_t i = 0; i < ARRAY_SIZE(starts); i++) {
        struct trial trial;
        struct buffer body;
        trial_init(&trial, &house, HELLO, true);
        buffer_init(&body, 10000);
        buffer_put(&body, TEXT("{\"error\":{\"message\":\""));
        for (size_t k = 0; k < starts[i]; k++) {
            buffer_put_char(&body, k % 8 ? '.' : ' ');
        }
        buffer_put(&body, TEXT(" " TRIAL_KEY "\"}}"));
        fake_reply(house.service, CHAT, 400, NULL, body.data);
        trial_run(&trial, TASK_ERROR_INVALID_PARAMETERS);
        assert_null(strstr(trial.message, "fake"));
        assert_null(strstr(trial.failure.message, "fake"));
        assert_null(strstr(trial.detail, "fake"));
        assert_true(strlen(trial.message) > 400 && strlen(trial.detail) > 450);
        buffer_fini(&body);
        trial_fini(&trial);
    }
    house_close(&house);
}

#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 100000\r\n\r\n"

/* What may come of a request that the service has. */
static const struct {
    bool streams;
    const char *bytes;
    enum fake_end end;
    enum task_error error;
    enum job_fate fate;
} losses[] = {
    { false, "", FAKE_RESET, TASK_ERROR_SUBMISSION_UNKNOWN, JOB_UNKNOWN },
    { false, "HTTP/1.1 103 Early Hints\r\n\r\n", FAKE_CLOSE, TASK_ERROR_SUBMISSION_UNKNOWN, JOB_UNKNOWN },
    { false, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"id\":", FAKE_CLOSE, TASK_ERROR_SUBMISSION_UNKNOWN,
      JOB_UNKNOWN },
    { false, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", FAKE_KEEP, TASK_ERROR_SUBMISSION_UNKNOWN,
      JOB_UNKNOWN },
    { false, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 32\r\n\r\n"
             "{\"error\":{\"message\":\"Overload\"}}",
      FAKE_KEEP, TASK_ERROR_SERVICE, JOB_NOT_MADE },
    { true, "", FAKE_CLOSE, TASK_ERROR_SUBMISSION_UNKNOWN, JOB_UNKNOWN },
    { true, HEAD, FAKE_RESET, TASK_ERROR_SUBMISSION_UNKNOWN, JOB_UNKNOWN },
    { true, HEAD ": wait\n\n", FAKE_CLOSE, TASK_ERROR_SUBMISSION_UNKNOWN, JOB_UNKNOWN },
    { true, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", FAKE_KEEP, TASK_ERROR_SUBMISSION_UNKNOWN, JOB_UNKNOWN },
    { true, "HTTP/1.1 200 OK\r\nContent-Length: 32\r\n\r\n{\"error\":{\"message\":\"Overload\"}}", FAKE_KEEP,
      TASK_ERROR_SERVICE, JOB_NOT_MADE },
    { true, HEAD "data: {\"error\":{\"message\":\"Overload\",\"type\":\"server_error\"}}\n\n", FAKE_HOLD,
      TASK_ERROR_SERVICE, JOB_NOT_MADE },
    { true, HEAD EVENT(FIRST), FAKE_CLOSE, TASK_ERROR_SERVICE, JOB_ENDED },
    { true, HEAD EVENT(FIRST) EVENT(SECOND), FAKE_CLOSE, TASK_ERROR_SERVICE, JOB_ENDED },
    { true, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" EVENT(FIRST), FAKE_CLOSE, TASK_ERROR_SERVICE, JOB_ENDED },
    { true, HEAD EVENT(FIRST) "data: {\"error\":{\"message\":\"Overload\",\"type\":\"server_error\"}}\n\n", FAKE_HOLD,
      TASK_ERROR_SERVICE, JOB_ENDED },
    { true, HEAD EVENT(FIRST) "data: {\"id\n\n", FAKE_HOLD, TASK_ERROR_SERVICE, JOB_ENDED },
};

static void losses_are_never_sent_again(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(losses); i++) {
        struct house house;
        struct trial trial;
        house_open(&house, "openai");
        trial_init(&trial, &house, HELLO, losses[i].streams);
        fake_bytes(house.service, CHAT, losses[i].bytes, losses[i].end);
        trial_run(&trial, losses[i].error);
        if (trial.outcome.fate != losses[i].fate) {
            fail_msg("loss %zu: fate %d, not %d (%s)", i, (int)trial.outcome.fate, (int)losses[i].fate, trial.detail);
        }
        assert_int_equal(trial.outcome.retryable, losses[i].fate == JOB_NOT_MADE);
        assert_int_equal(fake_count(house.service, CHAT), 1);
        trial_fini(&trial);
        house_close(&house);
    }
}

static void where_nothing_listens_nothing_was_made(void **state) {
    (void)state;
    struct house house;
    struct trial trial;
    house_open_at(&house, "openai", "http://127.0.0.1:1/v1", true);
    trial_init(&trial, &house, HELLO, true);
    trial_run(&trial, TASK_ERROR_UNAVAILABLE);
    assert_int_equal(trial.outcome.fate, JOB_NOT_MADE);
    assert_int_equal(trial.outcome.scope, SCOPE_PROVIDER);
    assert_true(trial.outcome.retryable);
    trial_fini(&trial);
    house_close(&house);
}

/* S1 */
static void a_private_address_has_to_be_allowed(void **state) {
    (void)state;
    struct house house;
    struct trial trial;
    house_open_at(&house, "openai", NULL, false);
    trial_init(&trial, &house, HELLO, true);
    trial_run(&trial, TASK_ERROR_UNAVAILABLE);
    assert_int_equal(trial.outcome.fate, JOB_NOT_MADE);
    assert_false(trial.outcome.retryable);
    assert_int_equal(fake_count(house.service, "POST "), 0);
    trial_fini(&trial);
    house_close(&house);
}

/* A service of another kind, and one that nobody knows. */
static void no_dialect_no_start(void **state) {
    (void)state;
    struct house house;
    struct trial trial;
    struct fault fault = { 0 };
    house_open(&house, "openai");
    trial_init(&trial, &house, HELLO, true);
    trial.attempt.provider = "fal";
    assert_int_equal(chat_driver.start(house.driver, &trial.attempt, &fault), ERR_NO_COMPATIBLE_CHANNEL);
    trial.attempt.provider = "nobody";
    assert_int_equal(chat_driver.start(house.driver, &trial.attempt, &fault), ERR_NO_COMPATIBLE_CHANNEL);
    trial.attempt.provider = "double";
    assert_int_equal(chat_driver.resume(house.driver, &trial.attempt, &fault), ERR_NOT_FOUND);
    assert_int_equal(trial.done, 0);
    trial_fini(&trial);
    house_close(&house);
}

/* Ollama takes pictures alone. */
static void what_a_dialect_cannot_say_another_route_may(void **state) {
    (void)state;
    struct house house;
    struct trial trial;
    house_open(&house, "ollama");
    trial_init(&trial, &house,
               "{\"model\":\"a-model\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"video_url\","
               "\"video_url\":{\"url\":\"data:video/mp4;base64,AAAA\"}}]}]}",
               true);
    trial_run(&trial, TASK_ERROR_INVALID_PARAMETERS);
    assert_int_equal(trial.outcome.fate, JOB_NOT_MADE);
    assert_int_equal(trial.outcome.scope, SCOPE_ROUTE);
    assert_true(trial.outcome.unsent);
    assert_false(trial.outcome.retryable);
    assert_non_null(strstr(trial.failure.param, "messages[0].content[0]"));
    assert_true(trial.failure.code[0] != '\0');
    assert_int_equal(fake_count(house.service, "POST "), 0);
    trial_fini(&trial);
    house_close(&house);
}

int test_failures(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals_made_nothing),
        cmocka_unit_test(the_clients_part_of_a_failure_is_whole),
        cmocka_unit_test(keys_are_in_no_words),
        cmocka_unit_test(an_operators_matters_are_not_the_clients),
        cmocka_unit_test(no_part_of_a_key_is_in_any_words),
        cmocka_unit_test(losses_are_never_sent_again),
        cmocka_unit_test(where_nothing_listens_nothing_was_made),
        cmocka_unit_test(a_private_address_has_to_be_allowed),
        cmocka_unit_test(no_dialect_no_start),
        cmocka_unit_test(what_a_dialect_cannot_say_another_route_may),
    };
    return cmocka_run_group_tests_name("failures", tests, NULL, NULL);
}
