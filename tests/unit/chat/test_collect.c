/* Chunks become the completion that they amount to. */
#include <jansson.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/memory.h"
#include "chat/collect.h"
#include "chat/dialect/dialect.h"
#include "trial.h"

static json_t *read(const char *json) {
    json_t *value = NULL;
    struct fault fault = { 0 };
    if (json_read_any(text_of(json), 64, &value, &fault) != OK) {
        fail_msg("%s in %s", fault.message, json);
    }
    return value;
}

static struct chat_collector *collect(const char *const *chunks) {
    struct chat_collector *collector = chat_collector_new();
    for (; *chunks; chunks++) {
        json_t *chunk = read(*chunks);
        assert_true(chat_collector_add(collector, chunk));
        json_decref(chunk);
    }
    return collector;
}

/* Compares as JSON, so that no order of members is asserted. */
static void assert_completion(const struct chat_collector *collector, const struct token_usage *usage,
                              const char *expected) {
    struct buffer scoped(buffer_fini) buf;
    buffer_init(&buf, CHAT_ANSWER_MAX);
    chat_collector_put(collector, usage, &buf);
    assert_true(buffer_ok(&buf));
    json_t *value scoped(json_release) = read(buf.data);
    json_t *wanted scoped(json_release) = read(expected);
    if (!json_equal(value, wanted)) {
        fail_msg("%s\n  is not\n%s", buf.data, expected);
    }
}

#define HEAD "{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":7,\"model\":\"m\",\"choices\":["
#define DELTA(delta) HEAD "{\"index\":0,\"delta\":" delta ",\"finish_reason\":null}]}"
#define WHOLE "{\"id\":\"c1\",\"object\":\"chat.completion\",\"created\":7,\"model\":\"m\",\"choices\":["

struct row {
    const char *chunks[8];
    const char *completion;
};

static void run(const struct row *rows, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct chat_collector *collector = collect(rows[i].chunks);
        assert_completion(collector, NULL, rows[i].completion);
        chat_collector_free(collector);
    }
}

#define SAID(more)                                                                                                     \
    WHOLE "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":null,\"refusal\":null," more "},\"logprobs\":null,"   \
          "\"finish_reason\":null}]}"

static void texts_are_joined(void **state) {
    (void)state;
    static const struct row rows[] = {
        { { DELTA("{\"role\":\"assistant\",\"content\":\"\"}"), DELTA("{\"content\":\"sp\xC3\xA4t \"}"),
            DELTA("{\"content\":\"\\u0022\xF0\x9F\xA6\x8A\"}"),
            HEAD
            "{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\",\"stop_reason\":5}],\"system_fingerprint\":\"fp\","
            "\"service_tier\":null,\"usage\":null}" },
          WHOLE "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"sp\xC3\xA4t \\\"\xF0\x9F\xA6\x8A\","
                "\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"stop\",\"stop_reason\":5}],"
                "\"system_fingerprint\":\"fp\"}" },
        /* "" is how some say null */
        { { HEAD "{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":\"length\"}]}",
            HEAD "{\"index\":0,\"delta\":{},\"finish_reason\":\"\"}]}" },
          WHOLE "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"a\",\"refusal\":null},"
                "\"logprobs\":null,\"finish_reason\":\"length\"}]}" },
        /* cut off */
        { { DELTA("{\"content\":\"a\"}") },
          WHOLE "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"a\",\"refusal\":null},"
                "\"logprobs\":null,\"finish_reason\":null}]}" },
        /* reasoning is not kept; other texts are joined, and so are lists */
        { { DELTA("{\"reasoning_content\":\"hm\",\"content\":null}"), DELTA("{\"reasoning\":\"hm\",\"mood\":\"go\"}"),
            DELTA("{\"mood\":\"od\",\"annotations\":[1],\"content\":\"a\"}"),
            DELTA("{\"annotations\":[2],\"reasoning_details\":[{}]}") },
          WHOLE "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"a\",\"refusal\":null,\"mood\":\"good\","
                "\"annotations\":[1,2]},\"logprobs\":null,\"finish_reason\":null}]}" },
        { { DELTA("{\"role\":\"assistant\",\"content\":\"\"}"), DELTA("{\"refusal\":\"I \"}"),
            DELTA("{\"refusal\":\"can't\"}") },
          WHOLE "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":null,\"refusal\":\"I can't\"},"
                "\"logprobs\":null,\"finish_reason\":null}]}" },
        /* parts, some of which think */
        { { DELTA("{\"content\":[{\"type\":\"thinking\",\"thinking\":[{\"type\":\"text\",\"text\":\"hm\"}]},"
                  "{\"type\":\"text\",\"text\":\"a\"}]}"),
            DELTA("{\"content\":\"b\"}") },
          WHOLE "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"ab\",\"refusal\":null},"
                "\"logprobs\":null,\"finish_reason\":null}]}" },
        { { HEAD "]}" }, WHOLE "]}" },
        { { NULL }, "{\"id\":\"\",\"object\":\"chat.completion\",\"created\":0,\"model\":\"\",\"choices\":[]}" },
    };
    run(rows, ARRAY_SIZE(rows));
}

static void choices_and_logprobs_are_kept_apart(void **state) {
    (void)state;
    static const struct row rows[] = {
        { { HEAD "{\"index\":2,\"delta\":{\"content\":\"c\"}},{\"index\":0,\"delta\":{\"content\":\"a\"}}]}",
            HEAD "{\"index\":0,\"delta\":{\"content\":\"A\"},\"finish_reason\":\"length\"}]}",
            HEAD "{\"index\":2,\"delta\":{\"content\":\"C\"},\"finish_reason\":\"stop\"}]}" },
          WHOLE
          "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"aA\",\"refusal\":null},\"logprobs\":null,"
          "\"finish_reason\":\"length\"},{\"index\":2,\"message\":{\"role\":\"assistant\",\"content\":\"cC\","
          "\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"stop\"}]}" },
        { { HEAD "{\"index\":0,\"delta\":{\"content\":\"a\"},\"logprobs\":{\"content\":[{\"token\":\"a\"}],"
                 "\"refusal\":null}}]}",
            HEAD "{\"index\":0,\"delta\":{\"content\":\"b\"},\"logprobs\":{\"content\":[{\"token\":\"b\"},{\"token\":"
                 "\"c\"}],\"refusal\":[1]}}]}",
            HEAD "{\"index\":0,\"delta\":{},\"logprobs\":null}]}" },
          WHOLE "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"ab\",\"refusal\":null},\"logprobs\":{"
                "\"content\":[{\"token\":\"a\"},{\"token\":\"b\"},{\"token\":\"c\"}],\"refusal\":[1]},"
                "\"finish_reason\":null}]}" },
    };
    run(rows, ARRAY_SIZE(rows));
}

static void unknown_members_are_put_together(void **state) {
    (void)state;
    static const struct row rows[] = {
        { { DELTA("{\"audio\":{\"id\":\"a1\",\"transcript\":\"Hel\"}}"), DELTA("{\"audio\":{\"data\":\"AAAA\"}}"),
            DELTA("{\"audio\":{\"id\":\"a1\",\"data\":\"BBBB\",\"transcript\":\"lo\"}}"),
            DELTA("{\"audio\":{\"id\":\"\",\"expires_at\":4,\"more\":null}}"), DELTA("{\"audio\":{\"expires_at\":5}}") },
          SAID("\"audio\":{\"id\":\"a1\",\"transcript\":\"Hello\",\"data\":\"AAAABBBB\",\"expires_at\":5}") },
        { { DELTA("{\"images\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:1\"}}]}"),
            DELTA("{\"images\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:2\"}}]}") },
          SAID("\"images\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:1\"}},{\"type\":\"image_url\","
               "\"image_url\":{\"url\":\"data:2\"}}]") },
        { { DELTA("{\"a\":{\"b\":{\"c\":[1],\"d\":\"x\"}}}"), DELTA("{\"a\":{\"b\":{\"c\":[{}],\"d\":\"y\"}}}") },
          SAID("\"a\":{\"b\":{\"c\":[1,{}],\"d\":\"xy\"}}") },
        /* of two forms the last */
        { { DELTA("{\"a\":\"b\",\"name\":\"n\"}"), DELTA("{\"a\":{\"k\":1},\"name\":\"n\"}"), DELTA("{\"a\":{\"l\":2}}") },
          SAID("\"a\":{\"k\":1,\"l\":2},\"name\":\"n\"") },
        { { DELTA("{\"a\":{\"k\":1}}"), DELTA("{\"a\":true}"), DELTA("{\"a\":false}") }, SAID("\"a\":false") },
    };
    run(rows, ARRAY_SIZE(rows));
}

#define CALLED(calls)                                                                                                  \
    WHOLE "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":null,\"refusal\":null,\"tool_calls\":[" calls  \
          "]},\"logprobs\":null,\"finish_reason\":null}]}"

static void tool_calls_are_joined_by_their_index(void **state) {
    (void)state;
    static const struct row rows[] = {
        { { DELTA("{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"index\":0,\"id\":\"t1\",\"type\":"
                  "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]}"),
            DELTA("{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"a\\\"\"}}]}"),
            DELTA("{\"tool_calls\":[{\"index\":1,\"id\":\"t2\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}]}"),
            DELTA("{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\":1}\"}}]}") },
          CALLED("{\"id\":\"t1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}},"
                 "{\"id\":\"t2\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}") },
        /* name and id with every piece, empty id, what a service adds */
        { { DELTA("{\"tool_calls\":[{\"index\":0,\"id\":\"t1\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"},"
                  "\"extra_content\":{\"s\":1}}]}"),
            DELTA("{\"tool_calls\":[{\"index\":0,\"id\":\"\",\"function\":{\"name\":\"f\",\"arguments\":\"}\"}}]}") },
          CALLED("{\"id\":\"t1\",\"type\":\"function\",\"extra_content\":{\"s\":1},\"function\":{\"name\":\"f\","
                 "\"arguments\":\"{}\"}}") },
        /* no index: by the id */
        { { DELTA("{\"tool_calls\":[{\"id\":\"t1\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}},"
                  "{\"function\":{\"arguments\":\"}\"}},{\"id\":\"t2\",\"function\":{\"name\":\"g\","
                  "\"arguments\":{\"a\":1}}}]}") },
          CALLED(
              "{\"id\":\"t1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}},"
              "{\"id\":\"t2\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"{\\\"a\\\":1}\"}}") },
        { { DELTA("{\"tool_calls\":[{\"index\":0,\"id\":\"t1\",\"type\":\"custom\",\"custom\":{\"name\":\"f\","
                  "\"input\":\"\"}}]}"),
            DELTA("{\"tool_calls\":[{\"index\":0,\"custom\":{\"input\":\"ab\"}}]}"),
            DELTA("{\"tool_calls\":[{\"index\":0,\"custom\":{\"input\":\"cd\"}},{\"index\":1,\"custom\":{\"name\":\"g\"}},"
                  "{\"index\":2,\"type\":\"other\"}]}") },
          CALLED("{\"id\":\"t1\",\"type\":\"custom\",\"custom\":{\"name\":\"f\",\"input\":\"abcd\"}},"
                 "{\"type\":\"custom\",\"custom\":{\"name\":\"g\",\"input\":\"\"}},{\"type\":\"other\"}") },
        /* as it was before tools */
        { { DELTA("{\"function_call\":{\"name\":\"f\",\"arguments\":\"{\"}}"),
            DELTA("{\"function_call\":{\"arguments\":\"}\"}}") },
          WHOLE "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":null,\"refusal\":null,\"function_call\":{"
                "\"name\":\"f\",\"arguments\":\"{}\"}},\"logprobs\":null,\"finish_reason\":null}]}" },
    };
    run(rows, ARRAY_SIZE(rows));
}

static void all_that_was_written_is_counted(void **state) {
    (void)state;
    static const char *const chunks[] = { DELTA("{\"reasoning_content\":\"12345678\"}"),
                                          DELTA("{\"reasoning\":\"1234\",\"reasoning_content\":\"1234\"}"),
                                          DELTA("{\"content\":\"12\"}"),
                                          DELTA("{\"content\":\"34\"}"),
                                          DELTA("{\"tool_calls\":[{\"index\":0,\"id\":\"never counted\",\"function\":"
                                                "{\"name\":\"1234\",\"arguments\":\"1234\"}}]}"),
                                          NULL };
    struct chat_collector *collector = collect(chunks);
    assert_int_equal(chat_collector_tokens(collector), 6);
    chat_collector_free(collector);
    collector = chat_collector_new();
    assert_int_equal(chat_collector_tokens(collector), 0);
    chat_collector_free(collector);
    chat_collector_free(NULL);
}

static void what_is_no_text_is_counted(void **state) {
    (void)state;
    static const struct {
        const char *delta;
        int64_t tokens;
    } rows[] = {
        { DELTA("{\"tool_calls\":[{\"index\":0,\"id\":\"t1\",\"custom\":{\"name\":\"1234\",\"input\":\"12345678\"}}]}"), 3 },
        { DELTA("{\"audio\":{\"id\":\"not counted\",\"transcript\":\"12345678\",\"expires_at\":5}}"), 2 },
        { DELTA("{\"images\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:1\"}}]}"), 1300 },
        { DELTA("{\"annotations\":[{\"url_citation\":{\"url\":\"https://a.example\",\"title\":\"A page\"}}]}"), 0 },
        { DELTA("{\"extra\":[\"1234\",{\"deep\":\"1234\",\"type\":\"x\"}]}"), 2 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const char *const chunks[] = { rows[i].delta, NULL };
        struct chat_collector *collector = collect(chunks);
        assert_int_equal(chat_collector_tokens(collector), rows[i].tokens);
        chat_collector_free(collector);
    }
}

/* However small its pieces are; a second is about 64,000 letters. */
static void sound_is_counted_by_its_length(void **state) {
    (void)state;
    static const size_t pieces[] = { 1, 50, 1000 };
    char *sound = mem_new(32001);
    for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
        memset(sound, 'A', 32000);
        sound[32000 / pieces[i]] = '\0';
        json_t *chunk = json_pack("{s:[{s:{s:{s:s}}}]}", "choices", "delta", "audio", "data", sound);
        struct chat_collector *collector = chat_collector_new();
        for (size_t at = 0; at < pieces[i]; at++) {
            assert_true(chat_collector_add(collector, chunk));
        }
        assert_int_equal(chat_collector_tokens(collector), 10);
        chat_collector_free(collector);
        json_decref(chunk);
    }
    free(sound);
}

static void usage_is_put_in(void **state) {
    (void)state;
    static const char *const chunks[] = { HEAD "],\"usage\":{\"prompt_tokens\":77}}", NULL };
    const struct token_usage usage = { .input = 3, .output = 4, .estimated = true };
    struct chat_collector *collector = collect(chunks);
    assert_completion(collector, &usage,
                      WHOLE "],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4,\"total_tokens\":7,\"estimated\":"
                            "true}}");
    chat_collector_free(collector);
}

/* S3: refused whole, and what was there is still there. */
static void answers_have_a_bound(void **state) {
    (void)state;
    static const char *const begin[] = { DELTA("{\"content\":\"a\"}"), NULL };
    static const char *const too_many[] = {
        HEAD "{\"index\":128,\"delta\":{\"content\":\"b\"}}]}",
        HEAD "{\"index\":-1,\"delta\":{\"content\":\"b\"}}]}",
        HEAD "{\"index\":0,\"delta\":{\"content\":\"b\"}},{\"index\":1000000,\"delta\":{\"content\":\"b\"}}]}",
        DELTA("{\"content\":\"b\",\"tool_calls\":[{\"index\":512}]}"),
        DELTA("{\"content\":\"b\",\"tool_calls\":[{\"index\":-1}]}"),
    };
    struct chat_collector *collector = collect(begin);
    for (size_t i = 0; i < ARRAY_SIZE(too_many); i++) {
        json_t *chunk = read(too_many[i]);
        assert_false(chat_collector_add(collector, chunk));
        json_decref(chunk);
    }
    char *letters = mem_new(CHAT_ANSWER_MAX / 4 + 1);
    memset(letters, 'x', CHAT_ANSWER_MAX / 4);
    json_t *chunk = json_pack("{s:[{s:i,s:{s:s}}]}", "choices", "index", 0, "delta", "reasoning", letters);
    for (int i = 0; i < 8; i++) { /* reasoning takes no room */
        assert_true(chat_collector_add(collector, chunk));
    }
    json_decref(chunk);
    chunk = json_pack("{s:[{s:i,s:{s:s}}]}", "choices", "index", 1, "delta", "refusal", letters);
    int taken = 0;
    while (taken < 8 && chat_collector_add(collector, chunk)) {
        taken++;
    }
    assert_int_equal(taken, 3);
    json_decref(chunk);
    free(letters);
    chunk = read(HEAD "]}");
    assert_true(chat_collector_add(collector, chunk));
    json_decref(chunk);
    struct buffer scoped(buffer_fini) buf;
    buffer_init(&buf, 2 * CHAT_ANSWER_MAX);
    chat_collector_put(collector, NULL, &buf);
    static const char start[] = WHOLE "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"a\"";
    assert_true(text_starts(buffer_text(&buf), text_of(start)));
    assert_in_range(buf.len, CHAT_ANSWER_MAX / 4 * 3, CHAT_ANSWER_MAX / 4 * 3 + 1000);
    chat_collector_free(collector);
}

int test_collect(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_joined),
        cmocka_unit_test(choices_and_logprobs_are_kept_apart),
        cmocka_unit_test(unknown_members_are_put_together),
        cmocka_unit_test(tool_calls_are_joined_by_their_index),
        cmocka_unit_test(all_that_was_written_is_counted),
        cmocka_unit_test(what_is_no_text_is_counted),
        cmocka_unit_test(sound_is_counted_by_its_length),
        cmocka_unit_test(usage_is_put_in),
        cmocka_unit_test(answers_have_a_bound),
    };
    return cmocka_run_group_tests_name("collected completions", tests, NULL, NULL);
}
