/* GET /v1/tasks: many tasks at once, each as the task query answers it; either those named by ids, in the order named, or the
 * account's, newest first, of a status, type or model.
 *
 * A list is bounded three ways (S3): by number, by bytes, and by the rows that are gone through for a filter that few tasks
 * meet. Wherever it stops early, has_more is true and `next` says behind which task to go on; so a page may have fewer
 * tasks than were asked for, and even none, before the last one. */
#include <stdlib.h>

#include "api/internal.h"
#include "api/list.h"
#include "base/memory.h"
#include "engine/view/wait.h"

#define IDS_MAX 100
#define LIMIT_DEFAULT 20
#define LIMIT_MAX 100
#define ROWS_MAX 10000                 /* gone through for one page */
#define LIST_BYTES ((size_t)8 << 20)   /* of tasks in one answer; a first one that is longer is alone */
#define AROUND_MAX ((size_t)4096)      /* bytes around these */
#define MODEL_NAME_MAX 200

struct listing {
    struct task_id ids[IDS_MAX]; /* to be answered, in this order */
    unsigned count, limit;
    struct task_id next;
    bool has_more;

    bool continues; /* behind `after` */
    struct task_id after;
    bool of_state, of_type;
    enum task_state state;
    enum task_type type;
    struct text model; /* ptr NULL: any */
    unsigned rows;
};

/* ---- what is asked for ---- */

static enum err read_after(struct exchange *exchange, struct listing *listing, struct fault *fault) {
    struct text value;

    listing->continues = exchange_query(exchange, TEXT("after"), &value);
    if (listing->continues && !task_id_parse(value, &listing->after))
        return list_bad_after(fault);
    return OK;
}

static enum err read_filter(struct exchange *exchange, struct listing *listing, struct fault *fault) {
    struct text value;

    listing->of_state = exchange_query(exchange, TEXT("status"), &value);
    if (listing->of_state && !task_state_parse(value, &listing->state))
        return fault_set_param(fault, ERR_NOT_ALLOWED_VALUE, "status",
                               "status must be pending, processing, completed or failed.");
    listing->of_type = exchange_query(exchange, TEXT("type"), &value);
    if (listing->of_type && !task_type_parse(value, &listing->type))
        return fault_set_param(fault, ERR_NOT_ALLOWED_VALUE, "type",
                               "type must be image, video, audio, llm or document.");
    if (!exchange_query(exchange, TEXT("model"), &listing->model))
        return OK;
    if (listing->model.len == 0)
        return fault_set_param(fault, ERR_NOT_ALLOWED_VALUE, "model", "model must be the name of a model.");
    if (listing->model.len > MODEL_NAME_MAX)
        return fault_set_param(fault, ERR_TOO_LONG, "model", "model has at most %d bytes.", MODEL_NAME_MAX);
    return OK;
}

/* ---- by ids ---- */

static bool has_id(const struct listing *listing, const struct task_id *id) {
    for (unsigned i = 0; i < listing->count; i++)
        if (text_equal(task_id_text(&listing->ids[i]), task_id_text(id)))
            return true;
    return false;
}

/* One that is named twice is answered once. */
static enum err read_ids(struct text value, struct listing *listing, struct fault *fault) {
    unsigned named = 0;
    struct task_id id;

    for (bool more = true; more; named++) {
        more = text_find(value, ',') < value.len;
        struct text one = text_trim(text_cut(&value, ','));
        if (named == IDS_MAX)
            return fault_set_param(fault, ERR_OUT_OF_RANGE, "ids", "ids names at most %d tasks.", IDS_MAX);
        if (!task_id_parse(one, &id))
            return fault_set_param(fault, ERR_INVALID_TASK_ID, "ids", "Number %u of ids is not a task id.", named + 1);
        if (!has_id(listing, &id))
            listing->ids[listing->count++] = id;
    }
    return OK;
}

/* Drops those up to `after`. */
static enum err skip_ids(struct listing *listing, struct fault *fault) {
    unsigned skipped = 0;

    if (!listing->continues)
        return OK;
    while (skipped < listing->count &&
           !text_equal(task_id_text(&listing->ids[skipped]), task_id_text(&listing->after)))
        skipped++;
    if (skipped == listing->count)
        return fault_set_param(fault, ERR_NOT_ALLOWED_VALUE, "after", "after must be one of ids.");
    listing->count -= ++skipped;
    memmove(listing->ids, listing->ids + skipped, listing->count * sizeof(listing->ids[0]));
    return OK;
}

static enum err choose_ids(struct exchange *exchange, struct text value, struct listing *listing, struct fault *fault) {
    static const struct text others[] = { TEXT("status"), TEXT("type"), TEXT("model"), TEXT("limit") };
    struct text ignored;

    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        if (exchange_query(exchange, others[i], &ignored))
            return fault_set_param(fault, ERR_INVALID_PARAM, others[i].ptr, "%s does not go with ids.", others[i].ptr);
    enum err err = read_ids(value, listing, fault);
    return err == OK ? skip_ids(listing, fault) : err;
}

/* ---- by what they are ---- */

static bool fits(const struct listing *listing, const struct task_brief *brief) {
    return (!listing->of_state || brief->state == listing->state) &&
           (!listing->of_type || brief->type == listing->type) &&
           (listing->model.ptr == NULL || text_equal(brief->model, listing->model));
}

static bool look_at(const struct task_brief *brief, void *context) {
    struct listing *listing = context;

    if (listing->rows++ == ROWS_MAX) {
        listing->has_more = true;
        return false;
    }
    if (fits(listing, brief)) {
        listing->has_more = listing->count == listing->limit; /* this one comes in the next page */
        if (listing->has_more)
            return false;
        listing->ids[listing->count++] = brief->id;
    }
    listing->next = brief->id;
    return true;
}

static enum err choose_by_filter(struct exchange *exchange, struct listing *listing, struct fault *fault) {
    const struct call *call = call_of(exchange);

    listing->limit = LIMIT_DEFAULT;
    enum err err = read_filter(exchange, listing, fault);
    if (err == OK)
        err = list_read_limit(exchange, LIMIT_MAX, &listing->limit, fault);
    if (err != OK)
        return err;
    const struct task_scan scan = {
        .account = call->account.id, /* S2 */
        .after = listing->continues ? &listing->after : NULL,
        .state = listing->of_state ? &listing->state : NULL,
        .limit = ROWS_MAX + 1,
    };
    err = store_scan_tasks(call->api->store, &scan, look_at, listing);
    if (err == ERR_NOT_FOUND)
        return list_bad_after(fault);
    return err == OK ? OK : fault_set(fault, err, "The tasks cannot be read.");
}

/* ---- the answer ---- */

/* Whether it is still in the state that was asked for: what is shown may be newer than what was found. */
static bool still_fits(const struct call *call, const struct listing *listing, const struct task_id *id) {
    struct task_look look;
    return !listing->of_state || (engine_look(call->api->engine, call->account.id, id, &look) == OK &&
                                  look.state == listing->state);
}

static void shorten(struct buffer *body, size_t len) {
    body->len = len;
    body->data[len] = '\0';
}

/* Appends as many as there is room for. What the key may not see is left out. */
static enum err put_tasks(struct exchange *exchange, struct listing *listing, struct text base, struct buffer *body) {
    const struct call *call = call_of(exchange);
    const size_t start = body->len;

    for (unsigned i = 0; i < listing->count; i++) {
        const struct task_id *id = &listing->ids[i];
        const size_t before = body->len;
        if (!still_fits(call, listing, id))
            continue;
        if (before > start)
            buffer_put_char(body, ',');
        enum err err = engine_query(call->api->engine, call->account.id, id, base, body);
        if (err != OK && err != ERR_TASK_NOT_FOUND)
            return err;
        bool full = before > start && body->len - start > LIST_BYTES;
        if (err == ERR_TASK_NOT_FOUND || full)
            shorten(body, before);
        if (full) {
            listing->has_more = true;
            listing->next = listing->ids[i - 1];
            return OK;
        }
    }
    return OK;
}

static enum err put_list(struct exchange *exchange, struct listing *listing, struct buffer *body, struct fault *fault) {
    struct text base;

    enum err err = request_base(exchange, call_of(exchange)->setup->config, &base, fault);
    if (err != OK)
        return err;
    buffer_put(body, TEXT("{\"object\":\"list\",\"data\":["));
    err = put_tasks(exchange, listing, base, body);
    if (err != OK)
        return fault_set(fault, err, "The tasks cannot be read.");
    if (listing->has_more)
        buffer_printf(body, "],\"has_more\":true,\"next\":\"%s\"}", listing->next.string);
    else
        buffer_put(body, TEXT("],\"has_more\":false,\"next\":null}"));
    return OK;
}

static void answer_list(struct exchange *exchange) {
    struct listing *listing scoped(mem_free_pointer) = mem_new(sizeof *listing);
    struct fault fault = { .err = OK };
    struct buffer body;
    struct text ids;

    enum err err = read_after(exchange, listing, &fault);
    if (err == OK && exchange_query(exchange, TEXT("ids"), &ids))
        err = choose_ids(exchange, ids, listing, &fault);
    else if (err == OK)
        err = choose_by_filter(exchange, listing, &fault);
    buffer_init(&body, LIST_BYTES + TASK_ANSWER_MAX + AROUND_MAX);
    if (err == OK)
        err = put_list(exchange, listing, &body, &fault);
    if (err == OK) {
        reply_json(exchange, &body);
        return;
    }
    buffer_fini(&body);
    refuse(exchange, &fault);
}

/* A call's end is answered before it is written, a moment later, and only the store knows its place among the others. */
void handle_task_list(struct exchange *exchange) {
    const struct call *call = call_of(exchange);
    struct text ids;

    if (exchange_query(exchange, TEXT("ids"), &ids) || engine_is_settled(call->api->engine, call->account.id))
        answer_list(exchange);
    else
        answer_settled(exchange, answer_list);
}
