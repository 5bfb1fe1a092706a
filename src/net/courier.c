/* An errand is a fetch made at home, run by the courier's client, and its result on the way back.
 *
 *   home ── errand ──> courier's inbox ── fetch ── sink … ── result ──> home's inbox ── done
 *
 * Each errand is one message, which goes there and back. One that is to stop is marked, and the courier told to look for such:
 * so nobody holds what may have ended meanwhile. */
#include "net/courier.h"

#include <assert.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/memory.h"
#include "net/fetch_inside.h"
#include "net/inbox.h"

#define REST_MS 5000 /* without an errand, until memory for the next ones goes back */

struct errand {
    struct message message;
    struct courier *courier;
    enum err (*sink)(void *context, const void *bytes, size_t count);
    void (*done)(void *context, const struct fetch_result *result);
    void *context; /* of both */
    atomic_bool stopped;
    /* the courier's, until it comes home */
    LIST_ENTRY(errand) link;
    struct fetch *fetch; /* NULL: it was stopped */
    struct fetch_result result;
    char *url, *detail; /* the result's; the rest of its texts are the fetch's */
};

struct courier {
    /* home */
    struct inbox home;
    struct guard_memo memo;
    unsigned under_way;
    bool started, closing;
    pthread_t thread;
    struct message end;

    /* the courier's; home's, too, until the thread has started and after it has ended */
    uv_loop_t loop;
    struct inbox inbox;
    struct fetch_client *client;
    LIST_HEAD(, errand) errands;
    uv_timer_t rest_timer, close_timer;

    /* both; each message is on its way while the word beside it is true */
    struct message look, ping;
    atomic_bool looking, pinged;
};

/* ---- on the courier's thread ---- */

static void go_home(struct errand *errand);

static void rest_over(uv_timer_t *timer) {
    struct courier *courier = timer->data;
    fetch_client_rest(courier->client);
}

static enum err pass_on(void *context, const void *bytes, size_t count) {
    struct errand *errand = context;
    return errand->sink(errand->context, bytes, count);
}

static void ended(void *context, const struct fetch_result *result) {
    struct errand *errand = context;
    errand->url = mem_string(result->url);
    errand->detail = mem_string(result->detail);
    errand->result = *result;
    errand->result.url = errand->url;
    errand->result.detail = errand->detail;
    LIST_REMOVE(errand, link);
    go_home(errand);
}

static void set_out(void *owner, struct message *message) {
    struct courier *courier = owner;
    struct errand *errand = container_of(message, struct errand, message);
    if (atomic_load(&errand->stopped)) {
        fetch_free(errand->fetch);
        errand->fetch = NULL;
        go_home(errand);
        return;
    }
    LIST_INSERT_HEAD(&courier->errands, errand, link);
    fetch_launch(courier->client, errand->fetch);
}

static void drop(struct errand *errand) {
    fetch_cancel(errand->fetch);
    errand->fetch = NULL;
    LIST_REMOVE(errand, link);
    go_home(errand);
}

static void stop_marked(void *owner, struct message *message) {
    struct courier *courier = owner;
    struct errand *next;
    (void)message;
    atomic_store(&courier->looking, false); /* first: what is marked from now on is told anew */
    for (struct errand *errand = LIST_FIRST(&courier->errands); errand != NULL; errand = next) {
        next = LIST_NEXT(errand, link);
        if (atomic_load(&errand->stopped)) {
            drop(errand);
        }
    }
}

struct exemption {
    struct message message;
    unsigned count;
    char *pairs[];
};

static void take_exemption(void *owner, struct message *message) {
    struct courier *courier = owner;
    struct exemption *exemption = container_of(message, struct exemption, message);
    fetch_client_allow(courier->client, (const char *const *)exemption->pairs, exemption->count);
    for (unsigned i = 0; i < exemption->count; i++) {
        free(exemption->pairs[i]);
    }
    free(exemption);
}

static void answer(void *owner, struct message *message) {
    struct courier *courier = owner;
    (void)message;
    atomic_store(&courier->pinged, false);
}

static void close_all(uv_timer_t *timer) {
    struct courier *courier = timer->data;
    inbox_close(&courier->inbox);
    while (!LIST_EMPTY(&courier->errands)) {
        drop(LIST_FIRST(&courier->errands));
    }
    fetch_client_free(courier->client);
    uv_close((uv_handle_t *)&courier->rest_timer, NULL);
    uv_close((uv_handle_t *)&courier->close_timer, NULL);
}

static void end(void *owner, struct message *message) {
    struct courier *courier = owner;
    (void)message;
    uv_timer_start(&courier->close_timer, close_all, 0, 0); /* not from within the inbox's delivery */
}

static void *run_thread(void *context) {
    struct courier *courier = context;
    pthread_setname_np(pthread_self(), "courier");
    uv_run(&courier->loop, UV_RUN_DEFAULT);
    return NULL;
}

/* ---- at home ---- */

static void come_home(void *owner, struct message *message) {
    struct courier *courier = owner;
    struct errand *errand = container_of(message, struct errand, message);
    courier->under_way--;
    bool dropped = courier->closing || atomic_load(&errand->stopped);
    errand->done(errand->context, dropped ? NULL : &errand->result);
    fetch_free(errand->fetch);
    free(errand->url);
    free(errand->detail);
    free(errand);
}

static void go_home(struct errand *errand) {
    struct courier *courier = errand->courier;
    if (LIST_EMPTY(&courier->errands)) {
        uv_timer_start(&courier->rest_timer, rest_over, REST_MS, 0);
    }
    errand->message.deliver = come_home;
    bool posted = inbox_post(&courier->home, &errand->message);
    assert(posted); /* it closes after the last errand */
    (void)posted;
}

static void tell(struct courier *courier, struct message *message, void (*deliver)(void *owner, struct message *message)) {
    message->deliver = deliver;
    bool posted = inbox_post(&courier->inbox, message);
    assert(posted); /* it closes when told to, and nothing is told after that */
    (void)posted;
}

/* No signal is the courier's. */
static enum err need_thread(struct courier *courier, struct fault *fault) {
    sigset_t blocked, before;
    if (courier->started) {
        return OK;
    }
    enum err err = fetch_client_begin(courier->client, fault);
    if (err != OK) {
        return err;
    }
    sigfillset(&blocked);
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    courier->started = pthread_create(&courier->thread, NULL, run_thread, courier) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return courier->started ? OK : fault_set(fault, ERR_OVERLOADED, "The thread that sends requests cannot be started now.");
}

enum err courier_send(struct courier *courier, const struct fetch_request *request, struct errand **ret,
    struct fault *fault) {
    if (courier->closing) {
        return fetch_too_many(fault);
    }
    enum err err = need_thread(courier, fault);
    if (err != OK) {
        return err;
    }
    struct fetch *fetch;
    err = fetch_new(request, &courier->memo, &fetch, fault);
    if (err != OK) {
        return err;
    }
    if (courier->under_way >= fetch_client_room(courier->client)) {
        fetch_free(fetch);
        return fetch_too_many(fault);
    }
    struct errand *errand = mem_new(sizeof *errand);
    errand->courier = courier;
    errand->fetch = fetch;
    errand->sink = request->sink;
    errand->done = request->done;
    errand->context = request->context;
    fetch->request.sink = request->sink != NULL ? pass_on : NULL;
    fetch->request.done = ended;
    fetch->kept = true;
    fetch->request.context = errand;
    courier->under_way++;
    *ret = errand;
    tell(courier, &errand->message, set_out);
    return OK;
}

void errand_stop(struct errand *errand) {
    struct courier *courier = errand->courier;
    if (!atomic_exchange(&errand->stopped, true) && !courier->closing && !atomic_exchange(&courier->looking, true)) {
        tell(courier, &courier->look, stop_marked);
    }
}

bool courier_ping(struct courier *courier) {
    if (atomic_load(&courier->pinged)) {
        return false;
    }
    if (courier->under_way > 0 && !courier->closing) {
        atomic_store(&courier->pinged, true);
        tell(courier, &courier->ping, answer);
    }
    return true;
}

void courier_allow(struct courier *courier, const char *const *pairs, unsigned count) {
    if (courier->closing) {
        return;
    }
    if (!courier->started) {
        fetch_client_allow(courier->client, pairs, count);
        return;
    }
    struct exemption *exemption = mem_new(sizeof *exemption + count * sizeof *exemption->pairs);
    exemption->count = count;
    for (unsigned i = 0; i < count; i++) {
        exemption->pairs[i] = mem_string(pairs[i]);
    }
    tell(courier, &exemption->message, take_exemption);
}

/* Runs what is left there. Its thread must not be running. */
static void end_loop(struct courier *courier) {
    uv_run(&courier->loop, UV_RUN_DEFAULT);
    int failure = uv_loop_close(&courier->loop);
    assert(failure == 0); /* every handle is gone */
    (void)failure;
}

enum err courier_new(struct uv_loop_s *home, const struct fetch_options *options, struct courier **ret,
    struct fault *fault) {
    struct courier *courier = mem_new(sizeof *courier);
    if (uv_loop_init(&courier->loop) != 0) {
        free(courier);
        return fault_set(fault, ERR_IO, "The loop that sends requests cannot be made.");
    }
    inbox_init(&courier->home, courier);
    inbox_init(&courier->inbox, courier);
    enum err err = inbox_open(&courier->inbox, &courier->loop, fault);
    if (err == OK) {
        err = inbox_open(&courier->home, home, fault);
    }
    if (err != OK) {
        inbox_close(&courier->inbox);
        end_loop(courier);
        courier_free(courier);
        return err;
    }
    courier->client = fetch_client_new(&courier->loop, options);
    uv_timer_init(&courier->loop, &courier->rest_timer);
    uv_timer_init(&courier->loop, &courier->close_timer);
    courier->rest_timer.data = courier->close_timer.data = courier;
    LIST_INIT(&courier->errands);
    *ret = courier;
    return OK;
}

void courier_close(struct courier *courier) {
    tell(courier, &courier->end, end);
    courier->closing = true;
    if (courier->started) {
        pthread_join(courier->thread, NULL);
    }
    end_loop(courier);
    inbox_close(&courier->home); /* the last ones come home */
    assert(courier->under_way == 0);
}

void courier_free(struct courier *courier) {
    if (courier != NULL) {
        inbox_fini(&courier->home);
        inbox_fini(&courier->inbox);
        free(courier);
    }
}
