/* /admin/v1/callbacks: the callbacks of all accounts, one with its tries, and one that is sent again. */
#include "admin/callback.h"

#include "api/admin/admin.h"
#include "api/body.h"
#include "base/clock.h"
#include "base/json.h"
#include "callback/callbacks.h"
#include "callback/ladder.h"
#include "store/callback.h"

static json_t *number_or_null(int number) {
    return number > 0 ? json_integer(number) : json_null();
}

static json_t *callback_value(const struct callback_row *row) {
    return json_pack("{s:s, s:s, s:I, s:s, s:b, s:o, s:s, s:o, s:o, s:i, s:o, s:o, s:o}", "object", "callback", "id",
                     row->id, "account_id", (json_int_t)row->account, "task_id", row->task.string, "test", row->test,
                     "url", admin_text(row->url), "status", callback_state_name(row->state), "outcome",
                     row->outcome.len > 0 ? admin_text(row->outcome) : json_null(), "http_status",
                     number_or_null(row->status), "try_count", row->tries, "created", admin_time(row->created_ms), "due",
                     admin_time(row->state == CALLBACK_DUE ? row->due_ms : 0), "ended", admin_time(row->ended_ms));
}

/* ---- the list ---- */

struct page {
    json_t *data;
    unsigned limit;
    int64_t last; /* its number */
    bool more;
};

static bool add_callback(const struct callback_row *row, void *context) {
    struct page *page = context;
    page->more = json_array_size(page->data) == page->limit;
    if (page->more)
        return false;
    json_array_append_new(page->data, callback_value(row));
    page->last = row->number;
    return true;
}

/* Where the filter's pointers lead to. */
struct words {
    enum callback_state state;
    struct task_id task;
};

/* A task is its account's, and so are its callbacks. */
static enum err read_task(struct exchange *exchange, struct callback_filter *filter, struct words *words,
                          struct fault *fault) {
    struct text value;
    struct task_row task;
    if (!exchange_query(exchange, TEXT("task_id"), &value))
        return OK;
    if (!task_id_parse(value, &words->task))
        return fault_set_param(fault, ERR_INVALID_TASK_ID, "task_id", "This is not a task id.");
    filter->task = &words->task;
    if (filter->account != 0)
        return OK;
    enum err err =
        store_find_task_of_any(call_of(exchange)->api->store, &words->task, exchange_arena(exchange), &task);
    if (err == ERR_NOT_FOUND)
        return fault_set_param(fault, ERR_TASK_NOT_FOUND, "task_id", "There is no task with this id.");
    filter->account = task.account;
    return err == OK ? OK : fault_set(fault, err, "The task cannot be read.");
}

static enum err read_filter(struct exchange *exchange, struct callback_filter *filter, struct words *words,
                            struct fault *fault) {
    struct text value;
    if (exchange_query(exchange, TEXT("account"), &value) &&
        (!text_to_i64(value, &filter->account) || filter->account < 1))
        return fault_set_param(fault, ERR_NOT_ALLOWED_VALUE, "account", "`account` is the number of an account.");
    if (exchange_query(exchange, TEXT("status"), &value)) {
        if (!callback_state_parse(value, &words->state))
            return fault_set_param(fault, ERR_NOT_ALLOWED_VALUE, "status",
                                   "`status` is waiting, due, delivered or given_up.");
        filter->state = &words->state;
    }
    enum err err = admin_query_limit(exchange, &filter->limit, fault);
    if (err == OK)
        err = admin_query_after(exchange, &filter->before, fault);
    return err == OK ? read_task(exchange, filter, words, fault) : err;
}

void handle_admin_callbacks(struct exchange *exchange) {
    static const char *const known[] = { "account", "status", "task_id", "after", "limit", NULL };
    struct fault fault = { .err = OK };
    struct callback_filter filter = { .account = 0 };
    struct words words;
    struct page page = { .data = json_array() };

    enum err err = admin_query_check(exchange, known, &fault);
    if (err == OK)
        err = read_filter(exchange, &filter, &words, &fault);
    page.limit = filter.limit;
    filter.limit++; /* whether there are more */
    if (err == OK && (err = store_list_callbacks(call_of(exchange)->api->store, &filter, add_callback, &page)) != OK)
        fault_set(&fault, err, "The callbacks cannot be read.");
    admin_finish(exchange, err, &fault, admin_list(page.data, page.more ? json_integer(page.last) : NULL));
}

/* ---- one ---- */

static bool add_try(const struct callback_try_row *row, void *data) {
    json_array_append_new(data, json_pack("{s:i, s:o, s:I, s:o, s:o, s:o}", "number", row->number, "at",
                                          admin_time(row->at_ms), "duration_ms", (json_int_t)row->duration_ms,
                                          "outcome", admin_text(row->outcome), "http_status",
                                          number_or_null(row->status), "excerpt", admin_text(row->excerpt)));
    return true;
}

/* The callback that the path names, whoever owns it. */
static enum err path_callback(struct exchange *exchange, struct callback_row *ret, struct fault *fault) {
    struct text id = exchange_segment(exchange, TEXT("callback_id"));
    enum err err = id.len > 0 && id.len < CALLBACK_ID_SIZE
                       ? store_find_callback_of_any(call_of(exchange)->api->store, id, exchange_arena(exchange), ret)
                       : ERR_NOT_FOUND;
    if (err == ERR_NOT_FOUND)
        return fault_set(fault, ERR_CALLBACK_NOT_FOUND, "There is no callback with this id.");
    return err == OK ? OK : fault_set(fault, err, "The callback cannot be read.");
}

static void finish_callback(struct exchange *exchange, enum err err, struct fault *fault) {
    struct callback_row row;
    json_t *value = NULL;
    if (err == OK)
        err = path_callback(exchange, &row, fault);
    if (err == OK) {
        json_t *tries = json_array();
        value = callback_value(&row);
        json_object_set_new(value, "tries", tries);
        err = store_list_callback_tries(call_of(exchange)->api->store, row.account, text_of(row.id), add_try, tries);
        if (err != OK)
            fault_set(fault, err, "The tries of a callback cannot be read.");
    }
    admin_finish(exchange, err, fault, value);
}

void handle_admin_callback(struct exchange *exchange) {
    struct fault fault = { .err = OK };
    finish_callback(exchange, OK, &fault);
}

void handle_admin_callback_replay(struct exchange *exchange) {
    static const char *const known[] = { "reason", NULL };
    struct api *api = api_of(exchange);
    struct fault fault = { .err = OK };
    struct callback_row row;
    struct text reason = TEXT("");
    json_t *body scoped(json_release) = NULL;

    enum err err = path_callback(exchange, &row, &fault);
    if (err == OK)
        err = read_fields(exchange, known, &body, &fault);
    if (err == OK)
        err = admin_field_text(body, "reason", ADMIN_REASON_BYTES, &reason, &fault);
    if (err == OK)
        err = admin_callback_replay(api->store, admin_actor(exchange), &row, reason,
                                    ladder_deadline_ms(clock_wall_ms()), false, &fault);
    if (err == OK)
        callbacks_hurry(engine_callbacks(api->engine), row.account, text_of(row.id));
    finish_callback(exchange, err, &fault);
}
