/* Heap allocation that aborts instead of failing. */
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void (*set_thrift)(bool thrift); /* NULL: the allocator has no choice */

void mem_set_thrift(void (*set)(bool thrift)) {
    set_thrift = set;
}

void mem_thrift(bool thrift) {
    if (set_thrift != NULL) {
        set_thrift(thrift);
    }
}

void mem_fail(void) {
    static const char words[] = "fennec: out of memory\n";
    ssize_t written = write(STDERR_FILENO, words, sizeof(words) - 1);
    (void)written;
    abort();
}

void *mem_new(size_t size) {
    return mem_new_array(1, size);
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

void *mem_new_lines(size_t count, size_t size) {
    void *memory = NULL;
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || __builtin_add_overflow(bytes, CACHE_LINE, &bytes)) {
        mem_fail();
    }
    bytes -= bytes % CACHE_LINE; /* whole lines, and one at least */
    if (posix_memalign(&memory, CACHE_LINE, bytes) != 0) {
        mem_fail();
    }
    return memset(memory, 0, bytes);
}

/* An allocator may hand out what was in use before, and clears it then, which makes all of it count. The sanitizer has to see
 * the ends, and what the table points to. */
void *mem_table(size_t size) {
    if (ADDRESS_SANITIZER) {
        return mem_new(size);
    }
    void *table = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (table == MAP_FAILED) {
        mem_fail();
    }
    return table;
}

void mem_table_free(void *table, size_t size) {
    if (ADDRESS_SANITIZER) {
        free(table);
    } else if (table != NULL) {
        munmap(table, size);
    }
}

void *mem_grow(void *old, size_t size) {
    void *memory = realloc(old, size > 0 ? size : 1);
    if (memory == NULL) {
        mem_fail();
    }
    return memory;
}

void *mem_grow_library(void *old, size_t size) {
    void *memory = realloc(old, size > 0 ? size : 1);
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
