/* GET /v1/tasks/{task_id}/events: how a task goes, as it happens: states, progress, and at the end the task itself.
 *
 * What is told are the rows of the task's timeline, as the store has them, so that a reader who comes back has all that it
 * missed, over a restart as well; only of the kinds named here, and never their data, which is for operators. Progress is
 * no row: the board's is told, when it is more than was told before.
 *
 * An event's id is the number of the last row that was told, a dot, and the last progress: whoever names it has had both. */
#include <stdlib.h>

#include "api/internal.h"
#include "api/task/wait_wish.h"
#include "base/json.h"
#include "base/memory.h"
#include "engine/view/wait.h"

#define HEARTBEAT_MS 15000
#define DATA_MAX 256
#define ROWS_AT_ONCE 64

/* Where a reader is. */
struct place {
    int sequence; /* of the last row told */
    int progress; /* the last one told */
};

struct following {
    struct exchange *exchange;
    struct engine *engine;
    struct store *store;
    int64_t account;
    struct task_id id;
    struct text base;
    struct wait *wait;
    struct place told;
    int read;        /* the last row looked at */
    uint64_t seen;   /* all rows were looked at that were there when this was the latest */
    bool behind;     /* there are more rows to be looked at */
    bool queued;     /* the last state told is pending */
    bool ends;       /* the row of its end was reached */
    bool counted;    /* it has a place among those of the account that wait */
    struct buffer body; /* the task, at its end */
    size_t sent;     /* bytes of it */
};

static struct following *following_of(struct exchange *exchange) {
    return call_of(exchange)->work;
}

static void release_following(void *pointer) {
    struct following *following = pointer;
    wait_free(following->wait);
    if (following->counted)
        engine_waiter_end(following->engine, following->account);
    buffer_fini(&following->body);
    free(following);
}

/* ---- events ---- */

/* What clients hear of; all other rows are for operators. */
static const struct kind {
    struct text row;
    const char *event;
    enum task_state state;
} kinds[] = {
    { TEXT("accepted"), "state", TASK_PENDING },       { TEXT("dispatched"), "state", TASK_PROCESSING },
    { TEXT("submitted"), "timeline", TASK_PROCESSING }, { TEXT("retried"), "state", TASK_PENDING },
    { TEXT("returned"), "state", TASK_PENDING },       { TEXT("recovered"), "state", TASK_PENDING },
    { TEXT("completed"), "done", TASK_COMPLETED },     { TEXT("failed"), "done", TASK_FAILED },
    { TEXT("cancelled"), "done", TASK_FAILED },
};

static const struct kind *find_kind(struct text row) {
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (text_equal(kinds[i].row, row))
            return &kinds[i];
    return NULL;
}

static void put_head(struct buffer *buf, const struct place *told, const char *event) {
    buffer_printf(buf, "id: %d.%d\nevent: %s\ndata: ", told->sequence, told->progress, event);
}

/* `row` NULL: none, it is progress alone. */
static void put_event(struct buffer *buf, const struct place *told, const char *event, enum task_state state,
                      const struct event_row *row) {
    struct json_writer json;

    put_head(buf, told, event);
    json_begin(&json, buf);
    json_object_begin(&json);
    json_key(&json, "status");
    json_string_or_null(&json, task_state_name(state));
    json_key(&json, "progress");
    json_i64(&json, told->progress);
    if (row != NULL) {
        json_key(&json, "kind");
        json_text(&json, row->kind);
        json_key(&json, "at");
        json_i64(&json, row->at_ms / 1000);
    }
    json_object_end(&json);
    buffer_put(buf, TEXT("\n\n"));
}

/* ---- rows ---- */

struct page {
    struct following *following;
    struct buffer *buf;
    bool final; /* the task is shown with its end */
    unsigned rows;
};

/* The row of the end waits until the task is shown so, too: a moment later. */
static bool tell_row(const struct event_row *row, void *context) {
    struct page *page = context;
    struct following *following = page->following;
    const struct kind *kind = find_kind(row->kind);

    if (kind != NULL && task_state_final(kind->state)) {
        following->ends = page->final;
        following->told.sequence = page->final ? row->sequence : following->told.sequence;
        return false;
    }
    following->read = row->sequence;
    if (kind != NULL) {
        following->told.sequence = row->sequence;
        following->queued = kind->state == TASK_PENDING;
        put_event(page->buf, &following->told, kind->event, kind->state, row);
    }
    return ++page->rows < ROWS_AT_ONCE;
}

static enum err tell_rows(struct following *following, const struct task_look *look, struct buffer *buf) {
    struct page page = { .following = following, .buf = buf, .final = task_state_final(look->state) };

    enum err err = store_list_events_after(following->store, following->account, &following->id, following->read,
                                           tell_row, &page);
    following->behind = page.rows == ROWS_AT_ONCE;
    if (!following->behind)
        following->seen = look->latest;
    return err;
}

/* ---- the end ---- */

static enum stream_pull tell_end(struct following *following, const struct task_look *look, struct buffer *buf) {
    if (engine_query(following->engine, following->account, &following->id, following->base, &following->body) != OK)
        return STREAM_CUT;
    following->told.progress = look->state == TASK_COMPLETED ? 100 : look->progress;
    put_head(buf, &following->told, "done");
    return STREAM_MORE;
}

/* A part at a time: it can be long. */
static enum stream_pull send_body(struct following *following, struct buffer *buf, size_t room) {
    size_t left = following->body.len - following->sent, count = left < room ? left : room;

    buffer_put(buf, (struct text){ following->body.data + following->sent, count });
    following->sent += count;
    if (count < left)
        return STREAM_MORE;
    buffer_put(buf, TEXT("\n\n"));
    return STREAM_END;
}

/* ---- the stream ---- */

/* Any thread. */
static void changed(void *context) {
    http_stream_wake(context);
}

static void tell_progress(struct following *following, const struct task_look *look, struct buffer *buf) {
    if (look->state != TASK_PROCESSING || following->queued || look->progress <= following->told.progress)
        return;
    following->told.progress = look->progress;
    put_event(buf, &following->told, "progress", look->state, NULL);
}

/* Nothing more now. */
static enum stream_pull rest(struct following *following, const struct task_look *look) {
    struct task_look again;

    if (!look->live)
        return STREAM_CUT; /* it is not run by this server, nor has it ended */
    if (wait_begin(following->wait, look->latest, 0))
        return STREAM_WAIT;
    if (engine_look(following->engine, following->account, &following->id, &again) != OK ||
        (again.live && again.latest == look->latest))
        return STREAM_CUT; /* the server stops: whoever comes again goes on from here */
    return STREAM_MORE;
}

static enum stream_pull pull(struct exchange *exchange, struct buffer *buf, size_t room) {
    struct following *following = following_of(exchange);
    struct task_look look;
    size_t before = buf->len;

    if (following->ends)
        return send_body(following, buf, room);
    if (wait_is_awaited(following->wait)) /* woken for a heartbeat */
        return STREAM_WAIT;
    if (engine_look(following->engine, following->account, &following->id, &look) != OK)
        return STREAM_CUT;
    if ((!look.live || look.latest != following->seen) && tell_rows(following, &look, buf) != OK)
        return STREAM_CUT;
    if (following->ends)
        return tell_end(following, &look, buf);
    if (!following->behind)
        tell_progress(following, &look, buf);
    return following->behind || buf->len > before ? STREAM_MORE : rest(following, &look);
}

static void ended(struct exchange *exchange, bool whole) {
    (void)whole;
    wait_end(following_of(exchange)->wait);
}

/* ---- the request ---- */

static bool parse_place(struct text value, struct place *ret) {
    struct text rest = value;
    int64_t sequence, progress = 0;
    bool dotted = text_find(value, '.') < value.len;

    if (!text_to_i64(text_cut(&rest, '.'), &sequence) || (dotted && !text_to_i64(rest, &progress)))
        return false;
    *ret = (struct place){ (int)sequence, (int)progress };
    return sequence >= 0 && sequence <= INT32_MAX && progress >= 0 && progress <= 100;
}

/* The header goes before the query: a browser that resumes sends it with the URL that it began with. `last` is the task's
 * last row. */
static enum err read_place(struct exchange *exchange, int last, struct place *ret, struct fault *fault) {
    struct text value = exchange_header(exchange, HEADER_LAST_EVENT_ID);
    const char *name = "Last-Event-ID";

    if (value.len == 0 && exchange_query(exchange, TEXT("after"), &value))
        name = "after";
    if (value.ptr != NULL && value.len > 0 && (!parse_place(value, ret) || ret->sequence > last))
        return fault_set_param(fault, ERR_INVALID_PARAM, name, "%s must be the id of an event of this task.", name);
    return OK;
}

/* The first row of an end stops the list. */
static bool find_end(const struct event_row *row, void *context) {
    const struct kind *kind = find_kind(row->kind);
    bool *found = context;
    *found = kind != NULL && task_state_final(kind->state);
    return !*found;
}

/* Whether there is anything to be told to who is at that place, now or later. */
static enum err has_more(const struct following *following, bool *ret) {
    struct task_look look;
    enum err err = engine_look(following->engine, following->account, &following->id, &look);

    *ret = err == OK && look.live;
    if (err != OK || look.live)
        return err;
    return store_list_events_after(following->store, following->account, &following->id, following->told.sequence,
                                   find_end, ret);
}

/* A task without rows is one of a call that runs: its client has the answer itself. */
static enum err open_place(struct following *following, struct fault *fault) {
    int last = 0;
    enum err err = store_last_event(following->store, following->account, &following->id, &last);

    if (err == OK && last == 0)
        err = ERR_TASK_NOT_FOUND;
    if (err == ERR_TASK_NOT_FOUND)
        return fault_set(fault, err, "There is no task with this id.");
    if (err != OK)
        return fault_set(fault, err, "The task cannot be read.");
    return read_place(following->exchange, last, &following->told, fault);
}

static enum err open_following(struct exchange *exchange, struct following **ret, struct fault *fault) {
    struct call *call = call_of(exchange);
    struct task_id id;

    if (!task_id_parse(exchange_segment(exchange, TEXT("task_id")), &id))
        return fault_set_param(fault, ERR_INVALID_TASK_ID, "task_id", "This is not a task id.");
    struct following *following = mem_new(sizeof *following);
    following->exchange = exchange;
    following->engine = call->api->engine;
    following->store = call->api->store;
    following->account = call->account.id;
    following->id = id;
    buffer_init(&following->body, TASK_ANSWER_MAX);
    following->wait = engine_wait_new(following->engine, following->account, &id, WAIT_FOR_TIMELINE, changed, exchange);
    call->work = following;
    call->release_work = release_following;
    enum err err = open_place(following, fault);
    if (err == OK)
        err = request_base(exchange, call->setup->config, &following->base, fault);
    following->read = following->told.sequence;
    *ret = following;
    return err;
}

static void follow(struct exchange *exchange) {
    static const struct stream_source source = {
        .pull = pull, .ended = ended, .heartbeat = { ": heartbeat\n\n", 13 }, .heartbeat_ms = HEARTBEAT_MS
    };
    struct fault fault = { .err = OK };
    struct following *following = NULL;
    bool more = false;

    enum err err = open_following(exchange, &following, &fault);
    if (err == OK && (err = has_more(following, &more)) != OK)
        fault_set(&fault, err, "The task cannot be read.");
    if (err == OK && more) {
        err = wait_take_place(call_of(exchange), &fault);
        following->counted = err == OK;
    }
    if (err != OK)
        refuse(exchange, &fault);
    else if (more)
        reply_stream(exchange, 200, "text/event-stream", &source);
    else
        reply_empty(exchange, 204); /* an EventSource then comes no more */
}

/* A call's end is answered before it is written, a moment later. */
static bool is_to_be_written(const struct call *call, struct text name) {
    struct task_id id;
    struct task_look look;
    int last = 0;

    return task_id_parse(name, &id) && engine_look(call->api->engine, call->account.id, &id, &look) == OK && !look.live &&
           store_last_event(call->api->store, call->account.id, &id, &last) == OK && last == 0;
}

void handle_task_events(struct exchange *exchange) {
    const struct call *call = call_of(exchange);

    if (is_to_be_written(call, exchange_segment(exchange, TEXT("task_id"))))
        answer_settled(exchange, follow);
    else
        follow(exchange);
}
