/* A real server on the loopback: keep-alive, suspension, limits, stopping. */
#include "http/server.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "client.h"
#include "tests.h"

/* ---- the application ---- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct exchange *waiting; /* suspended by /wait */
    int released;
} app = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static void render_fault(struct exchange *exchange, const struct fault *fault) {
    struct buffer body;
    buffer_init(&body, 4096);
    buffer_printf(&body, "%s", err_info(fault->err)->name);
    reply_take(exchange, err_info(fault->err)->http_status, "text/plain", &body);
}

static void echo(struct exchange *exchange) {
    struct buffer body;
    buffer_init(&body, 1 << 20);
    buffer_put(&body, exchange_body(exchange));
    reply_take(exchange, 200, "text/plain", &body);
}

static void hello(struct exchange *exchange) {
    reply_constant(exchange, 200, "text/plain", TEXT("hello"));
}

static void make_no_reply(struct exchange *exchange) {
    (void)exchange;
}

static void count_release(void *attachment) {
    (void)attachment;
    pthread_mutex_lock(&app.lock);
    app.released++;
    pthread_cond_broadcast(&app.changed);
    pthread_mutex_unlock(&app.lock);
}

static void wait_for_resume(struct exchange *exchange) {
    exchange_attach(exchange, &app, count_release);
    exchange_suspend(exchange, echo);
    pthread_mutex_lock(&app.lock);
    app.waiting = exchange;
    pthread_cond_broadcast(&app.changed);
    pthread_mutex_unlock(&app.lock);
}

/* The resumption may come before the suspending handler has returned. */
static void resume_at_once(struct exchange *exchange) {
    exchange_suspend(exchange, echo);
    http_resume(exchange);
}

static void guarded(struct exchange *exchange) {
    reply_constant(exchange, 200, "text/plain", TEXT("secret"));
}

static void put_pair(struct text name, struct text value, void *context) {
    buffer_printf(context, "[%.*s|%.*s]", TEXT_ARG(name), TEXT_ARG(value));
}

static void list(struct exchange *exchange) {
    struct buffer body;
    buffer_init(&body, 1 << 20);
    exchange_each_header(exchange, put_pair, &body);
    exchange_each_parameter(exchange, put_pair, &body);
    buffer_put(&body, TEXT("end"));
    reply_take(exchange, 200, "text/plain", &body);
}

static bool admit(struct exchange *exchange) {
    if (exchange_route(exchange)->access == 0)
        return true;
    struct fault fault;
    fault_set(&fault, ERR_MISSING_API_KEY, "no");
    reply_fault(exchange, &fault);
    return false;
}

static const struct http_route routes[] = {
    { METHOD_GET, "/hello", 0, false, hello, "" },          { METHOD_POST, "/echo", 0, true, echo, "" },
    { METHOD_GET, "/list", 0, false, list, "" },            { METHOD_POST, "/small", 0, true, echo, "", .body_max = 10 },
    { METHOD_POST, "/wait", 0, true, wait_for_resume, "" }, { METHOD_POST, "/at-once", 0, true, resume_at_once, "" },
    { METHOD_POST, "/guarded", 1, true, guarded, "" },      { METHOD_GET, "/mute", 0, false, make_no_reply, "" },
};

static struct exchange *take_waiting(void) {
    pthread_mutex_lock(&app.lock);
    while (app.waiting == NULL)
        pthread_cond_wait(&app.changed, &app.lock);
    struct exchange *exchange = app.waiting;
    app.waiting = NULL;
    pthread_mutex_unlock(&app.lock);
    return exchange;
}

static void wait_released(int count) {
    pthread_mutex_lock(&app.lock);
    while (app.released < count)
        pthread_cond_wait(&app.changed, &app.lock);
    pthread_mutex_unlock(&app.lock);
}

/* ---- a client ---- */

static struct http_server *start(struct http_options options) {
    struct http_server *server;
    struct fault fault = { .err = OK };

    options.host = "127.0.0.1";
    options.threads = 2;
    options.refuse = render_fault;
    options.admit = admit;
    app.released = 0;
    if (http_server_new(&options, routes, ARRAY_SIZE(routes), &server, &fault) != OK)
        fail_msg("%s", fault.message);
    return server;
}

#define HEARD_SIZE 65536
static char heard[HEARD_SIZE];

/* ---- the tests ---- */

static void requests_share_a_connection(void **state) {
    (void)state;
    struct http_server *server = start((struct http_options){ 0 });
    int fd = dial(server);

    say(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\nPOST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
            "POST /at-once HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nlast");
    hear(fd, heard, sizeof heard, "last", 1);
    assert_non_null(strstr(heard, "\r\n\r\nhello"));
    assert_non_null(strstr(heard, "\r\n\r\nabc"));
    assert_non_null(strstr(heard, "\r\n\r\nlast"));
    assert_null(strstr(heard, "Connection: close"));
    close(fd);
    http_server_free(server);
}

static void the_clients_request_id_is_answered(void **state) {
    (void)state;
    struct http_server *server = start((struct http_options){ 0 });
    int fd = dial(server);

    say(fd, "GET /hello HTTP/1.1\r\nHost: x\r\nX-Request-Id: my.own_id-1\r\n\r\n");
    hear(fd, heard, sizeof heard, "hello", 1);
    assert_non_null(strstr(heard, "X-Request-Id: my.own_id-1\r\n"));
    say(fd, "GET /hello HTTP/1.1\r\nHost: x\r\nX-Request-Id: not one\r\n\r\n");
    hear(fd, heard, sizeof heard, "hello", 1);
    assert_non_null(strstr(heard, "X-Request-Id: req-"));
    close(fd);
    http_server_free(server);
}

static void all_headers_and_parameters_are_there(void **state) {
    (void)state;
    struct http_server *server = start((struct http_options){ 0 });
    int fd = dial(server);

    say(fd, "GET /list?a=1&b=c%20d&e HTTP/1.1\r\nHost: x\r\nX-Signed-With:  some thing \r\nx-signed-with: 2\r\n\r\n");
    hear(fd, heard, sizeof heard, "end", 1);
    assert_non_null(strstr(heard, "[Host|x][X-Signed-With|some thing][x-signed-with|2][a|1][b|c d][e|]end"));
    close(fd);
    http_server_free(server);
}

static void a_route_can_take_less(void **state) {
    (void)state;
    struct http_server *server = start((struct http_options){ 0 });
    int fd = dial(server);
    say(fd, "POST /small HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n0123456789");
    hear(fd, heard, sizeof heard, "0123456789", 1);
    assert_non_null(strstr(heard, " 200 "));
    say(fd, "POST /small HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n");
    hear(fd, heard, sizeof heard, "ERR_REQUEST_TOO_LARGE", 1);
    assert_non_null(strstr(heard, " 413 "));
    close(fd);
    fd = dial(server);
    say(fd, "POST /small HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n01234567\r\n8\r\n01234567\r\n");
    hear(fd, heard, sizeof heard, "ERR_REQUEST_TOO_LARGE", 1);
    assert_non_null(strstr(heard, " 413 "));
    close(fd);
    http_server_free(server);
}

static void refusals(void **state) {
    (void)state;
    static const struct {
        const char *request;
        const char *answer;
        bool closed;
    } cases[] = {
        { "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n", "ERR_ROUTE_NOT_FOUND", false },
        { "POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", "ERR_ROUTE_NOT_FOUND", false },
        { "PUT /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", "ERR_METHOD_NOT_ALLOWED", false },
        { "GET /a%00 HTTP/1.1\r\nHost: x\r\n\r\n", "ERR_INVALID_REQUEST", false },
        { "GET /mute HTTP/1.1\r\nHost: x\r\n\r\n", "ERR_INTERNAL", false },
        { "POST /guarded HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", "ERR_MISSING_API_KEY", false },
        { "POST /guarded HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n",
          "ERR_MISSING_API_KEY", true },
        { "POST /guarded HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\n", "ERR_MISSING_API_KEY", true },
        { "POST /guarded HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", "ERR_MISSING_API_KEY", true },
        { "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100001\r\n\r\n", "ERR_REQUEST_TOO_LARGE", true },
        { "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 100001\r\n\r\n",
          "ERR_REQUEST_TOO_LARGE", true },
        { "GET /hello HTTP/1.1\r\n\r\n", "ERR_INVALID_REQUEST", true },
        { "GET /hello HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", "ERR_INVALID_REQUEST", true },
        { "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na", "ERR_INVALID_REQUEST",
          true },
        { "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
          "ERR_INVALID_REQUEST", true },
        { "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", "ERR_INVALID_REQUEST", true },
        { "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", "400 Bad Request", true },
        { "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n", "413 Content Too Large",
          true },
        { "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", "ERR_INVALID_REQUEST", true },
        { "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "Allow: GET, HEAD, POST, OPTIONS\r\n", false },
        { "GET * HTTP/1.1\r\nHost: x\r\n\r\n", "ERR_INVALID_REQUEST", false },
        { "GET /hello HTTP/3.0\r\nHost: x\r\n\r\n", "505 ", true },
    };
    struct http_server *server = start((struct http_options){ .body_max = 100000 });
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int fd = dial(server);
        print_message("%s\n", cases[i].request);
        say(fd, cases[i].request);
        hear(fd, heard, sizeof heard, cases[i].answer, 1);
        assert_non_null(strstr(heard, cases[i].answer));
        if (cases[i].closed) {
            assert_true(has_ended(fd));
        } else {
            say(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
            hear(fd, heard, sizeof heard, "hello", 1);
            assert_non_null(strstr(heard, "200 OK"));
        }
        close(fd);
    }
    http_server_free(server);
}

/* Each would be read otherwise by a proxy in front. */
static void a_doubtful_header_section_is_refused(void **state) {
    (void)state;
    static const struct text cases[] = {
        TEXT("GET /hello HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer key\0rest\r\n\r\n"),
        TEXT("GET /hello HTTP/1.1\r\nHost: x\r\nX: \0\r\n\r\n"),
        TEXT("GET /hello HTTP/1.1\r\nHost: x\r\nX:\0a\r\nY: z\r\n\r\n"),
        TEXT("GET /hello HTTP/1.1\r\nX: y\0z: a\r\nHost: x\r\n\r\n"),
        TEXT("GET /hello HTTP/1.1\r\nHost: x\rX: y\r\n\r\n"),
        TEXT("GET /hello HTTP/1.1\r\nX: a\rb: c\r\nHost: x\r\n\r\n"),
        TEXT("GET /hello HTTP/1.1\rHost: x\r\n\r\n"),
        TEXT("GET /hello HTTP/1.1\r\nHost: x\nX: y\r\n\r\n"),
        TEXT("GET /hello HTTP/1.1\nHost: x\r\n\r\n"),
        TEXT("GET /hello HTTP/1.1\r\nHost: x\r\n\n"),
        TEXT("GET /hello HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n"),
        TEXT("GET /hello HTTP/1.1\r\nHost: x\r\nX: a\r\n\tb\r\nY: z\r\n\r\n"),
        TEXT("GET /hello HTTP/1.1\r\nHost: x\r\n: x\r\n\r\n"),
        TEXT("GET /hello HTTP/1.1\r\n: x\r\nHost: x\r\n\r\n"),
        TEXT("GET /hello HTTP/1.1\r\nHost: x\r\nX: a\x01z\r\n\r\n"),
        TEXT("GET /hello HTTP/1.1\r\nHost: x\r\nX: a\x7fz\r\n\r\n"),
    };
    struct http_server *server = start((struct http_options){ 0 });
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int fd = dial(server);
        print_message("%s\n", cases[i].ptr);
        assert_int_equal(send(fd, cases[i].ptr, cases[i].len, MSG_NOSIGNAL), cases[i].len);
        hear(fd, heard, sizeof heard, "HTTP/1.1 400 ", 1); /* some of them are refused by libmicrohttpd */
        assert_non_null(strstr(heard, "HTTP/1.1 400 "));
        assert_true(has_ended(fd));
        close(fd);
    }
    http_server_free(server);
}

/* The header section is read in pieces and the buffer grows under it; what stands in it is found all the same. */
static void an_ordinary_header_section_is_taken(void **state) {
    (void)state;
    struct http_server *server = start((struct http_options){ 0 });
    int fd = dial(server);
    char line[1200];

    say(fd, "\r\nGET /hello?a=1&b=2 HTTP/1.1\r\nHost: x \r\nCookie: a=b; c=\"d e\"\r\nEmpty:\r\nTab:\tx\ty\t\r\nUtf: \xc3\xa9\r\n");
    for (int i = 0; i < 7; i++) {
        snprintf(line, sizeof line, "X-%d:%1000d\r\n", i, i);
        say(fd, line);
    }
    say(fd, "Expect: nothing\r\n\r\nGET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /hello HTTP/1.0\r\n\r\n");
    hear(fd, heard, sizeof heard, "\r\n\r\nhello", 3);
    int answers = 0;
    for (const char *at = heard; (at = strstr(at, "\r\n\r\nhello")) != NULL; at++)
        answers++;
    assert_int_equal(answers, 3);
    assert_true(has_ended(fd));
    close(fd);
    http_server_free(server);
}

static void a_chunked_body_over_the_limit_is_cut_off(void **state) {
    (void)state;
    struct http_server *server = start((struct http_options){ .body_max = 1000 });
    int fd = dial(server);

    say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n");
    for (int i = 0; i < 10; i++)
        say(fd, "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789");
    say(fd, "\r\n1\r\n0\r\n");
    hear(fd, heard, sizeof heard, "ERR_REQUEST_TOO_LARGE", 1);
    assert_non_null(strstr(heard, "HTTP/1.1 413 "));
    assert_non_null(strstr(heard, "ERR_REQUEST_TOO_LARGE"));
    assert_true(has_ended(fd));
    close(fd);
    http_server_free(server);
}

static void all_bodies_together_are_bounded(void **state) {
    (void)state;
    struct http_server *server = start((struct http_options){ .body_max = 1000, .bodies_max = 1500 });
    int first = dial(server), second = dial(server);
    char body[1001];

    memset(body, 'a', 1000);
    body[1000] = '\0';
    say(first, "POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n");
    say(first, body);
    struct exchange *exchange = take_waiting();
    say(second, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n");
    say(second, body);
    hear(second, heard, sizeof heard, "ERR_OVERLOADED", 1);
    assert_non_null(strstr(heard, "HTTP/1.1 503 "));
    http_resume(exchange);
    hear(first, heard, sizeof heard, body, 1);
    assert_non_null(strstr(heard, "200 OK"));
    close(first);
    close(second);
    http_server_free(server);
}

static void expect_continue_is_answered(void **state) {
    (void)state;
    struct http_server *server = start((struct http_options){ 0 });
    int fd = dial(server);

    say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    hear(fd, heard, sizeof heard, "100 Continue\r\n\r\n", 1);
    assert_non_null(strstr(heard, "100 Continue"));
    say(fd, "abc");
    hear(fd, heard, sizeof heard, "abc", 1);
    assert_non_null(strstr(heard, "200 OK"));
    close(fd);
    http_server_free(server);
}

static void a_suspended_request_goes_on_when_resumed(void **state) {
    (void)state;
    struct http_server *server = start((struct http_options){ 0 });
    int fd = dial(server), other = dial(server);

    say(fd, "POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody");
    struct exchange *exchange = take_waiting();
    assert_int_equal(http_server_counts(server).suspended, 1);
    say(other, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    hear(other, heard, sizeof heard, "hello", 1);
    http_resume(exchange);
    hear(fd, heard, sizeof heard, "body", 1);
    assert_non_null(strstr(heard, "200 OK"));
    wait_released(1);
    close(fd);
    close(other);
    http_server_free(server);
}

static void a_client_may_go_while_its_request_waits(void **state) {
    (void)state;
    struct http_server *server = start((struct http_options){ 0 });
    int fd = dial(server);

    say(fd, "POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody");
    struct exchange *exchange = take_waiting();
    close(fd);
    http_resume(exchange);
    wait_released(1);
    http_server_free(server);
}

/* What was heard is in `heard`. */
static void stop_while_one_waits(void) {
    struct http_server *server = start((struct http_options){ 0 });
    int fd = dial(server);

    say(fd, "POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody");
    struct exchange *exchange = take_waiting();
    http_server_stop(server, 0);
    hear(fd, heard, sizeof heard, "ERR_SHUTTING_DOWN", 1);
    assert_int_equal(app.released, 0); /* what the resumer holds is still there */
    http_resume(exchange);
    assert_int_equal(app.released, 1);
    close(fd);
    http_server_free(server);
}

/* A stop has two seconds for that, which a busy machine may not give it each time. */
static void stopping_answers_what_still_waits(void **state) {
    (void)state;
    heard[0] = '\0';
    for (int tries = 0; tries < 5 && strstr(heard, "ERR_SHUTTING_DOWN") == NULL; tries++)
        stop_while_one_waits();
    assert_non_null(strstr(heard, "ERR_SHUTTING_DOWN"));
}

static void draining_closes_connections_with_their_answer(void **state) {
    (void)state;
    struct http_server *server = start((struct http_options){ 0 });
    int fd = dial(server);

    http_server_drain(server);
    say(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    hear(fd, heard, sizeof heard, "hello", 1);
    assert_non_null(strstr(heard, "Connection: close"));
    assert_true(has_ended(fd));
    close(fd);
    http_server_free(server);
}

static void too_many_connections_are_turned_away(void **state) {
    (void)state;
    struct http_server *server = start((struct http_options){ .connections_max = 2 });
    int first = dial(server), second = dial(server);

    await_connections(server, 2);
    int third = dial(server);
    say(third, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    hear(third, heard, sizeof heard, "null}}", 1);
    assert_non_null(strstr(heard, "HTTP/1.1 503 "));
    assert_non_null(strstr(heard, "Retry-After: 1\r\n"));
    assert_true(has_ended(third));
    close(first);
    await_connections(server, 1);
    int fourth = dial(server);
    say(fourth, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    hear(fourth, heard, sizeof heard, "hello", 1);
    assert_non_null(strstr(heard, "200 OK"));
    close(second);
    close(third);
    close(fourth);
    http_server_free(server);
}

static void one_address_has_its_own_limit(void **state) {
    (void)state;
    struct http_server *server = start((struct http_options){ .connections_per_address_max = 1 });
    int first = dial(server);

    await_connections(server, 1);
    int second = dial(server);
    hear(second, heard, sizeof heard, "null}}", 1);
    assert_non_null(strstr(heard, "HTTP/1.1 503 "));
    close(first);
    close(second);
    http_server_free(server);
}

static void an_address_in_use_is_said_so(void **state) {
    (void)state;
    struct http_server *server = start((struct http_options){ 0 }), *second;
    struct http_options options = { .host = "127.0.0.1", .port = http_server_port(server), .refuse = render_fault };
    struct fault fault = { .err = OK };

    assert_int_equal(http_server_new(&options, routes, ARRAY_SIZE(routes), &second, &fault), ERR_IO);
    assert_non_null(strstr(fault.message, "Address already in use"));
    options.host = "no such host";
    assert_int_equal(http_server_new(&options, routes, ARRAY_SIZE(routes), &second, &fault), ERR_IO);
    http_server_free(server);
}

static void answers_are_counted(void **state) {
    (void)state;
    struct http_server *server = start((struct http_options){ 0 });
    int fd = dial(server);

    say(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"
            "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_true(has_ended(fd));
    close(fd);
    await_connections(server, 0);
    struct http_counts counts = http_server_counts(server);
    uint64_t measured = 0;
    for (size_t i = 0; i < ARRAY_SIZE(counts.latency); i++)
        measured += counts.latency[i];
    assert_int_equal(counts.by_class[2], 2);
    assert_int_equal(counts.by_class[4], 1);
    assert_int_equal(measured, 3);
    assert_int_equal(counts.connections_accepted, 1);
    http_server_free(server);
}

int run_server_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_share_a_connection),
        cmocka_unit_test(the_clients_request_id_is_answered),
        cmocka_unit_test(all_headers_and_parameters_are_there),
        cmocka_unit_test(a_route_can_take_less),
        cmocka_unit_test(refusals),
        cmocka_unit_test(a_doubtful_header_section_is_refused),
        cmocka_unit_test(an_ordinary_header_section_is_taken),
        cmocka_unit_test(a_chunked_body_over_the_limit_is_cut_off),
        cmocka_unit_test(all_bodies_together_are_bounded),
        cmocka_unit_test(expect_continue_is_answered),
        cmocka_unit_test(a_suspended_request_goes_on_when_resumed),
        cmocka_unit_test(a_client_may_go_while_its_request_waits),
        cmocka_unit_test(stopping_answers_what_still_waits),
        cmocka_unit_test(draining_closes_connections_with_their_answer),
        cmocka_unit_test(too_many_connections_are_turned_away),
        cmocka_unit_test(one_address_has_its_own_limit),
        cmocka_unit_test(an_address_in_use_is_said_so),
        cmocka_unit_test(answers_are_counted),
    };
    return cmocka_run_group_tests_name("server", tests, NULL, NULL);
}
