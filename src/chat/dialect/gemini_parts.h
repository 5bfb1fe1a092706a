/* OpenAI's messages as Gemini's contents: what gemini_request.c puts into a request. */
#pragma once

#include "base/errors.h"
#include "chat/dialect/request.h"

struct json_t;

struct gemini_messages {
    const struct json_t *list; /* OpenAI's messages */
    struct json_t *system;     /* an array of parts */
    struct turns turns;        /* without a list nothing is written: it is only asked whether the messages can be said */
    bool signs;                /* the model wants calls of functions to be signed */
    bool said;                 /* they have any content */
};

/* Adds message number `index`. ERR_PART_TYPE, ERR_MODEL_RULE, ERR_INVALID_PARAM and what parts_read says. */
enum err gemini_message(struct gemini_messages *messages, size_t index, struct fault *fault) must_check;
