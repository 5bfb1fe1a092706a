/* The inside of the sender, for the files of this folder only.
 *
 * What is under the mutex belongs to all threads, a look's own parts to the pool while it works; the rest is the loop's. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include <uv.h>

#include "base/hash_table.h"
#include "callback/callbacks.h"
#include "callback/intake.h"
#include "callback/lane.h"
#include "callback/signature.h"

struct fetch;
struct fetch_client;
struct gate;

#define NOTES_MAX 1024        /* told and not looked at yet; beyond them everything is looked through */
#define LOOK_NOTES_MAX 64     /* of one look */
#define LOOK_LANES_MAX 32     /* of one look */
#define LOOK_FOUND_MAX 256    /* lanes that one look finds in a scan */
#define NOTE_FOUND_MAX 16     /* callbacks of one task, that a note leads to */
#define EXCERPT_MAX 500       /* bytes of an answer that are kept */
#define REPLY_READ_MAX 4096   /* bytes of an answer that are read */
#define BODIES_MAX ((size_t)64 << 20) /* bytes of bodies under way, beyond which nothing more begins */
#define BODY_MAX ((size_t)96 << 20)   /* of one: the longest answer of a language model, and what is around it */

/* Something has fallen due. */
struct note {
    int64_t account;
    bool hurry;               /* `name` is the delivery's id, else its task's */
    char name[TASK_ID_SIZE];
};
_Static_assert(CALLBACK_ID_SIZE <= TASK_ID_SIZE, "either of the names fits");

enum delivery_kind { DELIVERY_TRY, DELIVERY_GIVE_UP };

/* One try at one delivery, from the look that found it due until its outcome is written. */
struct delivery {
    UT_hash_handle hh; /* by the id, of those under way */
    STAILQ_ENTRY(delivery) link;
    struct callbacks *callbacks;
    struct lane *lane;
    enum delivery_kind kind;
    struct callback_row row; /* url and base are below; lane is the lane's */
    char *url, *base;
    struct buffer body;
    char timestamp[24], signature[SIGNATURE_SIZE];

    struct fetch *fetch;
    size_t body_size;
    int64_t begun_ms; /* monotonic */
    struct callback_try_row log;
    char excerpt[EXCERPT_MAX + 1];
    char raw[REPLY_READ_MAX];
    size_t raw_size;
    int64_t gone_until_ms; /* the address wants no more; 0: it did not say so */
    struct store_job job;
    enum err err; /* of the job */
    bool ended;   /* its outcome is written, but a look under way may have seen it due */
};
STAILQ_HEAD(delivery_list, delivery);

/* A lane to be looked into. */
struct look_lane {
    struct lane *lane;
    int64_t account;
    char name[CALLBACK_LANE_SIZE];
    unsigned want;
    char (*skip)[CALLBACK_ID_SIZE]; /* under way already */
    unsigned skip_count;
    /* found */
    struct delivery_list found;
    int64_t next_due_ms; /* wall; 0: none known */
    bool more, held;     /* others are due as well; some wait for their submission's answer */
    enum err err;
};

struct found_lane {
    int64_t account, due_ms; /* wall */
    char name[CALLBACK_LANE_SIZE];
    bool hurry;
};

struct look {
    uv_work_t work;
    struct callbacks *callbacks;
    struct look_lane lanes[LOOK_LANES_MAX];
    unsigned lane_count;
    struct note notes[LOOK_NOTES_MAX];
    unsigned note_count;
    size_t bytes_left; /* for bodies */
    bool scan;         /* look for lanes, from after these on */
    int64_t scan_account;
    char scan_lane[CALLBACK_LANE_SIZE];
    bool scan_over; /* there are none after those found */
    enum err err;   /* of the notes and the scan: not all was found */
    int64_t due_count; /* at the start of a scan; -1: not counted */
    struct found_lane *found;
    unsigned found_count, found_max;
};

struct callbacks {
    /* any thread */
    struct store *store;
    struct callbacks_options options; /* without the allowed pairs */
    struct gate *gate;
    pthread_mutex_t mutex;
    struct note notes[NOTES_MAX]; /* under it, as all down to `closed` */
    unsigned note_count;
    bool notes_missed;
    struct delivery_list written; /* whose jobs have come back */
    unsigned written_late;        /* jobs that gave up late ones, come back */
    int64_t late_count;           /* of deliveries that they gave up */
    LIST_HEAD(, callback_watch) watches;
    bool deaf;   /* it has stopped: watches are told at once */
    bool closed; /* the loop's part is gone */
    struct {
        atomic_uint_fast64_t tries, failed, delivered, given_up, running, lanes, open;
        atomic_int_fast64_t due;
    } counters;

    /* loop */
    struct uv_loop_s *loop;
    uv_async_t wake;
    uv_timer_t timer;
    struct fetch_client *client;
    struct lanes lanes;
    struct delivery *under_way; /* by id */
    struct delivery_list stalled; /* whose outcome the store did not take */
    unsigned running;         /* of them, those whose request is out */
    unsigned under_way_count; /* without those that have ended */
    unsigned late_jobs;
    size_t body_bytes;
    struct look look;
    bool looking;
    bool scan_wanted, scanning;
    int64_t scan_due_ms, stalled_until_ms; /* monotonic */
    uint64_t generation; /* of the store, at the last scan */
    bool stopping, cutting, over; /* over: it is idle for good */
    void (*idle)(void *context);
    void *idle_context;
};

#define callbacks_count(callbacks, counter, more)                                                                      \
    ((void)atomic_fetch_add_explicit(&(callbacks)->counters.counter, (more), memory_order_relaxed))

/* turns.c */
/* Whatever can begin now begins. */
void turns_go_on(struct callbacks *callbacks);
/* A look has come back. */
void turns_looked(struct callbacks *callbacks);
/* What the end of a try says of its receiver. */
enum receiver_word { RECEIVER_WORKS, RECEIVER_FAILS, RECEIVER_IS_FULL };
void turns_heard(struct callbacks *callbacks, struct lane *lane, enum receiver_word word, int64_t at_least_ms);
/* A delivery's outcome is written (or will never be). */
void turns_ended(struct callbacks *callbacks, struct delivery *delivery);

/* look.c: on the pool. */
void look_work(uv_work_t *work);
void look_free(struct look *look);

/* delivery.c */
struct delivery *delivery_new(struct callbacks *callbacks, const struct callback_row *row) must_check;
void delivery_free(struct delivery *delivery);
/* Begins the try, or writes that it is given up. */
void delivery_begin(struct delivery *delivery);
/* Its job has come back. */
void delivery_written(struct delivery *delivery);
/* Posts those whose outcome the store did not take once more. */
void delivery_post_stalled(struct callbacks *callbacks);
/* Ends the try without an outcome. */
void delivery_cut(struct delivery *delivery);

/* callbacks.c */
void callbacks_tick(uv_timer_t *timer);
/* Tells the loop; any thread, under the mutex. */
void callbacks_tell(struct callbacks *callbacks);
/* The next try of it is over: whoever waits for it is told. Loop. */
void callbacks_watched(struct callbacks *callbacks, const struct callback_row *row);
/* Those who have waited too long are told, too. Loop. */
void callbacks_end_watches(struct callbacks *callbacks, int64_t now_ms);
/* Tells `idle` if the stop was asked for and nothing is under way. */
void callbacks_check_idle(struct callbacks *callbacks);
