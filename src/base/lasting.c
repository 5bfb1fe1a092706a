/* Sizes go up by 16 bytes, each with a list of its slabs that have room. A slab begins at a multiple of its size,
 * so a thing's address tells which one it lies in. Under AddressSanitizer all of them come from the heap, where it
 * sees their ends. */
#include "base/lasting.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/queue.h>

#include "base/compiler.h"
#include "base/memory.h"

#define GRAIN ((size_t)16)
#define CLASSES (LASTING_MAX / GRAIN)
#define SLAB_BYTES ((size_t)64 << 10)

struct hole {
    struct hole *next;
};

struct slab {
    LIST_ENTRY(slab) link; /* while it has room */
    struct hole *holes;    /* given back */
    uint32_t used, fresh;  /* things in use; things that were never handed out lie behind this many */
    uint32_t room;         /* for this many in all */
};
#define SLAB_HEAD ((sizeof(struct slab) + GRAIN - 1) / GRAIN * GRAIN)

static struct {
    pthread_mutex_t mutex;
    LIST_HEAD(, slab) slabs; /* those with room */
} classes[CLASSES] = { [0 ... CLASSES - 1] = { .mutex = PTHREAD_MUTEX_INITIALIZER } };
static atomic_size_t slab_bytes;

static bool is_small(size_t size) {
    return !ADDRESS_SANITIZER && size <= LASTING_MAX;
}

static size_t class_of(size_t size) {
    return size > 0 ? (size - 1) / GRAIN : 0;
}

/* An address that is a multiple of the size: mapped twice as large, and cut. */
static struct slab *map_slab(size_t class) {
    char *mapped = mmap(NULL, 2 * SLAB_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED)
        mem_fail();
    size_t before = (SLAB_BYTES - (uintptr_t)mapped % SLAB_BYTES) % SLAB_BYTES;
    if (before > 0)
        munmap(mapped, before);
    munmap(mapped + before + SLAB_BYTES, SLAB_BYTES - before);
    struct slab *slab = (struct slab *)(mapped + before);
    slab->room = (uint32_t)((SLAB_BYTES - SLAB_HEAD) / ((class + 1) * GRAIN));
    atomic_fetch_add_explicit(&slab_bytes, SLAB_BYTES, memory_order_relaxed);
    return slab;
}

static void unmap_slab(struct slab *slab) {
    munmap(slab, SLAB_BYTES);
    atomic_fetch_sub_explicit(&slab_bytes, SLAB_BYTES, memory_order_relaxed);
}

static void *take(struct slab *slab, size_t class) {
    struct hole *hole = slab->holes;
    slab->used++;
    if (hole == NULL)
        return (char *)slab + SLAB_HEAD + (size_t)slab->fresh++ * (class + 1) * GRAIN; /* zeroed by the system */
    slab->holes = hole->next;
    memset(hole, 0, (class + 1) * GRAIN);
    return hole;
}

void *lasting_new(size_t size) {
    if (!is_small(size))
        return mem_new(size);
    size_t class = class_of(size);
    pthread_mutex_lock(&classes[class].mutex);
    struct slab *slab = LIST_FIRST(&classes[class].slabs);
    if (slab == NULL) {
        slab = map_slab(class);
        LIST_INSERT_HEAD(&classes[class].slabs, slab, link);
    }
    void *memory = take(slab, class);
    if (slab->used == slab->room)
        LIST_REMOVE(slab, link);
    pthread_mutex_unlock(&classes[class].mutex);
    return memory;
}

void lasting_free(void *memory, size_t size) {
    if (memory == NULL)
        return;
    if (!is_small(size)) {
        free(memory);
        return;
    }
    size_t class = class_of(size);
    struct slab *slab = (struct slab *)((uintptr_t)memory / SLAB_BYTES * SLAB_BYTES);
    struct hole *hole = memory;
    pthread_mutex_lock(&classes[class].mutex);
    assert(slab->used > 0 && slab->room == (SLAB_BYTES - SLAB_HEAD) / ((class + 1) * GRAIN)); /* the size is the same */
    if (slab->used == slab->room)
        LIST_INSERT_HEAD(&classes[class].slabs, slab, link);
    hole->next = slab->holes;
    slab->holes = hole;
    slab->used--;
    bool spare = slab->used == 0 && (LIST_FIRST(&classes[class].slabs) != slab || LIST_NEXT(slab, link) != NULL);
    if (spare)
        LIST_REMOVE(slab, link);
    pthread_mutex_unlock(&classes[class].mutex);
    if (spare)
        unmap_slab(slab);
}

char *lasting_text(struct text t) {
    char *copy = lasting_new(t.len + 1);
    if (t.len > 0)
        memcpy(copy, t.ptr, t.len);
    return copy;
}

void lasting_free_text(char *string) {
    if (string != NULL)
        lasting_free(string, strlen(string) + 1);
}

size_t lasting_bytes(void) {
    return atomic_load_explicit(&slab_bytes, memory_order_relaxed);
}
