/* The set of what is paused, and what a change of it means for those who wait. */
#include "engine/queue/pauses.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "engine/queue/dispatch.h"
#include "engine/state.h"

#define PAUSES_MAX 4096 /* of each kind */

struct names {
    char **names; /* in the store's order, so that two lists can be compared */
    unsigned count;
};

struct pauses {
    pthread_mutex_t mutex;
    struct names kinds[PAUSE_KIND_COUNT];  /* under the mutex */
    atomic_uint counts[PAUSE_KIND_COUNT];
    uint64_t generation; /* of the store, when it was read; the engine's thread's */
};

struct pauses *pauses_new(void) {
    struct pauses *pauses = mem_new(sizeof(*pauses));
    pthread_mutex_init(&pauses->mutex, NULL);
    return pauses;
}

static void drop_names(struct names kinds[PAUSE_KIND_COUNT]) {
    for (int kind = 0; kind < PAUSE_KIND_COUNT; kind++) {
        for (unsigned i = 0; i < kinds[kind].count; i++)
            free(kinds[kind].names[i]);
        free(kinds[kind].names);
        kinds[kind] = (struct names){ NULL, 0 };
    }
}

void pauses_free(struct pauses *pauses) {
    if (pauses == NULL)
        return;
    drop_names(pauses->kinds);
    pthread_mutex_destroy(&pauses->mutex);
    free(pauses);
}

static bool add_name(const struct pause_row *row, void *context) {
    struct names *names = &((struct names *)context)[row->kind];
    if (names->count == PAUSES_MAX)
        return true;
    names->names = mem_grow(names->names, (names->count + 1) * sizeof(*names->names));
    names->names[names->count++] = text_dup(row->name);
    return true;
}

static bool same(const struct names *a, const struct names *b) {
    if (a->count != b->count)
        return false;
    for (unsigned i = 0; i < a->count; i++)
        if (strcmp(a->names[i], b->names[i]) != 0)
            return false;
    return true;
}

enum err pauses_load(struct pauses *pauses, struct store *store, bool *ret_changed) {
    struct names fresh[PAUSE_KIND_COUNT] = { { NULL, 0 } };
    uint64_t generation = store_generation(store); /* before the reading: a change meanwhile is seen the next time */
    enum err err = store_list_pauses(store, add_name, fresh);
    if (err != OK) {
        drop_names(fresh);
        return err;
    }
    *ret_changed = false;
    pthread_mutex_lock(&pauses->mutex);
    for (int kind = 0; kind < PAUSE_KIND_COUNT; kind++) {
        struct names before = pauses->kinds[kind];
        *ret_changed |= !same(&before, &fresh[kind]);
        pauses->kinds[kind] = fresh[kind];
        fresh[kind] = before;
        atomic_store(&pauses->counts[kind], pauses->kinds[kind].count);
    }
    pthread_mutex_unlock(&pauses->mutex);
    drop_names(fresh);
    pauses->generation = generation;
    return OK;
}

bool pauses_any(struct pauses *pauses, enum pause_kind kind) {
    return atomic_load_explicit(&pauses->counts[kind], memory_order_relaxed) > 0;
}

bool pauses_have(struct pauses *pauses, enum pause_kind kind, const char *name) {
    bool found = false;
    if (!pauses_any(pauses, kind))
        return false;
    pthread_mutex_lock(&pauses->mutex);
    for (unsigned i = 0; i < pauses->kinds[kind].count && !found; i++)
        found = strcmp(pauses->kinds[kind].names[i], name) == 0;
    pthread_mutex_unlock(&pauses->mutex);
    return found;
}

static void wake_parked(struct engine *engine) {
    struct live_task *task, *next;
    LIVE_EACH(&engine->live, task, next)
        if (task->parked && task->phase == LIVE_WAITING)
            dispatch_wake(engine, task); /* those whose model is paused still park again */
}

void pauses_look(struct engine *engine) {
    bool changed = false;
    if (engine->closed || engine->stopping || store_generation(engine->store) == engine->pauses->generation)
        return;
    enum err err = pauses_load(engine->pauses, engine->store, &changed);
    if (err != OK) {
        log_event(LOG_WARNING, "what is paused cannot be read", LOG_S("error", err_info(err)->name));
        return;
    }
    if (!changed)
        return;
    log_event(LOG_INFO, "pauses changed");
    wake_parked(engine);
    dispatch_health_changed(engine);
}
