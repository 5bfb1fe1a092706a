/* ChatCompletions made of what other dialects answer. One thread at a time. */
#pragma once

#include "base/buffer.h"
#include "base/text.h"
#include "chat/dialect/dialect.h"

struct json_t;

/* One choice in the making. What is bounded by CHAT_ANSWER_MAX: its text, and its reasoning. */
struct choice {
    struct buffer content, reasoning, refusal;
    struct json_t *calls; /* tool_calls; NULL: none yet */
    unsigned index;
};
void choice_init(struct choice *choice, unsigned index);
void choice_fini(struct choice *choice);
/* Whether it has no text, no refusal and no tool call. */
bool choice_empty(const struct choice *choice);
/* `id` may be empty: one is made of the call's. `arguments` is any JSON value; NULL is {}. `extra` goes into
 * extra_content (NULL: none). */
void choice_tool(struct choice *choice, const struct chat_call *call, struct text id, struct text name,
                 const struct json_t *arguments, struct json_t *extra);
/* The id of tool call number `number` of choice `index`, where the service gives none. Appends. */
void choice_tool_id(struct buffer *buf, const struct chat_call *call, unsigned index, unsigned number);
/* Appends the choice to an array of them: "stop" becomes "tool_calls" when there are any. False: a text of it was
 * larger than CHAT_ANSWER_MAX, nothing is appended. */
bool choice_put(const struct choice *choice, struct text finish, struct json_t *choices) must_check;
/* Appends the ChatCompletion. id and model may be empty: the call's are taken. An estimated usage is not written.
 * False: it is larger than the buffer. */
bool completion_put(struct buffer *completion, const struct chat_call *call, struct text id, struct text model,
                    const struct json_t *choices, const struct token_usage *usage) must_check;
