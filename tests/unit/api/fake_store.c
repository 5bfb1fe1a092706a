/* The store's look-up of keys, with one key in it. */
#include "tests.h"

uint64_t store_generation(struct store *store) {
    return store->generation;
}

enum err store_find_admin_key(struct store *store, const uint8_t hash[KEY_HASH_SIZE], struct key_row *ret) {
    store->look_ups++;
    if (store->failure != OK)
        return store->failure;
    if (memcmp(hash, store->admin_key.hash, KEY_HASH_SIZE) != 0)
        return ERR_NOT_FOUND;
    *ret = store->admin_key;
    return OK;
}

enum err store_find_key(struct store *store, const uint8_t hash[KEY_HASH_SIZE], struct key_row *ret_key,
                        struct account_row *ret_account) {
    store->look_ups++;
    if (store->failure != OK)
        return store->failure;
    if (memcmp(hash, store->key.hash, KEY_HASH_SIZE) != 0)
        return ERR_NOT_FOUND;
    *ret_key = store->key;
    *ret_account = store->account;
    return OK;
}
