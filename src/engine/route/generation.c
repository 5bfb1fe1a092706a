/* Routes, limits and drivers of one setup. */
#include "engine/route/generation.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/memory.h"
#include "catalog/catalog.h"
#include "config/config.h"
#include "engine/queue/pauses.h"
#include "engine/route/health.h"
#include "engine/state.h"
#include "provider/adapter.h"
#include "provider/bridge.h"
#include "provider/driver.h"

#define SIMULATOR "simulator"
#define CHAT_SIMULATOR "chat-simulator"

struct generation *generation_new(struct engine *engine, struct setup *setup) {
    struct generation *generation = mem_new(sizeof(*generation));
    generation->setup = setup;
    generation->references = 1;
    generation->ops = engine->seams->drivers;
    return generation;
}

struct generation *generation_ref(struct generation *generation) {
    generation->references++;
    return generation;
}

void generation_unref(struct generation *generation) {
    if (generation == NULL || --generation->references > 0)
        return;
    for (size_t i = 0; generation->ops[i] != NULL; i++)
        if (generation->drivers[i] != NULL)
            generation->ops[i]->destroy(generation->drivers[i]);
    setup_unref(generation->setup);
    free(generation);
}

const struct driver_ops *driver_find(const struct driver_ops *const *table, const char *name) {
    for (; *table != NULL; table++)
        if (strcmp((*table)->name, name) == 0)
            return *table;
    return NULL;
}

struct driver *generation_driver(struct generation *generation, struct engine *engine, const struct driver_ops *ops) {
    size_t i = 0;
    while (generation->ops[i] != ops)
        i++;
    assert(i < GENERATION_DRIVERS_MAX);
    if (generation->drivers[i] == NULL) {
        generation->host = (struct driver_host){
            .loop = &engine->loop,
            .config = generation->setup->config,
            .bridge = generation->setup->bridge,
            .fetcher = engine->fetcher,
            .courier = engine->courier,
            .work = engine->work_directory,
        };
        generation->drivers[i] = ops->create(&generation->host);
    }
    return generation->drivers[i];
}

const struct model *generation_model(struct generation *generation, const struct live_task *task) {
    struct text name = live_model(task);
    if (name.len > 0 && text_equal(name, (struct text){ generation->latest.name, generation->latest.length }))
        return generation->latest.model;
    const struct model *model = catalog_find(generation->setup->catalog, name);
    if (model != NULL && name.len <= sizeof(generation->latest.name)) {
        memcpy(generation->latest.name, name.ptr, name.len);
        generation->latest.length = name.len;
        generation->latest.model = model;
    }
    return model;
}

static unsigned cores(void) {
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (unsigned)count : 1;
}

const struct driver_ops *generation_ops(const struct generation *generation, const char *provider) {
    const struct driver_ops *ops = driver_find(generation->ops, provider);
    if (ops != NULL && !ops->remote)
        return ops;
    const struct adapter *adapter = bridge_adapter(generation->setup->bridge, provider);
    if (adapter == NULL)
        return NULL;
    for (size_t i = 0; generation->ops[i] != NULL; i++)
        if (generation->ops[i]->remote && generation->ops[i]->converses == (adapter->chat != NULL))
            return generation->ops[i];
    return NULL;
}

unsigned generation_provider_limit(const struct generation *generation, const struct driver_ops *ops,
                                   const char *provider) {
    const struct provider_config *config = config_provider(generation->setup->config, text_of(provider));
    const struct adapter *adapter = ops->remote ? bridge_adapter(generation->setup->bridge, provider) : NULL;
    if (config != NULL && config->concurrency > 0)
        return config->concurrency;
    if (adapter != NULL && adapter->concurrency >= 1)
        return (unsigned)adapter->concurrency;
    return ops->concurrency > 0 ? ops->concurrency : cores();
}

void generation_set_limits(const struct generation *generation, const struct live_task *task, struct queue_limits *limits) {
    const struct group_config *group = config_group(generation->setup->config, live_group(task));
    bool call = task->call != NULL; /* engine/task/holds.h has counted it */
    limits->group_name = group->name;
    limits->group = call ? 0 : group->group_concurrency;
    limits->key = call ? 0 : task->key_concurrency;
    limits->account = call ? UINT_MAX : task->type == TASK_LLM ? group->streams : group->concurrency;
}

/* ---- routes ---- */

/* What is looked for among a model's routes, and what was found. */
struct search {
    const struct generation *generation;
    struct engine *engine;
    const struct live_task *task;
    const struct model *model;
    const char *provider; /* preferred */
};

bool generation_route_is(const struct route *route, const char *provider, const char *target) {
    return strcmp(route->provider, provider) == 0 && strcmp(route->target, target) == 0;
}

uint32_t generation_route_mark(const char *provider, const char *target) {
    struct sha256_stream stream = { 0 };
    uint8_t hash[SHA256_SIZE];
    uint32_t mark;
    sha256_begin(&stream);
    sha256_add(&stream, provider, strlen(provider) + 1);
    sha256_add(&stream, target, strlen(target));
    sha256_end(&stream, hash);
    memcpy(&mark, hash, sizeof(mark));
    return mark != 0 ? mark : 1;
}

static bool is_open_to(const struct search *search, unsigned index, bool again) {
    const struct live_task *task = search->task;
    const struct route *route = &search->model->routes[index];
    uint64_t place = UINT64_C(1) << index;
    if ((task->unable & place) != 0)
        return false;
    if (task->pinned != 0)
        return generation_route_mark(route->provider, route->target) == task->pinned;
    return again || (task->tried & place) == 0;
}

static bool is_paused(const struct search *search, const struct route *route) {
    return pauses_have(search->engine->pauses, PAUSE_PROVIDER, route->provider);
}

static int64_t wait_of(const struct search *search, const struct route *route) {
    if (is_paused(search, route))
        return PAUSED_WAIT_MS;
    return health_wait_ms(search->engine->health, route->provider, route->target);
}

/* How soon it may be used: now; when it has cooled down; when somebody says so. */
enum readiness { ROUTE_READY, ROUTE_COOLS, ROUTE_PAUSED };
static enum readiness readiness_of(const struct search *search, const struct route *route) {
    return is_paused(search, route) ? ROUTE_PAUSED : wait_of(search, route) > 0 ? ROUTE_COOLS : ROUTE_READY;
}

/* Whether the route comes before the best so far: what is ready, then what has the lower priority, then what the slot
 * is for. 0: as good. */
static int compare(const struct search *search, const struct route *route, enum readiness ready,
                   const struct route *best, enum readiness best_ready) {
    if (ready != best_ready)
        return ready < best_ready ? -1 : 1;
    if (route->priority != best->priority)
        return route->priority < best->priority ? -1 : 1;
    bool preferred = search->provider != NULL && strcmp(route->provider, search->provider) == 0;
    bool best_preferred = search->provider != NULL && strcmp(best->provider, search->provider) == 0;
    return preferred == best_preferred ? 0 : preferred ? -1 : 1;
}

/* Among equals each is drawn with the chance of its weight: the n-th takes the place with weight / sum so far. */
static const struct route *search_routes(const struct search *search, bool again) {
    const struct setup *setup = search->generation->setup;
    const struct route *best = NULL;
    enum readiness best_ready = ROUTE_PAUSED;
    unsigned weights = 0;
    for (unsigned i = 0; i < search->model->route_count; i++) {
        const struct route *route = &search->model->routes[i];
        if (!is_open_to(search, i, again) || generation_ops(search->generation, route->provider) == NULL ||
            health_refusal(search->engine->health, route->provider) != TASK_ERROR_NONE ||
            !route_available(route, setup->config, setup->bridge, NULL))
            continue;
        enum readiness ready = readiness_of(search, route);
        int order = best == NULL ? -1 : compare(search, route, ready, best, best_ready);
        unsigned weight = route->weight > 0 ? route->weight : 1;
        if (order > 0)
            continue;
        weights = order < 0 ? weight : weights + weight;
        if (order < 0 || crypto_random_below(weights) < weight)
            best = route;
        best_ready = order < 0 ? ready : best_ready;
    }
    return best;
}

/* Why none was found: an operator's word that explains it best. */
static enum task_error refusal_of(const struct search *search) {
    for (unsigned i = 0; i < search->model->route_count; i++) {
        enum task_error refusal = health_refusal(search->engine->health, search->model->routes[i].provider);
        if (refusal != TASK_ERROR_NONE)
            return refusal;
    }
    return TASK_ERROR_UNAVAILABLE;
}

static enum task_error find_route(const struct search *search, struct path *path) {
    path->route = search_routes(search, false);
    if (path->route == NULL)
        path->route = search_routes(search, true);
    if (path->route == NULL)
        return refusal_of(search);
    path->provider = path->route->provider;
    path->ops = generation_ops(search->generation, path->provider);
    path->wait_ms = wait_of(search, path->route);
    return TASK_ERROR_NONE;
}

static void set_limits(const struct search *search, struct path *path) {
    unsigned limit = generation_provider_limit(search->generation, path->ops, path->provider);
    bool paused = pauses_have(search->engine->pauses, PAUSE_PROVIDER, path->provider);
    path->limits.provider = paused ? 0 : health_room(search->engine->health, path->provider, limit);
    generation_set_limits(search->generation, search->task, &path->limits);
}

enum task_error generation_resolve(struct generation *generation, struct engine *engine,
                                   const struct live_task *task, const char *provider, struct path *ret) {
    struct path path = { .model = generation_model(generation, task) };
    const struct search search = { generation, engine, task, path.model, provider };
    if (path.model == NULL)
        return TASK_ERROR_RESOURCE_NOT_FOUND;
    if (task->book == BOOK_TEST) {
        path.provider = path.model->llm != NULL ? CHAT_SIMULATOR : SIMULATOR;
        path.ops = driver_find(generation->ops, path.provider);
        path.route = path.model->route_count > 0 ? &path.model->routes[0] : NULL;
    } else {
        enum task_error error = find_route(&search, &path);
        if (error != TASK_ERROR_NONE)
            return error;
    }
    if (path.ops == NULL)
        return TASK_ERROR_UNAVAILABLE;
    set_limits(&search, &path);
    *ret = path;
    return TASK_ERROR_NONE;
}

enum task_error generation_resolve_again(struct generation *generation, struct engine *engine,
                                         const struct live_task *task, const char *provider, const char *target,
                                         struct path *ret) {
    struct path path = {
        .model = generation_model(generation, task),
        .ops = generation_ops(generation, provider),
    };
    const struct search search = { generation, engine, task, path.model, provider };
    if (path.model == NULL)
        return TASK_ERROR_RESOURCE_NOT_FOUND;
    if (path.ops == NULL)
        return TASK_ERROR_UNAVAILABLE;
    const struct adapter *adapter = bridge_adapter(generation->setup->bridge, provider);
    path.provider = adapter != NULL ? adapter->name : path.ops->name;
    for (unsigned i = 0; i < path.model->route_count && path.route == NULL; i++) {
        const struct route *route = &path.model->routes[i];
        if (generation_route_is(route, provider, target))
            path.route = route;
    }
    set_limits(&search, &path);
    *ret = path;
    return TASK_ERROR_NONE;
}
