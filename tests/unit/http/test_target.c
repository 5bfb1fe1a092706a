/* Targets: what is decoded, what is refused, and with which error. */
#include "http/target.h"

#include "base/buffer.h"

#include "tests.h"

static void paths(void **state) {
    (void)state;
    static const struct {
        struct text raw;
        enum err err;
        const char *decoded; /* segments, each followed by a bar */
    } cases[] = {
        { TEXT("/"), OK, "" },
        { TEXT("/v1/tasks"), OK, "v1|tasks|" },
        { TEXT("/v1/tasks/a%20b"), OK, "v1|tasks|a b|" },
        { TEXT("/a+b"), OK, "a+b|" },
        { TEXT("/%C3%A9"), OK, "\xc3\xa9|" },
        { TEXT("/a%2Eb"), OK, "a.b|" },
        { TEXT("/a?b/c"), OK, "a|" },
        { TEXT("http://host:1/v1/x?q=1"), OK, "v1|x|" },
        { TEXT("HTTPS://host/v1"), OK, "v1|" },
        { TEXT("http://host"), OK, "" },
        { TEXT("http://host?a=/b"), OK, "" },
        { TEXT(""), ERR_INVALID_REQUEST, NULL },
        { TEXT("*"), ERR_INVALID_REQUEST, NULL },
        { TEXT("v1/tasks"), ERR_INVALID_REQUEST, NULL },
        { TEXT("/%"), ERR_INVALID_REQUEST, NULL },
        { TEXT("/%4"), ERR_INVALID_REQUEST, NULL },
        { TEXT("/%zz"), ERR_INVALID_REQUEST, NULL },
        { TEXT("/%4/"), ERR_INVALID_REQUEST, NULL },
        { TEXT("/a%00b"), ERR_INVALID_REQUEST, NULL },
        { TEXT("/a%0ab"), ERR_INVALID_REQUEST, NULL },
        { TEXT("/a%7f"), ERR_INVALID_REQUEST, NULL },
        { TEXT("/%ff"), ERR_INVALID_REQUEST, NULL },
        { TEXT("/%c0%af"), ERR_INVALID_REQUEST, NULL },
        { TEXT("/%ed%a0%80"), ERR_INVALID_REQUEST, NULL },
        { TEXT("/\xc3\xa9"), ERR_INVALID_REQUEST, NULL },
        { TEXT("/a b"), ERR_INVALID_REQUEST, NULL },
        { TEXT("/a\tb"), ERR_INVALID_REQUEST, NULL },
        { TEXT("/a\\b"), ERR_INVALID_REQUEST, NULL },
        { TEXT("/a#b"), ERR_INVALID_REQUEST, NULL },
        { TEXT("/a<b>"), ERR_INVALID_REQUEST, NULL },
        { TEXT("//"), ERR_ROUTE_NOT_FOUND, NULL },
        { TEXT("/v1//tasks"), ERR_ROUTE_NOT_FOUND, NULL },
        { TEXT("/v1/tasks/"), ERR_ROUTE_NOT_FOUND, NULL },
        { TEXT("/v1/./tasks"), ERR_ROUTE_NOT_FOUND, NULL },
        { TEXT("/v1/../etc"), ERR_ROUTE_NOT_FOUND, NULL },
        { TEXT("/v1/%2e%2e/etc"), ERR_ROUTE_NOT_FOUND, NULL },
        { TEXT("/v1/.%2E"), ERR_ROUTE_NOT_FOUND, NULL },
        { TEXT("/v1/a%2fb"), OK, "v1|a/b|" },
        { TEXT("/1/2/3/4/5/6/7/8"), OK, "1|2|3|4|5|6|7|8|" },
        { TEXT("/1/2/3/4/5/6/7/8/9"), ERR_ROUTE_NOT_FOUND, NULL },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct arena arena;
        struct target target;
        struct fault fault = { .err = OK };
        char segments[256] = "";
        arena_init(&arena, 65536);
        print_message("%.*s\n", TEXT_ARG(cases[i].raw));
        assert_int_equal(target_parse(cases[i].raw, &arena, &target, &fault), cases[i].err);
        if (cases[i].err == OK) {
            for (unsigned s = 0; s < target.segment_count; s++) {
                size_t used = strlen(segments);
                snprintf(segments + used, sizeof segments - used, "%.*s|", TEXT_ARG(target.segments[s]));
            }
            assert_string_equal(segments, cases[i].decoded);
        } else {
            assert_int_equal(fault.err, cases[i].err);
            assert_true(fault.message[0] != '\0');
        }
        arena_fini(&arena);
    }
}

static void authorities(void **state) {
    (void)state;
    static const struct {
        struct text raw;
        const char *authority; /* NULL: none */
    } cases[] = {
        { TEXT("/x"), NULL },
        { TEXT("/x?http://host/"), NULL },
        { TEXT("http://host:1/v1/x?q=1"), "host:1" },
        { TEXT("HTTPS://Host"), "Host" },
        { TEXT("http://[::1]:80?a=/b"), "[::1]:80" },
        { TEXT("http:///x"), "" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct arena arena;
        struct target target;
        arena_init(&arena, 65536);
        assert_int_equal(target_parse(cases[i].raw, &arena, &target, NULL), OK);
        assert_int_equal(target.authority.ptr == NULL, cases[i].authority == NULL);
        if (cases[i].authority != NULL)
            assert_text(target.authority, cases[i].authority);
        arena_fini(&arena);
    }
}

static void queries(void **state) {
    (void)state;
    static const struct {
        struct text raw;
        enum err err;
        const char *a, *b; /* values of these parameters; NULL: absent */
    } cases[] = {
        { TEXT("/x"), OK, NULL, NULL },
        { TEXT("/x?"), OK, NULL, NULL },
        { TEXT("/x?a=1"), OK, "1", NULL },
        { TEXT("/x?a=1&b=2"), OK, "1", "2" },
        { TEXT("/x?b=2&&a="), OK, "", "2" },
        { TEXT("/x?a"), OK, "", NULL },
        { TEXT("/x?a=b=c"), OK, "b=c", NULL },
        { TEXT("/x?a=b+c%2Bd"), OK, "b c+d", NULL },
        { TEXT("/x?%61=%26"), OK, "&", NULL },
        { TEXT("/x?a=?/:@"), OK, "?/:@", NULL },
        { TEXT("/x?A=1"), OK, NULL, NULL },
        { TEXT("/x?a=1&a=1"), ERR_INVALID_REQUEST, NULL, NULL },
        { TEXT("/x?a=1&%61=2"), ERR_INVALID_REQUEST, NULL, NULL },
        { TEXT("/x?a=%"), ERR_INVALID_REQUEST, NULL, NULL },
        { TEXT("/x?a=%g0"), ERR_INVALID_REQUEST, NULL, NULL },
        { TEXT("/x?a=%00"), ERR_INVALID_REQUEST, NULL, NULL },
        { TEXT("/x?a=%ff"), ERR_INVALID_REQUEST, NULL, NULL },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct arena arena;
        struct target target;
        struct text value;
        arena_init(&arena, 65536);
        print_message("%.*s\n", TEXT_ARG(cases[i].raw));
        assert_int_equal(target_parse(cases[i].raw, &arena, &target, NULL), cases[i].err);
        if (cases[i].err == OK) {
            assert_int_equal(target_parameter(&target, TEXT("a"), &value), cases[i].a != NULL);
            if (cases[i].a != NULL)
                assert_text(value, cases[i].a);
            assert_int_equal(target_parameter(&target, TEXT("b"), &value), cases[i].b != NULL);
            if (cases[i].b != NULL)
                assert_text(value, cases[i].b);
        }
        arena_fini(&arena);
    }
}

static void bounds(void **state) {
    (void)state;
    struct arena arena;
    struct target target;
    struct buffer raw;

    arena_init(&arena, 65536);
    buffer_init(&raw, 65536);
    buffer_put(&raw, TEXT("/x?a0=1"));
    for (int i = 1; i < TARGET_PARAMETERS_MAX; i++)
        buffer_printf(&raw, "&a%d=1", i);
    assert_int_equal(target_parse(buffer_text(&raw), &arena, &target, NULL), OK);
    assert_int_equal(target.parameter_count, TARGET_PARAMETERS_MAX);
    buffer_put(&raw, TEXT("&one=more"));
    assert_int_equal(target_parse(buffer_text(&raw), &arena, &target, NULL), ERR_INVALID_REQUEST);

    buffer_clear(&raw);
    buffer_put_char(&raw, '/');
    while (raw.len < TARGET_MAX)
        buffer_put_char(&raw, 'a');
    assert_int_equal(target_parse(buffer_text(&raw), &arena, &target, NULL), OK);
    buffer_put_char(&raw, 'a');
    assert_int_equal(target_parse(buffer_text(&raw), &arena, &target, NULL), ERR_HEADERS_TOO_LARGE);
    buffer_fini(&raw);
    arena_fini(&arena);
}

int run_target_tests(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(paths), cmocka_unit_test(authorities), cmocka_unit_test(queries),
                                        cmocka_unit_test(bounds) };
    return cmocka_run_group_tests_name("target", tests, NULL, NULL);
}
