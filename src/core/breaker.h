/* A circuit breaker: keeps work away from what does not work, and lets one try now and then. Pure, no clock.
 *
 *            failures in a row, or tripped          cool-down over          success
 *   CLOSED ------------------------------> OPEN ------------------> PROBING --------> CLOSED
 *                                            ^                         |
 *                                            +--- failure: longer -----+
 *
 * In PROBING one attempt at a time may begin. Any thread that owns it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_PROBING };

struct breaker_policy {
    unsigned failures_max;    /* in a row, until it opens */
    int64_t first_ms, max_ms; /* cool-down: doubled each time a probe fails */
};

/* Zero is closed. */
struct breaker {
    enum breaker_state state;
    unsigned failures; /* in a row, while CLOSED */
    unsigned trips;    /* in a row */
    bool probing;      /* an attempt is out to see */
    int64_t until_ms;  /* while OPEN */
};

/* Milliseconds until an attempt may begin, 0: now. While a probe is out nobody knows: 0 is not given, but a second. */
int64_t breaker_wait_ms(const struct breaker *breaker, int64_t now_ms);
/* An attempt begins; breaker_wait_ms must have said that it may. */
void breaker_begin(struct breaker *breaker, int64_t now_ms);
/* An attempt showed that it works. */
void breaker_worked(struct breaker *breaker);
/* An attempt failed by its fault. True when it opens. `random` is any 32 bits, for up to a quarter more of cool-down. */
bool breaker_failed(struct breaker *breaker, const struct breaker_policy *policy, int64_t now_ms, uint32_t random);
/* Opens it at once, for the usual time or `at_least_ms`, whichever is longer. */
void breaker_trip(struct breaker *breaker, const struct breaker_policy *policy, int64_t at_least_ms, int64_t now_ms,
                  uint32_t random);
/* An attempt ended and says nothing about it: another one may go to see. */
void breaker_unknown(struct breaker *breaker);
