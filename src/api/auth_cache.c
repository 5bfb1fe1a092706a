/* A table of sets: the MAC of a key is uniform, so its first bytes name the set, and each set holds a few keys. */
#include "api/auth_cache.h"

#include <pthread.h>
#include <string.h>

#include "base/crypto.h"
#include "base/memory.h"

#define SETS 512
#define WAYS 4
#define LOCKS 64

struct entry {
    uint64_t generation;
    bool used;
    uint8_t mac[SHORT_MAC_SIZE];
    struct key_row key;
    struct account_row account;
};

struct set {
    struct entry entries[WAYS];
    unsigned next; /* whose turn it is to be replaced */
};

struct auth_cache {
    uint8_t secret[SHORT_MAC_KEY_SIZE];
    pthread_mutex_t locks[LOCKS];
    struct set sets[SETS];
};

struct auth_cache *auth_cache_new(void) {
    struct auth_cache *cache = mem_table(sizeof *cache);
    crypto_random(cache->secret, sizeof cache->secret);
    for (int i = 0; i < LOCKS; i++)
        pthread_mutex_init(&cache->locks[i], NULL);
    return cache;
}

void auth_cache_free(struct auth_cache *cache) {
    if (cache == NULL)
        return;
    for (int i = 0; i < LOCKS; i++)
        pthread_mutex_destroy(&cache->locks[i]);
    mem_table_free(cache, sizeof *cache);
}

static unsigned set_number(const uint8_t mac[SHORT_MAC_SIZE]) {
    return (mac[0] | (unsigned)mac[1] << 8) % SETS;
}

static struct entry *find_entry(struct set *set, const uint8_t mac[SHORT_MAC_SIZE]) {
    for (int i = 0; i < WAYS; i++)
        if (set->entries[i].used && crypto_equal(set->entries[i].mac, mac, SHORT_MAC_SIZE))
            return &set->entries[i];
    return NULL;
}

bool auth_cache_find(struct auth_cache *cache, struct text token, uint64_t generation, struct key_row *ret_key,
                     struct account_row *ret_account) {
    uint8_t mac[SHORT_MAC_SIZE];

    crypto_short_mac(cache->secret, token, mac);
    unsigned number = set_number(mac);
    pthread_mutex_lock(&cache->locks[number % LOCKS]);
    const struct entry *entry = find_entry(&cache->sets[number], mac);
    bool found = entry != NULL && entry->generation == generation;
    if (found) {
        *ret_key = entry->key;
        *ret_account = entry->account;
    }
    pthread_mutex_unlock(&cache->locks[number % LOCKS]);
    return found;
}

void auth_cache_put(struct auth_cache *cache, struct text token, uint64_t generation, const struct key_row *key,
                    const struct account_row *account) {
    uint8_t mac[SHORT_MAC_SIZE];

    crypto_short_mac(cache->secret, token, mac);
    unsigned number = set_number(mac);
    struct set *set = &cache->sets[number];
    pthread_mutex_lock(&cache->locks[number % LOCKS]);
    struct entry *entry = find_entry(set, mac);
    if (entry == NULL)
        entry = &set->entries[set->next++ % WAYS];
    *entry = (struct entry){ .generation = generation, .used = true, .key = *key, .account = *account };
    memcpy(entry->mac, mac, SHORT_MAC_SIZE);
    pthread_mutex_unlock(&cache->locks[number % LOCKS]);
}
