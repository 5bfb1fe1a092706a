/* Reading requests; for this folder alone. */
#pragma once

#include <stddef.h>

#include "base/errors.h"
#include "base/text.h"
#include "chat/protocol/protocol.h"

struct json_t;

#define PROTOCOL_DEPTH_MAX 32 /* of what is passed on unread */
#define PATH_SIZE (sizeof(((struct fault *)0)->param))

/* Checks OpenAI's `messages`, which is there. *ret is a new reference: a list in which each part has its usual form. */
enum err messages_read(const struct json_t *messages, const struct chat_limits *limits, struct json_t **ret,
                       struct fault *fault) must_check;

/* ---- checks; each refusal has `path` as its param ---- */

/* The value is a text of 1 to `max` characters. */
enum err expect_text(const struct json_t *value, const char *path, size_t max, struct fault *fault) must_check;
/* The value is a list of 1 to `max` items. */
enum err expect_list(const struct json_t *value, const char *path, size_t max, struct fault *fault) must_check;
/* The value is an http(s) URL or a data URI of an image, video, audio or (any) file. */
enum err expect_link(const struct json_t *value, const char *path, const char *accept, struct fault *fault) must_check;
/* The value is nested no deeper than PROTOCOL_DEPTH_MAX. */
enum err expect_shallow(const struct json_t *value, const char *path, struct fault *fault) must_check;
