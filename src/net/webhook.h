/* Whether a webhook really comes from the service that it names, by the scheme that the service signs with.
 *
 *   standard     Standard Webhooks: webhook-id, webhook-timestamp, webhook-signature ("v1,…", "v1a,…", several with
 *                spaces between) over "id.timestamp.body"
 *   timestamped  one header "t=…,v1=…" with hex over "t.body"
 *   ed25519      four headers with a common prefix, hex over "request id\nuser id\ntimestamp\nhex(sha256(body))"; the
 *                public keys are a JWK set (RFC 8037)
 *   keyed        two headers with a common prefix, base64 over "member of the body.timestamp": the body is not covered
 *   none         nothing
 *
 * Pure, any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/crypto.h"
#include "base/errors.h"
#include "base/text.h"

struct json_t;
struct webhook_scheme;

/* How a service signs: the table `signature` of its adapter, { scheme = "…", … }. */
struct webhook_rule {
    const struct webhook_scheme *scheme;
    const char *header;  /* timestamped: its name; ed25519, keyed: what the names begin with */
    const char *version; /* timestamped: of the signatures that count, "v1" */
    const char *member;  /* keyed: path of the signed member of the body, "data.task_id" */
    const char *jwks;    /* ed25519: URL of the public keys */
    int64_t tolerance_s; /* between their clock and ours */
};

/* Texts of *ret are those of `signature`; NULL is { scheme = "none" }. ERR_SCRIPT, with the member at fault: an unknown
 * scheme or member, one that is missing, a wrong type. */
enum err webhook_rule_read(const struct json_t *signature, struct webhook_rule *ret, struct fault *fault) must_check;
/* Whether the public keys must be fetched to verify anything. */
bool webhook_has_public_keys(const struct webhook_rule *rule);

struct webhook_header {
    struct text name; /* either case */
    struct text value;
};

/* As it came. */
struct webhook {
    const struct webhook_header *headers; /* of one that comes twice the first counts */
    unsigned header_count;
    struct text body;
};

#define WEBHOOK_PUBLIC_KEYS_MAX 16
struct webhook_public_keys {
    uint8_t keys[WEBHOOK_PUBLIC_KEYS_MAX][ED25519_KEY_SIZE];
    unsigned count;
};
/* Takes the Ed25519 keys out of a JWK set and leaves the others; more than fit are left out too. ERR_INVALID_JSON: it is
 * none, or has no such key. */
enum err webhook_public_keys_read(struct text jwks, struct webhook_public_keys *ret, struct fault *fault) must_check;

/* What a signature may have been made with: any one that fits will do. */
struct webhook_keys {
    /* "whsec_" and base64, "whpk_" and a public key in base64, or the bytes themselves */
    const char *const *secrets;
    unsigned secret_count;
    const struct webhook_public_keys *public_keys; /* NULL: none are known */
};

enum webhook_verdict {
    WEBHOOK_VERIFIED, /* signed, the body too */
    WEBHOOK_HINT,     /* nothing speaks against it, but nothing vouches for its body: the scheme does not cover it, or no
                       * secret is known to check with */
    WEBHOOK_FORGED,   /* no key fits, or it cannot be read */
    WEBHOOK_STALE,    /* too old, or from the future; the signature was not looked at */
    WEBHOOK_UNSIGNED, /* a header is missing */
};

/* `now_ms` is wall time. Compares in constant time. */
enum webhook_verdict webhook_verify(const struct webhook_rule *rule, const struct webhook *webhook,
                                    const struct webhook_keys *keys, int64_t now_ms) must_check;
