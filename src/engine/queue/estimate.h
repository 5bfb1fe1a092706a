/* How long a task of a model is likely to take: the median of its last completed ones.
 *
 * The durations of a model are read from the store at the first question, then kept up by the engine. Any thread. */
#pragma once

#include <stdint.h>

#include "base/text.h"

struct estimates;
struct store;

struct estimates *estimates_new(struct store *store) must_check;
void estimates_free(struct estimates *estimates);
/* Seconds, rounded up, at least 1; `fallback_s` while nothing was measured. */
int64_t estimates_get(struct estimates *estimates, struct text model, int64_t fallback_s);
/* A task of the model took that long. */
void estimates_add(struct estimates *estimates, struct text model, int64_t duration_ms);
