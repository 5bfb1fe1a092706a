/* Breakers by provider, key and route, and one timer for the next cool-down that ends. */
#include "engine/route/health_inside.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/memory.h"

/* A route fails for many reasons, five in a row are no accident; so is an unreachable provider, which its key stands for. */
static const struct breaker_policy route_policy = { .failures_max = 5, .first_ms = 5000, .max_ms = 300000 };
static const struct breaker_policy key_policy = { .failures_max = 5, .first_ms = 5000, .max_ms = 300000 };
/* What only a person can mend is looked at every few minutes. */
static const struct breaker_policy refusal_policy = { .failures_max = 1, .first_ms = 60000, .max_ms = 600000 };
static const struct breaker_policy capacity_policy = { .failures_max = 1, .first_ms = 1000, .max_ms = 60000 };

/* ---- the timer ---- */

static void next_wait(const struct breaker *breaker, int64_t now_ms, int64_t *next_ms) {
    int64_t wait_ms = breaker->state == BREAKER_OPEN ? breaker_wait_ms(breaker, now_ms) : 0;
    if (wait_ms > 0 && (*next_ms == 0 || wait_ms < *next_ms))
        *next_ms = wait_ms;
}

static void set_timer(struct health *health);

static void cool_down_over(uv_timer_t *timer) {
    struct health *health = timer->data;
    set_timer(health);
    health->changed(health->context);
}

/* Not from within whoever told us: it is in the middle of something. */
static void tell_soon(struct health *health) {
    uv_timer_start(health->timer, cool_down_over, 0, 0);
}

static void set_timer(struct health *health) {
    int64_t now_ms = clock_monotonic_ms(), next_ms = 0;
    for (struct provider_health *provider = health->providers; provider != NULL; provider = provider->hh.next) {
        struct key_slot *key;
        LIST_FOREACH(key, &provider->keys, link)
            next_wait(&key->breaker, now_ms, &next_ms);
        for (struct route_health *route = provider->routes; route != NULL; route = route->hh.next)
            next_wait(&route->breaker, now_ms, &next_ms);
    }
    if (next_ms > 0)
        uv_timer_start(health->timer, cool_down_over, clock_timer_ms(next_ms) + 1, 0);
    else
        uv_timer_stop(health->timer);
}

/* ---- life ---- */

struct health *health_new(struct uv_loop_s *loop, void (*changed)(void *context), void *context) {
    struct health *health = mem_new(sizeof(*health));
    health->timer = mem_new(sizeof(*health->timer));
    health->changed = changed;
    health->context = context;
    uv_timer_init(loop, health->timer);
    health->timer->data = health;
    return health;
}

static void free_timer(uv_handle_t *handle) {
    free(handle);
}

void health_free(struct health *health) {
    if (health == NULL)
        return;
    struct provider_health *provider, *next;
    HASH_ITER(hh, health->providers, provider, next)
        health_free_provider(health, provider);
    uv_close((uv_handle_t *)health->timer, free_timer);
    free(health);
}

/* ---- what may be used ---- */

static struct breaker *route_breaker(const struct provider_health *provider, const char *target) {
    struct route_health *route = NULL;
    HASH_FIND_STR(provider->routes, target, route);
    return route != NULL ? &route->breaker : NULL;
}

static struct breaker *make_route_breaker(struct provider_health *provider, const char *target) {
    struct breaker *breaker = route_breaker(provider, target);
    if (breaker != NULL)
        return breaker;
    size_t length = strlen(target);
    struct route_health *route = mem_new(sizeof(*route) + length + 1);
    memcpy(route->target, target, length);
    HASH_ADD_KEYPTR(hh, provider->routes, route->target, length, route);
    return &route->breaker;
}

unsigned health_room(struct health *health, const char *name, unsigned limit) {
    const struct provider_health *provider = health_find_provider(health, name);
    if (provider == NULL)
        return limit;
    const struct key_slot *key;
    int64_t now_ms = clock_monotonic_ms();
    uint64_t room = 0;
    bool usable = false;
    LIST_FOREACH(key, &provider->keys, link) {
        bool ready = !key->gone && breaker_wait_ms(&key->breaker, now_ms) == 0;
        unsigned most = provider->key_limit > 0 ? provider->key_limit : limit;
        if (key->gone)
            room += key->running;
        else if (key->breaker.state == BREAKER_CLOSED)
            room += most > key->running ? most : key->running;
        else
            room += key->running + (ready ? 1 : 0);
        usable |= ready;
    }
    return !usable ? 0 : room < limit ? (unsigned)room : limit;
}

int64_t health_wait_ms(struct health *health, const char *name, const char *target) {
    const struct provider_health *provider = health_find_provider(health, name);
    if (provider == NULL)
        return 0;
    int64_t now_ms = clock_monotonic_ms(), key_wait_ms = INT64_MAX;
    const struct breaker *route = route_breaker(provider, target);
    int64_t route_wait_ms = route != NULL ? breaker_wait_ms(route, now_ms) : 0;
    const struct key_slot *key;
    LIST_FOREACH(key, &provider->keys, link) {
        int64_t wait_ms = breaker_wait_ms(&key->breaker, now_ms);
        if (!key->gone && wait_ms < key_wait_ms)
            key_wait_ms = wait_ms;
    }
    return route_wait_ms > key_wait_ms ? route_wait_ms : key_wait_ms;
}

enum task_error health_refusal(struct health *health, const char *name) {
    const struct provider_health *provider = health_find_provider(health, name);
    enum task_error refusal = TASK_ERROR_NONE;
    const struct key_slot *key;
    if (provider == NULL)
        return TASK_ERROR_NONE;
    LIST_FOREACH(key, &provider->keys, link) {
        if (key->gone)
            continue;
        if (key->refusal == TASK_ERROR_NONE || breaker_wait_ms(&key->breaker, clock_monotonic_ms()) == 0)
            return TASK_ERROR_NONE;
        refusal = key->refusal;
    }
    return refusal;
}

/* ---- taking and giving ---- */

static bool has_room(const struct key_slot *key) {
    return key->provider->key_limit == 0 || key->running < key->provider->key_limit;
}

struct key_slot *health_take(struct health *health, const char *name, const char *target) {
    struct provider_health *provider = health_find_provider(health, name);
    assert(provider != NULL);
    int64_t now_ms = clock_monotonic_ms();
    struct breaker *route = route_breaker(provider, target);
    struct key_slot *key, *best = NULL;
    if (route != NULL && breaker_wait_ms(route, now_ms) > 0)
        return NULL;
    LIST_FOREACH(key, &provider->keys, link)
        if (!key->gone && has_room(key) && breaker_wait_ms(&key->breaker, now_ms) == 0 &&
            (best == NULL || key->running < best->running))
            best = key;
    if (best == NULL)
        return NULL;
    breaker_begin(&best->breaker, now_ms);
    if (route != NULL)
        breaker_begin(route, now_ms);
    best->running++;
    return best;
}

struct key_slot *health_take_again(struct health *health, const char *name, const char *fingerprint) {
    struct provider_health *provider = health_find_provider(health, name);
    struct key_slot *key = provider != NULL ? health_find_key(provider, fingerprint) : NULL;
    if (key == NULL && provider != NULL)
        key = LIST_FIRST(&provider->keys);
    if (key != NULL)
        key->running++;
    return key;
}

void health_give(struct health *health, struct key_slot *key) {
    (void)health;
    assert(key->running > 0);
    key->running--;
    if (key->gone && key->running == 0)
        health_free_key(key);
}

/* ---- what attempts tell ---- */

void health_worked(struct health *health, struct key_slot *key, const char *target) {
    struct breaker *route = route_breaker(key->provider, target);
    bool was_open = key->breaker.state != BREAKER_CLOSED || (route != NULL && route->state != BREAKER_CLOSED);
    key->refusal = TASK_ERROR_NONE;
    breaker_worked(&key->breaker);
    if (route != NULL)
        breaker_worked(route);
    if (!was_open)
        return;
    log_event(LOG_INFO, "a provider works again", LOG_S("provider", key->provider->name), LOG_S("target", target),
              LOG_S("key", key->fingerprint));
    tell_soon(health);
}

static void report(const struct key_slot *key, const char *target, enum failure_scope scope,
                   const struct breaker *breaker) {
    log_event(LOG_WARNING, "a provider cools down", LOG_S("provider", key->provider->name), LOG_S("target", target),
              LOG_S("key", key->fingerprint), LOG_S("scope", failure_scope_name(scope)),
              LOG_I("ms", breaker_wait_ms(breaker, clock_monotonic_ms())));
}

static void trip_key(struct key_slot *key, const struct breaker_policy *policy, enum task_error refusal,
                     int64_t delay_ms) {
    key->refusal = refusal;
    breaker_trip(&key->breaker, policy, delay_ms, clock_monotonic_ms(), crypto_random_below(UINT32_MAX));
}

bool health_failed(struct health *health, struct key_slot *key, const char *target, enum failure_scope scope,
                   enum task_error error, int64_t delay_ms) {
    struct breaker *route = make_route_breaker(key->provider, target);
    bool opened = true;
    switch (scope) {
    case SCOPE_REQUEST: /* it answered: that much works */
    case SCOPE_ROUTE:   /* and is no worse for its other models, nor this one for its other routes' tasks */
    case SCOPE_COUNT:
        if (key->breaker.state != BREAKER_CLOSED)
            tell_soon(health);
        breaker_worked(&key->breaker);
        key->refusal = TASK_ERROR_NONE;
        breaker_unknown(route);
        return false;
    case SCOPE_KEY:
    case SCOPE_ACCOUNT:
        breaker_unknown(route);
        trip_key(key, &refusal_policy, error, delay_ms);
        break;
    case SCOPE_CAPACITY:
        breaker_unknown(route);
        trip_key(key, &capacity_policy, TASK_ERROR_NONE, delay_ms);
        break;
    case SCOPE_PROVIDER:
        opened = breaker_failed(route, &route_policy, clock_monotonic_ms(), crypto_random_below(UINT32_MAX));
        opened |= breaker_failed(&key->breaker, &key_policy, clock_monotonic_ms(), crypto_random_below(UINT32_MAX));
        break;
    }
    if (opened) {
        report(key, target, scope, key->breaker.state == BREAKER_OPEN ? &key->breaker : route);
        tell_soon(health);
    }
    return opened;
}

void health_unknown(struct health *health, struct key_slot *key, const char *target) {
    struct breaker *route = route_breaker(key->provider, target);
    if (key->breaker.state != BREAKER_CLOSED || (route != NULL && route->state != BREAKER_CLOSED))
        tell_soon(health);
    breaker_unknown(&key->breaker);
    if (route != NULL)
        breaker_unknown(route);
}
