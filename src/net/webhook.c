/* The schemes as one table, each a function over the same few words: find headers, check the time, cover, compare. */
#include "net/webhook_inside.h"

#include <jansson.h>

#include "base/buffer.h"
#include "base/json.h"

#define TIMESTAMP_MAX_S 99999999999 /* far enough, and no sum of these overflows */
#define SIGNATURES_MAX 16           /* looked at in one header */
#define COVERED_BESIDE_BODY 65536
#define SECRET_MAX 512
#define BODY_DEPTH_MAX 64

/* One verification under way. */
struct webhook_check {
    const struct webhook_rule *rule;
    const struct webhook *webhook;
    const struct webhook_keys *keys;
    int64_t now_ms;
};

/* ---- words of all schemes ---- */

static struct text find_header(const struct webhook_check *check, struct text name) {
    for (unsigned i = 0; i < check->webhook->header_count; i++) {
        if (text_equal_nocase(check->webhook->headers[i].name, name)) {
            return check->webhook->headers[i].value;
        }
    }
    return TEXT_NONE;
}

/* The header "prefix-suffix". */
static struct text find_prefixed(const struct webhook_check *check, const char *suffix) {
    char name[WEBHOOK_NAME_SIZE];
    int len = snprintf(name, sizeof(name), "%s-%s", check->rule->header, suffix);
    return len > 0 && (size_t)len < sizeof(name) ? find_header(check, text_of(name)) : TEXT_NONE;
}

static enum webhook_verdict check_time(const struct webhook_check *check, struct text timestamp) {
    int64_t at_s = 0, now_s = check->now_ms / 1000;
    if (!text_to_i64(timestamp, &at_s) || at_s < 0 || at_s > TIMESTAMP_MAX_S) {
        return WEBHOOK_FORGED;
    }
    int64_t apart_s = now_s > at_s ? now_s - at_s : at_s - now_s;
    return apart_s <= check->rule->tolerance_s ? WEBHOOK_VERIFIED : WEBHOOK_STALE;
}

/* The parts with `separator` between them. */
static void cover(struct buffer *buf, const struct text *parts, size_t count, char separator) {
    size_t body = parts[count - 1].len;
    buffer_init(buf, body + COVERED_BESIDE_BODY);
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            buffer_put_char(buf, separator);
        }
        buffer_put(buf, parts[i]);
    }
}

static bool same_mac(struct text key, struct text covered, const uint8_t mac[SHA256_SIZE]) {
    uint8_t expected[SHA256_SIZE];
    crypto_hmac_sha256(key, covered, expected);
    return crypto_equal(expected, mac, sizeof(expected));
}

/* A MAC by any of the secrets as they are. */
static bool any_secret_made(const struct webhook_check *check, struct text covered, const uint8_t mac[SHA256_SIZE]) {
    for (unsigned i = 0; i < check->keys->secret_count; i++) {
        if (same_mac(text_of(check->keys->secrets[i]), covered, mac)) {
            return true;
        }
    }
    return false;
}

bool webhook_decode_exactly(struct text encoded, uint8_t *ret, size_t size) {
    size_t len = 0;
    return base64_decode(encoded, ret, size, &len) && len == size;
}

static enum webhook_verdict verdict_of(bool good) {
    return good ? WEBHOOK_VERIFIED : WEBHOOK_FORGED;
}

/* ---- standard ---- */

/* Takes `prefix` off the start of *t. */
static bool take(struct text *t, struct text prefix) {
    if (!text_starts(*t, prefix)) {
        return false;
    }
    *t = (struct text){ t->ptr + prefix.len, t->len - prefix.len };
    return true;
}

static bool fits_public_key(struct text encoded, struct text covered, struct text signature) {
    uint8_t key[ED25519_KEY_SIZE], bytes[ED25519_SIGNATURE_SIZE];
    return take(&signature, TEXT("v1a,")) && webhook_decode_exactly(signature, bytes, sizeof(bytes)) &&
           webhook_decode_exactly(encoded, key, sizeof(key)) && crypto_ed25519_verify(key, covered, bytes);
}

/* `secret` is one of the configured, `signature` one of the header's. */
static bool fits_standard(struct text secret, struct text covered, struct text signature) {
    uint8_t bytes[SECRET_MAX], mac[SHA256_SIZE];
    size_t len = 0;

    if (take(&secret, TEXT("whpk_"))) {
        return fits_public_key(secret, covered, signature);
    }
    if (!take(&signature, TEXT("v1,")) || !webhook_decode_exactly(signature, mac, sizeof(mac))) {
        return false;
    }
    if (!take(&secret, TEXT("whsec_"))) {
        return same_mac(secret, covered, mac);
    }
    return base64_decode(secret, bytes, sizeof(bytes), &len) && len > 0 &&
           same_mac((struct text){ (const char *)bytes, len }, covered, mac);
}

static bool any_standard(const struct webhook_check *check, struct text covered, struct text signatures) {
    for (unsigned tried = 0; signatures.len > 0 && tried < SIGNATURES_MAX; tried++) {
        struct text signature = text_cut(&signatures, ' ');
        for (unsigned i = 0; i < check->keys->secret_count; i++) {
            if (fits_standard(text_of(check->keys->secrets[i]), covered, signature)) {
                return true;
            }
        }
    }
    return false;
}

static enum webhook_verdict verify_standard(const struct webhook_check *check) {
    struct text parts[] = { find_header(check, TEXT("webhook-id")), find_header(check, TEXT("webhook-timestamp")),
                            check->webhook->body };
    struct text signatures = find_header(check, TEXT("webhook-signature"));
    struct buffer covered;

    if (parts[0].len == 0 || parts[1].len == 0 || signatures.len == 0) {
        return WEBHOOK_UNSIGNED;
    }
    if (text_find(parts[0], '.') < parts[0].len) { /* it could be moved between id and timestamp */
        return WEBHOOK_FORGED;
    }
    enum webhook_verdict verdict = check_time(check, parts[1]);
    if (verdict != WEBHOOK_VERIFIED) {
        return verdict;
    }
    cover(&covered, parts, ARRAY_SIZE(parts), '.');
    verdict = verdict_of(buffer_ok(&covered) && any_standard(check, buffer_text(&covered), signatures));
    buffer_fini(&covered);
    return verdict;
}

/* ---- timestamped ---- */

struct stamps {
    struct text at;
    struct text signatures[SIGNATURES_MAX];
    unsigned count;
};

/* "t=…,v1=…,v1=…" and members that mean nothing here. */
static bool read_stamps(struct text header, struct text version, struct stamps *ret) {
    *ret = (struct stamps){ .count = 0 };
    while (header.len > 0) {
        struct text value = text_trim(text_cut(&header, ','));
        struct text name = text_cut(&value, '=');
        if (text_equal(name, TEXT("t"))) {
            if (ret->at.ptr != NULL) {
                return false; /* which one was signed? */
            }
            ret->at = value;
        } else if (text_equal(name, version) && ret->count < SIGNATURES_MAX) {
            ret->signatures[ret->count++] = value;
        }
    }
    return ret->at.len > 0 && ret->count > 0;
}

static bool any_stamp(const struct webhook_check *check, struct text covered, const struct stamps *stamps) {
    uint8_t mac[SHA256_SIZE];
    for (unsigned i = 0; i < stamps->count; i++) {
        if (hex_decode(stamps->signatures[i], mac, sizeof(mac)) && any_secret_made(check, covered, mac)) {
            return true;
        }
    }
    return false;
}

static enum webhook_verdict verify_timestamped(const struct webhook_check *check) {
    struct text header = find_header(check, text_of(check->rule->header));
    struct stamps stamps;
    struct buffer covered;

    if (header.len == 0) {
        return WEBHOOK_UNSIGNED;
    }
    if (!read_stamps(header, text_of(check->rule->version), &stamps)) {
        return WEBHOOK_FORGED;
    }
    enum webhook_verdict verdict = check_time(check, stamps.at);
    if (verdict != WEBHOOK_VERIFIED) {
        return verdict;
    }
    struct text parts[] = { stamps.at, check->webhook->body };
    cover(&covered, parts, ARRAY_SIZE(parts), '.');
    verdict = verdict_of(buffer_ok(&covered) && any_stamp(check, buffer_text(&covered), &stamps));
    buffer_fini(&covered);
    return verdict;
}

/* ---- ed25519 ---- */

static bool any_public_key_made(const struct webhook_check *check, struct text covered, struct text hex) {
    const struct webhook_public_keys *public_keys = check->keys->public_keys;
    uint8_t signature[ED25519_SIGNATURE_SIZE];

    if (public_keys == NULL || !hex_decode(hex, signature, sizeof(signature))) {
        return false;
    }
    for (unsigned i = 0; i < public_keys->count; i++) {
        if (crypto_ed25519_verify(public_keys->keys[i], covered, signature)) {
            return true;
        }
    }
    return false;
}

static enum webhook_verdict verify_ed25519(const struct webhook_check *check) {
    uint8_t digest[SHA256_SIZE];
    char hex[SHA256_HEX_SIZE];
    struct text signature = find_prefixed(check, "signature");
    struct text parts[] = { find_prefixed(check, "request-id"), find_prefixed(check, "user-id"),
                            find_prefixed(check, "timestamp"), { hex, SHA256_HEX_SIZE - 1 } };
    struct buffer covered;

    if (parts[0].len == 0 || parts[1].len == 0 || parts[2].len == 0 || signature.len == 0) {
        return WEBHOOK_UNSIGNED;
    }
    enum webhook_verdict verdict = check_time(check, parts[2]);
    if (verdict != WEBHOOK_VERIFIED) {
        return verdict;
    }
    crypto_sha256(check->webhook->body, digest);
    hex_encode(digest, sizeof(digest), hex);
    cover(&covered, parts, ARRAY_SIZE(parts), '\n');
    verdict = verdict_of(buffer_ok(&covered) && any_public_key_made(check, buffer_text(&covered), signature));
    buffer_fini(&covered);
    return verdict;
}

/* ---- keyed ---- */

/* The text at "data.task_id"; NULL when there is none. */
static const char *find_member(const json_t *body, const char *path) {
    struct text rest = text_of(path);
    while (rest.len > 0) {
        struct text name = text_cut(&rest, '.');
        body = json_object_getn(body, name.ptr, name.len);
    }
    return json_string_value(body);
}

static bool covers_member(const struct webhook_check *check, const char *member, struct text at,
                          struct text signature) {
    struct text parts[] = { text_of(member), at };
    uint8_t mac[SHA256_SIZE];
    struct buffer covered;

    if (member == NULL || !webhook_decode_exactly(signature, mac, sizeof(mac))) {
        return false;
    }
    cover(&covered, parts, ARRAY_SIZE(parts), '.');
    bool good = buffer_ok(&covered) && any_secret_made(check, buffer_text(&covered), mac);
    buffer_fini(&covered);
    return good;
}

static enum webhook_verdict verify_keyed(const struct webhook_check *check) {
    struct text at = find_prefixed(check, "timestamp"), signature = find_prefixed(check, "signature");
    json_t *body = NULL;

    if (at.len == 0 || signature.len == 0) {
        return WEBHOOK_UNSIGNED;
    }
    enum webhook_verdict verdict = check_time(check, at);
    if (verdict != WEBHOOK_VERIFIED) {
        return verdict;
    }
    if (json_read_object(check->webhook->body, BODY_DEPTH_MAX, &body, NULL) != OK) {
        return WEBHOOK_FORGED;
    }
    bool good = covers_member(check, find_member(body, check->rule->member), at, signature);
    json_decref(body);
    return good ? WEBHOOK_HINT : WEBHOOK_FORGED;
}

static enum webhook_verdict verify_none(const struct webhook_check *check) {
    (void)check;
    return WEBHOOK_HINT;
}

/* ---- the table ---- */

static const struct webhook_scheme schemes[] = {
    { .name = "standard", .verify = verify_standard, .needs_secrets = true },
    { .name = "timestamped", .verify = verify_timestamped, .needs_secrets = true, .needs_header = true },
    { .name = "ed25519", .verify = verify_ed25519, .needs_header = true, .needs_jwks = true },
    { .name = "keyed", .verify = verify_keyed, .needs_secrets = true, .header = "x-webhook" },
    { .name = "none", .verify = verify_none },
};

const struct webhook_scheme *webhook_scheme_find(const char *name) {
    for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
        if (name != NULL && strcmp(schemes[i].name, name) == 0) {
            return &schemes[i];
        }
    }
    return NULL;
}

bool webhook_has_public_keys(const struct webhook_rule *rule) {
    return rule->scheme->needs_jwks;
}

enum webhook_verdict webhook_verify(const struct webhook_rule *rule, const struct webhook *webhook,
                                    const struct webhook_keys *keys, int64_t now_ms) {
    struct webhook_check check = { .rule = rule, .webhook = webhook, .keys = keys, .now_ms = now_ms };
    if (rule->scheme->needs_secrets && keys->secret_count == 0) {
        return WEBHOOK_HINT;
    }
    return rule->scheme->verify(&check);
}
