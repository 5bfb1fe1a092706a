/* Reads the bearer token and finds its key, in the cache or the store. */
#include "api/authenticate.h"

#include "api/auth_cache.h"
#include "core/api_key.h"
#include "store/store.h"

_Static_assert(API_KEY_HASH_SIZE == KEY_HASH_SIZE && API_KEY_PREFIX_SIZE == KEY_PREFIX_SIZE,
               "a row holds a key's hash and prefix");

static enum err invalid(struct fault *fault) {
    return fault_set(fault, ERR_INVALID_API_KEY, "The API key is not valid.");
}

enum err bearer_token(struct text header, struct text *ret, struct fault *fault) {
    static const struct text scheme = TEXT("Bearer");

    header = text_trim(header); /* RFC 9110, 5.5: white space around a field's value is no part of it */
    if (header.len == 0)
        return fault_set(fault, ERR_MISSING_API_KEY, "Send your API key in the header 'Authorization: Bearer <key>'.");
    if (header.len < scheme.len || !text_equal_nocase((struct text){ header.ptr, scheme.len }, scheme) ||
        (header.len > scheme.len && header.ptr[scheme.len] != ' '))
        return fault_set(fault, ERR_INVALID_API_KEY, "The Authorization header is not of the form 'Bearer <key>'.");
    struct text token = text_trim((struct text){ header.ptr + scheme.len, header.len - scheme.len });
    if (token.len == 0)
        return fault_set(fault, ERR_MISSING_API_KEY, "The Authorization header holds no key.");
    *ret = token;
    return OK;
}

static enum err look_up(struct store *store, struct auth_cache *cache, const uint8_t hash[KEY_HASH_SIZE],
                        struct key_row *ret_key, struct account_row *ret_account, struct fault *fault) {
    uint64_t generation = store_generation(store); /* before the look-up: a change meanwhile makes the entry stale */

    if (auth_cache_find(cache, hash, generation, ret_key, ret_account))
        return OK;
    enum err err = store_find_key(store, hash, ret_key, ret_account);
    if (err == ERR_NOT_FOUND)
        return invalid(fault);
    if (err != OK)
        return fault_set(fault, err, "The key cannot be looked up.");
    auth_cache_put(cache, generation, ret_key, ret_account);
    return OK;
}

enum err authenticate(struct store *store, struct auth_cache *cache, struct text header, int64_t now_ms,
                      struct key_row *ret_key, struct account_row *ret_account, struct fault *fault) {
    struct key_row key = { .id = 0 };
    struct account_row account = { .id = 0 };
    struct text token = TEXT_NONE;
    uint8_t hash[KEY_HASH_SIZE];
    bool test;

    enum err err = bearer_token(header, &token, fault);
    if (err != OK)
        return err;
    if (!api_key_parse(token, &test))
        return invalid(fault);
    api_key_hash(token, hash);
    err = look_up(store, cache, hash, &key, &account, fault);
    if (err != OK)
        return err;
    if (key.revoked_ms != 0)
        return invalid(fault);
    if (key.expires_ms != 0 && now_ms >= key.expires_ms)
        return fault_set(fault, ERR_EXPIRED_API_KEY, "The API key has expired.");
    *ret_key = key;
    *ret_account = account;
    return OK;
}
