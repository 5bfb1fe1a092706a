/* Signatures of webhooks: published examples and our own, and each of them once anything at all is changed. */
#include "tests.h"

#include <jansson.h>
#include <sodium.h>

#include "base/json.h"
#include "net/webhook.h"

#define HEADERS_MAX 8
#define BODY_MAX 512

/* A webhook that is good, by scheme. */
struct example {
    const char *rule;
    const char *secret; /* NULL: public keys */
    const char *jwks;
    struct webhook_header headers[HEADERS_MAX];
    unsigned count;
    const char *timestamp; /* in one of the headers */
    struct text body;
    enum webhook_verdict verdict;
};

#define HEADER(name, value) { TEXT(name), TEXT(value) }
#define STANDARD(id, at, signature)                                                                                    \
    { HEADER("webhook-id", id), HEADER("webhook-timestamp", at), HEADER("webhook-signature", signature) }, 3, at
#define RULE_FAL "{\"scheme\":\"ed25519\",\"jwks\":\"https://keys.example/jwks.json\",\"header\":\"x-fal-webhook\"}"
#define KEY_FAL "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg\"}"
#define KEY_OTHER "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"use\":\"sig\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}"
#define KEY_RSA "{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}"

static const struct example examples[] = {
    { "{\"scheme\":\"standard\"}", "whsec_dGVzdHNlY3JldHRlc3RzZWNyZXR0ZXN0c2VjcmV0MTI=", NULL,
      STANDARD("9876543210", "1781080794", "v1,UsKlJP00XoQyOn410NM9xv34sP+Gl0jnOO9Lcpr7NJ4="),
      TEXT("{\"id\":\"1234567890\",\"status\":\"succeeded\",\"message\":\"\",\"create_time\":1781080778802,"
           "\"update_time\":1781080794151}"),
      WEBHOOK_VERIFIED },
    { "{\"scheme\":\"standard\"}", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", NULL,
      STANDARD("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
      TEXT("{\"test\": 2432232314}"), WEBHOOK_VERIFIED },
    { "{\"scheme\":\"standard\"}", "whsec_RdvaYFYUXuIFuEbvZHwMfYFhUf7aMYjYcmM24+Aj40c=", NULL,
      STANDARD("wh_685c059ae39c8190af8c71ed1022a24d", "1750861210", "v1,gUAg4R2hWouRZqRQG4uJypNS8YK885G838+EHb4nKBY="),
      TEXT("{\"id\": \"evt_685c059ae3a481909bdc86819b066fb6\", \"object\": \"event\", \"created_at\": 1750861210, "
           "\"type\": \"response.completed\", \"data\": {\"id\": \"resp_123\"}}"),
      WEBHOOK_VERIFIED },
    { "{\"scheme\":\"timestamped\",\"header\":\"ElevenLabs-Signature\",\"version\":\"v0\"}", "wsec_test", NULL,
      { HEADER("elevenlabs-signature",
               "t=1781080794,v0=9e726f8635316a099c0089ec134a28c5ba583750dc9aa1e00913d2d8a763fcc0") },
      1, "1781080794", TEXT("{\"a\":1}"), WEBHOOK_VERIFIED },
    { RULE_FAL, NULL, "{\"keys\":[" KEY_RSA "," KEY_OTHER "," KEY_FAL "]}",
      { HEADER("X-Fal-Webhook-Request-Id", "req-1"), HEADER("X-Fal-Webhook-User-Id", "github|123"),
        HEADER("X-Fal-Webhook-Timestamp", "1781080794"),
        HEADER("X-Fal-Webhook-Signature", "21ab1392b49a84c0d221114397b1bda75427cf6d4622ce38b6c89490c704d127c9aebe2e3fa77b2"
                                          "aa13e5d1dbf4fb078301c906b862be4fa4b665182cdb7ee00") },
      4, "1781080794",
      TEXT("{\"request_id\":\"req-1\",\"gateway_request_id\":\"req-1\",\"status\":\"OK\",\"payload\":{\"video\":{\"url\":"
           "\"https://v3b.fal.media/files/b/x/y.mp4\"}}}"),
      WEBHOOK_VERIFIED },
    { "{\"scheme\":\"keyed\"}", "kiekey", NULL,
      { HEADER("X-Webhook-Timestamp", "1781080794"),
        HEADER("X-Webhook-Signature", "WFPlxI9tVGSjX3OZqDzUC6/44e+YbyHLbi9KYGZCbeg=") },
      2, "1781080794", TEXT("{\"code\":200,\"data\":{\"task_id\":\"task-1\"}}"), WEBHOOK_HINT },
};

static int64_t time_of(const struct example *example) {
    int64_t at_s = 0;
    assert_true(text_to_i64(text_of(example->timestamp), &at_s));
    return at_s * 1000;
}

static enum webhook_verdict verify_with(const struct example *example, const char *const *secrets, unsigned count,
                                        const struct webhook_header *headers, unsigned header_count, struct text body,
                                        int64_t now_ms) {
    struct webhook webhook = { headers, header_count, body };
    struct webhook_public_keys public_keys;
    struct webhook_keys keys = { .secrets = secrets, .secret_count = count };
    struct webhook_rule rule;
    scoped(json_release) json_t *signature = json_loads(example->rule, 0, NULL);

    assert_int_equal(webhook_rule_read(signature, &rule, NULL), OK);
    assert_int_equal(webhook_has_public_keys(&rule), example->jwks != NULL);
    if (example->jwks != NULL) {
        assert_int_equal(webhook_public_keys_read(text_of(example->jwks), &public_keys, NULL), OK);
        keys.public_keys = &public_keys;
    }
    return webhook_verify(&rule, &webhook, &keys, now_ms);
}

static enum webhook_verdict verify(const struct example *example, const struct webhook_header *headers, unsigned count,
                                   struct text body, int64_t now_ms) {
    return verify_with(example, &example->secret, example->secret != NULL, headers, count, body, now_ms);
}

static void good_ones_are_verified(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
        const struct example *example = &examples[i];
        assert_int_equal(verify(example, example->headers, example->count, example->body, time_of(example)),
                         example->verdict);
    }
}

static void a_clock_may_differ_by_the_tolerance(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
        const struct example *example = &examples[i];
        for (int sign = -1; sign <= 1; sign += 2) {
            int64_t near_ms = time_of(example) + sign * 300000, far_ms = time_of(example) + sign * 301000;
            assert_int_equal(verify(example, example->headers, example->count, example->body, near_ms),
                             example->verdict);
            assert_int_equal(verify(example, example->headers, example->count, example->body, far_ms), WEBHOOK_STALE);
        }
    }
    struct example lenient = examples[3];
    lenient.rule = "{\"scheme\":\"timestamped\",\"header\":\"elevenlabs-signature\",\"version\":\"v0\",\"tolerance\":1800}";
    for (int sign = -1; sign <= 1; sign += 2) {
        int64_t near_ms = time_of(&lenient) + sign * 1800000, far_ms = time_of(&lenient) + sign * 1801000;
        assert_int_equal(verify(&lenient, lenient.headers, lenient.count, lenient.body, near_ms), WEBHOOK_VERIFIED);
        assert_int_equal(verify(&lenient, lenient.headers, lenient.count, lenient.body, far_ms), WEBHOOK_STALE);
    }
}

static bool covers_body(const struct example *example) {
    return example->verdict == WEBHOOK_VERIFIED;
}

static void a_flipped_bit_of_the_body_shows(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
        const struct example *example = &examples[i];
        char body[BODY_MAX];
        assert_true(example->body.len < sizeof(body));
        memcpy(body, example->body.ptr, example->body.len);
        for (size_t bit = 0; bit < 8 * example->body.len && covers_body(example); bit++) {
            body[bit / 8] = (char)(body[bit / 8] ^ 1 << bit % 8);
            assert_int_equal(verify(example, example->headers, example->count,
                                    (struct text){ body, example->body.len }, time_of(example)),
                             WEBHOOK_FORGED);
            body[bit / 8] = (char)(body[bit / 8] ^ 1 << bit % 8);
        }
        struct text shorter = { example->body.ptr, example->body.len - 1 };
        assert_int_equal(verify(example, example->headers, example->count, shorter, time_of(example)), WEBHOOK_FORGED);
        assert_int_equal(verify(example, example->headers, example->count, TEXT_NONE, time_of(example)),
                         WEBHOOK_FORGED);
    }
}

/* Names of signatures' versions, hex in the other case and base64 in the other alphabet are not what is signed. */
static bool means_the_same(char before, char after) {
    return ((before ^ after) == 0x20 && strchr("abcdefABCDEF", before) != NULL) || (before == '/' && after == '_') ||
           (before == '+' && after == '-');
}

static void a_flipped_bit_of_a_header_shows(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
        const struct example *example = &examples[i];
        for (unsigned at = 0; at < example->count; at++) {
            struct webhook_header headers[HEADERS_MAX];
            char value[BODY_MAX];
            memcpy(headers, example->headers, sizeof(headers));
            memcpy(value, headers[at].value.ptr, headers[at].value.len);
            headers[at].value.ptr = value;
            for (size_t bit = 0; bit < 8 * headers[at].value.len; bit++) {
                char before = value[bit / 8];
                value[bit / 8] = (char)(before ^ 1 << bit % 8);
                enum webhook_verdict verdict = verify(example, headers, example->count, example->body, time_of(example));
                bool hex = example->secret == NULL || example->count == 1;
                if (!(hex && means_the_same(before, value[bit / 8]))) {
                    assert_true(verdict != WEBHOOK_VERIFIED && verdict != WEBHOOK_HINT);
                }
                value[bit / 8] = before;
            }
        }
    }
}

static void headers_cut_off_or_missing_are_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
        const struct example *example = &examples[i];
        for (unsigned at = 0; at < example->count; at++) {
            struct webhook_header headers[HEADERS_MAX];
            memcpy(headers, example->headers, sizeof(headers));
            for (size_t len = 1; len < example->headers[at].value.len; len++) {
                headers[at].value.len = len;
                enum webhook_verdict verdict = verify(example, headers, example->count, example->body, time_of(example));
                /* without its padding base64 says the same */
                bool whole = len + 1 == example->headers[at].value.len && example->headers[at].value.ptr[len] == '=';
                assert_true(whole || (verdict != WEBHOOK_VERIFIED && verdict != WEBHOOK_HINT));
            }
            headers[at].value.len = 0;
            assert_int_equal(verify(example, headers, example->count, example->body, time_of(example)),
                             WEBHOOK_UNSIGNED);
            headers[at] = headers[example->count - 1];
            assert_int_equal(verify(example, headers, example->count - 1, example->body, time_of(example)),
                             WEBHOOK_UNSIGNED);
        }
    }
}

/* The first of two counts, for the check of the time and for what is covered alike. */
static void a_header_that_comes_twice_counts_once(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
        const struct example *example = &examples[i];
        for (unsigned at = 0; at < example->count; at++) {
            struct webhook_header headers[HEADERS_MAX];
            char value[BODY_MAX];
            struct text good = example->headers[at].value;
            memcpy(value, good.ptr, good.len);
            value[good.len - 1] = good.ptr[good.len - 1] == '0' ? '1' : '0'; /* also of a time */
            if (good.ptr[good.len - 1] == '=') {
                value[good.len - 2] = good.ptr[good.len - 2] == 'A' ? 'Q' : 'A';
                value[good.len - 1] = '=';
            }
            memcpy(headers + 1, example->headers, example->count * sizeof(headers[0]));
            headers[0] = (struct webhook_header){ example->headers[at].name, { value, good.len } };
            assert_int_equal(verify(example, headers, example->count + 1, example->body, time_of(example)),
                             WEBHOOK_FORGED);
            memcpy(headers, example->headers, example->count * sizeof(headers[0]));
            headers[example->count] = (struct webhook_header){ example->headers[at].name, { value, good.len } };
            assert_int_equal(verify(example, headers, example->count + 1, example->body, time_of(example)),
                             example->verdict);
        }
    }
}

static void another_secret_fits_nothing(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
        struct example example = examples[i];
        const char *const several[] = { "whsec_AAAA", "not it", "whsec_no base64!", "whsec_", "", example.secret };
        if (example.secret == NULL) {
            example.jwks = "{\"keys\":[" KEY_OTHER "]}";
            assert_int_equal(verify(&example, example.headers, example.count, example.body, time_of(&example)),
                             WEBHOOK_FORGED);
            continue;
        }
        assert_int_equal(verify_with(&example, several, ARRAY_SIZE(several) - 1, example.headers, example.count,
                                     example.body, time_of(&example)),
                         WEBHOOK_FORGED);
        assert_int_equal(verify_with(&example, several, ARRAY_SIZE(several), example.headers, example.count,
                                     example.body, time_of(&example)),
                         example.verdict);
        /* nothing to check with: its body is nobody's word */
        assert_int_equal(verify_with(&example, NULL, 0, NULL, 0, example.body, time_of(&example)), WEBHOOK_HINT);
    }
}

static enum webhook_verdict verify_signature(const struct example *example, unsigned at, const char *value) {
    struct webhook_header headers[HEADERS_MAX];
    memcpy(headers, example->headers, sizeof(headers));
    headers[at].value = text_of(value);
    return verify(example, headers, example->count, example->body, time_of(example));
}

static void one_of_several_signatures_is_enough(void **state) {
    (void)state;
    static const struct {
        unsigned example, header;
        const char *value;
        enum webhook_verdict verdict;
    } cases[] = {
        { 1, 2, "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
          WEBHOOK_VERIFIED },
        { 1, 2, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
          WEBHOOK_VERIFIED },
        { 1, 2, "v1a,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", WEBHOOK_FORGED },
        { 1, 2, "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", WEBHOOK_FORGED },
        { 1, 2, "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", WEBHOOK_FORGED },
        { 1, 2, "v1,", WEBHOOK_FORGED },
        { 1, 0, "msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330", WEBHOOK_FORGED },
        { 1, 1, "1614265330.0", WEBHOOK_FORGED },
        { 1, 1, "-1614265330", WEBHOOK_FORGED },
        { 1, 1, "9223372036854775807", WEBHOOK_FORGED },
        { 1, 1, "99999999999999999999", WEBHOOK_FORGED },
        { 3, 0, "t=1781080794,v0=00,v0=9e726f8635316a099c0089ec134a28c5ba583750dc9aa1e00913d2d8a763fcc0", WEBHOOK_VERIFIED },
        { 3, 0, " v0=9e726f8635316a099c0089ec134a28c5ba583750dc9aa1e00913d2d8a763fcc0 , x=1,t=1781080794", WEBHOOK_VERIFIED },
        { 3, 0, "t=1781080794,v1=9e726f8635316a099c0089ec134a28c5ba583750dc9aa1e00913d2d8a763fcc0", WEBHOOK_FORGED },
        { 3, 0, "t=1,t=1781080794,v0=9e726f8635316a099c0089ec134a28c5ba583750dc9aa1e00913d2d8a763fcc0", WEBHOOK_FORGED },
        { 3, 0, "v0=9e726f8635316a099c0089ec134a28c5ba583750dc9aa1e00913d2d8a763fcc0", WEBHOOK_FORGED },
        { 3, 0, "t=1781080794", WEBHOOK_FORGED },
        { 3, 0, ",,=,t", WEBHOOK_FORGED },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_int_equal(verify_signature(&examples[cases[i].example], cases[i].header, cases[i].value),
                         cases[i].verdict);
    }
}

/* A list as long as a header can be is not all looked at. */
static void a_long_list_of_signatures_has_an_end(void **state) {
    (void)state;
    struct buffer list;
    buffer_init(&list, 65536);
    for (int i = 0; i < 300; i++) {
        buffer_put(&list, TEXT("v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= "));
    }
    buffer_put(&list, examples[1].headers[2].value);
    assert_true(buffer_ok(&list));
    assert_int_equal(verify_signature(&examples[1], 2, list.data), WEBHOOK_FORGED);
    buffer_fini(&list);
}

static void a_public_key_verifies_a_standard_one(void **state) {
    (void)state;
    uint8_t seed[crypto_sign_SEEDBYTES], public_key[32], secret_key[64], signature[64];
    char encoded[96], encoded_key[64], value[128], secret[80];
    struct example example = examples[1];
    const char *covered = "msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{\"test\": 2432232314}";

    for (size_t i = 0; i < sizeof(seed); i++) {
        seed[i] = (uint8_t)i;
    }
    crypto_sign_seed_keypair(public_key, secret_key, seed);
    crypto_sign_detached(signature, NULL, (const uint8_t *)covered, strlen(covered), secret_key);
    base64_encode(signature, sizeof(signature), encoded);
    base64_encode(public_key, sizeof(public_key), encoded_key);
    snprintf(value, sizeof(value), "v1a,%s", encoded);
    snprintf(secret, sizeof(secret), "whpk_%s", encoded_key);
    example.secret = secret;
    assert_int_equal(verify_signature(&example, 2, value), WEBHOOK_VERIFIED);
    value[1] = '2';
    assert_int_equal(verify_signature(&example, 2, value), WEBHOOK_FORGED);
    example.secret = "whpk_AAAA";
    value[1] = '1';
    assert_int_equal(verify_signature(&example, 2, value), WEBHOOK_FORGED);
}

/* A body is no part of this one's signature, the named member is. */
static void a_keyed_one_covers_its_member_alone(void **state) {
    (void)state;
    static const struct {
        struct text body;
        enum webhook_verdict verdict;
    } cases[] = {
        { TEXT("{\"data\":{\"task_id\":\"task-1\",\"audio_url\":\"https://other.example/\"}}"), WEBHOOK_HINT },
        { TEXT("{\"data\":{\"task_id\":\"task-2\"}}"), WEBHOOK_FORGED },
        { TEXT("{\"data\":{\"task_id\":1}}"), WEBHOOK_FORGED },
        { TEXT("{\"data\":\"task-1\"}"), WEBHOOK_FORGED },
        { TEXT("{\"task_id\":\"task-1\"}"), WEBHOOK_FORGED },
        { TEXT("[]"), WEBHOOK_FORGED },
        { TEXT("not JSON"), WEBHOOK_FORGED },
        { TEXT(""), WEBHOOK_FORGED },
    };
    const struct example *keyed = &examples[5];
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_int_equal(verify(keyed, keyed->headers, keyed->count, cases[i].body, time_of(keyed)), cases[i].verdict);
    }
    struct example elsewhere = *keyed;
    elsewhere.rule = "{\"scheme\":\"keyed\",\"header\":\"x-webhook\",\"member\":\"task_id\"}";
    assert_int_equal(verify(&elsewhere, keyed->headers, keyed->count, TEXT("{\"task_id\":\"task-1\"}"), time_of(keyed)),
                     WEBHOOK_HINT);
}

static void without_a_scheme_everything_is_a_hint(void **state) {
    (void)state;
    struct webhook_rule rule;
    struct webhook webhook = { .body = TEXT("{}") };
    struct webhook_keys keys = { .secret_count = 0 };
    assert_int_equal(webhook_rule_read(NULL, &rule, NULL), OK);
    assert_false(webhook_has_public_keys(&rule));
    assert_int_equal(webhook_verify(&rule, &webhook, &keys, 0), WEBHOOK_HINT);
    struct example none = { .rule = "{\"scheme\":\"none\"}", .secret = "unused" };
    assert_int_equal(verify(&none, NULL, 0, TEXT("{}"), 0), WEBHOOK_HINT);
    /* and with public keys that nobody has, nothing is */
    none = (struct example){ .rule = RULE_FAL, .jwks = "{\"keys\":[" KEY_OTHER "]}" };
    assert_int_equal(verify(&none, NULL, 0, TEXT("{}"), 0), WEBHOOK_UNSIGNED);
}

static void rules_are_checked(void **state) {
    (void)state;
    static const struct {
        const char *rule, *words;
    } cases[] = {
        { "{}", "signature.scheme must be" },
        { "[]", "signature.scheme must be" },
        { "{\"scheme\":\"hmac\"}", "signature.scheme must be" },
        { "{\"scheme\":1}", "signature.scheme must be" },
        { "{\"scheme\":\"standard\",\"hedaer\":\"x\"}", "no member hedaer" },
        { "{\"scheme\":\"standard\",\"tolerance\":0}", "signature.tolerance" },
        { "{\"scheme\":\"standard\",\"tolerance\":86401}", "signature.tolerance" },
        { "{\"scheme\":\"standard\",\"tolerance\":\"300\"}", "signature.tolerance" },
        { "{\"scheme\":\"timestamped\"}", "signature.header is missing" },
        { "{\"scheme\":\"timestamped\",\"header\":\"\"}", "signature.header must be" },
        { "{\"scheme\":\"timestamped\",\"header\":\"x\",\"version\":0}", "signature.version must be" },
        { "{\"scheme\":\"ed25519\",\"header\":\"x\"}", "signature.jwks is missing" },
        { "{\"scheme\":\"ed25519\",\"jwks\":\"https://x/\"}", "signature.header is missing" },
        { "{\"scheme\":\"keyed\",\"member\":[]}", "signature.member must be" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct fault fault = { 0 };
        struct webhook_rule rule = { .header = "untouched" };
        scoped(json_release) json_t *signature = json_loads(cases[i].rule, 0, NULL);
        assert_int_equal(webhook_rule_read(signature, &rule, &fault), ERR_SCRIPT);
        assert_non_null(strstr(fault.message, cases[i].words));
        assert_string_equal(rule.header, "untouched");
    }
}

static void key_sets_are_read(void **state) {
    (void)state;
    static const struct {
        const char *jwks;
        unsigned count; /* 0: refused */
    } cases[] = {
        { "{\"keys\":[" KEY_FAL "]}", 1 },
        { "{\"keys\":[" KEY_RSA "," KEY_FAL ",{},1,null," KEY_OTHER "]}", 2 },
        { "{\"keys\":[]}", 0 },
        { "{\"keys\":[" KEY_RSA "]}", 0 },
        { "{\"keys\":{}}", 0 },
        { "{}", 0 },
        { "[" KEY_FAL "]", 0 },
        { "", 0 },
        { "<html>", 0 },
        { "{\"keys\":[" KEY_FAL "]", 0 },
        { "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg\"}]}", 0 },
        { "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"use\":\"enc\",\"x\":\"A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg\"}]}", 0 },
        { "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMQ\"}]}", 0 },
        { "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbgAAAA\"}]}", 0 },
        { "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":7}]}", 0 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct webhook_public_keys keys = { .count = 99 };
        enum err err = webhook_public_keys_read(text_of(cases[i].jwks), &keys, NULL);
        assert_int_equal(err, cases[i].count > 0 ? OK : ERR_INVALID_JSON);
        assert_int_equal(keys.count, cases[i].count > 0 ? cases[i].count : 99);
    }
    struct buffer many;
    struct webhook_public_keys keys;
    buffer_init(&many, 65536);
    buffer_put(&many, TEXT("{\"keys\":["));
    for (int i = 0; i < WEBHOOK_PUBLIC_KEYS_MAX + 5; i++) {
        buffer_put(&many, TEXT(KEY_OTHER ","));
    }
    buffer_put(&many, TEXT(KEY_FAL "]}"));
    assert_int_equal(webhook_public_keys_read(buffer_text(&many), &keys, NULL), OK);
    assert_int_equal(keys.count, WEBHOOK_PUBLIC_KEYS_MAX);
    buffer_fini(&many);
}

int run_webhook_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_ones_are_verified),
        cmocka_unit_test(a_clock_may_differ_by_the_tolerance),
        cmocka_unit_test(a_flipped_bit_of_the_body_shows),
        cmocka_unit_test(a_flipped_bit_of_a_header_shows),
        cmocka_unit_test(headers_cut_off_or_missing_are_refused),
        cmocka_unit_test(a_header_that_comes_twice_counts_once),
        cmocka_unit_test(another_secret_fits_nothing),
        cmocka_unit_test(one_of_several_signatures_is_enough),
        cmocka_unit_test(a_long_list_of_signatures_has_an_end),
        cmocka_unit_test(a_public_key_verifies_a_standard_one),
        cmocka_unit_test(a_keyed_one_covers_its_member_alone),
        cmocka_unit_test(without_a_scheme_everything_is_a_hint),
        cmocka_unit_test(rules_are_checked),
        cmocka_unit_test(key_sets_are_read),
    };
    return cmocka_run_group_tests_name("webhook", tests, NULL, NULL);
}
