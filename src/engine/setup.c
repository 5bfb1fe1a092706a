/* Builds a setup out of a loaded configuration, and frees it with its last reference. */
#include "engine/setup.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"
#include "config/config.h"
#include "provider/bridge.h"

static atomic_uint_least64_t setups_made;

enum err setup_new(struct config *config, struct setup **ret, struct fault *fault) {
    struct bridge *bridge = NULL;
    enum err err = bridge_open(config, &bridge, fault);
    if (err != OK) {
        config_free(config);
        return err;
    }

    struct setup *setup = mem_new(sizeof(*setup));
    atomic_init(&setup->references, 1);
    setup->number = atomic_fetch_add_explicit(&setups_made, 1, memory_order_relaxed) + 1;
    setup->config = config;
    setup->bridge = bridge;
    setup->catalog = bridge_catalog(bridge);
    *ret = setup;
    return OK;
}

struct setup *setup_ref(struct setup *setup) {
    unsigned before = atomic_fetch_add_explicit(&setup->references, 1, memory_order_relaxed);
    assert(before > 0);
    return setup;
}

void setup_unref(struct setup *setup) {
    if (setup == NULL)
        return;
    unsigned before = atomic_fetch_sub_explicit(&setup->references, 1, memory_order_acq_rel);
    assert(before > 0);
    if (before > 1)
        return;
    bridge_close(setup->bridge);
    config_free(setup->config);
    free(setup);
}
