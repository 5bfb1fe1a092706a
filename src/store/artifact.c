/* Artifacts: the tasks' claims on blobs. */
#include "store/inside.h"
#include "store/tx.h"

_Static_assert(ARTIFACT_INPUT == 0 && ARTIFACT_OUTPUT == 1, "these numbers are stored");

static struct text hash_of(const struct artifact_row *artifact) {
    return (struct text){ artifact->hash, strnlen(artifact->hash, SHA256_HEX_SIZE - 1) };
}

/* Inputs take space once however many tasks have them: at the first claim, until the last. */
static bool is_claimed_as_input(struct store_tx *tx, const struct artifact_row *artifact) {
    int64_t one;
    return store_tx_number(tx, &one, SQL_FIND_INPUT, VALUES(V_I64(artifact->account), V_TEXT(hash_of(artifact))));
}

void store_tx_add_artifact(struct store_tx *tx, const struct artifact_row *artifact) {
    struct text hash = hash_of(artifact);
    if (artifact->role == ARTIFACT_INPUT && !is_claimed_as_input(tx, artifact)) {
        store_tx_change(tx, SQL_TAKE_INPUT_SPACE, VALUES(V_I64(artifact->account), V_I64(artifact->size)));
    }
    bool small = artifact->bytes.ptr != NULL;
    if (small) {
        store_tx_change(tx, SQL_ADD_SMALL, VALUES(V_BYTES(artifact->bytes.ptr, artifact->bytes.len)));
    }
    store_tx_change(tx, small ? SQL_ADD_SMALL_ARTIFACT : SQL_ADD_ARTIFACT,
                    VALUES(V_I64(artifact->account), V_TEXT(task_id_text(&artifact->task)), V_I64(artifact->role),
                           V_I64(artifact->position), V_TEXT(hash), V_I64(artifact->size), V_I64(artifact->expires_ms),
                           V_TEXT(artifact->media_type), V_TEXT(artifact->name)));
}

/* What is stored at a place, which need not be what the caller would put there. */
static bool find_claim(struct store_tx *tx, struct artifact_row *ret, const struct value *key, size_t count) {
    struct cursor cursor;
    if (!store_tx_find(tx, &cursor, SQL_FIND_ARTIFACT, key, count)) {
        return false;
    }
    store_column_string(&cursor, 0, ret->hash, sizeof(ret->hash));
    ret->size = column_i64(&cursor, 1);
    store_tx_found(&cursor);
    return true;
}

void store_tx_remove_artifact(struct store_tx *tx, const struct artifact_row *artifact) {
    const struct value key[] = { V_I64(artifact->account), V_TEXT(task_id_text(&artifact->task)),
                                 V_I64(artifact->role), V_I64(artifact->position), V_I64(artifact->expires_ms) };
    struct artifact_row old = { .account = artifact->account };
    bool gives = artifact->role == ARTIFACT_INPUT && find_claim(tx, &old, key, ARRAY_SIZE(key));
    store_tx_change(tx, SQL_REMOVE_SMALL, key, ARRAY_SIZE(key));
    store_tx_change(tx, SQL_REMOVE_ARTIFACT, key, ARRAY_SIZE(key));
    if (gives && !is_claimed_as_input(tx, &old)) {
        store_tx_change(tx, SQL_GIVE_INPUT_SPACE, VALUES(V_I64(old.size), V_I64(old.account)));
    }
}

void store_tx_check_input_space(struct store_tx *tx, int64_t account, int64_t quota) {
    int64_t bytes = 0;
    if (quota > 0 && store_tx_number(tx, &bytes, SQL_FIND_INPUT_SPACE, VALUES(V_I64(account))) && bytes > quota) {
        store_tx_fail(tx, ERR_STORAGE_FULL);
    }
}

void store_tx_renew_results(struct store_tx *tx, int64_t account, const struct task_id *id,
                            const struct results_renewal *renewal) {
    int64_t renewed = store_tx_change(tx, SQL_RENEW_ARTIFACTS,
                                      VALUES(V_I64(renewal->expires_ms), V_I64(account), V_TEXT(task_id_text(id)),
                                             V_I64(renewal->expired_ms), V_I64(renewal->now_ms)));
    int64_t changed = store_tx_change(tx, SQL_RENEW_TASK, VALUES(V_TEXT(renewal->results), V_I64(account),
                                                                 V_TEXT(task_id_text(id))));
    if (renewed != (int64_t)renewal->count || changed != 1) {
        store_tx_fail(tx, ERR_CONFLICT);
    }
}

static enum err list_artifacts(struct store *store, enum sql id, const struct value *values, size_t count,
                               bool (*each)(const struct artifact_row *, void *), void *context) {
    struct reading reading scoped(store_reading_end) = { 0 };
    enum err err = store_reading_start(&reading, store, id, values, count);
    for (bool row; err == OK && (err = store_reading_next(&reading, &row)) == OK && row;) {
        const struct cursor *cursor = &reading.cursor;
        struct artifact_row artifact = {
            .account = column_i64(cursor, 0),
            .role = (enum artifact_role)column_i64(cursor, 2),
            .position = (int)column_i64(cursor, 3),
            .size = column_i64(cursor, 5),
            .expires_ms = column_i64(cursor, 6),
            .media_type = column_text(cursor, 7),
            .name = column_text(cursor, 8),
            .small = column_i64(cursor, 9) != 0,
        };
        store_column_string(cursor, 1, artifact.task.string, sizeof(artifact.task.string));
        store_column_string(cursor, 4, artifact.hash, sizeof(artifact.hash));
        if (!each(&artifact, context)) {
            break;
        }
    }
    return err;
}

enum err store_list_artifacts(struct store *store, int64_t account, const struct task_id *id,
                              bool (*each)(const struct artifact_row *, void *), void *context) {
    return list_artifacts(store, SQL_LIST_ARTIFACTS, VALUES(V_I64(account), V_TEXT(task_id_text(id))), each, context);
}

enum err store_list_expired_artifacts(struct store *store, int64_t now_ms, unsigned limit,
                                      bool (*each)(const struct artifact_row *, void *), void *context) {
    return list_artifacts(store, SQL_LIST_EXPIRED_ARTIFACTS, VALUES(V_I64(now_ms), V_I64(limit)), each, context);
}

enum err store_list_expired_blobs(struct store *store, int64_t now_ms, unsigned limit,
                                  bool (*each)(const struct artifact_row *, void *), void *context) {
    return list_artifacts(store, SQL_LIST_EXPIRED_BLOBS, VALUES(V_I64(now_ms), V_I64(limit)), each, context);
}

enum err store_blob_claimed(struct store *store, struct text hash, bool *ret) {
    struct reading reading scoped(store_reading_end) = { 0 };
    enum err err = store_reading_start(&reading, store, SQL_FIND_CLAIM, VALUES(V_TEXT(hash)));
    return err != OK ? err : store_reading_next(&reading, ret);
}

enum err store_blob_claimed_after(struct store *store, struct text hash, int64_t now_ms, bool *ret) {
    struct reading reading scoped(store_reading_end) = { 0 };
    enum err err = store_reading_start(&reading, store, SQL_FIND_LASTING_CLAIM, VALUES(V_TEXT(hash), V_I64(now_ms)));
    return err != OK ? err : store_reading_next(&reading, ret);
}

enum err store_find_small(struct store *store, struct text hash, struct buffer *ret) {
    struct reading reading scoped(store_reading_end) = { 0 };
    enum err err = store_reading_start(&reading, store, SQL_FIND_SMALL, VALUES(V_TEXT(hash)));
    if (err != OK || (err = store_reading_only(&reading)) != OK) {
        return err;
    }
    buffer_put(ret, column_text(&reading.cursor, 0));
    return buffer_ok(ret) ? OK : ERR_NO_MEMORY;
}
