/* From method and path to a row. */
#include "http/router.h"

#include "tests.h"

static void unused_handler(struct exchange *exchange) {
    (void)exchange;
}

static const struct http_route routes[] = {
    { METHOD_GET, "/", 0, false, unused_handler, "" },
    { METHOD_GET, "/v1/tasks", 0, false, unused_handler, "" },
    { METHOD_GET, "/v1/tasks/{task_id}", 0, false, unused_handler, "" },
    { METHOD_DELETE, "/v1/tasks/{task_id}", 0, false, unused_handler, "" },
    { METHOD_POST, "/v1/tasks/{task_id}/cancel", 0, true, unused_handler, "" },
    { METHOD_GET, "/v1/artifacts/{hash}/{name}", 0, false, unused_handler, "" },
    { METHOD_GET, "/v1/models/{model}", 0, false, unused_handler, "", .slashes = true },
};

static void parse(const char *raw, struct arena *arena, struct target *ret) {
    arena_init(arena, 4096);
    assert_int_equal(target_parse(text_of(raw), arena, ret, NULL), OK);
}

static void rows(void **state) {
    (void)state;
    static const struct {
        enum http_method method;
        const char *target;
        int row;    /* -1: none */
        bool known; /* when none */
    } cases[] = {
        { METHOD_GET, "/", 0, false },
        { METHOD_GET, "/v1/tasks", 1, false },
        { METHOD_GET, "/v1/tasks/abc", 2, false },
        { METHOD_DELETE, "/v1/tasks/abc", 3, false },
        { METHOD_POST, "/v1/tasks/abc/cancel", 4, false },
        { METHOD_GET, "/v1/artifacts/h/n.png?x=1", 5, false },
        { METHOD_POST, "/v1/tasks/abc", -1, true },
        { METHOD_OTHER, "/v1/tasks/abc", -1, true },
        { METHOD_OPTIONS, "/", -1, true },
        { METHOD_GET, "/v1", -1, false },
        { METHOD_GET, "/v2/tasks", -1, false },
        { METHOD_GET, "/V1/tasks", -1, false },
        { METHOD_GET, "/v1/tasks/abc/cancel/x", -1, false },
        { METHOD_GET, "/v1/tasks/abc/cance", -1, false },
        { METHOD_GET, "/v1/tasks/a%2fb", -1, false },
        { METHOD_GET, "/v1%2ftasks", -1, false },
        { METHOD_GET, "/v1/models/a%2fb", 6, false },
        { METHOD_GET, "/v1/models/a/b", -1, false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct arena arena;
        struct target target;
        bool known = !cases[i].known;
        parse(cases[i].target, &arena, &target);
        const struct http_route *route = router_find(routes, ARRAY_SIZE(routes), cases[i].method, &target, &known);
        print_message("%s\n", cases[i].target);
        assert_ptr_equal(route, cases[i].row < 0 ? NULL : &routes[cases[i].row]);
        if (route == NULL)
            assert_int_equal(known, cases[i].known);
        arena_fini(&arena);
    }
}

static void placeholders(void **state) {
    (void)state;
    struct arena arena;
    struct target target;

    parse("/v1/artifacts/ab%20c/n.png", &arena, &target);
    assert_text(router_segment(&routes[5], &target, TEXT("hash")), "ab c");
    assert_text(router_segment(&routes[5], &target, TEXT("name")), "n.png");
    arena_fini(&arena);
}

static void allowed_methods(void **state) {
    (void)state;
    struct arena arena;
    struct target target;
    struct buffer allow;

    parse("/v1/tasks/abc", &arena, &target);
    buffer_init(&allow, 200);
    router_put_allow(routes, ARRAY_SIZE(routes), &target, &allow);
    assert_text(buffer_text(&allow), "GET, HEAD, DELETE, OPTIONS");
    buffer_clear(&allow);
    router_put_allow(routes, ARRAY_SIZE(routes), NULL, &allow);
    assert_text(buffer_text(&allow), "GET, HEAD, POST, DELETE, OPTIONS");
    buffer_fini(&allow);
    arena_fini(&arena);
}

/* Neither the right method nor a URL that can be read is needed to hold the secret. */
static void secrets_stay_out_of_logs(void **state) {
    (void)state;
    static const struct http_route secret_routes[] = {
        { METHOD_GET, "/v1/tasks/{task_id}", 0, false, unused_handler, "" },
        { METHOD_POST, "/v1/hooks/{token}", 0, true, unused_handler, "", .secret_path = true },
    };
    static const struct {
        const char *target;
        bool secret;
    } cases[] = {
        { "/v1/hooks/abc", true }, { "/v1/hooks/abc/", true }, { "/v1/hooks/abc%zz", true }, { "/v1/%68ooks/abc", true },
        { "http://x/v1/hooks/abc%zz", true }, { "/v1/hooks", false }, { "/v1/tasks/abc", false }, { "*", false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct arena arena;
        struct target target = { .segment_count = 0 };
        arena_init(&arena, 4096);
        if (target_parse(text_of(cases[i].target), &arena, &target, NULL) != OK)
            assert_int_equal(target.segment_count, 0);
        const char *pattern = router_secret_pattern(secret_routes, ARRAY_SIZE(secret_routes), &target,
                                                    text_of(cases[i].target));
        assert_int_equal(pattern != NULL, cases[i].secret);
        if (pattern != NULL)
            assert_string_equal(pattern, "/v1/hooks/{token}");
        arena_fini(&arena);
    }
}

static void methods(void **state) {
    (void)state;
    assert_int_equal(method_parse(TEXT("GET")), METHOD_GET);
    assert_int_equal(method_parse(TEXT("HEAD")), METHOD_GET);
    assert_int_equal(method_parse(TEXT("POST")), METHOD_POST);
    assert_int_equal(method_parse(TEXT("get")), METHOD_OTHER);
    assert_int_equal(method_parse(TEXT("BREW")), METHOD_OTHER);
    assert_int_equal(method_parse(TEXT("")), METHOD_OTHER);
}

int run_router_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows),
        cmocka_unit_test(placeholders),
        cmocka_unit_test(allowed_methods),
        cmocka_unit_test(secrets_stay_out_of_logs),
        cmocka_unit_test(methods),
    };
    return cmocka_run_group_tests_name("router", tests, NULL, NULL);
}
