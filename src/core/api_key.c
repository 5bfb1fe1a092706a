/* Makes, recognises and hashes API keys. */
#include "core/api_key.h"

#include <string.h>

#include "base/crypto.h"

#define RANDOM_BYTES 32
#define MODE_LENGTH 8 /* of "sk-live-" and "sk-test-" */

_Static_assert(API_KEY_HASH_SIZE == SHA256_SIZE, "a key's hash is its SHA-256");

static const struct text modes[] = { TEXT("sk-live-"), TEXT("sk-test-") };

void api_key_new(char ret[API_KEY_SIZE], bool test) {
    uint8_t random[RANDOM_BYTES];

    crypto_random(random, sizeof random);
    memcpy(ret, modes[test].ptr, MODE_LENGTH);
    base64url_encode(random, sizeof random, ret + MODE_LENGTH);
    explicit_bzero(random, sizeof random);
}

static bool is_base64url(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool api_key_parse(struct text key, bool *ret_test) {
    if (key.len != API_KEY_SIZE - 1)
        return false;
    for (size_t i = MODE_LENGTH; i < key.len; i++)
        if (!is_base64url(key.ptr[i]))
            return false;
    for (size_t test = 0; test < ARRAY_SIZE(modes); test++)
        if (text_starts(key, modes[test])) {
            *ret_test = test == 1;
            return true;
        }
    return false;
}

void api_key_hash(struct text key, uint8_t ret[API_KEY_HASH_SIZE]) {
    crypto_sha256(key, ret);
}

void api_key_prefix(const char *key, char ret[API_KEY_PREFIX_SIZE]) {
    memcpy(ret, key, API_KEY_PREFIX_SIZE - 1);
    ret[API_KEY_PREFIX_SIZE - 1] = '\0';
}
