/* Freed memory between things that live stays with the C library until somebody asks. */
#include "base/give_back.h"

#include <malloc.h>
#include <stddef.h>

#define WORTH_IT ((size_t)2 << 20)

void give_back_heap(void) {
    static size_t after; /* what was free after the last time: of it the pages are the system's already */
    size_t unused = mallinfo2().fordblks;
    if (unused < after)
        after = unused;
    if (unused - after < WORTH_IT)
        return;
    malloc_trim(0);
    after = mallinfo2().fordblks;
}

void give_back_start(void) {
    malloc_trim(0);
}
