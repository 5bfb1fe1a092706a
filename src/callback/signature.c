/* Secrets and signatures. */
#include "callback/signature.h"

#include <assert.h>

#include "base/crypto.h"

#define PREFIX "whsec_"
#define SECRET_BYTES 32
#define SECRET_BYTES_MIN 24
#define SECRET_BYTES_MAX 64

void signature_secret_new(char ret[CALLBACK_SECRET_SIZE]) {
    uint8_t bytes[SECRET_BYTES];
    crypto_random(bytes, sizeof(bytes));
    assert(strlen(PREFIX) + base64_encoded_size(sizeof(bytes)) <= CALLBACK_SECRET_SIZE);
    /* NOLINTNEXTLINE(bugprone-not-null-terminated-result): what follows is terminated */
    memcpy(ret, PREFIX, strlen(PREFIX));
    base64_encode(bytes, sizeof(bytes), ret + strlen(PREFIX));
    explicit_bzero(bytes, sizeof(bytes));
}

static bool read_secret(struct text secret, uint8_t ret[SECRET_BYTES_MAX], size_t *ret_count) {
    if (!text_starts(secret, TEXT(PREFIX)))
        return false;
    secret = (struct text){ secret.ptr + strlen(PREFIX), secret.len - strlen(PREFIX) };
    return base64_decode(secret, ret, SECRET_BYTES_MAX, ret_count) && *ret_count >= SECRET_BYTES_MIN;
}

/* Appends a signature at ret, and returns its length. */
static size_t sign(const uint8_t *key, size_t key_size, struct text message, char *ret) {
    uint8_t mac[SHA256_SIZE];
    crypto_hmac_sha256((struct text){ (const char *)key, key_size }, message, mac);
    /* NOLINTNEXTLINE(bugprone-not-null-terminated-result): as above */
    memcpy(ret, "v1,", 3);
    base64_encode(mac, sizeof(mac), ret + 3);
    return 3 + strlen(ret + 3);
}

enum err signature_make(const struct callback_secret_row *secrets, unsigned count, struct text message,
                        char ret[SIGNATURE_SIZE]) {
    uint8_t key[SECRET_BYTES_MAX];
    size_t key_size = 0, at = 0;
    assert(count >= 1 && count <= CALLBACK_SECRETS_MAX);
    for (unsigned i = 0; i < count; i++) {
        if (!read_secret(text_of(secrets[i].secret), key, &key_size))
            return ERR_CORRUPT;
        if (i > 0)
            ret[at++] = ' ';
        at += sign(key, key_size, message, ret + at);
        explicit_bzero(key, sizeof(key));
    }
    assert(at < SIGNATURE_SIZE);
    return OK;
}
