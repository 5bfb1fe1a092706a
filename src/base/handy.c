/* A list for each of malloc's sizes, the last one freed first: it is the one that the processor still has at hand. */
#include "base/handy.h"

#include <malloc.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/compiler.h"

#if ADDRESS_SANITIZER || THREAD_SANITIZER /* they see what malloc and free see */
#define KEEPS false
#else
#define KEEPS true
#endif

#define SIZES ((HANDY_MAX - HANDY_MIN) / HANDY_STEP + 1)

struct block {
    struct block *next;
};

static _Thread_local struct {
    bool keeps;
    unsigned counts[SIZES];
    struct block *lists[SIZES];
} here;

void handy_begin(void) {
    here.keeps = KEEPS;
}

void handy_drop(void) {
    for (size_t i = 0; i < SIZES; i++) {
        while (here.lists[i] != NULL) {
            struct block *block = here.lists[i];
            here.lists[i] = block->next;
            free(block);
        }
        here.counts[i] = 0;
    }
}

void handy_end(void) {
    here.keeps = false;
    handy_drop();
}

void *handy_new(size_t size) {
    size_t index = size <= HANDY_MIN ? 0 : (size - HANDY_MIN + HANDY_STEP - 1) / HANDY_STEP;
    if (index >= SIZES || here.lists[index] == NULL) {
        return malloc(size);
    }
    struct block *block = here.lists[index];
    here.lists[index] = block->next;
    here.counts[index]--;
    return block;
}

void handy_free(void *block) {
    size_t room = here.keeps && block != NULL ? malloc_usable_size(block) : 0;
    size_t index = (room - HANDY_MIN) / HANDY_STEP;
    /* Only a size that is exactly one of malloc's own: another allocator may stand in its place. */
    if (room < HANDY_MIN || index >= SIZES || HANDY_MIN + index * HANDY_STEP != room ||
        here.counts[index] * (room + HANDY_MIN % HANDY_STEP) >= HANDY_SIZE_BYTES) {
        free(block);
        return;
    }
    struct block *kept = block;
    kept->next = here.lists[index];
    here.lists[index] = kept;
    here.counts[index]++;
}
