/* Ollama's own chat API, as its files among themselves know it. */
#pragma once

#include "chat/dialect/dialect.h"

/* See struct chat_dialect. */
enum err ollama_check(const struct chat_call *call, struct fault *fault) must_check;
enum err ollama_request(const struct chat_call *call, struct chat_request *ret, struct fault *fault) must_check;
