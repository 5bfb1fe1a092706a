/* Lasting memory: zeroed, no two things overlap, pages are given back. */
#include "base/lasting.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#include "tests.h"

#define MANY 5000
#define SLAB_MAX ((size_t)64 << 10)

static void fill(unsigned char *memory, size_t size, unsigned seed) {
    for (size_t i = 0; i < size; i++)
        memory[i] = (unsigned char)(seed + i);
}

static void check(const unsigned char *memory, size_t size, unsigned seed) {
    for (size_t i = 0; i < size; i++)
        assert_int_equal(memory[i], (unsigned char)(seed + i));
}

static void check_zero(const unsigned char *memory, size_t size) {
    for (size_t i = 0; i < size; i++)
        assert_int_equal(memory[i], 0);
}

static void things_of_any_size_do_not_overlap(void **state) {
    (void)state;
    static unsigned char *things[MANY];
    for (unsigned round = 0; round < 3; round++) { /* the second and third get what was given back */
        for (unsigned i = 0; i < MANY; i++) {
            size_t size = i % (LASTING_MAX + 100);
            things[i] = lasting_new(size);
            assert_int_equal((uintptr_t)things[i] % 16, 0);
            check_zero(things[i], size);
            fill(things[i], size, i);
        }
        for (unsigned i = 0; i < MANY; i++)
            check(things[i], i % (LASTING_MAX + 100), i);
        for (unsigned i = 0; i < MANY; i += 2) { /* holes, and what fills them, beside others */
            lasting_free(things[i], i % (LASTING_MAX + 100));
            things[i] = lasting_new(i % (LASTING_MAX + 100));
            fill(things[i], i % (LASTING_MAX + 100), i + round);
        }
        for (unsigned i = 0; i < MANY; i++) {
            check(things[i], i % (LASTING_MAX + 100), i % 2 == 0 ? i + round : i);
            lasting_free(things[i], i % (LASTING_MAX + 100));
        }
    }
}

static void pages_are_given_back(void **state) {
    (void)state;
    static void *things[MANY];
    size_t before = lasting_bytes();
    for (unsigned i = 0; i < MANY; i++)
        things[i] = lasting_new(200);
    size_t full = lasting_bytes();
    for (unsigned i = 0; i < MANY; i++)
        lasting_free(things[i], 200);
    if (full == before)
        return; /* AddressSanitizer: all of it is the heap's */
    assert_true(full - before + SLAB_MAX >= (size_t)MANY * 200); /* one with room may have been there */
    assert_true(full - before < (size_t)MANY * 250); /* little is lost between them */
    assert_true(lasting_bytes() - before <= (size_t)128 << 10);
}

static void texts_are_copied(void **state) {
    (void)state;
    char *text = lasting_text(TEXT("as it was")), *empty = lasting_text(TEXT_NONE);
    assert_string_equal(text, "as it was");
    assert_string_equal(empty, "");
    lasting_free_text(text);
    lasting_free_text(empty);
    lasting_free_text(NULL);
    lasting_free(NULL, 10);
}

static void *take_and_give(void *number) {
    unsigned char *things[100];
    for (unsigned round = 0; round < 200; round++) {
        for (unsigned i = 0; i < ARRAY_SIZE(things); i++) {
            things[i] = lasting_new(16 * (i % 8) + 1);
            fill(things[i], 16 * (i % 8) + 1, (unsigned)(uintptr_t)number + i);
        }
        for (unsigned i = 0; i < ARRAY_SIZE(things); i++) {
            check(things[i], 16 * (i % 8) + 1, (unsigned)(uintptr_t)number + i);
            lasting_free(things[i], 16 * (i % 8) + 1);
        }
    }
    return NULL;
}

static void threads_share_it(void **state) {
    (void)state;
    pthread_t threads[4];
    for (uintptr_t i = 0; i < ARRAY_SIZE(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, (void *)(i * 50)), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(threads); i++)
        pthread_join(threads[i], NULL);
}

int test_lasting(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(things_of_any_size_do_not_overlap),
        cmocka_unit_test(pages_are_given_back),
        cmocka_unit_test(texts_are_copied),
        cmocka_unit_test(threads_share_it),
    };
    return cmocka_run_group_tests_name("base/lasting", tests, NULL, NULL);
}
