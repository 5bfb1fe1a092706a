/* Accounts: made, put into a group, suspended. */
#include "admin/account.h"

#include <stdlib.h>

#include <jansson.h>

#include "admin/record.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "store/tx.h"

/* The account as it is in the store now. */
static enum err read_account(struct store *store, int64_t id, struct account_row *ret, struct fault *fault) {
    enum err err = store_find_account_by_id(store, id, ret);
    if (err == ERR_NOT_FOUND)
        return fault_set(fault, ERR_ACCOUNT_NOT_FOUND, "There is no such account.");
    return err == OK ? OK : fault_set(fault, err, "The account cannot be read.");
}

struct create_job {
    struct store_job job;
    struct text actor, name, group;
    int64_t id;
};

static void create(struct store_tx *tx, struct store_job *job) {
    struct create_job *wish = container_of(job, struct create_job, job);
    store_tx_add_account(tx, wish->name, wish->group, clock_wall_ms(), &wish->id);
    admin_record_json(tx, wish->actor, "account.created", wish->id, wish->name,
                      json_pack("{s:s%}", "group", wish->group.ptr, wish->group.len));
}

enum err admin_account_create(struct store *store, struct text actor, struct text name, struct text group,
                              struct account_row *ret, struct fault *fault) {
    struct create_job wish = {
        .job.run = create, .actor = actor, .name = name, .group = group.len > 0 ? group : TEXT("default"),
    };
    enum err err = store_call(store, &wish.job);
    if (err == ERR_EXISTS)
        return fault_set_param(fault, ERR_ACCOUNT_EXISTS, "name", "There is an account %.*s already.", TEXT_ARG(name));
    if (err != OK)
        return fault_set(fault, err, "The account cannot be stored.");
    return read_account(store, wish.id, ret, fault);
}

struct change_job {
    struct store_job job;
    struct text actor;
    const struct account_row *account;
    const struct admin_account_change *change;
};

static void change(struct store_tx *tx, struct store_job *job) {
    const struct change_job *wish = container_of(job, struct change_job, job);
    const struct account_row *account = wish->account;
    json_t *detail = json_object();
    bool changed = false;
    if (wish->change->group.ptr != NULL && store_tx_set_group(tx, account->id, wish->change->group)) {
        json_object_set_new(detail, "group", json_stringn(wish->change->group.ptr, wish->change->group.len));
        json_object_set_new(detail, "group_before", json_string(account->group));
        changed = true;
    }
    if (wish->change->has_suspended &&
        store_tx_set_suspended(tx, account->id, wish->change->suspended ? clock_wall_ms() : 0)) {
        json_object_set_new(detail, "suspended", json_boolean(wish->change->suspended));
        changed = true;
    }
    if (wish->change->reason.len > 0)
        json_object_set_new(detail, "reason", json_stringn(wish->change->reason.ptr, wish->change->reason.len));
    if (changed)
        admin_record_json(tx, wish->actor, "account.changed", account->id, text_of(account->name), detail);
    else
        json_decref(detail);
}

enum err admin_account_change(struct store *store, struct text actor, int64_t id,
                              const struct admin_account_change *wanted, struct account_row *ret,
                              struct fault *fault) {
    struct account_row account;
    enum err err = read_account(store, id, &account, fault);
    if (err != OK)
        return err;
    struct change_job wish = { .job.run = change, .actor = actor, .account = &account, .change = wanted };
    err = store_call(store, &wish.job);
    if (err != OK)
        return fault_set(fault, err, "The account cannot be changed.");
    return read_account(store, id, ret, fault);
}
