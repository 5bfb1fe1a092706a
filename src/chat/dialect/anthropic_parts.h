/* OpenAI's messages as the turns of Anthropic's: what anthropic_request.c puts into a request. */
#pragma once

#include "base/errors.h"
#include "chat/dialect/request.h"

struct json_t;

struct anthropic_messages {
    struct json_t *system; /* an array of text blocks */
    struct turns turns;    /* without a list nothing is written: it is only asked whether the messages can be said */
    bool said;             /* they have any content */
};

/* Adds message number `index`. ERR_PART_TYPE, ERR_MODEL_RULE, ERR_INVALID_PARAM and what parts_read says. */
enum err anthropic_message(struct anthropic_messages *messages, const struct json_t *message, size_t index,
                           struct fault *fault) must_check;
/* A last turn of the assistant, which the answer is to go on from, may not end with white space. */
void anthropic_trim_last(struct json_t *turns);
/* The mark of a cached prefix, of a part or a tool: handed on as it is; NULL and what is no object are not. */
void anthropic_put_cache_control(struct json_t *block, const struct json_t *cache_control);
