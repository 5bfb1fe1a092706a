/* Addresses of webhooks: what we made is read back, everything else is not ours. */
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "engine/hook/hook.h"
#include "tests.h"

#define BASE "https://media.example.com"

static const uint8_t secret[32] = { 1, 2, 3 }, other_secret[32] = { 1, 2, 4 };
static const struct task_id task = { "task-unified-1757165031-uyujaw3d" };

/* The token of a fresh address, to be freed by the caller. */
static char *made(int64_t account, const struct task_id *id, int number) {
    struct buffer buf;
    buffer_init(&buf, 4096);
    hook_put_url(&buf, secret, TEXT(BASE), account, id, number);
    assert_true(buffer_ok(&buf));
    assert_true(text_starts(buffer_text(&buf), TEXT(BASE "/v1/hooks/")));
    char *token = strdup(buf.data + strlen(BASE "/v1/hooks/"));
    buffer_fini(&buf);
    for (const char *c = token; *c != '\0'; c++)
        assert_true((*c >= '0' && *c <= '9') || (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || *c == '-' || *c == '_');
    assert_null(strstr(token, id->string));
    return token;
}

static void what_was_made_is_read_back(void **state) {
    (void)state;
    static const struct task_id llm = { "task-llm-99999999999-zzzzzzzz" };
    static const struct hook_token cases[] = {
        { 1, task, 1 }, { 0, task, 0 }, { INT64_MAX, task, INT32_MAX }, { INT64_MIN, llm, 7 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char *token = made(cases[i].account, &cases[i].id, cases[i].number);
        struct hook_token read;
        assert_true(hook_token_read(text_of(token), secret, &read));
        assert_true(read.account == cases[i].account && read.number == cases[i].number);
        assert_string_equal(read.id.string, cases[i].id.string);
        assert_false(hook_token_read(text_of(token), other_secret, &read));
        free(token);
    }
}

static void addresses_differ(void **state) {
    (void)state;
    static const struct task_id other = { "task-unified-1757165031-uyujaw3e" };
    char *tokens[] = { made(1, &task, 1), made(1, &task, 2), made(2, &task, 1), made(1, &other, 1), made(11, &task, 1),
                       made(1, &task, 11) };
    for (size_t i = 0; i < ARRAY_SIZE(tokens); i++)
        for (size_t other_one = 0; other_one < i; other_one++)
            assert_string_not_equal(tokens[i], tokens[other_one]);
    for (size_t i = 0; i < ARRAY_SIZE(tokens); i++)
        free(tokens[i]);
}

static void every_single_bit_counts(void **state) {
    (void)state;
    char *token = made(1, &task, 1);
    size_t len = strlen(token);
    for (size_t bit = 0; bit < 8 * len; bit++) {
        struct hook_token read = { .number = -1 };
        token[bit / 8] = (char)(token[bit / 8] ^ 1 << bit % 8);
        assert_false(hook_token_read((struct text){ token, len }, secret, &read));
        assert_int_equal(read.number, -1);
        token[bit / 8] = (char)(token[bit / 8] ^ 1 << bit % 8);
    }
    for (size_t shorter = 0; shorter < len; shorter++)
        assert_false(hook_token_read((struct text){ token, shorter }, secret, &(struct hook_token){ 0 }));
    free(token);
}

/* A MAC of ours over what no address has. */
static void foreign_contents_are_refused(void **state) {
    (void)state;
    static const char *const contents[] = {
        "", "1", "1.1", "1.1.", "1.1.task-unified-1-a", "1.-1.task-unified-1757165031-uyujaw3d",
        "x.1.task-unified-1757165031-uyujaw3d", "1.4294967296.task-unified-1757165031-uyujaw3d",
        "1.1.task-unified-1757165031-uyujaw3d ", "1.1.1.task-unified-1757165031-uyujaw3d",
    };
    for (size_t i = 0; i < ARRAY_SIZE(contents); i++) {
        char covered[256], token[256];
        uint8_t bytes[256];
        snprintf(covered, sizeof(covered), "fennec webhook\n%s", contents[i]);
        crypto_hmac_sha256((struct text){ (const char *)secret, 32 }, text_of(covered), bytes);
        memcpy(bytes + 16, contents[i], strlen(contents[i]));
        base64url_encode(bytes, 16 + strlen(contents[i]), token);
        assert_false(hook_token_read(text_of(token), secret, &(struct hook_token){ 0 }));
    }
    char *token = made(1, &task, 1), padded[512];
    snprintf(padded, sizeof(padded), "%s=", token);
    assert_false(hook_token_read(text_of(padded), secret, &(struct hook_token){ 0 }));
    snprintf(padded, sizeof(padded), " %s", token);
    assert_false(hook_token_read(text_of(padded), secret, &(struct hook_token){ 0 }));
    memset(padded, 'A', sizeof(padded));
    assert_false(hook_token_read((struct text){ padded, sizeof(padded) }, secret, &(struct hook_token){ 0 }));
    free(token);
}

int test_hook_token(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_made_is_read_back),
        cmocka_unit_test(addresses_differ),
        cmocka_unit_test(every_single_bit_counts),
        cmocka_unit_test(foreign_contents_are_refused),
    };
    return cmocka_run_group_tests_name("hook token", tests, NULL, NULL);
}
