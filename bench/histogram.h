/* A histogram of durations with a bounded relative error: what percentiles of many measurements are taken from. */
#pragma once

#include <stdint.h>

#define HISTOGRAM_BITS 9 /* a value's first so many bits are kept: the error is below 0.2 % */
#define HISTOGRAM_ROOM ((64 - HISTOGRAM_BITS + 1) << HISTOGRAM_BITS)

/* All zero: empty. One thread at a time. */
struct histogram {
    uint64_t count, sum, most;
    uint64_t buckets[HISTOGRAM_ROOM];
};

void histogram_add(struct histogram *histogram, uint64_t value);
/* The value that `share` (0 to 1) of all lie at or below; 0: there are none. */
uint64_t histogram_at(const struct histogram *histogram, double share);
