/* Tokens: base64url of 16 bytes of MAC and "ACCOUNT.NUMBER.TASK", which the MAC covers. */
#include "base/crypto.h"
#include "engine/hook/hook.h"

#define MAC_SIZE 16 /* of HMAC-SHA256's 32: half of it is as hard to guess (RFC 2104 section 5) */
#define CONTENT_MAX (20 + 1 + 10 + 1 + TASK_ID_SIZE)
#define TOKEN_BYTES_MAX (MAC_SIZE + CONTENT_MAX)
#define TOKEN_TEXT_SIZE ((TOKEN_BYTES_MAX + 2) / 3 * 4 + 1)
#define LABEL "fennec webhook\n" /* no other MAC of the store's secret covers a text that begins so */

static bool make_mac(struct text content, const uint8_t secret[32], uint8_t ret[SHA256_SIZE]) {
    struct buffer covered;
    buffer_init(&covered, sizeof(LABEL) + CONTENT_MAX);
    buffer_put(&covered, TEXT(LABEL));
    buffer_put(&covered, content);
    bool ok = buffer_ok(&covered);
    if (ok)
        crypto_hmac_sha256((struct text){ (const char *)secret, 32 }, buffer_text(&covered), ret);
    buffer_fini(&covered);
    return ok;
}

void hook_put_url(struct buffer *buf, const uint8_t secret[32], struct text public_url, int64_t account,
                  const struct task_id *id, int number) {
    uint8_t bytes[TOKEN_BYTES_MAX + 1], mac[SHA256_SIZE];
    char token[TOKEN_TEXT_SIZE];
    char *content = (char *)bytes + MAC_SIZE;

    int len = snprintf(content, CONTENT_MAX + 1, "%lld.%d.%s", (long long)account, number, id->string);
    if (len < 0 || len > CONTENT_MAX || !make_mac((struct text){ content, (size_t)len }, secret, mac)) {
        buf->failed = true;
        return;
    }
    memcpy(bytes, mac, MAC_SIZE);
    base64url_encode(bytes, MAC_SIZE + (size_t)len, token);
    buffer_put(buf, public_url);
    buffer_put(buf, TEXT(HOOK_PATH_PREFIX));
    buffer_put(buf, text_of(token));
}

static bool read_content(struct text content, struct hook_token *ret) {
    int64_t number = 0;
    struct text account = text_cut(&content, '.'), attempt = text_cut(&content, '.');
    if (!text_to_i64(account, &ret->account) || !text_to_i64(attempt, &number) || number < 0 || number > INT32_MAX)
        return false;
    ret->number = (int)number;
    return task_id_parse(content, &ret->id);
}

bool hook_token_read(struct text token, const uint8_t secret[32], struct hook_token *ret) {
    uint8_t bytes[TOKEN_BYTES_MAX], mac[SHA256_SIZE];
    char canonical[TOKEN_TEXT_SIZE];
    struct hook_token read;
    size_t len = 0;

    if (!base64_decode(token, bytes, sizeof(bytes), &len) || len <= MAC_SIZE)
        return false;
    base64url_encode(bytes, len, canonical);
    if (!text_equal(token, text_of(canonical))) /* one token has one spelling */
        return false;
    struct text content = { (const char *)bytes + MAC_SIZE, len - MAC_SIZE };
    if (!make_mac(content, secret, mac) || !crypto_equal(mac, bytes, MAC_SIZE) || !read_content(content, &read))
        return false;
    *ret = read;
    return true;
}
