/* A short list of key sets, one fetch at a time each. */
#include "engine/hook/keys.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "engine/state.h"

#define KEPT_MS ((int64_t)24 * 3600 * 1000)
#define AGAIN_MS ((int64_t)60 * 1000)        /* between two fetches */
#define FAILED_AGAIN_MS ((int64_t)10 * 1000) /* after one that failed; what a refused sender is told to wait */
#define SET_BYTES_MAX 65536
#define CONNECT_MS 5000
#define FETCH_MS 10000

struct key_set {
    struct engine *engine;
    char *url;
    enum fetch_trust trust;
    struct webhook_public_keys keys;
    bool known, failed, asked; /* known: ever fetched; failed: the last time; asked: at all */
    int64_t known_ms, asked_ms; /* monotonic */
    struct fetch *fetch;        /* under way */
    TAILQ_HEAD(, key_wait) waits;
    LIST_ENTRY(key_set) link;
};

static void free_set(struct engine *engine, struct key_set *set) {
    LIST_REMOVE(set, link);
    engine->key_set_count--;
    free(set->url);
    free(set);
}

/* The one asked longest ago, of those that nobody waits for. */
static bool make_room(struct engine *engine) {
    struct key_set *set, *oldest = NULL;
    LIST_FOREACH(set, &engine->key_sets, link)
        if (set->fetch == NULL && (oldest == NULL || set->asked_ms < oldest->asked_ms))
            oldest = set;
    if (oldest == NULL)
        return false;
    free_set(engine, oldest);
    return true;
}

struct key_set *key_set_find(struct engine *engine, const char *url, enum fetch_trust trust) {
    struct key_set *set;
    LIST_FOREACH(set, &engine->key_sets, link)
        if (set->trust == trust && strcmp(set->url, url) == 0)
            return set;
    if (engine->key_set_count == KEY_SETS_MAX && !make_room(engine))
        return NULL;
    set = mem_new(sizeof(*set));
    set->engine = engine;
    set->url = mem_string(url);
    set->trust = trust;
    TAILQ_INIT(&set->waits);
    LIST_INSERT_HEAD(&engine->key_sets, set, link);
    engine->key_set_count++;
    return set;
}

const struct webhook_public_keys *key_set_known(const struct key_set *set) {
    bool fresh = set->known && clock_monotonic_ms() - set->known_ms < KEPT_MS;
    return fresh ? &set->keys : NULL;
}

/* They may ask again from within `then`, which begins another list. */
static void call_all(struct key_set *set) {
    struct engine *engine = set->engine;
    TAILQ_HEAD(, key_wait) waits = TAILQ_HEAD_INITIALIZER(waits);
    struct key_wait *wait;

    TAILQ_CONCAT(&waits, &set->waits, link);
    while ((wait = TAILQ_FIRST(&waits)) != NULL) {
        TAILQ_REMOVE(&waits, wait, link);
        engine->key_wait_count--;
        wait->then(engine, wait);
    }
}

static enum err read_reply(const struct fetch_result *result, struct webhook_public_keys *ret, struct fault *fault) {
    if (result->err != OK)
        return fault_set(fault, result->err, "%s", result->detail);
    if (result->http_status != 200)
        return fault_set(fault, ERR_FETCH, "HTTP %d", result->http_status);
    return webhook_public_keys_read(result->body, ret, fault);
}

static void fetched(void *context, const struct fetch_result *result) {
    struct key_set *set = context;
    struct fault fault = { .err = OK };

    set->fetch = NULL;
    set->asked_ms = clock_monotonic_ms();
    set->failed = read_reply(result, &set->keys, &fault) != OK;
    if (set->failed) {
        log_event(LOG_WARNING, "the public keys of a service's webhooks cannot be had", LOG_S("url", set->url),
                  LOG_S("reason", fault.message));
    } else {
        set->known = true;
        set->known_ms = set->asked_ms;
    }
    call_all(set);
}

static bool start_fetch(struct engine *engine, struct key_set *set) {
    struct fault fault = { .err = OK };
    const struct fetch_request request = {
        .trust = set->trust,
        .url = text_of(set->url),
        .reply_max = SET_BYTES_MAX,
        .connect_timeout_ms = CONNECT_MS,
        .total_timeout_ms = FETCH_MS,
        .done = fetched,
        .context = set,
    };
    set->asked = true;
    set->asked_ms = clock_monotonic_ms();
    set->failed = fetch_start(engine->fetcher, &request, &set->fetch, &fault) != OK;
    if (set->failed)
        log_event(LOG_WARNING, "the public keys of a service's webhooks cannot be asked for", LOG_S("url", set->url),
                  LOG_S("reason", fault.message));
    return !set->failed;
}

enum key_set_answer key_set_ask(struct engine *engine, struct key_set *set, struct key_wait *wait) {
    if (set->fetch == NULL && set->asked) {
        int64_t ago_ms = clock_monotonic_ms() - set->asked_ms;
        if (set->failed && ago_ms < FAILED_AGAIN_MS)
            return KEY_SET_UNAVAILABLE;
        if (!set->failed && ago_ms < AGAIN_MS)
            return KEY_SET_CURRENT;
    }
    if (engine->key_wait_count == KEY_WAITS_MAX || (set->fetch == NULL && !start_fetch(engine, set)))
        return KEY_SET_UNAVAILABLE;
    TAILQ_INSERT_TAIL(&set->waits, wait, link);
    engine->key_wait_count++;
    return KEY_SET_ASKED;
}

void key_sets_close(struct engine *engine) {
    struct key_set *set;
    while ((set = LIST_FIRST(&engine->key_sets)) != NULL) {
        call_all(set);
        assert(TAILQ_EMPTY(&set->waits));
        free_set(engine, set);
    }
}
