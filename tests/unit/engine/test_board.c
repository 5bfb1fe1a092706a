/* The board: what is shown to whom, rendered for which base, and what has to go. */
#include "engine/view/board.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "engine/queue/queue.h"
#include "engine/state.h"
#include "engine/task/move.h"
#include "tests.h"

#define RESULTS "[{\"url\":\"\x01/v1/artifacts/x\"}]"

static struct task_row make(int64_t account, const char *id, enum task_state state) {
    struct task_row row = { .account = account, .type = TASK_IMAGE, .state = state, .created_ms = 1000,
                            .model = TEXT("m"), .group = TEXT("g") };
    snprintf(row.id.string, sizeof(row.id.string), "%s", id);
    if (state == TASK_COMPLETED)
        row.results = TEXT(RESULTS);
    if (state == TASK_FAILED)
        row.error = TASK_ERROR_SERVICE;
    return row;
}

/* Whether the board has it, and the body contains the words. */
static bool shows(struct board *board, int64_t account, const char *id, const char *base, const char *words) {
    struct task_row row = make(account, id, TASK_PENDING);
    struct task_key key = task_key(account, &row.id);
    struct buffer body;
    buffer_init(&body, 1 << 20);
    uint64_t tag;
    bool hit = board_read(board, &key, text_of(base), &body, &tag);
    bool good = hit && strstr(body.data, words) != NULL;
    if (!hit)
        assert_int_equal(body.len, 0);
    buffer_fini(&body);
    return good;
}

static void a_task_is_its_accounts_alone(void **state) {
    (void)state;
    struct board *board = board_new(0);
    struct task_row row = make(1, "task-a", TASK_PROCESSING);
    board_put(board, &row, 5);
    assert_true(shows(board, 1, "task-a", "b", "\"processing\""));
    assert_false(shows(board, 2, "task-a", "b", "")); /* S2 */
    assert_false(shows(board, 1, "task-b", "b", ""));
    board_free(board);
}

static void a_pending_task_shows_its_place(void **state) {
    (void)state;
    struct board *board = board_new(0);
    struct task_row row = make(1, "task-a", TASK_PENDING);
    struct task_key key = task_key(1, &row.id);
    struct queue_gauge *gauge = calloc(1, sizeof(*gauge));
    atomic_init(&gauge->references, 1);
    atomic_init(&gauge->head, 1);
    board_put(board, &row, 5);
    assert_true(shows(board, 1, "task-a", "b", "\"task_info\":{\"can_cancel\":true,\"estimated_time\":5}"));
    board_set_place(board, &key, gauge, 3);
    assert_true(shows(board, 1, "task-a", "b", "\"queue_position\":3"));
    atomic_store(&gauge->head, 2);
    assert_true(shows(board, 1, "task-a", "b", "\"queue_position\":2"));
    row.state = TASK_PROCESSING;
    board_put(board, &row, 5);
    assert_false(shows(board, 1, "task-a", "b", "task_info"));
    assert_int_equal(atomic_load(&gauge->references), 1);
    queue_gauge_unref(gauge);
    board_free(board);
}

static void progress_only_rises(void **state) {
    (void)state;
    struct board *board = board_new(0);
    struct task_row row = make(1, "task-a", TASK_PROCESSING);
    struct task_key key = task_key(1, &row.id);
    board_put(board, &row, 5);
    board_raise_progress(board, &key, 40);
    assert_true(shows(board, 1, "task-a", "b", "\"progress\":40"));
    board_raise_progress(board, &key, 30);
    assert_true(shows(board, 1, "task-a", "b", "\"progress\":40"));
    board_free(board);
}

static void another_base_is_not_answered_with_this_one(void **state) {
    (void)state;
    struct board *board = board_new(0);
    struct task_row row = make(1, "task-a", TASK_COMPLETED);
    board_put(board, &row, 0);
    assert_true(shows(board, 1, "task-a", "http://one", "\"http://one/v1/artifacts/x\""));
    assert_true(shows(board, 1, "task-a", "http://one", "\"http://one/v1/artifacts/x\""));
    assert_false(shows(board, 1, "task-a", "http://two", "")); /* read through, and kept for it */
    board_keep(board, &row, TEXT("http://two"), TEXT("{\"for\":\"two\"}"), 2);
    assert_true(shows(board, 1, "task-a", "http://two", "{\"for\":\"two\"}"));
    assert_false(shows(board, 1, "task-a", "http://one", ""));

    row = make(1, "task-f", TASK_FAILED); /* no URL in it: good for all */
    board_put(board, &row, 0);
    assert_true(shows(board, 1, "task-f", "http://one", "service_error"));
    assert_true(shows(board, 1, "task-f", "http://two", "service_error"));
    board_free(board);
}

static void final_tasks_make_room_and_live_ones_stay(void **state) {
    (void)state;
    enum { FINAL_BYTES = 256 * 1024 };
    struct board *board = board_new(FINAL_BYTES);
    char id[40];
    for (int i = 0; i < 200; i++) {
        snprintf(id, sizeof(id), "live-%d", i);
        struct task_row row = make(1, id, TASK_PROCESSING);
        board_put(board, &row, 0);
    }
    struct task_row first = make(1, "final-often", TASK_FAILED);
    board_put(board, &first, 0);
    for (int i = 0; i < 5000; i++) {
        snprintf(id, sizeof(id), "final-%d", i);
        struct task_row row = make(1, id, i % 2 == 0 ? TASK_COMPLETED : TASK_FAILED);
        board_put(board, &row, 0);
        assert_true(shows(board, 1, id, "http://one", id));
        assert_true(shows(board, 1, "final-often", "http://one", "final-often")); /* read again and again: it stays */
        assert_true(board_counts(board).final_bytes <= FINAL_BYTES);
    }
    for (int i = 0; i < 200; i++) {
        snprintf(id, sizeof(id), "live-%d", i);
        assert_true(shows(board, 1, id, "http://one", id));
    }
    assert_false(shows(board, 1, "final-0", "http://one", ""));
    assert_true(board_counts(board).entries < 1000);
    board_free(board);
}

static void a_live_task_that_ends_counts_as_final(void **state) {
    (void)state;
    struct board *board = board_new(0);
    struct task_row row = make(1, "task-a", TASK_PROCESSING);
    struct task_key key = task_key(1, &row.id);
    board_put(board, &row, 0);
    assert_int_equal(board_counts(board).final_bytes, 0);
    row = make(1, "task-a", TASK_COMPLETED);
    board_put(board, &row, 0);
    assert_true(board_counts(board).final_bytes > 0);
    board_forget(board, &key);
    assert_int_equal(board_counts(board).final_bytes, 0);
    assert_int_equal(board_counts(board).entries, 0);
    board_free(board);
}

static void ignore(struct board_watch *watch) {
    (void)watch;
}

static void who_watches_a_task_makes_its_records_go_at_once(void **state) {
    (void)state;
    struct task_row row = make(1, "task-a", TASK_PROCESSING);
    struct engine *engine = mem_new(sizeof(*engine));
    struct live_task *task = live_new(&row);
    struct board_watch watch = { .key = task->key, .changed = ignore };
    struct board_look look;
    engine->board = board_new(0);
    board_put(engine->board, &row, 0);
    assert_true(board_look(engine->board, &task->key, &look));

    engine->live.count = 1000;
    assert_true(move_patience_ms(engine, task) > 0);
    assert_true(board_watch(engine->board, &watch, look.version));
    assert_true(board_is_watched(engine->board, &task->key));
    assert_int_equal(move_patience_ms(engine, task), 0);
    assert_true(board_unwatch(engine->board, &watch));
    assert_false(board_is_watched(engine->board, &task->key));
    assert_true(move_patience_ms(engine, task) > 0);
    task->streams = true; /* its answer is read */
    assert_int_equal(move_patience_ms(engine, task), 0);
    task->streams = false;
    engine->live.count = 1; /* nobody shares the sync */
    assert_int_equal(move_patience_ms(engine, task), 0);
    task->call = (struct call_record *)engine; /* that there is one is all: its client has its answer before the record */
    assert_true(move_patience_ms(engine, task) > 0);
    engine->live.count = 1000;
    task->streams = true;
    assert_true(move_patience_ms(engine, task) > 0);
    task->call = NULL;

    board_free(engine->board);
    live_free(task);
    free(engine);
}

int test_board(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_task_is_its_accounts_alone),
        cmocka_unit_test(a_pending_task_shows_its_place),
        cmocka_unit_test(progress_only_rises),
        cmocka_unit_test(another_base_is_not_answered_with_this_one),
        cmocka_unit_test(final_tasks_make_room_and_live_ones_stay),
        cmocka_unit_test(a_live_task_that_ends_counts_as_final),
        cmocka_unit_test(who_watches_a_task_makes_its_records_go_at_once),
    };
    return cmocka_run_group_tests_name("board", tests, NULL, NULL);
}
