/* What receivers of callbacks answer, from the connection to the log of tries: whatever it is, one try is made and written
 * down, with an excerpt that is fit for a log; what was not delivered is tried again within the bounds of the ladder, or given
 * up for the reason that the log names; nothing that it says leads anywhere else.
 *
 *   the rung of the ladder that it is on, and perhaps "test"
 *   what the receiver says (server.h) */
#include <jansson.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "callback/callbacks.h"
#include "callback/intake.h"
#include "callback/ladder.h"
#include "core/budget.h"
#include "fuzz.h"
#include "place.h"
#include "server.h"
#include "store/callback.h"
#include "store/store.h"

#define CLOCK_SPEED 20 /* a sender waits some milliseconds before each look */
#define TIMEOUT_MS 600000
#define EXCERPT_MAX 500

static uv_loop_t loop;
static struct store *store;
static int64_t account;

/* ---- the store ---- */

struct verb_job {
    struct store_job job;
    void (*verb)(struct store_tx *tx, void *context);
    void *context;
};

static void run_verb(struct store_tx *tx, struct store_job *job) {
    const struct verb_job *verb = container_of(job, struct verb_job, job);
    verb->verb(tx, verb->context);
}

static void write_down(void (*verb)(struct store_tx *tx, void *context), void *context) {
    struct verb_job job = { .job = { .run = run_verb }, .verb = verb, .context = context };
    fuzz_hold(store_call(store, &job.job) == OK);
}

static void add_account(struct store_tx *tx, void *context) {
    store_tx_ensure_account(tx, TEXT("mine"), TEXT_NONE, clock_wall_ms(), context);
}

static void close_all(void) {
    store_close(store);
}

void fuzz_begin(void) {
    struct fault fault = { .err = OK };
    char directory[128];
    snprintf(directory, sizeof(directory), "%s/store", place());
    clock_set_speed(CLOCK_SPEED, 0);
    fuzz_hold(store_open(&(struct store_options){ .directory = directory }, &store, &fault) == OK, "%s", fault.message);
    write_down(add_account, &account);
    uv_loop_init(&loop);
    server_open(&loop);
    atexit(close_all);
}

void fuzz_seeds(void) {
    static const char *const seeds[] = {
        "0\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "0\nHTTP/1.1 204 None\r\n\r\n",
        "3\nHTTP/1.1 500 E\r\n\r\n<h1>\x1b[31m\xff\xc2\x85\xf0\x9f\xa6\x8a\n</h1>",
        "9\nHTTP/1.1 503 S\r\nRetry-After: 99999999\r\n\r\nlater",
        "1\nHTTP/1.1 429 S\r\nRetry-After: Fri, 31 Dec 2199 23:59:59 GMT\r\n\r\n",
        "0\nHTTP/1.1 410 Gone\r\n\r\n",
        "0 test\nHTTP/1.1 410 Gone\r\n\r\n",
        "0 test\nHTTP/1.1 200 OK\r\n\r\n",
        "0\nHTTP/1.1 302 F\r\nLocation: http://127.0.0.2:{P}/\r\n\r\n",
        "0\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 408 T\r\n\r\n",
        "2\nHTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\ncut",
        "2\nHTTP/1.1 400 B\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08",
        "0\nhello",
        "0\n",
        NULL,
    };
    fuzz_seed_list("receiver", seeds);
}

/* ---- one delivery ---- */

struct delivery {
    struct callback_intake intake;
    struct task_id task;
    char url[64];
    bool is_test;
    int64_t at_ms;
};

static void add(struct store_tx *tx, void *context) {
    const struct delivery *delivery = context;
    callback_intake_write(tx, &delivery->intake, delivery->is_test ? NULL : &delivery->task);
}

static void make_due(struct delivery *delivery, struct text line) {
    struct text rest = line;
    int64_t rung = 0;
    struct fault fault = { .err = OK };
    if (!text_to_i64(text_cut(&rest, ' '), &rung) || rung < 0 || rung >= LADDER_TRIES) {
        rung = 0;
    }
    delivery->is_test = text_equal(rest, TEXT("test"));
    delivery->at_ms = clock_wall_ms();
    task_id_new(&delivery->task, false, delivery->at_ms / 1000);
    snprintf(delivery->url, sizeof(delivery->url), "http://%s/hook", server_pairs()[0]);
    fuzz_hold(callback_intake_init(&delivery->intake, account, text_of(delivery->url), TEXT("https://media.example"),
                                   delivery->at_ms, &fault) == OK, "%s", fault.message);
    if (delivery->is_test) {
        callback_intake_test(&delivery->intake);
    }
    struct callback_row *row = &delivery->intake.row;
    row->state = CALLBACK_DUE;
    row->rung = (int)rung;
    row->due_ms = delivery->at_ms;
    row->deadline_ms = ladder_deadline_ms(delivery->at_ms);
    write_down(add, delivery);
}

static void forget(struct store_tx *tx, void *context) {
    struct callback_row *row = &((struct delivery *)context)->intake.row;
    row->state = CALLBACK_GIVEN_UP;
    row->ended_ms = clock_wall_ms();
    row->outcome = TEXT("forgotten");
    store_tx_give_up_callback(tx, row);
    store_tx_set_callback_gone(tx, account, row->url, 0);
    store_tx_drop_callbacks(tx, INT64_MAX, clock_wall_ms(), 1000);
}

static enum err render(void *context, int64_t owner, const struct task_id *task, struct text base, struct buffer *body) {
    (void)context, (void)owner, (void)base;
    buffer_printf(body, "{\"id\":\"%s\"}", task->string);
    return OK;
}

/* ---- the sender ---- */

static void is_idle(void *context) {
    *(bool *)context = true;
}

static void asked(struct text head, bool abroad, unsigned number) {
    (void)number;
    fuzz_hold(!abroad, "a receiver has sent us elsewhere");
    fuzz_hold(memmem(head.ptr, head.len, "webhook-signature: v1,", 22) != NULL);
}

/* Until one try is written; the sender is gone then, and another would know nothing of the receiver. */
static void send_one(void) {
    const struct callbacks_options options = { .store = store, .allow = server_pairs(), .allow_count = SERVER_PAIRS,
                                               .render = render, .timeout_ms = TIMEOUT_MS };
    struct callbacks *callbacks = callbacks_new(&loop, &options);
    bool idle = false;
    while (callbacks_counts(callbacks).tries == 0) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    callbacks_stop(callbacks, is_idle, &idle);
    callbacks_cut(callbacks);
    while (!idle) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    callbacks_close(callbacks);
    server_rest();
    callbacks_free(callbacks);
}

/* ---- what came of it ---- */

static void hold_excerpt(struct text excerpt) {
    fuzz_hold(excerpt.len <= EXCERPT_MAX && text_is_utf8(excerpt), "%.*s", TEXT_ARG(excerpt));
    for (size_t i = 0; i < excerpt.len; i++) {
        unsigned char c = (unsigned char)excerpt.ptr[i], next = i + 1 < excerpt.len ? (unsigned char)excerpt.ptr[i + 1] : 0;
        fuzz_hold(c >= ' ' && c != 0x7f && !(c == 0xc2 && next < 0xa0), "a control character");
    }
}

static bool hold_try(const struct callback_try_row *row, void *context) {
    unsigned *count = context;
    ++*count;
    fuzz_hold(row->number >= 1 && row->outcome.len > 0 && row->duration_ms >= 0);
    fuzz_hold(row->status == 0 || (row->status >= 200 && row->status <= 999), "%d", row->status);
    hold_excerpt(row->excerpt);
    return true;
}

static void hold_next(const struct delivery *delivery, const struct callback_row *row) {
    int64_t wait_ms = row->due_ms - delivery->at_ms;
    fuzz_hold(!delivery->is_test && row->rung >= 1 && row->rung < LADDER_TRIES && row->ended_ms == 0);
    fuzz_hold(wait_ms > 0 && wait_ms <= ladder_delay_max_ms((unsigned)row->rung, true) + clock_wall_ms() - delivery->at_ms,
              "%lld", (long long)wait_ms);
}

static void hold_outcome(const struct delivery *delivery) {
    struct arena arena;
    struct callback_row row;
    unsigned tries = 0;
    int64_t gone_ms = -1, now_ms = clock_wall_ms();
    struct text id = text_of(delivery->intake.row.id);
    arena_init(&arena, 1 << 20);
    fuzz_hold(store_find_callback(store, account, id, &arena, &row) == OK);
    fuzz_hold(store_list_callback_tries(store, account, id, hold_try, &tries) == OK && tries >= 1);
    fuzz_hold(store_find_callback_gone(store, account, row.url, now_ms, &gone_ms) == OK && gone_ms <= now_ms + DAY_MS);
    fuzz_hold(row.state != CALLBACK_WAITING && row.tries == (int)tries);
    fuzz_hold((row.state == CALLBACK_DELIVERED) == (row.status / 100 == 2), "%d", row.status);
    fuzz_hold((row.status == 410) == (gone_ms > 0));
    if (row.state == CALLBACK_DUE) {
        hold_next(delivery, &row);
    } else {
        fuzz_hold(row.ended_ms > 0);
    }
    arena_fini(&arena);
}

void fuzz_one(struct text input) {
    struct delivery delivery;
    make_due(&delivery, fuzz_line(&input));
    server_say(input, asked);
    send_one();
    hold_outcome(&delivery);
    write_down(forget, &delivery);
}
