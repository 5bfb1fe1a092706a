/* Services, and the order in which their requests leave. */
#include "remote/service.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "config/config.h"
#include "net/guard.h"
#include "provider/adapter.h"
#include "provider/bridge.h"
#include "remote/batch.h"

#define BREATH_MS 200

static const unsigned running_max[LANE_COUNT] = { [LANE_SUBMIT] = 1024, [LANE_ASK] = 64 };

struct service *service_open(const struct driver_host *host, const char *name) {
    const struct adapter *adapter = bridge_adapter(host->bridge, name);
    if (adapter == NULL) {
        return NULL;
    }
    struct service *service = mem_new(sizeof(*service));
    service->host = *host;
    service->name = mem_string(name);
    service->adapter = adapter;
    service->config = config_provider(host->config, text_of(name));
    service->override = service->config ? service->config->url : NULL;
    service->may_be_private = service->override && service->config->allow_private &&
        guard_parse_url(text_of(service->override), &service->origin, NULL) == OK;
    service->plan = poll_plan_make(adapter, service->config ? service->config->poll_min_s : 0);
    credential_cache_init(&service->credentials);
    for (unsigned i = 0; i < LANE_COUNT; i++) {
        TAILQ_INIT(&service->waiting[i]);
    }
    LIST_INIT(&service->groups);
    LIST_INIT(&service->questions);
    alarms_init(&service->alarms, host->loop);
    return service;
}

static void free_service(uv_handle_t *handle) {
    struct service *service = container_of((struct alarms *)handle->data, struct service, alarms);
    free(service->name);
    free(service);
}

void service_close(struct service *service) {
    batch_close(service);
    for (unsigned i = 0; i < LANE_COUNT; i++) {
        assert(TAILQ_EMPTY(&service->waiting[i]) && service->running[i] == 0);
    }
    credential_cache_fini(&service->credentials);
    alarm_stop(&service->alarms, &service->breath);
    alarms_close(&service->alarms, free_service); /* frees jobs that have ended just now */
}

struct service *service_find(struct service_list *list, const struct driver_host *host, const char *name) {
    struct service *service;
    if (name == NULL) {
        return NULL;
    }
    LIST_FOREACH (service, list, link) {
        if (strcmp(service->name, name) == 0) {
            return service;
        }
    }
    service = service_open(host, name);
    if (service) {
        LIST_INSERT_HEAD(list, service, link);
    }
    return service;
}

void service_list_close(struct service_list *list) {
    while (!LIST_EMPTY(list)) {
        struct service *service = LIST_FIRST(list);
        LIST_REMOVE(service, link);
        service_close(service);
    }
}

const char *service_url(const struct service *service) {
    return service->override ? service->override : service->adapter->url;
}

/* Whether the URL is all of `base` and a path behind it: then nothing before that path can lead elsewhere. */
static bool continues(const char *url, const char *base) {
    size_t len = strlen(base);
    return strncmp(url, base, len) == 0 && url[len] == '/';
}

enum fetch_trust service_trust(const struct service *service, const char *url) {
    struct guard_url theirs;
    if (!service->may_be_private) {
        return FETCH_OUTSIDE;
    }
    bool named = continues(url, service->override) || (guard_parse_url(text_of(url), &theirs, NULL) == OK &&
                                                       guard_same_origin(&service->origin, &theirs));
    return named ? FETCH_TRUSTED : FETCH_OUTSIDE;
}

/* Not from within itself: a turn that ends at once would else begin the next one on its own stack, and so on. */
static void pump(struct service *service) {
    if (service->pumping || service->breathless) {
        return;
    }
    service->pumping = true;
    for (unsigned lane = 0; lane < LANE_COUNT; lane++) {
        struct turn_list *list = &service->waiting[lane];
        while (!service->breathless && !TAILQ_EMPTY(list) && service->running[lane] < running_max[lane]) {
            struct turn *turn = TAILQ_FIRST(list);
            TAILQ_REMOVE(list, turn, link);
            turn->waiting = false;
            service->running[lane]++;
            turn->go(turn);
        }
    }
    service->pumping = false;
}

static void breathe(struct alarm *alarm) {
    struct service *service = container_of(alarm, struct service, breath);
    service->breathless = false;
    pump(service);
}

void service_take_turn(struct service *service, enum lane lane, struct turn *turn) {
    assert(!turn->waiting);
    turn->lane = lane;
    turn->waiting = true;
    TAILQ_INSERT_TAIL(&service->waiting[lane], turn, link);
    pump(service);
}

void service_drop_turn(struct service *service, struct turn *turn) {
    if (turn->waiting) {
        TAILQ_REMOVE(&service->waiting[turn->lane], turn, link);
        turn->waiting = false;
    }
}

void service_put_off(struct service *service, struct turn *turn) {
    service->running[turn->lane]--;
    turn->waiting = true;
    TAILQ_INSERT_HEAD(&service->waiting[turn->lane], turn, link);
    service->breathless = true;
    alarm_set(&service->alarms, &service->breath, clock_timer_ms(BREATH_MS), breathe);
}

void service_end_turn(struct service *service, enum lane lane) {
    assert(service->running[lane] > 0);
    service->running[lane]--;
    pump(service);
}
