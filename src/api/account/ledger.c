/* GET /v1/account/ledger: the entries of the account's ledger, in pages, or all of them as CSV. */
#include "api/account/ledger.h"

#include "admin/ledger.h"
#include "api/account/period.h"
#include "api/internal.h"
#include "api/list.h"
#include "base/json.h"
#include "core/budget.h"

#define PAGE_MAX 1000
#define PAGE_DEFAULT 100
#define CSV_PAGE 128 /* entries of one reading, about as many as one piece of the stream takes */
#define BODY_MAX ((size_t)4 << 20)

struct export {
    struct store *store;
    struct ledger_filter filter;
    bool csv, begun;
    struct buffer *buf; /* of the page that is read */
    unsigned count;     /* entries put into it */
    int64_t last;       /* the last of these */
};

/* Turns days into sequences, so that no page reads what lies outside. Clocks are not trusted to the day: entries are
 * dated before they are written, and a clock may have been set back. */
enum err ledger_narrow(struct store *store, struct ledger_filter *filter, int64_t from_day, int64_t to_day,
                       struct fault *fault) {
    int64_t first = 0, last = 0;

    filter->from_ms = from_day * DAY_MS;
    filter->to_ms = (to_day + 1) * DAY_MS;
    enum err err = store_find_entry_before(store, filter->account, filter->from_ms - DAY_MS, &first);
    if (err == OK)
        err = store_find_entry_before(store, filter->account, filter->to_ms + DAY_MS, &last);
    if (err != OK)
        return fault_set(fault, err, "The ledger cannot be read.");
    if (filter->after < first)
        filter->after = first;
    filter->last = last;
    return OK;
}

static enum err read_query(struct exchange *exchange, struct export *export, struct fault *fault) {
    int64_t from_day = 0, to_day = LEDGER_LAST_DAY;

    export->filter.limit = PAGE_DEFAULT;
    enum err err = read_days(exchange, &from_day, &to_day, fault);
    if (err == OK)
        err = read_wants_csv(exchange, &export->csv, fault);
    if (err == OK)
        err = list_read_after(exchange, &export->filter.after, fault);
    if (err == OK)
        err = list_read_limit(exchange, PAGE_MAX, &export->filter.limit, fault);
    return err == OK ? ledger_narrow(export->store, &export->filter, from_day, to_day, fault) : err;
}

/* ---- a page ---- */

/* One more is read than is wanted, to see whether there is more. */
static bool put_entry(const struct ledger_row *entry, void *context) {
    struct export *export = context;
    if (export->count++ == export->filter.limit)
        return false;
    if (export->count > 1)
        buffer_put_char(export->buf, ',');
    ledger_put_json(export->buf, entry);
    export->last = entry->sequence;
    return true;
}

static void reply_page(struct exchange *exchange, struct export *export) {
    struct ledger_filter filter = export->filter;
    struct buffer body;
    struct fault fault;

    filter.limit++;
    buffer_init(&body, BODY_MAX);
    buffer_put(&body, TEXT("{\"object\":\"list\",\"data\":["));
    /* cppcheck-suppress autoVariables ; it is read within this function alone */
    export->buf = &body;
    enum err err = store_list_ledger_part(export->store, &filter, put_entry, export);
    if (err != OK) {
        buffer_fini(&body);
        fault_set(&fault, err, "The ledger cannot be read.");
        refuse(exchange, &fault);
        return;
    }
    if (export->count > export->filter.limit)
        buffer_printf(&body, "],\"has_more\":true,\"next\":\"%lld\"}", (long long)export->last);
    else
        buffer_put(&body, TEXT("],\"has_more\":false,\"next\":null}"));
    reply_json(exchange, &body);
}

/* ---- all of it ---- */

static bool put_record(const struct ledger_row *entry, void *context) {
    struct export *export = context;
    ledger_put_csv(export->buf, entry);
    export->count++;
    export->filter.after = entry->sequence;
    return true;
}

/* A page is read and closed before it is sent: a slow client holds no reading. */
static enum stream_pull pull(struct exchange *exchange, struct buffer *buf, size_t room) {
    struct export *export = call_of(exchange)->work;
    const struct ledger_filter filter = export->filter;
    (void)room;
    export->buf = buf;
    export->count = 0;
    if (!export->begun)
        ledger_put_csv_head(buf);
    export->begun = true;
    if (store_list_ledger_part(export->store, &filter, put_record, export) != OK)
        return STREAM_CUT;
    return export->count < CSV_PAGE ? STREAM_END : STREAM_MORE;
}

static void ended(struct exchange *exchange, bool whole) {
    (void)exchange;
    (void)whole;
}

static void reply_all(struct exchange *exchange, struct export *export) {
    static const struct stream_source source = { .pull = pull, .ended = ended };
    export->filter.limit = CSV_PAGE;
    call_of(exchange)->work = export; /* in the exchange's arena */
    reply_header(exchange, "Content-Disposition", "attachment; filename=\"ledger.csv\"");
    reply_stream(exchange, 200, "text/csv; charset=utf-8", &source);
}

void reply_ledger(struct exchange *exchange, struct store *store, int64_t account) {
    struct export *export = arena_alloc(exchange_arena(exchange), sizeof *export);
    struct fault fault = { .err = OK };

    if (export == NULL) {
        fault_set(&fault, ERR_NO_MEMORY, "No memory for an export.");
        refuse(exchange, &fault);
        return;
    }
    *export = (struct export){ .store = store, .filter = { .account = account } };
    if (read_query(exchange, export, &fault) != OK)
        refuse(exchange, &fault);
    else if (export->csv)
        reply_all(exchange, export);
    else
        reply_page(exchange, export);
}

void handle_account_ledger(struct exchange *exchange) {
    const struct call *call = call_of(exchange);
    reply_ledger(exchange, call->api->store, call->account.id);
}
