/* A file on its way into an account's storage: made durable as a blob, counted against the account's space, and given an
 * id. */
#pragma once

#include <stdatomic.h>
#include <sys/queue.h>

#include <uv.h>

#include "blob/blob.h"
#include "blob/file_name.h"
#include "engine/commit.h"
#include "net/inbox.h"
#include "store/store.h"

struct engine;
struct errand;

/* The caller fills in the first part, and keeps the struct alive until `done`. Zero is none. */
struct upload {
    int64_t account;
    int64_t size_max;    /* of what is fetched */
    int64_t space_max;   /* bytes of all the account's files; 0: no bound */
    int64_t ttl_s;
    bool evicts;         /* the oldest files go where there is no space; else it is refused */
    struct blob_writer *writer; /* that all bytes were written to; the engine's from here on */
    struct blob blob;    /* or what is here already, when `pinned`: the engine unpins it */
    bool pinned;
    struct text url;     /* or where to fetch them from, under the guard (S1) */
    char name[FILE_NAME_SIZE]; /* cleaned; empty: the engine finds one */
    /* Engine's thread, or from within engine_upload. `file` is filled in when OK, `fault` when not; its param is "url"
     * where what is behind the URL is to blame. */
    void (*done)(struct upload *upload, enum err err);
    void *context;

    struct file_row file; /* its texts live as long as this struct */
    struct fault fault;

    /* the engine's */
    struct engine *engine;
    struct message message;
    atomic_uint_fast64_t serial; /* 0: not begun */
    atomic_bool gone;
    struct errand *errand; /* while it is fetched */
    uv_work_t work;
    struct commit commit;
    unsigned id_tries;
    char (*evicted)[SHA256_HEX_SIZE]; /* blobs of files that went; FILES_OF_ACCOUNT_MAX at most */
    unsigned evicted_count;
    LIST_ENTRY(upload) link;
};

/* Stores it. `done` comes exactly once: OK, once file and space are durable; ERR_STORAGE_FULL, ERR_FILE_TOO_LARGE (more
 * than size_max or space_max), ERR_INVALID_URL, ERR_OVERLOADED, ERR_SHUTTING_DOWN, or why nothing can
 * be stored: then nothing is left behind. Any thread. */
void engine_upload(struct engine *engine, struct upload *upload);
/* Its client has gone: a fetch is stopped, and `done` comes with ERR_INVALID_URL; else nothing. While `done` cannot have
 * returned; any thread. */
void engine_upload_gone(struct engine *engine, struct upload *upload);
/* Somebody has let go of a blob: the sweeper looks whether anybody claims it still. Any thread. */
void engine_release_blob(struct engine *engine, const char *hash);

/* The engine stops: what is fetched is given up. Engine's thread. */
void uploads_stop(struct engine *engine);
