/* The driver, and the notes it takes. */
#include "fake_upstream.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/queue.h>

#include <jansson.h>
#include <uv.h>

#include "base/json.h"
#include "base/memory.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static unsigned questions, hooks, attempts;
static char last_hook[4096];
static bool last_verified;
static struct driver *wakeable;

struct job {
    struct attempt *attempt;
    bool asked; /* and not answered */
    TAILQ_ENTRY(job) link;
};

struct driver {
    uv_async_t wake;
    TAILQ_HEAD(, job) jobs;
};

void upstream_reset(void) {
    questions = hooks = attempts = 0;
    last_hook[0] = '\0';
}

static unsigned read_note(const unsigned *note) {
    pthread_mutex_lock(&mutex);
    unsigned value = *note;
    pthread_mutex_unlock(&mutex);
    return value;
}

static void add_note(unsigned *note, int more) {
    pthread_mutex_lock(&mutex);
    *note += (unsigned)more;
    pthread_mutex_unlock(&mutex);
}

unsigned upstream_questions(void) {
    return read_note(&questions);
}

unsigned upstream_hooks(void) {
    return read_note(&hooks);
}

unsigned upstream_attempts(void) {
    return read_note(&attempts);
}

bool upstream_last_hook(char *ret, size_t size) {
    pthread_mutex_lock(&mutex);
    snprintf(ret, size, "%s", last_hook);
    bool verified = last_verified;
    pthread_mutex_unlock(&mutex);
    return verified;
}

void upstream_answer(void) {
    pthread_mutex_lock(&mutex);
    if (wakeable != NULL)
        uv_async_send(&wakeable->wake);
    pthread_mutex_unlock(&mutex);
}

static void end(struct driver *driver, struct job *job, enum task_error error) {
    struct attempt *attempt = job->attempt;
    struct outcome outcome = {
        .error = error, .retryable = true, .output = (json_t *)(uintptr_t)attempt->input, .detail = "as told",
    };
    TAILQ_REMOVE(&driver->jobs, job, link);
    free(job);
    add_note(&attempts, -1);
    attempt->done(attempt, &outcome);
}

static const char *manner_of(const struct attempt *attempt) {
    const char *manner = json_string_value(json_object_get(attempt->input, "refresh"));
    return manner != NULL ? manner : "told";
}

static void tell(struct driver *driver, struct job *job) {
    struct attempt *attempt = job->attempt;
    const char *manner = manner_of(attempt);
    job->asked = false;
    if (strcmp(manner, "end") == 0) {
        end(driver, job, TASK_ERROR_NONE);
        return;
    }
    if (strcmp(manner, "fail") == 0) {
        end(driver, job, TASK_ERROR_SERVICE);
        return;
    }
    attempt->progress(attempt, (int)json_integer_value(json_object_get(attempt->input, "says")));
    attempt->refreshed(attempt);
}

static void refresh(struct driver *driver, struct attempt *attempt) {
    struct job *job = attempt->driver_data;
    const char *manner = manner_of(attempt);
    if (job->asked)
        abort(); /* once at a time */
    job->asked = true;
    add_note(&questions, 1);
    if (strcmp(manner, "held") != 0 && strcmp(manner, "never") != 0)
        tell(driver, job);
}

static void answer_held(uv_async_t *wake) {
    struct driver *driver = wake->data;
    struct job *job, *next;
    for (job = TAILQ_FIRST(&driver->jobs); job != NULL; job = next) {
        next = TAILQ_NEXT(job, link);
        if (job->asked && strcmp(manner_of(job->attempt), "held") == 0)
            tell(driver, job);
    }
}

static struct json_t *hook(struct driver *driver, struct attempt *attempt, const struct hook_event *event) {
    char *text = json_render(event->event);
    pthread_mutex_lock(&mutex);
    hooks++;
    snprintf(last_hook, sizeof(last_hook), "%s", text);
    last_verified = event->verified;
    pthread_mutex_unlock(&mutex);
    free(text);
    if (!event->verified)
        return NULL;
    end(driver, attempt->driver_data, TASK_ERROR_NONE);
    return json_pack("{s:b}", "heard", 1);
}

static enum err start(struct driver *driver, struct attempt *attempt, struct fault *fault) {
    struct job *job = mem_new(sizeof(*job));
    (void)fault;
    job->attempt = attempt;
    attempt->driver_data = job;
    TAILQ_INSERT_TAIL(&driver->jobs, job, link);
    add_note(&attempts, 1);
    return OK;
}

static void cancel(struct driver *driver, struct attempt *attempt) {
    end(driver, attempt->driver_data, TASK_ERROR_GENERATION_FAILED);
}

static struct driver *create(const struct driver_host *host) {
    struct driver *driver = mem_new(sizeof(*driver));
    TAILQ_INIT(&driver->jobs);
    uv_async_init(host->loop, &driver->wake, answer_held);
    uv_unref((uv_handle_t *)&driver->wake);
    driver->wake.data = driver;
    pthread_mutex_lock(&mutex);
    wakeable = driver;
    pthread_mutex_unlock(&mutex);
    return driver;
}

static void free_driver(uv_handle_t *handle) {
    free(handle->data);
}

static void destroy(struct driver *driver) {
    if (!TAILQ_EMPTY(&driver->jobs))
        abort(); /* only after all attempts are done */
    pthread_mutex_lock(&mutex);
    wakeable = NULL;
    pthread_mutex_unlock(&mutex);
    uv_close((uv_handle_t *)&driver->wake, free_driver);
}

const struct driver_ops fake_upstream = { .name = "upstream", .repeatable = true, .can_cancel = true, .concurrency = 1000,
    .create = create, .start = start, .cancel = cancel, .refresh = refresh, .hook = hook, .destroy = destroy };
