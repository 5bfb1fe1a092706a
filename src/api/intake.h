/* Files that came inside a submission: taken out of its JSON into the blob store. HTTP thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/errors.h"

struct blob_store;
struct json_t;
struct model;
struct submission;

/* Each data URI or bare base64 in a media field of `submission->input` becomes "fennec-blob:{hash}/{name}", its file an
 * entry of submission->inputs (room for SUBMISSION_INPUTS_MAX), pinned. Not `takes_files`: no route could hand such a
 * file on, so it is refused. On failure the entries made so far stay, for engine_drop_inputs. `blobs`
 * NULL: all is checked, and nothing stored or changed. */
enum err intake(struct blob_store *blobs, int64_t input_max, bool takes_files, struct submission *submission,
                struct fault *fault) must_check;
