/* From the header to the key: every refusal, and when the store is asked. */
#include "api/door/authenticate.h"

#include "api/door/auth_cache.h"
#include "base/clock.h"
#include "core/api_key.h"
#include "tests.h"

#define FAKE "sk-live-FAKEfakeFAKEfakeFAKEfakeFAKEfakeFAKEfakeFAK"

static void bearer_headers(void **state) {
    (void)state;
    static const struct {
        struct text header;
        enum err err;
        const char *token;
    } cases[] = {
        { TEXT("Bearer abc"), OK, "abc" },
        { TEXT("bearer abc"), OK, "abc" },
        { TEXT("BEARER   abc  "), OK, "abc" },
        { TEXT("Bearer a b"), OK, "a b" },
        { TEXT_NONE, ERR_MISSING_API_KEY, NULL },
        { TEXT(""), ERR_MISSING_API_KEY, NULL },
        { TEXT("   "), ERR_MISSING_API_KEY, NULL },
        { TEXT("Bearer "), ERR_MISSING_API_KEY, NULL },
        { TEXT("Bearer"), ERR_MISSING_API_KEY, NULL },
        { TEXT("Bearerabc"), ERR_INVALID_API_KEY, NULL },
        { TEXT("Basic YTpi"), ERR_INVALID_API_KEY, NULL },
        { TEXT("Bear"), ERR_INVALID_API_KEY, NULL },
        { TEXT("abc"), ERR_INVALID_API_KEY, NULL },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct text token = TEXT_NONE;
        struct fault fault = { .err = OK };
        assert_int_equal(bearer_token(cases[i].header, &token, &fault), cases[i].err);
        if (cases[i].err != OK) {
            assert_int_equal(fault.err, cases[i].err);
            assert_null(token.ptr);
            continue;
        }
        assert_int_equal(token.len, strlen(cases[i].token));
        assert_memory_equal(token.ptr, cases[i].token, token.len);
    }
}

struct scene {
    struct store store;
    struct auth_cache *cache;
    struct key_row key;
    struct account_row account;
    struct fault fault;
};

static void set_scene(struct scene *scene) {
    *scene = (struct scene){ .store = { .generation = 1, .key = { .id = 5 }, .account = { .id = 9 } } };
    api_key_hash(TEXT(FAKE), scene->store.key.hash);
    scene->cache = auth_cache_new();
}

static enum err ask(struct scene *scene, struct text header, int64_t now_ms) {
    clock_freeze(now_ms);
    return authenticate(&scene->store, scene->cache, header, &scene->key, &scene->account, &scene->fault);
}

static void a_known_key_is_looked_up_once(void **state) {
    (void)state;
    struct scene scene;
    set_scene(&scene);

    for (int i = 0; i < 3; i++)
        assert_int_equal(ask(&scene, TEXT("Bearer " FAKE), 1000), OK);
    assert_int_equal(scene.key.id, 5);
    assert_int_equal(scene.account.id, 9);
    assert_int_equal(scene.store.look_ups, 1);
    auth_cache_free(scene.cache);
}

static void a_change_of_keys_is_seen_at_once(void **state) {
    (void)state;
    struct scene scene;
    set_scene(&scene);

    assert_int_equal(ask(&scene, TEXT("Bearer " FAKE), 1000), OK);
    scene.store.key.revoked_ms = 1500;
    scene.store.generation++;
    assert_int_equal(ask(&scene, TEXT("Bearer " FAKE), 2000), ERR_INVALID_API_KEY);
    auth_cache_free(scene.cache);
}

static void expiry_is_reached_in_the_cache_too(void **state) {
    (void)state;
    struct scene scene;
    set_scene(&scene);

    scene.store.key.expires_ms = 2000;
    assert_int_equal(ask(&scene, TEXT("Bearer " FAKE), 1999), OK);
    assert_int_equal(ask(&scene, TEXT("Bearer " FAKE), 2000), ERR_EXPIRED_API_KEY);
    assert_int_equal(scene.store.look_ups, 1);
    auth_cache_free(scene.cache);
}

static void bad_keys_are_refused(void **state) {
    (void)state;
    struct scene scene;
    set_scene(&scene);

    scene.key.id = -1;
    assert_int_equal(ask(&scene, TEXT("Bearer nonsense"), 1), ERR_INVALID_API_KEY);
    assert_int_equal(ask(&scene, TEXT("Bearer sk-live-FAKEfakeFAKEfakeFAKEfakeFAKEfakeFAKEfake/FA"), 1), ERR_INVALID_API_KEY);
    assert_int_equal(ask(&scene, TEXT("Bearer sk-admin-FAKEfakeFAKEfakeFAKEfakeFAKEfakeFAKEfake/FA"), 1), ERR_INVALID_API_KEY);
    assert_int_equal(scene.store.look_ups, 0); /* the form alone tells */
    assert_int_equal(ask(&scene, TEXT("Bearer sk-live-OTHERfakeFAKEfakeFAKEfakeFAKEfakeFAKEfakeFA"), 1),
                     ERR_INVALID_API_KEY);
    assert_int_equal(scene.store.look_ups, 1);
    assert_int_equal(ask(&scene, TEXT_NONE, 1), ERR_MISSING_API_KEY);
    scene.store.failure = ERR_IO;
    assert_int_equal(ask(&scene, TEXT("Bearer " FAKE), 1), ERR_IO);
    assert_int_equal(scene.key.id, -1);
    auth_cache_free(scene.cache);
}

#define ADMIN "sk-admin-FAKEfakeFAKEfakeFAKEfakeFAKEfakeFAKEfakeFAK"

static enum err ask_admin(struct scene *scene, struct text header, int64_t now_ms) {
    clock_freeze(now_ms);
    return authenticate_admin(&scene->store, scene->cache, header, &scene->key, &scene->fault);
}

static void an_operators_key_is_looked_up_once_and_apart(void **state) {
    (void)state;
    struct scene scene;
    set_scene(&scene);
    scene.store.admin_key = (struct key_row){ .id = 7, .expires_ms = 5000 };
    api_key_hash(TEXT(ADMIN), scene.store.admin_key.hash);

    for (int i = 0; i < 3; i++)
        assert_int_equal(ask_admin(&scene, TEXT("Bearer " ADMIN), 1000), OK);
    assert_int_equal(scene.key.id, 7);
    assert_int_equal(scene.store.look_ups, 1);
    assert_int_equal(ask_admin(&scene, TEXT("Bearer " ADMIN), 5000), ERR_EXPIRED_API_KEY);
    assert_int_equal(ask(&scene, TEXT("Bearer " ADMIN), 1000), ERR_ADMIN_KEY);
    scene.store.admin_key.revoked_ms = 1500;
    scene.store.generation++;
    assert_int_equal(ask_admin(&scene, TEXT("Bearer " ADMIN), 2000), ERR_INVALID_API_KEY);
    auth_cache_free(scene.cache);
}

static void nobody_else_is_an_operator(void **state) {
    (void)state;
    struct scene scene;
    set_scene(&scene);

    assert_int_equal(ask_admin(&scene, TEXT_NONE, 1), ERR_MISSING_API_KEY);
    assert_int_equal(ask_admin(&scene, TEXT("Bearer sk-admin-FAKEfakeFAKEfakeFAKEfakeFAKEfakeFAKEfake/FA"), 1),
                     ERR_INVALID_API_KEY);
    assert_int_equal(scene.store.look_ups, 0);
    assert_int_equal(ask_admin(&scene, TEXT("Bearer " ADMIN), 1), ERR_INVALID_API_KEY);
    assert_int_equal(ask_admin(&scene, TEXT("Bearer " FAKE), 1), ERR_NOT_ADMIN);
    scene.store.key.revoked_ms = 1;
    scene.store.generation++;
    assert_int_equal(ask_admin(&scene, TEXT("Bearer " FAKE), 2), ERR_INVALID_API_KEY);
    auth_cache_free(scene.cache);
}

static void a_suspended_account_is_refused(void **state) {
    (void)state;
    struct scene scene;
    set_scene(&scene);

    scene.store.account.suspended_ms = 500;
    assert_int_equal(ask(&scene, TEXT("Bearer " FAKE), 1000), ERR_ACCOUNT_SUSPENDED);
    scene.store.account.suspended_ms = 0;
    scene.store.generation++;
    assert_int_equal(ask(&scene, TEXT("Bearer " FAKE), 1000), OK);
    auth_cache_free(scene.cache);
}

static int let_time_go_on(void **state) {
    (void)state;
    clock_unfreeze();
    return 0;
}

int run_authenticate_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bearer_headers),
        cmocka_unit_test(a_known_key_is_looked_up_once),
        cmocka_unit_test(a_change_of_keys_is_seen_at_once),
        cmocka_unit_test(expiry_is_reached_in_the_cache_too),
        cmocka_unit_test(bad_keys_are_refused),
        cmocka_unit_test(an_operators_key_is_looked_up_once_and_apart),
        cmocka_unit_test(nobody_else_is_an_operator),
        cmocka_unit_test(a_suspended_account_is_refused),
    };
    return cmocka_run_group_tests_name("authenticate", tests, NULL, let_time_go_on);
}
