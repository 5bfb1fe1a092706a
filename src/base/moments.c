/* The heap, with places from 1 on. */
#include "base/moments.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"

#define CAPACITY_FIRST 16

bool moment_is_before(const struct moment *moment, int64_t at_ms, uint32_t order) {
    if (moment->at_ms != at_ms)
        return moment->at_ms < at_ms;
    return (int32_t)(moment->order - order) < 0; /* the count may go round */
}

static bool comes_before(const struct moment *a, const struct moment *b) {
    return moment_is_before(a, b->at_ms, b->order);
}

static void put(struct moments *moments, uint32_t place, struct moment *moment) {
    moments->heap[place] = moment;
    moment->place = place;
}

static void rise(struct moments *moments, uint32_t place) {
    struct moment *moment = moments->heap[place];
    while (place > 1 && comes_before(moment, moments->heap[place / 2])) {
        put(moments, place, moments->heap[place / 2]);
        place /= 2;
    }
    put(moments, place, moment);
}

static void sink(struct moments *moments, uint32_t place) {
    struct moment *moment = moments->heap[place];
    for (;;) {
        uint32_t child = 2 * place;
        if (child > moments->count)
            break;
        if (child < moments->count && comes_before(moments->heap[child + 1], moments->heap[child]))
            child++;
        if (!comes_before(moments->heap[child], moment))
            break;
        put(moments, place, moments->heap[child]);
        place = child;
    }
    put(moments, place, moment);
}

static void resize(struct moments *moments, uint32_t capacity) {
    moments->capacity = capacity;
    moments->heap = mem_grow(moments->heap, (capacity + 1) * sizeof(struct moment *));
}

void moments_add(struct moments *moments, struct moment *moment, int64_t at_ms) {
    assert(moment->place == 0);
    moment->at_ms = at_ms;
    moment->order = moments->order++;
    if (moments->count == moments->capacity)
        resize(moments, moments->capacity > 0 ? 2 * moments->capacity : CAPACITY_FIRST);
    moments->heap[++moments->count] = moment;
    rise(moments, moments->count);
}

void moments_take(struct moments *moments, struct moment *moment) {
    uint32_t place = moment->place;
    assert(place != 0);
    struct moment *last = moments->heap[moments->count--];
    moment->place = 0;
    if (last != moment) {
        put(moments, place, last);
        rise(moments, place);
        sink(moments, last->place);
    }
    if (moments->capacity > CAPACITY_FIRST && moments->count < moments->capacity / 4)
        resize(moments, moments->capacity / 2);
}

struct moment *moments_first(const struct moments *moments) {
    return moments->count > 0 ? moments->heap[1] : NULL;
}

void moments_fini(struct moments *moments) {
    assert(moments->count == 0);
    free(moments->heap);
    *moments = (struct moments){ 0 };
}
