/* Alarms: each rings once, in the order of their moments, unless it was stopped. */
#include "tests.h"

#include <stdlib.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "net/alarms.h"

#define MANY 2000

struct bell {
    struct alarm alarm;
    struct tower *tower;
    unsigned number, rung;
    unsigned again; /* rounds that it sets itself anew */
    struct bell *stops;
    uint64_t due_ms, order;
};

struct tower {
    uv_loop_t loop;
    struct alarms alarms;
    struct bell bells[MANY];
    unsigned rung[4 * MANY], count;
};

static void tower_open(struct tower *tower) {
    assert_int_equal(uv_loop_init(&tower->loop), 0);
    alarms_init(&tower->alarms, &tower->loop);
    for (unsigned i = 0; i < MANY; i++) {
        tower->bells[i].tower = tower;
        tower->bells[i].number = i;
    }
}

static void tower_close(struct tower *tower) {
    alarms_close(&tower->alarms, NULL);
    uv_run(&tower->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&tower->loop), 0);
    free(tower);
}

static void ring(struct alarm *alarm) {
    struct bell *bell = container_of(alarm, struct bell, alarm);
    struct tower *tower = bell->tower;
    assert_true(tower->count < ARRAY_SIZE(tower->rung));
    tower->rung[tower->count++] = bell->number;
    bell->rung++;
    if (bell->stops != NULL)
        alarm_stop(&tower->alarms, &bell->stops->alarm);
    if (bell->again > 0) {
        bell->again--;
        alarm_set(&tower->alarms, &bell->alarm, 0, ring);
    }
}

static void set(struct bell *bell, uint64_t ms) {
    static uint64_t order;
    bell->due_ms = uv_now(&bell->tower->loop) + ms;
    bell->order = order++;
    alarm_set(&bell->tower->alarms, &bell->alarm, ms, ring);
}

static void those_of_one_moment_ring_as_they_were_set(void **state) {
    (void)state;
    struct tower *tower = mem_new(sizeof(*tower));
    tower_open(tower);
    for (unsigned i = 0; i < MANY; i++)
        set(&tower->bells[i], i % 2 == 0 ? 1 : 0);
    assert_int_equal(tower->count, 0); /* never from within */
    uv_run(&tower->loop, UV_RUN_DEFAULT);
    assert_int_equal(tower->count, MANY);
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(tower->rung[i], i < MANY / 2 ? 2 * i + 1 : 2 * (i - MANY / 2));
    tower_close(tower);
}

/* Set, set anew and stopped at random: what rings and in which order is what a plain comparison says. */
static void random_ones_ring_in_order(void **state) {
    (void)state;
    struct tower *tower = mem_new(sizeof(*tower));
    bool stopped[MANY] = { false };
    unsigned expected = MANY;
    srandom(7);
    tower_open(tower);
    for (unsigned i = 0; i < MANY; i++)
        set(&tower->bells[i], (uint64_t)random() % 20);
    for (unsigned i = 0; i < MANY / 2; i++) {
        unsigned at = (unsigned)random() % MANY;
        if (random() % 2 == 0 && !stopped[at]) {
            alarm_stop(&tower->alarms, &tower->bells[at].alarm);
            stopped[at] = true;
            expected--;
        } else if (!stopped[at]) {
            set(&tower->bells[at], (uint64_t)random() % 20);
        }
        alarm_stop(&tower->alarms, stopped[at] ? &tower->bells[at].alarm : &(struct alarm){ 0 });
    }
    uv_run(&tower->loop, UV_RUN_DEFAULT);
    assert_int_equal(tower->count, expected);
    for (unsigned i = 0; i < expected; i++) {
        const struct bell *bell = &tower->bells[tower->rung[i]], *next = &tower->bells[tower->rung[i + 1]];
        assert_int_equal(bell->rung, 1);
        assert_false(stopped[bell->number]);
        if (i + 1 < expected)
            assert_true(bell->due_ms < next->due_ms || (bell->due_ms == next->due_ms && bell->order < next->order));
    }
    tower_close(tower);
}

static void one_that_rings_sets_and_stops_others(void **state) {
    (void)state;
    struct tower *tower = mem_new(sizeof(*tower));
    tower_open(tower);
    set(&tower->bells[0], 0);
    set(&tower->bells[1], 0);
    set(&tower->bells[2], 3600000);
    set(&tower->bells[3], 0);
    tower->bells[0].stops = &tower->bells[1];
    tower->bells[3].stops = &tower->bells[2];
    tower->bells[3].again = 3;
    uv_run(&tower->loop, UV_RUN_DEFAULT); /* ends, since nothing is set any more */
    assert_int_equal(tower->bells[0].rung, 1);
    assert_int_equal(tower->bells[1].rung, 0);
    assert_int_equal(tower->bells[2].rung, 0);
    assert_int_equal(tower->bells[3].rung, 4);
    tower_close(tower);
}

static void a_sooner_one_does_not_wait_for_a_later_one(void **state) {
    (void)state;
    struct tower *tower = mem_new(sizeof(*tower));
    tower_open(tower);
    set(&tower->bells[0], UINT64_MAX);
    set(&tower->bells[1], 3600000);
    set(&tower->bells[2], 1);
    tower->bells[2].stops = &tower->bells[1];
    while (tower->count == 0)
        uv_run(&tower->loop, UV_RUN_NOWAIT); /* UV_RUN_ONCE would wait for the next one, once this has rung */
    assert_int_equal(tower->rung[0], 2);
    set(&tower->bells[0], 0); /* anew, and sooner */
    uv_run(&tower->loop, UV_RUN_DEFAULT);
    assert_int_equal(tower->count, 2);
    assert_int_equal(tower->rung[1], 0);
    tower_close(tower);
}

static void closing_rings_what_is_set(void **state) {
    (void)state;
    struct tower *tower = mem_new(sizeof(*tower));
    tower_open(tower);
    for (unsigned i = 0; i < 100; i++)
        set(&tower->bells[i], 3600000 + i);
    tower->bells[5].again = 1;
    alarms_close(&tower->alarms, NULL);
    assert_int_equal(tower->count, 101);
    uv_run(&tower->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&tower->loop), 0);
    free(tower);
}

static void free_bell(struct alarm *alarm) {
    free(container_of(alarm, struct bell, alarm));
}

static void one_that_rings_may_free_itself(void **state) {
    (void)state;
    struct tower *tower = mem_new(sizeof(*tower));
    tower_open(tower);
    for (unsigned i = 0; i < 100; i++) {
        struct bell *bell = mem_new(sizeof(*bell));
        alarm_set(&tower->alarms, &bell->alarm, i % 3, free_bell);
    }
    uv_run(&tower->loop, UV_RUN_DEFAULT);
    tower_close(tower); /* the leak checker watches */
}

int run_alarms_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_of_one_moment_ring_as_they_were_set),
        cmocka_unit_test(random_ones_ring_in_order),
        cmocka_unit_test(one_that_rings_sets_and_stops_others),
        cmocka_unit_test(a_sooner_one_does_not_wait_for_a_later_one),
        cmocka_unit_test(closing_rings_what_is_set),
        cmocka_unit_test(one_that_rings_may_free_itself),
    };
    return cmocka_run_group_tests_name("net/alarms", tests, NULL, NULL);
}
