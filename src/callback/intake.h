/* A callback as it is taken in: what becomes durable with the task, or for a test. Any thread; the verb in the writer's. */
#pragma once

#include <stdbool.h>

#include "store/callback.h"

struct config;

#define CALLBACK_LANE_SIZE 300

/* Its texts point into itself, and to the URL and base that it was made of. */
struct callback_intake {
    struct callback_row row;
    char lane[CALLBACK_LANE_SIZE];
    char secret[CALLBACK_SECRET_SIZE]; /* for an account that has none yet */
};

/* Whether an address may be called back: https (http where the settings allow it), public unless fetch.allow has it,
 * no user, no fragment. A name is resolved by nobody here. The fault names `param`: ERR_TOO_LONG, ERR_INVALID_URL,
 * ERR_BLOCKED_ADDRESS. Pure. */
enum err callback_url_check(struct text url, const struct config *config, const char *param,
                            struct fault *fault) must_check;
/* Fills in all but the task; the caller keeps url and base alive. ERR_INVALID_URL, ERR_TOO_LONG: nothing is filled in. */
enum err callback_intake_init(struct callback_intake *intake, int64_t account, struct text url, struct text base,
                              int64_t now_ms, struct fault *fault) must_check;
/* Makes it a test: of no task, due at once, in a lane of its own that waits for nobody. */
void callback_intake_test(struct callback_intake *intake);
/* Writes it; `task` is the one that it waits for. */
void callback_intake_write(struct store_tx *tx, const struct callback_intake *intake, const struct task_id *task);
/* The body of a test: a task as the task query answers one, completed, by the name of row->task. */
void callback_put_test_body(struct buffer *body, const struct callback_row *row);
/* Whether deliveries of that lane are tests. */
bool callback_lane_is_test(struct text lane);
