/* What operators do to keys: their accounts' and their own. Each is one store job with its line in the record, and waits
 * for it: any thread but the writer's. `actor` as in record.h. */
#pragma once

#include "base/errors.h"
#include "core/api_key.h"
#include "store/rows.h"

struct store;

/* The most that a key's own limit may be: requests a minute, tasks at a time. */
#define ADMIN_KEY_LIMIT_MAX 1000000000

/* A key that is to be. */
struct admin_key_wish {
    int64_t account;          /* whose it is; 0: the account named below, made now if there is none of that name */
    struct text account_name;
    struct text group;        /* of the account so named; ptr NULL: as it is, or "default" */
    int64_t credits;          /* added to the account's live book, microcredits; 0: none */
    struct key_row row;       /* book, name, times, limits and budgets; the rest is filled in */
};
/* *ret_key is the key, to be shown once: only its hash is kept. wish->row is filled in. ERR_ACCOUNT_NOT_FOUND. */
enum err admin_key_create(struct store *store, struct text actor, struct admin_key_wish *wish,
                          char ret_key[API_KEY_SIZE], struct fault *fault) must_check;
/* What a change leaves as it is, whoever has changed it meanwhile: an empty name, and limits and budgets of this number. */
#define ADMIN_KEY_SAME INT64_MAX
#define ADMIN_KEY_UNCHANGED                                                                                             \
    { .requests_per_minute = ADMIN_KEY_SAME, .concurrency = ADMIN_KEY_SAME, .budget_total = ADMIN_KEY_SAME,             \
      .budget_day = ADMIN_KEY_SAME }
/* Writes what the wish has of name, limits and budgets to the key of that account and id; *key is then as it is stored.
 * ERR_KEY_NOT_FOUND also when it is revoked. */
enum err admin_key_change(struct store *store, struct text actor, const struct key_row *wish, struct key_row *key,
                          struct fault *fault) must_check;
/* ERR_KEY_NOT_FOUND as above. */
enum err admin_key_revoke(struct store *store, struct text actor, const struct key_row *key,
                          struct fault *fault) must_check;
/* All valid keys of that name or prefix, of one account or (0) of all; a line each. ERR_KEY_NOT_FOUND: none. */
enum err admin_key_revoke_named(struct store *store, struct text actor, int64_t account, struct text prefix_or_name,
                                int *ret_count, struct fault *fault) must_check;

/* An operator's key: name and times of *row, the rest is filled in. */
enum err admin_operator_key_create(struct store *store, struct text actor, struct key_row *row,
                                   char ret_key[API_KEY_SIZE], struct fault *fault) must_check;
/* By id, or by prefix or name where that is one valid key's alone (id 0). *ret is the key. ERR_KEY_NOT_FOUND,
 * ERR_INVALID_REQUEST (several). */
enum err admin_operator_key_find(struct store *store, int64_t id, struct text prefix_or_name, struct key_row *ret,
                                 struct fault *fault) must_check;
enum err admin_operator_key_revoke(struct store *store, struct text actor, const struct key_row *key,
                                   struct fault *fault) must_check;
