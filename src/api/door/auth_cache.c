/* A table of sets: the MAC of a key is uniform, so its first bytes name the set, and each set holds a few keys. */
#include "api/door/auth_cache.h"

#include <string.h>

#include "base/crypto.h"
#include "base/memory.h"

#define SETS 512
#define WAYS 4

struct entry {
    uint64_t generation;
    bool used;
    uint8_t mac[SHORT_MAC_SIZE];
    struct known_key known;
};

struct set {
    struct entry entries[WAYS];
    unsigned next; /* whose turn it is to be replaced */
};

struct auth_cache {
    uint8_t secret[SHORT_MAC_KEY_SIZE];
    struct set sets[SETS];
};

struct auth_cache *auth_cache_new(void) {
    struct auth_cache *cache = mem_table(sizeof *cache);
    crypto_random(cache->secret, sizeof cache->secret);
    return cache;
}

void auth_cache_free(struct auth_cache *cache) {
    mem_table_free(cache, sizeof *cache);
}

static struct set *set_of(struct auth_cache *cache, const uint8_t mac[SHORT_MAC_SIZE]) {
    return &cache->sets[(mac[0] | (unsigned)mac[1] << 8) % SETS];
}

static struct entry *find_entry(struct set *set, const uint8_t mac[SHORT_MAC_SIZE]) {
    for (int i = 0; i < WAYS; i++)
        if (set->entries[i].used && crypto_short_mac_equal(set->entries[i].mac, mac))
            return &set->entries[i];
    return NULL;
}

const struct known_key *auth_cache_find(struct auth_cache *cache, struct text token, uint64_t generation) {
    uint8_t mac[SHORT_MAC_SIZE];

    crypto_short_mac(cache->secret, token, mac);
    const struct entry *entry = find_entry(set_of(cache, mac), mac);
    return entry != NULL && entry->generation == generation ? &entry->known : NULL;
}

const struct known_key *auth_cache_put(struct auth_cache *cache, struct text token, uint64_t generation,
                                       const struct known_key *known) {
    uint8_t mac[SHORT_MAC_SIZE];

    crypto_short_mac(cache->secret, token, mac);
    struct set *set = set_of(cache, mac);
    struct entry *entry = find_entry(set, mac);
    if (entry == NULL)
        entry = &set->entries[set->next++ % WAYS];
    *entry = (struct entry){ .generation = generation, .used = true, .known = *known };
    memcpy(entry->mac, mac, SHORT_MAC_SIZE);
    return &entry->known;
}
