/* Webhooks: who is meant, whether it is believed, what its driver and its sender hear. */
#include <stdlib.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/json.h"
#include "fake_catalog.h"
#include "fake_driver.h"
#include "fake_upstream.h"
#include "hook_sender.h"
#include "tests.h"

#define WAITS "{\"results\":[{\"voice_id\":\"v\"}]}"
#define BODY TEXT("{\"status\":\"OK\"}")

static struct house house;

static void open_house(const char *signature, bool with_secret) {
    static const char *const secrets[] = { "another secret", SECRET };
    static struct provider_config provider;
    provider = (struct provider_config){ .name = "upstream", .hook_secrets = secrets, .hook_secret_count = with_secret ? 2 : 0 };
    struct config limits = { .providers = &provider, .provider_count = 1 };
    fake_reset();
    upstream_reset();
    fake_signature(signature);
    house_open(&house, NULL, &limits);
    house_start(&house);
}

static void close_house(void) {
    house_audit(&house);
    house_close(&house);
    fake_signature(NULL);
}

static bool runs(void *context) {
    return upstream_attempts() == *(unsigned *)context;
}

static struct task_id run_upstream(unsigned account) {
    unsigned one = upstream_attempts() + 1;
    struct task_id id = house_run(&house, account, "upstream", WAITS);
    house_await_true(runs, &one);
    return id;
}

static uint64_t counted(enum hook_outcome outcome) {
    return engine_counts(house.engine).hooks[outcome];
}

static void a_verified_one_is_believed(void **state) {
    (void)state;
    static const struct webhook_header query[] = { { TEXT("a"), TEXT("b c") } };
    struct sending sending;
    char heard[1024];
    open_house(SIGNED_STANDARD, true);
    struct task_id id = run_upstream(0);
    sending_init(&sending, &house, 0, &id, 1, BODY);
    sending_sign(&sending, 0);
    sending.call.query = query;
    sending.call.query_count = 1;
    assert_int_equal(sending_send(&sending, &house), OK);
    assert_string_equal(sending.call.reply, "{\"heard\":true}");
    free(sending.call.reply);
    house_await(&house, 0, &id, TASK_COMPLETED);
    assert_true(upstream_last_hook(heard, sizeof(heard)));
    scoped(json_release) json_t *event = json_loads(heard, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(json_object_get(event, "headers"), "webhook-id")), "msg_1");
    assert_string_equal(json_string_value(json_object_get(json_object_get(event, "query"), "a")), "b c");
    assert_string_equal(json_string_value(json_object_get(json_object_get(event, "json"), "status")), "OK");

    /* The same again: the task is final, and that is fine. */
    assert_int_equal(sending_send(&sending, &house), OK);
    assert_null(sending.call.reply);
    assert_int_equal(upstream_hooks(), 1);
    assert_int_equal(counted(HOOK_VERIFIED), 1);
    assert_int_equal(counted(HOOK_IGNORED), 1);
    close_house();
}

static void what_cannot_be_checked_is_a_hint(void **state) {
    (void)state;
    static const struct {
        const char *signature;
        bool with_secret;
    } cases[] = { { SIGNED_STANDARD, false }, { "{\"scheme\":\"none\"}", true }, { NULL, false } };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct sending sending;
        char heard[1024];
        open_house(cases[i].signature, cases[i].with_secret);
        struct task_id id = run_upstream(0);
        sending_init(&sending, &house, 0, &id, 1, TEXT("not JSON"));
        assert_int_equal(sending_send(&sending, &house), OK);
        assert_null(sending.call.reply);
        assert_false(upstream_last_hook(heard, sizeof(heard)));
        assert_non_null(strstr(heard, "\"text\":\"not JSON\""));
        assert_int_equal(upstream_attempts(), 1);
        assert_int_equal(counted(HOOK_HINT), 1);
        close_house();
    }
}

static void one_that_is_not_good_reaches_nobody(void **state) {
    (void)state;
    struct sending forged, stale, early, bare;
    open_house(SIGNED_STANDARD, true);
    struct task_id id = run_upstream(0);
    clock_freeze(clock_wall_ms()); /* what is early must not be in time a moment later */
    sending_init(&forged, &house, 0, &id, 1, BODY);
    sending_sign(&forged, 0);
    forged.call.webhook.body = TEXT("{\"status\":\"ok\"}");
    sending_init(&stale, &house, 0, &id, 1, BODY);
    sending_sign(&stale, -302);
    sending_init(&early, &house, 0, &id, 1, BODY);
    sending_sign(&early, 302);
    sending_init(&bare, &house, 0, &id, 1, BODY);
    assert_int_equal(sending_send(&forged, &house), ERR_INVALID_SIGNATURE);
    assert_int_equal(sending_send(&stale, &house), ERR_INVALID_SIGNATURE);
    assert_int_equal(sending_send(&early, &house), ERR_INVALID_SIGNATURE);
    assert_int_equal(sending_send(&bare, &house), ERR_INVALID_SIGNATURE);
    clock_unfreeze();
    assert_int_equal(upstream_hooks(), 0);
    assert_int_equal(upstream_attempts(), 1);
    assert_int_equal(counted(HOOK_FORGED), 1);
    assert_int_equal(counted(HOOK_STALE), 2);
    assert_int_equal(counted(HOOK_UNSIGNED), 1);
    close_house();
}

static enum err send_good(unsigned account, const struct task_id *id, int number) {
    struct sending sending;
    sending_init(&sending, &house, account, id, number, BODY);
    sending_sign(&sending, 0);
    enum err err = sending_send(&sending, &house);
    free(sending.call.reply);
    return err;
}

static void only_the_attempt_that_runs_is_told(void **state) {
    (void)state;
    open_house(SIGNED_STANDARD, true);
    struct task_id id = run_upstream(0), local = house_run(&house, 0, "image", "{\"do\":\"hold\"," "\"results\":[{\"voice_id\":\"v\"}]}");
    house_await_started(1);
    assert_int_equal(send_good(0, &id, 0), OK);
    assert_int_equal(send_good(0, &id, 2), OK);    /* another attempt */
    assert_int_equal(send_good(1, &id, 1), OK);    /* another account's (S2) */
    assert_int_equal(send_good(0, &local, 1), OK); /* nobody who takes webhooks */
    assert_int_equal(upstream_hooks(), 0);
    assert_int_equal(counted(HOOK_IGNORED), 4);
    assert_int_equal(send_good(0, &id, 1), OK);
    assert_int_equal(upstream_hooks(), 1);
    house_await(&house, 0, &id, TASK_COMPLETED);
    close_house();
}

static void only_our_addresses_are_known(void **state) {
    (void)state;
    struct hook_token token;
    struct buffer url;
    const struct task_id id = { "task-unified-1757165031-uyujaw3d" };
    open_house(NULL, false);
    buffer_init(&url, 1024);
    hook_put_url(&url, store_secret(house.store), TEXT(""), 7, &id, 3);
    struct text made = { url.data + strlen(HOOK_PATH_PREFIX), url.len - strlen(HOOK_PATH_PREFIX) };
    assert_true(engine_hook_token(house.engine, made, &token));
    assert_int_equal(token.account, 7);
    assert_int_equal(token.number, 3);
    made.len--;
    assert_false(engine_hook_token(house.engine, made, &token));
    assert_false(engine_hook_token(house.engine, TEXT("x"), &token));
    assert_int_equal(counted(HOOK_UNKNOWN), 2);
    buffer_fini(&url);
    close_house();
}

static void a_server_that_has_stopped_says_so(void **state) {
    (void)state;
    struct sending sending;
    open_house(SIGNED_STANDARD, true);
    struct task_id id = run_upstream(0);
    engine_stop(house.engine, 0);
    sending_init(&sending, &house, 0, &id, 1, BODY);
    sending_sign(&sending, 0);
    assert_int_equal(sending_send(&sending, &house), ERR_SHUTTING_DOWN);
    assert_int_equal(counted(HOOK_STOPPED), 1);
    engine_free(house.engine);
    house.engine = NULL;
    close_house();
}

static void events_are_what_adapters_can_read(void **state) {
    (void)state;
    static const struct webhook_header headers[] = {
        { TEXT("Content-Type"), TEXT("application/json") }, { TEXT("X-One"), TEXT("first") },
        { TEXT("x-one"), TEXT("second") },                  { TEXT("Authorization"), TEXT("Bearer sk-live-fake") },
        { TEXT("COOKIE"), TEXT("a=b") },                    { TEXT("X-Bytes"), TEXT("\xff") },
    };
    static const struct {
        struct text body;
        const char *expected;
    } cases[] = {
        { TEXT("[1]"), "\"query\":{},\"json\":[1]}" },
        { TEXT("null"), "\"query\":{},\"json\":null}" },
        { TEXT("a=b"), "\"query\":{},\"text\":\"a=b\"}" },
        { TEXT("{\"a\":1,\"a\":2}"), "\"query\":{},\"text\":\"{\\\"a\\\":1,\\\"a\\\":2}\"}" },
        { TEXT("\xff\xfe"), "\"query\":{}}" },
        { TEXT(""), "\"query\":{}}" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct webhook webhook = { headers, ARRAY_SIZE(headers), cases[i].body };
        char expected[512];
        scoped(json_release) json_t *event = hook_event_new(&webhook, NULL, 0);
        char *text = json_render(event);
        snprintf(expected, sizeof(expected), "{\"headers\":{\"content-type\":\"application/json\",\"x-one\":\"first\"},%s",
                 cases[i].expected);
        assert_string_equal(text, expected);
        free(text);
    }
}

int test_hook(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_verified_one_is_believed),
        cmocka_unit_test(what_cannot_be_checked_is_a_hint),
        cmocka_unit_test(one_that_is_not_good_reaches_nobody),
        cmocka_unit_test(only_the_attempt_that_runs_is_told),
        cmocka_unit_test(only_our_addresses_are_known),
        cmocka_unit_test(a_server_that_has_stopped_says_so),
        cmocka_unit_test(events_are_what_adapters_can_read),
    };
    return cmocka_run_group_tests_name("hook", tests, NULL, NULL);
}
