/* Heap allocation that aborts instead of failing. */
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/handy.h"

void mem_fail(void) {
    static const char words[] = "fennec: out of memory\n";
    ssize_t written = write(STDERR_FILENO, words, sizeof(words) - 1);
    (void)written;
    abort();
}

/* glibc keeps small blocks that were freed at hand in each thread, but calloc does not look there; malloc does. */
void *mem_new(size_t size) {
    if (size == 0 || size > MEM_AT_HAND_MAX) {
        return mem_new_array(1, size);
    }
    void *memory = malloc(size);
    if (memory == NULL) {
        mem_fail();
    }
    return memset(memory, 0, size);
}

void *mem_new_array(size_t count, size_t size) {
    /* calloc(3) may answer NULL for nothing at all, which is no failure but looks like one. */
    if (count == 0 || size == 0) {
        count = size = 1;
    }
    void *memory = calloc(count, size);
    if (memory == NULL) {
        mem_fail();
    }
    return memory;
}

void *mem_grow(void *old, size_t size) {
    void *memory = realloc(old, size > 0 ? size : 1);
    if (memory == NULL) {
        mem_fail();
    }
    return memory;
}

void *mem_grow_library(void *old, size_t size) {
    void *memory = old != NULL ? realloc(old, size > 0 ? size : 1) : handy_new(size);
    if (memory == NULL && size <= MEM_SMALL_MAX) {
        mem_fail();
    }
    return memory;
}

char *mem_string(const char *string) {
    char *copy = strdup(string);
    if (copy == NULL) {
        mem_fail();
    }
    return copy;
}

void mem_free_pointer(void *pointer_variable) {
    void *memory;
    memcpy(&memory, pointer_variable, sizeof(memory));
    free(memory);
}
