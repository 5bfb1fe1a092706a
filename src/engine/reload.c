/* The settings in force: read by any thread, replaced by a reload, which the engine's thread then takes up. */
#include <stdlib.h>

#include "base/memory.h"
#include "callback/callbacks.h"
#include "config/config.h"
#include "engine/queue/dispatch.h"
#include "engine/route/generation.h"
#include "engine/route/health.h"
#include "engine/state.h"
#include "net/courier.h"
#include "net/fetch.h"

struct setup *engine_setup(struct engine *engine) {
    pthread_mutex_lock(&engine->setup_mutex);
    struct setup *setup = setup_ref(engine->setup);
    pthread_mutex_unlock(&engine->setup_mutex);
    return setup;
}

uint64_t engine_setup_number(struct engine *engine) {
    return atomic_load(&engine->setup_number);
}

struct reload {
    struct message message;
    struct setup *setup;
};

/* They are by the places that the setup before had for them. */
static void forget_routes(struct engine *engine) {
    struct live_task *task, *next;
    LIVE_EACH(&engine->live, task, next)
        task->tried = task->unable = 0;
}

static void take_setup(void *owner, struct message *message) {
    struct engine *engine = owner;
    struct reload *reload = container_of(message, struct reload, message);
    const struct config *config = reload->setup->config;
    if (engine->closed) {
        setup_unref(reload->setup);
        free(reload);
        return;
    }
    generation_unref(engine->generation);
    engine->generation = generation_new(engine, reload->setup);
    free(reload);
    forget_routes(engine);
    fetch_client_allow(engine->fetcher, config->fetch_allow, config->fetch_allow_count);
    courier_allow(engine->courier, config->fetch_allow, config->fetch_allow_count);
    callbacks_allow(engine->callbacks, config->fetch_allow, config->fetch_allow_count);
    health_configure(engine->health, config, engine->generation->setup->bridge);
    dispatch_relimit(engine);
    dispatch_pump(engine);
}

void engine_reload(struct engine *engine, struct setup *setup) {
    struct reload *reload = mem_new(sizeof(*reload));
    reload->message.deliver = take_setup;
    reload->setup = setup_ref(setup);
    pthread_mutex_lock(&engine->setup_mutex);
    struct setup *before = engine->setup;
    engine->setup = setup_ref(setup);
    atomic_store(&engine->setup_number, setup->number);
    bool posted = inbox_post(&engine->inbox, &reload->message); /* under the lock: two reloads arrive in their order */
    pthread_mutex_unlock(&engine->setup_mutex);
    setup_unref(before);
    if (posted)
        return;
    setup_unref(reload->setup);
    free(reload);
}
