/* The five protocols of an LLM submission (prompt, image_urls, audio_url, video_urls, messages) become one: OpenAI's
 * request body with messages. Pure, any thread. */
#pragma once

#include "base/errors.h"

struct json_t;

/* What a request is allowed to be, from the settings. */
struct chat_limits {
    unsigned messages_max;
    unsigned parts_max; /* of one message */
};

/* Which one a submission speaks follows from the field that is there. */
enum chat_protocol { CHAT_CUSTOM, CHAT_TEXT, CHAT_VISION, CHAT_AUDIO, CHAT_VIDEO };

/* What a submission asked for beside the request itself. */
struct chat_wishes {
    bool sync, stream, reasoning;
    bool include_usage; /* stream_options.include_usage */
    enum chat_protocol protocol;
    bool system_prompt; /* it has become the first message */
};

/* ERR_MISSING_FIELD, ERR_INVALID_TYPE and ERR_UNKNOWN_FIELD say what is wrong with a request's shape,
 * ERR_INVALID_URL with an address or inline file, ERR_PART_TYPE with a content part, ERR_INVALID_PARAM with any
 * other value. A null counts as not there. Values are shared with what was read: neither may be changed afterwards
 * but at its top. callback_url, result_ttl and dry_run are no part of it: they were taken off before. */

/* A submission of /v1/llm/generations: checks every field (422 codes with param) and makes the request: `model`,
 * `messages` and the parameters that pass through, without sync, stream, reasoning, stream_options. *ret is a new
 * reference. */
enum err chat_read_submission(const struct json_t *submission, const struct chat_limits *limits, struct json_t **ret,
                              struct chat_wishes *ret_wishes, struct fault *fault) must_check;
/* The same of /v1/chat/completions and /v1/llm_async/chat/completions: messages only, and OpenAI's parameters.
 * `sync` and `reasoning` are false unless the body says them. */
enum err chat_read_completion(const struct json_t *body, const struct chat_limits *limits, struct json_t **ret,
                              struct chat_wishes *ret_wishes, struct fault *fault) must_check;
/* A fault of llm_check, or of a dialect, speaks of the request that was made; renames its param to the field that
 * the client sent: messages[0].content[2] was image_urls[1]. */
void chat_name_field(const struct chat_wishes *wishes, struct fault *fault);
