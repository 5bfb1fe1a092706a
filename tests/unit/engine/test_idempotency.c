/* Keys under way and keys in the store: who is first, who waits, who repeats; also when many come at one time. */
#include "engine/task/idempotency.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/memory.h"
#include "chat/stream.h"
#include "house.h"
#include "store/tx.h"
#include "tests.h"

#define THREADS 8
#define ROUNDS 200

static struct house house;
static struct idempotency *table;

static int open_table(void **state) {
    (void)state;
    house_open(&house, NULL, NULL);
    table = idempotency_new();
    return 0;
}

/* idempotency_free asserts that no key is under way any more. */
static int close_table(void **state) {
    (void)state;
    idempotency_free(table);
    house_close(&house);
    return 0;
}

static struct idempotency_key key_of(int64_t account, const char *name, const char *wish) {
    struct idempotency_key key = { .account = account, .book = BOOK_LIVE, .name = text_of(name) };
    snprintf(key.fingerprint, sizeof(key.fingerprint), "%s", wish);
    return key;
}

static enum err enter(const struct idempotency_key *key, struct idempotency_visit *visit, bool *ret_waits) {
    return idempotency_enter(table, house.store, key, visit, ret_waits);
}

static void enter_first(const struct idempotency_key *key, struct idempotency_visit *visit) {
    bool waits = true;
    assert_int_equal(enter(key, visit, &waits), OK);
    assert_false(waits);
    assert_int_equal(visit->state, VISIT_FIRST);
    assert_non_null(visit->holding);
}

/* ---- what comes of a key ---- */

struct row_job {
    struct store_job job;
    const struct key_holding *holding;
    struct task_id task;
};

static void write_row(struct store_tx *tx, struct store_job *job) {
    const struct row_job *row = container_of(job, struct row_job, job);
    idempotency_write(tx, row->holding, &row->task, 7);
}

/* A task comes of it: its id. */
static struct task_id settle(struct key_holding *holding) {
    struct row_job row = { .job.run = write_row, .holding = holding };
    task_id_new(&row.task, false, clock_wall_ms() / 1000);
    assert_int_equal(store_call(house.store, &row.job), OK);
    idempotency_settle(holding, &row.task, 7);
    return row.task;
}

/* ---- one after the other ---- */

static unsigned woken_count;

static void note_wake(struct idempotency_visit *visit) {
    (void)visit;
    woken_count++;
}

static struct idempotency_visit wait_for(const struct idempotency_key *key, struct idempotency_visit *visit) {
    bool waits = false;
    *visit = (struct idempotency_visit){ .wake = note_wake };
    assert_int_equal(enter(key, visit, &waits), OK);
    assert_true(waits);
    return *visit;
}

static void the_second_repeats_the_first(void **state) {
    (void)state;
    struct idempotency_key key = key_of(house.accounts[0].id, "order", "picture");
    struct idempotency_visit first = { 0 }, second, third = { 0 };
    bool waits = true;
    woken_count = 0;
    enter_first(&key, &first);
    wait_for(&key, &second);
    const struct task_id task = settle(first.holding);
    assert_int_equal(woken_count, 1);
    assert_int_equal(second.state, VISIT_REPEATS);
    assert_string_equal(second.task.string, task.string);
    assert_int_equal(enter(&key, &third, &waits), OK); /* from the store */
    assert_false(waits);
    assert_int_equal(third.state, VISIT_REPEATS);
    assert_int_equal(third.estimated_s, 7);
    assert_string_equal(third.task.string, task.string);
}

static void something_else_is_refused_under_way_and_later(void **state) {
    (void)state;
    struct idempotency_key key = key_of(house.accounts[0].id, "order", "picture");
    struct idempotency_key other = key_of(house.accounts[0].id, "order", "film");
    struct idempotency_visit first = { 0 }, visit = { 0 };
    bool waits;
    enter_first(&key, &first);
    assert_int_equal(enter(&other, &visit, &waits), ERR_IDEMPOTENCY_KEY_REUSED);
    settle(first.holding);
    assert_int_equal(enter(&other, &visit, &waits), ERR_IDEMPOTENCY_KEY_REUSED);
}

/* S2, and the books. */
static void accounts_and_books_are_apart(void **state) {
    (void)state;
    struct idempotency_key keys[] = { key_of(house.accounts[0].id, "order", "picture"),
                                      key_of(house.accounts[1].id, "order", "film"),
                                      key_of(house.accounts[0].id, "order", "film") };
    struct idempotency_visit visits[ARRAY_SIZE(keys)] = { 0 };
    keys[2].book = BOOK_TEST;
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        enter_first(&keys[i], &visits[i]);
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        settle(visits[i].holding);
}

static void who_waits_is_first_when_nothing_came_of_it(void **state) {
    (void)state;
    struct idempotency_key key = key_of(house.accounts[0].id, "order", "picture");
    struct idempotency_visit first = { 0 }, second, third;
    woken_count = 0;
    enter_first(&key, &first);
    wait_for(&key, &second);
    wait_for(&key, &third);
    idempotency_leave(first.holding);
    assert_int_equal(woken_count, 1);
    assert_int_equal(second.state, VISIT_FIRST);
    const struct task_id task = settle(second.holding);
    assert_int_equal(woken_count, 2);
    assert_int_equal(third.state, VISIT_REPEATS);
    assert_string_equal(third.task.string, task.string);
}

static void after_a_refusal_the_key_is_free_for_anything(void **state) {
    (void)state;
    struct idempotency_key key = key_of(house.accounts[0].id, "order", "picture");
    struct idempotency_key other = key_of(house.accounts[0].id, "order", "film");
    struct idempotency_visit first = { 0 }, visit = { 0 };
    enter_first(&key, &first);
    idempotency_leave(first.holding);
    enter_first(&other, &visit);
    idempotency_leave(visit.holding);
}

static void only_so_many_wait(void **state) {
    (void)state;
    static struct idempotency_visit visits[KEY_WAITERS_MAX];
    struct idempotency_key key = key_of(house.accounts[0].id, "order", "picture");
    struct idempotency_visit first = { 0 }, more = { .wake = note_wake };
    bool waits = true;
    woken_count = 0;
    enter_first(&key, &first);
    for (size_t i = 0; i < ARRAY_SIZE(visits); i++)
        wait_for(&key, &visits[i]);
    assert_int_equal(enter(&key, &more, &waits), ERR_OVERLOADED);
    assert_false(waits);
    settle(first.holding);
    assert_int_equal(woken_count, KEY_WAITERS_MAX);
}

/* ---- calls ---- */

static void a_call_is_joined_by_those_who_wait_and_who_come(void **state) {
    (void)state;
    struct idempotency_key key = key_of(house.accounts[0].id, "call", "hello");
    struct chat_stream *stream = chat_stream_new(&(struct chat_stream_options){ 0 });
    struct idempotency_visit first = { 0 }, second, third = { 0 };
    struct task_id task;
    bool waits = true;
    task_id_new(&task, true, 1757165031);
    enter_first(&key, &first);
    wait_for(&key, &second);
    idempotency_share(first.holding, stream, &task);
    assert_int_equal(enter(&key, &third, &waits), OK);
    assert_false(waits);
    assert_int_equal(second.state, VISIT_JOINS);
    assert_int_equal(third.state, VISIT_JOINS);
    assert_ptr_equal(second.stream, stream);
    assert_ptr_equal(third.stream, stream);
    assert_string_equal(third.task.string, task.string);
    chat_stream_unref(second.stream);
    chat_stream_unref(third.stream);
    idempotency_leave(first.holding);
    chat_stream_unref(stream);
}

/* Its key is free in a moment: who comes now waits for that, and is not given the failure. */
static void a_failed_call_is_not_joined(void **state) {
    (void)state;
    struct idempotency_key key = key_of(house.accounts[0].id, "call", "hello");
    struct chat_stream *stream = chat_stream_new(&(struct chat_stream_options){ 0 });
    struct idempotency_visit first = { 0 }, second;
    struct task_id task;
    woken_count = 0;
    task_id_new(&task, true, 1757165031);
    enter_first(&key, &first);
    idempotency_share(first.holding, stream, &task);
    chat_stream_fail(stream, &(struct chat_failure){ 0 });
    wait_for(&key, &second);
    idempotency_leave(first.holding);
    assert_int_equal(woken_count, 1);
    assert_int_equal(second.state, VISIT_FIRST);
    idempotency_leave(second.holding);
    chat_stream_unref(stream);
}

/* ---- many at one time ---- */

struct guest {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool woken;
    unsigned number, tasks;
    struct task_id seen[ROUNDS];
};

static void wake_guest(struct idempotency_visit *visit) {
    struct guest *guest = visit->context;
    pthread_mutex_lock(&guest->mutex);
    guest->woken = true;
    pthread_cond_signal(&guest->cond);
    pthread_mutex_unlock(&guest->mutex);
}

static void await_turn(struct guest *guest) {
    pthread_mutex_lock(&guest->mutex);
    while (!guest->woken)
        pthread_cond_wait(&guest->cond, &guest->mutex);
    guest->woken = false;
    pthread_mutex_unlock(&guest->mutex);
}

/* Enters each key as often as it takes; every third who is first makes nothing of it. */
static void visit_once(struct guest *guest, unsigned round) {
    char name[24];
    snprintf(name, sizeof(name), "round-%u", round);
    const struct idempotency_key key = key_of(house.accounts[0].id, name, "picture");
    for (unsigned tries = 0;; tries++) {
        struct idempotency_visit visit = { .wake = wake_guest, .context = guest };
        bool waits = false;
        enum err err = enter(&key, &visit, &waits);
        if (waits) {
            await_turn(guest);
            err = visit.err;
        }
        assert_int_equal(err, OK);
        if (visit.state == VISIT_FIRST && tries == 0 && (guest->number + round) % 3 == 0) {
            idempotency_leave(visit.holding);
            continue;
        }
        if (visit.state == VISIT_FIRST) {
            guest->seen[round] = settle(visit.holding);
            guest->tasks++;
        } else {
            assert_int_equal(visit.state, VISIT_REPEATS);
            guest->seen[round] = visit.task;
        }
        return;
    }
}

static void *run_guest(void *context) {
    struct guest *guest = context;
    for (unsigned round = 0; round < ROUNDS; round++)
        visit_once(guest, round);
    return NULL;
}

static void of_many_at_one_time_one_makes_the_task(void **state) {
    (void)state;
    struct guest *guests = mem_new_array(THREADS, sizeof(*guests));
    unsigned tasks = 0;
    for (unsigned i = 0; i < THREADS; i++) {
        guests[i].number = i;
        pthread_mutex_init(&guests[i].mutex, NULL);
        pthread_cond_init(&guests[i].cond, NULL);
        assert_int_equal(pthread_create(&guests[i].thread, NULL, run_guest, &guests[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(guests[i].thread, NULL);
        pthread_mutex_destroy(&guests[i].mutex);
        pthread_cond_destroy(&guests[i].cond);
        tasks += guests[i].tasks;
        for (unsigned round = 0; round < ROUNDS; round++)
            assert_string_equal(guests[i].seen[round].string, guests[0].seen[round].string);
    }
    assert_int_equal(tasks, ROUNDS);
    free(guests);
}

int test_idempotency(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_second_repeats_the_first, open_table, close_table),
        cmocka_unit_test_setup_teardown(something_else_is_refused_under_way_and_later, open_table, close_table),
        cmocka_unit_test_setup_teardown(accounts_and_books_are_apart, open_table, close_table),
        cmocka_unit_test_setup_teardown(who_waits_is_first_when_nothing_came_of_it, open_table, close_table),
        cmocka_unit_test_setup_teardown(after_a_refusal_the_key_is_free_for_anything, open_table, close_table),
        cmocka_unit_test_setup_teardown(only_so_many_wait, open_table, close_table),
        cmocka_unit_test_setup_teardown(a_call_is_joined_by_those_who_wait_and_who_come, open_table, close_table),
        cmocka_unit_test_setup_teardown(a_failed_call_is_not_joined, open_table, close_table),
        cmocka_unit_test_setup_teardown(of_many_at_one_time_one_makes_the_task, open_table, close_table),
    };
    return cmocka_run_group_tests_name("idempotency", tests, NULL, NULL);
}
