/* Renders the task object, the submission's answer and the error object: the one place that knows their key order. */
#include "core/answer.h"

#include "base/json.h"

/* A failed task always shows an error, even one whose row names none. */
static enum task_error shown_error(enum task_error error) {
    return error == TASK_ERROR_NONE || error >= TASK_ERROR_COUNT ? TASK_ERROR_UNKNOWN : error;
}

static void put_key_text(struct json_writer *json, const char *key, struct text value) {
    json_key(json, key);
    json_text(json, value);
}

static void put_key_string(struct json_writer *json, const char *key, const char *value) {
    json_key(json, key);
    json_string_or_null(json, value);
}

static void put_key_i64(struct json_writer *json, const char *key, int64_t value) {
    json_key(json, key);
    json_i64(json, value);
}

static void put_usage(struct json_writer *json, const struct answer *answer) {
    json_key(json, "usage");
    json_object_begin(json);
    money_put_member(json, "credits_reserved", answer->reserved);
    put_key_text(json, "user_group", answer->group);
    money_put_member(json, "credits_charged", answer->charged);
    money_put_member(json, "credits_refunded", answer->refunded);
    put_key_string(json, "billing_rule", billing_rule_name(answer->billing));
    json_object_end(json);
}

static void put_task_info(struct json_writer *json, const struct answer *answer, bool with_queue_position) {
    json_key(json, "task_info");
    json_object_begin(json);
    json_key(json, "can_cancel");
    json_bool(json, answer->can_cancel);
    put_key_i64(json, "estimated_time", answer->estimated_s);
    if (with_queue_position && answer->queue_position > 0) {
        put_key_i64(json, "queue_position", answer->queue_position);
    }
    json_object_end(json);
}

static void put_error(struct json_writer *json, const struct answer *answer) {
    json_key(json, "error");
    if (answer->state != TASK_FAILED) {
        json_null_value(json);
        return;
    }
    enum task_error error = shown_error(answer->error);
    struct text message = answer->error_message;
    json_object_begin(json);
    put_key_string(json, "code", task_error_code(error));
    put_key_text(json, "message", message.len > 0 ? message : text_of(task_error_message(error)));
    put_key_string(json, "type", "task_error");
    json_object_end(json);
}

/* The base can stem from a request's Host: one that would need escaping is no host of ours, and the URLs stay relative
 * rather than break the JSON. */
static struct text harmless_base(struct text base) {
    for (size_t i = 0; i < base.len; i++) {
        if ((unsigned char)base.ptr[i] <= ' ' || (unsigned char)base.ptr[i] >= 0x7f || base.ptr[i] == '"' ||
            base.ptr[i] == '\\') {
            return TEXT("");
        }
    }
    return base;
}

/* The stored array with our base URL in its places. */
static void put_results(struct json_writer *json, struct text results, struct text base) {
    struct text safe_base = harmless_base(base);
    size_t at = text_find(results, ANSWER_BASE);

    json_raw(json, (struct text){ results.ptr, at });
    while (at < results.len) {
        buffer_put(json->buf, safe_base);
        results = (struct text){ results.ptr + at + 1, results.len - at - 1 };
        at = text_find(results, ANSWER_BASE);
        buffer_put(json->buf, (struct text){ results.ptr, at });
    }
}

static void put_stream(struct json_writer *json, const struct answer *answer) {
    char url[sizeof(STREAM_PATH_PREFIX STREAM_PATH_SUFFIX) + TASK_ID_SIZE];
    json_key(json, "stream");
    if (!answer->streams) {
        json_null_value(json);
        return;
    }
    snprintf(url, sizeof(url), STREAM_PATH_PREFIX "%s" STREAM_PATH_SUFFIX, answer->id.string);
    json_object_begin(json);
    put_key_string(json, "url", url);
    json_object_end(json);
}

void answer_put_task(struct buffer *buf, const struct answer *answer, struct text base) {
    struct json_writer json;
    bool completed = answer->state == TASK_COMPLETED;

    json_begin(&json, buf);
    json_object_begin(&json);
    put_key_text(&json, "id", task_id_text(&answer->id));
    put_key_string(&json, "object", task_type_object(answer->type));
    put_key_string(&json, "type", task_type_name(answer->type));
    put_key_text(&json, "model", answer->model);
    put_key_string(&json, "status", task_state_name(answer->state));
    put_key_i64(&json, "progress", completed ? 100 : answer->progress);
    put_key_i64(&json, "created", answer->created_s);
    if (answer->type == TASK_LLM) {
        put_stream(&json, answer);
    }
    json_key(&json, "results");
    if (completed) {
        put_results(&json, answer->results.len > 0 ? answer->results : TEXT("[]"), base);
    } else {
        json_null_value(&json);
    }
    put_error(&json, answer);
    put_usage(&json, answer);
    if (answer->state == TASK_PENDING) {
        put_task_info(&json, answer, true);
    }
    json_object_end(&json);
}

void answer_put_submission(struct buffer *buf, const struct answer *answer) {
    struct json_writer json;

    if (answer->type == TASK_LLM) { /* an LLM submission is answered by the task object */
        answer_put_task(buf, answer, TEXT_NONE);
        return;
    }
    json_begin(&json, buf);
    json_object_begin(&json);
    put_key_i64(&json, "created", answer->created_s);
    put_key_text(&json, "id", task_id_text(&answer->id));
    put_key_text(&json, "model", answer->model);
    put_key_string(&json, "object", task_type_object(answer->type));
    put_key_i64(&json, "progress", answer->progress);
    put_key_string(&json, "status", task_state_name(answer->state));
    put_task_info(&json, answer, false);
    put_key_string(&json, "type", task_type_name(answer->type));
    put_usage(&json, answer);
    json_object_end(&json);
}

void answer_put_estimate(struct buffer *buf, const struct answer *answer) {
    struct json_writer json;

    json_begin(&json, buf);
    json_object_begin(&json);
    put_key_string(&json, "object", "estimate");
    put_key_text(&json, "model", answer->model);
    put_usage(&json, answer);
    json_object_end(&json);
}

/* The words a client may read; those of our own faults stay in the log. */
static const char *public_message(const struct fault *fault, enum err err) {
    const struct err_info *info = err_info(err);
    if (err >= ERR_INTERNAL && info->http_status >= 500) {
        return info->http_status == 503 ? "The service's storage is not available at the moment; try again later."
                                        : "The request failed because of an internal error; try again later.";
    }
    return fault->message[0] != '\0' ? fault->message : "The request was refused.";
}

void answer_put_error(struct buffer *buf, const struct fault *fault) {
    enum err err = fault->err == OK || fault->err >= ERR_COUNT ? ERR_INTERNAL : fault->err;
    const struct err_info *info = err_info(err);
    struct json_writer json;

    json_begin(&json, buf);
    json_object_begin(&json);
    json_key(&json, "error");
    json_object_begin(&json);
    put_key_string(&json, "message", public_message(fault, err));
    put_key_string(&json, "type", info->type);
    put_key_string(&json, "code", info->code);
    put_key_string(&json, "param", fault->param[0] != '\0' ? fault->param : NULL);
    json_object_end(&json);
    json_object_end(&json);
}
