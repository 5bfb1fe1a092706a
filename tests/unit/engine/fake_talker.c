/* The driver behind gamma and delta. */
#include "fake_talker.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <jansson.h>
#include <uv.h>

#include "base/memory.h"
#include "chat/dialect/failure.h"
#include "chat/stream.h"
#include "provider/adapter.h"

#define LOOK_MS 1

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char keys[4096];
static atomic_uint started, ended, said, finishing;
static atomic_bool last_reasons;

static struct adapter adapters[] = { { .name = (char[]){ "gamma" }, .chat = (char[]){ "openai" }, .concurrency = 100 },
                                     { .name = (char[]){ "delta" }, .chat = (char[]){ "openai" }, .concurrency = 100 } };

const struct adapter *talker_adapter(const char *name) {
    for (size_t i = 0; i < ARRAY_SIZE(adapters); i++)
        if (strcmp(adapters[i].name, name) == 0)
            return &adapters[i];
    return NULL;
}

void talker_reset(void) {
    keys[0] = '\0';
    started = ended = said = finishing = 0;
    last_reasons = false;
}

void talker_keys(char *ret, size_t size) {
    pthread_mutex_lock(&mutex);
    snprintf(ret, size, "%s", keys);
    pthread_mutex_unlock(&mutex);
}

unsigned talker_started(void) {
    return started;
}

unsigned talker_ended(void) {
    return ended;
}

bool talker_last_reasons(void) {
    return last_reasons;
}

void talker_say(unsigned chunks) {
    said = chunks;
}

void talker_finish(unsigned count) {
    finishing += count;
}

static void note(const struct attempt *attempt) {
    pthread_mutex_lock(&mutex);
    size_t length = strlen(keys);
    snprintf(keys + length, sizeof(keys) - length, "%s%s", length > 0 ? " " : "",
             attempt->key != NULL ? attempt->key : "-");
    pthread_mutex_unlock(&mutex);
    last_reasons = attempt->reasons;
    started++;
}

struct driver {
    uv_loop_t *loop;
};

struct job {
    struct attempt *attempt;
    uv_timer_t timer;
    json_t *input;
    char what[16];
    unsigned written;
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
    ended++;
}

static void write_chunks(struct job *job, unsigned up_to) {
    char chunk[32];
    while (job->attempt->streams && job->written < up_to) {
        int length = snprintf(chunk, sizeof(chunk), "{\"n\":%u}", job->written++);
        if (chat_stream_add(job->attempt->stream, (struct text){ chunk, (size_t)length }) != OK)
            abort();
    }
}

static void succeed(struct job *job, bool despite_cancel) {
    const json_t *tokens = json_object_get(job->input, "tokens");
    json_t *message = json_object_get(job->input, "message");
    json_t *completion = json_pack("{s:s, s:[{s:O}]}", "object", "chat.completion", "choices", "message",
                                   message != NULL ? message : json_null());
    if (despite_cancel) /* no service has told what it wrote */
        json_object_set_new(completion, "usage", json_pack("{s:b}", "estimated", 1));
    char *text = json_dumps(completion, JSON_COMPACT);
    finish(job, &(struct outcome){
        .despite_cancel = despite_cancel,
        .completion = text_of(text),
        .tokens = { .output = tokens != NULL ? json_integer_value(tokens) : job->written },
    });
    free(text);
    json_decref(completion);
}

static void fail(struct job *job, const struct outcome *outcome) {
    struct chat_failure failure = { .error = outcome->error, .scope = outcome->scope, .retryable = outcome->retryable,
                                    .delay_ms = outcome->delay_ms, .message = "words of the service" };
    struct outcome with_words = *outcome;
    with_words.message = failure.message;
    with_words.chat = &failure;
    finish(job, &with_words);
}

static const struct {
    const char *what;
    struct outcome outcome;
} failures[] = {
    { "down", { .error = TASK_ERROR_UNAVAILABLE, .retryable = true, .fate = JOB_NOT_MADE, .scope = SCOPE_PROVIDER } },
    { "busy", { .error = TASK_ERROR_RESOURCE_EXHAUSTED, .retryable = true, .fate = JOB_NOT_MADE, .scope = SCOPE_CAPACITY,
                .delay_ms = 60000 } },
    { "key", { .error = TASK_ERROR_SERVICE, .fate = JOB_NOT_MADE, .scope = SCOPE_KEY } },
    { "bad", { .error = TASK_ERROR_INVALID_PARAMETERS, .fate = JOB_NOT_MADE, .scope = SCOPE_REQUEST } },
    { "lost", { .error = TASK_ERROR_SUBMISSION_UNKNOWN, .fate = JOB_UNKNOWN, .scope = SCOPE_PROVIDER } },
    { "broken", { .error = TASK_ERROR_SERVICE, .fate = JOB_ENDED, .scope = SCOPE_PROVIDER } },
};

static bool take_finish(void) {
    unsigned left = finishing;
    while (left > 0)
        if (atomic_compare_exchange_weak(&finishing, &left, left - 1))
            return true;
    return false;
}

static void look(uv_timer_t *timer) {
    struct job *job = timer->data;
    if (strcmp(job->what, "hold") == 0) {
        write_chunks(job, said);
        if (take_finish())
            succeed(job, false);
        return;
    }
    if (strcmp(job->what, "broken") == 0)
        write_chunks(job, 1);
    for (size_t i = 0; i < ARRAY_SIZE(failures); i++)
        if (strcmp(failures[i].what, job->what) == 0) {
            fail(job, &failures[i].outcome);
            return;
        }
    write_chunks(job, 2);
    succeed(job, false);
}

static const char *order_of(const struct attempt *attempt) {
    const char *what = attempt->key != NULL ? json_string_value(json_object_get(attempt->input, attempt->key)) : NULL;
    if (what == NULL)
        what = json_string_value(json_object_get(attempt->input, attempt->provider));
    return what != NULL ? what : "ok";
}

static enum err start(struct driver *driver, struct attempt *attempt, struct fault *fault) {
    (void)fault;
    struct job *job = mem_new(sizeof(*job));
    job->attempt = attempt;
    job->input = json_deep_copy(attempt->input);
    snprintf(job->what, sizeof(job->what), "%s", order_of(attempt));
    attempt->driver_data = job;
    uv_timer_init(driver->loop, &job->timer);
    job->timer.data = job;
    uv_timer_start(&job->timer, look, LOOK_MS, LOOK_MS);
    note(attempt);
    return OK;
}

static void cancel(struct driver *driver, struct attempt *attempt) {
    struct job *job = attempt->driver_data;
    (void)driver;
    if (attempt->keeps_partial && job->written > 0)
        succeed(job, true);
    else
        finish(job, &(struct outcome){ .error = TASK_ERROR_CANCELLED, .fate = JOB_ENDED, .scope = SCOPE_REQUEST });
}

static void leave(struct driver *driver, struct attempt *attempt) {
    (void)driver;
    finish(attempt->driver_data,
           &(struct outcome){ .error = TASK_ERROR_UNAVAILABLE, .fate = JOB_ENDED, .scope = SCOPE_PROVIDER });
}

static enum err resume(struct driver *driver, struct attempt *attempt, struct fault *fault) {
    (void)driver;
    (void)attempt;
    return fault_set(fault, ERR_NOT_FOUND, "nobody can be asked");
}

static struct driver *create(const struct driver_host *host) {
    struct driver *driver = mem_new(sizeof(*driver));
    driver->loop = host->loop;
    return driver;
}

static void destroy(struct driver *driver) {
    free(driver);
}

const struct driver_ops fake_talker = {
    .name = "talkers", .remote = true, .converses = true, .can_cancel = true, .concurrency = 100, .create = create,
    .start = start, .resume = resume, .cancel = cancel, .leave = leave, .destroy = destroy,
};
const struct driver_ops fake_talker_simulator = {
    .name = "chat-simulator", .converses = true, .repeatable = true, .can_cancel = true, .concurrency = 100,
    .create = create, .start = start, .cancel = cancel, .destroy = destroy,
};
