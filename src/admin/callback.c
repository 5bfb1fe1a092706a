/* Callbacks: sent anew; and the secrets that sign them. */
#include "admin/callback.h"

#include <jansson.h>

#include "admin/record.h"
#include "base/clock.h"
#include "base/memory.h"
#include "store/callback.h"

struct replay_job {
    struct store_job job;
    struct text actor, reason;
    const struct callback_row *callback;
    int64_t deadline_ms;
    bool announce;
};

static void replay(struct store_tx *tx, struct store_job *job) {
    const struct replay_job *wish = container_of(job, struct replay_job, job);
    const struct callback_row *callback = wish->callback;
    store_tx_replay_callback(tx, callback->account, text_of(callback->id), clock_wall_ms(), wish->deadline_ms,
                             wish->announce);
    admin_record_json(tx, wish->actor, "callback.replayed", callback->account, text_of(callback->id),
                      json_pack("{s:s, s:s%}", "task", callback->task.string, "reason",
                                wish->reason.ptr != NULL ? wish->reason.ptr : "", wish->reason.len));
}

enum err admin_callback_replay(struct store *store, struct text actor, const struct callback_row *callback,
                               struct text reason, int64_t deadline_ms, bool announce, struct fault *fault) {
    struct replay_job wish = { .job.run = replay, .actor = actor, .reason = reason, .callback = callback,
                               .deadline_ms = deadline_ms, .announce = announce };
    enum err err = store_call(store, &wish.job);
    if (err == ERR_NOT_FOUND && callback->state == CALLBACK_WAITING)
        return fault_set(fault, ERR_TASK_OPEN, "The task has not ended yet; its callback comes when it does.");
    if (err == ERR_NOT_FOUND)
        return fault_set(fault, ERR_CALLBACK_NOT_FOUND, "There is no such callback any more.");
    return err == OK ? OK : fault_set(fault, err, "The callback cannot be sent again now.");
}

struct rotate_job {
    struct store_job job;
    struct text actor, secret;
    int64_t account, until_ms;
};

static void rotate(struct store_tx *tx, struct store_job *job) {
    const struct rotate_job *wish = container_of(job, struct rotate_job, job);
    int64_t now_ms = clock_wall_ms();
    store_tx_rotate_callback_secret(tx, wish->account, wish->secret, now_ms, wish->until_ms);
    admin_record_json(tx, wish->actor, "callback.secret_rotated", wish->account, TEXT(""),
                      json_pack("{s:I}", "overlap_s", (json_int_t)((wish->until_ms - now_ms + 500) / 1000)));
}

enum err admin_callback_secret_rotate(struct store *store, struct text actor, int64_t account, struct text secret,
                                      int64_t until_ms, struct fault *fault) {
    struct rotate_job wish = { .job.run = rotate, .actor = actor, .account = account, .secret = secret,
                               .until_ms = until_ms };
    enum err err = store_call(store, &wish.job);
    return err == OK ? OK : fault_set(fault, err, "The secret could not be stored.");
}
