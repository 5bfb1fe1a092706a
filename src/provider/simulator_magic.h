/* Magic words in a test-mode task's texts, that make it end as a client wants to see it end. Pure, any thread.
 *
 *   fennec:error=CODE   fails with that task error code
 *   fennec:slow         takes half a minute; fennec:slow=SECONDS as long as that, an hour at most
 *   fennec:never        does not end: the model's time limit does it
 *   fennec:flaky        the first attempt fails in a way that another may mend, the next succeeds
 *
 * and, in what is said to a language model:
 *
 *   fennec:rate=N       as many tokens a second
 *   fennec:tokens=N     an answer of that length
 *   fennec:tool=NAME    a call of that tool, without arguments, in place of a text
 *   fennec:reasoning    thinks aloud first
 *   fennec:break        breaks off in the middle; with fennec:error=CODE by that error */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/task.h"

struct json_t;

struct simulator_magic {
    enum task_error error; /* TASK_ERROR_NONE: none asked for */
    char unknown_code[40]; /* what stood in place of a code we know; "": nothing. The error is then invalid_parameters */
    double slow_s;         /* negative: not asked for */
    bool never;
    bool flaky;
    double rate;     /* tokens a second; 0: not asked for */
    int64_t tokens;  /* 0: not asked for */
    char tool[65];   /* "": not asked for */
    bool reasoning;
    bool breaks;
};

/* Looks through all strings in `input`, at any depth. The first of several errors or times counts. */
void simulator_magic_find(const struct json_t *input, struct simulator_magic *ret);
