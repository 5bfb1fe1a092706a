/* /admin/v1/accounts: all accounts, made, looked at and changed; /admin/v1/groups: what they may be put into. */
#include "admin/account.h"

#include "api/admin/admin.h"
#include "api/body.h"
#include "base/json.h"

static json_t *account_value(const struct account_row *account) {
    return json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "object", "account", "id",
                     (json_int_t)account->id, "name", admin_text(text_of(account->name)), "group",
                     admin_text(text_of(account->group)), "created", admin_time(account->created_ms), "suspended",
                     admin_time(account->suspended_ms), "credits", admin_credits(account->balance[BOOK_LIVE]),
                     "credits_charged", admin_credits(account->charged[BOOK_LIVE]), "test_credits",
                     admin_credits(account->balance[BOOK_TEST]));
}

struct page {
    json_t *data;
    unsigned limit;
    bool more;
};

static bool add_account(const struct account_row *account, void *context) {
    struct page *page = context;
    page->more = json_array_size(page->data) == page->limit;
    if (!page->more)
        json_array_append_new(page->data, account_value(account));
    return !page->more;
}

void handle_admin_accounts(struct exchange *exchange) {
    static const char *const known[] = { "prefix", "after", "limit", NULL };
    struct fault fault = { .err = OK };
    struct page page = { .data = json_array() };
    struct text after = TEXT(""), prefix = TEXT("");

    (void)exchange_query(exchange, TEXT("after"), &after);
    (void)exchange_query(exchange, TEXT("prefix"), &prefix);
    enum err err = admin_query_check(exchange, known, &fault);
    if (err == OK)
        err = admin_query_limit(exchange, &page.limit, &fault);
    if (err == OK && (err = store_list_accounts_after(call_of(exchange)->api->store, after, prefix, page.limit + 1,
                                                      add_account, &page)) != OK)
        fault_set(&fault, err, "The accounts cannot be read.");
    json_t *last = page.more ? json_array_get(page.data, json_array_size(page.data) - 1) : NULL;
    json_t *next = last != NULL ? json_incref(json_object_get(last, "name")) : NULL;
    admin_finish(exchange, err, &fault, admin_list(page.data, next));
}

void handle_admin_account_create(struct exchange *exchange) {
    static const char *const known[] = { "name", "group", NULL };
    struct fault fault = { .err = OK };
    struct account_row account = { .id = 0 };
    struct text name = TEXT_NONE, group = TEXT_NONE;
    json_t *body scoped(json_release) = NULL;

    enum err err = read_fields(exchange, known, &body, &fault);
    if (err == OK)
        err = admin_field_needed(body, "name", &fault);
    if (err == OK)
        err = admin_field_name(body, "name", &name, &fault);
    if (err == OK)
        err = admin_field_name(body, "group", &group, &fault);
    if (err == OK)
        err = admin_account_create(call_of(exchange)->api->store, admin_actor(exchange), name, group, &account, &fault);
    admin_finish(exchange, err, &fault, err == OK ? account_value(&account) : NULL);
}

void handle_admin_account(struct exchange *exchange) {
    struct fault fault = { .err = OK };
    struct account_row account;
    enum err err = admin_path_account(exchange, &account, &fault);
    admin_finish(exchange, err, &fault, err == OK ? account_value(&account) : NULL);
}

void handle_admin_account_change(struct exchange *exchange) {
    static const char *const known[] = { "group", "suspended", "reason", NULL };
    struct fault fault = { .err = OK };
    struct account_row account;
    struct admin_account_change change = { .reason = TEXT("") };
    json_t *body scoped(json_release) = NULL;

    enum err err = admin_path_account(exchange, &account, &fault);
    if (err == OK)
        err = read_fields(exchange, known, &body, &fault);
    if (err == OK)
        err = admin_field_name(body, "group", &change.group, &fault);
    if (err == OK)
        err = admin_field_bool(body, "suspended", &change.suspended, &change.has_suspended, &fault);
    if (err == OK)
        err = admin_field_text(body, "reason", ADMIN_REASON_BYTES, &change.reason, &fault);
    if (err == OK)
        err = admin_account_change(call_of(exchange)->api->store, admin_actor(exchange), account.id, &change, &account,
                                   &fault);
    admin_finish(exchange, err, &fault, err == OK ? account_value(&account) : NULL);
}

void handle_admin_groups(struct exchange *exchange) {
    const struct config *config = call_of(exchange)->setup->config;
    json_t *data = json_array();
    for (unsigned i = 0; i < config->group_count; i++) {
        const struct group_config *group = &config->groups[i];
        json_array_append_new(data, json_pack("{s:s, s:s, s:o, s:i, s:I, s:i, s:i}", "object", "group", "name", group->name,
                                              "price", admin_credits(group->price_ppm), "concurrency",
                                              (int)group->concurrency, "requests_per_minute",
                                              (json_int_t)group->requests_per_minute, "streams", (int)group->streams, "waiters",
                                              (int)group->waiters));
    }
    admin_reply(exchange, admin_list(data, NULL));
}
