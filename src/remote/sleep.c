/* A job that only waits, packed: what is left of it when all is taken out that the next question makes anew. */
#include "remote/sleep.h"

#include <assert.h>
#include <jansson.h>

#include "base/lasting.h"
#include "remote/job.h"

struct sleeper {
    char *id, *step;   /* the job's own, as state is */
    const char *state;
    int64_t due_ms;    /* of the loop's time */
    int64_t asked_ms, not_before_ms;
    uint32_t asked;
    uint16_t errors, refusals, tries, lookups;
    bool doubtful : 1;
    bool soon : 1;
    bool single : 1;
    bool placed : 1;
    bool warned : 1;
    bool complained : 1;
};

static bool has_small_counts(const struct job *job) {
    return (job->errors | job->refusals | job->tries | job->lookups) <= UINT16_MAX;
}

static bool only_waits(const struct job *job) {
    return has_small_counts(job) && !job->ended && job->doing == DO_POLL && job->alarm.moment.place != 0 && job->id != NULL && !job->has_turn &&
           !job->turn.waiting && job->exchange == NULL && job->batch == NULL && job->next == NULL && job->lost == NULL &&
           !job->cancelled && !job->cancel_due && !job->leaving && !job->refreshing;
}

struct sleeper *job_sleep(struct job *job, int64_t least_ms, int64_t *ret_wait_ms) {
    int64_t now_ms = (int64_t)uv_now(job->service->host.loop);
    if (!only_waits(job) || job->alarm.moment.at_ms - now_ms < least_ms)
        return NULL;
    struct sleeper *sleeper = lasting_new(sizeof(*sleeper));
    *sleeper = (struct sleeper){
        .id = job->id,
        .step = job->step,
        .state = job->state,
        .due_ms = job->alarm.moment.at_ms,
        .asked_ms = job->asked_ms,
        .not_before_ms = job->not_before_ms,
        .asked = job->asked,
        .errors = (uint16_t)job->errors,
        .refusals = (uint16_t)job->refusals,
        .tries = (uint16_t)job->tries,
        .lookups = (uint16_t)job->lookups,
        .doubtful = job->doubtful,
        .soon = job->soon,
        .single = job->single,
        .placed = job->placed,
        .warned = job->warned,
        .complained = job->complained,
    };
    *ret_wait_ms = sleeper->due_ms > now_ms ? sleeper->due_ms - now_ms : 0;
    job->id = job->step = NULL;
    job->state = NULL;
    job_forget(job);
    return sleeper;
}

void job_wake(struct service *service, struct attempt *attempt, struct sleeper *sleeper) {
    struct job *job = job_new(service, attempt);
    int64_t left_ms = sleeper->due_ms - (int64_t)uv_now(service->host.loop);
    job->id = sleeper->id;
    job->step = sleeper->step;
    job->state = sleeper->state;
    job->asked_ms = sleeper->asked_ms;
    job->not_before_ms = sleeper->not_before_ms;
    job->asked = sleeper->asked;
    job->errors = sleeper->errors;
    job->refusals = sleeper->refusals;
    job->tries = sleeper->tries;
    job->lookups = sleeper->lookups;
    job->doubtful = sleeper->doubtful;
    job->soon = sleeper->soon;
    job->single = sleeper->single;
    job->placed = sleeper->placed;
    job->warned = sleeper->warned;
    job->complained = sleeper->complained;
    lasting_free(sleeper, sizeof(*sleeper));
    job_wait(job, DO_POLL, left_ms > 0 ? (uint64_t)left_ms : 0);
}
