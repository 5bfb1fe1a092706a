/* How long a client wants to wait for a change: the parameter `wait`, or the preference of RFC 7240. HTTP thread. */
#pragma once

#include <stdint.h>

#include "base/errors.h"

struct call;
struct exchange;

struct wait_wish {
    unsigned seconds; /* 0: not at all */
    bool preferred;   /* by the header, which is told that it was honoured */
};

/* The parameter goes before the header. One that is no whole number from 0 to `most_s` is 422; a preference is none and
 * never an error: what is no number is ignored, what is more is less. */
enum err wait_wish_read(struct exchange *exchange, unsigned most_s, struct wait_wish *ret,
                        struct fault *fault) must_check;
/* Says in the answer which preference was honoured, if any. */
void wait_wish_confirm(struct exchange *exchange, const struct wait_wish *wish);

/* One more request of the account that waits (S3): ERR_TOO_MANY_STREAMS when there are as many as its group may have; else
 * engine_waiter_end gives the place back. */
enum err wait_take_place(const struct call *call, struct fault *fault) must_check;
