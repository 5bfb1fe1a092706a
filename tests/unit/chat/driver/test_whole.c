/* Whole answers: what is asked, and that the service's bytes are handed on as they came. */
#include <jansson.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "trial.h"

#define REPLY                                                                                                          \
    "{\"id\":\"chatcmpl-1\",  \"object\":\"chat.completion\",\"created\":7,\"model\":\"maker/model-2026\",\"x\":1.50," \
    "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Hello, desert.\"},"                   \
    "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":4,\"total_tokens\":15}}"
#define REPLY_WITHOUT_USAGE                                                                                            \
    "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":7,\"model\":\"m\","                             \
    "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Hello, wide and silent desert.\"},"   \
    "\"finish_reason\":\"stop\"}]}"

static void bytes_are_handed_on_untouched(void **state) {
    (void)state;
    struct house house;
    struct trial trial;
    house_open(&house, "openai");
    trial_init(&trial, &house, HELLO, false);
    fake_reply(house.service, CHAT, 200, NULL, REPLY);
    trial_run(&trial, TASK_ERROR_NONE);
    assert_string_equal(trial.completion.data, REPLY);
    assert_int_equal(trial.outcome.tokens.input, 11);
    assert_int_equal(trial.outcome.tokens.output, 4);
    assert_false(trial.outcome.tokens.estimated);
    assert_false(trial.outcome.despite_cancel);
    assert_int_equal(chat_stream_count(trial.attempt.stream), 0);
    assert_int_equal(chat_stream_state(trial.attempt.stream), CHAT_OPEN); /* its end is the engine's to write */
    char *request = fake_request(house.service, CHAT, 0);
    assert_non_null(strstr(request, "Authorization: Bearer " TRIAL_KEY "\r\n"));
    assert_non_null(strstr(request, "Content-Type: application/json\r\n"));
    assert_non_null(strstr(request, "Accept: application/json\r\n"));
    assert_non_null(strstr(request, "\"model\":\"maker/model\""));
    assert_non_null(strstr(request, "Say hello to the desert."));
    assert_null(strstr(request, "\"stream\":true"));
    free(request);
    trial_fini(&trial);
    house_close(&house);
}

static void what_was_counted_here_is_said_to_be(void **state) {
    (void)state;
    struct house house;
    struct trial trial;
    house_open(&house, "openai");
    trial_init(&trial, &house, HELLO, false);
    fake_reply(house.service, CHAT, 200, NULL, REPLY_WITHOUT_USAGE);
    trial_run(&trial, TASK_ERROR_NONE);
    json_t *completion = trial_completion(&trial), *usage = json_object_get(completion, "usage");
    assert_true(json_is_true(json_object_get(usage, "estimated")));
    assert_true(trial.outcome.tokens.estimated);
    assert_true(trial.outcome.tokens.input > 5 && trial.outcome.tokens.input < 100);
    assert_true(trial.outcome.tokens.output > 3 && trial.outcome.tokens.output < 20);
    assert_int_equal(json_integer_value(json_object_get(usage, "completion_tokens")), trial.outcome.tokens.output);
    assert_int_equal(json_integer_value(json_object_get(usage, "prompt_tokens")), trial.outcome.tokens.input);
    json_decref(completion);
    trial_fini(&trial);
    house_close(&house);
}

/* What was called is counted like what was said. */
static void a_custom_call_is_counted(void **state) {
    (void)state;
    struct house house;
    struct trial trial;
    house_open(&house, "openai");
    trial_init(&trial, &house, HELLO, false);
    fake_reply(house.service, CHAT, 200, NULL,
               "{\"id\":\"c\",\"object\":\"chat.completion\",\"created\":7,\"model\":\"m\",\"choices\":[{\"index\":0,"
               "\"message\":{\"role\":\"assistant\",\"content\":null,\"reasoning\":\"1234\",\"reasoning_content\":\"1234\","
               "\"tool_calls\":[{\"id\":\"t\",\"type\":\"custom\",\"custom\":{\"name\":\"1234\",\"input\":\"12345678\"}}]},"
               "\"finish_reason\":\"tool_calls\"}]}");
    trial_run(&trial, TASK_ERROR_NONE);
    assert_true(trial.outcome.tokens.estimated);
    assert_int_equal(trial.outcome.tokens.output, 4);
    trial_fini(&trial);
    house_close(&house);
}

/* A provider that needs no key gets none. */
static void a_local_service_is_asked_without_a_key(void **state) {
    (void)state;
    struct house house;
    struct trial trial;
    house_open(&house, "openai");
    trial_init(&trial, &house, HELLO, false);
    trial.attempt.key = NULL;
    fake_reply(house.service, CHAT, 200, NULL, REPLY);
    trial_run(&trial, TASK_ERROR_NONE);
    char *request = fake_request(house.service, CHAT, 0);
    assert_null(strstr(request, "Authorization"));
    free(request);
    trial_fini(&trial);
    house_close(&house);
}

static void other_dialects_are_understood(void **state) {
    (void)state;
    struct house house;
    struct trial trial;
    house_open(&house, "ollama");
    trial_init(&trial, &house, HELLO, false);
    fake_reply(house.service, "POST ", 200, NULL,
               "{\"model\":\"m\",\"created_at\":\"2026-01-01T00:00:00Z\",\"message\":{\"role\":\"assistant\","
               "\"content\":\"Hello.\"},\"done\":true,\"done_reason\":\"stop\",\"prompt_eval_count\":9,"
               "\"eval_count\":2}");
    trial_run(&trial, TASK_ERROR_NONE);
    json_t *completion = trial_completion(&trial);
    const json_t *choice = json_array_get(json_object_get(completion, "choices"), 0);
    assert_string_equal(json_string_value(json_object_get(json_object_get(choice, "message"), "content")), "Hello.");
    assert_int_equal(trial.outcome.tokens.input, 9);
    assert_int_equal(trial.outcome.tokens.output, 2);
    json_decref(completion);
    trial_fini(&trial);
    house_close(&house);
}

int test_whole(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_handed_on_untouched),
        cmocka_unit_test(what_was_counted_here_is_said_to_be),
        cmocka_unit_test(a_custom_call_is_counted),
        cmocka_unit_test(a_local_service_is_asked_without_a_key),
        cmocka_unit_test(other_dialects_are_understood),
    };
    return cmocka_run_group_tests_name("whole", tests, NULL, NULL);
}
