/* When to ask a service about a job again. Pure: randomness and time are arguments; any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct adapter;

struct poll_plan {
    double first_s; /* from acceptance to the first question */
    double floor_s; /* the least between two */
    double factor;  /* by what each pause is longer than the one before */
    double max_s;   /* the most between two */
};

/* The adapter's plan, with our defaults where it says nothing; no pause is shorter than the operator's (0: none). */
struct poll_plan poll_plan_make(const struct adapter *adapter, double configured_min_s);
/* Milliseconds before the next question, after `asked` of them; a tenth shorter or longer by `random` (0 … UINT32_MAX),
 * but never below the floor. */
int64_t poll_plan_pause_ms(const struct poll_plan *plan, unsigned asked, uint32_t random);
/* The same after `errors` questions in a row came to nothing (at least 1): doubling from the floor, to a minute. */
int64_t poll_plan_backoff_ms(const struct poll_plan *plan, unsigned errors, uint32_t random);
/* The least between two questions. */
int64_t poll_plan_floor_ms(const struct poll_plan *plan);
