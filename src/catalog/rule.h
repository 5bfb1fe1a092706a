/* Rules between the parameters of one model. A null counts as absent; so does a value that only the default would give. */
#pragma once

#include <stdint.h>

#include "base/errors.h"

struct json_t;
struct lua_State;
struct param;

/*    kind                 word            */
#define RULE_TABLE(X)                    \
    X(RULE_EXACTLY_ONE, "exactly_one")   \
    X(RULE_AT_MOST_ONE, "at_most_one")   \
    X(RULE_AT_LEAST_ONE, "at_least_one") \
    X(RULE_REQUIRES, "requires")         \
    X(RULE_REQUIRES_ANY, "requires_any") \
    X(RULE_TOTAL, "total")               \
    X(RULE_NOT_WITH, "not_with")         \
    X(RULE_ONLY, "only")                 \
    X(RULE_LACKS, "lacks")

enum rule_kind {
#define X(kind, word) kind,
    RULE_TABLE(X)
#undef X
    RULE_KIND_COUNT
};

/* That a field has a value, given or by default. */
struct rule_condition {
    const char *name;
    struct json_t *value;
};

struct param_rule {
    enum rule_kind kind;
    const char *const *names;           /* of lacks: no parameters of this model, but of others of its family */
    unsigned name_count;
    int64_t max;                        /* total: items of all names together */
    struct json_t *const *values;       /* only: what is allowed */
    unsigned value_count;
    const struct rule_condition *when;  /* not_with, only: all must hold */
    unsigned when_count;
};

const char *rule_kind_name(enum rule_kind kind);
/* Those of lacks, before the fields are checked: ERR_UNSUPPORTED_OPTIONS for the first such option that is given; one that is
 * null says nothing, and is taken out. Any thread. */
enum err rules_check_lacks(const struct param_rule *rules, unsigned count, struct json_t *input,
                           struct fault *fault) must_check;
/* The first broken rule of `count`, in order, against an input whose fields were checked one by one. Any thread. */
enum err rules_check(const struct param_rule *rules, unsigned count, const struct param *params,
                     const struct json_t *input, struct fault *fault) must_check;
/* Whether the rule fits the parameters: names exist, values are possible. The fault says which does not. Pure. */
enum err rule_fits(const struct param_rule *rule, const struct param *params, struct fault *fault) must_check;
