/* Input files brought into an attempt's work directory, for drivers that need them at hand.
 *
 * A media parameter of a validated input is one of three: "fennec-blob:{hash}/{name}" (stored when the task was
 * accepted; it must be among this very task's artifacts, S2), one of our own signed links, or a URL from outside, fetched
 * through the address guard (S1). No file is larger than config->input_max. Engine's thread. */
#pragma once

#define INPUT_BLOB_PREFIX "fennec-blob:"

struct run;

/* Fills run->attempt.files; exactly one of `ready(run)` and run_fail() is called in the end, perhaps at once. */
void inputs_start(struct run *run, void (*ready)(struct run *run));
/* Hurries the end: run_fail will be called. */
void inputs_cancel(struct run *run);
/* Forgets the files' names; the files go with the work directory. */
void inputs_free(struct run *run);
