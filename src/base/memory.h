/* Allocation of small, fixed-size things, and of tables: cannot fail, because the process aborts instead.
 *
 * The store makes an abort safe (T2) and a supervisor starts us again, so code that allocates a struct
 * needs no branch that nobody can test. Sizes that come from outside go through struct buffer or
 * struct arena, which have a maximum and do fail. Any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

/* Zeroed memory; the caller frees it with free(). Aborts when there is none. */
void *mem_new(size_t size) must_check;
void *mem_new_array(size_t count, size_t size) must_check;
#define CACHE_LINE 64
/* The same in cache lines of its own, for what threads must not have in one line with others' things. */
void *mem_new_lines(size_t count, size_t size) must_check;
/* Zeroed pages, for a large table that fills slowly: each counts once it is written to. Aborts when there is none. */
void *mem_table(size_t size) must_check;
/* What mem_table returned, with its size; NULL is fine. */
void mem_table_free(void *table, size_t size);
/* As realloc(3), but aborts when there is none. */
void *mem_grow(void *old, size_t size) must_check;
char *mem_string(const char *string) must_check;

/* As realloc(3), for buffers and for libraries that let their allocator be set: a small block cannot fail, since what is made
 * of that is seldom tested and sometimes a value with something missing; a large one, whose size comes from outside, can. */
#define MEM_SMALL_MAX ((size_t)64 << 10)
void *mem_grow_library(void *old, size_t size) must_check;

/* Whether pages that become empty go back to the system at once, or may wait a moment for their next use, which is quicker: for
 * whoever knows how much there is. Any thread; no effect where the allocator has no such choice. */
void mem_thrift(bool thrift);
/* How the allocator does that. Before there is another thread. */
void mem_set_thrift(void (*set)(bool thrift));
/* There is no memory: says so and aborts. */
no_return void mem_fail(void);

/* For scoped(): frees the pointer variable's target. */
void mem_free_pointer(void *pointer_variable);
