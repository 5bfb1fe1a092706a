/* Requests per minute: keys, accounts and groups each their own, a request counts against all of them or none. */
#include "api/door/rate_limits.h"

#include <pthread.h>

#include "tests.h"

static bool take(struct rate_limits *limits, int64_t account, int64_t per_minute, int64_t now_ms,
                 int64_t *ret_wait_ms) {
    const struct rate_request request = { .key = 1, .account = account, .per_minute[RATE_ACCOUNT] = per_minute };
    struct rate_answer answer;
    bool taken = rate_limits_take(limits, &request, now_ms, &answer);
    if (!taken)
        *ret_wait_ms = answer.wait_ms;
    return taken;
}

static void each_account_has_its_own_bucket(void **state) {
    (void)state;
    struct rate_limits *limits = rate_limits_new();
    int64_t wait_ms = -1;

    for (int64_t account = 1; account <= 40; account++) {
        assert_true(take(limits, account, 2, 1000, &wait_ms));
        assert_true(take(limits, account, 2, 1000, &wait_ms));
        assert_int_equal(wait_ms, -1);
    }
    for (int64_t account = 1; account <= 40; account++) {
        assert_false(take(limits, account, 2, 1000, &wait_ms));
        assert_true(wait_ms > 0 && wait_ms <= 30000);
        assert_true(take(limits, account, 2, 1000 + wait_ms, &wait_ms));
        wait_ms = -1;
    }
    rate_limits_free(limits);
}

static void no_limit_counts_nothing(void **state) {
    (void)state;
    struct rate_limits *limits = rate_limits_new();
    const struct rate_request request = { .key = 1, .account = 1, .group = "g" };
    struct rate_answer answer;

    for (int i = 0; i < 1000; i++)
        assert_true(rate_limits_take(limits, &request, 1000, &answer));
    assert_int_equal(answer.standing.per_minute, 0);
    rate_limits_free(limits);
    rate_limits_free(NULL);
}

/* Those forgotten were full anyway, those that still wait are not forgotten. */
static void forgetting_gives_nothing_away(void **state) {
    (void)state;
    struct rate_limits *limits = rate_limits_new();
    int64_t wait_ms, now_ms = 1000;

    for (int64_t account = 0; account < 100000; account++)
        assert_true(take(limits, account, 1, now_ms, &wait_ms));
    assert_false(take(limits, 3, 1, now_ms, &wait_ms));
    assert_false(take(limits, 3, 1, now_ms + 59999, &wait_ms));
    now_ms += 61000;
    for (int64_t account = 100000; account < 200000; account++)
        assert_true(take(limits, account, 1, now_ms, &wait_ms));
    assert_true(take(limits, 3, 1, now_ms, &wait_ms));
    assert_false(take(limits, 3, 1, now_ms, &wait_ms));
    rate_limits_free(limits);
}

/* Key 5 and 6 of account 1, key 7 of account 2, all of group "g". */
static bool ask(struct rate_limits *limits, int64_t key, int64_t account, int64_t of_key, int64_t of_account,
                int64_t of_group, struct rate_answer *ret) {
    const struct rate_request request = {
        .key = key, .account = account, .group = "g", .per_minute = { of_key, of_account, of_group }
    };
    return rate_limits_take(limits, &request, 1000, ret);
}

static void a_refused_request_takes_nothing_from_the_others(void **state) {
    (void)state;
    struct rate_limits *limits = rate_limits_new();
    struct rate_answer answer;

    assert_true(ask(limits, 5, 1, 1, 4, 6, &answer));
    for (int i = 0; i < 100; i++) {
        assert_false(ask(limits, 5, 1, 1, 4, 6, &answer)); /* of a minute, the key's one is gone */
        assert_int_equal(answer.scope, RATE_KEY);
        assert_int_equal(answer.wait_ms, 60000);
    }
    for (int i = 0; i < 3; i++)
        assert_true(ask(limits, 6, 1, 100, 4, 6, &answer));
    assert_false(ask(limits, 6, 1, 100, 4, 6, &answer));
    assert_int_equal(answer.scope, RATE_ACCOUNT);
    assert_int_equal(answer.wait_ms, 15000);
    assert_true(ask(limits, 7, 2, 0, 4, 6, &answer));
    assert_true(ask(limits, 7, 2, 0, 4, 6, &answer));
    assert_false(ask(limits, 7, 2, 0, 4, 6, &answer)); /* six have been let through, and no more counted */
    assert_int_equal(answer.scope, RATE_GROUP);
    assert_int_equal(answer.wait_ms, 10000);

    struct rate_counts counts = rate_limits_counts(limits);
    assert_int_equal(counts.refused[RATE_KEY], 100);
    assert_int_equal(counts.refused[RATE_ACCOUNT], 1);
    assert_int_equal(counts.refused[RATE_GROUP], 1);
    rate_limits_free(limits);
}

/* Both wait: the longer one is told. */
static void the_wait_is_until_all_let_one_through(void **state) {
    (void)state;
    struct rate_limits *limits = rate_limits_new();
    struct rate_answer answer;

    for (int i = 0; i < 2; i++)
        assert_true(ask(limits, 5, 1, 2, 0, 2, &answer));
    assert_false(ask(limits, 5, 1, 2, 0, 2, &answer));
    assert_int_equal(answer.wait_ms, 30000);
    assert_false(ask(limits, 5, 1, 2, 0, 1, &answer));
    assert_int_equal(answer.wait_ms, 60000);
    assert_int_equal(answer.scope, RATE_GROUP);
    rate_limits_free(limits);
}

static void the_tightest_limit_is_told(void **state) {
    (void)state;
    struct rate_limits *limits = rate_limits_new();
    struct rate_answer answer;

    assert_true(ask(limits, 5, 1, 10, 4, 100, &answer));
    assert_int_equal(answer.scope, RATE_ACCOUNT);
    assert_int_equal(answer.standing.per_minute, 4);
    assert_int_equal(answer.standing.left, 3);
    assert_int_equal(answer.standing.full_ms, 15000);
    for (int i = 0; i < 9; i++)
        assert_true(ask(limits, 6, 3, 10, 100, 100, &answer));
    assert_int_equal(answer.scope, RATE_KEY);
    assert_int_equal(answer.standing.per_minute, 10);
    assert_int_equal(answer.standing.left, 1);
    assert_int_equal(answer.standing.full_ms, 54000);
    rate_limits_free(limits);
}

/* Threads that share an account, a key or a group are let through as often as the limit says, together. */
enum { THREADS = 4, TIMES = 2000, LIMIT = 3000 };

struct asking {
    struct rate_limits *limits;
    int64_t number, taken;
};

static void *ask_often(void *pointer) {
    struct asking *asking = pointer;
    for (int i = 0; i < TIMES; i++) {
        const struct rate_request request = { .key = asking->number, .account = asking->number / 2, .group = "g",
                                              .per_minute = { TIMES, 2 * TIMES, LIMIT } };
        struct rate_answer answer;
        asking->taken += rate_limits_take(asking->limits, &request, 1000, &answer);
    }
    return NULL;
}

static void threads_share_a_limit(void **state) {
    (void)state;
    struct asking asking[THREADS];
    pthread_t threads[THREADS];
    int64_t taken = 0;
    struct rate_limits *limits = rate_limits_new();

    for (int i = 0; i < THREADS; i++) {
        asking[i] = (struct asking){ limits, i, 0 };
        assert_int_equal(pthread_create(&threads[i], NULL, ask_often, &asking[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        taken += asking[i].taken;
    }
    assert_int_equal(taken, LIMIT);
    assert_int_equal(rate_limits_counts(limits).refused[RATE_GROUP], THREADS * TIMES - LIMIT);
    rate_limits_free(limits);
}

int run_rate_limits_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_account_has_its_own_bucket),
        cmocka_unit_test(no_limit_counts_nothing),
        cmocka_unit_test(forgetting_gives_nothing_away),
        cmocka_unit_test(a_refused_request_takes_nothing_from_the_others),
        cmocka_unit_test(the_wait_is_until_all_let_one_through),
        cmocka_unit_test(the_tightest_limit_is_told),
        cmocka_unit_test(threads_share_a_limit),
    };
    return cmocka_run_group_tests_name("rate_limits", tests, NULL, NULL);
}
