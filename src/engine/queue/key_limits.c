/* Limits of keys, read where no request brings them. */
#include "engine/queue/key_limits.h"

#include <limits.h>
#include <stdlib.h>

#include "base/memory.h"
#include "engine/queue/dispatch.h"
#include "engine/state.h"

#define KNOWN 4096
#define AT_ONCE 200 /* rows a heartbeat: some milliseconds of the engine's thread */

/* A table that forgets what collides: keys with many open tasks are few. */
struct key_limit_cache {
    struct {
        int64_t key;
        uint32_t concurrency;
    } known[KNOWN];
};

struct key_limit_cache *key_limits_new(void) {
    return mem_new(sizeof(struct key_limit_cache));
}

void key_limits_free(struct key_limit_cache *limits) {
    free(limits);
}

static enum err read_limit(struct engine *engine, int64_t account, int64_t id, uint32_t *ret) {
    struct key_row key;
    enum err err = store_find_key_by_id(engine->store, account, id, &key);
    if (err != OK && err != ERR_NOT_FOUND)
        return err;
    int64_t most = err == OK ? key.concurrency : 0;
    *ret = most <= UINT32_MAX ? (uint32_t)most : UINT32_MAX;
    return OK;
}

enum err key_limits_read(struct key_limit_cache *limits, struct engine *engine, struct live_task *task) {
    size_t place = (uint64_t)task->key_id % KNOWN;
    if (limits->known[place].key != task->key_id || task->key_id == 0) {
        uint32_t concurrency = 0;
        enum err err = read_limit(engine, task->key.account, task->key_id, &concurrency);
        if (err != OK)
            return err;
        limits->known[place].key = task->key_id;
        limits->known[place].concurrency = concurrency;
    }
    task->key_concurrency = limits->known[place].concurrency;
    return OK;
}

static unsigned look_up(int64_t account, int64_t key, unsigned before, void *context) {
    uint32_t concurrency = 0;
    return read_limit(context, account, key, &concurrency) == OK ? concurrency : before;
}

void key_limits_refresh(struct engine *engine) {
    uint64_t generation = store_generation(engine->store);
    if (engine->closed || generation == engine->keys_generation)
        return;
    if (queue_relimit_keys(&engine->queue, generation, AT_ONCE, look_up, engine))
        engine->keys_generation = generation;
    dispatch_pump(engine);
}
