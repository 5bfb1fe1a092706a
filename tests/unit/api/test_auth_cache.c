/* The cache of keys: found, stale, replaced. */
#include "api/door/auth_cache.h"

#include "tests.h"

/* The name of a key, which is all that tells it from others. */
static struct text token_of(int number) {
    static _Thread_local char token[64];
    snprintf(token, sizeof token, "sk-live-%043d", number);
    return text_of(token);
}

static bool find(struct auth_cache *cache, int number, uint64_t generation) {
    const struct known_key *known = auth_cache_find(cache, token_of(number), generation);
    return known != NULL && known->key.id == number && known->account.id == 100 + number;
}

static void put(struct auth_cache *cache, int number, uint64_t generation) {
    const struct known_key known = { .key = { .id = number, .account = 100 + number },
                                     .account = { .id = 100 + number } };
    const struct known_key *kept = auth_cache_put(cache, token_of(number), generation, &known);
    assert_ptr_not_equal(kept, &known);
    assert_int_equal(kept->key.id, number);
}

static void what_was_put_is_found(void **state) {
    (void)state;
    struct auth_cache *cache = auth_cache_new();

    assert_false(find(cache, 1, 7));
    put(cache, 1, 7);
    assert_true(find(cache, 1, 7));
    assert_false(find(cache, 2, 7));
    auth_cache_free(cache);
}

static void another_generation_is_stale(void **state) {
    (void)state;
    struct auth_cache *cache = auth_cache_new();

    put(cache, 1, 7);
    assert_false(find(cache, 1, 8));
    assert_false(find(cache, 1, 6));
    put(cache, 1, 8);
    assert_true(find(cache, 1, 8));
    assert_false(find(cache, 1, 7));
    auth_cache_free(cache);
}

static void the_cache_is_bounded_and_keeps_the_latest(void **state) {
    (void)state;
    struct auth_cache *cache = auth_cache_new();
    int kept = 0;

    for (int number = 0; number < 20000; number++)
        put(cache, number, 1);
    assert_true(find(cache, 19999, 1));
    for (int number = 0; number < 20000; number++)
        kept += find(cache, number, 1);
    assert_true(kept >= 1000 && kept <= 2048);
    auth_cache_free(cache);
    auth_cache_free(NULL);
}

int run_auth_cache_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_found),
        cmocka_unit_test(another_generation_is_stale),
        cmocka_unit_test(the_cache_is_bounded_and_keeps_the_latest),
    };
    return cmocka_run_group_tests_name("auth_cache", tests, NULL, NULL);
}
