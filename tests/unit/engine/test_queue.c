/* The queue: turns between accounts, limits of these and of providers, places. */
#include "engine/queue/queue.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests.h"

static struct live_task *make(int64_t account, int number) {
    struct task_row row = { .account = account, .state = TASK_PENDING, .model = TEXT("m"), .group = TEXT("g"),
                            .created_ms = number };
    snprintf(row.id.string, sizeof(row.id.string), "task-%d", number);
    return live_new(&row);
}

static void push_to(struct queue *queue, struct live_task *task, const char *provider, unsigned provider_limit,
                    unsigned account_limit) {
    queue_push(queue, task, provider,
               &(struct queue_limits){ .provider = provider_limit, .account = account_limit, .group_name = "g" });
}

static struct live_task *push(struct queue *queue, int64_t account, int number, unsigned provider_limit, unsigned account_limit) {
    struct live_task *task = make(account, number);
    push_to(queue, task, "p", provider_limit, account_limit);
    return task;
}

static void a_burst_does_not_starve_another_account(void **state) {
    (void)state;
    struct queue queue;
    struct lane *slot;
    queue_init(&queue);
    for (int i = 0; i < 200; i++)
        push(&queue, 1, i, 1, 1000);
    for (int i = 0; i < 5; i++)
        push(&queue, 2, 1000 + i, 1, 1000);
    assert_int_equal(queue.waiting, 205);

    int of_two = 0;
    for (int turn = 1; turn <= 205; turn++) {
        struct live_task *task = queue_pick(&queue, &slot);
        assert_non_null(task);
        assert_null(queue_pick(&queue, &slot)); /* one at a time */
        if (task->key.account == 2)
            of_two++;
        if (turn <= 10)
            assert_int_equal(of_two, turn / 2); /* every other turn is the second account's */
        queue_release(&queue, slot);
        live_free(task);
    }
    assert_int_equal(of_two, 5);
    assert_int_equal(queue.waiting, 0);
    queue_fini(&queue);
}

static void an_account_at_its_limit_leaves_the_turns_to_others(void **state) {
    (void)state;
    struct queue queue;
    struct lane *first, *second, *third;
    queue_init(&queue);
    struct live_task *a = push(&queue, 1, 1, 10, 1);
    struct live_task *b = push(&queue, 1, 2, 10, 1);
    struct live_task *c = push(&queue, 2, 3, 10, 1);
    assert_ptr_equal(queue_pick(&queue, &first), a);
    assert_ptr_equal(queue_pick(&queue, &second), c);
    assert_null(queue_pick(&queue, &third));
    queue_release(&queue, second);
    assert_null(queue_pick(&queue, &third)); /* b's account is the one that is full */
    queue_release(&queue, first);
    assert_ptr_equal(queue_pick(&queue, &third), b);
    queue_release(&queue, third);
    live_free(a);
    live_free(b);
    live_free(c);
    assert_int_equal(queue.running, 0);
    queue_fini(&queue);
}

static void the_accounts_limit_counts_all_providers(void **state) {
    (void)state;
    struct queue queue;
    struct lane *first, *second;
    struct live_task *a = make(1, 1), *b = make(1, 2);
    queue_init(&queue);
    push_to(&queue, a, "p", 10, 1);
    push_to(&queue, b, "q", 10, 1);
    struct live_task *picked = queue_pick(&queue, &first);
    assert_non_null(picked);
    assert_null(queue_pick(&queue, &second));
    queue_release(&queue, first);
    assert_ptr_equal(queue_pick(&queue, &second), picked == a ? b : a);
    queue_release(&queue, second);
    live_free(a);
    live_free(b);
    queue_fini(&queue);
}

static void test_mode_takes_no_place_of_live_mode(void **state) {
    (void)state;
    struct queue queue;
    struct lane *slots[2], *none;
    struct live_task *test = make(1, 1), *second_test = make(1, 2), *live = make(1, 3);
    queue_init(&queue);
    test->book = second_test->book = BOOK_TEST;
    push_to(&queue, test, "p", 10, 1);
    push_to(&queue, second_test, "p", 10, 1);
    push_to(&queue, live, "p", 10, 1);
    assert_int_equal(queue_gauge_position(queue_gauge(live), live->sequence), 1);
    assert_ptr_equal(queue_pick(&queue, &slots[0]), test);
    assert_ptr_equal(queue_pick(&queue, &slots[1]), live);
    assert_null(queue_pick(&queue, &none)); /* the limit holds in each of them */
    queue_release(&queue, slots[0]);
    assert_ptr_equal(queue_pick(&queue, &slots[0]), second_test);
    queue_release(&queue, slots[0]);
    queue_release(&queue, slots[1]);
    queue_fini(&queue);
    live_free(test);
    live_free(second_test);
    live_free(live);
}

static void an_accounts_burst_at_one_provider_does_not_starve_its_tasks_at_another(void **state) {
    (void)state;
    enum { BURST = 20 };
    struct queue queue;
    struct lane *slot;
    queue_init(&queue);
    for (int i = 0; i < BURST; i++)
        push(&queue, 1, i, 10, 1);
    struct live_task *other = make(1, BURST);
    push_to(&queue, other, "q", 10, 1);
    int turn_of_other = 0;
    for (int turn = 1; turn <= BURST + 1; turn++) {
        struct live_task *task = queue_pick(&queue, &slot);
        assert_non_null(task);
        if (task == other)
            turn_of_other = turn;
        queue_release(&queue, slot);
        live_free(task);
    }
    assert_in_range(turn_of_other, 1, 2);
    queue_fini(&queue);
}

static int64_t place(struct live_task *task) {
    return queue_gauge_position(queue_gauge(task), task->sequence);
}

static void places_count_the_accounts_own_tasks(void **state) {
    (void)state;
    struct queue queue;
    struct lane *slot;
    queue_init(&queue);
    struct live_task *other = push(&queue, 2, 9, 1, 10);
    struct live_task *tasks[4];
    for (int i = 0; i < 4; i++)
        tasks[i] = push(&queue, 1, i, 1, 10);
    for (int i = 0; i < 4; i++)
        assert_int_equal(place(tasks[i]), i + 1);
    assert_int_equal(place(other), 1);

    queue_remove(&queue, other);
    assert_ptr_equal(queue_pick(&queue, &slot), tasks[0]);
    assert_int_equal(place(tasks[1]), 1);
    assert_int_equal(place(tasks[3]), 3);
    struct queue_gauge *gauge = queue_gauge_ref(queue_gauge(tasks[1]));
    queue_remove(&queue, tasks[1]);
    assert_int_equal(place(tasks[2]), 1);
    queue_remove(&queue, tasks[2]);
    queue_remove(&queue, tasks[3]);
    queue_release(&queue, slot);
    queue_fini(&queue);
    assert_int_equal(queue_gauge_position(gauge, 2), 1); /* outlives its lane */
    queue_gauge_unref(gauge);
    live_free(other);
    for (int i = 0; i < 4; i++)
        live_free(tasks[i]);
}

static unsigned four(const char *provider, void *context) {
    (void)provider;
    (void)context;
    return 4;
}

static void two(const struct live_task *task, struct queue_limits *ret, void *context) {
    (void)task;
    (void)context;
    ret->account = 2;
    ret->group_name = "g";
}

static void new_limits_hold_at_once(void **state) {
    (void)state;
    struct queue queue;
    struct lane *slots[3];
    queue_init(&queue);
    struct live_task *tasks[3];
    for (int i = 0; i < 3; i++)
        tasks[i] = push(&queue, 1, i, 1, 1);
    assert_non_null(queue_pick(&queue, &slots[0]));
    assert_null(queue_pick(&queue, &slots[1]));
    queue_relimit(&queue, four, two, NULL);
    assert_non_null(queue_pick(&queue, &slots[1]));
    assert_null(queue_pick(&queue, &slots[2]));
    queue_release(&queue, slots[0]);
    assert_non_null(queue_pick(&queue, &slots[2]));
    queue_release(&queue, slots[1]);
    queue_release(&queue, slots[2]);
    queue_fini(&queue);
    for (int i = 0; i < 3; i++)
        live_free(tasks[i]);
}

static void few_are_on_their_way_at_a_time(void **state) {
    (void)state;
    struct queue queue;
    struct lane *slot, *other;
    queue_init(&queue);
    for (int i = 0; i < QUEUE_LAUNCHES_MAX + 2; i++)
        push(&queue, 1, i, 1000000, 1000000);
    for (int i = 0; i < QUEUE_LAUNCHES_MAX; i++) {
        live_free(queue_pick(&queue, &slot));
        queue_launch(slot);
    }
    assert_null(queue_pick(&queue, &other));
    struct live_task *elsewhere = make(1, 5000);
    push_to(&queue, elsewhere, "q", 1, 1000000);
    assert_ptr_equal(queue_pick(&queue, &other), elsewhere); /* another provider's are not concerned */
    queue_land(slot);
    live_free(queue_pick(&queue, &slot));
    queue_launch(slot);
    struct lane *none;
    assert_null(queue_pick(&queue, &none));
    for (int i = 0; i < QUEUE_LAUNCHES_MAX; i++)
        queue_land(slot);
    struct live_task *last = queue_pick(&queue, &slot);
    assert_non_null(last);
    for (int i = 0; i < QUEUE_LAUNCHES_MAX + 2; i++)
        queue_release(&queue, slot);
    queue_release(&queue, other);
    queue_fini(&queue);
    live_free(last);
    live_free(elsewhere);
}

static void the_overdue_are_found_at_the_heads(void **state) {
    (void)state;
    struct queue queue;
    queue_init(&queue);
    struct live_task *old = push(&queue, 1, 5, 1, 1), *young = push(&queue, 2, 50, 1, 1);
    assert_null(queue_overdue(&queue, 5));
    assert_ptr_equal(queue_overdue(&queue, 6), old);
    queue_remove(&queue, old);
    assert_null(queue_overdue(&queue, 50));
    queue_fini(&queue); /* `young` still waits: the queue does not own it */
    live_free(old);
    live_free(young);
}

int test_queue(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_does_not_starve_another_account),
        cmocka_unit_test(an_account_at_its_limit_leaves_the_turns_to_others),
        cmocka_unit_test(the_accounts_limit_counts_all_providers),
        cmocka_unit_test(test_mode_takes_no_place_of_live_mode),
        cmocka_unit_test(an_accounts_burst_at_one_provider_does_not_starve_its_tasks_at_another),
        cmocka_unit_test(places_count_the_accounts_own_tasks),
        cmocka_unit_test(new_limits_hold_at_once),
        cmocka_unit_test(few_are_on_their_way_at_a_time),
        cmocka_unit_test(the_overdue_are_found_at_the_heads),
    };
    return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}
