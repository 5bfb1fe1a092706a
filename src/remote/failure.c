/* Failures: read from replies, and made into outcomes without secrets. */
#include "remote/failure.h"

#include <jansson.h>

#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "provider/driver.h"
#include "remote/credentials.h"
#include "remote/exchange.h"
#include "remote/service.h"

#define MESSAGE_MAX 1024
#define DETAIL_MAX 2048
#define HIDDEN_MAX 65536

void failure_read(const struct service *service, const struct exchange_reply *reply, const json_t *job,
                  struct reply_failure *ret) {
    const struct adapter *adapter = service->adapter;
    struct fault fault = { 0 };
    json_t *value = NULL;
    *ret = (struct reply_failure){ .said = adapter_status_failure(reply->status) };
    if (!adapter_has(adapter, ADAPTER_FAILURE)) {
        return;
    }
    enum err err = adapter_run(adapter, ADAPTER_FAILURE, reply->value, job, &value, &fault);
    if (err == OK && json_is_null(value)) {
        return;
    }
    if (err == OK) {
        err = adapter_read_failure(adapter, value, &ret->said, &fault);
    }
    if (err != OK) { /* the status speaks for itself */
        log_event(LOG_WARNING, "an adapter could not read a failure", LOG_S("provider", service->name),
                  LOG_S("fault", fault.message));
        json_decref(value);
        return;
    }
    ret->value = value;
}

void failure_fini(struct reply_failure *failure) {
    json_decref(failure->value);
    failure->value = NULL;
}

bool failure_asks_again(const struct adapter_failure *failure, int http_status, unsigned patience) {
    if (failure->again_said) {
        return failure->again;
    }
    bool may_pass = http_status == 401 || http_status == 403 || http_status == 404;
    return adapter_status_again(http_status) || (may_pass && patience < 2);
}

int64_t failure_delay_ms(const struct adapter_failure *failure, const struct exchange_reply *reply) {
    if (failure->delay_s > 0) {
        return (int64_t)(failure->delay_s * 1000);
    }
    return reply ? reply->retry_after_ms : 0;
}

static enum failure_scope scope_of(const struct adapter_failure *failure, const struct exchange_reply *reply) {
    bool by_status = reply && reply->end == EXCHANGE_REPLIED && reply->status / 100 != 2;
    return by_status && !failure->scope_said ? adapter_status_scope(reply->status) : failure->scope;
}

/* Adapters quote what the service said, and services quote keys. */
static void put_hidden(const struct service *service, const struct attempt *attempt, const char *words,
                       struct buffer *buf) {
    const char *others[] = { attempt->callback_url };
    struct credentials *credentials = NULL;
    struct buffer scoped(buffer_fini) clean;
    buffer_init(&clean, HIDDEN_MAX);
    struct credential_cache *cache = (struct credential_cache *)(uintptr_t)&service->credentials;
    if (credentials_get(cache, service->adapter, attempt->key, &credentials, NULL) != OK) {
        credentials = NULL;
        others[0] = attempt->key; /* never mind the URL: nothing of the words is sure then */
    }
    credentials_hide(credentials, others, ARRAY_SIZE(others), text_clip(text_of(words), HIDDEN_MAX / 4), &clean);
    credentials_unref(credentials);
    buffer_put(buf, text_clip(buffer_text(&clean), buf->max - 1 - buf->len));
}

char *failure_hide(const struct service *service, const struct attempt *attempt, const char *words) {
    struct buffer clean;
    buffer_init(&clean, HIDDEN_MAX);
    put_hidden(service, attempt, words, &clean);
    char *ret = buffer_ok(&clean) && clean.len > 0 ? buffer_take(&clean) : NULL;
    buffer_fini(&clean);
    return ret != NULL ? ret : mem_string("");
}

void failure_outcome_make(const struct service *service, const struct attempt *attempt,
                          const struct adapter_failure *failure, const struct exchange_reply *reply, enum job_fate fate,
                          struct failure_outcome *texts, struct outcome *ret) {
    buffer_init(&texts->message, MESSAGE_MAX);
    buffer_init(&texts->detail, DETAIL_MAX);
    if (failure->message && *failure->message) {
        put_hidden(service, attempt, failure->message, &texts->message);
    }
    if (failure->detail && *failure->detail) {
        put_hidden(service, attempt, failure->detail, &texts->detail);
    }
    const char *came = reply ? exchange_detail(reply) : "";
    if (*came) {
        bool more = texts->detail.len > 0 && texts->detail.len + 2 < texts->detail.max;
        buffer_put(&texts->detail, more ? TEXT("; ") : TEXT(""));
        buffer_put(&texts->detail, text_clip(text_of(came), texts->detail.max - 1 - texts->detail.len));
    }
    *ret = (struct outcome){
        .error = failure->error,
        .retryable = failure->retryable,
        .fate = fate,
        .scope = scope_of(failure, reply),
        .delay_ms = failure_delay_ms(failure, reply),
        .message = texts->message.len > 0 ? texts->message.data : NULL,
        .detail = texts->detail.len > 0 ? texts->detail.data : NULL,
    };
}

void failure_outcome_fini(struct failure_outcome *texts) {
    buffer_fini(&texts->message);
    buffer_fini(&texts->detail);
}
