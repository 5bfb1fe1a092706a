/* Operators' own keys. */
#include <jansson.h>

#include "admin/key.h"
#include "admin/record.h"
#include "base/clock.h"
#include "base/json.h"
#include "store/tx.h"

struct create_job {
    struct store_job job;
    struct text actor;
    struct key_row *row;
};

static void create(struct store_tx *tx, struct store_job *job) {
    const struct create_job *wish = container_of(job, struct create_job, job);
    store_tx_add_admin_key(tx, wish->row);
    admin_record_json(tx, wish->actor, "admin_key.created", 0, text_of(wish->row->prefix),
                      json_pack("{s:I, s:s}", "id", (json_int_t)wish->row->id, "name", wish->row->name));
}

enum err admin_operator_key_create(struct store *store, struct text actor, struct key_row *row,
                                   char ret_key[API_KEY_SIZE], struct fault *fault) {
    struct create_job job = { .job.run = create, .actor = actor, .row = row };
    char key[API_KEY_SIZE];
    api_key_new(key, API_KEY_ADMIN);
    api_key_hash(text_of(key), row->hash);
    api_key_prefix(key, row->prefix);
    row->account = 0;
    if (row->created_ms == 0)
        row->created_ms = clock_wall_ms();
    enum err err = store_call(store, &job.job);
    if (err != OK)
        return fault_set(fault, err, "The key could not be stored: %s.", err_info(err)->name);
    memcpy(ret_key, key, sizeof(key));
    return OK;
}

struct search {
    int64_t id;
    struct text which;
    struct key_row found;
    unsigned count;
};

static bool look_at(const struct key_row *key, void *context) {
    struct search *search = context;
    bool meant = search->id != 0 ? key->id == search->id
                                 : text_equal(text_of(key->name), search->which) ||
                                       text_equal(text_of(key->prefix), search->which);
    if (meant && key->revoked_ms == 0) {
        search->found = *key;
        search->count++;
    }
    return true;
}

enum err admin_operator_key_find(struct store *store, int64_t id, struct text prefix_or_name, struct key_row *ret,
                                 struct fault *fault) {
    struct search search = { .id = id, .which = prefix_or_name };
    enum err err = store_list_admin_keys(store, look_at, &search);
    if (err != OK)
        return fault_set(fault, err, "The operators' keys cannot be read.");
    if (search.count == 0 || (id == 0 && prefix_or_name.len == 0))
        return fault_set(fault, ERR_KEY_NOT_FOUND, "There is no such operator's key that is valid.");
    if (search.count > 1)
        return fault_set(fault, ERR_INVALID_REQUEST, "Several operators' keys have this name; give a prefix.");
    *ret = search.found;
    return OK;
}

struct revoke_job {
    struct store_job job;
    struct text actor;
    const struct key_row *key;
};

static void revoke(struct store_tx *tx, struct store_job *job) {
    const struct revoke_job *wish = container_of(job, struct revoke_job, job);
    store_tx_revoke_admin_key(tx, wish->key->id, clock_wall_ms());
    admin_record_json(tx, wish->actor, "admin_key.revoked", 0, text_of(wish->key->prefix),
                      json_pack("{s:I, s:s}", "id", (json_int_t)wish->key->id, "name", wish->key->name));
}

enum err admin_operator_key_revoke(struct store *store, struct text actor, const struct key_row *key,
                                   struct fault *fault) {
    struct revoke_job job = { .job.run = revoke, .actor = actor, .key = key };
    enum err err = store_call(store, &job.job);
    if (err == ERR_NOT_FOUND)
        return fault_set(fault, ERR_KEY_NOT_FOUND, "There is no such operator's key that is valid.");
    return err == OK ? OK : fault_set(fault, err, "The key could not be revoked.");
}
