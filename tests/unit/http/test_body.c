/* Bodies that are handed on piece by piece. */
#include "http/server.h"

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"
#include "tests.h"

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct buffer taken;
    size_t most; /* bytes that are taken; then it is refused */
    int handled, released;
} app = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static void render_fault(struct exchange *exchange, const struct fault *fault) {
    struct buffer body;
    buffer_init(&body, 4096);
    buffer_printf(&body, "%s", err_info(fault->err)->name);
    reply_take(exchange, err_info(fault->err)->http_status, "text/plain", &body);
}

static enum err take(struct exchange *exchange, struct text piece, struct fault *fault) {
    (void)exchange;
    pthread_mutex_lock(&app.lock);
    bool fits = app.taken.len + piece.len <= app.most;
    if (fits)
        buffer_put(&app.taken, piece);
    pthread_cond_broadcast(&app.changed);
    pthread_mutex_unlock(&app.lock);
    return fits ? OK : fault_set(fault, ERR_FILE_TOO_LARGE, "too large");
}

static void release(void *attachment) {
    (void)attachment;
    pthread_mutex_lock(&app.lock);
    app.released++;
    pthread_cond_broadcast(&app.changed);
    pthread_mutex_unlock(&app.lock);
}

static bool admit(struct exchange *exchange) {
    struct fault fault;
    if (exchange_route(exchange)->access != 0) {
        fault_set(&fault, ERR_MISSING_API_KEY, "no");
        reply_fault(exchange, &fault);
        return false;
    }
    exchange_attach(exchange, &app, release);
    exchange_stream_body(exchange, take);
    return true;
}

static void handle(struct exchange *exchange) {
    assert_int_equal(exchange_body(exchange).len, 0);
    pthread_mutex_lock(&app.lock);
    app.handled++;
    pthread_mutex_unlock(&app.lock);
    reply_constant(exchange, 200, "text/plain", TEXT("done"));
}

static const struct http_route routes[] = {
    { METHOD_POST, "/take", 0, true, handle, "", .streams_body = true },
    { METHOD_POST, "/closed", 1, true, handle, "", .streams_body = true },
};

static struct http_server *start(size_t most) {
    struct http_server *server;
    struct fault fault = { .err = OK };
    const struct http_options options = {
        .host = "127.0.0.1", .threads = 1, .refuse = render_fault, .admit = admit, .body_max = 100, .bodies_max = 100
    };
    buffer_init(&app.taken, 16 << 20);
    app.most = most;
    app.handled = app.released = 0;
    if (http_server_new(&options, routes, ARRAY_SIZE(routes), &server, &fault) != OK)
        fail_msg("%s", fault.message);
    return server;
}

static void stop(struct http_server *server, int fd) {
    close(fd);
    http_server_free(server);
    buffer_fini(&app.taken);
}

static void wait_taken(size_t count) {
    pthread_mutex_lock(&app.lock);
    while (app.taken.len < count)
        pthread_cond_wait(&app.changed, &app.lock);
    pthread_mutex_unlock(&app.lock);
}

#define HEARD_SIZE 65536
static char heard[HEARD_SIZE];

/* More than body_max and bodies_max, which are of those that are kept. */
static void pieces_come_as_they_arrive(void **state) {
    (void)state;
    struct http_server *server = start(1 << 20);
    int fd = dial(server);
    char piece[1001];

    memset(piece, 'a', 1000);
    piece[1000] = '\0';
    say(fd, "POST /take HTTP/1.1\r\nHost: x\r\nContent-Length: 3000\r\n\r\n");
    for (size_t i = 1; i <= 3; i++) {
        assert_int_equal(app.handled, 0);
        say(fd, piece);
        wait_taken(1000 * i);
        assert_int_equal(http_server_counts(server).body_bytes, 0);
    }
    hear(fd, heard, sizeof heard, "done", 1);
    assert_non_null(strstr(heard, "HTTP/1.1 200 "));
    say(fd, "POST /take HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    wait_taken(3005);
    say(fd, "0\r\n\r\n");
    hear(fd, heard, sizeof heard, "done", 1);
    assert_non_null(strstr(heard, "HTTP/1.1 200 "));
    assert_int_equal(app.handled, 2);
    stop(server, fd);
}

static void an_empty_body_is_one(void **state) {
    (void)state;
    struct http_server *server = start(10);
    int fd = dial(server);
    say(fd, "POST /take HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    hear(fd, heard, sizeof heard, "done", 1);
    assert_int_equal(app.handled, 1);
    stop(server, fd);
}

/* The client goes on sending, as many do, and hears the answer all the same. */
static void a_refusal_is_heard_by_who_still_sends(void **state) {
    (void)state;
    struct http_server *server = start(5000);
    int fd = dial(server);
    char piece[1001];

    memset(piece, 'a', 1000);
    piece[1000] = '\0';
    say(fd, "POST /take HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n");
    for (int i = 0; i < 2000; i++)
        say(fd, piece);
    hear(fd, heard, sizeof heard, "ERR_FILE_TOO_LARGE", 1);
    assert_non_null(strstr(heard, "HTTP/1.1 413 "));
    assert_non_null(strstr(heard, "Connection: close"));
    assert_true(has_ended(fd));
    assert_int_equal(app.handled, 0);
    stop(server, fd);
    assert_int_equal(app.released, 1);
}

static void who_may_not_is_told_before_all_is_sent(void **state) {
    (void)state;
    static const char *const lengths[] = { "Content-Length: 2000000", "Transfer-Encoding: chunked" };
    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        struct http_server *server = start(5000);
        int fd = dial(server);
        say(fd, "POST /closed HTTP/1.1\r\nHost: x\r\n");
        say(fd, lengths[i]);
        say(fd, "\r\n\r\n");
        hear(fd, heard, sizeof heard, "ERR_MISSING_API_KEY", 1);
        assert_non_null(strstr(heard, "HTTP/1.1 401 "));
        assert_true(has_ended(fd));
        assert_int_equal(app.handled, 0);
        stop(server, fd);
    }
}

static void a_client_that_goes_is_forgotten(void **state) {
    (void)state;
    struct http_server *server = start(5000);
    int fd = dial(server);
    say(fd, "POST /take HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc");
    wait_taken(3);
    close(fd);
    pthread_mutex_lock(&app.lock);
    while (app.released == 0)
        pthread_cond_wait(&app.changed, &app.lock);
    pthread_mutex_unlock(&app.lock);
    assert_int_equal(app.handled, 0);
    stop(server, dial(server));
}

int run_body_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_come_as_they_arrive), cmocka_unit_test(an_empty_body_is_one),
        cmocka_unit_test(a_refusal_is_heard_by_who_still_sends), cmocka_unit_test(who_may_not_is_told_before_all_is_sent),
        cmocka_unit_test(a_client_that_goes_is_forgotten),
    };
    return cmocka_run_group_tests_name("body", tests, NULL, NULL);
}
