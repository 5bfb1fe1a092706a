/* The inside of the engine, for the files of this folder and of its rooms only.
 *
 * What is under "any thread" is atomic, immutable or has a lock of its own; all the rest belongs to the engine's thread. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include <uv.h>

#include "core/retry.h"
#include "engine/commit.h"
#include "engine/engine.h"
#include "engine/queue/estimate.h"
#include "engine/queue/queue.h"
#include "engine/seams.h"
#include "engine/task/live.h"
#include "engine/view/board.h"
#include "engine/view/deadlines.h"
#include "net/alarms.h"
#include "net/guard.h"
#include "net/inbox.h"

struct callbacks;
struct courier;
struct fetch_client;
struct generation;
struct health;
struct holds;
struct idempotency;
struct key_set;
struct pauses;
struct removal;
struct run;
struct streams;
struct sweep;
struct upload;

struct engine {
    /* any thread */
    struct store *store;
    struct blob_store *blobs;
    const struct engine_seams *seams;
    struct inbox inbox;
    struct board *board;
    struct deadlines deadlines; /* of those who wait for a task */
    struct estimates *estimates;
    struct holds *holds;
    struct idempotency *idempotency;
    struct pauses *pauses;
    struct streams *streams;
    struct callbacks *callbacks;
    char *work_directory; /* DATA/work */
    pthread_mutex_t setup_mutex;
    struct setup *setup; /* in force; under setup_mutex */
    atomic_uint_least64_t setup_number;
    atomic_bool door_closed;
    atomic_uint open_tasks;
    pthread_mutex_t submissions_mutex; /* under it: submissions on their way to the writer and back */
    pthread_cond_t submissions_none;
    unsigned submissions;
    atomic_int_fast64_t heartbeat_ms; /* monotonic */
    struct {
        atomic_uint_fast64_t accepted, completed, failed, attempts, retried, recovered, queued, running;
        atomic_uint_fast64_t artifacts_stored, artifact_bytes, swept;
        atomic_uint_fast64_t hooks[HOOK_OUTCOME_COUNT];
    } counters;

    /* engine's thread */
    pthread_t thread;
    uv_loop_t loop;
    struct alarms alarms; /* of attempts */
    struct fetch_client *fetcher; /* of what a caller waits for: links in talks, services' public keys */
    struct courier *courier;      /* of attempts' requests and files */
    struct guard_memo artifact_memo; /* of artifacts' URLs */
    struct health *health;
    struct generation *generation; /* of the setup that new work goes by */
    struct live_table live;
    struct queue queue;
    uint64_t keys_generation; /* of the store, when the limits of keys were last read */
    LIST_HEAD(, run) runs;
    LIST_HEAD(, removal) leftovers; /* work directories still to be removed */
    struct sweep *sweep;
    LIST_HEAD(, upload) uploads;
    LIST_HEAD(, key_set) key_sets; /* of services that sign their webhooks */
    unsigned key_set_count, key_wait_count;
    uv_timer_t heartbeat_timer, minute_timer, stall_timer, drain_timer, recover_timer;
    struct commit_list stalled;
    struct commit_list skipped;
    uv_idle_t skip_idle; /* runs while some are skipped */
    unsigned beats;
    int64_t stall_pause_ms; /* 0: the store works */
    unsigned inputs_kept; /* of attempts whose services have the job */
    unsigned busy; /* commits, pool works, uploads by URL and runs that have not come back */
    bool stopping, giving_up, closed;
    int64_t drain_ms;
    struct message stop_message;
};

/* Ends the loop once the engine stops and nothing is under way any more; called whenever something came back. */
void engine_check_stop(struct engine *engine);

/* Copies counters that other threads read. */
static inline void engine_publish_queue(struct engine *engine) {
    atomic_store_explicit(&engine->counters.queued, engine->queue.waiting, memory_order_relaxed);
    atomic_store_explicit(&engine->counters.running, engine->queue.running, memory_order_relaxed);
}

#define engine_count(engine, counter, more)                                                                            \
    ((void)atomic_fetch_add_explicit(&(engine)->counters.counter, (more), memory_order_relaxed))
