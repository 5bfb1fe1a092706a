/* Streamed answers: chunks as they come, and the whole that they amount to. */
#include <jansson.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "events.h"
#include "trial.h"

static void chunks_come_as_they_are_sent(void **state) {
    (void)state;
    struct house house;
    struct trial trial;
    house_open(&house, "openai");
    trial_init(&trial, &house, HELLO, true);
    house_stream(&house, CHAT, EVENT(FIRST) EVENT(SECOND) EVENT(LAST) EVENT(USAGE) "data: [DONE]\n\n", FAKE_CLOSE);
    trial_run(&trial, TASK_ERROR_NONE);
    char *chunks = trial_chunks(&trial);
    assert_string_equal(chunks, FIRST "\n" SECOND "\n" LAST "\n");
    free(chunks);
    json_t *completion = trial_completion(&trial);
    const json_t *choice = json_array_get(json_object_get(completion, "choices"), 0);
    assert_string_equal(json_string_value(json_object_get(json_object_get(choice, "message"), "content")),
                        "Hello, desert.");
    assert_string_equal(json_string_value(json_object_get(choice, "finish_reason")), "stop");
    const json_t *usage = json_object_get(completion, "usage");
    assert_int_equal(json_integer_value(json_object_get(usage, "completion_tokens")), 4);
    assert_null(json_object_get(usage, "estimated"));
    assert_int_equal(trial.outcome.tokens.input, 11);
    assert_false(trial.outcome.tokens.estimated);
    json_decref(completion);
    char *request = fake_request(house.service, CHAT, 0);
    assert_non_null(strstr(request, "Accept: text/event-stream"));
    assert_non_null(strstr(request, "\"stream\":true"));
    assert_non_null(strstr(request, "\"include_usage\":true"));
    free(request);
    trial_fini(&trial);
    house_close(&house);
}

/* A chunk is there for readers while the rest is still to come. */
static void a_chunk_is_there_before_the_next(void **state) {
    (void)state;
    struct house house;
    struct trial trial;
    house_open(&house, "openai");
    trial_init(&trial, &house, HELLO, true);
    house_stream(&house, CHAT, EVENT(FIRST) EVENT(SECOND), FAKE_HOLD);
    trial_start(&trial);
    trial_await_chunks(&trial, 2);
    fake_release(house.service);
    trial_await_done(&trial);
    assert_int_equal(trial.outcome.error, TASK_ERROR_SERVICE);
    trial_fini(&trial);
    house_close(&house);
}

static void without_usage_it_is_counted(void **state) {
    (void)state;
    struct house house;
    struct trial trial;
    house_open(&house, "openai");
    trial_init(&trial, &house, HELLO, true);
    house_stream(&house, CHAT, EVENT(FIRST) EVENT(SECOND) EVENT(LAST) "data: [DONE]\n\n", FAKE_CLOSE);
    trial_run(&trial, TASK_ERROR_NONE);
    assert_true(trial.outcome.tokens.estimated);
    assert_true(trial.outcome.tokens.input > 5 && trial.outcome.tokens.input < 100);
    assert_true(trial.outcome.tokens.output >= 2 && trial.outcome.tokens.output < 20);
    assert_int_equal(chat_stream_count(trial.attempt.stream), 3);
    json_t *completion = trial_completion(&trial);
    assert_true(json_is_true(json_object_get(json_object_get(completion, "usage"), "estimated")));
    json_decref(completion);
    trial_fini(&trial);
    house_close(&house);
}

static void a_service_that_does_not_stream_is_borne(void **state) {
    (void)state;
    struct house house;
    struct trial trial;
    house_open(&house, "openai");
    trial_init(&trial, &house, HELLO, true);
    fake_reply(house.service, CHAT, 200, NULL,
               "{\"id\":\"c\",\"object\":\"chat.completion\",\"created\":7,\"model\":\"m\",\"choices\":[{\"index\":0,"
               "\"message\":{\"role\":\"assistant\",\"content\":\"All at once.\"},\"finish_reason\":\"stop\"}],"
               "\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":3,\"total_tokens\":6}}");
    trial_run(&trial, TASK_ERROR_NONE);
    assert_int_equal(chat_stream_count(trial.attempt.stream), 1);
    json_t *completion = trial_completion(&trial);
    const json_t *choice = json_array_get(json_object_get(completion, "choices"), 0);
    assert_string_equal(json_string_value(json_object_get(json_object_get(choice, "message"), "content")),
                        "All at once.");
    assert_int_equal(trial.outcome.tokens.output, 3);
    json_decref(completion);
    trial_fini(&trial);
    house_close(&house);
}

#define WHOLE_IN                                                                                                       \
    "{\n \"id\":\"c1\",\"object\":\"chat.completion\",\"created\":7,\"model\":\"m\",\"choices\":[{\"index\":0,"        \
    "\"message\":{\"role\":\"assistant\",\"content\":\"sp\xC3\xA4t\",\"tool_calls\":[{\"id\":\"t\",\"type\":"          \
    "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},\"finish_reason\":\"tool_calls\"}],"           \
    "\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5},\"system_fingerprint\":\"fp\"}\n"
#define WHOLE_OUT                                                                                                      \
    "{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":7,\"model\":\"m\",\"choices\":[{\"index\":0,"     \
    "\"finish_reason\":\"tool_calls\",\"delta\":{\"role\":\"assistant\",\"content\":\"sp\xC3\xA4t\",\"tool_calls\":[{" \
    "\"id\":\"t\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"},\"index\":0}]}}],"          \
    "\"system_fingerprint\":\"fp\"}"

static void a_whole_answer_is_one_chunk(void **state) {
    (void)state;
    struct house house;
    struct trial trial;
    house_open(&house, "openai");
    trial_init(&trial, &house, HELLO, true);
    fake_reply(house.service, CHAT, 200, NULL, WHOLE_IN);
    trial_run(&trial, TASK_ERROR_NONE);
    char *chunks = trial_chunks(&trial);
    assert_string_equal(chunks, WHOLE_OUT "\n");
    assert_int_equal(trial.outcome.tokens.input, 3);
    assert_false(trial.outcome.tokens.estimated);
    free(chunks);
    trial_fini(&trial);
    house_close(&house);
}

static void what_comes_instead_of_a_stream_is_told(void **state) {
    (void)state;
    static const struct {
        const char *dialect, *reply;
        enum task_error error;
        const char *told;
    } rows[] = {
        { "openai", "\n{\"error\":{\"message\":\"no such model\",\"code\":\"model_not_found\"}}",
          TASK_ERROR_RESOURCE_NOT_FOUND, "no such model" },
        { "openai", "{\"error\":\"model is busy\"}", TASK_ERROR_SERVICE, "model is busy" },
        { "openai", "[{\"error\":{\"code\":429,\"message\":\"slow down\",\"status\":\"RESOURCE_EXHAUSTED\"}}]",
          TASK_ERROR_RESOURCE_EXHAUSTED, "slow down" },
        { "openai", "{\"detail\":\"Not authenticated\"}", TASK_ERROR_SUBMISSION_UNKNOWN, "Not authenticated" },
        { "openai", "{\"choices\":[]}", TASK_ERROR_SUBMISSION_UNKNOWN, "The service's answer has nothing in it." },
        { "openai", "{\"choices\":[{\"ind", TASK_ERROR_SUBMISSION_UNKNOWN, "The service's answer cannot be read." },
        { "openai", "<html><head><title>502 Bad Gateway</title></head><body>x</body></html>",
          TASK_ERROR_SUBMISSION_UNKNOWN, "502 Bad Gateway" },
        { "anthropic", "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Later\"}}",
          TASK_ERROR_RESOURCE_EXHAUSTED, "Later" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct house house;
        struct trial trial;
        house_open(&house, rows[i].dialect);
        trial_init(&trial, &house, HELLO, true);
        fake_reply(house.service, rows[i].dialect[0] == 'a' ? "POST /v1/v1/messages " : CHAT, 200, NULL, rows[i].reply);
        trial_run(&trial, rows[i].error);
        assert_non_null(strstr(trial.detail, rows[i].told));
        assert_int_equal(chat_stream_count(trial.attempt.stream), 0);
        trial_fini(&trial);
        house_close(&house);
    }
}

static void a_full_log_ends_the_call(void **state) {
    (void)state;
    struct house house;
    struct trial trial;
    house_open(&house, "openai");
    trial_init(&trial, &house, HELLO, true);
    chat_stream_unref(trial.attempt.stream);
    trial.attempt.stream = chat_stream_new(&(struct chat_stream_options){ .bytes_max = 500 });
    house_stream(&house, CHAT, EVENT(FIRST) EVENT(SECOND) EVENT(SECOND) EVENT(SECOND) EVENT(LAST), FAKE_HOLD);
    trial_run(&trial, TASK_ERROR_SERVICE);
    assert_non_null(strstr(trial.message, "longer than it may be"));
    assert_false(trial.outcome.retryable);
    assert_int_equal(trial.outcome.fate, JOB_ENDED);
    trial_fini(&trial);
    house_close(&house);
}

/* Who cannot keep up has had what was written: it is the answer, and paid. */
static void a_reader_that_is_too_slow_has_a_part_of_it(void **state) {
    (void)state;
    struct house house;
    struct trial trial;
    house_open(&house, "openai");
    trial_init(&trial, &house, HELLO, true);
    chat_stream_unref(trial.attempt.stream);
    trial.attempt.stream = chat_stream_new(&(struct chat_stream_options){ .bytes_max = 500 });
    trial.attempt.must_keep_up = true;
    house_stream(&house, CHAT, EVENT(FIRST) EVENT(SECOND) EVENT(SECOND) EVENT(SECOND) EVENT(LAST), FAKE_HOLD);
    trial_run(&trial, TASK_ERROR_NONE);
    assert_true(trial.outcome.despite_cancel);
    assert_true(trial.outcome.tokens.estimated && trial.outcome.tokens.output > 0);
    json_t *completion = trial_completion(&trial);
    const json_t *choice = json_array_get(json_object_get(completion, "choices"), 0);
    assert_true(json_is_null(json_object_get(choice, "finish_reason")));
    json_decref(completion);
    trial_fini(&trial);
    house_close(&house);
}

/* After the last word it does not matter how the connection ends. */
static void what_follows_the_end_does_no_harm(void **state) {
    (void)state;
    struct house house;
    struct trial trial;
    house_open(&house, "openai");
    trial_init(&trial, &house, HELLO, true);
    fake_bytes(house.service, CHAT,
               "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 100000\r\n\r\n" EVENT(FIRST)
                   EVENT(SECOND) EVENT(LAST) "data: [DONE]\n\n",
               FAKE_CLOSE);
    trial_run(&trial, TASK_ERROR_NONE);
    assert_int_equal(chat_stream_count(trial.attempt.stream), 3);
    trial_fini(&trial);
    house_close(&house);
}

#define CUT_REPLY "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 100000\r\n\r\n"
#define SECOND_CHOICE CHUNK("{\"index\":1,\"delta\":{\"content\":\"Hi.\"},\"finish_reason\":\"stop\"}")

/* A connection that broke before a choice began leaves no trace of it. */
static void an_answer_that_broke_lacks_no_choice(void **state) {
    (void)state;
    static const struct {
        const char *dialect, *place, *bytes;
        enum task_error error;
    } rows[] = {
        { "openai", CHAT, CUT_REPLY EVENT(FIRST) EVENT(LAST), TASK_ERROR_SERVICE },
        { "openai", CHAT, CUT_REPLY EVENT(FIRST) EVENT(LAST) EVENT(SECOND_CHOICE), TASK_ERROR_NONE },
        { "openai", CHAT, CUT_REPLY EVENT(FIRST) EVENT(LAST) "data: [DONE]\n\n", TASK_ERROR_NONE },
        { "gemini", "POST ",
          CUT_REPLY "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]},\"finishReason\":\"STOP\","
                    "\"index\":0}]}\n\n", TASK_ERROR_SERVICE },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct house house;
        struct trial trial;
        house_open(&house, rows[i].dialect);
        trial_init(&trial, &house, "{\"model\":\"a-model\",\"n\":2,\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}",
                   true);
        fake_bytes(house.service, rows[i].place, rows[i].bytes, FAKE_CLOSE);
        trial_run(&trial, rows[i].error);
        trial_fini(&trial);
        house_close(&house);
    }
}

#define NAMED(name, json) "event: " name "\ndata: {\"type\":\"" name "\"" json "}\n\n"

/* The service keeps the connection; what it says then is not read. */
static void the_last_word_ends_the_answer(void **state) {
    (void)state;
    static const struct {
        const char *dialect, *events;
    } rows[] = {
        { "openai", EVENT(FIRST) EVENT(SECOND) EVENT(LAST) "data: [DONE]\n\n: ping\n\ndata: oops\n\n" },
        { "anthropic",
          NAMED("message_start", ",\"message\":{\"id\":\"m\",\"model\":\"m\"}")
              NAMED("content_block_delta", ",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hello, desert.\"}")
                  NAMED("message_delta", ",\"delta\":{\"stop_reason\":\"end_turn\"}") NAMED("message_stop", "") "event: " },
        { "ollama", "{\"message\":{\"content\":\"Hello, desert.\"}}\n{\"done\":true,\"done_reason\":\"stop\"}\n{" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct house house;
        struct trial trial;
        house_open(&house, rows[i].dialect);
        trial_init(&trial, &house, HELLO, true);
        house_stream(&house, "POST ", rows[i].events, FAKE_HOLD);
        trial_run(&trial, TASK_ERROR_NONE);
        json_t *completion = trial_completion(&trial);
        const json_t *choice = json_array_get(json_object_get(completion, "choices"), 0);
        assert_string_equal(json_string_value(json_object_get(json_object_get(choice, "message"), "content")),
                            "Hello, desert.");
        assert_string_equal(json_string_value(json_object_get(choice, "finish_reason")), "stop");
        json_decref(completion);
        fake_release(house.service);
        trial_fini(&trial);
        house_close(&house);
    }
}

/* Nothing was said before it. */
static void a_last_word_alone_is_no_answer(void **state) {
    (void)state;
    struct house house;
    struct trial trial;
    house_open(&house, "openai");
    trial_init(&trial, &house, HELLO, true);
    house_stream(&house, CHAT, "data: [DONE]\n\n", FAKE_HOLD);
    trial_run(&trial, TASK_ERROR_SUBMISSION_UNKNOWN);
    trial_fini(&trial);
    house_close(&house);
}

struct crowd {
    struct trial trials[60];
};

static bool all_done(void *context) {
    struct crowd *crowd = context;
    unsigned done = 0;
    for (size_t i = 0; i < ARRAY_SIZE(crowd->trials); i++) {
        done += crowd->trials[i].done;
    }
    return done == ARRAY_SIZE(crowd->trials);
}

static void many_stream_at_a_time(void **state) {
    (void)state;
    struct house house;
    struct crowd *crowd = mem_new(sizeof(*crowd));
    house_open(&house, "openai");
    house_stream(&house, CHAT, EVENT(FIRST) EVENT(SECOND) EVENT(LAST) EVENT(USAGE), FAKE_HOLD);
    for (size_t i = 0; i < ARRAY_SIZE(crowd->trials); i++) {
        trial_init(&crowd->trials[i], &house, HELLO, true);
        trial_start(&crowd->trials[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(crowd->trials); i++) {
        trial_await_chunks(&crowd->trials[i], 3); /* all at once: none has ended */
    }
    fake_release(house.service);
    house_await(&house, all_done, crowd);
    for (size_t i = 0; i < ARRAY_SIZE(crowd->trials); i++) {
        assert_int_equal(crowd->trials[i].outcome.error, TASK_ERROR_NONE);
        assert_int_equal(crowd->trials[i].outcome.tokens.output, 4);
        trial_fini(&crowd->trials[i]);
    }
    free(crowd);
    house_close(&house);
}

int test_streamed(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_come_as_they_are_sent),
        cmocka_unit_test(a_chunk_is_there_before_the_next),
        cmocka_unit_test(without_usage_it_is_counted),
        cmocka_unit_test(a_service_that_does_not_stream_is_borne),
        cmocka_unit_test(a_whole_answer_is_one_chunk),
        cmocka_unit_test(what_comes_instead_of_a_stream_is_told),
        cmocka_unit_test(a_full_log_ends_the_call),
        cmocka_unit_test(a_reader_that_is_too_slow_has_a_part_of_it),
        cmocka_unit_test(what_follows_the_end_does_no_harm),
        cmocka_unit_test(an_answer_that_broke_lacks_no_choice),
        cmocka_unit_test(the_last_word_ends_the_answer),
        cmocka_unit_test(a_last_word_alone_is_no_answer),
        cmocka_unit_test(many_stream_at_a_time),
    };
    return cmocka_run_group_tests_name("streamed", tests, NULL, NULL);
}
