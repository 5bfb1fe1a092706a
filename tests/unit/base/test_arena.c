/* The arena: zeroed and aligned memory, its maximum (S3), nothing left behind. */
#include "base/arena.h"

#include <stdlib.h>

#include "tests.h"

static void memory_is_zeroed_aligned_and_apart(void **state) {
    (void)state;
    scoped(arena_fini) struct arena arena;
    arena_init(&arena, 1 << 20);
    unsigned char *before = NULL;
    size_t before_size = 0;
    for (size_t size = 0; size < 700; size++) {
        unsigned char *memory = arena_alloc(&arena, size);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++) {
            assert_int_equal(memory[i], 0);
        }
        memset(memory, 0xAA, size);
        for (size_t i = 0; i < before_size; i++) {
            assert_int_equal(before[i], 0xBB);
        }
        memset(memory, 0xBB, size);
        before = memory;
        before_size = size;
    }
}

static void the_maximum_holds(void **state) {
    (void)state;
    for (size_t max = 0; max < 5000; max += 37) {
        scoped(arena_fini) struct arena arena;
        arena_init(&arena, max);
        assert_null(arena_alloc(&arena, max + 1));
        assert_null(arena_alloc(&arena, SIZE_MAX));
        assert_null(arena_alloc(&arena, SIZE_MAX - 8));
        size_t total = 0;
        while (arena_alloc(&arena, 24) != NULL) {
            total += 24;
        }
        assert_true(total <= max && arena.used <= max);
        assert_true(total >= max / 2 / 24 * 24);
    }
    scoped(arena_fini) struct arena whole;
    arena_init(&whole, 100000);
    assert_non_null(arena_alloc(&whole, 100000));
    assert_null(arena_alloc(&whole, 1));
}

static void what_was_reserved_comes_from_one_block(void **state) {
    (void)state;
    scoped(arena_fini) struct arena arena;
    arena_init(&arena, 1 << 20);
    assert_true(arena_reserve(&arena, 4000));
    const struct arena_block *block = arena.blocks;
    const char *first = arena_alloc(&arena, 2000), *second = arena_alloc(&arena, 2000);
    assert_ptr_equal(second, first + 2000);
    assert_ptr_equal(arena.blocks, block);
    assert_non_null(arena_alloc(&arena, 1));
    assert_ptr_not_equal(arena.blocks, block);
}

static void strings(void **state) {
    (void)state;
    scoped(arena_fini) struct arena arena;
    arena_init(&arena, 200);
    assert_string_equal(arena_string(&arena, (struct text){ "abcdef", 3 }), "abc");
    assert_string_equal(arena_string(&arena, TEXT_NONE), "");
    struct text copy = arena_text(&arena, TEXT("a\0b"));
    assert_int_equal(copy.len, 3);
    assert_memory_equal(copy.ptr, "a\0b", 4);
    assert_string_equal(arena_printf(&arena, "%d %s", 5, "x"), "5 x");
    assert_null(arena_printf(&arena, "%*d", 1000, 5));
    char big[300] = { 0 };
    assert_null(arena_string(&arena, (struct text){ big, sizeof(big) }));
    assert_null(arena_text(&arena, (struct text){ big, sizeof(big) }).ptr);
}

static void a_finished_arena_can_be_used_again(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 64);
    assert_non_null(arena_alloc(&arena, 64));
    assert_null(arena_alloc(&arena, 1));
    arena_fini(&arena);
    assert_non_null(arena_alloc(&arena, 64));
    arena_fini(&arena);
    arena_fini(&arena);
    arena_fini(NULL);
}

int test_arena(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_aligned_and_apart),     cmocka_unit_test(the_maximum_holds),
        cmocka_unit_test(what_was_reserved_comes_from_one_block), cmocka_unit_test(strings),
        cmocka_unit_test(a_finished_arena_can_be_used_again),
    };
    return cmocka_run_group_tests_name("base/arena", tests, NULL, NULL);
}
