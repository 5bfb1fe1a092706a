/* Google's generateContent, as its files among themselves know it. */
#pragma once

#include "chat/dialect/dialect.h"

struct json_t;

#define GEMINI_CANDIDATES_MAX 16 /* answers that are read of one reply; the API gives 8 at most */

/* What a reply has used: a stream says it again and again, each time all of it so far. */
struct gemini_counts {
    int64_t prompt, tools, candidates, thoughts, cached, total;
    bool input_said, output_said;
};
/* Takes in a `usageMetadata` object: what it says replaces what was said before; anything else changes nothing. */
void gemini_counts_read(struct gemini_counts *counts, const struct json_t *usage);
/* Thoughts are output, and so is what the total has beyond all others, since services need not say each. estimated: not both
 * of input and output were said. */
struct token_usage gemini_counts_usage(const struct gemini_counts *counts);

/* OpenAI's finish_reason for a finishReason. *ret_odd: the answer ended for a reason of the service's own, so that it
 * counts only if there is anything in it. */
struct text gemini_finish(struct text reason, bool *ret_odd);
/* An answer that ended oddly, and empty. */
void gemini_failure_odd(const struct json_t *candidate, struct chat_failure *ret);
/* Whether a reply or a fragment is an error, or tells that the prompt was blocked; *ret says why. */
bool gemini_failed(const struct json_t *reply, struct chat_failure *ret);
/* A part's thoughtSignature as OpenAI's extra_content, a new reference; NULL: it has none. */
struct json_t *gemini_extra(const struct json_t *part);

/* See struct chat_dialect. */
enum err gemini_check(const struct chat_call *call, struct fault *fault) must_check;
enum err gemini_request(const struct chat_call *call, struct chat_request *ret, struct fault *fault) must_check;
struct chat_reader *gemini_open(const struct chat_call *call, const struct chat_sink *sink);
enum err gemini_feed(struct chat_reader *reader, struct text bytes, struct chat_failure *ret_failure) must_check;
enum err gemini_end(struct chat_reader *reader, struct chat_failure *ret_failure) must_check;
void gemini_close(struct chat_reader *reader);
