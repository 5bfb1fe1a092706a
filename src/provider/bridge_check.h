/* What running the samples of models and of adapters have in common: the report, and the details of the sample under
 * way.
 *
 * The thread that called bridge_check_file. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/errors.h"
#include "base/text.h"

struct adapter;
struct bridge;
struct json_t;

struct check {
    struct bridge *bridge;
    struct buffer *report;
    struct buffer details; /* of the sample under way */
    unsigned passed, failed;
};

/* A line of details; always false. */
bool check_fail(struct check *check, const char *what, const struct fault *fault);
bool check_complain(struct check *check, const char *words, const char *name);
/* The sample is a table that has no member but `names`, a list that NULL ends. */
bool check_members(struct check *check, const struct json_t *sample, const char *const *names);
/* One line for the sample, the details below when it failed; counts it. */
void check_conclude(struct check *check, const char *subject, size_t number, const char *what, bool good);

/* Runs all samples of the adapter, whose file has `source`. */
void check_adapter(struct check *check, const struct adapter *adapter, struct text source);
