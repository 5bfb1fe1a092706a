/* Makes chat.completion.chunk objects out of what other dialects say, and hands them to a sink. One thread at a
 * time. */
#pragma once

#include "base/text.h"
#include "chat/dialect/dialect.h"

/* Of one answer: what all its chunks have in common. */
struct chunk_maker {
    const struct chat_sink *sink;
    char id[128];
    char model[128];
    int64_t created_s;
    bool role_said; /* the first chunk of an answer has delta.role */
};
/* id and model may be empty: the call's are taken. */
void chunk_maker_init(struct chunk_maker *maker, const struct chat_call *call, const struct chat_sink *sink);
void chunk_maker_name(struct chunk_maker *maker, struct text id, struct text model);

/* A piece of the answer, of its reasoning (delta.reasoning_content), or of a refusal, of choice `index`. Empty text
 * makes no chunk. */
void chunk_content(struct chunk_maker *maker, unsigned index, struct text content);
void chunk_reasoning(struct chunk_maker *maker, unsigned index, struct text content);
void chunk_refusal(struct chunk_maker *maker, unsigned index, struct text content);
/* A tool call begins (arguments may follow in pieces), or goes on. `call` counts the tool calls of one answer from
 * 0. */
void chunk_tool_begin(struct chunk_maker *maker, unsigned index, unsigned call, struct text id, struct text name,
                      struct text arguments);
/* The same with extra_content: what a service wants to have back with the call. NULL: none. */
void chunk_tool_begin_extra(struct chunk_maker *maker, unsigned index, unsigned call, struct text id, struct text name,
                            struct text arguments, const struct json_t *extra);
void chunk_tool_arguments(struct chunk_maker *maker, unsigned index, unsigned call, struct text arguments);
/* "stop", "length", "tool_calls", "content_filter". */
void chunk_finish(struct chunk_maker *maker, unsigned index, struct text reason);

/* OpenAI's usage object: prompt_tokens, completion_tokens, total_tokens, prompt_tokens_details.cached_tokens,
 * completion_tokens_details.reasoning_tokens (when there are any), and estimated: true when it is. Appends. */
void usage_put(struct buffer *buf, const struct token_usage *usage);
/* The last chunk of a stream with include_usage: no choices, the usage. Appends the object. */
void usage_put_chunk(struct buffer *buf, struct text id, struct text model, int64_t created_s,
                     const struct token_usage *usage);
/* A member that is a count of tokens: a number of at least 0, and so small that sums of a few of them cannot wrap. False:
 * it is none; *ret untouched. */
bool usage_count(const struct json_t *object, const char *name, int64_t *ret);
/* Reads OpenAI's usage object (prompt_tokens, completion_tokens, details; also DeepSeek's prompt_cache_hit_tokens).
 * A total_tokens larger than both together counts: some count reasoning there alone. False: it is none; *ret
 * untouched. */
bool usage_read(const struct json_t *value, struct token_usage *ret) must_check;

/* Makes of a ChatCompletion the one chunk that says it all, in place; its usage is taken out. */
void chunk_of_completion(struct json_t *value);
