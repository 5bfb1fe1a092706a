/* A task as the wire shows it: keys, order and nulls of the task query and of the submission's answer. Pure, any thread.
 *
 * Stored results are a JSON array in which the start of our own URLs (scheme and host) is the byte ANSWER_BASE; it
 * cannot occur in JSON text otherwise, and rendering replaces it by the base URL in force. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/id.h"
#include "core/money.h"
#include "core/task.h"

/* Where the answer of a language model is read while it comes into being: the task's id is between the two. */
#define STREAM_PATH_PREFIX "/v1/llm/generations/"
#define STREAM_PATH_SUFFIX "/stream"

#define ANSWER_BASE '\x01'

struct answer {
    struct task_id id;
    enum task_type type;
    enum task_state state;
    enum task_error error;
    enum billing_rule billing;
    int progress;
    int64_t created_s;
    int64_t reserved, charged, refunded; /* microcredits */
    struct text model;
    struct text group;
    struct text results;       /* as stored; used when COMPLETED */
    struct text error_message; /* used when FAILED */
    int64_t estimated_s;       /* used while PENDING, and in the submission's answer */
    bool can_cancel;
    bool streams; /* of a language model: its answer can be read while it comes into being */
    int64_t queue_position; /* used while PENDING: 1 is next; 0: not known, left out */
};

/* The task query's body. `base` is like "https://media.example.com", without a slash at the end. */
void answer_put_task(struct buffer *buf, const struct answer *answer, struct text base);
/* The submission's body. */
void answer_put_submission(struct buffer *buf, const struct answer *answer);
/* The answer to a submission that only asked for its price. Of *answer it takes model, group, money and
 * billing. */
void answer_put_estimate(struct buffer *buf, const struct answer *answer);
/* An error body: {"error":{"message","type","code","param"}}. */
void answer_put_error(struct buffer *buf, const struct fault *fault);
