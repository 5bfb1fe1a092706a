/* Signatures against the specification's own example, and what is no secret. */
#include "callback/signature.h"

#include "base/crypto.h"
#include "tests_callback.h"

/* https://github.com/standard-webhooks/standard-webhooks, the example of its libraries' tests */
#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define MESSAGE "msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{\"test\": 2432232314}"
#define SIGNATURE "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

static void the_specifications_example(void **state) {
    (void)state;
    struct callback_secret_row secrets[2] = { { .secret = SECRET }, { .secret = SECRET } };
    char signature[SIGNATURE_SIZE];
    assert_int_equal(signature_make(secrets, 1, TEXT(MESSAGE), signature), OK);
    assert_string_equal(signature, SIGNATURE);
    assert_int_equal(signature_make(secrets, 2, TEXT(MESSAGE), signature), OK);
    assert_string_equal(signature, SIGNATURE " " SIGNATURE);
}

static void secrets_are_of_the_right_form(void **state) {
    (void)state;
    struct callback_secret_row secret = { 0 }, other = { 0 };
    char signature[SIGNATURE_SIZE];
    uint8_t bytes[64];
    size_t count = 0;
    signature_secret_new(secret.secret);
    signature_secret_new(other.secret);
    assert_string_not_equal(secret.secret, other.secret);
    assert_true(base64_decode(text_of(secret.secret + 6), bytes, sizeof(bytes), &count));
    assert_int_equal(count, 32);
    assert_int_equal(signature_make(&secret, 1, TEXT(MESSAGE), signature), OK);
    static const char *const wrong[] = { "", "whsec_", "whsec_AAAA", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!!!!" };
    for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
        snprintf(secret.secret, sizeof(secret.secret), "%s", wrong[i]);
        assert_int_equal(signature_make(&secret, 1, TEXT(MESSAGE), signature), ERR_CORRUPT);
    }
}

int run_signature_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_specifications_example),
        cmocka_unit_test(secrets_are_of_the_right_form),
    };
    return cmocka_run_group_tests_name("callback signatures", tests, NULL, NULL);
}
