/* One run of a command through the driver, watched: what it told, and how it ended. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "catalog/catalog.h"
#include "provider/driver.h"

/* Values of route.lua_input that the tests' bridge knows, besides LUA_NONE. */
#define SHAPING_ROUTE 1 /* adds "shaped": true */
#define FAILING_ROUTE 2

struct trial {
    struct attempt attempt; /* first, so that callbacks find the rest */
    struct route route;
    struct model model;
    char directory[64];
    struct json_t *input; /* owned */
    const struct attempt_file *files;
    unsigned file_count;
    int64_t timeout_ms; /* a minute unless changed */
    bool cancel_at_progress;
    struct driver *driver;

    int progress_count, progress_last;
    unsigned done_count;
    struct outcome outcome; /* its texts and its output: below */
    char message[1024], detail[16384];
    struct json_t *output;
};

extern struct uv_loop_s trial_loop;

/* Takes the input over; makes the work directory, which trial_fini removes. */
void trial_init(struct trial *trial, const char *command, struct json_t *input);
void trial_fini(struct trial *trial);
/* On trial_loop, which the caller runs. */
enum err trial_start(struct trial *trial, struct driver *driver, struct fault *fault) must_check;
/* All at the same time, to the end of everything; asserts that each ended once and that no process is left. */
void trial_run(struct trial *trials, unsigned count, const struct config *config);
