/* The driver for language models behind adapters with a chat dialect.
 *
 * An attempt is one POST and its answer; there is no job to ask about, so nothing can be resumed. Calls have an HTTP
 * client of their own, so that streams, which take long, do not take the places of other requests. */
#include <jansson.h>
#include <stdlib.h>

#include "base/hash_table.h"
#include "base/log.h"
#include "base/memory.h"
#include "chat/driver/talk.h"
#include "config/config.h"
#include "net/fetch.h"
#include "provider/adapter.h"
#include "provider/bridge.h"
#include "remote/service.h"

#define PENDING_MAX 10000
#define PIECE_MAX 4096 /* events are small, and thousands of streams each hold as much */

/* A route's own words, which are Lua's to tell, and the same for every talk. */
struct route_words {
    const struct route *route;
    json_t *words;
    UT_hash_handle hh;
};

struct driver {
    struct driver_host host;
    struct route_words *routes; /* those that were taken so far */
    struct fetch_client *fetcher; /* made for the first talk */
    struct service_list services;
};

static struct driver *create(const struct driver_host *host) {
    struct driver *driver = mem_new(sizeof(*driver));
    driver->host = *host;
    return driver;
}

static void destroy(struct driver *driver) {
    if (driver == NULL) {
        return;
    }
    service_list_close(&driver->services);
    struct route_words *entry, *next;
    HASH_ITER(hh, driver->routes, entry, next) {
        HASH_DELETE(hh, driver->routes, entry);
        json_decref(entry->words);
        free(entry);
    }
    fetch_client_free(driver->fetcher);
    free(driver);
}

static void need_fetcher(struct driver *driver) {
    const struct config *config = driver->host.config;
    const struct fetch_options options = {
        .running_max = config->llm_connections_max,
        .pending_max = PENDING_MAX,
        .piece_max = PIECE_MAX,
        .allow = config->fetch_allow,
        .allow_count = config->fetch_allow_count,
    };
    if (driver->fetcher == NULL) {
        driver->fetcher = fetch_client_new(driver->host.loop, &options);
    }
}

static enum err find_words(struct driver *driver, const struct route *route, json_t **ret, struct fault *fault) {
    struct route_words *entry = NULL;
    HASH_FIND_PTR(driver->routes, &route, entry);
    if (entry == NULL) {
        json_t *words = NULL;
        enum err err = bridge_route(driver->host.bridge, route, &words, fault);
        if (err != OK) {
            return err;
        }
        entry = mem_new(sizeof(*entry));
        *entry = (struct route_words){ .route = route, .words = words };
        HASH_ADD_PTR(driver->routes, route, entry);
    }
    *ret = entry->words;
    return OK;
}

static enum err start(struct driver *driver, struct attempt *attempt, struct fault *fault) {
    struct service *service = service_find(&driver->services, &driver->host, attempt->provider);
    const struct chat_dialect *dialect =
        service && service->adapter->chat ? chat_dialect_find(text_of(service->adapter->chat)) : NULL;
    if (dialect == NULL) {
        return fault_set(fault, ERR_NO_COMPATIBLE_CHANNEL, "the provider \"%s\" does not speak for language models",
                         attempt->provider ? attempt->provider : "");
    }
    json_t *words = NULL;
    need_fetcher(driver);
    enum err err = find_words(driver, attempt->route, &words, fault);
    if (err == OK) {
        talk_begin(service, driver->fetcher, dialect, words, attempt);
    }
    return err;
}

static void cancel(struct driver *driver, struct attempt *attempt) {
    (void)driver;
    if (attempt->driver_data) {
        talk_cancel(attempt->driver_data);
    }
}

static void leave(struct driver *driver, struct attempt *attempt) {
    (void)driver;
    if (attempt->driver_data) {
        talk_leave(attempt->driver_data);
    }
}

/* T3: an answer that a crash cut off is gone, and no service can be asked for it. */
static enum err resume(struct driver *driver, struct attempt *attempt, struct fault *fault) {
    (void)driver;
    return fault_set(fault, ERR_NOT_FOUND, "the service %s cannot be asked about a call to a language model",
                     attempt->provider ? attempt->provider : "");
}

const struct driver_ops chat_driver = {
    .name = "chat",
    .remote = true,
    .converses = true,
    .can_cancel = true,
    .concurrency = 1000,
    .create = create,
    .start = start,
    .cancel = cancel,
    .destroy = destroy,
    .resume = resume,
    .leave = leave,
};
