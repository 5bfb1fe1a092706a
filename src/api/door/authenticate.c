/* Reads the bearer token and finds its key, in the cache or the store. */
#include "api/door/authenticate.h"

#include "api/door/auth_cache.h"
#include "base/clock.h"
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

/* Of either kind. In the cache an operator's key is one of account 0; the forms of the two differ, so neither is found for the
 * other. */
static enum err look_up(struct store *store, struct auth_cache *cache, struct text token, const struct known_key **ret,
                        struct fault *fault) {
    uint64_t generation = store_generation(store); /* before the look-up: a change meanwhile makes the entry stale */
    uint8_t hash[KEY_HASH_SIZE];
    enum api_key_kind kind;

    *ret = auth_cache_find(cache, token, generation);
    if (*ret != NULL)
        return OK;
    if (!api_key_parse(token, &kind))
        return invalid(fault);
    struct known_key read = { .key = { .id = 0 } };
    api_key_hash(token, hash);
    enum err err = kind == API_KEY_ADMIN ? store_find_admin_key(store, hash, &read.key)
                                         : store_find_key(store, hash, &read.key, &read.account);
    if (err == ERR_NOT_FOUND)
        return invalid(fault);
    if (err != OK)
        return fault_set(fault, err, "The key cannot be looked up.");
    *ret = auth_cache_put(cache, token, generation, &read);
    return OK;
}

static enum err check_times(const struct key_row *key, struct fault *fault) {
    if (key->revoked_ms != 0)
        return invalid(fault);
    if (key->expires_ms != 0 && clock_wall_ms() >= key->expires_ms)
        return fault_set(fault, ERR_EXPIRED_API_KEY, "The API key has expired.");
    return OK;
}

enum err authenticate(struct store *store, struct auth_cache *cache, struct text header, struct key_row *ret_key,
                      struct account_row *ret_account, struct fault *fault) {
    const struct known_key *known = NULL;
    struct text token = TEXT_NONE;
    enum api_key_kind kind;

    enum err err = bearer_token(header, &token, fault);
    if (err != OK)
        return err;
    if (!api_key_claims(token, &kind))
        return invalid(fault);
    if (kind == API_KEY_ADMIN)
        return !api_key_parse(token, &kind)
                   ? invalid(fault)
                   : fault_set(fault, ERR_ADMIN_KEY, "This is an operator's key; it opens /admin/v1 and nothing else.");
    err = look_up(store, cache, token, &known, fault);
    if (err != OK)
        return err;
    err = check_times(&known->key, fault);
    if (err != OK)
        return err;
    if (known->account.suspended_ms != 0)
        return fault_set(fault, ERR_ACCOUNT_SUSPENDED,
                         "The account is suspended; tasks that it has submitted go on. Ask the operator of this service.");
    *ret_key = known->key;
    *ret_account = known->account;
    return OK;
}

enum err authenticate_admin(struct store *store, struct auth_cache *cache, struct text header, struct key_row *ret,
                            struct fault *fault) {
    const struct known_key *known = NULL;
    struct text token = TEXT_NONE;
    enum api_key_kind kind;

    enum err err = bearer_token(header, &token, fault);
    if (err != OK)
        return err;
    if (!api_key_claims(token, &kind))
        return invalid(fault);
    if (kind != API_KEY_ADMIN) { /* who has no valid key at all hears that first */
        struct account_row account;
        struct key_row key;
        err = authenticate(store, cache, header, &key, &account, fault);
        return err != OK ? err : fault_set(fault, ERR_NOT_ADMIN, "This needs an operator's key (sk-admin-…).");
    }
    err = look_up(store, cache, token, &known, fault);
    if (err == OK)
        err = check_times(&known->key, fault);
    if (err != OK)
        return err;
    *ret = known->key;
    return OK;
}
