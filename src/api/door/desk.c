/* A desk keeps its share of the setup until its thread sees, at its next request, that another one is in force. */
#include "api/door/desk.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "api/door/auth_cache.h"
#include "api/internal.h"
#include "base/memory.h"

struct setup_share {
    atomic_uint references; /* the desk's, and one of each call */
    struct setup *setup;    /* with a reference */
};

struct desk {
    struct engine *engine;
    struct auth_cache *auth_cache; /* owned */
    struct setup_share *share;     /* NULL: not asked for yet */
    struct buffer paper;
};

void *desk_new(void *context) {
    const struct api *api = context;
    struct desk *desk = mem_new(sizeof *desk);

    desk->engine = api->engine;
    desk->auth_cache = auth_cache_new();
    buffer_init(&desk->paper, TASK_ANSWER_MAX);
    return desk;
}

void desk_free(void *pointer) {
    struct desk *desk = pointer;

    if (desk == NULL)
        return;
    auth_cache_free(desk->auth_cache);
    setup_share_unref(desk->share);
    buffer_fini(&desk->paper);
    free(desk);
}

struct auth_cache *desk_auth_cache(struct desk *desk) {
    return desk->auth_cache;
}

struct buffer *desk_paper(struct desk *desk) {
    buffer_clear(&desk->paper);
    return &desk->paper;
}

static struct setup_share *share_new(struct setup *setup) {
    struct setup_share *share = mem_new_lines(1, sizeof *share);

    atomic_init(&share->references, 1);
    share->setup = setup;
    return share;
}

struct setup_share *desk_setup(struct desk *desk) {
    if (desk->share == NULL || desk->share->setup->number != engine_setup_number(desk->engine)) {
        setup_share_unref(desk->share);
        desk->share = share_new(engine_setup(desk->engine));
    }
    atomic_fetch_add_explicit(&desk->share->references, 1, memory_order_relaxed);
    return desk->share;
}

struct setup *setup_share_get(const struct setup_share *share) {
    return share->setup;
}

void setup_share_unref(struct setup_share *share) {
    if (share == NULL || atomic_fetch_sub_explicit(&share->references, 1, memory_order_acq_rel) > 1)
        return;
    setup_unref(share->setup);
    free(share);
}
