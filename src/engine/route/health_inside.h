/* The inside of health, for the files it is made of: health.c judges and says what may be used, health_keys.c keeps the
 * providers and their keys. Engine's thread only. */
#pragma once

#include <stdbool.h>
#include <sys/queue.h>

#include <uv.h>

#include "base/hash_table.h"
#include "core/breaker.h"
#include "core/task.h"
#include "engine/route/health.h"
#include "store/rows.h"

/* A route of the catalogue each, so their number is bounded by it; a model that has left it keeps a small record. */
struct route_health {
    struct breaker breaker;
    UT_hash_handle hh;
    char target[];
};

struct key_slot {
    struct provider_health *provider;
    char *secret; /* NULL: the provider has no keys */
    char fingerprint[KEY_FINGERPRINT_SIZE];
    struct breaker breaker;
    enum task_error refusal; /* while the breaker is not closed: by whose fault */
    unsigned running;
    bool gone; /* no longer configured */
    LIST_ENTRY(key_slot) link;
};

struct provider_health {
    char name[NAME_SIZE];
    int64_t failed_ms;     /* wall: when an attempt failed last; 0: none has */
    char failure[256];     /* and why */
    unsigned key_limit; /* running attempts with one key; 0: any number */
    LIST_HEAD(, key_slot) keys;
    struct route_health *routes;
    UT_hash_handle hh;
};

struct health {
    struct provider_health *providers;
    uv_timer_t *timer;
    void (*changed)(void *context);
    void *context;
};

/* NULL when there is none of that name. */
struct provider_health *health_find_provider(const struct health *health, const char *name);
/* The provider's key of that fingerprint, gone or not; NULL when there is none. */
struct key_slot *health_find_key(const struct provider_health *provider, const char *fingerprint);
/* All of its breakers are closed. */
void health_reset(struct provider_health *provider);
/* Off its provider's list; nobody runs with it any more. */
void health_free_key(struct key_slot *key);
/* Off the list, with its keys and routes. */
void health_free_provider(struct health *health, struct provider_health *provider);
