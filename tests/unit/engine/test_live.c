/* The keys of tasks: spread over tables as if they were random. */
#include "engine/task/live.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "tests.h"

#define KEYS 65536u
#define CHAIN_MAX 16 /* of so many at random in as many buckets the longest is 9, give or take one */

/* The ids of a second differ in a counter's digits, as those that are made one after the other do. */
static struct task_key key_of(const char *prefix, int64_t account, unsigned second, unsigned number) {
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    struct task_id id;
    char tick[9] = "0000abcd";
    for (int i = 3; i >= 0; i--, number /= 36)
        tick[i] = digits[number % 36];
    snprintf(id.string, sizeof(id.string), "%s%u-%s", prefix, second, tick);
    return task_key(account, &id);
}

static void assert_spread(const char *prefix, int64_t accounts, unsigned seconds) {
    unsigned *low = mem_new_array(KEYS, sizeof(*low)), high[32] = { 0 };
    for (unsigned i = 0; i < KEYS; i++) {
        struct task_key key = key_of(prefix, i % accounts, 1700000000 + i % seconds, i / seconds);
        unsigned hash = task_key_hash(&key);
        low[hash % KEYS]++;
        high[hash >> 27]++;
    }
    for (unsigned i = 0; i < KEYS; i++)
        assert_in_range(low[i], 0, CHAIN_MAX);
    for (unsigned i = 0; i < ARRAY_SIZE(high); i++)
        assert_in_range(high[i], KEYS / 32 * 8 / 10, KEYS / 32 * 12 / 10);
    free(low);
}

static void keys_spread_over_a_table(void **state) {
    (void)state;
    assert_spread("task-unified-", 1, 1);
    assert_spread("task-llm-", 1, 1);
    assert_spread("task-unified-", 1, KEYS); /* one each second */
    assert_spread("task-llm-", 1000, 60);
}

static void a_key_is_account_and_id(void **state) {
    (void)state;
    struct task_key one = key_of("task-llm-", 1, 1700000000, 1), same = key_of("task-llm-", 1, 1700000000, 1);
    struct task_key account = key_of("task-llm-", 2, 1700000000, 1), id = key_of("task-llm-", 1, 1700000000, 2);
    assert_int_equal(task_key_hash(&one), task_key_hash(&same));
    assert_int_not_equal(task_key_hash(&one), task_key_hash(&account));
    assert_int_not_equal(task_key_hash(&one), task_key_hash(&id));
}

int test_live(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_spread_over_a_table),
        cmocka_unit_test(a_key_is_account_and_id),
    };
    return cmocka_run_group_tests_name("engine/live", tests, NULL, NULL);
}
