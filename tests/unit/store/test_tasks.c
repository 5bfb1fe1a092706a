/* Tasks: kept whole, moved by the guards of T1, listed, and invisible to other accounts (S2). */
#include "fixture.h"

#include "tests.h"

static void test_a_task_comes_back_whole(void **state) {
    struct fixture *fixture = *state;
    struct task_row task = pending_task(fixture->account, 300), row;
    struct text input;
    accept_task(fixture->store, &task);
    row = stored_task(fixture, &task);
    assert_int_equal(row.account, task.account);
    assert_string_equal(row.id.string, task.id.string);
    assert_int_equal(row.key, task.key);
    assert_int_equal(row.book, task.book);
    assert_int_equal(row.type, task.type);
    assert_int_equal(row.state, TASK_PENDING);
    assert_int_equal(row.progress, 0);
    assert_int_equal(row.billing, task.billing);
    assert_int_equal(row.error, TASK_ERROR_NONE);
    assert_int_equal(row.created_ms, task.created_ms);
    assert_int_equal(row.started_ms, 0);
    assert_int_equal(row.finished_ms, 0);
    assert_int_equal(row.reserved, 300);
    assert_true(text_equal(row.model, task.model));
    assert_true(text_equal(row.group, task.group));
    assert_int_equal(row.results.len, 0);
    assert_int_equal(row.error_message.len, 0);
    assert_int_equal(store_load_input(fixture->store, task.account, &task.id, &fixture->arena, &input), OK);
    assert_true(text_starts(input, TEXT("{\"prompt\":")));
}

struct sized {
    struct task_row task;
    struct text input;
};

static void add_sized(struct store_tx *tx, void *context) {
    const struct sized *sized = context;
    store_tx_add_task(tx, &sized->task, sized->input);
}

static void end_sized(struct store_tx *tx, void *context) {
    const struct sized *sized = context;
    store_tx_move_task(tx, &sized->task, TASK_PENDING);
    store_tx_drop_inputs(tx, sized->task.account, &sized->task.id, NOW_MS);
}

/* A short input lies in the task's row, a long one elsewhere: nobody can tell, and both go with the task's end. */
static void test_an_input_of_any_length_lives_until_the_end(void **state) {
    struct fixture *fixture = *state;
    static char letters[100000];
    const size_t lengths[] = { 1, 1023, 1024, 1025, 5000, sizeof(letters) };
    struct text found;
    memset(letters, 'x', sizeof(letters));
    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        struct sized sized = { pending_task(fixture->account, 0), { letters, lengths[i] } };
        assert_int_equal(call(fixture->store, add_sized, &sized), OK);
        assert_int_equal(store_load_input(fixture->store, fixture->account, &sized.task.id, &fixture->arena, &found), OK);
        assert_true(text_equal(found, sized.input));
        sized.task.state = TASK_FAILED;
        sized.task.finished_ms = NOW_MS;
        assert_int_equal(call(fixture->store, end_sized, &sized), OK);
        assert_int_equal(store_load_input(fixture->store, fixture->account, &sized.task.id, &fixture->arena, &found),
                         ERR_NOT_FOUND);
    }
}

static void test_another_account_finds_nothing(void **state) {
    struct fixture *fixture = *state;
    int64_t other = make_account(fixture->store, "other", 0);
    struct task_row task = pending_task(fixture->account, 0), row;
    struct text input;
    accept_task(fixture->store, &task);
    assert_int_equal(store_find_task(fixture->store, other, &task.id, &fixture->arena, &row), ERR_NOT_FOUND);
    assert_int_equal(store_load_input(fixture->store, other, &task.id, &fixture->arena, &input), ERR_NOT_FOUND);
    struct task_row stolen = task;
    stolen.account = other;
    assert_int_equal(finish_task(fixture->store, stolen, TASK_PENDING, TASK_FAILED), ERR_NOT_FOUND);
    assert_int_equal(store_find_task_of_any(fixture->store, &task.id, &fixture->arena, &row), OK);
    assert_int_equal(row.account, fixture->account);
    struct task_id none = fresh_id();
    assert_int_equal(store_find_task_of_any(fixture->store, &none, &fixture->arena, &row), ERR_NOT_FOUND);
}

static void add_only(struct store_tx *tx, void *context) {
    store_tx_add_task(tx, context, TEXT("{}"));
}

static void test_what_is_no_new_task_is_refused(void **state) {
    struct fixture *fixture = *state;
    struct task_row task = pending_task(fixture->account, 0), started = pending_task(fixture->account, 0);
    struct task_row stray = pending_task(fixture->account + 1, 0);
    started.state = TASK_PROCESSING;
    accept_task(fixture->store, &task);
    assert_int_equal(call(fixture->store, add_only, &task), ERR_EXISTS);
    assert_int_equal(call(fixture->store, add_only, &started), ERR_CONFLICT);
    assert_int_equal(call(fixture->store, add_only, &stray), ERR_NOT_FOUND);
}

struct moving {
    struct task_row task;
    enum task_state from;
};

static void move_task(struct store_tx *tx, void *context) {
    struct moving *moving = context;
    store_tx_move_task(tx, &moving->task, moving->from);
}

static enum err move(struct fixture *fixture, const struct task_row *task, enum task_state from, enum task_state to) {
    struct moving moving = { .task = *task, .from = from };
    moving.task.state = to;
    moving.task.started_ms = NOW_MS + 1;
    moving.task.finished_ms = task_state_final(to) ? NOW_MS + 2 : 0;
    moving.task.charged = task_state_final(to) ? task->reserved : 0;
    return call(fixture->store, move_task, &moving);
}

static void test_moves_are_guarded(void **state) {
    struct fixture *fixture = *state;
    struct task_row task = pending_task(fixture->account, 10), unknown = pending_task(fixture->account, 10);
    accept_task(fixture->store, &task);
    const struct {
        enum task_state from, to;
        enum err err;
    } cases[] = {
        { TASK_PROCESSING, TASK_COMPLETED, ERR_CONFLICT },
        { TASK_PENDING, TASK_PROCESSING, OK },
        { TASK_PENDING, TASK_PROCESSING, ERR_CONFLICT },
        { TASK_PROCESSING, TASK_PENDING, OK },
        { TASK_PENDING, TASK_PROCESSING, OK },
        { TASK_PROCESSING, TASK_COMPLETED, OK },
        { TASK_PROCESSING, TASK_FAILED, ERR_TASK_FINAL },
        { TASK_PENDING, TASK_FAILED, ERR_TASK_FINAL },
        { TASK_COMPLETED, TASK_COMPLETED, ERR_TASK_FINAL },
        { TASK_COMPLETED, TASK_FAILED, ERR_TASK_FINAL },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_int_equal(move(fixture, &task, cases[i].from, cases[i].to), cases[i].err);
    }
    assert_int_equal(stored_task(fixture, &task).state, TASK_COMPLETED);
    assert_int_equal(move(fixture, &unknown, TASK_PENDING, TASK_PROCESSING), ERR_NOT_FOUND);
}

static void test_a_final_task_is_stamped_and_adds_up(void **state) {
    struct fixture *fixture = *state;
    struct moving moving = { .task = pending_task(fixture->account, 10), .from = TASK_PENDING };
    accept_task(fixture->store, &moving.task);
    moving.task.state = TASK_FAILED;
    moving.task.refunded = 10;
    assert_int_equal(call(fixture->store, move_task, &moving), ERR_CONFLICT); /* T1: no stamp */
    moving.task.finished_ms = NOW_MS + 1;
    moving.task.refunded = 9;
    assert_int_equal(call(fixture->store, move_task, &moving), ERR_CONFLICT); /* L3: one is missing */
    moving.task.refunded = 10;
    assert_int_equal(call(fixture->store, move_task, &moving), OK);
}

static void test_a_move_writes_the_end(void **state) {
    struct fixture *fixture = *state;
    struct task_row good = pending_task(fixture->account, 10), bad = pending_task(fixture->account, 10), row;
    accept_task(fixture->store, &good);
    accept_task(fixture->store, &bad);
    assert_int_equal(finish_task(fixture->store, good, TASK_PENDING, TASK_COMPLETED), OK);
    assert_int_equal(finish_task(fixture->store, bad, TASK_PENDING, TASK_FAILED), OK);
    row = stored_task(fixture, &good);
    assert_int_equal(row.progress, 100);
    assert_int_equal(row.charged, 10);
    assert_int_equal(row.finished_ms, NOW_MS + 5000);
    assert_true(text_equal(row.results, TEXT("[{\"url\":\"\x01/v1/results/x\"}]")));
    row = stored_task(fixture, &bad);
    assert_int_equal(row.error, TASK_ERROR_GENERATION_FAILED);
    assert_true(text_equal(row.error_message, TEXT("The generation failed.")));
    assert_int_equal(row.refunded, 10);
    assert_sound(fixture->store);
}

static void test_every_error_comes_back(void **state) {
    struct fixture *fixture = *state;
    for (enum task_error error = TASK_ERROR_NONE; error < TASK_ERROR_COUNT; error++) {
        struct moving moving = { .task = pending_task(fixture->account, 0), .from = TASK_PENDING };
        accept_task(fixture->store, &moving.task);
        moving.task.state = TASK_FAILED;
        moving.task.finished_ms = NOW_MS;
        moving.task.error = error;
        assert_int_equal(call(fixture->store, move_task, &moving), OK);
        assert_int_equal(stored_task(fixture, &moving.task).error, error);
    }
}

struct raise {
    const struct task_row *task;
    int progress;
};

static void raise_progress(struct store_tx *tx, void *context) {
    struct raise *raise = context;
    store_tx_raise_progress(tx, raise->task->account, &raise->task->id, raise->progress);
}

static void test_progress_only_rises_and_only_while_processing(void **state) {
    struct fixture *fixture = *state;
    struct task_row task = pending_task(fixture->account, 0);
    accept_task(fixture->store, &task);
    assert_int_equal(call(fixture->store, raise_progress, &(struct raise){ &task, 5 }), OK);
    assert_int_equal(stored_task(fixture, &task).progress, 0);
    assert_int_equal(move(fixture, &task, TASK_PENDING, TASK_PROCESSING), OK);
    assert_int_equal(call(fixture->store, raise_progress, &(struct raise){ &task, 40 }), OK);
    assert_int_equal(call(fixture->store, raise_progress, &(struct raise){ &task, 30 }), OK);
    assert_int_equal(stored_task(fixture, &task).progress, 40);
    assert_int_equal(call(fixture->store, raise_progress, &(struct raise){ &task, 101 }), ERR_CONFLICT);
    task.progress = 10; /* a move does not lower it either */
    assert_int_equal(move(fixture, &task, TASK_PROCESSING, TASK_PENDING), OK);
    assert_int_equal(stored_task(fixture, &task).progress, 40);
}

#define LISTED 6
struct listing {
    unsigned count, most;
    char ids[LISTED][TASK_ID_SIZE];
};

static bool list(const struct task_row *row, void *context) {
    struct listing *listing = context;
    assert_true(listing->count < LISTED);
    memcpy(listing->ids[listing->count++], row->id.string, TASK_ID_SIZE);
    return listing->count < listing->most;
}

static void assert_listed(const struct listing *listing, const struct task_row tasks[], const char *digits) {
    assert_int_equal(listing->count, strlen(digits));
    for (unsigned i = 0; i < listing->count; i++) {
        assert_string_equal(listing->ids[i], tasks[digits[i] - '0'].id.string);
    }
}

/* Five tasks: 0, 1, 2 of acme (completed, processing, pending), 3, 4 of other (failed, pending). */
static int64_t make_five(struct fixture *fixture, struct task_row tasks[5]) {
    int64_t other = make_account(fixture->store, "other", 0);
    for (int i = 0; i < 5; i++) {
        tasks[i] = pending_task(i < 3 ? fixture->account : other, 0);
        tasks[i].created_ms += i;
        accept_task(fixture->store, &tasks[i]);
    }
    assert_int_equal(finish_task(fixture->store, tasks[0], TASK_PENDING, TASK_COMPLETED), OK);
    assert_int_equal(move(fixture, &tasks[1], TASK_PENDING, TASK_PROCESSING), OK);
    assert_int_equal(finish_task(fixture->store, tasks[3], TASK_PENDING, TASK_FAILED), OK);
    return other;
}

static void test_lists_are_newest_first(void **state) {
    struct fixture *fixture = *state;
    struct task_row tasks[5];
    int64_t other = make_five(fixture, tasks);
    const enum task_state pending = TASK_PENDING, processing = TASK_PROCESSING, failed = TASK_FAILED;
    const struct {
        struct task_filter filter;
        unsigned most;
        const char *expected;
    } cases[] = {
        { { 0 }, 9, "43210" },
        { { 0 }, 2, "43" },
        { { .limit = 3 }, 9, "432" },
        { { .account = fixture->account }, 9, "210" },
        { { .account = fixture->account, .limit = 1 }, 9, "2" },
        { { .account = other + 1 }, 9, "" },
        { { .state = &pending }, 9, "42" },
        { { .state = &pending, .limit = 1 }, 9, "4" },
        { { .state = &pending, .account = fixture->account }, 9, "2" },
        { { .state = &processing }, 9, "1" },
        { { .state = &failed }, 9, "3" },
        { { .state = &failed, .account = fixture->account }, 9, "" },
        { { .state = &failed, .account = other }, 9, "3" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct listing listing = { .most = cases[i].most };
        assert_int_equal(store_list_tasks(fixture->store, &cases[i].filter, list, &listing), OK);
        assert_listed(&listing, tasks, cases[i].expected);
    }
}

static bool take_brief(const struct task_brief *brief, void *context) {
    const struct task_row row = { .id = brief->id };
    assert_true(brief->model.len > 0);
    return list(&row, context);
}

/* Those in other states may be there, too. */
static void test_a_scan_goes_on_behind_a_task(void **state) {
    struct fixture *fixture = *state;
    struct task_row tasks[5];
    int64_t other = make_five(fixture, tasks);
    const enum task_state pending = TASK_PENDING, completed = TASK_COMPLETED, failed = TASK_FAILED;
    const struct {
        struct task_scan scan;
        const char *expected;
    } cases[] = {
        { { .account = fixture->account, .limit = 9 }, "210" },
        { { .account = fixture->account, .limit = 2 }, "21" },
        { { .account = fixture->account, .limit = 9, .after = &tasks[2].id }, "10" },
        { { .account = fixture->account, .limit = 1, .after = &tasks[2].id }, "1" },
        { { .account = fixture->account, .limit = 9, .after = &tasks[0].id }, "" },
        { { .account = fixture->account, .limit = 9, .state = &pending }, "21" },
        { { .account = fixture->account, .limit = 9, .state = &pending, .after = &tasks[2].id }, "1" },
        { { .account = fixture->account, .limit = 9, .state = &completed }, "210" },
        { { .account = fixture->account, .limit = 9, .state = &failed }, "" },
        { { .account = other, .limit = 9, .state = &failed }, "3" },
        { { .account = other + 1, .limit = 9 }, "" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct listing listing = { .most = 9 };
        assert_int_equal(store_scan_tasks(fixture->store, &cases[i].scan, take_brief, &listing), OK);
        assert_listed(&listing, tasks, cases[i].expected);
    }
    struct listing listing = { .most = 9 };
    struct task_scan stray = { .account = fixture->account, .limit = 9, .after = &tasks[3].id }; /* S2 */
    assert_int_equal(store_scan_tasks(fixture->store, &stray, take_brief, &listing), ERR_NOT_FOUND);
    assert_int_equal(listing.count, 0);
}

static void test_open_tasks_are_oldest_first(void **state) {
    struct fixture *fixture = *state;
    struct task_row tasks[5];
    struct listing listing = { .most = 9 };
    make_five(fixture, tasks);
    assert_int_equal(store_list_open_tasks(fixture->store, list, &listing), OK);
    assert_listed(&listing, tasks, "124");
}

struct durations {
    unsigned count;
    int64_t ms[4];
};

static bool take_duration(int64_t ms, void *context) {
    struct durations *durations = context;
    assert_true(durations->count < ARRAY_SIZE(durations->ms));
    durations->ms[durations->count++] = ms;
    return true;
}

static void test_durations_of_the_last_completed_live_tasks(void **state) {
    struct fixture *fixture = *state;
    const struct {
        enum book book;
        enum task_state end;
        int64_t took_ms;
    } cases[] = { { BOOK_LIVE, TASK_COMPLETED, 100 },
                  { BOOK_TEST, TASK_COMPLETED, 200 },
                  { BOOK_LIVE, TASK_FAILED, 300 },
                  { BOOK_LIVE, TASK_COMPLETED, 400 },
                  { BOOK_LIVE, TASK_COMPLETED, 500 } };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct moving moving = { .task = pending_task(fixture->account, 0), .from = TASK_PENDING };
        moving.task.book = cases[i].book;
        accept_task(fixture->store, &moving.task);
        moving.task.state = cases[i].end;
        moving.task.finished_ms = NOW_MS + 1000 + (int64_t)i;
        moving.task.started_ms = moving.task.finished_ms - cases[i].took_ms;
        assert_int_equal(call(fixture->store, move_task, &moving), OK);
    }
    struct durations two = { 0 }, none = { 0 };
    assert_int_equal(store_list_durations(fixture->store, TEXT("local-speech"), 2, take_duration, &two), OK);
    assert_int_equal(two.count, 2);
    assert_int_equal(two.ms[0], 500);
    assert_int_equal(two.ms[1], 400);
    assert_int_equal(store_list_durations(fixture->store, TEXT("local-image"), 2, take_duration, &none), OK);
    assert_int_equal(none.count, 0);
    tamper(fixture->directory, "UPDATE task SET type = 3"); /* a language model's */
    assert_int_equal(store_list_durations(fixture->store, TEXT("local-speech"), 2, take_duration, &none), OK);
    assert_int_equal(none.count, 0);
}

static void test_an_arena_that_is_too_small_is_told(void **state) {
    struct fixture *fixture = *state;
    struct task_row task = pending_task(fixture->account, 0), row = { .reserved = 42 };
    struct text input = TEXT("untouched");
    struct arena small;
    arena_init(&small, 1);
    accept_task(fixture->store, &task);
    assert_int_equal(store_find_task(fixture->store, task.account, &task.id, &small, &row), ERR_NO_MEMORY);
    assert_int_equal(store_load_input(fixture->store, task.account, &task.id, &small, &input), ERR_NO_MEMORY);
    assert_int_equal(row.reserved, 42);
    assert_true(text_equal(input, TEXT("untouched")));
    arena_fini(&small);
}

int run_task_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_task_comes_back_whole, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_an_input_of_any_length_lives_until_the_end, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_another_account_finds_nothing, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_what_is_no_new_task_is_refused, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_moves_are_guarded, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_a_final_task_is_stamped_and_adds_up, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_a_move_writes_the_end, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_every_error_comes_back, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_progress_only_rises_and_only_while_processing, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_lists_are_newest_first, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_a_scan_goes_on_behind_a_task, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_open_tasks_are_oldest_first, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_durations_of_the_last_completed_live_tasks, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_an_arena_that_is_too_small_is_told, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests_name("store tasks", tests, NULL, NULL);
}
