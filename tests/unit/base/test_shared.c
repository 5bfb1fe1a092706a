/* Shared texts: equal ones are one, different ones are apart, and the last holder ends it. */
#include "base/shared.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "tests.h"

#define MANY 5000
#define THREADS 4

static void equal_texts_are_one(void **state) {
    (void)state;
    size_t before = shared_count();
    char same[] = "phota-image";
    const char *first = shared_text(TEXT("phota-image")), *second = shared_text(text_of(same));
    const char *other = shared_text(TEXT("phota-imagf"));
    assert_ptr_equal(first, second);
    assert_ptr_not_equal(first, other);
    assert_string_equal(first, "phota-image");
    assert_int_equal(shared_length(first), strlen("phota-image"));
    assert_int_equal(shared_count(), before + 2);
    shared_drop(first);
    assert_string_equal(second, "phota-image"); /* somebody holds it still */
    assert_int_equal(shared_count(), before + 2);
    shared_drop(second);
    shared_drop(other);
    shared_drop(NULL);
    assert_int_equal(shared_count(), before);
}

static void bytes_of_any_value_count(void **state) {
    (void)state;
    const char *a = shared_text(TEXT("a\0b")), *b = shared_text(TEXT("a\0c")), *empty = shared_text(TEXT_NONE);
    assert_ptr_not_equal(a, b);
    assert_int_equal(shared_length(a), 3);
    assert_memory_equal(a, "a\0b", 4);
    assert_memory_equal(b, "a\0c", 4);
    assert_int_equal(shared_length(empty), 0);
    assert_string_equal(empty, "");
    shared_drop(a);
    shared_drop(b);
    shared_drop(empty);
}

static void many_are_found_again(void **state) {
    (void)state;
    static const char *texts[MANY];
    char words[32];
    size_t before = shared_count();
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(words, sizeof(words), "text %u", i);
        texts[i] = shared_text(text_of(words));
    }
    assert_int_equal(shared_count(), before + MANY);
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(words, sizeof(words), "text %u", i);
        const char *again = shared_text(text_of(words));
        assert_ptr_equal(again, texts[i]);
        shared_drop(again);
    }
    for (unsigned i = 0; i < MANY; i++) { /* the table shrinks on the way, and still finds the rest */
        snprintf(words, sizeof(words), "text %u", i);
        assert_string_equal(texts[i], words);
        shared_drop(texts[i]);
        if (i + 1 == MANY)
            break;
        const char *next = shared_text(text_of(texts[i + 1]));
        assert_ptr_equal(next, texts[i + 1]);
        shared_drop(next);
    }
    assert_int_equal(shared_count(), before);
}

static void *hold_and_drop(void *context) {
    char words[32];
    (void)context;
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(words, sizeof(words), "%u", i % 7);
        const char *text = shared_text(text_of(words));
        if (strcmp(text, words) != 0)
            abort();
        shared_drop(text);
    }
    return NULL;
}

static void threads_share_them(void **state) {
    (void)state;
    pthread_t threads[THREADS];
    size_t before = shared_count();
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hold_and_drop, NULL), 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(shared_count(), before);
}

int test_shared(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_texts_are_one),
        cmocka_unit_test(bytes_of_any_value_count),
        cmocka_unit_test(many_are_found_again),
        cmocka_unit_test(threads_share_them),
    };
    return cmocka_run_group_tests_name("shared", tests, NULL, NULL);
}
