/* Webhooks of services: whatever the headers, the body and the keys' document, only what was signed with the secret is
 * verified, and nothing about it but the bytes that are covered may change that.
 *
 *   the scheme's name, and what else decides: " s" signs the body first, so that headers are mutated around a good one
 *   headers, "name: value" a line, up to an empty one
 *   the body */
#include "net/webhook.h"

#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/json.h"
#include "fuzz.h"

#define NOW_S 1781080794
#define HEADERS_MAX 12
#define SECRET "whsec_dGVzdHNlY3JldHRlc3RzZWNyZXR0ZXN0c2VjcmV0MTI="
#define OTHER_SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

struct scheme {
    const char *name, *rule;
    struct webhook_rule read;
};
static struct scheme schemes[] = {
    { .name = "standard", .rule = "{\"scheme\":\"standard\"}" },
    { .name = "timestamped", .rule = "{\"scheme\":\"timestamped\",\"header\":\"x-signature\",\"version\":\"v0\"}" },
    { .name = "ed25519",
      .rule = "{\"scheme\":\"ed25519\",\"jwks\":\"https://keys.example/jwks.json\",\"header\":\"x-hook\"}" },
    { .name = "keyed", .rule = "{\"scheme\":\"keyed\"}" },
    { .name = "none", .rule = "{\"scheme\":\"none\"}" },
};
static json_t *rules;
static uint8_t public_key[crypto_sign_PUBLICKEYBYTES], private_key[crypto_sign_SECRETKEYBYTES];

void fuzz_begin(void) {
    static const uint8_t seed[crypto_sign_SEEDBYTES] = { 7 };
    rules = json_array();
    for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
        json_t *rule = json_loads(schemes[i].rule, 0, NULL);
        fuzz_hold(json_array_append_new(rules, rule) == 0);
        fuzz_hold(webhook_rule_read(rule, &schemes[i].read, NULL) == OK);
    }
    fuzz_hold(crypto_sign_seed_keypair(public_key, private_key, seed) == 0);
}

void fuzz_seeds(void) {
    static const char *const seeds[] = {
        "standard s\nwebhook-id: msg_1\nwebhook-timestamp: 1781080794\n\n{\"a\":1}",
        "standard\nwebhook-id: 9876543210\nwebhook-timestamp: 1781080794\nwebhook-signature: v1a,x v2,y "
        "v1,UsKlJP00XoQyOn410NM9xv34sP+Gl0jnOO9Lcpr7NJ4=\n\n{}",
        "timestamped s\nX-Other: 1\n\n{\"a\":1}",
        "timestamped\nx-signature: t=1781080794,v0=9e726f8635316a099c0089ec134a28c5ba583750dc9aa1e00913d2d8a763fcc0,v1=00\n"
        "\n{\"a\":1}",
        "ed25519 s\nx-hook-user-id: u\n\n{\"keys\":[]}",
        "ed25519\nX-Hook-Request-Id: r\nx-hook-user-id: u\nx-hook-timestamp: 1781080794\nx-hook-signature: 00ff\n\nbody",
        "keyed s\nX-Webhook-Timestamp: 1781080794\n\n{\"code\":200,\"data\":{\"task_id\":\"task-1\"}}",
        "none\n\n{}",
        "keys\n\n{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"},{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"use\":"
        "\"sig\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}",
        "rule\n\n{\"scheme\":\"keyed\",\"header\":\"x\",\"member\":\"a.b\",\"tolerance\":5}",
        NULL,
    };
    fuzz_seed_list("hook", seeds);
}

/* ---- good signatures, made by other code than what verifies ---- */

static void mac_of(struct text key, struct text covered, uint8_t ret[crypto_auth_hmacsha256_BYTES]) {
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, (const uint8_t *)key.ptr, key.len);
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)covered.ptr, covered.len);
    crypto_auth_hmacsha256_final(&state, ret);
}

struct signing {
    struct buffer text; /* what the headers point into */
    struct webhook_header headers[HEADERS_MAX];
    unsigned count;
};

static void add(struct signing *signing, const char *name, struct text value) {
    fuzz_hold(signing->count < HEADERS_MAX);
    signing->headers[signing->count++] = (struct webhook_header){ text_of(name), value };
}

static void sign_standard(struct signing *signing, struct text body) {
    struct buffer covered;
    uint8_t key[64], mac[32];
    size_t len;
    char encoded[48];
    fuzz_hold(base64_decode(TEXT("dGVzdHNlY3JldHRlc3RzZWNyZXR0ZXN0c2VjcmV0MTI="), key, sizeof(key), &len));
    buffer_init(&covered, 1 << 24);
    buffer_put(&covered, TEXT("id.1781080794."));
    buffer_put(&covered, body);
    mac_of((struct text){ (char *)key, len }, buffer_text(&covered), mac);
    buffer_fini(&covered);
    sodium_bin2base64(encoded, sizeof(encoded), mac, sizeof(mac), sodium_base64_VARIANT_ORIGINAL);
    buffer_printf(&signing->text, "v1,%s", encoded);
    add(signing, "webhook-id", TEXT("id"));
    add(signing, "webhook-timestamp", TEXT("1781080794"));
    add(signing, "webhook-signature", buffer_text(&signing->text));
}

static void sign_timestamped(struct signing *signing, struct text body) {
    struct buffer covered;
    uint8_t mac[32];
    char hex[65];
    buffer_init(&covered, 1 << 24);
    buffer_put(&covered, TEXT("1781080794."));
    buffer_put(&covered, body);
    mac_of(TEXT(SECRET), buffer_text(&covered), mac);
    buffer_fini(&covered);
    sodium_bin2hex(hex, sizeof(hex), mac, sizeof(mac));
    buffer_printf(&signing->text, "t=1781080794,v0=%s", hex);
    add(signing, "x-signature", buffer_text(&signing->text));
}

static void sign_ed25519(struct signing *signing, struct text body) {
    uint8_t hash[32], signature[64];
    char hex[65], message[256], signature_hex[129];
    crypto_hash_sha256(hash, (const uint8_t *)body.ptr, body.len);
    sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
    int len = snprintf(message, sizeof(message), "request\nuser\n1781080794\n%s", hex);
    crypto_sign_detached(signature, NULL, (const uint8_t *)message, (unsigned long long)len, private_key);
    sodium_bin2hex(signature_hex, sizeof(signature_hex), signature, sizeof(signature));
    buffer_put(&signing->text, text_of(signature_hex));
    add(signing, "x-hook-request-id", TEXT("request"));
    add(signing, "x-hook-user-id", TEXT("user"));
    add(signing, "x-hook-timestamp", TEXT("1781080794"));
    add(signing, "x-hook-signature", buffer_text(&signing->text));
}

/* False: there is no way to sign it. */
static bool sign(const char *scheme, struct signing *signing, struct text body) {
    buffer_init(&signing->text, 1024);
    signing->count = 0;
    if (strcmp(scheme, "standard") == 0) {
        sign_standard(signing, body);
    } else if (strcmp(scheme, "timestamped") == 0) {
        sign_timestamped(signing, body);
    } else if (strcmp(scheme, "ed25519") == 0) {
        sign_ed25519(signing, body);
    }
    return signing->count > 0;
}

/* ---- what has to be true ---- */

static enum webhook_verdict verify(const struct scheme *scheme, const struct webhook_header *headers, unsigned count,
                                   struct text body, const char *secret, int64_t now_s) {
    static struct webhook_public_keys public_keys;
    public_keys.count = 1;
    memcpy(public_keys.keys[0], public_key, sizeof(public_key));
    if (strcmp(secret, SECRET) != 0) {
        public_keys.keys[0][0] ^= 1;
    }
    const struct webhook webhook = { headers, count, body };
    const struct webhook_keys keys = { .secrets = &secret, .secret_count = 1, .public_keys = &public_keys };
    enum webhook_verdict verdict = webhook_verify(&scheme->read, &webhook, &keys, now_s * 1000);
    fuzz_hold(verdict == webhook_verify(&scheme->read, &webhook, &keys, now_s * 1000));
    return verdict;
}

/* A body signed well is verified, at its time, with its keys; and not as soon as any of it is something else. */
static void hold_signed(const struct scheme *scheme, struct text body) {
    struct signing signing;
    if (sign(scheme->name, &signing, body)) {
        const struct webhook_header *headers = signing.headers;
        fuzz_hold(verify(scheme, headers, signing.count, body, SECRET, NOW_S) == WEBHOOK_VERIFIED);
        fuzz_hold(verify(scheme, headers, signing.count, body, OTHER_SECRET, NOW_S) == WEBHOOK_FORGED);
        fuzz_hold(verify(scheme, headers, signing.count, body, SECRET, NOW_S + 301) == WEBHOOK_STALE);
        if (body.len > 0) {
            char *other = fuzz_copy(body);
            other[body.len / 2] ^= 1;
            fuzz_hold(verify(scheme, headers, signing.count, (struct text){ other, body.len }, SECRET, NOW_S) ==
                      WEBHOOK_FORGED);
            fuzz_hold(verify(scheme, headers, signing.count, (struct text){ body.ptr, body.len - 1 }, SECRET, NOW_S) ==
                      WEBHOOK_FORGED);
            free(other);
        }
    }
    buffer_fini(&signing.text);
}

/* Headers out of the input: a signature can be in them only by chance. */
static void hold_unsigned(const struct scheme *scheme, struct text headers, struct text body) {
    struct webhook_header list[HEADERS_MAX] = { { TEXT_NONE, TEXT_NONE } };
    unsigned count = 0;
    while (headers.len > 0 && count < HEADERS_MAX) {
        struct text value = fuzz_line(&headers);
        struct text name = text_cut(&value, ':');
        list[count++] = (struct webhook_header){ name, text_trim(value) };
    }
    enum webhook_verdict verdict = verify(scheme, list, count, body, SECRET, NOW_S);
    fuzz_hold(verdict != WEBHOOK_VERIFIED, "%s", scheme->name);
    fuzz_hold(count > 0 || strcmp(scheme->name, "none") == 0 || verdict == WEBHOOK_UNSIGNED);
}

static void read_keys(struct text body) {
    struct webhook_public_keys keys = { .count = 77 };
    struct fault fault = { .err = OK };
    enum err err = webhook_public_keys_read(body, &keys, &fault);
    if (err != OK) {
        fuzz_hold_fault(err, &fault);
        fuzz_hold(keys.count == 77);
    } else {
        fuzz_hold(keys.count > 0 && keys.count <= WEBHOOK_PUBLIC_KEYS_MAX);
    }
}

static void read_rule(struct text body) {
    struct webhook_rule rule;
    struct fault fault = { .err = OK };
    json_t *value = NULL;
    if (json_read_any(body, 16, &value, NULL) == OK) {
        enum err err = webhook_rule_read(value, &rule, &fault);
        if (err != OK) {
            fuzz_hold_fault(err, &fault);
        } else {
            fuzz_hold(rule.scheme != NULL && rule.tolerance_s >= 1);
            fuzz_hold(!webhook_has_public_keys(&rule) || rule.jwks != NULL);
        }
    }
    json_decref(value);
}

void fuzz_one(struct text input) {
    struct text what = fuzz_line(&input);
    struct text name = text_cut(&what, ' ');
    const char *end = memmem(input.ptr, input.len, "\n\n", 2);
    struct text headers = { input.ptr, end != NULL ? (size_t)(end - input.ptr) : 0 };
    struct text body = end != NULL ? (struct text){ end + 2, input.len - headers.len - 2 } : input;
    for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
        if (text_equal(name, text_of(schemes[i].name))) {
            if (what.len > 0) {
                hold_signed(&schemes[i], body);
            } else {
                hold_unsigned(&schemes[i], headers, body);
            }
        }
    }
    if (text_equal(name, TEXT("keys"))) {
        read_keys(body);
    } else if (text_equal(name, TEXT("rule"))) {
        read_rule(body);
    }
}
