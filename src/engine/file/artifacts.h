/* A finished attempt's artifacts, stored as blobs (B1), and the results that name them. Engine's thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

struct artifact_row;
struct run;

/* Stores run->results.artifacts; exactly one of `stored(run)` and run_fail() is called in the end. */
void artifacts_start(struct run *run, void (*stored)(struct run *run));
/* Whether it waits for a host or a disk, and nothing of it is under way. */
bool artifacts_pause(const struct run *run);
/* Hurries the end. */
void artifacts_cancel(struct run *run);

/* After `stored`: the results with our links in them, good until `expires_s`, and the claims; all valid until
 * artifacts_free. */
struct text artifacts_render(struct run *run, int64_t expires_s, const struct artifact_row **ret_rows,
                             unsigned *ret_count);
/* Unpins the blobs and forgets all; NULL state is fine. */
void artifacts_free(struct run *run);
