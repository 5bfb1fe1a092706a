/* Reads the header, and waits its turn. */
#include "api/task/submission_key.h"

#include "base/log.h"

#define HEADER_NAME "Idempotency-Key"
#define ANSWER_MAX 65536

static bool is_visible(struct text t) {
    for (size_t i = 0; i < t.len; i++)
        if (t.ptr[i] <= ' ' || t.ptr[i] > '~')
            return false;
    return true;
}

static enum err read_header(struct text name, struct fault *fault) {
    if (name.len >= 1 && name.len <= IDEMPOTENCY_NAME_MAX && is_visible(name))
        return OK;
    return fault_set_param(fault, ERR_INVALID_REQUEST, HEADER_NAME,
                           "The header " HEADER_NAME " must be 1 to %d visible ASCII characters.",
                           IDEMPOTENCY_NAME_MAX);
}

/* Endpoint and body; a pattern has no line end. */
static void take_fingerprint(struct exchange *exchange, char ret[SHA256_HEX_SIZE]) {
    struct text pattern = text_of(exchange_route(exchange)->pattern), body = exchange_body(exchange);
    uint8_t hash[SHA256_SIZE];
    struct sha256_stream stream;

    sha256_begin(&stream);
    sha256_add(&stream, pattern.ptr, pattern.len);
    sha256_add(&stream, "\n", 1);
    sha256_add(&stream, body.ptr, body.len);
    sha256_end(&stream, hash);
    hex_encode(hash, sizeof(hash), ret);
}

static void refuse_key(struct exchange *exchange, enum err err) {
    struct fault fault = { .err = OK };
    if (err == ERR_IDEMPOTENCY_KEY_REUSED)
        fault_set_param(&fault, err, HEADER_NAME,
                        "This " HEADER_NAME " was used for another request; use a new one for each task.");
    else if (err == ERR_OVERLOADED)
        fault_set_param(&fault, err, HEADER_NAME, "Too many requests wait for the one with this " HEADER_NAME
                        "; try again.");
    else
        fault_set(&fault, err, "The request with this " HEADER_NAME " could not be looked up.");
    refuse(exchange, &fault);
}

/* HTTP thread: the one that was before has ended. */
static void turn_comes(struct exchange *exchange) {
    struct submission_key *key = call_of(exchange)->submission_key;
    if (key->visit.err != OK)
        refuse_key(exchange, key->visit.err);
    else
        key->go_on(exchange);
}

/* Any thread. */
static void woken(struct idempotency_visit *visit) {
    struct submission_key *key = container_of(visit, struct submission_key, visit);
    http_resume(key->exchange);
}

/* The turn may come before this returns. */
static void wait_turn(struct exchange *exchange, struct submission_key *key) {
    struct call *call = call_of(exchange);
    bool waits = false;
    call->submission_key = key;
    key->visit.wake = woken;
    exchange_suspend(exchange, turn_comes);
    enum err err = engine_enter(call->api->engine, &key->key, &key->visit, &waits);
    if (waits)
        return;
    key->visit.err = err;
    http_resume(exchange);
}

void submission_key_enter(struct exchange *exchange, bool ignored, struct submission_key *key,
                          void (*go_on)(struct exchange *exchange)) {
    struct call *call = call_of(exchange);
    struct text name = exchange_header(exchange, HEADER_IDEMPOTENCY_KEY);
    struct fault fault = { .err = OK };

    if (name.ptr == NULL || ignored) {
        go_on(exchange);
        return;
    }
    if (read_header(name, &fault) != OK) {
        refuse(exchange, &fault);
        return;
    }
    key->exchange = exchange;
    key->go_on = go_on;
    key->key = (struct idempotency_key){ .account = call->account.id, .book = call->key.book, .name = name };
    take_fingerprint(exchange, key->key.fingerprint);
    bool waits = false;
    enum err err = engine_enter(call->api->engine, &key->key, &key->visit, &waits);
    if (err != OK)
        refuse_key(exchange, err);
    else if (waits)
        wait_turn(exchange, key);
    else
        go_on(exchange);
}

void submission_key_give(struct submission_key *key, struct submission *submission) {
    submission->holding = key->visit.holding;
    key->visit.holding = NULL;
}

void reply_is_repeated(struct exchange *exchange) {
    reply_header(exchange, "Idempotent-Replayed", "true");
}

void reply_repeated(struct exchange *exchange, const struct submission_key *key) {
    const struct call *call = call_of(exchange);
    struct fault fault = { .err = OK };
    struct buffer body;

    buffer_init(&body, ANSWER_MAX);
    enum err err = engine_repeat_submission(call->api->engine, call->account.id, &key->visit.task,
                                            key->visit.estimated_s, &body);
    if (err != OK) {
        buffer_fini(&body);
        fault_set(&fault, err, "The task that came of the " HEADER_NAME " cannot be read.");
        refuse(exchange, &fault);
        return;
    }
    log_event(LOG_INFO, "submission repeated", LOG_S("request", exchange_request_id(exchange)),
              LOG_T("task", task_id_text(&key->visit.task)));
    reply_is_repeated(exchange);
    reply_json(exchange, &body);
}

void submission_key_fini(struct submission_key *key) {
    idempotency_leave(key->visit.holding);
    key->visit.holding = NULL;
}
