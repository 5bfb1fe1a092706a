/* Collects the chunks of a streamed answer into the ChatCompletion that it amounts to. One thread at a time. */
#pragma once

#include "base/buffer.h"
#include "core/tokens.h"

struct chat_collector;
struct json_t;

/* Reasoning (reasoning_content, reasoning) is counted, not kept. Freed by chat_collector_free, which takes NULL. */
struct chat_collector *chat_collector_new(void) must_check;
void chat_collector_free(struct chat_collector *collector);
/* Takes in one chunk: content, refusal, tool calls by their index, finish reasons, of any number of choices. Other
 * members of a delta are put together of their pieces (chat/collect_member.h). False: over CHAT_ANSWER_MAX,
 * nothing was taken. */
bool chat_collector_add(struct chat_collector *collector, const struct json_t *chunk) must_check;
/* Choices that have a finish_reason. Pure. */
size_t chat_collector_finished(const struct chat_collector *collector);
/* Appends the ChatCompletion as it is now: id, object, created, model, choices[].message (role, content, refusal,
 * tool_calls), finish_reason (null where it was cut off), usage, system_fingerprint and the like as the last chunk had
 * them. */
void chat_collector_put(const struct chat_collector *collector, const struct token_usage *usage, struct buffer *buf);
/* An estimate of the tokens written so far, reasoning, tool calls, sound and pictures included. Pure. */
int64_t chat_collector_tokens(const struct chat_collector *collector);
