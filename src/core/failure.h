/* How an attempt at a service failed: what became of its job, and whose fault it was. Pure, any thread. */
#pragma once

#include <stdbool.h>

#include "base/text.h"

/* What became of the job that an attempt was to have made. */
enum job_fate {
    JOB_ENDED,    /* it is over; also: there was nothing that could be made twice (commands on this machine) */
    JOB_NOT_MADE, /* certainly not made: another key or route may be tried (T4) */
    JOB_UNKNOWN   /* nobody can tell: nothing may be sent again (T3) */
};

/* Whose fault a failure is: what has to cool down, and whether the same task may do better elsewhere. */
#define FAILURE_SCOPE_TABLE(X)                                                                                         \
    X(SCOPE_REQUEST, "request")   /* what was asked for: it would fail everywhere, nothing cools down */               \
    X(SCOPE_KEY, "key")           /* the key is refused */                                                             \
    X(SCOPE_ACCOUNT, "account")   /* the key's account has no balance, or is locked */                                 \
    X(SCOPE_CAPACITY, "capacity") /* too much at a time: waiting helps */                                              \
    X(SCOPE_PROVIDER, "provider") /* the service, or the way to it */                                                  \
    X(SCOPE_ROUTE, "route")       /* the model is not there by that name, or cannot be asked for that there: nothing cools   \
                                   * down, another route may do */

enum failure_scope {
#define X(name, text) name,
    FAILURE_SCOPE_TABLE(X)
#undef X
    SCOPE_COUNT
};

const char *failure_scope_name(enum failure_scope scope); /* never NULL */
bool failure_scope_parse(struct text name, enum failure_scope *ret) must_check;
