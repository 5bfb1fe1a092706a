/* What tests put in the place of the real thing: drivers and the pace of retries. */
#pragma once

#include <stdint.h>

#include "core/retry.h"
#include "engine/engine.h"

struct driver_ops;

struct engine_seams {
    const struct driver_ops *const *drivers; /* ends with NULL; found by the provider's name */
    struct retry_policy retry;
    int64_t sweep_first_ms, sweep_period_ms; /* after the start; between two turns. 0: never */
    int64_t expire_period_ms;                /* between two looks for tasks that waited too long; 0: never */
    int64_t recover_again_ms;                /* until what could not be recovered is tried again */
    int64_t reread_ms;                       /* until an attempt reads again what could not be read */
    int64_t refresh_ms;                      /* how long a refresh may take; REFRESH_MAX_MS */
    int64_t nap_ms;                          /* an attempt that waits so long for its next question may sleep */
    int64_t file_patience_ms;                /* how long a result's file is asked for while its host stumbles */
    int64_t second_ms;                       /* what a second of a model's timeout lasts; 1000 */
};

/* As engine_start, which brings the real ones. `seams` outlives the engine. */
enum err engine_start_with(const struct engine_options *options, const struct engine_seams *seams, struct engine **ret,
                           struct fault *fault) must_check;
