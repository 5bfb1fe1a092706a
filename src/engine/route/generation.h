/* A setup at work: the drivers made from it, alive as long as it is in force or one of its attempts runs.
 *
 * Engine's thread only. */
#pragma once

#include "engine/queue/queue.h"
#include "engine/setup.h"
#include "provider/driver.h"
#include "store/rows.h"

struct engine;
struct live_task;
struct model;
struct route;

#define GENERATION_DRIVERS_MAX 32

struct generation {
    struct setup *setup;
    struct driver_host host;
    unsigned references;
    const struct driver_ops *const *ops; /* the engine's table */
    struct driver *drivers[GENERATION_DRIVERS_MAX]; /* in the table's order; made when first needed */
    struct {
        char name[100]; /* longer ones are looked up each time */
        size_t length; /* 0: none yet */
        const struct model *model;
    } latest; /* that generation_model found */
};

/* One reference for the caller; the setup's reference is taken over. */
struct generation *generation_new(struct engine *engine, struct setup *setup) must_check;
struct generation *generation_ref(struct generation *generation);
void generation_unref(struct generation *generation); /* NULL is fine */

/* The catalogue's model of a task; NULL: it has none any more. The one found last is found at once: a task's steps follow
 * one another, and tasks of one model, too. */
const struct model *generation_model(struct generation *generation, const struct live_task *task) must_check;

/* How a task would be run. */
struct path {
    const struct model *model;
    const struct route *route; /* NULL for a test key's task of a model without routes */
    const struct driver_ops *ops;
    const char *provider;
    int64_t wait_ms; /* until the route may be used, by the health of route and keys; 0: now */
    struct queue_limits limits;
};
/* TASK_ERROR_NONE, or why it cannot run: the model is gone, nothing is configured to run it, or nothing that an operator
 * would not have to mend first. Routes in task->tried are left out as long as another one is there; a pinned task has
 * only its own (T4). Of routes of the same priority one is drawn by weight; `provider` (may be NULL) is preferred then. */
enum task_error generation_resolve(struct generation *generation, struct engine *engine,
                                   const struct live_task *task, const char *provider, struct path *ret) must_check;
/* The path of an attempt that an earlier life began; its route is NULL when the catalogue has it no more. */
enum task_error generation_resolve_again(struct generation *generation, struct engine *engine,
                                         const struct live_task *task, const char *provider, const char *target,
                                         struct path *ret) must_check;
/* What tells a route from others, over a reload too; never 0. Pure. */
uint32_t generation_route_mark(const char *provider, const char *target);
/* Whether it leads there, whatever catalogue it is of. */
bool generation_route_is(const struct route *route, const char *provider, const char *target);
/* What runs a provider's attempts; NULL when nothing does. */
const struct driver_ops *generation_ops(const struct generation *generation, const char *provider);
/* The driver, made now if it is not there yet. */
struct driver *generation_driver(struct generation *generation, struct engine *engine, const struct driver_ops *ops);
/* Looks a driver up in a table by its name; NULL when it is not there. Pure. */
const struct driver_ops *driver_find(const struct driver_ops *const *table, const char *name);
/* Running attempts that a provider may have: configured, else its adapter's or its driver's figure. */
unsigned generation_provider_limit(const struct generation *generation, const struct driver_ops *ops,
                                   const char *provider);
/* Running tasks that the task's account, key and group may have; the provider's limit is left as it is. */
void generation_set_limits(const struct generation *generation, const struct live_task *task, struct queue_limits *limits);
