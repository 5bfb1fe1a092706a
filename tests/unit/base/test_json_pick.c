/* Members found without reading values: the same ones that a reader finds, and every doubt is told. */
#include "base/json_pick.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/memory.h"
#include "tests.h"

static const struct text names[] = { TEXT("a"), TEXT("choices"), TEXT("ü") };
#define COUNT ARRAY_SIZE(names)

static bool pick(const char *json, struct text *ret) {
    char *exact = text_dup(text_of(json)); /* so that no byte beyond it is looked at unseen */
    struct text found[COUNT];
    bool picked = json_pick((struct text){ exact, strlen(json) }, names, COUNT, found);
    for (size_t i = 0; picked && i < COUNT; i++) {
        ret[i] = found[i].ptr != NULL ? (struct text){ json + (found[i].ptr - exact), found[i].len } : TEXT_NONE;
    }
    free(exact);
    return picked;
}

static void members_of_the_outermost_object_are_found(void **state) {
    (void)state;
    struct text found[COUNT];
    assert_true(pick(" {\"b\" : {\"a\":1,\"choices\":[{}]}, \"choices\" : [ {\"a\":[]} , 2 ] ,\"a\":-0.25}\n", found));
    assert_true(text_equal(found[0], TEXT("-0.25")));
    assert_true(text_equal(found[1], TEXT("[ {\"a\":[]} , 2 ]")));
    assert_null(found[2].ptr);
    assert_true(pick("{\"\xc3\xbc\":\"\\u00fc \\\" \xc3\xbc\",\"a\":{},\"choices\":null}", found));
    assert_true(text_equal(found[0], TEXT("{}")));
    assert_true(text_equal(found[1], TEXT("null")));
    assert_true(text_equal(found[2], TEXT("\"\\u00fc \\\" \xc3\xbc\"")));
    assert_true(pick("{}", found));
    assert_null(found[0].ptr);
}

static void what_is_wrong_or_in_doubt_is_not_picked(void **state) {
    (void)state;
    static const char *const texts[] = {
        "", " ", "1", "[]", "\"a\"", "null", "{", "}", "{}}", "{} {}", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{,}", "{a:1}",
        "{\"a\":1 \"b\":2}", "{\"a\":[1,]}", "{\"a\":[1}", "{\"a\":{\"b\":1]}", "{\"a\":[1 2]}", "{\"a\":tru}", "{\"a\":nul",
        "{\"a\":01}", "{\"a\":-}", "{\"a\":1.}", "{\"a\":.5}", "{\"a\":+1}", "{\"a\":0x1}", "{\"a\":1a}",
        "{\"a\":\"\\x\"}", "{\"a\":\"\\u12g4\"}", "{\"a\":\"\\u0000\"}", "{\"a\":\"\\ud800\"}", "{\"a\":\"\\udc00\"}",
        "{\"a\":\"\\ud800\\u0041\"}", "{\"a\":\"\\", "{\"a\":\"\\u00", "{\"a\":\"\\ud800\\udc", "{\"a\":\"x", "{\"a\":\"line\nbreak\"}",
        "{\"a\":\"12345678line\nbreak\"}", "{\"a\":\"\xff\"}", "{\"a\":\"12345678\xc3\"}", "{\"\xff\":1}",
        "{\"a\":1,\"a\":1}", "{\"\\u0061\":1}", "{\"a\":1e5}", "{\"a\":[1E400]}", "{\"a\":1234567890123456789}",
    };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct text found[COUNT];
        if (pick(texts[i], found)) {
            fail_msg("picked from %s", texts[i]);
        }
    }
}

/* A NUL is no end. */
static void all_bytes_count(void **state) {
    (void)state;
    static const char text[] = "{}\0{}";
    struct text found[COUNT];
    assert_false(json_pick((struct text){ text, sizeof(text) - 1 }, names, COUNT, found));
    assert_false(json_pick((struct text){ text, 3 }, names, COUNT, found));
    assert_true(json_pick((struct text){ text, 2 }, names, COUNT, found));
}

static bool pick_nested(unsigned arrays) {
    struct buffer scoped(buffer_fini) text;
    struct text found[COUNT];
    buffer_init(&text, 4096);
    buffer_put(&text, TEXT("{\"a\":"));
    for (unsigned i = 0; i < arrays; i++) {
        buffer_put_char(&text, '[');
    }
    for (unsigned i = 0; i < arrays; i++) {
        buffer_put_char(&text, ']');
    }
    buffer_put_char(&text, '}');
    return json_pick(buffer_text(&text), names, COUNT, found);
}

static bool pick_many(size_t numbers) {
    struct buffer scoped(buffer_fini) text;
    struct text found[COUNT];
    buffer_init(&text, 2 * numbers + 64);
    buffer_put(&text, TEXT("{\"a\":[1"));
    for (size_t i = 1; i < numbers; i++) {
        buffer_put(&text, TEXT(",1"));
    }
    buffer_put(&text, TEXT("]}"));
    return json_pick(buffer_text(&text), names, COUNT, found);
}

static void nesting_and_values_are_bounded(void **state) {
    (void)state;
    assert_true(pick_nested(JSON_PICK_DEPTH_MAX - 1));
    assert_false(pick_nested(JSON_PICK_DEPTH_MAX));
    assert_true(pick_many(JSON_VALUES_MAX - 2));
    assert_false(pick_many(JSON_VALUES_MAX - 1));
}

/* ---- what is picked is what is read ---- */

static void check_against_reader(struct text text, unsigned *picked_count) {
    struct text found[COUNT];
    if (!json_pick(text, names, COUNT, found)) {
        return;
    }
    json_t *value = json_loadb(text.ptr, text.len, 0, NULL);
    assert_true(json_is_object(value));
    for (size_t i = 0; i < COUNT; i++) {
        const json_t *member = json_object_getn(value, names[i].ptr, names[i].len);
        json_t *again = found[i].ptr != NULL ? json_loadb(found[i].ptr, found[i].len, JSON_DECODE_ANY, NULL) : NULL;
        assert_int_equal(member != NULL, again != NULL);
        assert_true(member == NULL || json_equal(member, again));
        json_decref(again);
    }
    json_decref(value);
    (*picked_count)++;
}

/* Bytes are put for others, taken out and doubled: most of it is wrong then, and some of it is not. */
static void changed_texts_are_read_the_same(void **state) {
    (void)state;
    static const char text[] = "{\"a\":{\"x\":[1,-2.5,true,null,\"\\ud83d\\ude00\\n\"],\"y\":\"\xc3\xa4\xf0\x9f\x98\x80\"},"
                               "\"choices\":[{\"a\":\"12345678 plain words \\\" and more\"},[]], \"\xc3\xbc\":0.125}";
    static const char bytes[] = "{}[]:,\"\\ u0d8etfn19-.\n\x01\x80\xc3";
    unsigned seed = 1, picked = 0;
    for (unsigned round = 0; round < 40000; round++) {
        char changed[2 * sizeof(text)];
        size_t length = sizeof(text) - 1;
        memcpy(changed, text, length);
        for (unsigned changes = round % 3; changes > 0; changes--) {
            seed = seed * 1103515245 + 12345;
            size_t at = (seed >> 8) % length;
            char byte = bytes[(seed >> 4) % (sizeof(bytes) - 1)];
            if ((seed >> 28) % 2 == 0) {
                changed[at] = byte;
            } else {
                memmove(changed + at, changed + at + 1, --length - at);
            }
        }
        char *exact = text_dup((struct text){ changed, length });
        check_against_reader((struct text){ exact, length }, &picked);
        free(exact);
    }
    assert_true(picked > 40000 / 3 && picked < 40000);
}

int test_json_pick(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_of_the_outermost_object_are_found),
        cmocka_unit_test(what_is_wrong_or_in_doubt_is_not_picked),
        cmocka_unit_test(all_bytes_count),
        cmocka_unit_test(nesting_and_values_are_bounded),
        cmocka_unit_test(changed_texts_are_read_the_same),
    };
    return cmocka_run_group_tests_name("json_pick", tests, NULL, NULL);
}
