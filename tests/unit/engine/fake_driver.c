/* The drivers for tests, and the notes they take. */
#include "fake_driver.h"

#include "fake_service.h"
#include "fake_talker.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

#include <jansson.h>
#include <uv.h>

#include "base/memory.h"
#include "fake_upstream.h"

#define STARTED_MAX 4096
#define NAME_MAX_SIZE 64

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char started[STARTED_MAX][NAME_MAX_SIZE];
static unsigned started_count, running, running_most, to_release;
static char last_file[256], last_type[64];
static char home[64];
static char *last_values;
static json_t *renewals; /* outputs still to come; of the last attempt of "service" */
static struct driver *wakeable[16]; /* all that are there */

struct job {
    struct driver *driver;
    struct attempt *attempt;
    json_t *input; /* the attempt's may go once the service has the job */
    uv_timer_t timer;
    bool holds, cancelled;
    TAILQ_ENTRY(job) link;
};

struct driver {
    uv_loop_t *loop;
    uv_async_t wake;
    TAILQ_HEAD(, job) jobs;
};

void fake_set_home(const char *host_port) {
    snprintf(home, sizeof(home), "%s", host_port);
}

void fake_reset(void) {
    started_count = running = running_most = to_release = 0;
    last_file[0] = last_type[0] = '\0';
    free(last_values);
    last_values = NULL;
    json_decref(renewals);
    renewals = NULL;
}

unsigned fake_started(void) {
    pthread_mutex_lock(&mutex);
    unsigned count = started_count;
    pthread_mutex_unlock(&mutex);
    return count;
}

void fake_started_task(unsigned at, char *ret, size_t size) {
    pthread_mutex_lock(&mutex);
    snprintf(ret, size, "%s", started[at]);
    pthread_mutex_unlock(&mutex);
}

unsigned fake_running(void) {
    pthread_mutex_lock(&mutex);
    unsigned count = running;
    pthread_mutex_unlock(&mutex);
    return count;
}

unsigned fake_running_most(void) {
    pthread_mutex_lock(&mutex);
    unsigned count = running_most;
    pthread_mutex_unlock(&mutex);
    return count;
}

void fake_release(unsigned count) {
    pthread_mutex_lock(&mutex);
    to_release += count;
    for (size_t i = 0; i < ARRAY_SIZE(wakeable); i++)
        if (wakeable[i] != NULL)
            uv_async_send(&wakeable[i]->wake);
    pthread_mutex_unlock(&mutex);
}

void fake_last_file(char *ret, size_t size, char *ret_type, size_t type_size) {
    pthread_mutex_lock(&mutex);
    snprintf(ret, size, "%s", last_file);
    snprintf(ret_type, type_size, "%s", last_type);
    pthread_mutex_unlock(&mutex);
}

char *fake_last_values(void) {
    pthread_mutex_lock(&mutex);
    char *values = last_values != NULL ? mem_string(last_values) : NULL;
    pthread_mutex_unlock(&mutex);
    return values;
}

static void note_values(const struct attempt *attempt) {
    pthread_mutex_lock(&mutex);
    free(last_values);
    last_values = json_dumps(json_object_get(attempt->input, "files"), JSON_COMPACT);
    pthread_mutex_unlock(&mutex);
}

static void note_start(const struct attempt *attempt) {
    pthread_mutex_lock(&mutex);
    if (started_count < STARTED_MAX)
        snprintf(started[started_count++], NAME_MAX_SIZE, "%s", attempt->task);
    if (++running > running_most)
        running_most = running;
    pthread_mutex_unlock(&mutex);
}

static void note_end(void) {
    pthread_mutex_lock(&mutex);
    running--;
    pthread_mutex_unlock(&mutex);
}

static void note_file(const struct attempt *attempt) {
    char bytes[sizeof(last_file)] = "";
    if (attempt->file_count == 0)
        return;
    int fd = open(attempt->files[0].path, O_RDONLY | O_CLOEXEC);
    ssize_t count = fd >= 0 ? read(fd, bytes, sizeof(bytes) - 1) : 0;
    if (fd >= 0)
        close(fd);
    pthread_mutex_lock(&mutex);
    snprintf(last_file, sizeof(last_file), "%.*s", (int)count, bytes);
    snprintf(last_type, sizeof(last_type), "%s", attempt->files[0].media_type);
    pthread_mutex_unlock(&mutex);
}

static void free_job(uv_handle_t *handle) {
    struct job *job = handle->data;
    json_decref(job->input);
    free(job);
}

static bool is(const json_t *input, const char *what) {
    const char *value = json_string_value(json_object_get(input, "do"));
    return value != NULL && strcmp(value, what) == 0;
}

/* Fails as long as the attempt's number says so. */
static struct outcome judge(const struct job *job) {
    const json_t *input = job->input;
    const char *code = json_string_value(json_object_get(input, "error"));
    const json_t *fails = json_object_get(input, "fails");
    enum task_error error = TASK_ERROR_NONE;
    if (job->cancelled && !json_is_true(json_object_get(input, "finishes")))
        return (struct outcome){ .error = TASK_ERROR_GENERATION_FAILED, .retryable = true, .detail = "killed" };
    if (code != NULL && (fails == NULL || job->attempt->number <= json_integer_value(fails)) &&
        !task_error_parse(text_of(code), &error))
        abort();
    return (struct outcome){
        .error = error,
        .retryable = json_is_true(json_object_get(input, "retryable")),
        .detail = "as told",
        .output = (json_t *)(uintptr_t)input,
    };
}

static void finish(struct job *job) {
    struct outcome outcome = judge(job);
    struct attempt *attempt = job->attempt;
    TAILQ_REMOVE(&job->driver->jobs, job, link);
    attempt->driver_data = NULL;
    note_end();
    uv_close((uv_handle_t *)&job->timer, free_job);
    attempt->done(attempt, &outcome);
}

static bool take_release(void) {
    pthread_mutex_lock(&mutex);
    bool taken = to_release > 0;
    if (taken)
        to_release--;
    pthread_mutex_unlock(&mutex);
    return taken;
}

/* In the order in which they began, whatever has woken the driver. */
static void release_holding(struct driver *driver) {
    struct job *job = TAILQ_FIRST(&driver->jobs);
    while (job != NULL) {
        struct job *next = TAILQ_NEXT(job, link);
        if (job->holds && take_release())
            finish(job);
        job = next;
    }
}

static void release(uv_async_t *wake) {
    release_holding(wake->data);
}

static void act(uv_timer_t *timer) {
    struct job *job = timer->data;
    size_t at;
    json_t *percent;
    json_array_foreach(json_object_get(job->input, "progress"), at, percent)
        job->attempt->progress(job->attempt, (int)json_integer_value(percent));
    if (!job->holds || job->cancelled)
        finish(job);
    else
        release_holding(job->driver);
}

/* A write of files into the work directory, as a command would. */
static void write_files(const struct attempt *attempt) {
    const char *name;
    json_t *text;
    json_object_foreach(json_object_get(attempt->input, "write"), name, text) {
        char path[4096];
        snprintf(path, sizeof(path), "%s/%s", attempt->work_directory, name);
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0 || write(fd, json_string_value(text), json_string_length(text)) < 0)
            abort();
        close(fd);
    }
}

static enum err start(struct driver *driver, struct attempt *attempt, struct fault *fault) {
    if (is(attempt->input, "refuse"))
        return fault_set(fault, ERR_IO, "told to refuse");
    struct job *job = mem_new(sizeof(*job));
    job->driver = driver;
    job->attempt = attempt;
    job->input = json_incref((json_t *)(uintptr_t)attempt->input);
    job->holds = is(attempt->input, "hold");
    attempt->driver_data = job;
    TAILQ_INSERT_TAIL(&driver->jobs, job, link);
    note_start(attempt);
    note_file(attempt);
    write_files(attempt);
    uv_timer_init(driver->loop, &job->timer);
    job->timer.data = job;
    uv_timer_start(&job->timer, act, 0, 0);
    return OK;
}

static void cancel(struct driver *driver, struct attempt *attempt) {
    struct job *job = attempt->driver_data;
    (void)driver;
    job->cancelled = true;
    uv_timer_start(&job->timer, act, 0, 0);
}

static void replace_wakeable(struct driver *before, struct driver *after) {
    size_t at = 0;
    pthread_mutex_lock(&mutex);
    while (wakeable[at] != before)
        if (++at == ARRAY_SIZE(wakeable))
            abort();
    wakeable[at] = after;
    pthread_mutex_unlock(&mutex);
}

static struct driver *create(const struct driver_host *host) {
    struct driver *driver = mem_new(sizeof(*driver));
    driver->loop = host->loop;
    TAILQ_INIT(&driver->jobs);
    uv_async_init(host->loop, &driver->wake, release);
    uv_unref((uv_handle_t *)&driver->wake);
    driver->wake.data = driver;
    replace_wakeable(NULL, driver);
    return driver;
}

static void free_driver(uv_handle_t *handle) {
    free(handle->data);
}

static void destroy(struct driver *driver) {
    if (!TAILQ_EMPTY(&driver->jobs))
        abort(); /* only after all attempts are done */
    replace_wakeable(driver, NULL);
    uv_close((uv_handle_t *)&driver->wake, free_driver);
}

static const struct driver_ops local = { .name = "local", .repeatable = true, .can_cancel = true, .needs_directory = true,
    .concurrency = 1000, .create = create, .start = start, .cancel = cancel, .destroy = destroy };
static const struct driver_ops remote = { .name = "remote", .concurrency = 1000, .create = create, .start = start,
    .cancel = cancel, .destroy = destroy };
static const struct driver_ops files = { .name = "files", .repeatable = true, .can_cancel = true, .needs_directory = true,
    .needs_files = true, .concurrency = 1000, .create = create, .start = start, .cancel = cancel, .destroy = destroy };
/* ---- "service" ---- */

static enum err start_service(struct driver *driver, struct attempt *attempt, struct fault *fault) {
    const char *job = json_string_value(json_object_get(attempt->input, "remote"));
    note_values(attempt);
    json_decref(renewals);
    renewals = json_incref(json_object_get(attempt->input, "renewed"));
    enum err err = start(driver, attempt, fault);
    if (err == OK && job != NULL)
        attempt->taken(attempt, job, NULL);
    return err;
}

struct renewal {
    struct attempt *attempt;
    json_t *output;
    uv_timer_t timer;
};

static void free_renewal(uv_handle_t *handle) {
    struct renewal *renewal = handle->data;
    json_decref(renewal->output);
    free(renewal);
}

static void tell_renewal(uv_timer_t *timer) {
    struct renewal *renewal = timer->data;
    struct outcome outcome = { .output = renewal->output };
    renewal->attempt->done(renewal->attempt, &outcome);
    uv_close((uv_handle_t *)timer, free_renewal);
}

static enum err resume_service(struct driver *driver, struct attempt *attempt, struct fault *fault) {
    json_t *output = json_array_get(renewals, 0);
    if (output == NULL || attempt->remote == NULL)
        return fault_set(fault, ERR_NOT_FOUND, "nobody knows");
    struct renewal *renewal = mem_new(sizeof(*renewal));
    renewal->attempt = attempt;
    renewal->output = json_incref(output);
    json_array_remove(renewals, 0);
    uv_timer_init(driver->loop, &renewal->timer);
    renewal->timer.data = renewal;
    uv_timer_start(&renewal->timer, tell_renewal, 0, 0);
    return OK;
}

static json_t *download_headers(struct driver *driver, const struct attempt *attempt, const char *url) {
    (void)driver;
    (void)attempt;
    size_t len = strlen(home);
    bool ours = text_starts(text_of(url), TEXT("http://")) && strncmp(url + 7, home, len) == 0 && url[7 + len] == '/';
    return ours ? json_pack("{s:s}", "Authorization", "Bearer not-a-real-key") : NULL;
}

static enum input_form input_form(struct driver *driver, const struct attempt *attempt) {
    (void)driver;
    const char *form = json_string_value(json_object_get(attempt->input, "form"));
    return form == NULL || strcmp(form, "links") == 0 ? INPUT_LINKS : strcmp(form, "inline") == 0 ? INPUT_INLINE
                                                                                                  : INPUT_FILES;
}

static const struct driver_ops service = { .name = "service", .repeatable = true, .can_cancel = true,
    .concurrency = 1000, .create = create, .start = start_service, .cancel = cancel,
    .destroy = destroy, .resume = resume_service, .input_form = input_form, .download_headers = download_headers };
static const struct driver_ops simulator = { .name = "simulator", .repeatable = true, .can_cancel = true,
    .concurrency = 1000, .create = create, .start = start, .cancel = cancel, .destroy = destroy };

const struct driver_ops *const fake_drivers[] = { &local, &remote, &files, &service, &simulator, &fake_upstream, &fake_service,
    &fake_talker, &fake_talker_simulator, NULL };
