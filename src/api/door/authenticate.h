/* From an Authorization header to key and account. The cache's thread. */
#pragma once

#include "base/errors.h"
#include "store/rows.h"

struct auth_cache;
struct store;

/* The token of "Bearer <token>"; ERR_MISSING_API_KEY when the header is absent (ptr NULL), ERR_INVALID_API_KEY when it
 * is something else. Pure. */
enum err bearer_token(struct text header, struct text *ret, struct fault *fault) must_check;

/* ERR_MISSING_API_KEY, ERR_INVALID_API_KEY (malformed, unknown, revoked), ERR_EXPIRED_API_KEY, ERR_ADMIN_KEY (it is an
 * operator's), ERR_ACCOUNT_SUSPENDED, or the store's error. */
enum err authenticate(struct store *store, struct auth_cache *cache, struct text header, struct key_row *ret_key,
                      struct account_row *ret_account, struct fault *fault) must_check;

/* The same for an operator's key, a key row of account 0; an account's valid key is ERR_NOT_ADMIN. */
enum err authenticate_admin(struct store *store, struct auth_cache *cache, struct text header, struct key_row *ret,
                            struct fault *fault) must_check;
