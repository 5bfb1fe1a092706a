/* How many transfers may run at a time, so that those which end soon share connections.
 *
 * What starts in one turn of the loop takes a connection each, and what ends soon leaves its own to the next. So a few run,
 * and twice as many after each pause in which most of them went on running. */
#pragma once

#include <stdbool.h>

#include "base/compiler.h"

#define PACE_MIN 64
#define PACE_MS 20 /* a pause, in real milliseconds */

struct pace {
    bool on;        /* else as many as anybody likes */
    unsigned limit; /* that may run now */
    unsigned ended; /* since the last pause */
};

void pace_init(struct pace *pace, bool on);
/* Whether another may start beside those that run; if not, pace_look comes after a pause. */
bool pace_allows(const struct pace *pace, unsigned running) must_check;
/* One has ended. */
void pace_ended(struct pace *pace);
/* A pause is over, and so many run. */
void pace_look(struct pace *pace, unsigned running);
/* Nothing waits any more: it begins anew once only a few run. */
void pace_rest(struct pace *pace, unsigned running);
