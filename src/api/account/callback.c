/* GET /v1/callbacks, GET /v1/callbacks/{callback_id}, POST /v1/callbacks/{callback_id}/replay: what became of an account's callbacks. */
#include "api/account/callback.h"

#include "api/list.h"
#include "base/clock.h"
#include "base/json.h"
#include "callback/callbacks.h"
#include "callback/ladder.h"

#define LIST_DEFAULT 20
#define LIST_MAX 100

/* ---- one delivery in JSON ---- */

void callback_put_time(struct json_writer *json, const char *key, int64_t ms) {
    json_key(json, key);
    if (ms > 0)
        json_i64(json, ms / 1000);
    else
        json_null_value(json);
}

static void put_status(struct json_writer *json, int status) {
    json_key(json, "http_status");
    if (status > 0)
        json_i64(json, status);
    else
        json_null_value(json);
}

/* Leaves the object open, for its tries. */
static void put_callback(struct json_writer *json, const struct callback_row *row) {
    json_object_begin(json);
    json_key(json, "id");
    json_text(json, text_of(row->id));
    json_key(json, "object");
    json_text(json, TEXT("callback"));
    json_key(json, "task_id");
    json_text(json, task_id_text(&row->task));
    json_key(json, "test");
    json_bool(json, row->test);
    json_key(json, "url");
    json_text(json, row->url);
    json_key(json, "status");
    json_text(json, text_of(callback_state_name(row->state)));
    json_key(json, "outcome");
    json_string_or_null(json, row->outcome.len > 0 ? row->outcome.ptr : NULL);
    put_status(json, row->status);
    json_key(json, "try_count");
    json_i64(json, row->tries);
    callback_put_time(json, "created", row->created_ms);
    callback_put_time(json, "due", row->state == CALLBACK_DUE ? row->due_ms : 0);
    callback_put_time(json, "ended", row->ended_ms);
}

static bool put_try(const struct callback_try_row *row, void *context) {
    struct json_writer *json = context;
    json_object_begin(json);
    json_key(json, "number");
    json_i64(json, row->number);
    callback_put_time(json, "at", row->at_ms);
    json_key(json, "duration_ms");
    json_i64(json, row->duration_ms);
    json_key(json, "outcome");
    json_text(json, row->outcome);
    put_status(json, row->status);
    json_key(json, "excerpt");
    json_text(json, row->excerpt);
    json_object_end(json);
    return true;
}

static enum err find(struct exchange *exchange, struct text id, struct callback_row *ret, struct fault *fault) {
    const struct call *call = call_of(exchange);
    enum err err = store_find_callback(call->api->store, call->account.id, id, exchange_arena(exchange), ret);
    if (err == ERR_NOT_FOUND)
        return fault_set(fault, ERR_CALLBACK_NOT_FOUND, "There is no callback with this id.");
    return err == OK ? OK : fault_set(fault, err, "The callback cannot be read.");
}

static enum err render(struct exchange *exchange, struct text id, struct buffer *body, struct fault *fault) {
    const struct call *call = call_of(exchange);
    struct callback_row row;
    struct json_writer json;
    enum err err = find(exchange, id, &row, fault);
    if (err != OK)
        return err;
    json_begin(&json, body);
    put_callback(&json, &row);
    json_key(&json, "tries");
    json_array_begin(&json);
    err = store_list_callback_tries(call->api->store, call->account.id, id, put_try, &json);
    json_array_end(&json);
    json_object_end(&json);
    return err == OK ? OK : fault_set(fault, err, "The tries of a callback cannot be read.");
}

void callback_reply(struct exchange *exchange, struct text id) {
    struct fault fault = { .err = OK };
    struct buffer body;
    buffer_init(&body, CALLBACK_ANSWER_MAX);
    if (render(exchange, id, &body, &fault) == OK) {
        reply_json(exchange, &body);
        return;
    }
    buffer_fini(&body);
    refuse(exchange, &fault);
}

enum err callback_read_id(struct exchange *exchange, struct text *ret, struct fault *fault) {
    struct text id = exchange_segment(exchange, TEXT("callback_id"));
    if (id.len == 0 || id.len >= CALLBACK_ID_SIZE)
        return fault_set(fault, ERR_CALLBACK_NOT_FOUND, "There is no callback with this id.");
    *ret = id;
    return OK;
}

void handle_callback(struct exchange *exchange) {
    struct fault fault = { .err = OK };
    struct text id;
    if (callback_read_id(exchange, &id, &fault) == OK)
        callback_reply(exchange, id);
    else
        refuse(exchange, &fault);
}

/* ---- the list ---- */

struct listing {
    struct json_writer json;
    unsigned limit, count;
    char last[CALLBACK_ID_SIZE];
    bool more;
};

struct list_words {
    enum callback_state state;
    struct task_id task;
};

static enum err read_after(struct exchange *exchange, struct callback_filter *filter, struct fault *fault) {
    const struct call *call = call_of(exchange);
    struct callback_row row;
    struct text after;
    if (!exchange_query(exchange, TEXT("after"), &after))
        return OK;
    enum err err = store_find_callback(call->api->store, call->account.id, after, exchange_arena(exchange), &row);
    if (err == ERR_NOT_FOUND)
        return list_bad_after(fault);
    if (err != OK)
        return fault_set(fault, err, "The callbacks cannot be read.");
    filter->before = row.number;
    return OK;
}

static enum err read_filter(struct exchange *exchange, struct callback_filter *filter, struct list_words *words,
                            struct fault *fault) {
    struct text value;
    unsigned limit = LIST_DEFAULT;
    enum err err = list_read_limit(exchange, LIST_MAX, &limit, fault);
    if (err != OK)
        return err;
    if (exchange_query(exchange, TEXT("status"), &value)) {
        if (!callback_state_parse(value, &words->state))
            return fault_set_param(fault, ERR_NOT_ALLOWED_VALUE, "status",
                                   "status must be waiting, due, delivered or given_up.");
        filter->state = &words->state;
    }
    if (exchange_query(exchange, TEXT("task_id"), &value)) {
        if (!task_id_parse(value, &words->task))
            return fault_set_param(fault, ERR_INVALID_TASK_ID, "task_id", "This is not a task id.");
        filter->task = &words->task;
    }
    filter->limit = limit + 1; /* whether there are more */
    return read_after(exchange, filter, fault);
}

static bool list_one(const struct callback_row *row, void *context) {
    struct listing *listing = context;
    if (listing->count == listing->limit) {
        listing->more = true;
        return false;
    }
    listing->count++;
    memcpy(listing->last, row->id, sizeof(listing->last));
    put_callback(&listing->json, row);
    json_object_end(&listing->json);
    return true;
}

static enum err list(struct exchange *exchange, struct buffer *body, struct fault *fault) {
    const struct call *call = call_of(exchange);
    struct callback_filter filter = { .account = call->account.id }; /* S2 */
    struct list_words words;
    struct listing listing = { .count = 0 };
    enum err err = read_filter(exchange, &filter, &words, fault);
    if (err != OK)
        return err;
    listing.limit = filter.limit - 1;
    json_begin(&listing.json, body);
    list_begin(&listing.json);
    err = store_list_callbacks(call->api->store, &filter, list_one, &listing);
    list_end(&listing.json, listing.more ? listing.last : NULL);
    return err == OK ? OK : fault_set(fault, err, "The callbacks cannot be read.");
}

void handle_callbacks(struct exchange *exchange) {
    struct fault fault = { .err = OK };
    struct buffer body;
    buffer_init(&body, CALLBACK_ANSWER_MAX);
    if (list(exchange, &body, &fault) == OK) {
        reply_json(exchange, &body);
        return;
    }
    buffer_fini(&body);
    refuse(exchange, &fault);
}

/* ---- jobs ---- */

/* Writer's thread. */
static void done(struct store_job *job, enum err err) {
    struct callback_work *work = container_of(job, struct callback_work, job);
    work->err = err;
    http_resume(work->exchange);
}

void callback_post(struct callback_work *work, struct exchange *exchange,
                   void (*run)(struct store_tx *tx, struct store_job *job), void (*go_on)(struct exchange *exchange)) {
    struct call *call = call_of(exchange);
    work->exchange = exchange;
    work->job = (struct store_job){ .run = run, .done = done };
    call->work = work;
    exchange_suspend(exchange, go_on);
    enum err err = store_post(call->api->store, &work->job);
    if (err != OK)
        done(&work->job, err);
}

/* ---- once more ---- */

struct replay {
    struct callback_work work;
    int64_t account;
    struct text id;
};

static void write_replay(struct store_tx *tx, struct store_job *job) {
    const struct replay *replay = container_of(job, struct replay, work.job);
    int64_t now_ms = clock_wall_ms();
    store_tx_replay_callback(tx, replay->account, replay->id, now_ms, ladder_deadline_ms(now_ms), false);
}

static void replayed(struct exchange *exchange) {
    const struct call *call = call_of(exchange);
    const struct replay *replay = call->work;
    struct callback_row row;
    struct fault fault = { .err = OK };
    if (replay->work.err == OK) {
        callbacks_hurry(engine_callbacks(call->api->engine), replay->account, replay->id);
        callback_reply(exchange, replay->id);
        return;
    }
    enum err err = replay->work.err;
    if (err == ERR_NOT_FOUND && find(exchange, replay->id, &row, &fault) == OK)
        fault_set(&fault, ERR_TASK_OPEN, "The task has not ended yet; its callback comes when it does.");
    else if (err != ERR_NOT_FOUND)
        fault_set(&fault, err, "The callback cannot be sent again now.");
    refuse(exchange, &fault);
}

void handle_callback_replay(struct exchange *exchange) {
    const struct call *call = call_of(exchange);
    struct replay *replay = arena_alloc(exchange_arena(exchange), sizeof(*replay));
    struct fault fault = { .err = OK };
    enum err err = replay != NULL ? OK : fault_set(&fault, ERR_NO_MEMORY, "No memory for a job.");
    if (err == OK)
        err = callback_read_id(exchange, &replay->id, &fault);
    if (err != OK) {
        refuse(exchange, &fault);
        return;
    }
    replay->account = call->account.id;
    callback_post(&replay->work, exchange, write_replay, replayed);
}
