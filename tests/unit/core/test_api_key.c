/* API keys: their form, what is refused, what is kept of them. */
#include "core/api_key.h"

#include "base/crypto.h"
#include "tests.h"

static void new_keys_have_the_form(void **state) {
    (void)state;
    static const struct text modes[] = { TEXT("sk-live-"), TEXT("sk-test-"), TEXT("sk-admin-") };
    for (enum api_key_kind kind = API_KEY_LIVE; kind <= API_KEY_ADMIN; kind++) {
        char key[API_KEY_SIZE], other[API_KEY_SIZE], prefix[API_KEY_PREFIX_SIZE];
        enum api_key_kind parsed = API_KEY_ADMIN - kind;
        api_key_new(key, kind);
        api_key_new(other, kind);
        assert_string_not_equal(key, other);
        assert_int_equal(strlen(key), modes[kind].len + 43);
        assert_true(text_starts(text_of(key), modes[kind]));
        assert_true(api_key_parse(text_of(key), &parsed));
        assert_int_equal(parsed, kind);
        api_key_prefix(key, prefix);
        assert_int_equal(strlen(prefix), API_KEY_PREFIX_SIZE - 1);
        assert_true(text_starts(text_of(key), text_of(prefix)));
    }
}

static void anything_else_is_refused(void **state) {
    (void)state;
    enum api_key_kind untouched = API_KEY_TEST;
    static const struct text bad[] = {
        TEXT_NONE,
        TEXT("sk-live-"),
        TEXT("sk-live-FAKEfakeFAKEfakeFAKEfakeFAKEfakeFAKEfakeFA"),
        TEXT("sk-live-FAKEfakeFAKEfakeFAKEfakeFAKEfakeFAKEfakeFAKE"),
        TEXT("sk-admin-FAKEfakeFAKEfakeFAKEfakeFAKEfakeFAKEfakeFA"),
        TEXT("sk-admin-FAKEfakeFAKEfakeFAKEfakeFAKEfakeFAKEfakeFAKE"),
        TEXT("sk-prod-FAKEfakeFAKEfakeFAKEfakeFAKEfakeFAKEfakeFAK"),
        TEXT("SK-live-FAKEfakeFAKEfakeFAKEfakeFAKEfakeFAKEfakeFAK"),
        TEXT("sk-live-FAKEfakeFAKEfakeFAKEfakeFAKEfakeFAKEfakeFA="),
        TEXT("sk-live-FAKEfakeFAKEfakeFAKEfakeFAKEfakeFAKEfake FA"),
        TEXT("sk-live-FAKEfakeFAKEfakeFAKEfakeFAKEfakeFAKEfake\0FA"),
        TEXT("sk-live-FAKEfakeFAKEfakeFAKEfakeFAKEfakeFAKEfake/FA"),
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_false(api_key_parse(bad[i], &untouched));
    }
    assert_int_equal(untouched, API_KEY_TEST);
    for (size_t i = 0; i < 8; i++) {
        assert_false(api_key_claims(bad[i], &untouched)); /* by start and length */
    }
    assert_int_equal(untouched, API_KEY_TEST);
    for (size_t i = 8; i < ARRAY_SIZE(bad); i++) {
        assert_true(api_key_claims(bad[i], &untouched));
        assert_int_equal(untouched, API_KEY_LIVE);
    }
    assert_true(api_key_parse(TEXT("sk-live-FAKEfakeFAKEfakeFAKEfakeFAKEfakeFAKEfake-_0"), &untouched));
    assert_int_equal(untouched, API_KEY_LIVE);
}

static void the_hash_is_of_the_whole_key(void **state) {
    (void)state;
    uint8_t hash[API_KEY_HASH_SIZE];
    char hex[2 * API_KEY_HASH_SIZE + 1];
    api_key_hash(TEXT("abc"), hash);
    hex_encode(hash, sizeof(hash), hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

int test_api_key(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_keys_have_the_form),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(the_hash_is_of_the_whole_key),
    };
    return cmocka_run_group_tests_name("core/api_key", tests, NULL, NULL);
}
