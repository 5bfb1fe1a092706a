/* The signing of callbacks by the Standard Webhooks scheme: v1, HMAC-SHA256 over "id.timestamp.body". Any thread. */
#pragma once

#include <stdbool.h>

#include "base/errors.h"
#include "base/text.h"
#include "store/callback.h"

/* Seconds for which the secret before goes on signing after a rotation: where nothing is said, and at the most. */
#define SIGNATURE_OVERLAP_S 86400
#define SIGNATURE_OVERLAP_MAX_S (7 * 86400)

/* A fresh secret: "whsec_" and base64 of 32 random bytes, terminated. */
void signature_secret_new(char ret[CALLBACK_SECRET_SIZE]);

/* "v1," and base64 of 32 bytes, for each secret, and a space or the end after it. */
#define SIGNATURE_SIZE ((size_t)CALLBACK_SECRETS_MAX * 48)

/* The value of the header webhook-signature: a signature by each of the secrets, a space between them. `message` is
 * "id.timestamp.body". ERR_CORRUPT: a secret is none, of 24 to 64 bytes. */
enum err signature_make(const struct callback_secret_row *secrets, unsigned count, struct text message,
                        char ret[SIGNATURE_SIZE]) must_check;
