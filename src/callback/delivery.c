/* One try at one delivery: its request, what its end means, and the job that makes that durable. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/memory.h"
#include "callback/inside.h"
#include "callback/ladder.h"
#include "net/fetch.h"
#include "net/retry_after.h"

#define STALL_MS 1000
#define GONE_MS ((int64_t)24 * 3600 * 1000)
#define STATUS_GONE 410

struct delivery *delivery_new(struct callbacks *callbacks, const struct callback_row *row) {
    struct delivery *delivery = mem_new(sizeof(*delivery));
    delivery->callbacks = callbacks;
    delivery->row = *row;
    delivery->url = text_dup(row->url);
    delivery->base = text_dup(row->base);
    delivery->row.url = text_of(delivery->url);
    delivery->row.base = text_of(delivery->base);
    delivery->row.lane = delivery->row.outcome = TEXT("");
    buffer_init(&delivery->body, BODY_MAX);
    return delivery;
}

void delivery_free(struct delivery *delivery) {
    buffer_fini(&delivery->body);
    free(delivery->url);
    free(delivery->base);
    free(delivery);
}

/* ---- the outcome, durable ---- */

static void write_outcome(struct store_tx *tx, struct store_job *job) {
    struct delivery *delivery = container_of(job, struct delivery, job);
    const struct callback_row *row = &delivery->row;
    if (delivery->kind == DELIVERY_GIVE_UP) {
        store_tx_give_up_callback(tx, row);
        return;
    }
    store_tx_add_callback_try(tx, row, &delivery->log);
    if (delivery->gone_until_ms > 0 || (row->test && row->state == CALLBACK_DELIVERED))
        store_tx_set_callback_gone(tx, row->account, row->url, delivery->gone_until_ms);
}

/* Writer's thread. */
static void wrote_outcome(struct store_job *job, enum err err) {
    struct delivery *delivery = container_of(job, struct delivery, job);
    struct callbacks *callbacks = delivery->callbacks;
    delivery->err = err;
    pthread_mutex_lock(&callbacks->mutex);
    STAILQ_INSERT_TAIL(&callbacks->written, delivery, link);
    callbacks_tell(callbacks);
    pthread_mutex_unlock(&callbacks->mutex);
}

static void post(struct delivery *delivery) {
    delivery->job = (struct store_job){ .run = write_outcome, .done = wrote_outcome };
    store_post_always(delivery->callbacks->store, &delivery->job);
}

static void count(const struct delivery *delivery) {
    struct callbacks *callbacks = delivery->callbacks;
    bool delivered = delivery->row.state == CALLBACK_DELIVERED;
    if (delivery->kind == DELIVERY_TRY) {
        callbacks_count(callbacks, tries, 1);
        callbacks_count(callbacks, failed, !delivered);
    }
    if (delivery->row.state == CALLBACK_DUE)
        return;
    callbacks_count(callbacks, due, -1);
    if (delivered) {
        callbacks_count(callbacks, delivered, 1);
        return;
    }
    callbacks_count(callbacks, given_up, 1);
    log_event(LOG_WARNING, "callback given up", LOG_S("callback", delivery->row.id),
              LOG_T("task", task_id_text(&delivery->row.task)), LOG_T("outcome", delivery->row.outcome),
              LOG_I("status", delivery->row.status));
}

void delivery_written(struct delivery *delivery) {
    struct callbacks *callbacks = delivery->callbacks;
    if (delivery->err != OK && !callbacks->cutting) { /* it is not sent again meanwhile: its outcome is known */
        STAILQ_INSERT_TAIL(&callbacks->stalled, delivery, link);
        callbacks->stalled_until_ms = clock_monotonic_ms() + STALL_MS;
        return;
    }
    if (delivery->err == OK)
        count(delivery);
    callbacks_watched(callbacks, &delivery->row);
    turns_ended(callbacks, delivery);
}

void delivery_post_stalled(struct callbacks *callbacks) {
    struct delivery *delivery;
    while ((delivery = STAILQ_FIRST(&callbacks->stalled)) != NULL) {
        STAILQ_REMOVE_HEAD(&callbacks->stalled, link);
        post(delivery);
    }
}

/* ---- what came of the request ---- */

struct verdict {
    const char *outcome;
    bool delivered, gone;
    enum receiver_word word;
};

static struct verdict verdict_of_status(int status) {
    if (status / 100 == 2)
        return (struct verdict){ "delivered", .delivered = true, .word = RECEIVER_WORKS };
    if (status == STATUS_GONE)
        return (struct verdict){ "gone", .gone = true, .word = RECEIVER_WORKS };
    if (status / 100 == 3)
        return (struct verdict){ "redirect", .word = RECEIVER_WORKS };
    if (status == 429 || status == 503)
        return (struct verdict){ "http_error", .word = RECEIVER_IS_FULL };
    return (struct verdict){ "http_error", .word = status >= 500 || status == 408 ? RECEIVER_FAILS : RECEIVER_WORKS };
}

/* Once there is a status it counts, whatever becomes of the body. */
static struct verdict verdict_of(const struct fetch_result *result) {
    if (result->http_status >= 200)
        return verdict_of_status(result->http_status);
    switch (result->err) {
    case ERR_TIMEOUT:
        return (struct verdict){ "timeout", .word = RECEIVER_FAILS };
    case ERR_BLOCKED_ADDRESS:
        return (struct verdict){ "blocked_address", .word = RECEIVER_FAILS };
    default:
        return (struct verdict){ "connection_failed", .word = RECEIVER_FAILS };
    }
}

/* The start of the answer, fit for a log: UTF-8, one line, without control characters. */
static void keep_excerpt(struct delivery *delivery, struct text raw) {
    size_t at = 0;
    while (raw.len > 0 && at < EXCERPT_MAX) {
        size_t length = text_utf8_length(raw);
        bool plain = length > 1 || (length == 1 && (unsigned char)raw.ptr[0] >= ' ' && raw.ptr[0] != 0x7f);
        /* U+0080 to U+009F are control characters, too */
        plain = plain && !(length == 2 && (unsigned char)raw.ptr[0] == 0xc2 && (unsigned char)raw.ptr[1] < 0xa0);
        if (plain && at + length > EXCERPT_MAX)
            break;
        if (plain) {
            memcpy(delivery->excerpt + at, raw.ptr, length);
            at += length;
        } else {
            delivery->excerpt[at++] = length > 0 ? ' ' : '?';
        }
        length = length > 0 ? length : 1;
        raw = (struct text){ raw.ptr + length, raw.len - length };
    }
    delivery->log.excerpt = (struct text){ delivery->excerpt, at };
}

static void judge(struct delivery *delivery, const struct verdict *verdict, int64_t retry_after_ms) {
    struct callback_row *row = &delivery->row;
    int64_t now_ms = clock_wall_ms(), delay_ms = -1;
    uint32_t random;
    crypto_random(&random, sizeof(random));
    row->rung++;
    row->outcome = text_of(verdict->outcome);
    row->status = delivery->log.status;
    delivery->log.outcome = row->outcome;
    if (!verdict->delivered && !verdict->gone && !row->test)
        delay_ms = ladder_delay_ms((unsigned)row->rung, retry_after_ms, random);
    if (delay_ms >= 0 && now_ms < row->deadline_ms) {
        row->due_ms = now_ms + delay_ms;
        return;
    }
    row->state = verdict->delivered ? CALLBACK_DELIVERED : CALLBACK_GIVEN_UP;
    row->ended_ms = now_ms;
    if (verdict->gone)
        delivery->gone_until_ms = now_ms + GONE_MS;
}

static void finish(struct delivery *delivery, const struct verdict *verdict, int64_t retry_after_ms) {
    struct callback_try_row *log = &delivery->log;
    log->account = delivery->row.account;
    memcpy(log->callback, delivery->row.id, sizeof(log->callback));
    log->duration_ms = clock_monotonic_ms() - delivery->begun_ms;
    judge(delivery, verdict, retry_after_ms);
    log_event(LOG_DEBUG, "callback tried", LOG_S("callback", delivery->row.id), LOG_S("outcome", verdict->outcome),
              LOG_I("status", log->status), LOG_I("rung", delivery->row.rung));
    turns_heard(delivery->callbacks, delivery->lane, verdict->word,
                retry_after_ms < LADDER_RETRY_AFTER_MAX_MS ? retry_after_ms : LADDER_RETRY_AFTER_MAX_MS);
    post(delivery);
}

static enum err take_reply(void *context, const void *bytes, size_t size) {
    struct delivery *delivery = context;
    size_t room = sizeof(delivery->raw) - delivery->raw_size;
    memcpy(delivery->raw + delivery->raw_size, bytes, size < room ? size : room);
    delivery->raw_size += size < room ? size : room;
    return size < room ? OK : ERR_FILE_TOO_LARGE; /* nobody needs the rest */
}

static void fetched(void *context, const struct fetch_result *result) {
    struct delivery *delivery = context;
    struct verdict verdict = verdict_of(result);
    struct text raw = { delivery->raw, delivery->raw_size };
    delivery->fetch = NULL;
    delivery->log.status = result->http_status >= 200 ? result->http_status : 0;
    keep_excerpt(delivery, raw.len > 0 ? raw : result->body);
    finish(delivery, &verdict, retry_after_read_ms(fetch_result_header(result, "retry-after"), clock_wall_ms()));
}

static enum err send_request(struct delivery *delivery) {
    const struct fetch_header headers[] = {
        { "Content-Type", "application/json" },
        { "webhook-id", delivery->row.id },
        { "webhook-timestamp", delivery->timestamp },
        { "webhook-signature", delivery->signature },
    };
    const struct fetch_request request = {
        .trust = FETCH_OUTSIDE,
        .url = delivery->row.url,
        .headers = headers,
        .header_count = ARRAY_SIZE(headers),
        .body = buffer_text(&delivery->body),
        .repeatable = true, /* its receiver knows it again by its id */
        .connect_timeout_ms = delivery->callbacks->options.timeout_ms,
        .total_timeout_ms = delivery->callbacks->options.timeout_ms,
        .sink = take_reply,
        .done = fetched,
        .context = delivery,
    };
    struct fault fault;
    return fetch_start(delivery->callbacks->client, &request, &delivery->fetch, &fault);
}

void delivery_begin(struct delivery *delivery) {
    static const struct verdict not_sent = { "connection_failed", .word = RECEIVER_WORKS };
    delivery->begun_ms = clock_monotonic_ms();
    delivery->log.at_ms = clock_wall_ms();
    if (delivery->kind == DELIVERY_GIVE_UP) {
        post(delivery);
        return;
    }
    enum err err = send_request(delivery);
    buffer_fini(&delivery->body);
    buffer_init(&delivery->body, 0);
    if (err != OK)
        finish(delivery, &not_sent, 0);
}

void delivery_cut(struct delivery *delivery) {
    fetch_cancel(delivery->fetch);
    delivery->fetch = NULL;
    turns_ended(delivery->callbacks, delivery);
}
