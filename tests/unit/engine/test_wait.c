/* Waits: what ends one, that it is ended once, and that nobody is told who has left. Made to run under TSan. */
#include "engine/view/wait.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "engine/view/board.h"
#include "engine/view/deadlines.h"
#include "tests.h"

static struct task_row make(const char *id, enum task_state state, int progress) {
    struct task_row row = { .account = 1, .type = TASK_IMAGE, .state = state, .created_ms = 1000, .progress = progress,
                            .model = TEXT("m"), .group = TEXT("g"), .results = TEXT("[]") };
    snprintf(row.id.string, sizeof(row.id.string), "%s", id);
    return row;
}

/* A board, and deadlines on a loop of their own. */
struct place {
    struct board *board;
    struct deadlines deadlines;
    uv_loop_t loop;
    uv_async_t stop;
    pthread_t thread;
};

static void stop_loop(uv_async_t *stop) {
    struct place *place = stop->data;
    deadlines_close(&place->deadlines);
    uv_close((uv_handle_t *)stop, NULL);
}

static void *run_loop(void *loop) {
    uv_run(loop, UV_RUN_DEFAULT);
    return NULL;
}

static void open_place(struct place *place) {
    place->board = board_new(0);
    deadlines_init(&place->deadlines);
    assert_int_equal(uv_loop_init(&place->loop), 0);
    uv_async_init(&place->loop, &place->stop, stop_loop);
    place->stop.data = place;
    deadlines_start(&place->deadlines, &place->loop);
    pthread_create(&place->thread, NULL, run_loop, &place->loop);
}

static void close_place(struct place *place) {
    board_close(place->board);
    uv_async_send(&place->stop);
    pthread_join(place->thread, NULL);
    assert_int_equal(uv_loop_close(&place->loop), 0);
    deadlines_fini(&place->deadlines);
    board_free(place->board);
}

struct waiter {
    sem_t told;
    atomic_uint count;
    atomic_bool left;
};

static void tell(void *context) {
    struct waiter *waiter = context;
    assert_false(atomic_load(&waiter->left));
    atomic_fetch_add(&waiter->count, 1);
    sem_post(&waiter->told);
}

static void init_waiter(struct waiter *waiter) {
    sem_init(&waiter->told, 0, 0);
    atomic_init(&waiter->count, 0);
    atomic_init(&waiter->left, false);
}

static struct wait *make_wait(struct place *place, const char *id, enum wait_for what, struct waiter *waiter) {
    struct task_row row = make(id, TASK_PENDING, 0);
    return wait_new(place->board, &place->deadlines, 1, &row.id, what, tell, waiter);
}

static struct board_look look_at(struct place *place, const char *id) {
    struct task_row row = make(id, TASK_PENDING, 0);
    struct task_key key = task_key(1, &row.id);
    struct board_look look;
    assert_true(board_look(place->board, &key, &look));
    return look;
}

static void put(struct place *place, const char *id, enum task_state state, int progress) {
    struct task_row row = make(id, state, progress);
    board_put(place->board, &row, 0);
}

static void raise_progress(struct place *place, const char *id, int progress) {
    struct task_row row = make(id, TASK_PROCESSING, 0);
    struct task_key key = task_key(1, &row.id);
    board_raise_progress(place->board, &key, progress);
}

static void note(struct place *place, const char *id) {
    struct task_row row = make(id, TASK_PROCESSING, 0);
    struct task_key key = task_key(1, &row.id);
    board_note(place->board, &key);
}

static size_t deadlines_set_now(struct place *place) {
    pthread_mutex_lock(&place->deadlines.mutex);
    size_t count = place->deadlines.moments.count;
    pthread_mutex_unlock(&place->deadlines.mutex);
    return count;
}

static int64_t in_an_hour(void) {
    return clock_monotonic_ms() + 3600000;
}

static void a_change_ends_it_and_nothing_else_does(void **state) {
    (void)state;
    struct place place;
    struct waiter waiter;
    open_place(&place);
    init_waiter(&waiter);
    put(&place, "task-a", TASK_PROCESSING, 10);
    put(&place, "task-b", TASK_PROCESSING, 10);
    struct wait *wait = make_wait(&place, "task-a", WAIT_FOR_STATE, &waiter);
    assert_true(wait_begin(wait, look_at(&place, "task-a").version, in_an_hour()));
    raise_progress(&place, "task-b", 20);          /* another task */
    raise_progress(&place, "task-a", 5);           /* no more than before */
    put(&place, "task-a", TASK_PROCESSING, 10);    /* the same again */
    note(&place, "task-a");                        /* only its timeline */
    assert_int_equal(atomic_load(&waiter.count), 0);
    assert_true(wait_is_awaited(wait));
    assert_int_equal(deadlines_set_now(&place), 1);
    raise_progress(&place, "task-a", 11);
    assert_int_equal(atomic_load(&waiter.count), 1);
    assert_int_equal(deadlines_set_now(&place), 0); /* it is not kept until its time */
    put(&place, "task-a", TASK_COMPLETED, 100);
    wait_cut(wait);
    assert_int_equal(atomic_load(&waiter.count), 1);
    wait_free(wait);
    close_place(&place);
}

static void what_has_changed_already_is_not_waited_for(void **state) {
    (void)state;
    struct place place;
    struct waiter waiter;
    open_place(&place);
    init_waiter(&waiter);
    put(&place, "task-a", TASK_PROCESSING, 10);
    uint64_t before = look_at(&place, "task-a").version;
    raise_progress(&place, "task-a", 11);
    struct wait *wait = make_wait(&place, "task-a", WAIT_FOR_STATE, &waiter);
    assert_false(wait_begin(wait, before, in_an_hour()));
    put(&place, "task-a", TASK_COMPLETED, 100);
    assert_false(wait_begin(wait, look_at(&place, "task-a").version, in_an_hour())); /* final */
    wait_free(wait);
    wait = make_wait(&place, "task-x", WAIT_FOR_STATE, &waiter);
    assert_false(wait_begin(wait, 1, in_an_hour())); /* not there */
    wait_free(wait);
    assert_int_equal(atomic_load(&waiter.count), 0);
    close_place(&place);
}

static void the_timeline_is_waited_for_again_and_again(void **state) {
    (void)state;
    struct place place;
    struct waiter waiter;
    open_place(&place);
    init_waiter(&waiter);
    put(&place, "task-a", TASK_PROCESSING, 10);
    struct wait *wait = make_wait(&place, "task-a", WAIT_FOR_TIMELINE, &waiter);
    for (unsigned i = 0; i < 5; i++) {
        assert_true(wait_begin(wait, look_at(&place, "task-a").latest, 0));
        if (i % 2 == 0)
            note(&place, "task-a");
        else
            raise_progress(&place, "task-a", 20 + (int)i);
        assert_int_equal(atomic_load(&waiter.count), i + 1);
    }
    assert_true(wait_begin(wait, look_at(&place, "task-a").latest, 0));
    wait_end(wait);
    put(&place, "task-a", TASK_FAILED, 20);
    assert_int_equal(atomic_load(&waiter.count), 5);
    wait_free(wait);
    close_place(&place);
}

static void time_the_stop_and_forgetting_end_it(void **state) {
    (void)state;
    struct place place;
    struct waiter waiters[4];
    struct wait *waits[4];
    open_place(&place);
    put(&place, "task-a", TASK_PENDING, 0);
    put(&place, "task-b", TASK_PENDING, 0);
    for (unsigned i = 0; i < 4; i++) {
        const char *id = i == 1 ? "task-b" : "task-a";
        init_waiter(&waiters[i]);
        waits[i] = make_wait(&place, id, WAIT_FOR_STATE, &waiters[i]);
        int64_t until_ms = i == 0 ? clock_monotonic_ms() + 1 : i == 3 ? 0 : in_an_hour();
        assert_true(wait_begin(waits[i], look_at(&place, id).version, until_ms));
    }
    sem_wait(&waiters[0].told); /* the time */
    struct task_row row = make("task-b", TASK_PENDING, 0);
    struct task_key key = task_key(1, &row.id);
    board_forget(place.board, &key);
    sem_wait(&waiters[1].told);
    deadlines_end(&place.deadlines); /* the door is closed: those with a limit */
    sem_wait(&waiters[2].told);
    struct wait *late = make_wait(&place, "task-a", WAIT_FOR_STATE, &waiters[2]);
    assert_false(wait_begin(late, look_at(&place, "task-a").version, in_an_hour()));
    wait_free(late);
    assert_true(wait_is_awaited(waits[3]));
    board_close(place.board); /* and the others */
    sem_wait(&waiters[3].told);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(atomic_load(&waiters[i].count), 1);
        wait_free(waits[i]);
    }
    close_place(&place);
}

/* ---- deadlines ---- */

enum { DEADLINES = 500 };
static struct {
    struct deadline deadlines[DEADLINES];
    int64_t last_ms;
    unsigned over, early;
    sem_t all;
} heap;

static void one_is_over(struct deadline *deadline) {
    if (deadline->moment.at_ms < heap.last_ms || clock_monotonic_ms() < deadline->moment.at_ms)
        heap.early++;
    heap.last_ms = deadline->moment.at_ms;
    if (++heap.over == DEADLINES / 2)
        sem_post(&heap.all);
}

/* All are set before the loop looks at any; every second one is dropped. */
static void deadlines_are_over_in_their_order(void **state) {
    (void)state;
    struct place place;
    sem_init(&heap.all, 0, 0);
    open_place(&place);
    clock_freeze(clock_wall_ms());
    int64_t begin_ms = clock_monotonic_ms() + 200;
    for (unsigned i = 0; i < DEADLINES; i++)
        assert_true(deadlines_set(&place.deadlines, &heap.deadlines[i], begin_ms + i * 7919 % 50, one_is_over));
    for (unsigned i = 0; i < DEADLINES; i += 2) {
        assert_true(deadlines_drop(&place.deadlines, &heap.deadlines[i]));
        assert_false(deadlines_drop(&place.deadlines, &heap.deadlines[i]));
    }
    clock_unfreeze();
    sem_wait(&heap.all);
    close_place(&place);
    assert_int_equal(heap.over, DEADLINES / 2);
    assert_int_equal(heap.early, 0);
}

/* ---- everybody at once ---- */

enum { HAMMERS = 3, BLOWS = 1500, TASKS = 4 };

struct hammer {
    struct place *place;
    pthread_t thread;
    unsigned seed;
    unsigned begun, told;
};
static atomic_bool hammering;

static const char *task_name(unsigned number) {
    static const char *const names[TASKS] = { "task-0", "task-1", "task-2", "task-3" };
    return names[number % TASKS];
}

static void *change_tasks(void *context) {
    struct place *place = context;
    for (unsigned i = 0; atomic_load(&hammering); i++) {
        const char *id = task_name(i);
        if (i % 7 == 0)
            put(place, id, i % 2 == 0 ? TASK_PENDING : TASK_PROCESSING, 0);
        else if (i % 3 == 0)
            note(place, id);
        else
            raise_progress(place, id, (int)(i % 100));
        if (i % 16 == 0)
            sched_yield();
    }
    return NULL;
}

static void *cut(void *wait) {
    wait_cut(wait);
    return NULL;
}

/* As a query that waits: begun once, ended by a change, its time, or its client's going. */
static void wait_once(struct hammer *hammer) {
    struct waiter waiter;
    unsigned dice = (unsigned)rand_r(&hammer->seed);
    const char *id = task_name(dice);
    pthread_t cutter;
    bool cuts = dice / 8 % 4 == 0;
    init_waiter(&waiter);
    struct wait *wait = make_wait(hammer->place, id, WAIT_FOR_STATE, &waiter);
    if (wait_begin(wait, look_at(hammer->place, id).version, clock_monotonic_ms() + dice / 64 % 3)) {
        hammer->begun++;
        if (cuts)
            pthread_create(&cutter, NULL, cut, wait);
        sem_wait(&waiter.told);
        if (cuts)
            pthread_join(cutter, NULL);
        hammer->told += atomic_load(&waiter.count);
    }
    wait_free(wait); /* at once: who told may not have returned */
    sem_destroy(&waiter.told);
}

/* As a stream: begun again and again, and left at any moment. */
static void follow(struct hammer *hammer) {
    struct waiter waiter;
    unsigned dice = (unsigned)rand_r(&hammer->seed);
    const char *id = task_name(dice);
    init_waiter(&waiter);
    struct wait *wait = make_wait(hammer->place, id, WAIT_FOR_TIMELINE, &waiter);
    for (unsigned i = 0; i < 4; i++)
        if (wait_begin(wait, look_at(hammer->place, id).latest, 0))
            sem_wait(&waiter.told);
    unsigned before = atomic_load(&waiter.count);
    bool begun = wait_begin(wait, look_at(hammer->place, id).latest, 0);
    wait_end(wait);
    atomic_store(&waiter.left, true);
    unsigned more = atomic_load(&waiter.count) - before;
    assert_true(more <= (begun ? 1 : 0));
    wait_free(wait);
}

static void *strike(void *context) {
    struct hammer *hammer = context;
    for (unsigned i = 0; i < BLOWS; i++) {
        wait_once(hammer);
        follow(hammer);
    }
    return NULL;
}

static void each_wait_is_ended_once(void **state) {
    (void)state;
    struct place place;
    struct hammer hammers[HAMMERS];
    pthread_t changer;
    open_place(&place);
    for (unsigned i = 0; i < TASKS; i++)
        put(&place, task_name(i), TASK_PROCESSING, 0);
    atomic_store(&hammering, true);
    pthread_create(&changer, NULL, change_tasks, &place);
    for (unsigned i = 0; i < HAMMERS; i++) {
        hammers[i] = (struct hammer){ .place = &place, .seed = 17 + i };
        pthread_create(&hammers[i].thread, NULL, strike, &hammers[i]);
    }
    unsigned begun = 0, told = 0;
    for (unsigned i = 0; i < HAMMERS; i++) {
        pthread_join(hammers[i].thread, NULL);
        begun += hammers[i].begun;
        told += hammers[i].told;
    }
    atomic_store(&hammering, false);
    pthread_join(changer, NULL);
    assert_true(begun > HAMMERS * BLOWS / 10);
    assert_int_equal(told, begun);
    close_place(&place);
}

/* Waits are begun while the server closes: none is left. */
static void none_is_left_by_the_stop(void **state) {
    (void)state;
    for (unsigned round = 0; round < 50; round++) {
        struct place place;
        pthread_t changer;
        open_place(&place);
        for (unsigned i = 0; i < TASKS; i++)
            put(&place, task_name(i), TASK_PROCESSING, 0);
        atomic_store(&hammering, true);
        pthread_create(&changer, NULL, change_tasks, &place);
        struct waiter waiters[64];
        struct wait *waits[64];
        unsigned begun = 0;
        for (unsigned i = 0; i < 64; i++) {
            init_waiter(&waiters[i]);
            waits[i] = make_wait(&place, task_name(i), WAIT_FOR_STATE, &waiters[i]);
            if (wait_begin(waits[i], look_at(&place, task_name(i)).version, i % 2 == 0 ? in_an_hour() : 0))
                begun++;
            else
                sem_post(&waiters[i].told);
            if (i == round)
                deadlines_end(&place.deadlines);
        }
        deadlines_end(&place.deadlines);
        board_close(place.board);
        for (unsigned i = 0; i < 64; i++) {
            sem_wait(&waiters[i].told);
            wait_free(waits[i]);
        }
        atomic_store(&hammering, false);
        pthread_join(changer, NULL);
        assert_true(begun > 0);
        close_place(&place);
    }
}

int test_wait(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_ends_it_and_nothing_else_does),
        cmocka_unit_test(what_has_changed_already_is_not_waited_for),
        cmocka_unit_test(the_timeline_is_waited_for_again_and_again),
        cmocka_unit_test(time_the_stop_and_forgetting_end_it),
        cmocka_unit_test(deadlines_are_over_in_their_order),
        cmocka_unit_test(each_wait_is_ended_once),
        cmocka_unit_test(none_is_left_by_the_stop),
    };
    return cmocka_run_group_tests_name("wait", tests, NULL, NULL);
}
