/* The providers and keys that there are: taken from the configuration, and forgotten once nobody uses them. */
#include "engine/route/health_inside.h"

#include <stdlib.h>

#include "base/crypto.h"
#include "base/clock.h"
#include "base/memory.h"
#include "config/config.h"
#include "provider/adapter.h"
#include "provider/bridge.h"

struct provider_health *health_find_provider(const struct health *health, const char *name) {
    struct provider_health *provider = NULL;
    HASH_FIND_STR(health->providers, name, provider);
    return provider;
}

/* Of the same secret at another address, it is another key: whoever is there has not made the jobs of this one. */
static void fingerprint_of(const struct provider_config *config, const char *secret, char ret[KEY_FINGERPRINT_SIZE]) {
    struct sha256_stream stream = { 0 };
    uint8_t hash[SHA256_SIZE];
    sha256_begin(&stream);
    sha256_add(&stream, config->name, strlen(config->name) + 1);
    sha256_add(&stream, secret, strlen(secret));
    if (config->url != NULL) {
        sha256_add(&stream, "", 1);
        sha256_add(&stream, config->url, strlen(config->url));
    }
    sha256_end(&stream, hash);
    hex_encode(hash, (KEY_FINGERPRINT_SIZE - 1) / 2, ret);
}

struct key_slot *health_find_key(const struct provider_health *provider, const char *fingerprint) {
    struct key_slot *key;
    LIST_FOREACH(key, &provider->keys, link)
        if (strcmp(key->fingerprint, fingerprint) == 0)
            return key;
    return NULL;
}

void health_free_key(struct key_slot *key) {
    LIST_REMOVE(key, link);
    free(key->secret);
    free(key);
}

static void configure_key(struct provider_health *provider, const struct provider_config *config, const char *secret) {
    char fingerprint[KEY_FINGERPRINT_SIZE] = "";
    if (secret != NULL)
        fingerprint_of(config, secret, fingerprint);
    struct key_slot *key = health_find_key(provider, fingerprint), *last;
    if (key == NULL) {
        key = mem_new(sizeof(*key));
        key->provider = provider;
        key->secret = secret != NULL ? mem_string(secret) : NULL;
        memcpy(key->fingerprint, fingerprint, sizeof(fingerprint));
        last = LIST_FIRST(&provider->keys); /* in the order of the configuration */
        while (last != NULL && LIST_NEXT(last, link) != NULL)
            last = LIST_NEXT(last, link);
        if (last != NULL)
            LIST_INSERT_AFTER(last, key, link);
        else
            LIST_INSERT_HEAD(&provider->keys, key, link);
    }
    if (key->refusal != TASK_ERROR_NONE) { /* whoever loads the settings anew may have mended it */
        key->refusal = TASK_ERROR_NONE;
        key->breaker = (struct breaker){ 0 };
    }
    key->gone = false;
}

void health_reset(struct provider_health *provider) {
    struct key_slot *key;
    LIST_FOREACH(key, &provider->keys, link) {
        key->refusal = TASK_ERROR_NONE;
        key->breaker = (struct breaker){ 0 };
    }
    for (struct route_health *route = provider->routes; route != NULL; route = route->hh.next)
        route->breaker = (struct breaker){ 0 };
}

void health_note(struct key_slot *key, const char *words) {
    struct provider_health *provider = key->provider;
    struct text clipped = text_clip(text_of(words), sizeof(provider->failure) - 1);
    provider->failed_ms = clock_wall_ms();
    snprintf(provider->failure, sizeof(provider->failure), "%.*s", TEXT_ARG(clipped));
}

static unsigned key_limit(const struct provider_config *config, const struct adapter *adapter) {
    if (config->key_concurrency > 0 || adapter == NULL || adapter->key_concurrency < 1)
        return config->key_concurrency;
    return (unsigned)adapter->key_concurrency;
}

static void configure_provider(struct health *health, const struct provider_config *config,
                               const struct adapter *adapter) {
    struct provider_health *provider = health_find_provider(health, config->name);
    if (provider == NULL) {
        provider = mem_new(sizeof(*provider));
        snprintf(provider->name, sizeof(provider->name), "%s", config->name);
        LIST_INIT(&provider->keys);
        HASH_ADD_STR(health->providers, name, provider);
    }
    provider->key_limit = key_limit(config, adapter);
    if (config->key_count == 0)
        configure_key(provider, config, NULL);
    for (unsigned i = 0; i < config->key_count; i++)
        configure_key(provider, config, config->keys[i]);
}

static void drop_gone_keys(struct provider_health *provider) {
    struct key_slot *key = LIST_FIRST(&provider->keys), *next;
    for (; key != NULL; key = next) {
        next = LIST_NEXT(key, link);
        if (key->gone && key->running == 0)
            health_free_key(key);
    }
}

void health_configure(struct health *health, const struct config *config, const struct bridge *bridge) {
    struct provider_health *provider;
    struct key_slot *key;
    for (provider = health->providers; provider != NULL; provider = provider->hh.next)
        LIST_FOREACH(key, &provider->keys, link)
            key->gone = true;
    for (unsigned i = 0; i < config->provider_count; i++)
        configure_provider(health, &config->providers[i], bridge_adapter(bridge, config->providers[i].name));
    for (provider = health->providers; provider != NULL; provider = provider->hh.next)
        drop_gone_keys(provider);
}

void health_free_provider(struct health *health, struct provider_health *provider) {
    struct route_health *route, *next;
    while (!LIST_EMPTY(&provider->keys))
        health_free_key(LIST_FIRST(&provider->keys));
    HASH_ITER(hh, provider->routes, route, next) {
        HASH_DELETE(hh, provider->routes, route);
        free(route);
    }
    HASH_DELETE(hh, health->providers, provider);
    free(provider);
}

const char *key_slot_secret(const struct key_slot *key) {
    return key->secret;
}

const char *key_slot_fingerprint(const struct key_slot *key) {
    return key->fingerprint;
}
