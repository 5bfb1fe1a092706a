/* The drivers of this build, and the pace at which a server works. */
#include "engine/seams.h"

#include "provider/driver.h"

static const struct driver_ops *const drivers[] = { &exec_driver, &simulator_driver, &remote_driver, &chat_driver,
                                                   &chat_simulator, NULL };

static const struct engine_seams seams = {
    .drivers = drivers,
    .retry = { .attempts_max = 3, .first_delay_ms = 1000, .max_delay_ms = 30000 },
    .recover_again_ms = 5000,
    .reread_ms = 1000,
    .sweep_first_ms = 5000,
    .sweep_period_ms = 60000,
    .expire_period_ms = 60000,
    .nap_ms = 1000,
    .file_patience_ms = 2 * 60 * 1000, /* an attempt holds its place meanwhile */
    .second_ms = 1000,
    .refresh_ms = REFRESH_MAX_MS,
};

enum err engine_start(const struct engine_options *options, struct engine **ret, struct fault *fault) {
    return engine_start_with(options, &seams, ret, fault);
}
