/* Many clients of one HTTP thread at once: none is forgotten. */
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/memory.h"
#include "client.h"
#include "tests.h"

#define CLIENTS_MAX 256
#define EVENTS_AT_ONCE 128 /* that libmicrohttpd fetches */
#define ROUNDS 40
#define GIVEN_UP_S 30 /* an answer that has not come by then is not on its way */

/* ---- the application ---- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool holding, held;
    struct exchange *suspended[CLIENTS_MAX];
    unsigned count;
    bool ending;
} app = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static void hello(struct exchange *exchange) {
    reply_constant(exchange, 200, "text/plain", TEXT("hello"));
}

/* Keeps the HTTP thread. */
static void hold(struct exchange *exchange) {
    pthread_mutex_lock(&app.lock);
    app.held = true;
    pthread_cond_broadcast(&app.changed);
    while (app.holding)
        pthread_cond_wait(&app.changed, &app.lock);
    pthread_mutex_unlock(&app.lock);
    hello(exchange);
}

static void suspend(struct exchange *exchange) {
    exchange_suspend(exchange, hello);
    pthread_mutex_lock(&app.lock);
    app.suspended[app.count++] = exchange;
    pthread_cond_broadcast(&app.changed);
    pthread_mutex_unlock(&app.lock);
}

static void refuse(struct exchange *exchange, const struct fault *fault) {
    (void)fault;
    reply_constant(exchange, 500, "text/plain", TEXT("refused"));
}

static bool admit(struct exchange *exchange) {
    (void)exchange;
    return true;
}

static const struct http_route routes[] = { { METHOD_GET, "/hello", 0, false, hello, "" },
                                            { METHOD_GET, "/hold", 0, false, hold, "" },
                                            { METHOD_GET, "/suspend", 0, false, suspend, "" } };

static struct http_server *start(void) {
    struct http_options options = { .host = "127.0.0.1", .threads = 1, .refuse = refuse, .admit = admit };
    struct http_server *server;
    struct fault fault = { .err = OK };

    if (http_server_new(&options, routes, ARRAY_SIZE(routes), &server, &fault) != OK)
        fail_msg("%s", fault.message);
    return server;
}

/* ---- the clients ---- */

static int clients[CLIENTS_MAX];

static void dial_all(struct http_server *server, unsigned count) {
    const struct timeval patience = { .tv_sec = GIVEN_UP_S };

    for (unsigned i = 0; i < count; i++) {
        clients[i] = dial(server);
        setsockopt(clients[i], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    }
}

static void say_all(unsigned count, const char *path) {
    char request[128];

    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    for (unsigned i = 0; i < count; i++)
        say(clients[i], request);
}

static void hear_all(unsigned count) {
    char heard[1024];

    for (unsigned i = 0; i < count; i++) {
        hear(clients[i], heard, sizeof heard, "hello", 1);
        if (strstr(heard, "hello") == NULL)
            fail_msg("client %u of %u has no answer", i + 1, count);
    }
}

static void close_all(unsigned count) {
    for (unsigned i = 0; i < count; i++)
        close(clients[i]);
}

/* ---- tests ---- */

static void set_holding(bool holding) {
    pthread_mutex_lock(&app.lock);
    app.holding = holding;
    app.held = false;
    pthread_cond_broadcast(&app.changed);
    pthread_mutex_unlock(&app.lock);
}

static void await_held(void) {
    pthread_mutex_lock(&app.lock);
    while (!app.held)
        pthread_cond_wait(&app.changed, &app.lock);
    pthread_mutex_unlock(&app.lock);
}

static void as_many_as_are_fetched_at_once_are_answered(void **state) {
    (void)state;
    for (unsigned count = EVENTS_AT_ONCE - 2; count <= EVENTS_AT_ONCE + 2; count++) {
        struct http_server *server = start();
        dial_all(server, count + 1);
        say_all(count + 1, "/hello");
        hear_all(count + 1);
        set_holding(true);
        say(clients[count], "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
        await_held();
        say_all(count, "/hello"); /* all there when the thread looks again */
        set_holding(false);
        hear_all(count + 1);
        close_all(count + 1);
        http_server_free(server);
    }
}

static void *resume_all(void *context) {
    (void)context;
    pthread_mutex_lock(&app.lock);
    while (!app.ending || app.count > 0) {
        if (app.count == 0) {
            pthread_cond_wait(&app.changed, &app.lock);
            continue;
        }
        struct exchange *exchange = app.suspended[--app.count];
        pthread_mutex_unlock(&app.lock);
        http_resume(exchange);
        pthread_mutex_lock(&app.lock);
    }
    pthread_mutex_unlock(&app.lock);
    return NULL;
}

static void whoever_is_resumed_goes_on(void **state) {
    (void)state;
    struct http_server *server = start();
    pthread_t resumers[2];

    app.ending = false;
    for (size_t i = 0; i < ARRAY_SIZE(resumers); i++)
        assert_int_equal(pthread_create(&resumers[i], NULL, resume_all, NULL), 0);
    dial_all(server, CLIENTS_MAX);
    for (int round = 0; round < ROUNDS; round++) {
        say_all(CLIENTS_MAX, "/suspend");
        hear_all(CLIENTS_MAX);
    }
    pthread_mutex_lock(&app.lock);
    app.ending = true;
    pthread_cond_broadcast(&app.changed);
    pthread_mutex_unlock(&app.lock);
    for (size_t i = 0; i < ARRAY_SIZE(resumers); i++)
        pthread_join(resumers[i], NULL);
    close_all(CLIENTS_MAX);
    http_server_free(server);
}

static void connections_that_were_not_begun_are_closed(void **state) {
    (void)state;
    struct http_server *server = start();

    dial_all(server, 1);
    set_holding(true);
    say_all(1, "/hold");
    await_held();
    int late = dial(server); /* the listener hands it over, and the thread does not come to it */
    set_holding(false);
    http_server_free(server);
    assert_true(has_ended(late));
    close(late);
    close_all(1);
}

int run_worker_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_many_as_are_fetched_at_once_are_answered),
        cmocka_unit_test(whoever_is_resumed_goes_on),
        cmocka_unit_test(connections_that_were_not_begun_are_closed),
    };
    return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
