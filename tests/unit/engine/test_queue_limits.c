/* The queue: limits and turns of keys and of groups, with counts of who is picked when. */
#include "engine/queue/queue.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests.h"

#define SLOTS_MAX 64

/* A queue, and what runs, the longest running first. */
struct trial {
    struct queue queue;
    struct lane *slots[SLOTS_MAX];
    unsigned running, picked;
    struct queue_limits limits;
    int number;
};

static void trial_init(struct trial *trial, unsigned provider_limit) {
    *trial = (struct trial){ .limits = { .provider = provider_limit, .account = 1000, .group_name = "g" } };
    queue_init(&trial->queue);
}

static struct live_task *push_to(struct trial *trial, const char *provider, int64_t account, int64_t key) {
    struct task_row row = { .account = account, .key = key, .state = TASK_PENDING, .model = TEXT("m"),
                            .group = TEXT("g"), .created_ms = 1 };
    snprintf(row.id.string, sizeof(row.id.string), "task-%d", trial->number++);
    struct live_task *task = live_new(&row);
    queue_push(&trial->queue, task, provider, &trial->limits);
    return task;
}

static struct live_task *push(struct trial *trial, int64_t account, int64_t key) {
    return push_to(trial, "p", account, key);
}

/* The next one that runs; its account, its key. False: none may. */
static bool pick(struct trial *trial, int64_t *ret_account, int64_t *ret_key) {
    struct lane *slot;
    struct live_task *task = queue_pick(&trial->queue, &slot);
    if (task == NULL)
        return false;
    assert_in_range(trial->running, 0, SLOTS_MAX - 1);
    trial->slots[trial->running++] = slot;
    trial->picked++;
    *ret_account = task->key.account;
    *ret_key = task->key_id;
    live_free(task);
    return true;
}

static int64_t account_of_next(struct trial *trial) {
    int64_t account = 0, key = 0;
    return pick(trial, &account, &key) ? account : 0;
}

static int64_t key_of_next(struct trial *trial) {
    int64_t account = 0, key = 0;
    return pick(trial, &account, &key) ? key : 0;
}

/* The one that has run the longest ends. */
static void end_first(struct trial *trial) {
    struct lane *slot = trial->slots[0];
    assert_in_range(trial->running, 1, SLOTS_MAX);
    for (unsigned i = 1; i < trial->running; i++)
        trial->slots[i - 1] = trial->slots[i];
    trial->running--;
    queue_release(&trial->queue, slot);
}

static void run_to_the_end(struct trial *trial) {
    for (;;) {
        while (account_of_next(trial) != 0)
            ;
        if (trial->running == 0)
            break;
        end_first(trial);
    }
    assert_int_equal(trial->queue.waiting, 0);
    queue_fini(&trial->queue);
    assert_null(trial->queue.accounts);
    assert_null(trial->queue.holders);
    assert_null(trial->queue.groups);
}

/* A thousand of A, then ten of B, four slots: B is through when A has got about as many places as B. */
static void a_thousand_tasks_do_not_keep_ten_of_another_waiting(void **state) {
    (void)state;
    struct trial trial;
    unsigned of[3] = { 0 };
    trial_init(&trial, 4);
    for (int i = 0; i < 1000; i++)
        push(&trial, 1, 1);
    for (int i = 0; i < 4; i++)
        assert_int_equal(account_of_next(&trial), 1);
    for (int i = 0; i < 10; i++)
        push(&trial, 2, 2);
    while (of[2] < 10) {
        end_first(&trial);
        of[account_of_next(&trial)]++;
    }
    assert_in_range(of[1], 9, 11);
    run_to_the_end(&trial);
    assert_int_equal(trial.picked, 1010);
}

static void keys_of_an_account_take_turns(void **state) {
    (void)state;
    struct trial trial;
    trial_init(&trial, 1);
    for (int i = 0; i < 100; i++)
        push(&trial, 1, 1);
    for (int i = 0; i < 5; i++)
        push(&trial, 1, 2);
    unsigned of_two = 0;
    for (int turn = 1; turn <= 10; turn++) {
        of_two += key_of_next(&trial) == 2;
        assert_int_equal(of_two, turn / 2);
        end_first(&trial);
    }
    run_to_the_end(&trial);
}

/* The account's turns are the account's, however many keys it has. */
static void more_keys_are_no_more_turns(void **state) {
    (void)state;
    struct trial trial;
    unsigned of[3] = { 0 };
    trial_init(&trial, 1);
    for (int64_t key = 1; key <= 10; key++)
        for (int i = 0; i < 10; i++)
            push(&trial, 1, key);
    for (int i = 0; i < 10; i++)
        push(&trial, 2, 99);
    for (int turn = 0; turn < 20; turn++) {
        of[account_of_next(&trial)]++;
        end_first(&trial);
    }
    assert_int_equal(of[1], 10);
    assert_int_equal(of[2], 10);
    run_to_the_end(&trial);
}

static void a_key_at_its_limit_does_not_block_its_account(void **state) {
    (void)state;
    struct trial trial;
    trial_init(&trial, 10);
    trial.limits.key = 2;
    for (int i = 0; i < 50; i++)
        push(&trial, 1, 1);
    assert_int_equal(key_of_next(&trial), 1);
    assert_int_equal(key_of_next(&trial), 1);
    assert_int_equal(key_of_next(&trial), 0); /* places are free, but not for this key */
    trial.limits.key = 0;
    for (int i = 0; i < 8; i++)
        push(&trial, 1, 2);
    for (int i = 0; i < 8; i++)
        assert_int_equal(key_of_next(&trial), 2);
    assert_int_equal(key_of_next(&trial), 0);
    for (int i = 0; i < 2; i++)
        end_first(&trial);
    for (int i = 0; i < 2; i++)
        assert_int_equal(key_of_next(&trial), 1);
    run_to_the_end(&trial);
}

static void a_keys_limit_counts_all_providers(void **state) {
    (void)state;
    struct trial trial;
    trial_init(&trial, 10);
    trial.limits.key = 1;
    push_to(&trial, "p", 1, 1);
    push_to(&trial, "q", 1, 1);
    assert_int_equal(key_of_next(&trial), 1);
    assert_int_equal(key_of_next(&trial), 0);
    end_first(&trial);
    assert_int_equal(key_of_next(&trial), 1);
    run_to_the_end(&trial);
}

static unsigned three(int64_t account, int64_t key, unsigned before, void *context) {
    unsigned *asked = context;
    assert_int_equal(account, 1);
    (*asked)++;
    return key == 1 ? 3 : before;
}

static void keys_get_new_limits(void **state) {
    (void)state;
    struct trial trial;
    unsigned asked = 0;
    trial_init(&trial, 20);
    trial.limits.key = 1;
    for (int i = 0; i < 5; i++)
        push(&trial, 1, 1);
    for (int i = 0; i < 5; i++)
        push(&trial, 1, 2);
    while (key_of_next(&trial) != 0)
        ;
    assert_int_equal(trial.picked, 2);
    assert_false(queue_relimit_keys(&trial.queue, 7, 1, three, &asked)); /* one at once */
    assert_true(queue_relimit_keys(&trial.queue, 7, 1, three, &asked));
    assert_true(queue_relimit_keys(&trial.queue, 7, 1, three, &asked));
    assert_int_equal(asked, 2);
    while (key_of_next(&trial) != 0)
        ;
    assert_int_equal(trial.picked, 4);
    run_to_the_end(&trial);
    assert_int_equal(trial.picked, 10);
}

static void a_groups_limit_is_all_its_accounts_together(void **state) {
    (void)state;
    struct trial trial;
    trial_init(&trial, 10);
    trial.limits.group = 3;
    for (int64_t account = 1; account <= 5; account++)
        for (int i = 0; i < 4; i++)
            push(&trial, account, account);
    for (int64_t account = 1; account <= 3; account++)
        assert_int_equal(account_of_next(&trial), account);
    assert_int_equal(account_of_next(&trial), 0);
    /* Another group goes on. */
    trial.limits.group_name = "other";
    trial.limits.group = 0;
    push(&trial, 9, 9);
    assert_int_equal(account_of_next(&trial), 9);
    /* A place that comes free goes round: each has its turn. */
    int64_t last = 3;
    for (int turn = 0; turn < 17; turn++) {
        end_first(&trial);
        int64_t account = account_of_next(&trial);
        if (turn == 3) { /* it was the other group's that ended */
            assert_int_equal(account, 0);
            continue;
        }
        assert_int_equal(account, last % 5 + 1);
        assert_int_equal(account_of_next(&trial), 0);
        last = account;
    }
    run_to_the_end(&trial);
    assert_int_equal(trial.picked, 21);
}

/* A thousand of A and ten of B, both in a group that may run four: as between accounts at a provider. */
static void within_a_groups_limit_accounts_take_turns(void **state) {
    (void)state;
    struct trial trial;
    unsigned of[3] = { 0 };
    trial_init(&trial, 100);
    trial.limits.group = 4;
    for (int i = 0; i < 1000; i++)
        push(&trial, 1, 1);
    for (int i = 0; i < 4; i++)
        assert_int_equal(account_of_next(&trial), 1);
    assert_int_equal(account_of_next(&trial), 0);
    for (int i = 0; i < 10; i++)
        push(&trial, 2, 2);
    while (of[2] < 10) {
        end_first(&trial);
        int64_t account = account_of_next(&trial);
        assert_in_range(account, 1, 2);
        assert_int_equal(account_of_next(&trial), 0);
        of[account]++;
    }
    assert_in_range(of[1], 9, 11);
    run_to_the_end(&trial);
    assert_int_equal(trial.picked, 1010);
}

/* A full group's share that goes away, emptied or cancelled, must not take with it the turn of those that are parked. */
static void a_place_is_not_lost_with_who_had_its_turn(void **state) {
    (void)state;
    struct trial trial;
    trial_init(&trial, 10);
    trial.limits.group = 1;
    push(&trial, 1, 1);
    struct live_task *second = push(&trial, 2, 2);
    push(&trial, 3, 3);
    push_to(&trial, "q", 4, 4);
    assert_int_equal(account_of_next(&trial), 1);
    assert_int_equal(account_of_next(&trial), 0); /* all others are parked now */
    end_first(&trial);
    queue_remove(&trial.queue, second); /* it had just been given the turn at its provider */
    live_free(second);
    unsigned seen = 0;
    for (int i = 0; i < 2; i++) {
        int64_t account = account_of_next(&trial);
        assert_true(account == 3 || account == 4);
        seen |= 1U << account;
        assert_int_equal(account_of_next(&trial), 0);
        end_first(&trial);
    }
    assert_int_equal(seen, 1U << 3 | 1U << 4);
    run_to_the_end(&trial);
}

static unsigned as_before(const char *provider, void *context) {
    (void)provider;
    (void)context;
    return 0;
}

static void give_limits(const struct live_task *waiting, struct queue_limits *ret, void *context) {
    (void)waiting;
    *ret = *(const struct queue_limits *)context;
}

static void a_group_gets_a_new_limit(void **state) {
    (void)state;
    struct trial trial;
    trial_init(&trial, 10);
    trial.limits.group = 1;
    for (int64_t account = 1; account <= 6; account++)
        push(&trial, account, account);
    while (account_of_next(&trial) != 0)
        ;
    assert_int_equal(trial.running, 1);
    trial.limits.group = 3;
    queue_relimit(&trial.queue, as_before, give_limits, &trial.limits);
    while (account_of_next(&trial) != 0)
        ;
    assert_int_equal(trial.running, 3);
    trial.limits.group = 2;
    queue_relimit(&trial.queue, as_before, give_limits, &trial.limits);
    end_first(&trial);
    assert_int_equal(account_of_next(&trial), 0); /* as many as it may run already */
    end_first(&trial);
    assert_int_not_equal(account_of_next(&trial), 0);
    trial.limits.group = 0;
    queue_relimit(&trial.queue, as_before, give_limits, &trial.limits);
    run_to_the_end(&trial);
    assert_int_equal(trial.picked, 6);
}

/* What an account runs is counted in the group that it is in now. */
static void an_account_may_change_its_group(void **state) {
    (void)state;
    struct trial trial;
    trial_init(&trial, 10);
    trial.limits.group = 2;
    for (int i = 0; i < 3; i++)
        push(&trial, 1, 1);
    for (int i = 0; i < 3; i++)
        push(&trial, 2, 2);
    while (account_of_next(&trial) != 0)
        ;
    assert_int_equal(trial.running, 2); /* one of each */
    trial.limits.group_name = "h";
    push(&trial, 2, 2); /* the account is in another group: a place is free in each of the two */
    assert_int_not_equal(account_of_next(&trial), 0);
    assert_int_not_equal(account_of_next(&trial), 0);
    assert_int_equal(account_of_next(&trial), 0);
    assert_int_equal(trial.running, 4);
    run_to_the_end(&trial);
    assert_int_equal(trial.picked, 7);
}

/* Groups at their limit, keys at theirs, providers of few places, cancels: nothing is ever left waiting while it may run. */
static void nothing_waits_that_may_run(void **state) {
    (void)state;
    enum { ACCOUNTS = 12, STEPS = 20000 };
    static const char *const providers[] = { "p", "q", "r" };
    static const char *const groups[] = { "a", "b", "c" };
    static const unsigned of_group[] = { 3, 5, 0 };
    struct trial trial;
    unsigned seed = 12345;
    trial_init(&trial, 4);
    for (int step = 0; step < STEPS; step++) {
        seed = seed * 1103515245 + 12345;
        unsigned number = seed >> 8;
        unsigned account = number % ACCOUNTS;
        trial.limits = (struct queue_limits){ .provider = 4, .account = 3, .key = account % 4 == 0 ? 1 : 0,
                                              .group = of_group[account % 3], .group_name = groups[account % 3] };
        struct live_task *task = NULL;
        if (trial.queue.waiting < 60)
            task = push_to(&trial, providers[number / 16 % 3], account + 1, (int64_t)account * 10 + number / 64 % 2 + 1);
        if (task != NULL && number / 128 % 5 == 0) {
            queue_remove(&trial.queue, task);
            live_free(task);
        }
        int64_t picked = account_of_next(&trial);
        if (picked == 0 && trial.running > 0)
            end_first(&trial);
        assert_true(trial.running <= 12);
    }
    assert_in_range(trial.picked, STEPS / 4, STEPS);
    run_to_the_end(&trial);
}

int test_queue_limits(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thousand_tasks_do_not_keep_ten_of_another_waiting),
        cmocka_unit_test(keys_of_an_account_take_turns),
        cmocka_unit_test(more_keys_are_no_more_turns),
        cmocka_unit_test(a_key_at_its_limit_does_not_block_its_account),
        cmocka_unit_test(a_keys_limit_counts_all_providers),
        cmocka_unit_test(keys_get_new_limits),
        cmocka_unit_test(a_groups_limit_is_all_its_accounts_together),
        cmocka_unit_test(within_a_groups_limit_accounts_take_turns),
        cmocka_unit_test(a_place_is_not_lost_with_who_had_its_turn),
        cmocka_unit_test(a_group_gets_a_new_limit),
        cmocka_unit_test(an_account_may_change_its_group),
        cmocka_unit_test(nothing_waits_that_may_run),
    };
    return cmocka_run_group_tests_name("queue_limits", tests, NULL, NULL);
}
