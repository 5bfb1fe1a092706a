/* Anthropic's Messages API, as its files among themselves know it. */
#pragma once

#include "chat/dialect/dialect.h"

struct json_t;

/* What a message has used: a stream says some of it at its beginning, and all that changed at its end. */
struct anthropic_counts {
    int64_t input, cache_made, cache_read, output, thinking;
    bool input_said, output_said;
};
/* Takes in a `usage` object: what it says replaces what was said before; anything else changes nothing. */
void anthropic_counts_read(struct anthropic_counts *counts, const struct json_t *usage);
/* All input is input + cache_made + cache_read. estimated: not both of input and output were said. */
struct token_usage anthropic_counts_usage(const struct anthropic_counts *counts);

/* OpenAI's finish_reason for a stop_reason; "stop" for one that is not known. */
struct text anthropic_finish(struct text stop_reason);
/* What a refused answer says of it (stop_details.explanation), else words of ours. `message` is a message or a delta.
 */
struct text anthropic_refusal(const struct json_t *message);

/* See struct chat_dialect. */
enum err anthropic_check(const struct chat_call *call, struct fault *fault) must_check;
enum err anthropic_request(const struct chat_call *call, struct chat_request *ret, struct fault *fault) must_check;
struct chat_reader *anthropic_open(const struct chat_call *call, const struct chat_sink *sink);
enum err anthropic_feed(struct chat_reader *reader, struct text bytes, struct chat_failure *ret_failure) must_check;
bool anthropic_over(const struct chat_reader *reader) must_check;
enum err anthropic_end(struct chat_reader *reader, struct chat_failure *ret_failure) must_check;
void anthropic_close(struct chat_reader *reader);
