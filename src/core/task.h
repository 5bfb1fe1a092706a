/* Task states and what a task is called: the pure rules, no clock, no I/O.
 *
 *            accept        dispatch        complete
 *   (none) ---------> PENDING -----> PROCESSING -----> COMPLETED      T1  COMPLETED and FAILED are final.
 *                        |   ^           |                            L3  a final task holds no reservation.
 *             fail,cancel|   +-- retry --+ fail, cancel
 *                        +----> FAILED <-+
 *
 * Any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/errors.h"
#include "base/text.h"

enum task_type { TASK_IMAGE, TASK_VIDEO, TASK_AUDIO, TASK_LLM, TASK_DOCUMENT, TASK_TYPE_COUNT };
enum task_state { TASK_PENDING, TASK_PROCESSING, TASK_COMPLETED, TASK_FAILED, TASK_STATE_COUNT };
enum task_event { TASK_DISPATCH, TASK_RETRY, TASK_COMPLETE, TASK_FAIL, TASK_CANCEL, TASK_EVENT_COUNT };

/* What a move entails besides the state itself. */
enum task_effect {
    TASK_EFFECT_SETTLE = 1 << 0,  /* write the settlement in the same transaction (L2) */
    TASK_EFFECT_RESULTS = 1 << 1, /* results must be stored with it */
    TASK_EFFECT_ERROR = 1 << 2,   /* an error must be stored with it */
    TASK_EFFECT_ANNOUNCE = 1 << 3 /* tell the waiting: event row, callbacks */
};

/* The state after `event`, and its effects. ERR_TASK_FINAL from a final state (T1), ERR_CONFLICT for an event that the
 * state does not know; the out-parameters are untouched then. */
enum err task_step(enum task_state state, enum task_event event, enum task_state *ret_state, unsigned *ret_effects)
    must_check;
bool task_state_final(enum task_state state);

/* "pending", "video", "video.generation.task"; never NULL. The parse functions accept exactly these. */
const char *task_state_name(enum task_state state);
bool task_state_parse(struct text name, enum task_state *ret) must_check;
const char *task_type_name(enum task_type type);
bool task_type_parse(struct text name, enum task_type *ret) must_check;
const char *task_type_object(enum task_type type);

/* Why a task failed: the code its owner sees, a default message for that person, whether a fresh attempt may help. */
#define TASK_ERROR_TABLE(X)                                                                                            \
    X(TASK_ERROR_CONTENT_POLICY, "content_policy_violation", false, "The request or its result was refused by a content policy.") \
    X(TASK_ERROR_INVALID_PARAMETERS, "invalid_parameters", false, "The model refused these parameters.")              \
    X(TASK_ERROR_IMAGE_PROCESSING, "image_processing_error", false, "An input image could not be read.")              \
    X(TASK_ERROR_IMAGE_DIMENSION, "image_dimension_mismatch", false, "The input images do not have the size the model needs.") \
    X(TASK_ERROR_CANCELLED, "request_cancelled", false, "The task was cancelled.")                                    \
    X(TASK_ERROR_GENERATION_FAILED, "generation_failed", true, "The generation failed.")                              \
    X(TASK_ERROR_NO_CONTENT, "generation_failed_no_content", false, "The generation ended without a result.")         \
    X(TASK_ERROR_SERVICE, "service_error", true, "The service behind this model reported an error.")                  \
    X(TASK_ERROR_TIMEOUT, "generation_timeout", false, "The generation took longer than this model is allowed.")      \
    X(TASK_ERROR_RESOURCE_EXHAUSTED, "resource_exhausted", true, "The service behind this model is out of capacity.") \
    X(TASK_ERROR_QUOTA, "quota_exceeded", false, "The operator's quota at the service behind this model is used up.") \
    X(TASK_ERROR_UNAVAILABLE, "service_unavailable", true, "The service behind this model could not be reached.")     \
    X(TASK_ERROR_RESOURCE_NOT_FOUND, "resource_not_found", false, "Something this task refers to does not exist.")    \
    X(TASK_ERROR_SUBMISSION_UNKNOWN, "submission_unknown", false, "It is unknown whether the service took this task; it was not sent twice, and nothing is charged.") \
    X(TASK_ERROR_UNKNOWN, "unknown_error", false, "The generation failed for an unknown reason.")

enum task_error {
    TASK_ERROR_NONE,
#define X(name, code, retry, message) name,
    TASK_ERROR_TABLE(X)
#undef X
    TASK_ERROR_COUNT
};

const char *task_error_code(enum task_error error);    /* NULL for TASK_ERROR_NONE */
const char *task_error_message(enum task_error error); /* the default words */
bool task_error_retryable(enum task_error error);
bool task_error_parse(struct text code, enum task_error *ret) must_check;
