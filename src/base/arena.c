/* Blocks of zeroed memory, each twice as large as the one before up to a limit, handed out from front to back. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_FIRST ((size_t)960) /* with its head less than a kilobyte, which allocators have at hand */
#define BLOCK_LARGEST ((size_t)1 << 16)
#define ALIGNMENT _Alignof(max_align_t)

struct arena_block {
    struct arena_block *older;
    size_t used;
    size_t capacity;
    _Alignas(max_align_t) char bytes[];
};

void arena_init(struct arena *arena, size_t max) {
    *arena = (struct arena){ .max = max };
}

void arena_fini(struct arena *arena) {
    if (arena == NULL) {
        return;
    }
    for (struct arena_block *block = arena->blocks, *older; block != NULL; block = older) {
        older = block->older;
        free(block);
    }
    arena_init(arena, arena->max);
}

static struct arena_block *block_add(struct arena *arena, size_t capacity) {
    struct arena_block *block = calloc(1, sizeof(*block) + capacity);
    if (block == NULL) {
        return NULL;
    }
    block->capacity = capacity;
    block->older = arena->blocks;
    arena->blocks = block;
    return block;
}

static size_t next_capacity(const struct arena *arena, size_t size) {
    size_t capacity = arena->blocks != NULL ? arena->blocks->capacity * 2 : BLOCK_FIRST;
    if (capacity > BLOCK_LARGEST) {
        capacity = BLOCK_LARGEST;
    }
    return capacity < size ? size : capacity;
}

bool arena_reserve(struct arena *arena, size_t size) {
    return block_add(arena, size) != NULL;
}

void *arena_alloc(struct arena *arena, size_t size) {
    size_t left = arena->max - arena->used;
    if (size > left || size > SIZE_MAX / 2) {
        return NULL;
    }
    size_t rounded = size == 0 ? ALIGNMENT : (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    struct arena_block *block = arena->blocks;
    if (block == NULL || rounded > block->capacity - block->used) {
        block = block_add(arena, next_capacity(arena, rounded));
        if (block == NULL) {
            return NULL;
        }
    }
    void *memory = block->bytes + block->used;
    block->used += rounded;
    arena->used += rounded < left ? rounded : left;
    return memory;
}

char *arena_string(struct arena *arena, struct text t) {
    char *copy = t.len < SIZE_MAX ? arena_alloc(arena, t.len + 1) : NULL;
    if (copy != NULL && t.len > 0) {
        memcpy(copy, t.ptr, t.len);
    }
    return copy;
}

struct text arena_text(struct arena *arena, struct text t) {
    char *copy = arena_string(arena, t);
    return copy != NULL ? (struct text){ copy, t.len } : TEXT_NONE;
}

char *arena_printf(struct arena *arena, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int count = vsnprintf(NULL, 0, format, args);
    char *string = count < 0 ? NULL : arena_alloc(arena, (size_t)count + 1);
    if (string != NULL) {
        vsnprintf(string, (size_t)count + 1, format, again);
    }
    va_end(again);
    va_end(args);
    return string;
}
