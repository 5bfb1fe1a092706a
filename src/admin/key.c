/* Keys of accounts: made, limited, revoked. */
#include "admin/key.h"

#include <jansson.h>

#include "admin/credits.h"
#include "admin/record.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "store/tx.h"

#define NAMED_MAX 1024 /* keys that one name may end at once */

static json_t *credits_value(int64_t microcredits) {
    char text[MONEY_TEXT_SIZE];
    money_format(microcredits, text);
    return json_string(text);
}

static json_t *describe(const struct key_row *key) {
    return json_pack("{s:I, s:s, s:s, s:I, s:I, s:o, s:o}", "id", (json_int_t)key->id, "name", key->name, "mode",
                     key->book == BOOK_TEST ? "test" : "live", "requests_per_minute",
                     (json_int_t)key->requests_per_minute, "concurrency", (json_int_t)key->concurrency, "budget_total",
                     credits_value(key->budget_total), "budget_day", credits_value(key->budget_day));
}

/* ---- create ---- */

struct create_job {
    struct store_job job;
    struct text actor;
    struct admin_key_wish *wish;
};

/* The account of that name, made when there is none. */
static void need_account(struct store_tx *tx, struct text actor, const struct admin_key_wish *wish, int64_t now_ms,
                         int64_t *ret_account) {
    struct text group = wish->group.len > 0 ? wish->group : TEXT("default");
    if (!store_tx_find_account(tx, wish->account_name, ret_account)) {
        store_tx_add_account(tx, wish->account_name, group, now_ms, ret_account);
        admin_record_json(tx, actor, "account.created", *ret_account, wish->account_name,
                          json_pack("{s:s%}", "group", group.ptr, group.len));
    } else if (wish->group.len > 0 && store_tx_set_group(tx, *ret_account, group)) {
        admin_record_json(tx, actor, "account.changed", *ret_account, wish->account_name,
                          json_pack("{s:s%}", "group", group.ptr, group.len));
    }
}

static void add_credits(struct store_tx *tx, const struct create_job *create) {
    const struct admin_key_wish *wish = create->wish;
    struct credit_order order = { .account = wish->row.account,
                                  .microcredits = wish->credits,
                                  .actor = create->actor,
                                  .object = wish->account_name,
                                  .reason = TEXT("key create --credits"),
                                  .reference = TEXT(""),
                                  .at_ms = wish->row.created_ms };
    admin_credit(&order);
    order.job.run(tx, &order.job); /* as a part of this job */
}

static void create(struct store_tx *tx, struct store_job *job) {
    struct create_job *create = container_of(job, struct create_job, job);
    struct admin_key_wish *wish = create->wish;
    wish->row.account = wish->account;
    if (wish->account == 0)
        need_account(tx, create->actor, wish, wish->row.created_ms, &wish->row.account);
    store_tx_add_key(tx, &wish->row);
    admin_record_json(tx, create->actor, "key.created", wish->row.account, text_of(wish->row.prefix),
                      describe(&wish->row));
    if (wish->credits != 0)
        add_credits(tx, create);
}

enum err admin_key_create(struct store *store, struct text actor, struct admin_key_wish *wish,
                          char ret_key[API_KEY_SIZE], struct fault *fault) {
    struct create_job job = { .job.run = create, .actor = actor, .wish = wish };
    char key[API_KEY_SIZE];
    api_key_new(key, wish->row.book == BOOK_TEST ? API_KEY_TEST : API_KEY_LIVE);
    api_key_hash(text_of(key), wish->row.hash);
    api_key_prefix(key, wish->row.prefix);
    if (wish->row.created_ms == 0)
        wish->row.created_ms = clock_wall_ms();
    enum err err = store_call(store, &job.job);
    if (err == ERR_NOT_FOUND)
        return fault_set(fault, ERR_ACCOUNT_NOT_FOUND, "There is no such account.");
    if (err != OK)
        return fault_set(fault, err, "The key could not be stored: %s.", err_info(err)->name);
    memcpy(ret_key, key, sizeof(key));
    return OK;
}

/* ---- change and revoke ---- */

struct key_job {
    struct store_job job;
    struct text actor;
    const struct key_row *key;
};

struct change_job {
    struct key_job key;
    const struct key_row *wish;
    struct key_row changed;
};

static void take_over(struct key_row *key, const struct key_row *wish) {
    const int64_t wishes[] = { wish->requests_per_minute, wish->concurrency, wish->budget_total, wish->budget_day };
    int64_t *const places[] = { &key->requests_per_minute, &key->concurrency, &key->budget_total, &key->budget_day };
    for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
        if (wishes[i] != ADMIN_KEY_SAME)
            *places[i] = wishes[i];
    }
    if (wish->name[0] != '\0')
        memcpy(key->name, wish->name, sizeof(key->name));
}

/* Of the row as it is now: two who change a key at the same time both have what they asked for. */
static void change(struct store_tx *tx, struct store_job *job) {
    struct change_job *change = container_of(job, struct change_job, key.job);
    struct key_row *key = &change->changed;
    if (!store_tx_find_key(tx, change->key.key->account, change->key.key->id, key)) {
        store_tx_fail(tx, ERR_NOT_FOUND);
        return;
    }
    take_over(key, change->wish);
    store_tx_set_key(tx, key);
    admin_record_json(tx, change->key.actor, "key.changed", key->account, text_of(key->prefix), describe(key));
}

static void revoke(struct store_tx *tx, struct store_job *job) {
    const struct key_job *wish = container_of(job, struct key_job, job);
    store_tx_revoke_key_by_id(tx, wish->key->account, wish->key->id, clock_wall_ms());
    admin_record_json(tx, wish->actor, "key.revoked", wish->key->account, text_of(wish->key->prefix),
                      json_pack("{s:I, s:s}", "id", (json_int_t)wish->key->id, "name", wish->key->name));
}

static enum err carry_out(struct store *store, struct key_job *job, const char *failure, struct fault *fault) {
    enum err err = store_call(store, &job->job);
    if (err == ERR_NOT_FOUND)
        return fault_set(fault, ERR_KEY_NOT_FOUND, "There is no such key that is valid.");
    return err == OK ? OK : fault_set(fault, err, "The key could not be %s.", failure);
}

enum err admin_key_change(struct store *store, struct text actor, const struct key_row *wish, struct key_row *key,
                          struct fault *fault) {
    struct change_job job = { .key = { .job.run = change, .actor = actor, .key = key }, .wish = wish };
    enum err err = carry_out(store, &job.key, "changed", fault);
    if (err == OK)
        *key = job.changed;
    return err;
}

enum err admin_key_revoke(struct store *store, struct text actor, const struct key_row *key, struct fault *fault) {
    struct key_job job = { .job.run = revoke, .actor = actor, .key = key };
    return carry_out(store, &job, "revoked", fault);
}

/* ---- revoke by name ---- */

struct named_job {
    struct store_job job;
    struct text actor, which;
    struct key_row *keys; /* NAMED_MAX */
    int count;
};

static bool note_key(const struct key_row *key, void *context) {
    struct named_job *named = context;
    if (key->revoked_ms == 0 && (text_equal(text_of(key->name), named->which) || text_equal(text_of(key->prefix), named->which)))
        named->keys[named->count++] = *key;
    return named->count < NAMED_MAX;
}

/* Those revoked meanwhile fail the whole: nothing is recorded that was not done. */
static void revoke_all(struct store_tx *tx, struct store_job *job) {
    const struct named_job *named = container_of(job, struct named_job, job);
    for (int i = 0; i < named->count; i++) {
        struct key_job one = { .actor = named->actor, .key = &named->keys[i] };
        revoke(tx, &one.job);
    }
}

enum err admin_key_revoke_named(struct store *store, struct text actor, int64_t account, struct text which,
                                int *ret_count, struct fault *fault) {
    struct key_row *keys scoped(mem_free_pointer) = mem_new_array(NAMED_MAX, sizeof(*keys));
    struct named_job named = { .job.run = revoke_all, .actor = actor, .which = which, .keys = keys };
    enum err err = which.len > 0 ? store_list_keys(store, account, note_key, &named) : OK;
    if (err != OK)
        return fault_set(fault, err, "The keys could not be read.");
    if (named.count > 0)
        err = store_call(store, &named.job);
    if (named.count == 0 || err == ERR_NOT_FOUND)
        return fault_set(fault, ERR_KEY_NOT_FOUND, "There is no valid key with that prefix or name.");
    if (err != OK)
        return fault_set(fault, err, "The key could not be revoked.");
    *ret_count = named.count;
    return OK;
}
