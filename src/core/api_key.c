/* Makes, recognises and hashes API keys. */
#include "core/api_key.h"

#include <string.h>

#include "base/crypto.h"

#define RANDOM_BYTES 32
#define RANDOM_LENGTH 43

_Static_assert(API_KEY_HASH_SIZE == SHA256_SIZE, "a key's hash is its SHA-256");

static const struct text modes[] = {
    [API_KEY_LIVE] = TEXT("sk-live-"),
    [API_KEY_TEST] = TEXT("sk-test-"),
    [API_KEY_ADMIN] = TEXT("sk-admin-"),
};

void api_key_new(char ret[API_KEY_SIZE], enum api_key_kind kind) {
    uint8_t random[RANDOM_BYTES];

    crypto_random(random, sizeof random);
    memcpy(ret, modes[kind].ptr, modes[kind].len);
    base64url_encode(random, sizeof random, ret + modes[kind].len);
    explicit_bzero(random, sizeof random);
}

static const bool is_base64url[256] = {
    ['a' ... 'z'] = true, ['A' ... 'Z'] = true, ['0' ... '9'] = true, ['-'] = true, ['_'] = true,
};

bool api_key_claims(struct text key, enum api_key_kind *ret) {
    for (size_t kind = 0; kind < ARRAY_SIZE(modes); kind++) {
        if (key.len != modes[kind].len + RANDOM_LENGTH || !text_starts(key, modes[kind]))
            continue;
        *ret = (enum api_key_kind)kind;
        return true;
    }
    return false;
}

bool api_key_parse(struct text key, enum api_key_kind *ret) {
    enum api_key_kind kind;

    if (!api_key_claims(key, &kind))
        return false;
    for (size_t i = modes[kind].len; i < key.len; i++)
        if (!is_base64url[(unsigned char)key.ptr[i]])
            return false;
    *ret = kind;
    return true;
}

void api_key_hash(struct text key, uint8_t ret[API_KEY_HASH_SIZE]) {
    crypto_sha256(key, ret);
}

void api_key_prefix(const char *key, char ret[API_KEY_PREFIX_SIZE]) {
    memcpy(ret, key, API_KEY_PREFIX_SIZE - 1);
    ret[API_KEY_PREFIX_SIZE - 1] = '\0';
}
