/* What is asked of the engine as a whole: how providers fare, what is paused, its figures. */
#include <stdlib.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/memory.h"
#include "engine/queue/dispatch.h"
#include "engine/queue/pauses.h"
#include "engine/route/health_inside.h"
#include "engine/state.h"

struct question {
    struct message message;
    char provider[NAME_SIZE]; /* whose breakers are to be closed; empty: none's */
    void (*tell)(struct json_t *report, void *context);
    void (*done)(void *context);
    void *context;
};

/* ---- the report ---- */

static json_t *breaker_value(const struct breaker *breaker, int64_t now_ms) {
    static const char *const states[] = {
        [BREAKER_CLOSED] = "closed", [BREAKER_OPEN] = "open", [BREAKER_PROBING] = "probing"
    };
    return json_pack("{s:s, s:f}", "state", states[breaker->state], "retry_in",
                     (double)breaker_wait_ms(breaker, now_ms) / 1000);
}

static json_t *keys_value(const struct provider_health *provider, int64_t now_ms) {
    json_t *keys = json_array();
    const struct key_slot *key;
    LIST_FOREACH(key, &provider->keys, link) {
        json_t *value = json_pack("{s:s, s:i, s:o, s:b}", "fingerprint", key->fingerprint, "running", (int)key->running,
                                  "refused", key->refusal != TASK_ERROR_NONE ? json_string(task_error_code(key->refusal))
                                                                             : json_null(),
                                  "gone", key->gone);
        json_object_set_new(value, "breaker", breaker_value(&key->breaker, now_ms));
        json_array_append_new(keys, value);
    }
    return keys;
}

static json_t *routes_value(const struct provider_health *provider, int64_t now_ms) {
    json_t *routes = json_array();
    for (const struct route_health *route = provider->routes; route != NULL; route = route->hh.next)
        json_array_append_new(routes, json_pack("{s:s, s:o}", "target", route->target, "breaker",
                                                breaker_value(&route->breaker, now_ms)));
    return routes;
}

static json_t *entry(json_t *report, const char *name) {
    json_t *value = json_object_get(report, name);
    if (value == NULL) {
        value = json_pack("{s:i, s:i}", "running", 0, "queued", 0);
        json_object_set_new(report, name, value);
    }
    return value;
}

static void add_queue(const char *provider, void *context) {
    void **both = context;
    unsigned waiting, running;
    queue_count(&((struct engine *)both[0])->queue, provider, &waiting, &running);
    json_t *value = entry(both[1], provider);
    json_object_set_new(value, "queued", json_integer(waiting));
    json_object_set_new(value, "running", json_integer(running));
}

static json_t *make_report(struct engine *engine) {
    int64_t now_ms = clock_monotonic_ms();
    json_t *report = json_object();
    void *both[] = { engine, report };
    for (const struct provider_health *provider = engine->health->providers; provider != NULL;
         provider = provider->hh.next) {
        json_t *value = entry(report, provider->name);
        json_object_set_new(value, "keys", keys_value(provider, now_ms));
        json_object_set_new(value, "routes", routes_value(provider, now_ms));
        if (provider->failed_ms != 0)
            json_object_set_new(value, "last_failure", json_pack("{s:I, s:s}", "at", (json_int_t)provider->failed_ms / 1000,
                                                                 "detail", provider->failure));
    }
    queue_each_provider(&engine->queue, add_queue, both);
    return report;
}

static void tell_report(void *owner, struct message *message) {
    struct engine *engine = owner;
    struct question *question = container_of(message, struct question, message);
    question->tell(engine->closed ? json_object() : make_report(engine), question->context);
    free(question);
}

void engine_report(struct engine *engine, void (*tell)(struct json_t *report, void *context), void *context) {
    struct question *question = mem_new(sizeof(*question));
    question->message.deliver = tell_report;
    question->tell = tell;
    question->context = context;
    if (inbox_post(&engine->inbox, &question->message))
        return;
    free(question);
    tell(json_object(), context);
}

/* ---- pauses and breakers ---- */

static void look_again(void *owner, struct message *message) {
    struct engine *engine = owner;
    struct question *question = container_of(message, struct question, message);
    struct provider_health *provider =
        question->provider[0] != '\0' && !engine->closed ? health_find_provider(engine->health, question->provider) : NULL;
    pauses_look(engine);
    if (provider != NULL) {
        health_reset(provider);
        dispatch_health_changed(engine);
    }
    question->done(question->context);
    free(question);
}

static void ask(struct engine *engine, const char *provider, void (*done)(void *context), void *context) {
    struct question *question = mem_new(sizeof(*question));
    question->message.deliver = look_again;
    snprintf(question->provider, sizeof(question->provider), "%s", provider);
    question->done = done;
    question->context = context;
    if (inbox_post(&engine->inbox, &question->message))
        return;
    free(question);
    done(context);
}

void engine_pauses_changed(struct engine *engine, void (*done)(void *context), void *context) {
    ask(engine, "", done, context);
}

void engine_reset_provider(struct engine *engine, const char *provider, void (*done)(void *context), void *context) {
    ask(engine, provider, done, context);
}

bool engine_paused(struct engine *engine, enum pause_kind kind, const char *name) {
    return pauses_have(engine->pauses, kind, name);
}

/* ---- figures ---- */

#define LOAD(counter) atomic_load_explicit(&engine->counters.counter, memory_order_relaxed)

struct engine_counts engine_counts(struct engine *engine) {
    struct board_counts board = board_counts(engine->board);
    struct engine_counts counts = {
        .accepted = LOAD(accepted),
        .completed = LOAD(completed),
        .failed = LOAD(failed),
        .attempts = LOAD(attempts),
        .retried = LOAD(retried),
        .recovered = LOAD(recovered),
        .queued = LOAD(queued),
        .running = LOAD(running),
        .board_entries = board.entries,
        .board_hits = board.hits,
        .board_misses = board.misses,
        .artifacts_stored = LOAD(artifacts_stored),
        .artifact_bytes = LOAD(artifact_bytes),
        .swept = LOAD(swept),
    };
    for (unsigned i = 0; i < HOOK_OUTCOME_COUNT; i++)
        counts.hooks[i] = LOAD(hooks[i]);
    return counts;
}
