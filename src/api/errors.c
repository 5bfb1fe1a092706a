/* The one place where a fault becomes an answer. */
#include "api/internal.h"
#include "base/log.h"
#include "core/answer.h"

#define ERROR_BODY_MAX 8192

/* When to come back after a 503, seconds. Those that wait for something else bring a Retry-After of their own. */
static const char *retry_after(enum err err) {
    switch (err) {
    case ERR_OVERLOADED:
        return "1";
    case ERR_SHUTTING_DOWN:
        return "5";
    case ERR_TOO_MANY_STREAMS:
    case ERR_TOO_MANY_UPLOADS:
        return "1";
    default:
        return err_info(err)->http_status == 503 ? "10" : NULL;
    }
}

void refuse(struct exchange *exchange, const struct fault *fault) {
    const struct err_info *info = err_info(fault->err);
    struct buffer body;

    /* What is our own fault is told the operator, not the client. */
    if (fault->err >= ERR_INTERNAL && info->http_status >= 500)
        log_event(LOG_ERROR, "request failed", LOG_S("request", exchange_request_id(exchange)),
                  LOG_S("error", info->name), LOG_S("reason", fault->message));
    const char *seconds = retry_after(fault->err);
    if (seconds != NULL)
        reply_header(exchange, "Retry-After", seconds);
    if (info->http_status == 401)
        reply_header(exchange, "WWW-Authenticate", "Bearer");
    buffer_init(&body, ERROR_BODY_MAX);
    answer_put_error(&body, fault);
    if (buffer_ok(&body)) {
        reply_take(exchange, info->http_status, "application/json", &body);
        return;
    }
    buffer_fini(&body);
    reply_constant(exchange, 500, "application/json",
                   TEXT("{\"error\":{\"message\":\"The server is out of memory.\",\"type\":\"server_error\","
                        "\"code\":\"internal_error\",\"param\":null}}"));
}

void reply_json(struct exchange *exchange, struct buffer *body) {
    reply_take(exchange, 200, "application/json", body);
}

void reply_json_tagged(struct exchange *exchange, uint64_t tag, struct buffer *body) {
    reply_tagged(exchange, "application/json", tag, body);
}
