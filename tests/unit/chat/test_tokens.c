/* Estimates of tokens: within reason for texts, on the high side for requests, and blind to the size of pictures. */
#include <jansson.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/memory.h"
#include "chat/tokens.h"
#include "trial.h"

static void texts_are_estimated_by_their_script(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t tokens;
    } rows[] = {
        { "", 0 },
        { "a", 1 },
        { "abcd", 1 },
        { "abcde", 2 },
        { "\xC3\xA4\xC3\xB6", 1 },         /* äö */
        { "\xD0\x9F\xD1\x80", 2 },         /* two Cyrillic letters */
        { "\xE4\xBD\xA0\xE5\xA5\xBD", 2 }, /* two Chinese ones */
        { "\xF0\x9F\xA6\x8A", 2 },         /* a fox */
        { "ab\xE4\xBD\xA0", 2 },
        { "\x80", 1 }, /* not UTF-8 */
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_int_equal(tokens_of_text(text_of(rows[i].text)), rows[i].tokens);
    }
}

static void pieces_count_as_the_whole_does(void **state) {
    (void)state;
    static const char words[] = "The fox \xF0\x9F\xA6\x8A runs, \xE4\xBD\xA0\xE5\xA5\xBD, sp\xC3\xA4t.";
    struct token_count count = { 0 };
    for (const char *at = words; *at; at++) {
        token_count_add(&count, (struct text){ at, 1 });
    }
    assert_int_equal(token_count_total(&count), tokens_of_text(text_of(words)));
}

static int64_t of(const char *json) {
    json_t *value = NULL;
    assert_int_equal(json_read_object(text_of(json), 64, &value, NULL), OK);
    int64_t tokens = tokens_of_request(value);
    json_decref(value);
    return tokens;
}

#define USER(content) "{\"messages\":[{\"role\":\"user\",\"content\":" content "}]}"

static int64_t of_part(const char *format, const char *argument) {
    struct buffer scoped(buffer_fini) buf;
    buffer_init(&buf, (size_t)64 << 20);
    buffer_put(&buf, TEXT("{\"messages\":[{\"role\":\"user\",\"content\":["));
    for (; *format; format++) {
        buffer_put(&buf, *format == '$'    ? text_of(argument)
                         : *format == '\'' ? TEXT("\"")
                                           : (struct text){ format, 1 });
    }
    buffer_put(&buf, TEXT("]}]}"));
    assert_true(buffer_ok(&buf));
    return of(buf.data);
}

/* "data:TYPE;base64," and so many letters; freed by the caller. */
static char *data_uri(const char *type, size_t letters) {
    struct buffer buf;
    buffer_init(&buf, (size_t)64 << 20);
    buffer_printf(&buf, "data:%s;base64,", type);
    assert_true(buffer_reserve(&buf, letters));
    memset(buf.data + buf.len, 'A', letters);
    buf.len += letters;
    char *uri = buffer_take(&buf);
    assert_non_null(uri);
    return uri;
}

/* What tokenizers say of such requests, by the services' own figures. */
static void requests_err_on_the_high_side(void **state) {
    (void)state;
    int64_t empty = of("{\"messages\":[]}"), one = of(USER("\"Hi\""));
    assert_in_range(empty, 1, 40);
    assert_in_range(one, 8, 60); /* "Hi" is 8 tokens of gpt-4o, and 8 of Claude */
    assert_true(of("{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":\"user\",\"content\":\"Hi\"}]}") >
                one);
    assert_int_equal(of(USER("[{\"type\":\"text\",\"text\":\"Hi\"}]")) > empty, 1);
    char *prose = mem_new(30001);
    memset(prose, 'a', 30000);
    int64_t long_one = of_part("{'type':'text','text':'$'}", prose);
    assert_in_range(long_one, 10000, 10100);
    free(prose);
    const char *tools = "{\"messages\":[],\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"weather\","
                        "\"parameters\":{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"}}}}}]}";
    assert_in_range(of(tools) - empty, 50, 200); /* about 50 at OpenAI */
    assert_true(of("{\"messages\":[],\"response_format\":{\"type\":\"json_object\"}}") > empty);
    assert_int_equal(of("{\"messages\":[],\"model\":\"a-long-name\",\"user\":\"somebody\",\"metadata\":{\"a\":\"b\"}}"),
                     empty);
    assert_true(of("{}") > 0);
    assert_true(of("{\"messages\":[1,null,{\"content\":[1,{}]}],\"tools\":7}") > 0);
    assert_true(tokens_of_request(NULL) > 0);
}

static void media_are_fixed_figures(void **state) {
    (void)state;
    char *small = data_uri("image/png", 100), *large = data_uri("image/png", (size_t)8 << 20);
    int64_t picture = of_part("{'type':'image_url','image_url':{'url':'$'}}", small);
    assert_int_equal(of_part("{'type':'image_url','image_url':{'url':'$'}}", large), picture);
    assert_int_equal(of_part("{'type':'image_url','image_url':{'url':'$'}}", "https://example.com/a.png"), picture);
    assert_int_equal(of_part("{'type':'image_url','image_url':{'url':'$','detail':'high'}}", large), picture);
    int64_t low = of_part("{'type':'image_url','image_url':{'url':'$','detail':'low'}}", large);
    assert_in_range(low, 85, 1000);
    assert_in_range(picture, 4784, 10000);
    free(small);
    free(large);
}

/* A minute of sound is about 2,000 tokens at Gemini, a minute of film 17,700. */
static void sound_and_film_count_by_their_length(void **state) {
    (void)state;
    static const struct {
        const char *form, *type;
        size_t bytes; /* of a minute */
        int64_t least, most;
    } rows[] = {
        { "{'type':'audio_url','audio_url':{'url':'$'}}", "audio/mpeg", 60 * 8000, 1920, 10000 },
        { "{'type':'audio_url','audio_url':{'url':'$'}}", "audio/wav", 60 * 32000, 1920, 10000 },
        { "{'type':'video_url','video_url':{'url':'$'}}", "video/mp4", 60 * 125000, 17700, 100000 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char *uri = data_uri(rows[i].type, rows[i].bytes / 3 * 4);
        assert_in_range(of_part(rows[i].form, uri), rows[i].least, rows[i].most);
        free(uri);
        assert_in_range(of_part(rows[i].form, "https://example.com/a"), 5 * rows[i].least, 10 * rows[i].most);
    }
    char *data = data_uri("x", 60 * 32000 / 3 * 4);
    assert_in_range(of_part("{'type':'input_audio','input_audio':{'format':'wav','data':'$'}}", strchr(data, ',') + 1),
                    1920, 10000);
    free(data);
}

static void files_have_a_least_and_a_most(void **state) {
    (void)state;
    const char *form = "{'type':'file','file':{'file_data':'$'}}";
    char *small = data_uri("application/pdf", 4000), *large = data_uri("application/pdf", (size_t)16 << 20);
    char *plain = data_uri("text/plain", 400000);
    assert_in_range(of_part(form, small), 3000, 4000);
    assert_in_range(of_part(form, large), 300000, 301000);
    assert_in_range(of_part("{'type':'file_url','file_url':{'url':'$'}}", plain), 100000, 310000);
    assert_in_range(of_part("{'type':'file','file':{'file_id':'$'}}", "file-1"), 30000, 100000);
    assert_in_range(of_part("{'type':'file_url','file_url':{'url':'$'}}", "https://example.com/a.pdf"), 30000, 100000);
    free(small);
    free(large);
    free(plain);
}

int test_tokens(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_estimated_by_their_script),  cmocka_unit_test(pieces_count_as_the_whole_does),
        cmocka_unit_test(requests_err_on_the_high_side),        cmocka_unit_test(media_are_fixed_figures),
        cmocka_unit_test(sound_and_film_count_by_their_length), cmocka_unit_test(files_have_a_least_and_a_most),
    };
    return cmocka_run_group_tests_name("tokens", tests, NULL, NULL);
}
