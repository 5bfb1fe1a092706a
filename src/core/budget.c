/* Sums of a total and of the last day, and the two bounds on them. */
#include "core/budget.h"

int64_t budget_day_of(int64_t wall_ms) {
    return wall_ms / DAY_MS;
}

void spending_add(struct spending *spending, int64_t day, int64_t microcredits) {
    spending->spent += microcredits;
    if (day > spending->day) {
        spending->day = day;
        spending->day_spent = 0;
    }
    if (day == spending->day) {
        spending->day_spent += microcredits;
    }
}

/* A clock that was set back stays in the last day. */
static int64_t spent_on(const struct spending *spending, int64_t day) {
    return spending->day >= day ? spending->day_spent : 0;
}

static int64_t left_of(int64_t bound, int64_t spent) {
    return bound == 0 ? INT64_MAX : bound > spent ? bound - spent : 0;
}

static int64_t total_left(const struct budget *budget, const struct spending *spent, const struct spending *held) {
    return left_of(budget->total, spent->spent + held->spent);
}

static int64_t day_left(const struct budget *budget, const struct spending *spent, const struct spending *held,
                        int64_t day) {
    return left_of(budget->day, spent_on(spent, day) + spent_on(held, day));
}

int64_t budget_left(const struct budget *budget, const struct spending *spent, const struct spending *held,
                    int64_t day) {
    int64_t total = total_left(budget, spent, held);
    int64_t today = day_left(budget, spent, held, day);
    return total < today ? total : today;
}

enum err budget_check(const struct budget *budget, const struct spending *spent, const struct spending *held,
                      int64_t day, int64_t microcredits) {
    if (microcredits > total_left(budget, spent, held)) {
        return ERR_KEY_BUDGET;
    }
    return microcredits > day_left(budget, spent, held, day) ? ERR_KEY_BUDGET_DAY : OK;
}
