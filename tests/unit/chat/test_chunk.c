/* Chunks that are made, and usage objects both ways. */
#include <jansson.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/memory.h"
#include "chat/dialect/chunk.h"
#include "trial.h"

static void on_chunk(void *context, struct text json, const json_t *value) {
    struct buffer *seen = context;
    json_t *same = NULL;
    assert_in_range(json.len, 1, CHAT_CHUNK_MAX);
    assert_int_equal(json_read_any(json, 64, &same, NULL), OK);
    assert_true(json_equal(same, value));
    json_decref(same);
    buffer_put(seen, json);
    buffer_put_char(seen, '\n');
}

#define HEAD "{\"id\":\"i\",\"object\":\"chat.completion.chunk\",\"created\":7,\"model\":\"m\",\"choices\":[{\"index\":"
#define END ",\"finish_reason\":null}]}\n"

static void chunks_are_made_of_pieces(void **state) {
    (void)state;
    const struct chat_call call = { .id = "i", .model = "m", .created_s = 7 };
    struct buffer scoped(buffer_fini) seen;
    struct chunk_maker maker;
    buffer_init(&seen, CHAT_ANSWER_MAX);
    const struct chat_sink sink = { .chunk = on_chunk, .context = &seen };
    chunk_maker_init(&maker, &call, &sink);
    chunk_content(&maker, 0, TEXT_NONE);
    chunk_reasoning(&maker, 0, TEXT("h\"m"));
    chunk_content(&maker, 1, TEXT("a\nb"));
    chunk_refusal(&maker, 0, TEXT("no"));
    chunk_tool_begin(&maker, 0, 2, TEXT("t"), TEXT("f"), TEXT("{"));
    chunk_tool_begin(&maker, 0, 3, TEXT("u"), TEXT("g"), TEXT(""));
    chunk_tool_arguments(&maker, 0, 2, TEXT_NONE);
    chunk_tool_arguments(&maker, 0, 2, TEXT("}"));
    chunk_finish(&maker, 0, TEXT("stop"));
    assert_string_equal(
        buffer_text(&seen).ptr, HEAD
        "0,\"delta\":{\"role\":\"assistant\",\"reasoning_content\":\"h\\\"m\"}" END HEAD
        "1,\"delta\":{\"content\":\"a\\nb\"}" END HEAD "0,\"delta\":{\"refusal\":\"no\"}" END HEAD
        "0,\"delta\":{\"tool_calls\":[{\"index\":2,\"id\":\"t\",\"type\":\"function\",\"function\":{\"name\":\"f\","
        "\"arguments\":\"{\"}}]}" END HEAD
        "0,\"delta\":{\"tool_calls\":[{\"index\":3,\"id\":\"u\",\"type\":\"function\",\"function\":{\"name\":\"g\","
        "\"arguments\":\"\"}}]}" END HEAD
        "0,\"delta\":{\"tool_calls\":[{\"index\":2,\"function\":{\"arguments\":\"}\"}}]}" END HEAD
        "0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n");
}

static void names_are_taken_where_there_are_any(void **state) {
    (void)state;
    const struct chat_call call = { .id = "mine", .model = "m" };
    struct buffer scoped(buffer_fini) seen;
    struct chunk_maker maker;
    char *long_name = mem_new(1001);
    memset(long_name, 'n', 1000);
    buffer_init(&seen, CHAT_ANSWER_MAX);
    const struct chat_sink sink = { .chunk = on_chunk, .context = &seen };
    chunk_maker_init(&maker, &call, &sink);
    chunk_maker_name(&maker, TEXT_NONE, text_of(long_name));
    assert_string_equal(maker.id, "mine");
    assert_int_equal(strlen(maker.model), sizeof(maker.model) - 1);
    chunk_maker_name(&maker, TEXT("theirs"), TEXT_NONE);
    assert_string_equal(maker.id, "theirs");
    assert_int_equal(strlen(maker.model), sizeof(maker.model) - 1);
    free(long_name);
}

static void on_large(void *context, struct text json, const json_t *value) {
    const json_t *delta = json_object_get(json_array_get(json_object_get(value, "choices"), 0), "delta");
    assert_in_range(json.len, 1, CHAT_CHUNK_MAX);
    buffer_put(context, text_of(json_string_value(json_object_get(delta, "content"))));
}

/* S3: cut between characters, whatever escaping makes of them. */
static void what_is_too_large_becomes_several(void **state) {
    (void)state;
    const struct chat_call call = { .id = "i", .model = "m" };
    struct buffer scoped(buffer_fini) seen, scoped(buffer_fini) words;
    struct chunk_maker maker;
    buffer_init(&seen, CHAT_ANSWER_MAX);
    buffer_init(&words, CHAT_ANSWER_MAX);
    const struct chat_sink sink = { .chunk = on_large, .context = &seen };
    while (words.len < CHAT_CHUNK_MAX + 5) {
        buffer_put(&words, TEXT("\x01\xF0\x9F\xA6\x8A\x02"));
    }
    chunk_maker_init(&maker, &call, &sink);
    chunk_content(&maker, 0, buffer_text(&words));
    assert_true(text_equal(buffer_text(&seen), buffer_text(&words)));
}

/* ---- usage ---- */

static void usage_is_written(void **state) {
    (void)state;
    struct buffer scoped(buffer_fini) buf;
    buffer_init(&buf, 4096);
    usage_put(&buf, &(struct token_usage){ .input = 9, .output = 4 });
    assert_string_equal(buf.data, "{\"prompt_tokens\":9,\"completion_tokens\":4,\"total_tokens\":13}");
    buffer_clear(&buf);
    usage_put(&buf, &(struct token_usage){ .input = 9, .output = 4, .cached = 5, .reasoning = 2, .estimated = true });
    assert_string_equal(buf.data, "{\"prompt_tokens\":9,\"completion_tokens\":4,\"total_tokens\":13,"
                                  "\"prompt_tokens_details\":{\"cached_tokens\":5},"
                                  "\"completion_tokens_details\":{\"reasoning_tokens\":2},\"estimated\":true}");
    buffer_clear(&buf);
    usage_put_chunk(&buf, TEXT("i\""), TEXT("m"), 7, &(struct token_usage){ .input = 1, .output = 2 });
    assert_string_equal(buf.data,
                        "{\"id\":\"i\\\"\",\"object\":\"chat.completion.chunk\",\"created\":7,\"model\":\"m\","
                        "\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,"
                        "\"total_tokens\":3}}");
}

static void usage_is_read_in_all_its_forms(void **state) {
    (void)state;
    static const struct {
        const char *json;
        bool good;
        struct token_usage usage;
    } rows[] = {
        { "{\"prompt_tokens\":9,\"completion_tokens\":4,\"total_tokens\":13,\"prompt_tokens_details\":"
          "{\"cached_tokens\":5,\"audio_tokens\":0},\"completion_tokens_details\":{\"reasoning_tokens\":2}}",
          true,
          { 9, 4, 5, 2, false } },
        { "{\"prompt_tokens\":9,\"completion_tokens\":4,\"prompt_tokens_details\":null}", true, { 9, 4, 0, 0, false } },
        { "{\"prompt_tokens\":9.0,\"completion_tokens\":4}", true, { 9, 4, 0, 0, false } },
        /* an embedding of nothing: no completion_tokens */
        { "{\"prompt_tokens\":9,\"total_tokens\":9}", true, { 9, 0, 0, 0, false } },
        /* DeepSeek */
        { "{\"prompt_tokens\":9,\"completion_tokens\":4,\"prompt_cache_hit_tokens\":6,\"prompt_cache_miss_tokens\":3}",
          true,
          { 9, 4, 6, 0, false } },
        { "{\"completion_tokens\":4,\"prompt_cache_hit_tokens\":6,\"prompt_cache_miss_tokens\":3}",
          true,
          { 9, 4, 6, 0, false } },
        /* Moonshot */
        { "{\"prompt_tokens\":9,\"completion_tokens\":4,\"cached_tokens\":3}", true, { 9, 4, 3, 0, false } },
        /* Gemini and xAI count reasoning in the total alone */
        { "{\"prompt_tokens\":9,\"completion_tokens\":4,\"total_tokens\":33,\"completion_tokens_details\":"
          "{\"reasoning_tokens\":20}}",
          true,
          { 9, 24, 0, 20, false } },
        /* what cannot be */
        { "{\"prompt_tokens\":9,\"completion_tokens\":4,\"total_tokens\":2,\"prompt_tokens_details\":"
          "{\"cached_tokens\":50},\"completion_tokens_details\":{\"reasoning_tokens\":7}}",
          true,
          { 9, 4, 9, 4, false } },
        { "{\"prompt_tokens\":-9,\"completion_tokens\":4}", false, { 0 } },
        { "{\"prompt_tokens\":9,\"completion_tokens\":9223372036854775807}", false, { 0 } },
        { "{\"prompt_tokens\":\"9\",\"completion_tokens\":4}", false, { 0 } },
        { "{\"completion_tokens\":4,\"total_tokens\":9}", false, { 0 } },
        { "{}", false, { 0 } },
        { "null", false, { 0 } },
        { "[1]", false, { 0 } },
        { "7", false, { 0 } },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct token_usage before = { 1, 2, 3, 4, true };
        struct token_usage usage = before;
        json_t *value = NULL;
        assert_int_equal(json_read_any(text_of(rows[i].json), 64, &value, NULL), OK);
        bool good = usage_read(value, &usage);
        const struct token_usage *expected = rows[i].good ? &rows[i].usage : &before;
        json_decref(value);
        assert_int_equal(good, rows[i].good);
        assert_int_equal(usage.input, expected->input);
        assert_int_equal(usage.output, expected->output);
        assert_int_equal(usage.cached, expected->cached);
        assert_int_equal(usage.reasoning, expected->reasoning);
        assert_int_equal(usage.estimated, expected->estimated);
    }
    assert_false(usage_read(NULL, &(struct token_usage){ 0 }));
}

int test_chunk(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_are_made_of_pieces),         cmocka_unit_test(names_are_taken_where_there_are_any),
        cmocka_unit_test(what_is_too_large_becomes_several), cmocka_unit_test(usage_is_written),
        cmocka_unit_test(usage_is_read_in_all_its_forms),
    };
    return cmocka_run_group_tests_name("chunks", tests, NULL, NULL);
}
