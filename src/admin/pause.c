/* Pausing and resuming, durable. */
#include "admin/pause.h"

#include <jansson.h>

#include "admin/record.h"
#include "base/clock.h"
#include "base/json.h"
#include "store/tx.h"

struct pause_job {
    struct store_job job;
    struct pause_row row;
    bool resume, changed;
};

static void carry_out(struct store_tx *tx, struct store_job *job) {
    static const char *const actions[PAUSE_KIND_COUNT][2] = {
        [PAUSE_PROVIDER] = { "provider.paused", "provider.resumed" },
        [PAUSE_MODEL] = { "model.paused", "model.resumed" },
    };
    struct pause_job *wish = container_of(job, struct pause_job, job);
    const struct pause_row *row = &wish->row;
    wish->changed = wish->resume ? store_tx_drop_pause(tx, row->kind, row->name) : store_tx_add_pause(tx, row);
    if (wish->changed)
        admin_record_json(tx, row->actor, actions[row->kind][wish->resume], 0, row->name,
                          json_pack("{s:s%}", "reason", row->reason.ptr, row->reason.len));
}

static enum err post(struct store *store, struct pause_job *job, bool *ret_changed, struct fault *fault) {
    enum err err = store_call(store, &job->job);
    if (err != OK)
        return fault_set(fault, err, "The pause could not be written.");
    *ret_changed = job->changed;
    return OK;
}

static struct text some(struct text reason) {
    return reason.ptr != NULL ? reason : TEXT("");
}

enum err admin_pause(struct store *store, struct text actor, enum pause_kind kind, struct text name,
                     struct text reason, bool *ret_changed, struct fault *fault) {
    struct pause_job job = { .job.run = carry_out, .row = { kind, name, clock_wall_ms(), actor, some(reason) } };
    return post(store, &job, ret_changed, fault);
}

enum err admin_resume(struct store *store, struct text actor, enum pause_kind kind, struct text name,
                      struct text reason, bool *ret_changed, struct fault *fault) {
    struct pause_job job = {
        .job.run = carry_out, .row = { kind, name, clock_wall_ms(), actor, some(reason) }, .resume = true,
    };
    return post(store, &job, ret_changed, fault);
}
