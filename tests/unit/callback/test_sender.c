/* The sender over a real store and real receivers: what is due is sent once, nothing before its submission's answer, a
 * hanging receiver holds up nobody, and what an open circuit keeps too long ends. */
#include <stdlib.h>
#include <uv.h>

#include "base/clock.h"
#include "base/memory.h"
#include "callback/callbacks.h"
#include "callback/intake.h"
#include "fixture.h"
#include "server.h"
#include "tests_callback.h"

struct house {
    struct fixture *fixture;
    uv_loop_t loop;
    struct server *server, *other;
    struct callbacks *callbacks;
    char pairs[2][32];
    bool idle;
};

static enum err render(void *context, int64_t account, const struct task_id *task, struct text base,
                       struct buffer *body) {
    (void)context, (void)account, (void)base;
    buffer_printf(body, "{\"id\":\"%s\"}", task->string);
    return OK;
}

static int set_up(void **state) {
    struct house *house = mem_new(sizeof(*house));
    void *fixture = NULL;
    fixture_setup(&fixture);
    house->fixture = fixture;
    house->server = server_start();
    house->other = server_start();
    assert_int_equal(uv_loop_init(&house->loop), 0);
    *state = house;
    return 0;
}

static void open_sender(struct house *house, struct callbacks_options options) {
    const char *allow[] = { house->pairs[0], house->pairs[1] };
    snprintf(house->pairs[0], sizeof(house->pairs[0]), "127.0.0.1:%u", server_port(house->server));
    snprintf(house->pairs[1], sizeof(house->pairs[1]), "127.0.0.1:%u", server_port(house->other));
    options.store = house->fixture->store;
    options.allow = allow;
    options.allow_count = 2;
    options.render = render;
    if (options.timeout_ms == 0)
        options.timeout_ms = 60000; /* a busy machine's answer is late, and no failed try */
    house->callbacks = callbacks_new(&house->loop, &options);
}

static void on_idle(void *context) {
    ((struct house *)context)->idle = true;
}

static void close_sender(struct house *house) {
    if (house->callbacks == NULL)
        return;
    callbacks_stop(house->callbacks, on_idle, house);
    callbacks_cut(house->callbacks);
    while (!house->idle)
        uv_run(&house->loop, UV_RUN_ONCE);
    callbacks_close(house->callbacks);
    uv_run(&house->loop, UV_RUN_DEFAULT);
    callbacks_free(house->callbacks);
    house->callbacks = NULL;
}

static int tear_down(void **state) {
    struct house *house = *state;
    close_sender(house);
    assert_int_equal(uv_loop_close(&house->loop), 0);
    server_stop(house->server);
    server_stop(house->other);
    void *fixture = house->fixture;
    fixture_teardown(&fixture);
    free(house);
    return 0;
}

/* ---- deliveries ---- */

struct addition {
    struct callback_intake intake;
    struct task_id task;
    int64_t deadline_ms;
};

static void add(struct store_tx *tx, void *context) {
    const struct addition *addition = context;
    callback_intake_write(tx, &addition->intake, &addition->task);
}

static void fall_due(struct store_tx *tx, void *context) {
    const struct addition *addition = context;
    store_tx_callbacks_due(tx, addition->intake.row.account, &addition->task, clock_wall_ms(), addition->deadline_ms);
}

/* Due in the store; nobody is told yet. */
static struct addition make_due(struct house *house, struct server *server, const char *path) {
    struct addition addition = { .deadline_ms = clock_wall_ms() + 3600000 };
    char url[128];
    snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", server_port(server), path);
    addition.task = fresh_id();
    assert_int_equal(callback_intake_init(&addition.intake, house->fixture->account, text_of(url), TEXT(""),
                                          clock_wall_ms(), NULL), OK);
    assert_int_equal(call(house->fixture->store, add, &addition), OK);
    assert_int_equal(call(house->fixture->store, fall_due, &addition), OK);
    return addition;
}

static struct callback_row stored(struct house *house, const struct addition *addition) {
    struct callback_row row = { 0 };
    assert_int_equal(store_find_callback(house->fixture->store, house->fixture->account,
                                         text_of(addition->intake.row.id), &house->fixture->arena, &row), OK);
    return row;
}

static void run_until(struct house *house, uint64_t delivered) {
    while (callbacks_counts(house->callbacks).delivered < delivered)
        uv_run(&house->loop, UV_RUN_ONCE);
}

static void tell(struct house *house, const struct addition *addition) {
    callbacks_due(house->callbacks, house->fixture->account, &addition->task);
}

/* ---- tests ---- */

static void what_was_due_before_and_what_falls_due_is_sent_once(void **state) {
    struct house *house = *state;
    struct addition additions[60];
    for (unsigned i = 0; i < 30; i++)
        additions[i] = make_due(house, house->server, "/ok");
    open_sender(house, (struct callbacks_options){ 0 });
    run_until(house, 1);
    for (unsigned i = 30; i < 60; i++) {
        additions[i] = make_due(house, house->server, "/ok");
        tell(house, &additions[i]);
    }
    run_until(house, 60);
    for (unsigned i = 0; i < 60; i++) {
        struct callback_row row = stored(house, &additions[i]);
        assert_int_equal(row.state, CALLBACK_DELIVERED);
        assert_int_equal(row.status, 200);
        assert_int_equal(row.tries, 1);
    }
    assert_int_equal(server_requests(house->server), 60);
    struct callbacks_counts counts = callbacks_counts(house->callbacks);
    assert_int_equal(counts.tries - counts.failed, 60);
    assert_int_equal(counts.given_up, 0);
}

static void none_is_sent_before_its_submissions_answer(void **state) {
    struct house *house = *state;
    open_sender(house, (struct callbacks_options){ 0 });
    struct addition held = make_due(house, house->server, "/ok");
    callbacks_hold(house->callbacks, house->fixture->account, &held.task);
    struct addition free_one = make_due(house, house->server, "/ok");
    tell(house, &held);
    tell(house, &free_one);
    run_until(house, 1); /* of the same lane, and due later: the look has gone past the other */
    assert_int_equal(stored(house, &free_one).state, CALLBACK_DELIVERED);
    assert_int_equal(stored(house, &held).state, CALLBACK_DUE);
    assert_int_equal(server_requests(house->server), 1);
    callbacks_release(house->callbacks, house->fixture->account, &held.task);
    run_until(house, 2);
    assert_int_equal(stored(house, &held).state, CALLBACK_DELIVERED);
    callbacks_release(house->callbacks, house->fixture->account, &held.task); /* nothing to release any more */
}

static void a_silent_receiver_takes_its_places_and_no_more(void **state) {
    struct house *house = *state;
    struct addition silent[40];
    for (unsigned i = 0; i < 40; i++)
        silent[i] = make_due(house, house->server, "/silent");
    open_sender(house, (struct callbacks_options){ .lane_running_max = 3, .timeout_ms = 60000 });
    while (server_requests(house->server) < 3)
        uv_run(&house->loop, UV_RUN_ONCE);
    for (unsigned i = 0; i < 20; i++) {
        struct addition healthy = make_due(house, house->other, "/ok");
        tell(house, &healthy);
        run_until(house, i + 1);
        assert_int_equal(stored(house, &healthy).state, CALLBACK_DELIVERED);
    }
    assert_int_equal(server_requests(house->server), 3);
    assert_int_equal(callbacks_counts(house->callbacks).running, 3);
    close_sender(house);
    for (unsigned i = 0; i < 40; i++)
        assert_int_equal(stored(house, &silent[i]).state, CALLBACK_DUE); /* for the next life */
}

static void an_open_circuit_postpones_without_a_try(void **state) {
    struct house *house = *state;
    struct addition late[5];
    for (unsigned i = 0; i < 5; i++)
        late[i] = make_due(house, house->server, "/status/500");
    open_sender(house, (struct callbacks_options){
        .lane_running_max = 1,
        .open_before_late_ms = INT64_MAX,
        .breaker = { .failures_max = 1, .first_ms = 3600000, .max_ms = 3600000 },
    });
    while (callbacks_counts(house->callbacks).open == 0)
        uv_run(&house->loop, UV_RUN_ONCE);
    struct addition healthy = make_due(house, house->other, "/ok");
    tell(house, &healthy);
    run_until(house, 1);
    assert_int_equal(server_requests(house->server), 1); /* the others wait, untried */
    int tries = 0;
    for (unsigned i = 0; i < 5; i++)
        tries += stored(house, &late[i]).tries;
    assert_int_equal(tries, 1);
    callbacks_hurry(house->callbacks, house->fixture->account, text_of(late[4].intake.row.id));
    while (server_requests(house->server) < 2)
        uv_run(&house->loop, UV_RUN_ONCE); /* somebody wants it now: the circuit is closed again */
}

struct lateness {
    int64_t account, count;
    struct text lane;
};

static void shorten(struct store_tx *tx, void *context) {
    struct lateness *lateness = context;
    store_tx_give_up_late_callbacks(tx, lateness->account, lateness->lane, clock_wall_ms() + 7200000, 3,
                                    &lateness->count);
}

static void late_ones_are_given_up_in_batches(void **state) {
    struct house *house = *state;
    struct addition late[5];
    for (unsigned i = 0; i < 5; i++)
        late[i] = make_due(house, house->server, "/ok");
    struct lateness lateness = { .account = house->fixture->account, .lane = text_of(late[0].intake.lane) };
    assert_int_equal(call(house->fixture->store, shorten, &lateness), OK);
    assert_int_equal(lateness.count, 3);
    assert_int_equal(call(house->fixture->store, shorten, &lateness), OK);
    assert_int_equal(lateness.count, 2);
    for (unsigned i = 0; i < 5; i++) {
        struct callback_row row = stored(house, &late[i]);
        assert_int_equal(row.state, CALLBACK_GIVEN_UP);
        assert_true(text_equal(row.outcome, TEXT("circuit_open")) && row.ended_ms > 0);
    }
}

static void note_watch(struct callback_watch *watch) {
    watch->account = -1;
}

static void whoever_watches_is_told_once(void **state) {
    struct house *house = *state;
    struct callback_watch watch = { .account = house->fixture->account, .done = note_watch };
    struct callback_watch idle = { .account = house->fixture->account, .id = "msg_other", .done = note_watch };
    open_sender(house, (struct callbacks_options){ 0 });
    struct addition one = make_due(house, house->server, "/status/410");
    memcpy(watch.id, one.intake.row.id, sizeof(watch.id));
    callbacks_watch(house->callbacks, &watch);
    callbacks_watch(house->callbacks, &idle);
    tell(house, &one);
    while (watch.account != -1)
        uv_run(&house->loop, UV_RUN_ONCE);
    struct callback_row row = stored(house, &one);
    assert_int_equal(row.state, CALLBACK_GIVEN_UP);
    assert_true(text_equal(row.outcome, TEXT("gone")));
    close_sender(house);
    assert_int_equal(idle.account, -1); /* at the stop */
}

int run_sender_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_due_before_and_what_falls_due_is_sent_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(none_is_sent_before_its_submissions_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_silent_receiver_takes_its_places_and_no_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_open_circuit_postpones_without_a_try, set_up, tear_down),
        cmocka_unit_test_setup_teardown(late_ones_are_given_up_in_batches, set_up, tear_down),
        cmocka_unit_test_setup_teardown(whoever_watches_is_told_once, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("callback sender", tests, NULL, NULL);
}
