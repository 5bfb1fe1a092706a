/* Routes, limits and drivers of one setup. */
#include "engine/generation.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "catalog/catalog.h"
#include "config/config.h"
#include "engine/state.h"
#include "provider/driver.h"

#define SIMULATOR "simulator"

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
    const struct driver_host host = {
        .loop = &engine->loop,
        .config = generation->setup->config,
        .bridge = generation->setup->bridge,
        .fetcher = engine->fetcher,
    };
    if (generation->drivers[i] == NULL)
        generation->drivers[i] = ops->create(&host);
    return generation->drivers[i];
}

static unsigned cores(void) {
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (unsigned)count : 1;
}

unsigned generation_provider_limit(const struct generation *generation, const struct driver_ops *ops,
                                   const char *provider) {
    const struct provider_config *config = config_provider(generation->setup->config, text_of(provider));
    if (config != NULL && config->concurrency > 0)
        return config->concurrency;
    return ops->concurrency > 0 ? ops->concurrency : cores();
}

unsigned generation_account_limit(const struct generation *generation, const struct live_task *task) {
    return config_group(generation->setup->config, live_group(task))->concurrency;
}

/* The available route of the least priority, the first written among equals. */
static const struct route *choose_route(const struct generation *generation, const struct model *model,
                                        const struct driver_ops **ret_ops) {
    const struct route *best = NULL;
    for (unsigned i = 0; i < model->route_count; i++) {
        const struct route *route = &model->routes[i];
        const struct driver_ops *ops = driver_find(generation->ops, route->provider);
        if (ops == NULL || (best != NULL && best->priority <= route->priority))
            continue;
        if (!route_available(route, generation->setup->config, generation->setup->bridge, NULL))
            continue;
        best = route;
        *ret_ops = ops;
    }
    return best;
}

enum task_error generation_resolve(const struct generation *generation, const struct live_task *task,
                                   struct path *ret) {
    struct path path = { .model = catalog_find(generation->setup->catalog, live_model(task)) };
    if (path.model == NULL)
        return TASK_ERROR_RESOURCE_NOT_FOUND;

    const char *provider = SIMULATOR;
    if (task->book == BOOK_TEST) {
        path.ops = driver_find(generation->ops, SIMULATOR);
        path.route = path.model->route_count > 0 ? &path.model->routes[0] : NULL;
    } else {
        path.route = choose_route(generation, path.model, &path.ops);
        if (path.route != NULL)
            provider = path.route->provider;
    }
    if (path.ops == NULL)
        return TASK_ERROR_UNAVAILABLE;
    path.provider_limit = generation_provider_limit(generation, path.ops, provider);
    path.account_limit = generation_account_limit(generation, task);
    *ret = path;
    return TASK_ERROR_NONE;
}
