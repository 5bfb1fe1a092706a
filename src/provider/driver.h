/* How an attempt is carried out: one const table of functions a kind of provider (exec, simulator, HTTP adapters).
 *
 * Everything here runs on the engine's thread. A driver reports through the attempt's two callbacks; after `done` it
 * never touches the attempt again, and `done` comes exactly once for each successful start, cancelled or not. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/errors.h"
#include "core/task.h"

struct attempt;
struct bridge;
struct config;
struct driver;
struct json_t;
struct model;
struct route;
struct uv_loop_s;

/* How an attempt ended. The driver owns it; texts and values are valid during the callback. */
struct outcome {
    enum task_error error;  /* TASK_ERROR_NONE: success */
    bool retryable;         /* a fresh attempt may help */
    const char *message;    /* for the task's owner; NULL: the error's default words */
    const char *detail;     /* for operators: exit status, last lines of stderr, …; no secrets; may be NULL */
    struct json_t *output;  /* on success: what the model's results function gets as `out` */
};

/* One input file fetched or stored for a driver that needs it at hand. */
struct attempt_file {
    const char *param; /* path of the parameter: audio_url, image_urls[1] */
    const char *path;  /* absolute, in the work directory */
    const char *media_type;
};

/* What a driver needs to know of an attempt; filled and owned by the engine, which outlives the driver's use of it. */
struct attempt {
    const char *task; /* task id, for names and logs */
    int number;
    const struct model *model;
    const struct route *route;
    const struct json_t *input; /* validated parameters */
    const struct attempt_file *files;
    unsigned file_count;
    const char *work_directory; /* the attempt's own, made before and removed after by the engine; NULL when the driver needs none */
    int64_t timeout_ms;
    bool test; /* a test key's task */

    void (*progress)(struct attempt *attempt, int percent);
    void (*done)(struct attempt *attempt, const struct outcome *outcome);
    void *driver_data; /* the driver's own */
};

struct driver_ops {
    const char *name;
    bool repeatable;     /* an attempt that a crash cut off may simply be run again (T3) */
    bool needs_files;    /* input URLs are fetched before start; else they are passed on */
    bool needs_directory;
    bool can_cancel;     /* while running */
    unsigned concurrency; /* default number of running attempts; 0: one a core */
    struct driver *(*create)(struct uv_loop_s *loop, const struct config *config, struct bridge *bridge);
    /* Fails without calling `done`. */
    enum err (*start)(struct driver *driver, struct attempt *attempt, struct fault *fault);
    /* Asks; the answer is `done`. */
    void (*cancel)(struct driver *driver, struct attempt *attempt);
    /* After all attempts are done. */
    void (*destroy)(struct driver *driver);
};

extern const struct driver_ops exec_driver;      /* commands on this machine */
extern const struct driver_ops simulator_driver; /* test mode */

/* Whether a route's needs are met on this machine with this configuration. False: `why` gets words that say what to
 * configure or install. Pure look-up of configuration and files, any thread. */
bool route_available(const struct route *route, const struct config *config, struct fault *why);
