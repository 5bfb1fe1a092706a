/* The tool calls of one collected choice. One thread at a time. */
#pragma once

#include "base/buffer.h"
#include "chat/tokens.h"

struct json_writer;
struct collected_call;

/* Zero is the beginning. */
struct collected_calls {
    struct collected_call *calls;
    size_t count;
};
void collected_calls_fini(struct collected_calls *tools);
/* Whether `value`, a delta's tool_calls, stays below the most calls that are collected. */
bool collected_calls_fit(const struct json_t *value) must_check;
/* Takes in the pieces; what they say is counted. A call without an index is the last one, or a new one when it has an
 * id of its own. */
void collected_calls_take(struct collected_calls *tools, const struct json_t *value, struct token_count *count);
/* The same of a delta's function_call, which is one call without an id. */
void collected_calls_take_function(struct collected_calls *tools, const struct json_t *function,
                                   struct token_count *count);
/* The member `tool_calls`, when there are any. */
void collected_calls_put(const struct collected_calls *tools, struct json_writer *json);
/* The member `function_call`, when there is one. */
void collected_calls_put_function(const struct collected_calls *tools, struct json_writer *json);
