/* Keys looked up lately: so that a request costs no query of the store.
 *
 * Only keys that exist are remembered, for as long as the store's generation stays what it was before the look-up. The key
 * itself is not kept, only a MAC of it under a secret of the cache's own, which costs a tenth of the stored hash. Bounded, any
 * thread. */
#pragma once

#include "store/rows.h"

struct auth_cache;

struct auth_cache *auth_cache_new(void) must_check;
void auth_cache_free(struct auth_cache *cache);

/* False when the key is not there or of another generation; the out-parameters are untouched then. */
bool auth_cache_find(struct auth_cache *cache, struct text token, uint64_t generation, struct key_row *ret_key,
                     struct account_row *ret_account) must_check;
/* The rows of the key `token`; `generation` was read before they were. */
void auth_cache_put(struct auth_cache *cache, struct text token, uint64_t generation, const struct key_row *key,
                    const struct account_row *account);
