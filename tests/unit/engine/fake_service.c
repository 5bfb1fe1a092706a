/* The driver behind alpha and beta. */
#include "fake_service.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/queue.h>

#include <jansson.h>
#include <uv.h>

#include "base/json.h"
#include "base/memory.h"
#include "provider/adapter.h"

#define JOB_LOOK_MS 1

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char submissions[4096];
static unsigned submission_count;
static atomic_uint resumed, busy_said;
static atomic_bool released;
static atomic_uint asleep, woken;
static atomic_int_fast64_t sleep_ms;

static struct adapter adapters[] = { { .name = (char[]){ "alpha" }, .concurrency = 100 },
                                           { .name = (char[]){ "beta" }, .concurrency = 100 } };

const struct adapter *service_adapter(const char *name) {
    for (size_t i = 0; i < ARRAY_SIZE(adapters); i++)
        if (strcmp(adapters[i].name, name) == 0)
            return &adapters[i];
    return NULL;
}

void service_set_key_concurrency(unsigned concurrency) {
    for (size_t i = 0; i < ARRAY_SIZE(adapters); i++)
        adapters[i].key_concurrency = concurrency;
}

void service_reset(void) {
    service_set_key_concurrency(0);
    submissions[0] = '\0';
    submission_count = resumed = busy_said = asleep = woken = 0;
    sleep_ms = 0;
    released = false;
}

void service_submissions(char *ret, size_t size) {
    pthread_mutex_lock(&mutex);
    snprintf(ret, size, "%s", submissions);
    pthread_mutex_unlock(&mutex);
}

unsigned service_submission_count(void) {
    pthread_mutex_lock(&mutex);
    unsigned count = submission_count;
    pthread_mutex_unlock(&mutex);
    return count;
}

void service_sleep_for(int64_t real_ms) {
    sleep_ms = real_ms;
}

unsigned service_asleep(void) {
    return asleep;
}

unsigned service_woken(void) {
    return woken;
}

unsigned service_resumed(void) {
    return resumed;
}

void service_release(void) {
    released = true;
}

static void note_submission(const char *key) {
    pthread_mutex_lock(&mutex);
    size_t length = strlen(submissions);
    snprintf(submissions + length, sizeof(submissions) - length, "%s%s", length > 0 ? " " : "", key);
    submission_count++;
    pthread_mutex_unlock(&mutex);
}

struct driver {
    uv_loop_t *loop;
};

struct job {
    struct attempt *attempt;
    uv_timer_t timer;
    json_t *input;
    char what[16];
    bool taken, left, cancelled;
    struct attempt before; /* while it sleeps; its texts are copies */
};

static void free_job(uv_handle_t *handle) {
    struct job *job = handle->data;
    json_decref(job->input);
    free(job);
}

static void finish(struct job *job, const struct outcome *outcome) {
    struct attempt *attempt = job->attempt;
    attempt->driver_data = NULL;
    uv_close((uv_handle_t *)&job->timer, free_job);
    attempt->done(attempt, outcome);
}

static void succeed(struct job *job) {
    finish(job, &(struct outcome){ .output = job->input, .despite_cancel = job->cancelled });
}

static const struct {
    const char *what;
    struct outcome outcome;
} failures[] = {
    { "down", { .error = TASK_ERROR_UNAVAILABLE, .retryable = true, .fate = JOB_NOT_MADE, .scope = SCOPE_PROVIDER } },
    { "busy", { .error = TASK_ERROR_RESOURCE_EXHAUSTED, .retryable = true, .fate = JOB_NOT_MADE, .scope = SCOPE_CAPACITY,
                .delay_ms = 5 } },
    { "key", { .error = TASK_ERROR_SERVICE, .fate = JOB_NOT_MADE, .scope = SCOPE_KEY } },
    { "account", { .error = TASK_ERROR_QUOTA, .fate = JOB_NOT_MADE, .scope = SCOPE_ACCOUNT } },
    { "unable", { .error = TASK_ERROR_INVALID_PARAMETERS, .fate = JOB_NOT_MADE, .scope = SCOPE_ROUTE } },
    { "bad", { .error = TASK_ERROR_INVALID_PARAMETERS, .fate = JOB_NOT_MADE, .scope = SCOPE_REQUEST } },
    { "lost", { .error = TASK_ERROR_SUBMISSION_UNKNOWN, .fate = JOB_UNKNOWN, .scope = SCOPE_PROVIDER } },
};

static const struct outcome *failure_of(const char *what) {
    for (size_t i = 0; i < ARRAY_SIZE(failures); i++)
        if (strcmp(failures[i].what, what) == 0)
            return &failures[i].outcome;
    return NULL;
}

static void look(uv_timer_t *timer) {
    struct job *job = timer->data;
    const struct outcome *failure = failure_of(job->what);
    if (job->left || (job->cancelled && strcmp(job->what, "hold") == 0)) {
        finish(job, &(struct outcome){ .error = TASK_ERROR_CANCELLED });
        return;
    }
    if (strcmp(job->what, "silent") == 0)
        return;
    if (failure != NULL && !(strcmp(job->what, "busy") == 0 && atomic_fetch_add(&busy_said, 1) > 0)) {
        finish(job, failure);
        return;
    }
    if (!job->taken) {
        job->taken = true;
        job->attempt->taken(job->attempt, "job-1", "{\"kept\":true}");
    }
    if (strcmp(job->what, "fail") == 0)
        finish(job, &(struct outcome){ .error = TASK_ERROR_GENERATION_FAILED, .retryable = true, .fate = JOB_ENDED,
                                       .scope = SCOPE_REQUEST });
    else if (strcmp(job->what, "hold") != 0 || released)
        succeed(job);
}

static struct job *begin(struct driver *driver, struct attempt *attempt) {
    struct job *job = mem_new(sizeof(*job));
    job->attempt = attempt;
    attempt->driver_data = job;
    uv_timer_init(driver->loop, &job->timer);
    job->timer.data = job;
    uv_timer_start(&job->timer, look, JOB_LOOK_MS, JOB_LOOK_MS);
    return job;
}

static enum err start(struct driver *driver, struct attempt *attempt, struct fault *fault) {
    (void)fault;
    struct job *job = begin(driver, attempt);
    job->input = json_deep_copy(attempt->input);
    const char *what = json_string_value(json_object_get(job->input, attempt->key));
    if (what == NULL)
        what = json_string_value(json_object_get(job->input, attempt->provider));
    snprintf(job->what, sizeof(job->what), "%s", what != NULL ? what : "ok");
    note_submission(attempt->key);
    return OK;
}

static enum err resume(struct driver *driver, struct attempt *attempt, struct fault *fault) {
    if (attempt->remote == NULL)
        return fault_set(fault, ERR_NOT_FOUND, "nobody knows");
    if (strcmp(attempt->remote, "job-1") != 0 || attempt->kept == NULL || strcmp(attempt->kept, "{\"kept\":true}") != 0)
        return fault_set(fault, ERR_NOT_FOUND, "what was kept is not what came back");
    struct job *job = begin(driver, attempt);
    job->taken = true;
    job->input = json_pack("{s:[{s:s}]}", "results", "voice_id", "resumed");
    snprintf(job->what, sizeof(job->what), "hold");
    resumed++;
    return OK;
}

static void cancel(struct driver *driver, struct attempt *attempt) {
    (void)driver;
    ((struct job *)attempt->driver_data)->cancelled = true;
}

static void leave(struct driver *driver, struct attempt *attempt) {
    (void)driver;
    ((struct job *)attempt->driver_data)->left = true;
}

/* ---- sleep ---- */

static char *copy(const char *string) {
    return string != NULL ? mem_string(string) : NULL;
}

static struct sleeper *fall_asleep(struct driver *driver, struct attempt *attempt, int64_t least_ms, int64_t *ret_wait_ms) {
    struct job *job = attempt->driver_data;
    (void)driver;
    if (job == NULL || sleep_ms == 0 || sleep_ms < least_ms || !job->taken || job->left || job->cancelled)
        return NULL;
    if (attempt->input != NULL)
        abort(); /* a woken attempt has none */
    job->before = *attempt;
    job->before.task = copy(attempt->task);
    job->before.provider = copy(attempt->provider);
    job->before.key = copy(attempt->key);
    job->attempt = NULL;
    uv_timer_stop(&job->timer);
    *ret_wait_ms = sleep_ms;
    asleep++;
    return (struct sleeper *)job;
}

static void must_be(const char *now, const char *before) {
    if ((now == NULL) != (before == NULL) || (now != NULL && strcmp(now, before) != 0))
        abort();
    free((char *)(uintptr_t)before);
}

/* It must be what it was. */
static void wake(struct driver *driver, struct attempt *attempt, struct sleeper *sleeper) {
    struct job *job = (struct job *)sleeper;
    const struct attempt *before = &job->before;
    (void)driver;
    must_be(attempt->task, before->task);
    must_be(attempt->provider, before->provider);
    must_be(attempt->key, before->key);
    if (attempt->number != before->number || attempt->model != before->model || attempt->route != before->route ||
        attempt->timeout_ms != before->timeout_ms || attempt->test != before->test ||
        strcmp(attempt->submission, before->submission) != 0 || attempt->driver_data != NULL)
        abort();
    job->attempt = attempt;
    attempt->driver_data = job;
    uv_timer_start(&job->timer, look, JOB_LOOK_MS, JOB_LOOK_MS);
    asleep--;
    woken++;
}

static struct driver *create(const struct driver_host *host) {
    struct driver *driver = mem_new(sizeof(*driver));
    driver->loop = host->loop;
    return driver;
}

static void destroy(struct driver *driver) {
    free(driver);
}

const struct driver_ops fake_service = {
    .name = "services", .remote = true, .can_cancel = true, .concurrency = 100, .create = create, .start = start,
    .resume = resume, .cancel = cancel, .leave = leave, .destroy = destroy,
    .sleep = fall_asleep, .wake = wake,
};
