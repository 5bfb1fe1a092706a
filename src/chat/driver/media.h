/* Media parts of a request as data URIs, for dialects whose services fetch no links. The engine's thread. */
#pragma once

#include "base/errors.h"

struct chat_media;
struct fetch_client;
struct json_t;

/* Fetches every http(s) link of the body's media parts, of which there must be one, under the guard (S1), and puts
 * data URIs in their places in a copy. `done` comes exactly once unless cancelled, never from within: OK with the
 * copy (a new reference), or what failed, with the part's path as param: ERR_INVALID_URL, ERR_BLOCKED_ADDRESS,
 * ERR_FILE_TOO_LARGE are so every time, others may pass. `bytes_max` of each file, and of all together. NULL: it
 * failed at once, *fault says how, and `done` does not come. */
struct chat_media *chat_media_start(struct fetch_client *fetcher, const struct json_t *body, int64_t bytes_max,
                                    void (*done)(void *context, enum err err, struct json_t *body,
                                                 const struct fault *fault),
                                    void *context, struct fault *fault) must_check;
/* NULL is fine. */
void chat_media_cancel(struct chat_media *media);
/* Whether there is any such link. Pure. */
bool chat_media_needed(const struct json_t *body);
