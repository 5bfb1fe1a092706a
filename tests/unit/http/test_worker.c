/* Many clients of one HTTP thread at once: none is forgotten. What each thread has for itself. */
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

#define THREADS 3

static struct desk { bool kept; } desks[THREADS];
static unsigned desks_made, desks_freed;

static void *desk_new(void *context) {
    assert_ptr_equal(context, &app);
    desks[desks_made].kept = true;
    return &desks[desks_made++];
}

static void desk_free(void *pointer) {
    struct desk *desk = pointer;
    assert_true(desk->kept);
    desk->kept = false;
    desks_freed++;
}

static void name_desk(struct exchange *exchange) {
    const struct desk *desk = exchange_desk(exchange);
    static const struct text names[THREADS] = { TEXT("desk 0."), TEXT("desk 1."), TEXT("desk 2.") };
    reply_constant(exchange, 200, "text/plain", names[desk - desks]);
}

static const struct http_route routes[] = { { METHOD_GET, "/desk", 0, false, name_desk, "" },
                                            { METHOD_GET, "/hello", 0, false, hello, "" },
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

/* Connections go to the threads by turns; what the threads have counted is added up. */
static void each_thread_has_a_desk_of_its_own(void **state) {
    (void)state;
    const struct http_options options = { .host = "127.0.0.1",
                                          .threads = THREADS,
                                          .refuse = refuse,
                                          .admit = admit,
                                          .context = &app,
                                          .desk_new = desk_new,
                                          .desk_free = desk_free };
    struct http_server *server;
    struct fault fault = { .err = OK };
    char heard[1024], name[] = "desk 0.";

    assert_int_equal(http_server_new(&options, routes, ARRAY_SIZE(routes), &server, &fault), OK);
    assert_int_equal(desks_made, THREADS);
    for (unsigned i = 0; i < 2 * THREADS; i++) {
        name[strlen("desk ")] = (char)('0' + i % THREADS);
        clients[i] = dial(server);
        for (int again = 0; again < 2; again++) {
            say(clients[i], "GET /desk HTTP/1.1\r\nHost: x\r\n\r\n");
            hear(clients[i], heard, sizeof heard, name, 1);
            assert_non_null(strstr(heard, name));
        }
    }
    close_all(2 * THREADS);
    await_connections(server, 0);
    struct http_counts counts = http_server_counts(server);
    assert_int_equal(counts.by_class[2], 4 * THREADS);
    assert_int_equal(desks_freed, 0);
    http_server_free(server);
    assert_int_equal(desks_freed, THREADS);
}

int run_worker_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_many_as_are_fetched_at_once_are_answered),
        cmocka_unit_test(whoever_is_resumed_goes_on),
        cmocka_unit_test(connections_that_were_not_begun_are_closed),
        cmocka_unit_test(each_thread_has_a_desk_of_its_own),
    };
    return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
