/* Files that came inside a submission: taken out of its JSON into the blob store; and those that lie here already. HTTP
 * thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/errors.h"

struct api;
struct config;
struct json_t;
struct model;
struct submission;

/* Each data URI or bare base64 in a media field of `submission->input` becomes "fennec-blob:{hash}/{name}", its file an
 * entry of submission->inputs (NULL until the first one; the caller's to free), pinned. Not `takes_files`: no route could
 * hand such a file on, so it is refused. Each of our own URLs (api/file/own_file.h) becomes an entry as well, and a URL of the blob
 * itself: so the task has what it was given, even if the file is deleted or the result expires while it waits. On failure the
 * entries made so far stay, for engine_drop_inputs. Not `stores`: all is checked, and nothing stored or changed. */
enum err intake(struct api *api, const struct config *config, bool stores, bool takes_files,
                struct submission *submission, struct fault *fault) must_check;
