/* The driver for services behind adapters. */
#include "base/memory.h"
#include "provider/driver.h"

struct driver {
    struct driver_host host;
};

static struct driver *create(const struct driver_host *host) {
    struct driver *driver = mem_new(sizeof(*driver));
    driver->host = *host;
    return driver;
}

static enum err start(struct driver *driver, struct attempt *attempt, struct fault *fault) {
    (void)driver;
    (void)attempt;
    return fault_set(fault, ERR_NO_COMPATIBLE_CHANNEL, "not yet");
}

static void destroy(struct driver *driver) {
    mem_free_pointer(&driver);
}

const struct driver_ops remote_driver = {
    .name = "remote",
    .remote = true,
    .concurrency = 1000,
    .create = create,
    .start = start,
    .destroy = destroy,
};
