/* The small record in memory of every task that is not final. Its input stays in the store until dispatch.
 *
 * Made by whoever accepts or recovers the task; from then on the engine's thread owns it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/id.h"
#include "store/rows.h"

struct lane;
struct run;

/* S2: the account is part of a task's key. Padded with zeros, so that it can be hashed and compared as bytes. */
struct task_key {
    int64_t account;
    char id[TASK_ID_SIZE];
};
struct task_key task_key(int64_t account, const struct task_id *id);
struct task_id task_key_id(const struct task_key *key);
/* For tables. Task ids are the server's own, so nobody can choose many of one number. */
unsigned task_key_hash(const struct task_key *key);

/* Where the engine has the task, beside its durable state. */
enum live_phase {
    LIVE_NEW,     /* nobody's yet */
    LIVE_QUEUED,  /* in its lane, PENDING */
    LIVE_WAITING, /* until its next attempt is due, PENDING */
    LIVE_MOVING,  /* a move is on its way to the store; nothing else may begin */
    LIVE_RUNNING  /* an attempt runs, PROCESSING */
};

struct call_record;
struct cancel_request;
struct chat_failure;
struct chat_stream;
struct commit;
struct engine_order;
struct nap;
struct refresh;
struct retry_wait;

struct live_task {
    struct live_task *chained; /* the table's: of its bucket, and all in the order added */
    TAILQ_ENTRY(live_task) all;
    struct task_key key;
    int64_t key_id;
    int64_t created_ms, started_ms;
    int64_t reserved; /* microcredits */
    uint64_t setup_number; /* of the setup that priced it; 0: of an earlier life */
    TAILQ_ENTRY(live_task) link; /* in its lane */
    struct lane *lane;           /* while QUEUED */
    union {
        uint64_t sequence;       /* in its lane, while QUEUED */
        struct retry_wait *wait; /* while WAITING */
    };
    struct run *run;             /* from the pick to the end of the attempt, unless it sleeps: nap_run */
    struct nap *nap;             /* then; else NULL */
    struct commit *last_commit;  /* of those under way, which follow one another; NULL: there is none */
    struct cancel_request *cancels; /* those who wait for its end */
    struct engine_order *order;     /* an operator's, while it is carried out */
    struct refresh *refresh;        /* those who wait for what its service says; NULL: nobody does */
    struct chat_stream *stream;     /* of a language model's task: its answer in the making */
    struct chat_failure *failure;   /* of its last attempt, in the service's words; NULL: nothing more than the code */
    const char *names;              /* shared: model, NUL, group, NUL */
    struct call_record *call;       /* its client waits for it, and it is written at its end; NULL: a task as any */
    uint64_t tried;              /* routes, by their place, that did not take it lately (T4) */
    uint64_t unable;             /* the same, that never will: SCOPE_ROUTE */
    uint32_t pinned;             /* the mark of the only route it may take, where a job was made; 0: any (T4) */
    uint32_t key_concurrency;    /* tasks that its key may run at a time, as far as is known; 0: no limit */
    uint32_t estimated_s;        /* for the answer while it waits */
    uint32_t result_ttl_s;       /* for which the files of its result are kept; 0: as the settings say */
    uint16_t attempts;           /* made so far: the number of the last one */
    uint16_t failures;           /* of these, the ones that count against the retry policy */
    uint16_t refusals;           /* of these, the ones in which certainly no job was made */
    uint8_t book, type, state, billing, phase;
    uint8_t progress; /* as handed to the store; the board shows what has come back from there */
    uint8_t model_len;
    bool cancel_wanted;
    bool parked; /* WAITING because its model is paused */
    bool client_gone; /* of a call */
    bool streams;     /* its answer can be read while it comes into being */
    bool calls_back;  /* somebody is told of its end */
    bool unread; /* its attempts could not be read at the start; to be tried again */
};

/* Members of a language model's stored input: the request itself, and whether the model is to think. */
#define INPUT_REQUEST "request"
#define INPUT_REASONS "reasons"

/* From a row that is not final. */
struct live_task *live_new(const struct task_row *row) must_check;
void live_free(struct live_task *task);
/* Keeps what the service said (NULL: nothing) in the place of what it said before. */
void live_set_failure(struct live_task *task, const struct chat_failure *failure);
struct text live_model(const struct live_task *task);
struct text live_group(const struct live_task *task);
struct text live_id(const struct live_task *task);
/* The row as it is now; texts point into the task. */
struct task_row live_row(const struct live_task *task);

/* All of them, by key, and in the order added. */
struct live_table {
    TAILQ_HEAD(live_list, live_task) tasks;
    struct live_task **buckets;
    size_t bucket_count, count; /* a power of 2; tasks */
};
void live_init(struct live_table *table);
/* Frees the table; no task is in it. */
void live_fini(struct live_table *table);
/* For each, oldest addition first; this one may be removed meanwhile. */
#define LIVE_EACH(table, task, next)                                                                                   \
    for ((task) = TAILQ_FIRST(&(table)->tasks); (task) != NULL && ((next) = TAILQ_NEXT((task), all), true);            \
         (task) = (next))
void live_add(struct live_table *table, struct live_task *task);
void live_remove(struct live_table *table, struct live_task *task);
struct live_task *live_find(const struct live_table *table, const struct task_key *key);
