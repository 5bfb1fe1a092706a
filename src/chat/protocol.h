/* The five protocols of an LLM submission (prompt, image_urls, audio_url, video_urls, messages) become one: OpenAI's request
 * body with messages. Pure, any thread. */
#pragma once

#include "base/errors.h"

struct json_t;

/* What a request is allowed to be, from the settings. */
struct chat_limits {
    unsigned messages_max;
    unsigned parts_max; /* of one message */
};

/* What a submission asked for beside the request itself. */
struct chat_wishes {
    bool sync, stream, reasoning;
    bool include_usage; /* stream_options.include_usage */
};

/* A submission of /v1/llm/generations: checks every field (422 codes with param) and makes the request: `model`, `messages` and
 * the parameters that pass through, without sync, stream, reasoning, stream_options. *ret is a new reference. */
enum err chat_read_submission(const struct json_t *submission, const struct chat_limits *limits, struct json_t **ret,
                              struct chat_wishes *ret_wishes, struct fault *fault) must_check;
/* The same of /v1/chat/completions and /v1/llm_async/chat/completions: messages only, and OpenAI's parameters. `sync` and `reasoning`
 * are false unless the body says them. */
enum err chat_read_completion(const struct json_t *body, const struct chat_limits *limits, struct json_t **ret,
                              struct chat_wishes *ret_wishes, struct fault *fault) must_check;
