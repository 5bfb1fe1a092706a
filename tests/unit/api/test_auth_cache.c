/* The cache of keys: found, stale, replaced, and used by many threads. */
#include "api/auth_cache.h"

#include <pthread.h>

#include "tests.h"

/* The name of a key, which is all that tells it from others. */
static struct text token_of(int number) {
    static _Thread_local char token[64];
    snprintf(token, sizeof token, "sk-live-%043d", number);
    return text_of(token);
}

static bool find(struct auth_cache *cache, int number, uint64_t generation, struct key_row *ret_key) {
    struct account_row account;
    return auth_cache_find(cache, token_of(number), generation, ret_key, &account) && account.id == 100 + number;
}

static void put(struct auth_cache *cache, int number, uint64_t generation) {
    struct key_row key = { .id = number, .account = 100 + number };
    struct account_row account = { .id = 100 + number };
    auth_cache_put(cache, token_of(number), generation, &key, &account);
}

static void what_was_put_is_found(void **state) {
    (void)state;
    struct auth_cache *cache = auth_cache_new();
    struct key_row key = { .id = -1 };

    assert_false(find(cache, 1, 7, &key));
    assert_int_equal(key.id, -1);
    put(cache, 1, 7);
    assert_true(find(cache, 1, 7, &key));
    assert_int_equal(key.id, 1);
    assert_false(find(cache, 2, 7, &key));
    auth_cache_free(cache);
}

static void another_generation_is_stale(void **state) {
    (void)state;
    struct auth_cache *cache = auth_cache_new();
    struct key_row key;

    put(cache, 1, 7);
    assert_false(find(cache, 1, 8, &key));
    assert_false(find(cache, 1, 6, &key));
    put(cache, 1, 8);
    assert_true(find(cache, 1, 8, &key));
    assert_false(find(cache, 1, 7, &key));
    auth_cache_free(cache);
}

static void the_cache_is_bounded_and_keeps_the_latest(void **state) {
    (void)state;
    struct auth_cache *cache = auth_cache_new();
    struct key_row key;
    int kept = 0;

    for (int number = 0; number < 20000; number++)
        put(cache, number, 1);
    assert_true(find(cache, 19999, 1, &key));
    for (int number = 0; number < 20000; number++)
        kept += find(cache, number, 1, &key);
    assert_true(kept >= 1000 && kept <= 2048);
    auth_cache_free(cache);
}

static void *use(void *context) {
    struct auth_cache *cache = context;
    struct key_row key;
    for (int i = 0; i < 2000; i++) {
        put(cache, i % 6, 1);
        if (find(cache, i % 5, 1, &key))
            assert_int_equal(key.account, 100 + key.id);
    }
    return NULL;
}

static void threads_share_it(void **state) {
    (void)state;
    struct auth_cache *cache = auth_cache_new();
    pthread_t threads[4];

    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use, cache), 0);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        pthread_join(threads[i], NULL);
    auth_cache_free(cache);
    auth_cache_free(NULL);
}

int run_auth_cache_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_found),
        cmocka_unit_test(another_generation_is_stale),
        cmocka_unit_test(the_cache_is_bounded_and_keeps_the_latest),
        cmocka_unit_test(threads_share_it),
    };
    return cmocka_run_group_tests_name("auth_cache", tests, NULL, NULL);
}
