/* GET /v1/callbacks/secret, POST /v1/callbacks/secret/{rotate,revoke}: the secrets that sign an account's callbacks. A
 * secret is shown once, in the answer to the rotation that made it. */
#include <jansson.h>

#include "api/account/callback.h"
#include "api/body.h"
#include "base/clock.h"
#include "base/json.h"
#include "callback/signature.h"

#define HINT_LENGTH 11 /* "whsec_" and five characters of 43 */

static void put_secrets(struct json_writer *json, const struct callback_secret_row *secrets, unsigned count) {
    json_array_begin(json);
    for (unsigned i = 0; i < count; i++) {
        json_object_begin(json);
        json_key(json, "hint");
        json_text(json, text_clip(text_of(secrets[i].secret), HINT_LENGTH));
        json_key(json, "current");
        json_bool(json, secrets[i].expires_ms == 0);
        callback_put_time(json, "created", secrets[i].created_ms);
        callback_put_time(json, "expires", secrets[i].expires_ms);
        json_object_end(json);
    }
    json_array_end(json);
}

/* `fresh` (may be NULL) is shown; its own memory is the caller's. */
static void reply_secrets(struct exchange *exchange, const char *fresh) {
    const struct call *call = call_of(exchange);
    struct callback_secret_row secrets[CALLBACK_SECRETS_MAX];
    struct fault fault = { .err = OK };
    struct json_writer json;
    struct buffer body;
    unsigned count = 0;
    enum err err =
        store_list_callback_secrets(call->api->store, call->account.id, clock_wall_ms(), secrets, &count);
    if (err != OK) {
        fault_set(&fault, err, "The secrets of callbacks cannot be read.");
        refuse(exchange, &fault);
        return;
    }
    buffer_init(&body, CALLBACK_ANSWER_MAX);
    json_begin(&json, &body);
    json_object_begin(&json);
    json_key(&json, "object");
    json_text(&json, TEXT("callback.secret"));
    if (fresh != NULL) {
        json_key(&json, "secret");
        json_text(&json, text_of(fresh));
    }
    json_key(&json, "secrets");
    put_secrets(&json, secrets, count);
    json_object_end(&json);
    explicit_bzero(secrets, sizeof(secrets));
    reply_header(exchange, "Cache-Control", "no-store");
    reply_json(exchange, &body);
}

void handle_callback_secret(struct exchange *exchange) {
    reply_secrets(exchange, NULL);
}

struct secret_work {
    struct callback_work work;
    int64_t account, overlap_s, revoked;
    char secret[CALLBACK_SECRET_SIZE];
};

static void answer_work(struct exchange *exchange, bool rotated) {
    struct secret_work *work = call_of(exchange)->work;
    struct fault fault = { .err = OK };
    if (work->work.err != OK) {
        fault_set(&fault, work->work.err, "The secret cannot be changed now.");
        refuse(exchange, &fault);
    } else {
        reply_secrets(exchange, rotated ? work->secret : NULL);
    }
    explicit_bzero(work->secret, sizeof(work->secret));
}

/* ---- rotate ---- */

/* {"overlap_s"}, or no body at all. */
static enum err read_overlap(struct exchange *exchange, int64_t *ret, struct fault *fault) {
    static const char *const known[] = { "overlap_s", NULL };
    json_t *scoped(json_release) body = NULL;
    *ret = SIGNATURE_OVERLAP_S;
    enum err err = read_fields(exchange, known, &body, fault);
    return err == OK ? read_number_field(body, "overlap_s", 0, SIGNATURE_OVERLAP_MAX_S, ret, fault) : err;
}

static void write_rotation(struct store_tx *tx, struct store_job *job) {
    const struct secret_work *work = container_of(job, struct secret_work, work.job);
    int64_t now_ms = clock_wall_ms();
    store_tx_rotate_callback_secret(tx, work->account, text_of(work->secret), now_ms, now_ms + work->overlap_s * 1000);
}

static void rotated(struct exchange *exchange) {
    answer_work(exchange, true);
}

void handle_callback_secret_rotate(struct exchange *exchange) {
    struct secret_work *work = arena_alloc(exchange_arena(exchange), sizeof(*work));
    struct fault fault = { .err = OK };
    enum err err = work != NULL ? OK : fault_set(&fault, ERR_NO_MEMORY, "No memory for a job.");
    if (err == OK)
        err = read_overlap(exchange, &work->overlap_s, &fault);
    if (err != OK) {
        refuse(exchange, &fault);
        return;
    }
    work->account = call_of(exchange)->account.id;
    signature_secret_new(work->secret);
    callback_post(&work->work, exchange, write_rotation, rotated);
}

/* ---- revoke ---- */

static void write_revocation(struct store_tx *tx, struct store_job *job) {
    struct secret_work *work = container_of(job, struct secret_work, work.job);
    store_tx_revoke_callback_secrets(tx, work->account, clock_wall_ms(), &work->revoked);
}

static void revoked(struct exchange *exchange) {
    answer_work(exchange, false);
}

void handle_callback_secret_revoke(struct exchange *exchange) {
    struct secret_work *work = arena_alloc(exchange_arena(exchange), sizeof(*work));
    struct fault fault = { .err = OK };
    if (work == NULL) {
        fault_set(&fault, ERR_NO_MEMORY, "No memory for a job.");
        refuse(exchange, &fault);
        return;
    }
    work->account = call_of(exchange)->account.id;
    callback_post(&work->work, exchange, write_revocation, revoked);
}
