/* Input files on their way to whoever runs the attempt.
 *
 * A media parameter of a validated input is one of three: "fennec-blob:{hash}/{name}" (stored when the task was
 * accepted; it must be among this very task's artifacts, S2), one of our own signed links, or a URL from outside, fetched
 * through the address guard (S1). No file is larger than config->input_max, and each whose bytes are at hand is within
 * its parameter's limits. Engine's thread. */
#pragma once

#include <stdbool.h>

#include "base/compiler.h"

#define INPUT_BLOB_PREFIX "fennec-blob:"
/* How long a task's input files are kept, and how long links to them are good: longer than a task may wait and run. Its end
 * brings this forward to now. */
#define INPUT_LIFE_MS ((int64_t)48 * 3600 * 1000)

struct run;

/* For drivers that need files at hand: brings all of them into the work directory and fills run->attempt.files. Exactly
 * one of `ready(run)` and run_fail() is called in the end, perhaps at once. */
void inputs_start(struct run *run, void (*ready)(struct run *run));
/* For drivers with an input_form: makes of every media value in run->input what the service can use. What is ours
 * becomes a link below config->public_url (INPUT_LINKS) or a data URI (INPUT_INLINE; also one of our links when there is
 * no public_url); URLs from outside stay as they are, unless the provider's `rehost` has them stored here first, as
 * artifacts of the task. INPUT_FILES is inputs_start. Links are the same each time an attempt is made ready. The end as
 * above. */
void inputs_link(struct run *run, void (*ready)(struct run *run));
/* Hurries the end: run_fail will be called. */
void inputs_cancel(struct run *run);
/* Whether nothing is lost when the files are forgotten before the attempt ends. */
bool inputs_may_go(const struct run *run) must_check;
/* Forgets the files; those in the work directory go with it. */
void inputs_free(struct run *run);
