/* The engine: accepts tasks, runs them, settles them. One thread with a libuv loop does everything after acceptance.
 *
 *   engine_submit --> store job (task + reservation + event) --> inbox --> queue --> dispatch (attempt durable first, T3)
 *        --> driver --> artifacts into the blob store --> one transaction: state + money + events + artifacts (L2)
 *
 * Threads talk to it through its inbox only; each function below says who may call it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/errors.h"
#include "blob/blob.h"
#include "core/answer.h"
#include "engine/hook/hook.h"
#include "engine/setup.h"
#include "engine/task/idempotency.h"
#include "net/webhook.h"
#include "store/store.h"

struct arena;
struct callback_intake;
struct callbacks;
struct chat_stream;
struct engine;
struct json_t;
struct model;

struct engine_options {
    struct store *store;
    struct blob_store *blobs;
    struct setup *setup; /* the engine takes a reference of its own */
};

/* For the options of its store: an engine is woken once for all submissions and moves that the writer tells it between. Writer
 * thread. */
void engine_gather(bool begins);
/* Takes up open tasks again (T2, T3), then runs until engine_stop. */
enum err engine_start(const struct engine_options *options, struct engine **ret, struct fault *fault) must_check;
/* No new task is accepted from here on (ERR_SHUTTING_DOWN). Running attempts get `drain_ms` to end; what still runs then
 * is stopped and will be taken up at the next start. Returns when the thread has ended; queries are still answered. */
void engine_stop(struct engine *engine, int64_t drain_ms);
/* After engine_stop, when no other thread uses the engine any more; so after store_close, too, since what requests had the
 * engine post (renewals, engine_settled) is not waited for by the stop. NULL is fine. */
void engine_free(struct engine *engine);
/* From here on engine_submit refuses with ERR_SHUTTING_DOWN, and waits with a limit are over; the rest goes on. Any thread. */
void engine_close_door(struct engine *engine);

/* The setup in force, with a reference for the caller. Any thread. */
struct setup *engine_setup(struct engine *engine);
/* Its number: to see whether another one is in force now costs no more than to read this. Any thread. */
uint64_t engine_setup_number(struct engine *engine);
/* New work goes by `setup` from here on; running attempts keep theirs. Any thread. */
void engine_reload(struct engine *engine, struct setup *setup);

/* One input file already stored, to be claimed by the task. */
struct submission_input {
    struct blob blob; /* pinned; the engine unpins it after the commit or the refusal, whatever engine_submit returns */
    char name[96];
};
#define SUBMISSION_INPUTS_MAX 64
/* What ERR_STORAGE_FULL means of input files, at the submission and when a service wants them as links. */
#define INPUTS_FULL_WORDS                                                                                              \
    "The input files of the account's tasks take all the space that they may; try again when some of the tasks have ended."

/* A submission: validated and priced by the caller, who keeps the struct alive until `done`. */
struct submission {
    struct account_row account;
    struct key_row key;
    struct setup *setup; /* the caller's reference, which `model` belongs to */
    const struct model *model;
    struct json_t *input; /* validated; engine_submit reads it, engine_call takes it over */
    int64_t reserved;     /* microcredits */
    struct submission_input *inputs; /* of these; the caller's, and need not outlive `done` */
    unsigned input_count;
    struct text name;     /* what the client calls the model, where that is not the model's own name; else ptr NULL */
    bool streams;         /* of a language model: the answer is wanted while it comes into being */
    bool reasons;         /* of a language model: it is to think */
    int64_t result_ttl_s; /* for which the files of its result are kept; 0: as the settings say */
    struct text callback_url;  /* who is told of its end, checked; ptr NULL: nobody */
    struct text callback_base; /* what our own URLs begin with in what is told there */
    struct key_holding *holding; /* of its idempotency key, NULL: it has none; engine_submit and engine_call take it over */

    struct answer answer; /* filled in before `done`: what to answer; texts live as long as setup and submission */
    void (*done)(struct submission *submission, enum err err); /* writer's thread; only after all is durable */
    void *context;
    struct store_job job;             /* the engine's */
    struct task_row row;              /* the engine's */
    char *input_text;                 /* the engine's */
    struct callback_intake *callback; /* the engine's */
    struct engine *engine;            /* the engine's */
    unsigned id_tries;                /* the engine's */
    bool storing;                     /* the engine's: calls are kept off its credits */
};

/* Comes with an idempotency key (engine/task/idempotency.h); who is first submits with the holding, or leaves it by
 * idempotency_leave. Any thread. */
enum err engine_enter(struct engine *engine, const struct idempotency_key *key,
                      struct idempotency_visit *visit, bool *ret_waits) must_check;
/* Appends what the submission of this task was answered with: byte for byte, given what that answer estimated.
 * ERR_NOT_FOUND: there is no such task. Any thread. */
enum err engine_repeat_submission(struct engine *engine, int64_t account, const struct task_id *id,
                                  int64_t estimated_s, struct buffer *body) must_check;
/* The ChatCompletion that a call was answered with, copied into the arena; ERR_NOT_FOUND: none is kept. Any thread. */
enum err engine_repeat_call(struct engine *engine, int64_t account, const struct task_id *id, struct arena *arena,
                            struct text *ret) must_check;

/* Makes the task: OK means `done` will come with OK, ERR_INSUFFICIENT_QUOTA, ERR_KEY_BUDGET, ERR_KEY_BUDGET_DAY or the
 * store's error; any other return
 * (ERR_OVERLOADED, ERR_SHUTTING_DOWN) means nothing happened and `done` will not come. Any thread. */
enum err engine_submit(struct engine *engine, struct submission *submission) must_check;

/* False while any submission would be refused with ERR_OVERLOADED: as many tasks are open as may be, or too much waits for
 * the store. Cheap, and no promise; any thread. */
bool engine_has_room(struct engine *engine, const struct setup *setup) must_check;
/* W1: the client of an accepted submission has its answer, or has gone; until then its callback is held back. Exactly once
 * for each submission that engine_submit was given, accepted or not, when its exchange is over. Any thread. */
void engine_answered(struct engine *engine, const struct submission *submission);
/* The sender of callbacks, for as long as the engine lives. Any thread. */
struct callbacks *engine_callbacks(struct engine *engine);

/* A call: a language model's task whose client waits for the answer itself. It begins at once, and is written at its
 * end, in one piece: nobody is told of it before (T2). *ret_stream is its answer in the making, with a reference for
 * the caller; submission->answer is filled in, `done` is not used; submission->input is the engine's, and NULL here.
 * ERR_INSUFFICIENT_QUOTA, ERR_KEY_BUDGET, ERR_KEY_BUDGET_DAY, ERR_TOO_MANY_STREAMS, ERR_OVERLOADED, ERR_SHUTTING_DOWN, or why the store cannot be
 * written: nothing happened. Any thread. */
enum err engine_call(struct engine *engine, struct submission *submission, struct chat_stream **ret_stream) must_check;
/* The client of a call has gone: its service is cut off, and what was written so far is charged. Nothing when the
 * call has ended already, or has an idempotency key, under which its answer can be had later. Any thread. */
void engine_call_gone(struct engine *engine, int64_t account, const struct task_id *id);
/* Microcredits that the account's running calls may cost. Any thread. */
int64_t engine_held(struct engine *engine, int64_t account, enum book book);
/* The same of one key, with the day that it belongs to. Any thread. */
struct spending engine_held_by_key(struct engine *engine, int64_t account, int64_t key);
/* Whether all of the account that has ended before is written: then engine_settled need not be waited for. Any thread. */
bool engine_is_settled(struct engine *engine, int64_t account);
/* `done` comes once all that has ended before is written, be it synced or not, and no longer held. On the engine's
 * thread, or from within the call when the engine stops. Any thread. */
void engine_settled(struct engine *engine, void (*done)(void *context), void *context);

/* The answer of a language model's task, in the making or ended, with a reference for the caller. ERR_TASK_NOT_FOUND,
 * ERR_STREAM_NOT_FOUND (the task was not submitted with a stream), ERR_STREAM_EXPIRED. Any thread. */
enum err engine_stream(struct engine *engine, int64_t account, const struct task_id *id,
                       struct chat_stream **ret) must_check;
/* One more reader of the account's streams: ERR_TOO_MANY_STREAMS over `most`. Any thread. */
enum err engine_reader_begin(struct engine *engine, int64_t account, unsigned most) must_check;
void engine_reader_end(struct engine *engine, int64_t account);

/* Gives up what was stored for a submission that engine_submit never got: unpins it, and has the sweeper take it soon. Any
 * thread. */
void engine_drop_inputs(struct engine *engine, struct submission *submission);

/* Appends the task query's body. From the board of rendered answers when the task is live or was read lately, else from
 * the store. ERR_TASK_NOT_FOUND also for another account's task (S2). Any thread. */
enum err engine_query(struct engine *engine, int64_t account, const struct task_id *id, struct text base,
                      struct buffer *body) must_check;
/* The same; *ret_tag is another one for another body, and the same for the same in every life of the server. */
enum err engine_query_tagged(struct engine *engine, int64_t account, const struct task_id *id, struct text base,
                             struct buffer *body, uint64_t *ret_tag) must_check;
/* The same for who knows that the store has the task's end, which the board shows a moment later. Any thread. */
enum err engine_query_ended(struct engine *engine, int64_t account, const struct task_id *id, struct text base,
                            struct buffer *body) must_check;

/* Asks for the end of a task. `done` comes on the engine's thread, or from within the call: OK (now failed with
 * request_cancelled, credits back), ERR_TASK_FINAL (it ended otherwise), ERR_TASK_NOT_FOUND, ERR_SHUTTING_DOWN; ERR_TIMEOUT
 * after CANCEL_MAX_MS: the service that runs it was asked, and goes on. Any thread. */
#define CANCEL_MAX_MS 10000
void engine_cancel(struct engine *engine, int64_t account, const struct task_id *id,
                   void (*done)(enum err err, void *context), void *context);

/* What an operator wants done with a task that does not get on (engine/task/order.h). The caller keeps the struct and all that
 * it points to alive until `done`. */
enum order_kind { ORDER_RETRY, ORDER_FAIL };
struct engine_order {
    enum order_kind kind;
    int64_t account;
    struct task_id id;
    enum task_error error; /* of a failure */
    const char *message;   /* of a failure, for the task's owner; NULL: the default words */
    struct text actor, reason; /* for the record of changes */

    /* Filled in before `done`: OK (retry: the task is pending, or processing again; fail: it has failed), ERR_TASK_FINAL,
     * ERR_TASK_NOT_FOUND, ERR_TASK_NOT_RETRYABLE, ERR_SHUTTING_DOWN, or the store's error; and a sentence of why. */
    enum err err;
    char words[256];
    void (*done)(struct engine_order *order); /* engine's thread, or from within engine_order */
    void *context;
};
/* Within ORDER_MAX_MS, as far as the store lets it: a service gets no longer to stop. Any thread. */
#define ORDER_MAX_MS 5000
void engine_order(struct engine *engine, struct engine_order *order);

/* What the store says of pauses is in force once `done` comes. `done` may come on the engine's thread or from within the
 * call. Any thread, as the three below. */
void engine_pauses_changed(struct engine *engine, void (*done)(void *context), void *context);
/* Closes the breakers of the provider, its keys and its routes: what cools down may be used at once. */
void engine_reset_provider(struct engine *engine, const char *provider, void (*done)(void *context), void *context);
bool engine_paused(struct engine *engine, enum pause_kind kind, const char *name);
/* How providers fare, by their names, as an object whose reference the callee gets: running, queued, and of those that are
 * services keys (by fingerprint), routes and their breakers, and why an attempt failed last. */
void engine_report(struct engine *engine, void (*tell)(struct json_t *report, void *context), void *context);

/* Has the service that runs the task asked how it stands. `done` comes once its answer is durable and shown, when there is
 * nobody to ask (the task is not there, final, or not at a remote service), or after `limit_ms`, at most REFRESH_MAX_MS.
 * Simultaneous requests for one task share one question. `done` may come on the engine's thread or from within the call. Any
 * thread. */
#define REFRESH_MAX_MS 10000
void engine_refresh(struct engine *engine, int64_t account, const struct task_id *id, int64_t limit_ms,
                    void (*done)(void *context), void *context);

/* The files of a result kept longer; the caller keeps the struct alive until `done`. */
struct renewal {
    int64_t account;
    struct task_id id;
    int64_t ttl_s; /* from now on; files that are kept longer already stay as they are */
    void (*done)(struct renewal *renewal, enum err err);
    void *context;
    /* the engine's */
    struct engine *engine;
    struct store_job job;
    struct arena arena;
    struct buffer results;
    struct task_row row;
    int64_t expired_ms, expires_ms; /* before and after */
    unsigned count;                 /* of files */
    bool gone;                      /* one of them */
    enum err look;                  /* why one of them cannot be looked at now */
    unsigned tries;
};

/* `done` comes on the writer's thread or from within the call: OK once files and links are durable and shown, or when the
 * result has no files; ERR_TASK_NOT_FOUND, ERR_TASK_NOT_COMPLETED, ERR_RESULT_EXPIRED, or the store's or the files' error:
 * nothing has changed. Any thread. */
void engine_renew(struct engine *engine, struct renewal *renewal);

/* A webhook as it came; the caller keeps the struct and all that it points to alive until `done`. */
struct hook_call {
    struct hook_token token;
    struct webhook webhook;
    const struct webhook_header *query; /* decoded parameters */
    unsigned query_count;

    enum err err; /* filled in before `done`, as is reply: OK, ERR_INVALID_SIGNATURE, ERR_KEYS_UNAVAILABLE, ERR_SHUTTING_DOWN */
    char *reply;  /* JSON that the service wants to hear, to be freed by the caller; NULL: nothing in particular */
    void (*done)(struct hook_call *call); /* engine's thread, or from within engine_hook */
    void *context;
};

/* Whose address this is; false, and counted, when it is none of ours. Any thread. */
bool engine_hook_token(struct engine *engine, struct text token, struct hook_token *ret) must_check;
/* Verifies it and tells the driver of the attempt that runs; OK also when no such attempt runs any more. Any thread. */
void engine_hook(struct engine *engine, struct hook_call *call);

/* Seconds a task of this model is likely to take: the median of its last completed ones, else the catalogue's figure.
 * Any thread. */
int64_t engine_estimate_s(struct engine *engine, const struct model *model);

/* Figures for /metrics and /readyz. Any thread. */
struct engine_counts {
    uint64_t accepted, completed, failed, attempts, retried, recovered;
    uint64_t queued, running; /* now */
    uint64_t board_entries, board_hits, board_misses;
    uint64_t artifacts_stored, artifact_bytes, swept;
    uint64_t hooks[HOOK_OUTCOME_COUNT];
};
struct engine_counts engine_counts(struct engine *engine);
/* False when the loop has not turned for some seconds: /readyz then says so. */
bool engine_alive(struct engine *engine);
