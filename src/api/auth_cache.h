/* Keys looked up lately: so that a request costs no query of the store.
 *
 * Only keys that exist are remembered, for as long as the store's generation stays what it was before the look-up.
 * Bounded, any thread. */
#pragma once

#include "store/rows.h"

struct auth_cache;

struct auth_cache *auth_cache_new(void) must_check;
void auth_cache_free(struct auth_cache *cache);

/* False when the key is not there or of another generation; the out-parameters are untouched then. */
bool auth_cache_find(struct auth_cache *cache, const uint8_t hash[KEY_HASH_SIZE], uint64_t generation,
                     struct key_row *ret_key, struct account_row *ret_account) must_check;
/* `generation` was read before the rows were. */
void auth_cache_put(struct auth_cache *cache, uint64_t generation, const struct key_row *key,
                    const struct account_row *account);
