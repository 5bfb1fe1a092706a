/* What a key may spend, in all and a UTC day. Pure, any thread.
 *
 * A charge belongs to the day on which its task was accepted: a reservation that is settled or given back on a later day
 * changes the sum of its own day, and no other. */
#pragma once

#include <stdint.h>

#include "base/errors.h"

#define DAY_MS ((int64_t)86400000)

struct budget {
    int64_t total, day; /* microcredits; 0: no bound */
};

/* What was spent: reservations of open tasks and charges of final ones. `day_spent` is of `day` alone, the last one on
 * which anything was. */
struct spending {
    int64_t spent, day, day_spent; /* microcredits; days since 1970-01-01 UTC */
};

int64_t budget_day_of(int64_t wall_ms);
/* Adds microcredits (or takes some off) that belong to the day. */
void spending_add(struct spending *spending, int64_t day, int64_t microcredits);
/* What may be spent on the day, after `spent` and what is `held` beside it; INT64_MAX: as much as one likes. Never below
 * zero. */
int64_t budget_left(const struct budget *budget, const struct spending *spent, const struct spending *held,
                    int64_t day);
/* Whether so much more is within bounds: ERR_KEY_BUDGET, ERR_KEY_BUDGET_DAY. */
enum err budget_check(const struct budget *budget, const struct spending *spent, const struct spending *held,
                      int64_t day, int64_t microcredits) must_check;
