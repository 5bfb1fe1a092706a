/* Buckets of equal width between powers of two, so that the width is a fixed share of the value. */
#include "histogram.h"

#include <math.h>

#define STEPS ((uint64_t)1 << HISTOGRAM_BITS)

/* Values below STEPS are their own bucket; of larger ones `shift` bits are dropped, which leaves STEPS/2 to STEPS - 1.
 */
static unsigned bucket_of(uint64_t value) {
    unsigned shift = value < STEPS ? 0 : (unsigned)(64 - __builtin_clzll(value)) - HISTOGRAM_BITS;
    return (shift << HISTOGRAM_BITS) + (unsigned)(value >> shift);
}

static uint64_t middle_of(unsigned bucket) {
    unsigned shift = bucket >> HISTOGRAM_BITS;
    return ((bucket & (STEPS - 1)) << shift) + (((uint64_t)1 << shift) >> 1);
}

void histogram_add(struct histogram *histogram, uint64_t value) {
    histogram->count++;
    histogram->sum += value;
    histogram->most = value > histogram->most ? value : histogram->most;
    histogram->buckets[bucket_of(value)]++;
}

uint64_t histogram_at(const struct histogram *histogram, double share) {
    uint64_t wanted = (uint64_t)ceil(share * (double)histogram->count), seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_ROOM && wanted > 0; i++) {
        seen += histogram->buckets[i];
        if (seen >= wanted) {
            return middle_of(i);
        }
    }
    return 0;
}
