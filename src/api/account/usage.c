/* GET /v1/account/usage: what was used, by day, model and key, as sums that are kept up with the tasks. */
#include "api/account/usage.h"

#include "api/account/period.h"
#include "api/internal.h"
#include "api/list.h"
#include "base/clock.h"
#include "base/csv.h"
#include "base/date.h"
#include "base/json.h"

#define ROWS_MAX 10000
#define ROWS_DEFAULT 1000
#define DAYS_MAX 366
#define DAYS_DEFAULT 30
#define BODY_MAX ((size_t)16 << 20)
#define MODEL_MAX 256 /* bytes of a name */

struct report {
    struct store *store;
    struct usage_filter filter;
    bool csv;
    unsigned limit;
    struct buffer *body;
    struct json_writer json;
    unsigned count;      /* rows seen, one more than are put when there are more */
    struct key_row key;  /* of the last row, when by key */
    struct usage_row last;
    char last_model[MODEL_MAX];
};

/* ---- the question ---- */

static enum err read_by(struct exchange *exchange, struct usage_filter *filter, struct fault *fault) {
    struct text words;
    if (!exchange_query(exchange, TEXT("by"), &words))
        words = TEXT("day");
    while (words.len > 0) {
        struct text word = text_cut(&words, ',');
        if (text_equal(word, TEXT("day")))
            filter->by_day = true;
        else if (text_equal(word, TEXT("model")))
            filter->by_model = true;
        else if (text_equal(word, TEXT("key")))
            filter->by_key = true;
        else
            return fault_set_param(fault, ERR_NOT_ALLOWED_VALUE, "by",
                                   "by must be day, model, key, or several of them with commas between.");
    }
    return OK;
}

static enum err read_period(struct exchange *exchange, struct usage_filter *filter, struct fault *fault) {
    struct text value;
    filter->to_day = budget_day_of(clock_wall_ms());
    bool begins = exchange_query(exchange, TEXT("from"), &value);
    enum err err = read_days(exchange, &filter->from_day, &filter->to_day, fault);
    if (err != OK)
        return err;
    if (!begins)
        filter->from_day = filter->to_day - (DAYS_DEFAULT - 1);
    if (filter->to_day - filter->from_day >= DAYS_MAX)
        return fault_set_param(fault, ERR_OUT_OF_RANGE, "from", "from and to may lie %d days apart at most.", DAYS_MAX);
    return OK;
}

struct search {
    struct text word;
    int64_t key;
    unsigned count;
};

static bool note_key(const struct key_row *key, void *context) {
    struct search *search = context;
    if (text_equal(text_of(key->prefix), search->word) || text_equal(text_of(key->name), search->word)) {
        search->key = key->id;
        search->count++;
    }
    return search->count < 2;
}

static enum err read_key(struct exchange *exchange, struct report *report, struct fault *fault) {
    struct search search = { .count = 0 };
    if (!exchange_query(exchange, TEXT("key"), &search.word))
        return OK;
    enum err err = search.word.len > 0
                       ? store_list_keys(report->store, report->filter.account, note_key, &search)
                       : OK;
    if (err != OK)
        return fault_set(fault, err, "The keys cannot be read.");
    if (search.count != 1)
        return fault_set_param(fault, ERR_NOT_ALLOWED_VALUE, "key",
                               search.count == 0 ? "The account has no key of this prefix or name."
                                                 : "Several keys have this name; give a key's prefix.");
    report->filter.key = search.key;
    return OK;
}

/* A cursor is day, key and model of the last row, with dots between. */
static enum err read_cursor(struct exchange *exchange, struct usage_filter *filter, struct fault *fault) {
    struct text rest;
    filter->after.day = -1;
    if (!exchange_query(exchange, TEXT("after"), &rest))
        return OK;
    struct text day = text_cut(&rest, '.'), key = text_cut(&rest, '.');
    filter->after.model = rest;
    if (text_to_i64(day, &filter->after.day) && text_to_i64(key, &filter->after.key))
        return OK;
    return list_bad_after(fault);
}

static enum err read_question(struct exchange *exchange, struct report *report, struct fault *fault) {
    struct usage_filter *filter = &report->filter;
    enum err err = read_by(exchange, filter, fault);
    if (err == OK)
        err = read_period(exchange, filter, fault);
    if (err == OK)
        err = read_key(exchange, report, fault);
    if (err == OK)
        err = read_cursor(exchange, filter, fault);
    if (err == OK)
        err = read_wants_csv(exchange, &report->csv, fault);
    if (err == OK)
        err = list_read_limit(exchange, ROWS_MAX, &report->limit, fault);
    if (err == OK && exchange_query(exchange, TEXT("model"), &filter->model) && filter->model.len == 0)
        err = fault_set_param(fault, ERR_NOT_ALLOWED_VALUE, "model", "model must be the name of a model.");
    return err;
}

/* ---- the answer ---- */

static void put_count(struct json_writer *json, const char *key, int64_t count) {
    json_key(json, key);
    json_i64(json, count);
}

static void put_sums(struct json_writer *json, const struct usage_row *row) {
    put_count(json, "tasks", row->tasks);
    put_count(json, "completed", row->completed);
    put_count(json, "failed", row->failed);
    money_put_member(json, "credits_charged", row->charged);
    money_put_member(json, "credits_refunded", row->refunded);
    money_put_member(json, "credits_returned", row->returned);
}

static void find_key(struct report *report, const struct usage_row *row) {
    if (report->key.id == row->key)
        return;
    if (store_find_key_by_id(report->store, report->filter.account, row->key, &report->key) != OK)
        report->key = (struct key_row){ .id = row->key };
}

static void put_key(struct json_writer *json, const struct key_row *key) {
    json_key(json, "key");
    json_object_begin(json);
    json_key(json, "prefix");
    json_text(json, text_of(key->prefix));
    json_key(json, "name");
    json_string_or_null(json, key->name[0] != '\0' ? key->name : NULL);
    json_object_end(json);
}

static void put_object(struct report *report, const struct usage_row *row) {
    const struct usage_filter *filter = &report->filter;
    struct json_writer *json = &report->json;
    char date[DATE_SIZE];

    json_object_begin(json);
    if (filter->by_day) {
        date_format(row->day, date);
        json_key(json, "day");
        json_text(json, text_of(date));
    }
    if (filter->by_model) {
        json_key(json, "model");
        json_text(json, row->model);
    }
    if (filter->by_key)
        put_key(json, &report->key);
    put_sums(json, row);
    json_object_end(json);
}

static void put_record(struct report *report, const struct usage_row *row) {
    const struct usage_filter *filter = &report->filter;
    struct buffer *body = report->body;
    char date[DATE_SIZE];

    if (filter->by_day) {
        date_format(row->day, date);
        buffer_printf(body, "%s,", date);
    }
    if (filter->by_model) {
        csv_put_text(body, row->model);
        buffer_put_char(body, ',');
    }
    if (filter->by_key) {
        csv_put_text(body, text_of(report->key.prefix));
        buffer_put_char(body, ',');
        csv_put_text(body, text_of(report->key.name));
        buffer_put_char(body, ',');
    }
    buffer_printf(body, "%lld,%lld,%lld,", (long long)row->tasks, (long long)row->completed, (long long)row->failed);
    money_put(body, row->charged);
    buffer_put_char(body, ',');
    money_put(body, row->refunded);
    buffer_put_char(body, ',');
    money_put(body, row->returned);
    csv_end_record(body);
}

static void put_head(struct report *report) {
    const struct usage_filter *filter = &report->filter;
    buffer_printf(report->body, "%s%s%stasks,completed,failed,credits_charged,credits_refunded,credits_returned",
                  filter->by_day ? "day," : "", filter->by_model ? "model," : "",
                  filter->by_key ? "key_prefix,key_name," : "");
    csv_end_record(report->body);
}

static bool put_row(const struct usage_row *row, void *context) {
    struct report *report = context;
    if (report->count++ == report->limit)
        return false;
    if (report->filter.by_key)
        find_key(report, row);
    if (report->csv)
        put_record(report, row);
    else
        put_object(report, row);
    report->last = *row;
    snprintf(report->last_model, sizeof report->last_model, "%.*s", TEXT_ARG(row->model));
    return true;
}

static void put_next(const struct report *report, struct buffer *buf) {
    buffer_printf(buf, "%lld.%lld.%s", (long long)report->last.day, (long long)report->last.key, report->last_model);
}

static bool keep_total(const struct usage_row *row, void *context) {
    *(struct usage_row *)context = *row;
    return false;
}

static enum err find_total(const struct report *report, struct usage_row *ret) {
    struct usage_filter filter = report->filter;
    filter.by_day = filter.by_model = filter.by_key = false;
    filter.after.day = -1;
    filter.after.model = TEXT("");
    filter.after.key = 0;
    filter.limit = 1;
    return store_list_usage(report->store, &filter, keep_total, ret);
}

static enum err put_rows(struct report *report) {
    report->filter.limit = report->limit + 1;
    if (report->csv) {
        put_head(report);
        return store_list_usage(report->store, &report->filter, put_row, report);
    }
    json_begin(&report->json, report->body);
    list_begin(&report->json);
    return store_list_usage(report->store, &report->filter, put_row, report);
}

static enum err put_end(struct report *report) {
    struct json_writer *json = &report->json;
    struct usage_row total = { .day = 0 };
    struct buffer next;

    enum err err = find_total(report, &total);
    json_array_end(json);
    json_key(json, "total");
    json_object_begin(json);
    put_sums(json, &total);
    json_object_end(json);
    buffer_init(&next, 2 * MODEL_MAX);
    put_next(report, &next);
    list_put_next(json, report->count > report->limit ? next.data : NULL);
    buffer_fini(&next);
    json_object_end(json);
    return err;
}

static void reply_csv(struct exchange *exchange, struct report *report) {
    struct buffer next;
    buffer_init(&next, 2 * MODEL_MAX);
    put_next(report, &next);
    if (report->count > report->limit && buffer_ok(&next))
        reply_header(exchange, "X-Next", next.data);
    buffer_fini(&next);
    reply_header(exchange, "Content-Disposition", "attachment; filename=\"usage.csv\"");
    reply_take(exchange, 200, "text/csv; charset=utf-8", report->body);
}

void reply_usage(struct exchange *exchange, struct store *store, int64_t account, enum book book) {
    struct report report = {
        .store = store,
        .filter = { .account = account, .book = book, .model = TEXT(""), .after.model = TEXT("") },
        .limit = ROWS_DEFAULT,
    };
    struct fault fault = { .err = OK };
    struct buffer body;

    if (read_question(exchange, &report, &fault) != OK) {
        refuse(exchange, &fault);
        return;
    }
    buffer_init(&body, BODY_MAX);
    report.body = &body;
    enum err err = put_rows(&report);
    if (err == OK && !report.csv)
        err = put_end(&report);
    if (err != OK) {
        buffer_fini(&body);
        fault_set(&fault, err, "The usage cannot be read.");
        refuse(exchange, &fault);
    } else if (report.csv) {
        reply_csv(exchange, &report);
    } else {
        reply_json(exchange, &body);
    }
}

void handle_account_usage(struct exchange *exchange) {
    const struct call *call = call_of(exchange);
    reply_usage(exchange, call->api->store, call->account.id, call->key.book);
}
