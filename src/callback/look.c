/* A look into the store, on the pool: which lanes have something due, what is due in those that have a place, and all
 * that is to be sent of it. One look at a time. */
#include <assert.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "callback/gate.h"
#include "callback/inside.h"
#include "callback/ladder.h"

#define HELD_MAX 32 /* rows of a lane that wait for their answer and are read past */
#define ROW_BYTES_MAX 16384

/* ---- lanes that have something due ---- */

static bool found_lane(struct look *look, int64_t account, struct text name, int64_t due_ms, bool hurry) {
    if (look->found_count == look->found_max)
        return false;
    struct found_lane *found = &look->found[look->found_count++];
    *found = (struct found_lane){ .account = account, .due_ms = due_ms, .hurry = hurry };
    snprintf(found->name, sizeof(found->name), "%.*s", TEXT_ARG(text_clip(name, sizeof(found->name) - 1)));
    return true;
}

static bool found_row(const struct callback_row *row, void *context) {
    return found_lane(context, row->account, row->lane, row->due_ms, false);
}

static enum err follow_task(struct look *look, const struct note *note) {
    static const enum callback_state due = CALLBACK_DUE;
    struct task_id task;
    memcpy(task.string, note->name, sizeof(task.string));
    const struct callback_filter filter = {
        .account = note->account, .task = &task, .state = &due, .limit = NOTE_FOUND_MAX
    };
    return store_list_callbacks(look->callbacks->store, &filter, found_row, look);
}

static enum err follow_id(struct look *look, const struct note *note) {
    struct callback_row row;
    struct arena arena;
    arena_init(&arena, ROW_BYTES_MAX);
    enum err err =
        store_find_callback(look->callbacks->store, note->account, text_of(note->name), &arena, &row);
    if (err == OK && row.state == CALLBACK_DUE)
        found_lane(look, row.account, row.lane, row.due_ms, true);
    arena_fini(&arena);
    return err == ERR_NOT_FOUND ? OK : err;
}

static bool scanned(int64_t account, struct text lane, int64_t due_ms, void *context) {
    struct look *look = context;
    look->scan_account = account;
    snprintf(look->scan_lane, sizeof(look->scan_lane), "%.*s", TEXT_ARG(text_clip(lane, sizeof(look->scan_lane) - 1)));
    return found_lane(look, account, lane, due_ms, false);
}

static enum err scan(struct look *look) {
    struct store *store = look->callbacks->store;
    char from[CALLBACK_LANE_SIZE];
    unsigned before = look->found_count;
    if (look->scan_account == 0 && store_count_due_callbacks(store, &look->due_count) != OK)
        look->due_count = -1;
    memcpy(from, look->scan_lane, sizeof(from));
    enum err err = store_list_callback_lanes(store, look->scan_account, text_of(from), LOOK_FOUND_MAX, scanned, look);
    look->scan_over = look->found_count - before < LOOK_FOUND_MAX;
    return err;
}

/* ---- what is due in a lane ---- */

struct lane_reading {
    struct look *look;
    struct look_lane *lane;
    int64_t now_ms;
    unsigned taken;
};

static bool is_under_way(const struct look_lane *lane, const char *id) {
    for (unsigned i = 0; i < lane->skip_count; i++)
        if (strcmp(lane->skip[i], id) == 0)
            return true;
    return false;
}

/* Not due as long as that may be true: a clock set back by a day does not hold up a ladder of seconds. Whoever answered,
 * whatever the status, may have asked for a time. */
static bool is_due(const struct callback_row *row, int64_t now_ms) {
    bool asked = row->status != 0;
    return row->due_ms <= now_ms || row->due_ms - now_ms > ladder_delay_max_ms((unsigned)row->rung, asked);
}

static bool take_row(const struct callback_row *row, void *context) {
    struct lane_reading *reading = context;
    struct look_lane *lane = reading->lane;
    if (!is_due(row, reading->now_ms)) {
        lane->next_due_ms = row->due_ms;
        return false;
    }
    if (is_under_way(lane, row->id))
        return true;
    if (!row->test && gate_holds(reading->look->callbacks->gate, row->account, &row->task)) { /* W1 */
        lane->held = true;
        return true;
    }
    if (reading->taken == lane->want) {
        lane->more = true;
        return false;
    }
    struct delivery *delivery = delivery_new(reading->look->callbacks, row);
    STAILQ_INSERT_TAIL(&lane->found, delivery, link);
    reading->taken++;
    return true;
}

static enum err give_up(struct delivery *delivery, const char *why) {
    delivery->kind = DELIVERY_GIVE_UP;
    delivery->row.state = CALLBACK_GIVEN_UP;
    delivery->row.ended_ms = clock_wall_ms();
    delivery->row.outcome = text_of(why);
    return OK;
}

static enum err put_body(struct callbacks *callbacks, struct delivery *delivery) {
    const struct callback_row *row = &delivery->row;
    enum err err = OK;
    if (row->test)
        callback_put_test_body(&delivery->body, row);
    else
        err = callbacks->options.render(callbacks->options.context, row->account, &row->task, row->base, &delivery->body);
    if (err == OK && !buffer_ok(&delivery->body))
        err = ERR_NO_MEMORY;
    return err;
}

struct secret_job {
    struct store_job job;
    int64_t account;
    char secret[CALLBACK_SECRET_SIZE];
};

static void write_secret(struct store_tx *tx, struct store_job *job) {
    struct secret_job *secret = container_of(job, struct secret_job, job);
    store_tx_rotate_callback_secret(tx, secret->account, text_of(secret->secret), clock_wall_ms(), 0);
}

/* An account whose secrets are gone gets one: nothing is sent unsigned. */
static enum err read_secrets(struct callbacks *callbacks, int64_t account,
                             struct callback_secret_row ret[CALLBACK_SECRETS_MAX], unsigned *ret_count) {
    enum err err = store_list_callback_secrets(callbacks->store, account, clock_wall_ms(), ret, ret_count);
    if (err != OK || *ret_count > 0)
        return err;
    struct secret_job job = { .job.run = write_secret, .account = account };
    signature_secret_new(job.secret);
    err = store_call(callbacks->store, &job.job);
    explicit_bzero(job.secret, sizeof(job.secret));
    if (err == OK)
        err = store_list_callback_secrets(callbacks->store, account, clock_wall_ms(), ret, ret_count);
    return err == OK && *ret_count == 0 ? ERR_NOT_FOUND : err;
}

static enum err sign(struct callbacks *callbacks, struct delivery *delivery) {
    struct callback_secret_row secrets[CALLBACK_SECRETS_MAX];
    struct buffer message;
    unsigned count = 0;
    enum err err = read_secrets(callbacks, delivery->row.account, secrets, &count);
    if (err != OK)
        return err;
    snprintf(delivery->timestamp, sizeof(delivery->timestamp), "%lld", (long long)(clock_wall_ms() / 1000));
    buffer_init(&message, BODY_MAX + 256);
    buffer_printf(&message, "%s.%s.", delivery->row.id, delivery->timestamp);
    buffer_put(&message, buffer_text(&delivery->body));
    err = buffer_ok(&message) ? signature_make(secrets, count, buffer_text(&message), delivery->signature) : ERR_NO_MEMORY;
    buffer_fini(&message);
    explicit_bzero(secrets, sizeof(secrets));
    return err;
}

static enum err make_ready(struct callbacks *callbacks, struct delivery *delivery) {
    struct callback_row *row = &delivery->row;
    int64_t gone_until_ms = 0;
    enum err err = OK;
    if (!row->test)
        err = store_find_callback_gone(callbacks->store, row->account, row->url, clock_wall_ms(), &gone_until_ms);
    if (err == OK && gone_until_ms > 0)
        return give_up(delivery, "gone");
    if (err == OK)
        err = put_body(callbacks, delivery);
    if (err == ERR_TASK_NOT_FOUND)
        return give_up(delivery, "task_gone");
    return err == OK ? sign(callbacks, delivery) : err;
}

/* Those that are too much at a time are left to the next look, those that cannot be made ready to one in a while; past
 * their deadline these end. */
static void make_all_ready(struct look *look, struct look_lane *lane) {
    struct delivery_list found = STAILQ_HEAD_INITIALIZER(found);
    struct delivery *delivery;
    STAILQ_CONCAT(&found, &lane->found);
    while ((delivery = STAILQ_FIRST(&found)) != NULL) {
        STAILQ_REMOVE_HEAD(&found, link);
        if (look->bytes_left == 0) {
            lane->more = true;
            delivery_free(delivery);
            continue;
        }
        enum err err = make_ready(look->callbacks, delivery);
        if (err != OK && clock_wall_ms() >= delivery->row.deadline_ms)
            err = give_up(delivery, "unreadable");
        if (err != OK) {
            lane->err = err;
            delivery_free(delivery);
            continue;
        }
        size_t bytes = delivery->body.len;
        look->bytes_left = bytes < look->bytes_left ? look->bytes_left - bytes : 0;
        STAILQ_INSERT_TAIL(&lane->found, delivery, link);
    }
}

static void look_into(struct look *look, struct look_lane *lane) {
    struct lane_reading reading = { .look = look, .lane = lane, .now_ms = clock_wall_ms() };
    unsigned limit = lane->want + lane->skip_count + HELD_MAX + 1;
    STAILQ_INIT(&lane->found);
    lane->err = store_list_due_callbacks(look->callbacks->store, lane->account, text_of(lane->name), limit, take_row,
                                         &reading);
    make_all_ready(look, lane);
    if (lane->err != OK)
        log_event(LOG_WARNING, "callbacks that are due cannot be read", LOG_S("error", err_info(lane->err)->name));
}

void look_work(uv_work_t *work) {
    struct look *look = container_of(work, struct look, work);
    enum err err = OK;
    for (unsigned i = 0; i < look->lane_count; i++)
        look_into(look, &look->lanes[i]);
    for (unsigned i = 0; i < look->note_count && err == OK; i++)
        err = look->notes[i].hurry ? follow_id(look, &look->notes[i]) : follow_task(look, &look->notes[i]);
    if (look->scan && err == OK)
        err = scan(look);
    look->err = err;
    if (err != OK)
        log_event(LOG_WARNING, "the lanes of callbacks cannot be read", LOG_S("error", err_info(err)->name));
}

void look_free(struct look *look) {
    for (unsigned i = 0; i < look->lane_count; i++)
        free(look->lanes[i].skip);
    free(look->found);
    look->found = NULL;
    look->lane_count = look->note_count = look->found_count = 0;
}
