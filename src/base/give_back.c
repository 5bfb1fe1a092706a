/* Freed memory between things that live stays with the C library until somebody asks. */
#include "base/give_back.h"

#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/handy.h"

#define WORTH_IT ((size_t)2 << 20)
/* What is free changes by less from one look to the next: a time of much work is over. */
#define CALM ((size_t)256 << 10)
#define KEPT_MAX 64 /* of a size: packaging/fennec.service.in */

struct block {
    struct block *next;
};

static void *free_all(void *first) {
    for (struct block *block = first, *next; block != NULL; block = next) {
        next = block->next;
        free(block);
    }
    return NULL;
}

/* The small blocks (of handy.h's sizes) that this thread has freed are still in use to the heap, each with a page
 * around it, and glibc has no call that gives them back. But it does so when a thread ends: so they are taken out here
 * and freed by one that does. */
static void empty_own_cache(void) {
    struct block *first = NULL;
    for (size_t size = HANDY_MIN; size <= HANDY_MAX; size += HANDY_STEP) {
        for (unsigned i = 0; i < KEPT_MAX; i++) {
            struct block *block = malloc(size);
            if (block == NULL)
                break;
            block->next = first;
            first = block;
        }
    }
    pthread_t thread;
    if (pthread_create(&thread, NULL, free_all, first) == 0)
        pthread_join(thread, NULL);
    else
        free_all(first);
}

void give_back_heap(void) {
    static size_t after;  /* what was free after the last time: of it the pages are the system's already */
    static size_t before; /* what was free when last looked at */
    static bool moved;    /* what is free has changed since the last time, and pages with it that no sum tells of */
    size_t unused = mallinfo2().fordblks, change = unused > before ? unused - before : before - unused;
    bool calm = change < CALM;
    before = unused;
    moved |= !calm;
    if (unused < after)
        after = unused;
    if (unused < WORTH_IT || (unused - after < WORTH_IT && !(moved && calm)))
        return;
    empty_own_cache();
    malloc_trim(0);
    after = before = mallinfo2().fordblks;
    moved = false;
}

void give_back_start(void) {
    malloc_trim(0);
}
