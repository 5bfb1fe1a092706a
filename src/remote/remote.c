/* The driver for services behind adapters: its functions, each in front of what the other files do. */
#include <assert.h>
#include <jansson.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/memory.h"
#include "catalog/catalog.h"
#include "provider/adapter.h"
#include "provider/driver.h"
#include "remote/exchange.h"
#include "remote/job.h"
#include "remote/service.h"
#include "remote/sleep.h"

struct driver {
    struct driver_host host;
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
    free(driver);
}

static enum err no_adapter(const struct attempt *attempt, struct fault *fault) {
    return fault_set(fault, ERR_NO_COMPATIBLE_CHANNEL, "there is no adapter for the provider \"%s\"",
                     attempt->provider ? attempt->provider : "");
}

static enum err start(struct driver *driver, struct attempt *attempt, struct fault *fault) {
    struct service *service = service_find(&driver->services, &driver->host, attempt->provider);
    if (service == NULL) {
        return no_adapter(attempt, fault);
    }
    submit_begin(job_new(service, attempt));
    return OK;
}

/* Many are resumed at a time: they do not all ask at once. */
static void resume_asking(struct job *job) {
    int64_t interval_ms = poll_plan_pause_ms(&job->service->plan, 1, 0);
    uint32_t bound = interval_ms < 1 ? 1 : interval_ms > 3600000 ? 3600000 : (uint32_t)interval_ms;
    job_do(job, DO_POLL, crypto_random_below(bound));
}

static enum err resume(struct driver *driver, struct attempt *attempt, struct fault *fault) {
    struct service *service = service_find(&driver->services, &driver->host, attempt->provider);
    if (service == NULL) {
        return no_adapter(attempt, fault);
    }
    if (attempt->remote && !adapter_has(service->adapter, ADAPTER_POLL)) {
        return fault_set(fault, ERR_NOT_FOUND, "the service %s cannot be asked about a job", service->name);
    }
    struct job *job = job_new(service, attempt);
    job_restore(job, attempt->remote, attempt->kept);
    if (attempt->remote) {
        resume_asking(job);
        return OK;
    }
    if (!submit_resolve(job, 0)) {
        job_discard(job);
        return fault_set(fault, ERR_NOT_FOUND, "the service %s cannot tell whether it has the job", service->name);
    }
    return OK;
}

static void cancel(struct driver *driver, struct attempt *attempt) {
    (void)driver;
    if (attempt->driver_data) {
        job_cancel(attempt->driver_data);
    }
}

static void leave(struct driver *driver, struct attempt *attempt) {
    (void)driver;
    if (attempt->driver_data) {
        job_leave(attempt->driver_data);
    }
}

/* Whether an answer to a question is on its way already. */
static bool is_asking(const struct job *job) {
    bool asks = job->doing == DO_POLL || job->doing == DO_OUTPUT;
    return asks && (job->exchange || job->turn.waiting || job->batch);
}

static void refresh(struct driver *driver, struct attempt *attempt) {
    struct job *job = attempt->driver_data;
    (void)driver;
    if (job == NULL) {
        return;
    }
    job->refreshing = true;
    if (is_asking(job)) {
        return;
    }
    int64_t now_ms = clock_monotonic_ms();
    bool asked_now = job->asked_ms > 0 && now_ms - job->asked_ms < poll_plan_floor_ms(&job->service->plan);
    if (job->id == NULL || job->doing == DO_CANCEL || asked_now || now_ms < job->not_before_ms) {
        job_answer_refresh(job);
    } else if (job->doing == DO_POLL) {
        ask_soon(job);
    } /* else the rest of an answer is fetched in a moment */
}

static struct sleeper *fall_asleep(struct driver *driver, struct attempt *attempt, int64_t least_ms, int64_t *ret_wait_ms) {
    (void)driver;
    return attempt->driver_data ? job_sleep(attempt->driver_data, least_ms, ret_wait_ms) : NULL;
}

static void wake(struct driver *driver, struct attempt *attempt, struct sleeper *sleeper) {
    struct service *service = service_find(&driver->services, &driver->host, attempt->provider);
    assert(service != NULL); /* it was there when this fell asleep, and a driver's services stay */
    job_wake(service, attempt, sleeper);
}

static json_t *hook(struct driver *driver, struct attempt *attempt, const struct hook_event *event) {
    (void)driver;
    return attempt->driver_data ? job_hook(attempt->driver_data, event) : NULL;
}

static enum input_form input_form(struct driver *driver, const struct attempt *attempt) {
    const struct service *service = service_find(&driver->services, &driver->host, attempt->provider);
    return route_input_form(attempt->route, service != NULL ? service->adapter : NULL);
}

static json_t *download_headers(struct driver *driver, const struct attempt *attempt, const char *url) {
    struct service *service = service_find(&driver->services, &driver->host, attempt->provider);
    struct credentials *credentials = NULL;
    if (service == NULL || attempt->key == NULL || !adapter_may_contact(service->adapter, service->override, url) ||
        credentials_get(&service->credentials, service->adapter, attempt->key, &credentials, NULL) != OK) {
        return NULL;
    }
    json_t *headers = credentials_headers(credentials);
    credentials_unref(credentials);
    return headers;
}

const struct driver_ops remote_driver = {
    .name = "remote",
    .remote = true,
    .can_cancel = true,
    .concurrency = 1000,
    .create = create,
    .start = start,
    .cancel = cancel,
    .destroy = destroy,
    .input_form = input_form,
    .resume = resume,
    .leave = leave,
    .refresh = refresh,
    .hook = hook,
    .sleep = fall_asleep,
    .wake = wake,
    .download_headers = download_headers,
};
