/* What the OpenAI dialect sends. Pure, any thread. */
#pragma once

#include "chat/dialect/dialect.h"

/* chat_dialect.request of openai_dialect: the body as it came with `model`, `stream` and `stream_options` set, what the
 * route says of reasoning merged into it, and parts of ours said in OpenAI's words:
 *
 *   audio_url with a data URI    input_audio {data, format}; a link stays: vLLM and others take it
 *   file_url                     file {filename, file_data}; a link as file_data: OpenRouter and others take it
 *   image_url, video_url, …      as they are
 *
 * Of the route's table: `reasoning` (an object, what the body lacks of it; false: nothing; else reasoning_effort
 * "medium"), `options.parts` ("native": all parts stay as they are), `options.max_tokens` (what the service calls
 * max_tokens: "max_completion_tokens"), `options.stream_usage` (false: usage is not asked for), and `options.request`
 * as everywhere (chat/dialect/request.h). */
enum err openai_request(const struct chat_call *call, struct chat_request *ret, struct fault *fault) must_check;
