/* The tasks whose clients have not been answered yet: as many as there are such requests under way. */
#include "callback/gate.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/hash_table.h"
#include "base/memory.h"

struct held_key {
    int64_t account;
    char task[TASK_ID_SIZE]; /* padded with zeros */
};

struct held {
    UT_hash_handle hh;
    struct held_key key;
    bool asked;
};

struct gate {
    pthread_mutex_t mutex;
    struct held *table;
};

struct gate *gate_new(void) {
    struct gate *gate = mem_new(sizeof(*gate));
    pthread_mutex_init(&gate->mutex, NULL);
    return gate;
}

void gate_free(struct gate *gate) {
    struct held *held, *next;
    if (gate == NULL)
        return;
    HASH_ITER(hh, gate->table, held, next) {
        HASH_DELETE(hh, gate->table, held);
        free(held);
    }
    pthread_mutex_destroy(&gate->mutex);
    free(gate);
}

static struct held_key key_of(int64_t account, const struct task_id *task) {
    struct held_key key;
    memset(&key, 0, sizeof(key));
    key.account = account;
    memcpy(key.task, task->string, strnlen(task->string, sizeof(key.task) - 1));
    return key;
}

/* Under the mutex. */
static struct held *find(const struct gate *gate, const struct held_key *key) {
    struct held *held = NULL;
    HASH_FIND(hh, gate->table, key, sizeof(*key), held);
    return held;
}

void gate_hold(struct gate *gate, int64_t account, const struct task_id *task) {
    struct held *held = mem_new(sizeof(*held));
    held->key = key_of(account, task);
    pthread_mutex_lock(&gate->mutex);
    HASH_ADD(hh, gate->table, key, sizeof(held->key), held);
    pthread_mutex_unlock(&gate->mutex);
}

bool gate_holds(struct gate *gate, int64_t account, const struct task_id *task) {
    struct held_key key = key_of(account, task);
    pthread_mutex_lock(&gate->mutex);
    struct held *held = find(gate, &key);
    if (held != NULL)
        held->asked = true;
    pthread_mutex_unlock(&gate->mutex);
    return held != NULL;
}

bool gate_release(struct gate *gate, int64_t account, const struct task_id *task) {
    struct held_key key = key_of(account, task);
    pthread_mutex_lock(&gate->mutex);
    struct held *held = find(gate, &key);
    bool asked = held != NULL && held->asked;
    if (held != NULL)
        HASH_DELETE(hh, gate->table, held);
    pthread_mutex_unlock(&gate->mutex);
    free(held);
    return asked;
}
