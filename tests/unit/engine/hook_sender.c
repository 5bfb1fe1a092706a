/* Signing with libsodium itself, not with what is tested. */
#include "hook_sender.h"

#include <sodium.h>

#include "base/clock.h"
#include "tests.h"

void sending_init(struct sending *sending, const struct house *house, unsigned account, const struct task_id *id,
                  int number, struct text body) {
    *sending = (struct sending){
        .call = { .token = { .account = house->accounts[account].id, .id = *id, .number = number },
                  .webhook = { .body = body } },
    };
}

static void add_header(struct sending *sending, const char *name, const char *value) {
    struct webhook *webhook = &sending->call.webhook;
    sending->headers[webhook->header_count++] = (struct webhook_header){ text_of(name), text_of(value) };
    webhook->headers = sending->headers;
}

static const char *stamp(struct sending *sending, int64_t offset_s) {
    snprintf(sending->timestamp, sizeof(sending->timestamp), "%lld", (long long)(clock_wall_ms() / 1000 + offset_s));
    return sending->timestamp;
}

void sending_sign(struct sending *sending, int64_t offset_s) {
    struct text body = sending->call.webhook.body;
    unsigned char key[64], mac[32];
    size_t key_length = 0;
    char covered[4096];
    snprintf(covered, sizeof(covered), "msg_1.%s.%.*s", stamp(sending, offset_s), TEXT_ARG(body));
    assert_int_equal(sodium_base642bin(key, sizeof(key), SECRET + 6, strlen(SECRET) - 6, NULL, &key_length, NULL,
                                       sodium_base64_VARIANT_ORIGINAL), 0);
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, key, key_length);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)covered, strlen(covered));
    crypto_auth_hmacsha256_final(&state, mac);
    memcpy(sending->signature, "v1,", 3);
    sodium_bin2base64(sending->signature + 3, sizeof(sending->signature) - 3, mac, sizeof(mac),
                      sodium_base64_VARIANT_ORIGINAL);
    add_header(sending, "Webhook-Id", "msg_1");
    add_header(sending, "Webhook-Timestamp", sending->timestamp);
    add_header(sending, "Webhook-Signature", sending->signature);
}

static void grow_keys(uint8_t seed, unsigned char *ret_public, unsigned char *ret_private) {
    unsigned char bytes[crypto_sign_SEEDBYTES];
    memset(bytes, seed, sizeof(bytes));
    crypto_sign_seed_keypair(ret_public, ret_private, bytes);
}

void sending_sign_with_key(struct sending *sending, uint8_t seed) {
    struct text body = sending->call.webhook.body;
    unsigned char public_key[32], private_key[64], digest[32], signature[64];
    char hex[65], covered[256];
    crypto_hash_sha256(digest, (const unsigned char *)body.ptr, body.len);
    sodium_bin2hex(hex, sizeof(hex), digest, sizeof(digest));
    snprintf(covered, sizeof(covered), "req-1\nuser\n%s\n%s", stamp(sending, 0), hex);
    grow_keys(seed, public_key, private_key);
    crypto_sign_detached(signature, NULL, (const unsigned char *)covered, strlen(covered), private_key);
    sodium_bin2hex(sending->signature, sizeof(sending->signature), signature, sizeof(signature));
    add_header(sending, "X-Fal-Webhook-Request-Id", "req-1");
    add_header(sending, "X-Fal-Webhook-User-Id", "user");
    add_header(sending, "X-Fal-Webhook-Timestamp", sending->timestamp);
    add_header(sending, "X-Fal-Webhook-Signature", sending->signature);
}

void sending_put_key_set(char *ret, size_t size, const uint8_t *seeds, size_t count) {
    struct buffer set;
    buffer_init(&set, size);
    buffer_put(&set, TEXT("{\"keys\":["));
    for (size_t i = 0; i < count; i++) {
        unsigned char public_key[32], private_key[64];
        char x[64];
        grow_keys(seeds[i], public_key, private_key);
        sodium_bin2base64(x, sizeof(x), public_key, sizeof(public_key), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
        buffer_printf(&set, "%s{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\"}", i > 0 ? "," : "", x);
    }
    buffer_put(&set, TEXT("]}"));
    assert_true(buffer_ok(&set) && set.len < size);
    memcpy(ret, set.data, set.len + 1);
    buffer_fini(&set);
}

static void answered(struct hook_call *call) {
    struct sending *sending = call->context;
    atomic_store(&sending->answered, true);
}

static bool is_answered(void *context) {
    struct sending *sending = context;
    return atomic_load(&sending->answered);
}

void sending_post(struct sending *sending, struct house *house) {
    atomic_store(&sending->answered, false);
    sending->call.done = answered;
    sending->call.context = sending;
    engine_hook(house->engine, &sending->call);
}

enum err sending_await(struct sending *sending) {
    house_await_true(is_answered, sending);
    return sending->call.err;
}

enum err sending_send(struct sending *sending, struct house *house) {
    sending_post(sending, house);
    return sending_await(sending);
}
