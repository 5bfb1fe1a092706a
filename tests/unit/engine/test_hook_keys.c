/* Public keys of services: fetched once for all who wait, kept, fetched anew when none fits, and never too often. */
#include <stdlib.h>

#include "base/clock.h"
#include "engine/hook/keys.h"
#include "fake_catalog.h"
#include "fake_driver.h"
#include "fake_upstream.h"
#include "hook_sender.h"
#include "server.h"
#include "tests.h"

#define WAITS "{\"results\":[{\"voice_id\":\"v\"}]}"
#define BODY TEXT("{\"status\":\"OK\"}")

enum { OLD = 1, NEW = 2, FOREIGN = 3 };

static struct house house;
static struct server server;
static char key_set[4096];

static void serve(int status, const uint8_t *seeds, size_t count) {
    server_stall(&server, true); /* it answers nobody while this changes */
    sending_put_key_set(key_set, sizeof(key_set), seeds, count);
    server.status = status;
    server.len = strlen(key_set);
    server_stall(&server, false);
}

static void open_house(bool allow_private) {
    static struct provider_config provider;
    static char url[64];
    server_open(&server, 200, key_set, 0);
    serve(200, (uint8_t[]){ FOREIGN, OLD }, 2);
    snprintf(url, sizeof(url), "http://%s/base", server.host_port);
    provider = (struct provider_config){ .name = "upstream", .url = url, .allow_private = allow_private };
    struct config limits = { .providers = &provider, .provider_count = 1 };
    fake_reset();
    upstream_reset();
    fake_signature(SIGNED_ED25519);
    house_open(&house, NULL, &limits);
    house_start(&house);
}

static void close_house(void) {
    house_audit(&house);
    house_close(&house);
    server_close(&server);
    fake_signature(NULL);
}

static bool runs(void *context) {
    return upstream_attempts() == *(unsigned *)context;
}

static struct task_id run_upstream(void) {
    unsigned one = upstream_attempts() + 1;
    struct task_id id = house_run(&house, 0, "upstream", WAITS);
    house_await_true(runs, &one);
    return id;
}

/* To a task of its own, signed with that key; what the sender hears. */
static enum err send_signed(uint8_t seed) {
    struct sending sending;
    struct task_id id = run_upstream();
    sending_init(&sending, &house, 0, &id, 1, BODY);
    sending_sign_with_key(&sending, seed);
    enum err err = sending_send(&sending, &house);
    free(sending.call.reply);
    return err;
}

static void keys_are_fetched_once_for_all(void **state) {
    (void)state;
    enum { SENDINGS = 5 };
    struct sending sendings[SENDINGS];
    open_house(true);
    for (int i = 0; i < SENDINGS; i++) {
        struct task_id id = run_upstream();
        sending_init(&sendings[i], &house, 0, &id, 1, BODY);
        sending_sign_with_key(&sendings[i], OLD);
    }
    server_stall(&server, true); /* for moments: keys have ten seconds to come */
    for (int i = 0; i < SENDINGS; i++) {
        sending_post(&sendings[i], &house);
    }
    server_stall(&server, false);
    for (int i = 0; i < SENDINGS; i++) {
        assert_int_equal(sending_await(&sendings[i]), OK);
        assert_string_equal(sendings[i].call.reply, "{\"heard\":true}");
        free(sendings[i].call.reply);
    }
    assert_int_equal(send_signed(OLD), OK);
    assert_int_equal(atomic_load(&server.requests), 1);
    assert_int_equal(upstream_hooks(), SENDINGS + 1);
    close_house();
}

static void keys_that_do_not_fit_are_fetched_anew(void **state) {
    (void)state;
    open_house(true);
    clock_freeze(clock_wall_ms());
    assert_int_equal(send_signed(OLD), OK);
    serve(200, (uint8_t[]){ FOREIGN, NEW }, 2);
    assert_int_equal(send_signed(NEW), ERR_INVALID_SIGNATURE); /* they were fetched a moment ago */
    assert_int_equal(atomic_load(&server.requests), 1);
    clock_advance(59999);
    assert_int_equal(send_signed(NEW), ERR_INVALID_SIGNATURE);
    assert_int_equal(atomic_load(&server.requests), 1);
    clock_advance(1);
    assert_int_equal(send_signed(NEW), OK);
    assert_int_equal(atomic_load(&server.requests), 2);
    assert_int_equal(send_signed(OLD), ERR_INVALID_SIGNATURE); /* it is gone */
    assert_int_equal(atomic_load(&server.requests), 2);
    clock_unfreeze();
    close_house();
}

static void keys_are_kept_for_a_day(void **state) {
    (void)state;
    open_house(true);
    clock_freeze(clock_wall_ms());
    assert_int_equal(send_signed(OLD), OK);
    clock_advance(DAY_MS - 1);
    assert_int_equal(send_signed(OLD), OK);
    assert_int_equal(atomic_load(&server.requests), 1);
    serve(200, (uint8_t[]){ NEW }, 1);
    clock_advance(1);
    assert_int_equal(send_signed(OLD), ERR_INVALID_SIGNATURE);
    assert_int_equal(atomic_load(&server.requests), 2);
    clock_unfreeze();
    close_house();
}

static void a_sender_comes_again_when_keys_cannot_be_had(void **state) {
    (void)state;
    open_house(true);
    clock_freeze(clock_wall_ms());
    serve(500, (uint8_t[]){ OLD }, 1);
    assert_int_equal(send_signed(OLD), ERR_KEYS_UNAVAILABLE);
    serve(200, (uint8_t[]){ OLD }, 1);
    assert_int_equal(send_signed(OLD), ERR_KEYS_UNAVAILABLE);
    assert_int_equal(atomic_load(&server.requests), 1);
    clock_advance(10000);
    assert_int_equal(send_signed(OLD), OK);
    assert_int_equal(atomic_load(&server.requests), 2);

    /* Those that are known are good as long as they fit; whether others are is not known. */
    serve(404, (uint8_t[]){ OLD }, 1);
    clock_advance(60000);
    assert_int_equal(send_signed(NEW), ERR_KEYS_UNAVAILABLE);
    assert_int_equal(send_signed(OLD), OK);
    assert_int_equal(send_signed(NEW), ERR_KEYS_UNAVAILABLE);
    assert_int_equal(atomic_load(&server.requests), 3);
    assert_int_equal(engine_counts(house.engine).hooks[HOOK_NO_KEYS], 4);
    clock_unfreeze();
    close_house();
}

/* S1: an address that the operator did not vouch for. */
static void a_private_address_is_not_asked(void **state) {
    (void)state;
    open_house(false);
    assert_int_equal(send_signed(OLD), ERR_KEYS_UNAVAILABLE);
    assert_int_equal(atomic_load(&server.requests), 0);
    close_house();
}

static bool has_counted(void *context) {
    return engine_counts(house.engine).hooks[HOOK_NO_KEYS] == *(uint64_t *)context;
}

static void so_many_wait_and_no_more(void **state) {
    (void)state;
    enum { SENDINGS = KEY_WAITS_MAX + 3 };
    static struct sending sendings[SENDINGS];
    uint64_t too_many = SENDINGS - KEY_WAITS_MAX;
    unsigned good = 0;
    open_house(true);
    struct task_id id = run_upstream();
    server_stall(&server, true);
    for (int i = 0; i < SENDINGS; i++) {
        sending_init(&sendings[i], &house, 0, &id, 1, BODY);
        sending_sign_with_key(&sendings[i], OLD);
        sending_post(&sendings[i], &house);
    }
    house_await_true(has_counted, &too_many);
    server_stall(&server, false);
    for (int i = 0; i < SENDINGS; i++) {
        good += sending_await(&sendings[i]) == OK;
        free(sendings[i].call.reply);
    }
    assert_int_equal(good, KEY_WAITS_MAX);
    assert_int_equal(upstream_hooks(), 1); /* it ended the attempt; the others came late */
    close_house();
}

static bool was_asked(void *context) {
    (void)context;
    return atomic_load(&server.requests) == 1;
}

static void a_stop_answers_those_who_wait(void **state) {
    (void)state;
    struct sending sending;
    open_house(true);
    struct task_id id = run_upstream();
    server_stall(&server, true);
    sending_init(&sending, &house, 0, &id, 1, BODY);
    sending_sign_with_key(&sending, OLD);
    sending_post(&sending, &house);
    house_await_true(was_asked, NULL);
    engine_stop(house.engine, 0);
    assert_true(atomic_load(&sending.answered));
    assert_int_equal(sending.call.err, ERR_SHUTTING_DOWN);
    engine_free(house.engine);
    house.engine = NULL;
    server_stall(&server, false);
    close_house();
}

int test_hook_keys(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_fetched_once_for_all),
        cmocka_unit_test(keys_that_do_not_fit_are_fetched_anew),
        cmocka_unit_test(keys_are_kept_for_a_day),
        cmocka_unit_test(a_sender_comes_again_when_keys_cannot_be_had),
        cmocka_unit_test(a_private_address_is_not_asked),
        cmocka_unit_test(so_many_wait_and_no_more),
        cmocka_unit_test(a_stop_answers_those_who_wait),
    };
    return cmocka_run_group_tests_name("hook keys", tests, NULL, NULL);
}
