/* Clients that are silent, slow, or have gone: none of them holds its place, and who is merely slow is served. */
#include "http/server.h"

#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "client.h"
#include "tests.h"

#define LARGE (32 << 20) /* bytes, more than the kernel keeps for a client that does not take them */

static char large[LARGE];
static _Atomic(struct exchange *) suspended, streaming;
static atomic_bool there_is_more;

static void hello(struct exchange *exchange) {
    reply_constant(exchange, 200, "text/plain", TEXT("hello"));
}

static void echo(struct exchange *exchange) {
    struct buffer body;
    buffer_init(&body, 1 << 20);
    buffer_put(&body, exchange_body(exchange));
    reply_take(exchange, 200, "text/plain", &body);
}

static void answer_large(struct exchange *exchange) {
    reply_constant(exchange, 200, "text/plain", (struct text){ large, sizeof large });
}

static void wait_for_resume(struct exchange *exchange) {
    exchange_suspend(exchange, hello);
    atomic_store(&suspended, exchange);
}

static enum stream_pull pull(struct exchange *exchange, struct buffer *buf, size_t room) {
    (void)exchange, (void)room;
    if (!atomic_load(&there_is_more))
        return STREAM_WAIT;
    buffer_put(buf, TEXT("hello"));
    return STREAM_END;
}

static void stream_ended(struct exchange *exchange, bool whole) {
    (void)exchange, (void)whole;
}

static void stream(struct exchange *exchange) {
    const struct stream_source source = { .pull = pull, .ended = stream_ended };
    reply_stream(exchange, 200, "text/plain", &source);
    atomic_store(&streaming, exchange);
}

static struct exchange *take(_Atomic(struct exchange *) *place) {
    struct exchange *exchange;
    while ((exchange = atomic_exchange(place, NULL)) == NULL)
        usleep(1000);
    return exchange;
}

static void refuse(struct exchange *exchange, const struct fault *fault) {
    reply_constant(exchange, err_info(fault->err)->http_status, "text/plain", TEXT("refused"));
}

static const struct http_route routes[] = {
    { METHOD_GET, "/hello", 0, false, hello, "" },
    { METHOD_POST, "/echo", 0, true, echo, "" },
    { METHOD_GET, "/large", 0, false, answer_large, "" },
    { METHOD_GET, "/wait", 0, false, wait_for_resume, "" },
    { METHOD_GET, "/stream", 0, false, stream, "" },
};

static struct http_server *start(struct http_options options) {
    struct http_server *server;
    struct fault fault = { .err = OK };

    options.host = "127.0.0.1";
    if (options.threads == 0)
        options.threads = 2;
    options.refuse = refuse;
    memset(large, 'x', sizeof large);
    if (http_server_new(&options, routes, ARRAY_SIZE(routes), &server, &fault) != OK)
        fail_msg("%s", fault.message);
    return server;
}

static uint64_t ended_by(struct http_server *server) {
    return http_server_counts(server).connections_timed_out;
}

static void stop(struct http_server *server, const int *clients, size_t count) {
    for (size_t i = 0; i < count; i++)
        close(clients[i]);
    http_server_free(server);
}

/* Without its limit none of these tests would end. Of those between requests none is counted. */
static void silent_clients_are_ended(void **state) {
    (void)state;
    struct http_server *server = start((struct http_options){ .idle_s = 2, .request_s = 3600 });
    const int clients[] = {
        dial(server),
        dial_and_say(server, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc"),
        dial_and_say(server, "POST /echo HTTP/1.1\r\nHost: x\r\nX: "),
        dial_and_say(server, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"),
    };
    char heard[4096];

    hear(clients[3], heard, sizeof heard, "hello", 1);
    for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
        assert_true(has_ended(clients[i]));
    assert_int_equal(ended_by(server), 2);
    stop(server, clients, ARRAY_SIZE(clients));
}

/* Its kernel says again and again that there is no room; that it has sent something more, which nobody reads while the answer
 * is written, changes nothing. */
static void clients_that_take_no_answer_are_ended(void **state) {
    (void)state;
    struct http_server *server = start((struct http_options){ .idle_s = 2, .request_s = 3600 });
    const int clients[] = { dial_and_say(server, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n"),
                            dial_and_say(server, "GET /large HTTP/1.1\r\nHost: x\r\n\r\nGET /hello HTTP/1.1\r\n") };
    static char piece[65536];

    while (http_server_counts(server).connections_accepted < ARRAY_SIZE(clients))
        usleep(1000);
    await_connections(server, 0);
    assert_int_equal(ended_by(server), ARRAY_SIZE(clients));
    for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
        ssize_t count, all = 0;
        while ((count = recv(clients[i], piece, sizeof piece, 0)) > 0)
            all += count;
        assert_true(all < LARGE);
    }
    stop(server, clients, ARRAY_SIZE(clients));
}

/* A stream's end, where that ends the connection, and a stream that is cut; an older connection of the same thread lives on. */
static void what_has_ended_is_not_kept(void **state) {
    (void)state;
    struct http_server *server = start((struct http_options){ .threads = 1, .idle_s = 3600, .request_s = 3600 });
    const int clients[] = { dial_and_say(server, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n") };
    char heard[4096];

    hear(clients[0], heard, sizeof heard, "hello", 1);
    atomic_store(&there_is_more, false);
    int old = dial_and_say(server, "GET /stream HTTP/1.0\r\n\r\n");
    struct exchange *streams = take(&streaming);
    hear(old, heard, sizeof heard, "\r\n\r\n", 1); /* nothing more comes of itself: it waits */
    atomic_store(&there_is_more, true);
    http_stream_wake(streams);
    assert_true(has_ended(old));
    await_connections(server, 1);
    close(old);
    atomic_store(&there_is_more, false);
    int cut = dial_and_say(server, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
    (void)take(&streaming);
    hear(cut, heard, sizeof heard, "\r\n\r\n", 1);
    close(cut);
    await_connections(server, 1);
    stop(server, clients, ARRAY_SIZE(clients));
}

/* Silent ones that come after them are ended, twice, before they get their answers. */
static void whom_we_keep_waiting_is_not_silent(void **state) {
    (void)state;
    struct http_server *server = start((struct http_options){ .idle_s = 1, .request_s = 3600 });
    atomic_store(&there_is_more, false);
    const int clients[] = { dial_and_say(server, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"),
                            dial_and_say(server, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n") };
    char heard[4096];

    struct exchange *waits = take(&suspended), *streams = take(&streaming);
    for (int i = 0; i < 2; i++) {
        int silent = dial(server);
        assert_true(has_ended(silent));
        close(silent);
    }
    http_resume(waits);
    atomic_store(&there_is_more, true);
    http_stream_wake(streams);
    hear(clients[0], heard, sizeof heard, "hello", 1);
    assert_non_null(strstr(heard, "hello"));
    hear(clients[1], heard, sizeof heard, "hello", 1);
    assert_non_null(strstr(heard, "hello"));
    stop(server, clients, ARRAY_SIZE(clients));
}

/* Each makes some step far more often than the limit asks for, and takes longer than it in all. */
static void slow_clients_are_not_silent(void **state) {
    (void)state;
    struct http_server *server = start((struct http_options){ .idle_s = 5, .request_s = 3600 });
    const int clients[] = { dial(server), dial(server), dial(server) };
    const int room = 262144;
    static char heard[4096], piece[65536];

    setsockopt(clients[2], SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    say(clients[0], "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 128\r\n\r\n");
    say(clients[1], "GET /hello HTTP/1.1\r\nHost: x\r\nX: ");
    say(clients[2], "GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
    for (int i = 0; i < 128; i++) {
        say(clients[0], i < 127 ? "a" : "z");
        say(clients[1], "a");
        assert_int_equal(recv(clients[2], piece, sizeof piece, MSG_WAITALL), sizeof piece);
        usleep(60000); /* the pace of slow clients, not a wait for something */
    }
    hear(clients[0], heard, sizeof heard, "z", 1);
    say(clients[1], "\r\n\r\n");
    hear(clients[1], heard, sizeof heard, "hello", 1);
    for (int i = 128; i < LARGE / (int)sizeof piece; i++)
        assert_int_equal(recv(clients[2], piece, sizeof piece, MSG_WAITALL), sizeof piece);
    assert_int_equal(ended_by(server), 0);
    stop(server, clients, ARRAY_SIZE(clients));
}

static void requests_that_take_too_long_are_ended(void **state) {
    (void)state;
    struct http_server *server = start((struct http_options){ .idle_s = 3600, .request_s = 1 });
    const int clients[] = { dial(server), dial(server) };

    say(clients[0], "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
    say(clients[1], "GET /hello HTTP/1.1\r\nHost: x\r\nX: ");
    while (send(clients[1], "x", 1, MSG_NOSIGNAL) == 1)
        usleep(50000); /* the pace of a slow client, not a wait for something */
    assert_true(has_ended(clients[0]));
    assert_int_equal(ended_by(server), 2);
    stop(server, clients, ARRAY_SIZE(clients));
}

/* The end arrives together with the request, which libmicrohttpd alone would overlook. */
static void clients_that_have_gone_are_noticed(void **state) {
    (void)state;
    struct http_server *server = start((struct http_options){ .idle_s = 3600, .request_s = 3600 });
    const int clients[] = { dial(server), dial(server), dial(server) };
    char heard[4096];

    say(clients[0], "GET /hello HTTP/1.1\r\nHost: x\r\n\r\nGET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    say(clients[1], "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
    for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
        shutdown(clients[i], SHUT_WR);
    hear(clients[0], heard, sizeof heard, "\r\n\r\nhello", 2);
    for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
        assert_true(has_ended(clients[i]));
    stop(server, clients, ARRAY_SIZE(clients));
}

int run_slow_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silent_clients_are_ended),
        cmocka_unit_test(clients_that_take_no_answer_are_ended),
        cmocka_unit_test(what_has_ended_is_not_kept),
        cmocka_unit_test(whom_we_keep_waiting_is_not_silent),
        cmocka_unit_test(slow_clients_are_not_silent),
        cmocka_unit_test(requests_that_take_too_long_are_ended),
        cmocka_unit_test(clients_that_have_gone_are_noticed),
    };
    return cmocka_run_group_tests_name("slow", tests, NULL, NULL);
}
