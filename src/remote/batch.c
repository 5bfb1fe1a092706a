/* Shared questions: gathering jobs, asking, and giving each its part of the answer. */
#include "remote/batch.h"

#include <assert.h>
#include <jansson.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "remote/exchange.h"
#include "remote/failure.h"
#include "remote/job.h"

#define WINDOW_MS 250
#define GROUPS_MAX 256
#define MANY_DEFAULT 20
#define TIMEOUT_MS 30000

/* Those of one key that are due. */
struct batch_group {
    LIST_ENTRY(batch_group) link;
    struct service *service;
    char *key; /* NULL: the service needs none */
    struct job_list due;
    uv_timer_t timer;
};

/* One question on its way. */
struct question {
    LIST_ENTRY(question) link;
    struct service *service;
    char *key;
    struct turn turn;
    struct job_list list;
    struct json_t *jobs; /* as the adapter saw them */
    struct exchange *exchange;
};

static void add(struct job_list *list, struct job *job) {
    TAILQ_INSERT_TAIL(&list->jobs, job, link);
    list->count++;
    job->batch = list;
}

void batch_leave(struct job *job) {
    if (job->batch) {
        TAILQ_REMOVE(&job->batch->jobs, job, link);
        job->batch->count--;
        job->batch = NULL;
    }
}

static bool same_key(const char *a, const char *b) {
    return a == b || (a && b && strcmp(a, b) == 0);
}

static unsigned many_max(const struct service *service) {
    return service->adapter->poll_many_max >= 1 ? (unsigned)service->adapter->poll_many_max : MANY_DEFAULT;
}

/* ---- asking ---- */

static void free_question(struct question *question) {
    assert(question->list.count == 0);
    LIST_REMOVE(question, link);
    json_decref(question->jobs);
    free(question->key);
    free(question);
}

static struct job *take_job(struct question *question) {
    struct job *job = TAILQ_FIRST(&question->list.jobs);
    batch_leave(job);
    return job;
}

/* Nobody got an answer. */
static void fail_all(struct question *question, int64_t delay_ms, const char *words) {
    while (question->list.count > 0) {
        ask_failed(take_job(question), delay_ms, words);
    }
}

/* The question is no good for these, which may be one job's fault. */
static void ask_singly(struct question *question) {
    while (question->list.count > 0) {
        struct job *job = take_job(question);
        job->single = true;
        job_do(job, DO_POLL, 0);
    }
}

static void give_part(struct job *job, const json_t *value, const struct exchange_reply *reply) {
    const struct adapter *adapter = job->service->adapter;
    struct adapter_step step;
    struct fault fault = { 0 };
    if (value == NULL || adapter_read_step(adapter, value, &step, &fault) != OK) {
        job->single = true; /* for the rest of its life: an answer that leaves it out once may do so for ever */
        job_do(job, DO_POLL, 0);
        return;
    }
    ask_apply_answer(job, &step, reply);
}

static void give_parts(struct question *question, const struct exchange_reply *reply) {
    scoped(json_release) json_t *steps = NULL;
    struct fault fault = { 0 };
    enum err err =
        adapter_run(question->service->adapter, ADAPTER_POLLED_MANY, reply->value, question->jobs, &steps, &fault);
    if (err == OK && !json_is_object(steps)) {
        err = fault_set(&fault, ERR_SCRIPT, "polled_many must return a table of steps by id");
    }
    if (err != OK) {
        log_event(LOG_WARNING, "an answer to many questions could not be read",
                  LOG_S("provider", question->service->name), LOG_S("fault", fault.message));
        ask_singly(question);
        return;
    }
    while (question->list.count > 0) {
        struct job *job = take_job(question);
        give_part(job, json_object_get(steps, job->id), reply);
    }
}

static void replied(void *context, const struct exchange_reply *reply) {
    struct question *question = context;
    question->exchange = NULL;
    service_end_turn(question->service, LANE_ASK);
    if (job_reply_is_good(reply)) {
        give_parts(question, reply);
    } else if (reply->end != EXCHANGE_REPLIED) {
        fail_all(question, reply->retry_after_ms, exchange_detail(reply));
    } else {
        struct reply_failure failure;
        failure_read(question->service, reply, NULL, &failure);
        if (failure_asks_again(&failure.said, reply->status, 2)) {
            fail_all(question, failure_delay_ms(&failure.said, reply), exchange_detail(reply));
        } else {
            ask_singly(question);
        }
        failure_fini(&failure);
    }
    free_question(question);
}

static void describe(struct question *question) {
    int64_t now_ms = clock_monotonic_ms();
    struct job *job;
    question->jobs = json_array();
    TAILQ_FOREACH (job, &question->list.jobs, link) {
        json_array_append_new(question->jobs, job_value(job));
        job->asked++;
        job->asked_ms = now_ms;
    }
}

static void go(struct turn *turn) {
    struct question *question = container_of(turn, struct question, turn);
    struct service *service = question->service;
    scoped(json_release) json_t *request = NULL;
    struct fault fault = { 0 };
    bool paid = false;
    if (question->list.count == 0) { /* they all have left */
        service_end_turn(service, LANE_ASK);
        free_question(question);
        return;
    }
    json_decref(question->jobs);
    describe(question);
    const struct exchange_call call = {
        .service = service, .key = question->key, .timeout_ms = TIMEOUT_MS, .done = replied, .context = question
    };
    enum err err = adapter_run(service->adapter, ADAPTER_POLL_MANY, question->jobs, NULL, &request, &fault);
    if (err == OK) {
        err = exchange_start(&call, request, &question->exchange, &paid, &fault);
    }
    if (err == ERR_OVERLOADED) {
        service_put_off(service, turn);
    } else if (err != OK) {
        log_event(LOG_WARNING, "a question about many could not be made", LOG_S("provider", service->name),
                  LOG_S("fault", fault.message));
        service_end_turn(service, LANE_ASK);
        ask_singly(question);
        free_question(question);
    }
}

/* ---- gathering ---- */

static void flush(struct batch_group *group) {
    struct service *service = group->service;
    while (group->due.count > 0) {
        struct question *question = mem_new(sizeof(*question));
        TAILQ_INIT(&question->list.jobs);
        question->service = service;
        question->key = group->key ? mem_string(group->key) : NULL;
        question->turn.go = go;
        LIST_INSERT_HEAD(&service->questions, question, link);
        while (group->due.count > 0 && question->list.count < many_max(service)) {
            struct job *job = TAILQ_FIRST(&group->due.jobs);
            batch_leave(job);
            add(&question->list, job);
        }
        service_take_turn(service, LANE_ASK, &question->turn);
    }
}

static void window_over(uv_timer_t *timer) {
    flush(timer->data);
}

static struct batch_group *find_group(struct service *service, const char *key) {
    struct batch_group *group;
    LIST_FOREACH (group, &service->groups, link) {
        if (same_key(group->key, key)) {
            return group;
        }
    }
    if (service->group_count == GROUPS_MAX) {
        return NULL;
    }
    group = mem_new(sizeof(*group));
    group->service = service;
    group->key = key ? mem_string(key) : NULL;
    TAILQ_INIT(&group->due.jobs);
    uv_timer_init(service->host.loop, &group->timer);
    group->timer.data = group;
    LIST_INSERT_HEAD(&service->groups, group, link);
    service->group_count++;
    return group;
}

bool batch_join(struct job *job) {
    struct service *service = job->service;
    struct batch_group *group =
        adapter_has(service->adapter, ADAPTER_POLL_MANY) ? find_group(service, job->attempt->key) : NULL;
    if (group == NULL) {
        return false;
    }
    add(&group->due, job);
    if (group->due.count >= many_max(service)) {
        flush(group);
        uv_timer_stop(&group->timer);
    } else if (!uv_is_active((uv_handle_t *)&group->timer)) {
        uv_timer_start(&group->timer, window_over, clock_timer_ms(WINDOW_MS), 0);
    }
    return true;
}

static void free_group(uv_handle_t *handle) {
    struct batch_group *group = handle->data;
    free(group->key);
    free(group);
}

void batch_close(struct service *service) {
    while (!LIST_EMPTY(&service->questions)) { /* whose jobs have all left */
        struct question *question = LIST_FIRST(&service->questions);
        service_drop_turn(service, &question->turn);
        if (question->exchange) {
            exchange_cancel(question->exchange);
            service_end_turn(service, LANE_ASK);
        }
        free_question(question);
    }
    while (!LIST_EMPTY(&service->groups)) {
        struct batch_group *group = LIST_FIRST(&service->groups);
        assert(group->due.count == 0);
        LIST_REMOVE(group, link);
        uv_close((uv_handle_t *)&group->timer, free_group);
    }
}
