/* What an HTTP thread counts of the requests that it has answered. */
#include "http/internal.h"

const int64_t http_latency_bounds_us[HTTP_LATENCY_BUCKETS] = {
#define X(us) us,
    HTTP_LATENCY_TABLE(X)
#undef X
};

/* Only its thread counts, so nothing has to be locked for it. */
static void add(atomic_uint_fast64_t *sum, uint64_t more) {
    atomic_store_explicit(sum, atomic_load_explicit(sum, memory_order_relaxed) + more, memory_order_relaxed);
}

void tally_count(struct tally *tally, int status, int64_t elapsed_us) {
    unsigned bucket = 0;

    while (bucket < HTTP_LATENCY_BUCKETS && elapsed_us > http_latency_bounds_us[bucket])
        bucket++;
    add(&tally->by_class[status / 100 < 6 ? status / 100 : 0], 1);
    add(&tally->latency[bucket], 1);
    add(&tally->latency_sum_us, (uint64_t)elapsed_us);
}

void tally_sum(struct tally *tally, struct http_counts *counts) {
    counts->latency_sum_us += atomic_load(&tally->latency_sum_us);
    for (size_t i = 0; i < ARRAY_SIZE(counts->by_class); i++)
        counts->by_class[i] += atomic_load(&tally->by_class[i]);
    for (size_t i = 0; i < ARRAY_SIZE(counts->latency); i++)
        counts->latency[i] += atomic_load(&tally->latency[i]);
}
