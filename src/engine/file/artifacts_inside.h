/* The inside of an attempt's artifact store, for the files it is made of: artifacts.c goes round by round,
 * artifact_fetch.c brings what is behind URLs, artifact_source.c what is at hand. */
#pragma once

#include <uv.h>

#include "base/buffer.h"
#include "base/errors.h"
#include "blob/blob.h"

struct artifact_row;
struct artifact_store;
struct blob_writer;
struct engine;
struct errand;
struct json_t;
struct run;

struct artifact {
    struct artifact_store *all;
    const struct json_t *source;
    const char *url; /* to be fetched; NULL: at hand */
    struct errand *errand; /* while it is fetched */
    struct blob_writer *writer;
    enum err err; /* of the last round */
    struct fault fault;
    int http_status; /* of the last fetch */
    int64_t retry_after_ms; /* what its host asks for; 0: nothing */
    int64_t since_ms; /* by clock_monotonic_ms: its host has not given it; 0: it was not asked in vain */
    unsigned broken; /* how often it came cut or empty */
    bool run_out; /* the file's host says that the link is good no more */
    bool empty;
    bool final; /* another try would end the same way */
    bool stored;
    struct blob blob; /* pinned, once stored; a small one comes into the database with the task's end */
    char name[128];
};

struct artifact_store {
    struct run *run;
    struct engine *engine;
    void (*stored)(struct run *run);
    struct artifact *items;
    unsigned count;
    unsigned fetching;
    void (*all_fetched)(struct artifact_store *all);
    int64_t seconds; /* that the timed one of the results lasts; 0: none is, or it cannot be told */
    unsigned round;
    bool working, claimed;
    bool stopped; /* while it fetched */
    int64_t size_max, small_max;
    const char *work_directory;
    uv_work_t work;
    uv_timer_t pause;
    struct artifact_row *rows;
    struct buffer results;
};

/* The member as a text; no text or an empty one is TEXT_NONE. Pure. */
struct text artifact_member(const struct json_t *source, const char *key);

/* Starts to fetch the item into a writer of its own, which is the courier's until `all_fetched` comes, once nothing of the store
 * is fetched any more. An error is the item's, and nothing was started then. Loop's thread. */
void artifact_fetch(struct artifact *item, void (*all_fetched)(struct artifact_store *all));

/* Makes a blob of what the item's source gives, or of what was fetched for it. On the pool, unless the item is light. */
enum err artifact_take(struct artifact *item) must_check;
/* How many seconds what was taken lasts, begun ones with it; 0: that cannot be told. On the pool, unless the item is light. */
int64_t artifact_seconds(const struct artifact *item);
