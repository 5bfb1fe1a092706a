/* /admin/v1/accounts/{account_id}/keys: an account's keys, and /admin/v1/keys: the operators' own. */
#include "admin/key.h"

#include "api/admin/admin.h"
#include "api/body.h"
#include "base/clock.h"
#include "base/json.h"

#define SECONDS_MAX ((int64_t)100 * 366 * 86400)

static json_t *bound(int64_t count) {
    return count == 0 ? json_null() : json_integer(count);
}

static json_t *key_value(const struct key_row *key) {
    return json_pack("{s:s, s:I, s:I, s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "object", "key", "id",
                     (json_int_t)key->id, "account_id", (json_int_t)key->account, "prefix", key->prefix, "name",
                     admin_text(text_of(key->name)), "mode", key->book == BOOK_TEST ? "test" : "live", "created",
                     admin_time(key->created_ms), "expires", admin_time(key->expires_ms), "revoked",
                     admin_time(key->revoked_ms), "requests_per_minute", bound(key->requests_per_minute), "concurrency",
                     bound(key->concurrency), "budget_total", admin_bound_credits(key->budget_total), "budget_day",
                     admin_bound_credits(key->budget_day));
}

static json_t *operator_key_value(const struct key_row *key) {
    return json_pack("{s:s, s:I, s:s, s:o, s:o, s:o, s:o}", "object", "admin_key", "id", (json_int_t)key->id, "prefix",
                     key->prefix, "name", admin_text(text_of(key->name)), "created", admin_time(key->created_ms),
                     "expires", admin_time(key->expires_ms), "revoked", admin_time(key->revoked_ms));
}

/* The value with the key itself, which is shown this once. */
static json_t *with_secret(json_t *value, const char *key) {
    json_object_set_new(value, "key", json_string(key));
    return value;
}

/* ---- of an account ---- */

struct page {
    json_t *data;
    int64_t after;
    unsigned limit;
    bool more;
};

static bool add_key(const struct key_row *key, void *context) {
    struct page *page = context;
    if (key->id <= page->after)
        return true;
    page->more = json_array_size(page->data) == page->limit;
    if (!page->more)
        json_array_append_new(page->data, key_value(key));
    return !page->more;
}

void handle_admin_keys(struct exchange *exchange) {
    static const char *const known[] = { "after", "limit", NULL };
    struct fault fault = { .err = OK };
    struct account_row account;
    struct page page = { .data = json_array() };

    enum err err = admin_query_check(exchange, known, &fault);
    if (err == OK)
        err = admin_query_limit(exchange, &page.limit, &fault);
    if (err == OK)
        err = admin_query_after(exchange, &page.after, &fault);
    if (err == OK)
        err = admin_path_account(exchange, &account, &fault);
    if (err == OK && (err = store_list_keys(call_of(exchange)->api->store, account.id, add_key, &page)) != OK)
        fault_set(&fault, err, "The keys cannot be read.");
    json_t *last = page.more ? json_array_get(page.data, json_array_size(page.data) - 1) : NULL;
    json_t *next = last != NULL ? json_incref(json_object_get(last, "id")) : NULL;
    admin_finish(exchange, err, &fault, admin_list(page.data, next));
}

/* What a key of its own may ask and spend; null and 0 take a bound away. */
static enum err read_limits(const json_t *body, struct key_row *key, struct fault *fault) {
    static const char *const names[] = { "requests_per_minute", "concurrency", "budget_total", "budget_day" };
    int64_t *const places[] = { &key->requests_per_minute, &key->concurrency, &key->budget_total, &key->budget_day };
    struct text name = TEXT_NONE;
    enum err err = admin_field_name(body, "name", &name, fault);
    for (unsigned i = 0; i < ARRAY_SIZE(names) && err == OK; i++) {
        if (json_is_null(json_object_get(body, names[i])))
            *places[i] = 0;
        err = i < 2 ? read_number_field(body, names[i], 0, ADMIN_KEY_LIMIT_MAX, places[i], fault)
                    : admin_field_credits(body, names[i], places[i], fault);
        if (err == OK && *places[i] < 0)
            err = fault_set_param(fault, ERR_OUT_OF_RANGE, names[i], "`%s` is a number above zero.", names[i]);
    }
    if (err == OK && name.ptr != NULL)
        snprintf(key->name, sizeof(key->name), "%.*s", TEXT_ARG(name));
    return err;
}

static enum err read_expiry(const json_t *body, struct key_row *key, struct fault *fault) {
    int64_t seconds = 0;
    key->created_ms = clock_wall_ms();
    enum err err = read_number_field(body, "expires_in", 0, SECONDS_MAX, &seconds, fault);
    if (err == OK && seconds > 0)
        key->expires_ms = key->created_ms + seconds * 1000;
    return err;
}

void handle_admin_key_create(struct exchange *exchange) {
    static const char *const known[] = { "name",         "mode",       "expires_in", "requests_per_minute", "concurrency",
                                         "budget_total", "budget_day", NULL };
    struct fault fault = { .err = OK };
    struct account_row account = { .id = 0 };
    struct admin_key_wish wish = { .account = 0 };
    struct text mode = TEXT("live");
    char key[API_KEY_SIZE];
    json_t *body scoped(json_release) = NULL;

    enum err err = admin_path_account(exchange, &account, &fault);
    if (err == OK)
        err = read_fields(exchange, known, &body, &fault);
    if (err == OK)
        err = admin_field_text(body, "mode", NAME_SIZE, &mode, &fault);
    if (err == OK && !text_equal(mode, TEXT("live")) && !text_equal(mode, TEXT("test")))
        err = fault_set_param(&fault, ERR_NOT_ALLOWED_VALUE, "mode", "`mode` is live or test.");
    if (err == OK)
        err = read_expiry(body, &wish.row, &fault);
    if (err == OK)
        err = read_limits(body, &wish.row, &fault);
    wish.account = account.id;
    wish.row.book = text_equal(mode, TEXT("test")) ? BOOK_TEST : BOOK_LIVE;
    if (err == OK)
        err = admin_key_create(call_of(exchange)->api->store, admin_actor(exchange), &wish, key, &fault);
    admin_finish(exchange, err, &fault, err == OK ? with_secret(key_value(&wish.row), key) : NULL);
}

static enum err path_key(struct exchange *exchange, struct key_row *ret, struct fault *fault) {
    struct account_row account;
    int64_t id = 0;
    enum err err = admin_path_account(exchange, &account, fault);
    if (err == OK)
        err = admin_path_number(exchange, TEXT("key_id"), ERR_KEY_NOT_FOUND, &id, fault);
    if (err != OK)
        return err;
    err = store_find_key_by_id(call_of(exchange)->api->store, account.id, id, ret);
    if (err == ERR_NOT_FOUND)
        return fault_set(fault, ERR_KEY_NOT_FOUND, "The account has no key of this number.");
    return err == OK ? OK : fault_set(fault, err, "The key cannot be read.");
}

void handle_admin_key_change(struct exchange *exchange) {
    static const char *const known[] = { "name", "requests_per_minute", "concurrency", "budget_total", "budget_day", NULL };
    struct fault fault = { .err = OK };
    struct key_row key, wish = ADMIN_KEY_UNCHANGED;
    json_t *body scoped(json_release) = NULL;

    enum err err = path_key(exchange, &key, &fault);
    if (err == OK)
        err = read_fields(exchange, known, &body, &fault);
    if (err == OK)
        err = read_limits(body, &wish, &fault);
    if (err == OK)
        err = admin_key_change(call_of(exchange)->api->store, admin_actor(exchange), &wish, &key, &fault);
    admin_finish(exchange, err, &fault, err == OK ? key_value(&key) : NULL);
}

void handle_admin_key_revoke(struct exchange *exchange) {
    struct fault fault = { .err = OK };
    struct key_row key;
    enum err err = path_key(exchange, &key, &fault);
    if (err == OK)
        err = admin_key_revoke(call_of(exchange)->api->store, admin_actor(exchange), &key, &fault);
    if (err == OK)
        err = path_key(exchange, &key, &fault);
    admin_finish(exchange, err, &fault, err == OK ? key_value(&key) : NULL);
}

/* ---- of operators ---- */

static bool add_operator_key(const struct key_row *key, void *data) {
    json_array_append_new(data, operator_key_value(key));
    return json_array_size(data) < ADMIN_PAGE_MAX;
}

void handle_admin_operator_keys(struct exchange *exchange) {
    struct fault fault = { .err = OK };
    json_t *data = json_array();
    enum err err = store_list_admin_keys(call_of(exchange)->api->store, add_operator_key, data);
    if (err != OK)
        fault_set(&fault, err, "The operators' keys cannot be read.");
    admin_finish(exchange, err, &fault, admin_list(data, NULL));
}

void handle_admin_operator_key_create(struct exchange *exchange) {
    static const char *const known[] = { "name", "expires_in", NULL };
    struct fault fault = { .err = OK };
    struct key_row row = { .id = 0 };
    struct text name = TEXT_NONE;
    char key[API_KEY_SIZE];
    json_t *body scoped(json_release) = NULL;

    enum err err = read_fields(exchange, known, &body, &fault);
    if (err == OK)
        err = admin_field_name(body, "name", &name, &fault);
    if (err == OK)
        err = read_expiry(body, &row, &fault);
    if (err == OK && name.ptr != NULL)
        snprintf(row.name, sizeof(row.name), "%.*s", TEXT_ARG(name));
    if (err == OK)
        err = admin_operator_key_create(call_of(exchange)->api->store, admin_actor(exchange), &row, key, &fault);
    admin_finish(exchange, err, &fault, err == OK ? with_secret(operator_key_value(&row), key) : NULL);
}

void handle_admin_operator_key_revoke(struct exchange *exchange) {
    struct store *store = call_of(exchange)->api->store;
    struct fault fault = { .err = OK };
    struct key_row row;
    int64_t id = 0;

    enum err err = admin_path_number(exchange, TEXT("admin_key_id"), ERR_KEY_NOT_FOUND, &id, &fault);
    if (err == OK)
        err = admin_operator_key_find(store, id, TEXT_NONE, &row, &fault);
    if (err == OK)
        err = admin_operator_key_revoke(store, admin_actor(exchange), &row, &fault);
    if (err == OK)
        row.revoked_ms = clock_wall_ms();
    admin_finish(exchange, err, &fault, err == OK ? operator_key_value(&row) : NULL);
}
