/* Keys looked up lately: so that a request costs no query of the store.
 *
 * Only keys that exist are remembered, for as long as the store's generation stays what it was before the look-up. The
 * key itself is not kept, only a MAC of it under a secret of the cache's own, which costs a tenth of the stored hash.
 * Bounded. One thread: each HTTP thread has its own. */
#pragma once

#include "store/rows.h"

struct auth_cache;

struct auth_cache *auth_cache_new(void) must_check;
void auth_cache_free(struct auth_cache *cache);

struct known_key {
    struct key_row key;
    struct account_row account;
};

/* NULL when the key is not there or of another generation. Valid until the next auth_cache_put. */
const struct known_key *auth_cache_find(struct auth_cache *cache, struct text token, uint64_t generation) must_check;
/* The rows of the key `token`, copied; `generation` was read before they were. Returns the copy, valid as above. */
const struct known_key *auth_cache_put(struct auth_cache *cache, struct text token, uint64_t generation,
                                       const struct known_key *known);
