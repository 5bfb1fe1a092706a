/* A ring of the last durations a model, and their median as an atomic, so that a question takes a shared lock only. */
#include "engine/queue/estimate.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/hash_table.h"
#include "base/memory.h"
#include "store/store.h"

#define DURATIONS 32
#define MODELS_MAX 10000 /* names come from the catalogue; this bounds what reloads can leave behind (S3) */

struct estimate {
    UT_hash_handle hh;
    uint32_t ms[DURATIONS];
    unsigned count, next;
    atomic_int_fast64_t median_ms; /* 0: nothing measured */
    char name[];
};

struct estimates {
    pthread_rwlock_t lock;
    struct store *store;
    struct estimate *models;
};

struct estimates *estimates_new(struct store *store) {
    struct estimates *estimates = mem_new(sizeof(*estimates));
    pthread_rwlock_init(&estimates->lock, NULL);
    estimates->store = store;
    return estimates;
}

void estimates_free(struct estimates *estimates) {
    struct estimate *estimate, *next;
    if (estimates == NULL)
        return;
    HASH_ITER(hh, estimates->models, estimate, next) {
        HASH_DELETE(hh, estimates->models, estimate);
        free(estimate);
    }
    pthread_rwlock_destroy(&estimates->lock);
    free(estimates);
}

static int compare(const void *a, const void *b) {
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

static void publish(struct estimate *estimate) {
    uint32_t sorted[DURATIONS];
    if (estimate->count == 0)
        return;
    memcpy(sorted, estimate->ms, sizeof(sorted));
    qsort(sorted, estimate->count, sizeof(sorted[0]), compare);
    atomic_store_explicit(&estimate->median_ms, (int64_t)sorted[estimate->count / 2] + 1, memory_order_relaxed);
}

static void put_duration(struct estimate *estimate, int64_t ms) {
    estimate->ms[estimate->next] = ms < 0 ? 0 : ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
    estimate->next = (estimate->next + 1) % DURATIONS;
    if (estimate->count < DURATIONS)
        estimate->count++;
}

struct loaded {
    int64_t ms[DURATIONS];
    unsigned count;
};

static bool load_one(int64_t ms, void *context) {
    struct loaded *loaded = context;
    loaded->ms[loaded->count++] = ms;
    return loaded->count < DURATIONS;
}

static struct estimate *find(struct estimates *estimates, struct text model) {
    struct estimate *estimate = NULL;
    HASH_FIND(hh, estimates->models, model.ptr, model.len, estimate);
    return estimate;
}

/* Reads the model's durations and adds it; somebody else may have been faster. */
static void load(struct estimates *estimates, struct text model) {
    struct estimate *fresh = mem_new(sizeof(*fresh) + model.len + 1);
    memcpy(fresh->name, model.ptr, model.len);
    struct loaded loaded = { .count = 0 };
    if (store_list_durations(estimates->store, model, DURATIONS, load_one, &loaded) != OK)
        loaded.count = 0; /* the catalogue's figure will do */
    while (loaded.count > 0) /* they came newest first, and the oldest is overwritten first */
        put_duration(fresh, loaded.ms[--loaded.count]);
    publish(fresh);

    pthread_rwlock_wrlock(&estimates->lock);
    if (find(estimates, model) == NULL && HASH_COUNT(estimates->models) < MODELS_MAX) {
        HASH_ADD_KEYPTR(hh, estimates->models, fresh->name, model.len, fresh);
        fresh = NULL;
    }
    pthread_rwlock_unlock(&estimates->lock);
    free(fresh);
}

int64_t estimates_get(struct estimates *estimates, struct text model, int64_t fallback_s) {
    for (int turn = 0; turn < 2; turn++) {
        pthread_rwlock_rdlock(&estimates->lock);
        struct estimate *estimate = find(estimates, model);
        int64_t ms = estimate != NULL ? atomic_load_explicit(&estimate->median_ms, memory_order_relaxed) : 0;
        pthread_rwlock_unlock(&estimates->lock);
        if (estimate != NULL)
            return ms > 0 ? (ms + 999) / 1000 : fallback_s;
        load(estimates, model);
    }
    return fallback_s;
}

void estimates_add(struct estimates *estimates, struct text model, int64_t duration_ms) {
    pthread_rwlock_wrlock(&estimates->lock);
    struct estimate *estimate = find(estimates, model);
    if (estimate != NULL) { /* else nobody has asked: the first question begins with what the store has */
        put_duration(estimate, duration_ms);
        publish(estimate);
    }
    pthread_rwlock_unlock(&estimates->lock);
}
