/* /admin/v1/accounts/{account_id}/credits, ledger and usage: money that operators move, and where it went. */
#include "admin/credits.h"

#include "api/account/ledger.h"
#include "api/account/usage.h"
#include "api/admin/admin.h"
#include "api/body.h"
#include "base/json.h"

/* Above zero: a top-up; below: a correction. */
void handle_admin_credits(struct exchange *exchange) {
    static const char *const known[] = { "amount", "reason", "reference", NULL };
    struct store *store = call_of(exchange)->api->store;
    struct fault fault = { .err = OK };
    struct account_row account;
    struct credit_order order = { .reason = TEXT(""), .reference = TEXT(""), .actor = admin_actor(exchange) };
    json_t *body scoped(json_release) = NULL;
    int64_t amount = 0;

    enum err err = admin_path_account(exchange, &account, &fault);
    if (err == OK)
        err = read_fields(exchange, known, &body, &fault);
    if (err == OK)
        err = admin_field_needed(body, "amount", &fault);
    if (err == OK)
        err = admin_field_credits(body, "amount", &amount, &fault);
    if (err == OK && amount == 0)
        err = fault_set_param(&fault, ERR_OUT_OF_RANGE, "amount", "`amount` is a number of credits other than zero.");
    if (err == OK)
        err = admin_field_text(body, "reason", ADMIN_REASON_MAX, &order.reason, &fault);
    if (err == OK)
        err = admin_field_text(body, "reference", ADMIN_REFERENCE_MAX, &order.reference, &fault);
    order.microcredits = amount < 0 ? -amount : amount;
    order.account = account.id;
    order.object = text_of(account.name);
    if (err == OK)
        err = admin_order_check(&order, &fault);
    if (err == OK) {
        (amount < 0 ? admin_debit : admin_credit)(&order);
        if ((err = store_call(store, &order.job)) != OK)
            err = admin_order_fault(&order, err, &fault);
    }
    admin_finish(exchange, err, &fault,
                 err != OK ? NULL
                           : json_pack("{s:s, s:I, s:I, s:o, s:o, s:b}", "object", "credit", "account_id",
                                       (json_int_t)account.id, "entry", (json_int_t)order.entry, "amount",
                                       admin_credits(order.given), "balance", admin_credits(order.balance), "repeated",
                                       order.repeated));
}

/* ---- ledger ---- */

struct page {
    json_t *data;
    unsigned limit;
    bool more;
};

static bool add_entry(const struct ledger_row *entry, void *context) {
    struct page *page = context;
    page->more = json_array_size(page->data) == page->limit;
    if (page->more)
        return false;
    json_array_append_new(page->data,
                          json_pack("{s:s, s:I, s:I, s:s, s:s, s:o, s:o, s:o, s:o}", "object", "entry", "sequence",
                                    (json_int_t)entry->sequence, "at_ms", (json_int_t)entry->at_ms, "mode",
                                    entry->book == BOOK_TEST ? "test" : "live", "kind", ledger_kind_name(entry->kind),
                                    "credits", admin_credits(entry->microcredits), "credits_charged",
                                    admin_credits(entry->charged), "task",
                                    entry->task.string[0] != '\0' ? json_string(entry->task.string) : json_null(), "note",
                                    admin_text(entry->note)));
    return true;
}

/* JSON is a list as the others here, CSV is what the account itself gets. */
static void reply_entries(struct exchange *exchange, const struct account_row *account) {
    struct store *store = call_of(exchange)->api->store;
    struct fault fault = { .err = OK };
    struct page page = { .data = json_array() };
    struct ledger_filter filter = { .account = account->id };
    int64_t from_day = 0, to_day = LEDGER_LAST_DAY;

    enum err err = admin_query_limit(exchange, &page.limit, &fault);
    if (err == OK)
        err = admin_query_after(exchange, &filter.after, &fault);
    if (err == OK)
        err = read_days(exchange, &from_day, &to_day, &fault);
    if (err == OK)
        err = ledger_narrow(store, &filter, from_day, to_day, &fault);
    filter.limit = page.limit + 1;
    if (err == OK && (err = store_list_ledger_part(store, &filter, add_entry, &page)) != OK)
        fault_set(&fault, err, "The ledger cannot be read.");
    json_t *last = page.more ? json_array_get(page.data, json_array_size(page.data) - 1) : NULL;
    json_t *next = last != NULL ? json_incref(json_object_get(last, "sequence")) : NULL;
    admin_finish(exchange, err, &fault, admin_list(page.data, next));
}

void handle_admin_ledger(struct exchange *exchange) {
    static const char *const known[] = { "from", "to", "after", "limit", "format", NULL };
    struct fault fault = { .err = OK };
    struct account_row account;
    bool csv = false;

    enum err err = admin_query_check(exchange, known, &fault);
    if (err == OK)
        err = read_wants_csv(exchange, &csv, &fault);
    if (err == OK)
        err = admin_path_account(exchange, &account, &fault);
    if (err != OK)
        refuse(exchange, &fault);
    else if (csv)
        reply_ledger(exchange, call_of(exchange)->api->store, account.id);
    else
        reply_entries(exchange, &account);
}

/* ---- usage ---- */

static enum err read_mode(struct exchange *exchange, enum book *ret, struct fault *fault) {
    struct text mode;
    *ret = BOOK_LIVE;
    if (!exchange_query(exchange, TEXT("mode"), &mode) || text_equal(mode, TEXT("live")))
        return OK;
    *ret = BOOK_TEST;
    return text_equal(mode, TEXT("test"))
               ? OK
               : fault_set_param(fault, ERR_NOT_ALLOWED_VALUE, "mode", "mode must be live or test.");
}

void handle_admin_usage(struct exchange *exchange) {
    static const char *const known[] = { "from",  "to",    "by",     "model", "key",
                                         "after", "limit", "format", "mode",  NULL };
    struct fault fault = { .err = OK };
    struct account_row account;
    enum book book = BOOK_LIVE;

    enum err err = admin_query_check(exchange, known, &fault);
    if (err == OK)
        err = read_mode(exchange, &book, &fault);
    if (err == OK)
        err = admin_path_account(exchange, &account, &fault);
    if (err != OK)
        refuse(exchange, &fault);
    else
        reply_usage(exchange, call_of(exchange)->api->store, account.id, book);
}
