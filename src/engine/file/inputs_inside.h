/* The inside of an attempt's inputs, for the files it is made of: inputs.c finds out what every value is and fetches what
 * is to be fetched; what becomes of it is a way of its own: input_files.c brings files into the work directory,
 * input_links.c makes values that a service can use. */
#pragma once

#include <stdbool.h>

#include <uv.h>

#include "blob/blob.h"
#include "blob/link.h"
#include "catalog/param.h"
#include "core/task.h"
#include "engine/file/inputs.h"
#include "provider/driver.h"

struct blob_writer;
struct engine;
struct errand;
struct json_t;
struct run;

#define INPUT_FILES_MAX 64

enum input_origin {
    INPUT_STORED,  /* came inside the request: "fennec-blob:…" */
    INPUT_OWN,     /* one of our own signed links */
    INPUT_OUTSIDE, /* any other URL */
};

struct input_file {
    struct input_files *all;
    char *param, *value;
    const char *accept; /* the catalogue's, as are the limits */
    struct media_limits limits;
    enum input_origin origin;
    struct link link; /* hash and name of what is ours */
    struct errand *errand; /* while it is fetched */
    const char *media_type; /* sniffed; NULL: not yet */

    /* input_files.c */
    char *path;
    int fd; /* while it is written; -1: not */

    /* input_links.c */
    bool wanted; /* to be replaced */
    struct blob_writer *writer;
    struct blob blob; /* pinned, once fetched whole */
    bool pinned;
    struct json_t *replacement;
};

struct input_failure {
    enum task_error error; /* TASK_ERROR_NONE: none */
    bool retryable;
    char message[512];
    char detail[512];
};

/* What becomes of the files. */
struct input_way {
    /* Makes a place for what is fetched; false: input_fail was called. */
    bool (*open)(struct input_file *file);
    /* On the courier's thread, between open and close. */
    enum err (*write)(struct input_file *file, const void *bytes, size_t count);
    /* No more is written; `whole`: it came to its end. */
    void (*close)(struct input_file *file, bool whole);
    /* On the pool, once all is fetched. */
    void (*work)(struct input_files *all);
    /* On the loop again, when nothing has failed. */
    void (*finish)(struct input_files *all);
    /* Before the file is forgotten. */
    void (*drop)(struct input_file *file);
};

struct input_files {
    struct run *run;
    void (*ready)(struct run *run);
    const struct input_way *way;
    enum input_form form;
    struct input_file *files; /* INPUT_FILES_MAX at most */
    unsigned count;
    unsigned fetching;
    bool too_many;
    uv_work_t work;
    bool working; /* on the pool or in the store: its end looks at the run's halt */
    bool claimed;
    int64_t size_max;
    int64_t inline_left; /* bytes that may still become data URIs */
    unsigned replaced;
    struct input_failure failure; /* the first one */
    struct attempt_file *shown; /* to the driver; NULL: nothing */
};

/* Lists the media values of the run's input and says what each is (S2); what is not there or not ours is a failure. */
struct input_files *inputs_list(struct run *run, void (*ready)(struct run *run), const struct input_way *way);
/* Fetches those files of outside that the function (NULL: all) wants, then goes the way's way to its end. */
void inputs_bring(struct input_files *all, bool (*wants)(const struct input_file *file));
/* The first failure is the one that counts. `detail` may be NULL. */
void input_fail(struct input_files *all, enum task_error error, bool retryable, const char *detail, const char *format,
                ...) printf_like(5, 6);
/* A blob that could not be opened: it is gone, or only cannot be had now. */
void input_fail_open(struct input_file *file, enum err err);
bool input_failed(const struct input_files *all);
/* Stops what is under way and ends the run with the failure, once all of that has come back. */
void inputs_give_up(struct input_files *all);
/* Tells what the open file is, and refuses what is not of its parameter's kind or outside of its limits. */
void input_inspect(struct input_file *file, int fd);
