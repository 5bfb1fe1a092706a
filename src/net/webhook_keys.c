/* The public keys that a service signs with, out of the JWK set that it publishes. */
#include <jansson.h>

#include "base/json.h"
#include "net/webhook_inside.h"

#define JWKS_DEPTH_MAX 8

static bool is_text(const json_t *object, const char *name, const char *expected) {
    const char *value = json_string_value(json_object_get(object, name));
    return value != NULL && strcmp(value, expected) == 0;
}

/* RFC 8037 section 2; a key that is for something else than signatures says so in `use` (RFC 7517 section 4.2). */
static bool read_key(const json_t *jwk, uint8_t ret[ED25519_KEY_SIZE]) {
    const char *x = json_string_value(json_object_get(jwk, "x"));
    if (!is_text(jwk, "kty", "OKP") || !is_text(jwk, "crv", "Ed25519") || x == NULL) {
        return false;
    }
    if (json_object_get(jwk, "use") != NULL && !is_text(jwk, "use", "sig")) {
        return false;
    }
    return webhook_decode_exactly(text_of(x), ret, ED25519_KEY_SIZE);
}

enum err webhook_public_keys_read(struct text jwks, struct webhook_public_keys *ret, struct fault *fault) {
    struct webhook_public_keys keys = { .count = 0 };
    json_t *set = NULL, *jwk = NULL;
    size_t at;

    enum err err = json_read_object(jwks, JWKS_DEPTH_MAX, &set, fault);
    if (err != OK) {
        return err;
    }
    json_array_foreach(json_object_get(set, "keys"), at, jwk) {
        if (keys.count < WEBHOOK_PUBLIC_KEYS_MAX && read_key(jwk, keys.keys[keys.count])) {
            keys.count++;
        }
    }
    json_decref(set);
    if (keys.count == 0) {
        return fault_set(fault, ERR_INVALID_JSON, "the key set has no Ed25519 key");
    }
    *ret = keys;
    return OK;
}
