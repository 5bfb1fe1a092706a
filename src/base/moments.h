/* Moments in their order: a heap of what has one embedded. Adding and taking one costs the logarithm of their number, the
 * first is at hand. One thread, or under its owner's lock. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

/* Zeroed at first. The heap's own. */
struct moment {
    int64_t at_ms;  /* of the owner's clock */
    uint32_t place; /* in the heap, from 1 on; 0: not in it */
    uint32_t order; /* of those of one millisecond the one that was added first is first */
};

/* Zeroed: empty. */
struct moments {
    struct moment **heap;
    uint32_t count, capacity;
    uint32_t order; /* of the next; goes round after 2^32 */
};

/* Of one that is not in it; borrowed until it is taken. Aborts when there is no memory. */
void moments_add(struct moments *moments, struct moment *moment, int64_t at_ms);
/* Of one that is in it. */
void moments_take(struct moments *moments, struct moment *moment);
/* NULL: there is none. */
struct moment *moments_first(const struct moments *moments) must_check;
/* Whether it comes before `at_ms`, or at it and was added before `order`; of those added more than 2^31 apart this is not
 * known. */
bool moment_is_before(const struct moment *moment, int64_t at_ms, uint32_t order) must_check;
/* Frees its memory; it is empty, and may be used again. */
void moments_fini(struct moments *moments);
