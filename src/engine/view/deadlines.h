/* Moments at which something is to happen, any number of them for one timer of the loop.
 *
 * A heap (base/moments.h): setting and dropping one costs the logarithm of their number, and while none is due nothing runs.
 * Other threads set and drop; the engine's thread sleeps until the earliest. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "base/compiler.h"
#include "base/moments.h"

/* Embedded in what has the deadline; zeroed at first. The heap's own. */
struct deadline {
    struct moment moment; /* monotonic */
    void (*over)(struct deadline *deadline);
};

struct deadlines {
    pthread_mutex_t mutex; /* over all below it */
    struct moments moments;
    int64_t awake_at_ms; /* when the timer goes off; INT64_MAX: never */
    bool open;
    /* engine's thread, but for uv_async_send while it is open */
    uv_timer_t timer;
    uv_async_t sooner;
};

void deadlines_init(struct deadlines *deadlines);
void deadlines_fini(struct deadlines *deadlines);
/* From here on deadlines can be set. Engine's thread, or before it runs. */
void deadlines_start(struct deadlines *deadlines, uv_loop_t *loop);
/* All that are set are over now, and none can be set any more. Any thread; again is fine. */
void deadlines_end(struct deadlines *deadlines);
/* Gives the loop its timer back; ends them first. Engine's thread, or before it runs. */
void deadlines_close(struct deadlines *deadlines);

/* `over` is called once, without locks, at the moment `at_ms` or when they are ended, on the engine's thread or on the one
 * that ends them; the deadline may then be set again. False: none can be set any more. Any thread. */
bool deadlines_set(struct deadlines *deadlines, struct deadline *deadline, int64_t at_ms,
                   void (*over)(struct deadline *deadline)) must_check;
/* True: `over` will not be called. False: it was, or is about to be, or the deadline is not set. Any thread. */
bool deadlines_drop(struct deadlines *deadlines, struct deadline *deadline);
