/* The inside of webhooks, for the files it is made of: webhook.c has the schemes, webhook_rule.c reads which one a
 * service uses, webhook_keys.c its public keys. Pure, any thread. */
#pragma once

#include <stdbool.h>

#include "net/webhook.h"

#define WEBHOOK_NAME_SIZE 128 /* of a header, with the end of the text */

struct webhook_check;

struct webhook_scheme {
    const char *name;
    enum webhook_verdict (*verify)(const struct webhook_check *check);
    bool needs_secrets, needs_header, needs_jwks;
    const char *header; /* where it is not said otherwise */
};

/* The scheme of that name; NULL when there is none, or no name. */
const struct webhook_scheme *webhook_scheme_find(const char *name);
/* Exactly `size` bytes of base64; false for anything else, and *ret is then anything. */
bool webhook_decode_exactly(struct text encoded, uint8_t *ret, size_t size) must_check;
