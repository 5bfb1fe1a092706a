/* A table of those there are, each counted; it grows and shrinks with them. */
#include "base/shared.h"

#include <assert.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/crypto.h"
#include "base/lasting.h"
#include "base/memory.h"

#define BUCKETS_FIRST ((size_t)64)

struct shared {
    struct shared *next; /* of its bucket */
    uint32_t hash, len, holders;
    char string[];
};

static struct {
    pthread_mutex_t mutex;
    struct shared **buckets;
    size_t bucket_count, count; /* a power of 2, or 0 */
} table = { .mutex = PTHREAD_MUTEX_INITIALIZER };

static size_t size_of(size_t len) {
    return sizeof(struct shared) + len + 1;
}

static struct shared **bucket_of(uint32_t hash) {
    return &table.buckets[hash & (table.bucket_count - 1)];
}

static void resize(size_t bucket_count) {
    struct shared **old = table.buckets;
    size_t old_count = table.bucket_count;
    table.buckets = mem_new_array(bucket_count, sizeof(struct shared *));
    table.bucket_count = bucket_count;
    for (size_t i = 0; i < old_count; i++) {
        while (old[i] != NULL) {
            struct shared *shared = old[i], **bucket = bucket_of(shared->hash);
            old[i] = shared->next;
            shared->next = *bucket;
            *bucket = shared;
        }
    }
    free(old);
}

static struct shared *find(struct text t, uint32_t hash) {
    struct shared *shared = table.count > 0 ? *bucket_of(hash) : NULL;
    while (shared != NULL && (shared->hash != hash || !text_equal((struct text){ shared->string, shared->len }, t)))
        shared = shared->next;
    return shared;
}

static struct shared *add(struct text t, uint32_t hash) {
    if (table.count >= table.bucket_count)
        resize(table.bucket_count > 0 ? 2 * table.bucket_count : BUCKETS_FIRST);
    struct shared *shared = lasting_new(size_of(t.len)), **bucket = bucket_of(hash);
    shared->hash = hash;
    shared->len = (uint32_t)t.len;
    if (t.len > 0)
        memcpy(shared->string, t.ptr, t.len);
    shared->next = *bucket;
    *bucket = shared;
    table.count++;
    return shared;
}

const char *shared_text(struct text t) {
    assert(t.len < UINT32_MAX);
    uint32_t hash = (uint32_t)crypto_tag(t);
    pthread_mutex_lock(&table.mutex);
    struct shared *shared = find(t, hash);
    if (shared == NULL)
        shared = add(t, hash);
    assert(shared->holders < UINT32_MAX);
    shared->holders++;
    pthread_mutex_unlock(&table.mutex);
    return shared->string;
}

size_t shared_length(const char *string) {
    return ((const struct shared *)(string - offsetof(struct shared, string)))->len;
}

static void remove_it(struct shared *shared) {
    struct shared **at = bucket_of(shared->hash);
    while (*at != shared)
        at = &(*at)->next;
    *at = shared->next;
    table.count--;
    lasting_free(shared, size_of(shared->len));
    if (table.bucket_count > BUCKETS_FIRST && table.count < table.bucket_count / 4)
        resize(table.bucket_count / 2);
}

void shared_drop(const char *string) {
    if (string == NULL)
        return;
    struct shared *shared = container_of((char *)(uintptr_t)string, struct shared, string);
    pthread_mutex_lock(&table.mutex);
    assert(shared->holders > 0);
    if (--shared->holders == 0)
        remove_it(shared);
    pthread_mutex_unlock(&table.mutex);
}

size_t shared_count(void) {
    pthread_mutex_lock(&table.mutex);
    size_t count = table.count;
    pthread_mutex_unlock(&table.mutex);
    return count;
}
