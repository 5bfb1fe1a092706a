/* One attempt at a service, from its submission to its end. For this folder alone.
 *
 *      ┌─ harmless ─┐            ┌── not yet ──┐
 *      v            │            v             │
 *    SUBMIT ────────┴─── id ──> POLL ── next ──┴──> OUTPUT ── output ──> done
 *      │                         ^  ^
 *      │ lost                    │  └── asking will tell ── CANCEL, from POLL or OUTPUT
 *      v                         │
 *    LOOKUP ────── found ────────┘
 *      │
 *      └── not there: not made; nobody can tell: submission_unknown
 *
 * A job does one thing at a time, which is `doing`: it waits for its timer, then for its turn, then for the reply. An
 * answer that has id or output already skips what would have told it; a failure ends the job from anywhere.
 *
 * T3: a paid request that may have arrived is sent again only with an idempotency header; else it is looked up, or
 * given up as unknown.
 *
 * Only texts are kept of a job that waits, since there may be a hundred thousand. The engine's thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/buffer.h"
#include "provider/adapter.h"
#include "provider/driver.h"
#include "remote/service.h"

struct exchange;
struct exchange_call;
struct exchange_reply;
struct json_t;

enum job_doing { DO_SUBMIT, DO_LOOKUP, DO_POLL, DO_OUTPUT, DO_CANCEL };

struct job_list {
    TAILQ_HEAD(, job) jobs;
    unsigned count;
};

struct job {
    struct service *service;
    struct attempt *attempt;
    struct alarm alarm; /* until it takes its turn */
    struct turn turn;
    struct exchange *exchange; /* under way */
    struct job_list *batch;    /* it waits here for an answer to many; NULL: not */
    TAILQ_ENTRY(job) link;     /* there */

    char *id;            /* lasting, as step; NULL until the service has it: job_set_id */
    const char *state;   /* shared: what the adapter keeps, packed: job_set_state; NULL: nothing */
    char *step;          /* NULL: none */
    char *lost;          /* what came instead of a reply to the submission, for operators; NULL: nothing yet */
    struct json_t *value; /* as its adapter saw it last, over a question and a short pause; NULL: made anew */
    struct json_t *next; /* the request to be sent in the course of a chain; NULL: none */

    int64_t asked_ms;      /* monotonic, when the last question left */
    int64_t not_before_ms; /* monotonic: the service's word on the next one */
    unsigned asked;        /* questions since it was accepted */
    unsigned errors;       /* in a row */
    unsigned refusals;     /* in a row, of those that may pass */
    unsigned tries;        /* of the submission, or another request that may be sent again */
    unsigned lookups;      /* that found nothing */
    unsigned chain;        /* requests since the last question of our own accord */

    enum job_doing doing : 8;
    bool paid : 1; /* the request under way may make a job */
    bool has_turn : 1;
    bool doubtful : 1;   /* a paid request may have arrived, and nobody said what came of it */
    bool cancelled : 1;  /* wanted by the engine */
    bool cancel_due : 1; /* and not asked for yet */
    bool leaving : 1;
    bool refreshing : 1; /* the engine waits to hear of the next answer */
    bool soon : 1;       /* something happened there: no need to wait longer than the floor */
    bool single : 1;     /* the answer to many left it out: it asks by itself */
    bool placed : 1;     /* its place in the service's queue is in the timeline */
    bool warned : 1;     /* of a status that the adapter does not know */
    bool complained : 1; /* of a reply that the adapter cannot read */
    bool ended : 1;
};

/* ---- job.c: life ---- */

/* A job that does nothing yet; it becomes the attempt's driver_data. Ended by job_end, or job_discard before that. */
struct job *job_new(struct service *service, struct attempt *attempt);
/* Before anything was begun: gone, and nobody is told. */
void job_discard(struct job *job);
/* The same at once: nothing of it is on the stack. */
void job_forget(struct job *job);
/* Waits (0: until the loop's next turn), then takes its turn; what it was doing before, it does no more. */
void job_do(struct job *job, enum job_doing doing, int64_t delay_ms);
/* The same of a job that does nothing yet, in real milliseconds. */
void job_wait(struct job *job, enum job_doing doing, uint64_t real_ms);
/* Drops whatever is under way: timer, turn, exchange, batch. */
void job_stop(struct job *job);
/* The end: `done` is called and the job is gone at the loop's next turn. */
void job_end(struct job *job, const struct outcome *outcome);
/* The same with an output, which is borrowed: `done` sees it before this returns. */
void job_complete(struct job *job, struct json_t *output);
/* Ends it by a failure; one that a cancel came before is the cancel's work. */
void job_fail(struct job *job, const struct adapter_failure *failure, const struct exchange_reply *reply,
              enum job_fate fate);
/* The same of our own accord. */
void job_give_up(struct job *job, enum task_error error, bool retryable, enum job_fate fate, enum failure_scope scope,
                 const char *detail);
/* The engine wants to hear of an answer: it has come. */
void job_answer_refresh(struct job *job);
/* Whether a reply is the service's yes. */
bool job_reply_is_good(const struct exchange_reply *reply);

/* ---- job_value.c: what adapters see ---- */

/* The task; with its input only when `whole`. *ret is a new reference. */
enum err job_task_value(const struct job *job, bool whole, struct json_t **ret, struct fault *fault) must_check;
/* The job, with its task; the input is in it as long as there is no id. A new reference. */
struct json_t *job_value(struct job *job) must_check;
/* Before it waits for long: the value is larger than all the rest of it. */
void job_forget_value(struct job *job);
/* Id and state (JSON text; a NULL ptr: none) from now on; copied. `kept` is the same state, of which a reference may be
 * kept; NULL: it is read when it is wanted. True: it is another one than before. */
bool job_set_id(struct job *job, struct text id);
bool job_set_state(struct job *job, struct text state, const struct json_t *kept);
/* Appends the state's JSON text; there is one. */
void job_put_state(const struct job *job, struct buffer *buf);
/* Restores id, state and step: the first may be NULL, the others are of what `taken` was given. */
void job_restore(struct job *job, const char *id, const char *kept);

/* ---- submit.c: until the service has it ---- */

/* A request's two halves, here and below: X_request makes it (*ret is a new reference; a failure is the adapter's, or
 * the input's), X_replied is told what came of it, once, and decides what the job does next or ends it. */

/* The first submission. */
void submit_begin(struct job *job);
/* After a submission of which nothing is known. False: nobody can tell, and nothing was begun. */
bool submit_resolve(struct job *job, int64_t delay_ms);
/* Of a look-up as well. */
enum err submit_request(struct job *job, struct json_t **ret, struct fault *fault) must_check;
void submit_replied(struct job *job, const struct exchange_reply *reply);
/* The request could not even be made. */
void submit_impossible(struct job *job, const struct fault *fault);
void lookup_replied(struct job *job, const struct exchange_reply *reply);

/* ---- ask.c: until it ends ---- */

/* Does what a step says, of a job that has an id: ends it, follows the step's request, or waits to ask again. */
void ask_apply(struct job *job, const struct adapter_step *step, const struct exchange_reply *reply);
/* The same of the answer to a question: what failed before it counts no more, unless it only leads to another request. */
void ask_apply_answer(struct job *job, const struct adapter_step *step, const struct exchange_reply *reply);
/* The next question, by the plan. */
void ask_later(struct job *job, double delay_s);
/* As soon as the floor and the service's word let it: something happened there. */
void ask_soon(struct job *job);
/* A question came to nothing: later again, not before `delay_ms`. `words` are for the log. */
void ask_failed(struct job *job, int64_t delay_ms, const char *words);
enum err ask_request(struct job *job, struct json_t **ret, struct fault *fault) must_check;
void ask_replied(struct job *job, const struct exchange_reply *reply);
/* A reply to a question that is no yes. */
void ask_refused(struct job *job, const struct exchange_reply *reply);
/* Takes id, state and progress out of a step, and warns of a status that nobody knows. */
void ask_take(struct job *job, const struct adapter_step *step);

/* ---- cancel.c ---- */

/* The engine wants it cancelled: the service is asked, when there is a job to cancel; else it ends at once. The second
 * time it ends at once in any case. It may end before this returns. */
void job_cancel(struct job *job);
/* The server stops: it ends, and is left to the next start; only the reply to a paid submission is waited for. */
void job_leave(struct job *job);
/* Asks the service, when that is due and possible. False: not. */
bool cancel_begin(struct job *job);
/* NULL request: it cannot be cancelled any more. */
enum err cancel_request(struct job *job, struct json_t **ret, struct fault *fault) must_check;
void cancel_replied(struct job *job, const struct exchange_reply *reply);

/* ---- hook.c ---- */

/* A webhook came: when it is verified and of this job, what it tells counts, and may end the job; else it is a reason to
 * ask soon. What to answer, a new reference; NULL: nothing. */
struct json_t *job_hook(struct job *job, const struct hook_event *event);
