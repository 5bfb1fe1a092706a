/* Answers that are given again: the table of kept responses, and what clients see of it. */
#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"
#include "http/internal.h"
#include "tests.h"

#define TYPE "text/plain"
#define TAG UINT64_C(0x0123456789abcdef)
#define SETS 512      /* of the table: tags that many apart share a set */
#define WAYS 4        /* places in a set */
#define LARGEST 2048  /* bytes of a body that is kept */
#define BODY TEXT("the body")

/* ---- the table ---- */

static struct kept *take(struct kept_table *table, struct text body) {
    return kept_take(table, TYPE, TAG, body);
}

/* Asked for once already. */
static struct kept_table *make_table(struct text body) {
    struct kept_table *table = kept_table_new();
    assert_null(take(table, body));
    return table;
}

static void what_is_asked_for_again_is_kept(void **state) {
    (void)state;
    struct kept_table *table = make_table(BODY);
    struct kept *kept = take(table, BODY);
    assert_non_null(kept);
    assert_string_equal(MHD_get_response_header(kept_response(kept), "ETag"), "\"0123456789abcdef\"");
    assert_string_equal(MHD_get_response_header(kept_response(kept), "Content-Type"), TYPE);
    kept_give_back(kept);
    assert_ptr_equal(take(table, BODY), kept);
    kept_give_back(kept);
    kept_table_free(table);
}

static void one_exchange_has_it_at_a_time(void **state) {
    (void)state;
    struct kept_table *table = make_table(BODY);
    struct kept *kept = take(table, BODY);
    assert_non_null(kept);
    assert_null(take(table, BODY));
    kept_give_back(kept);
    assert_ptr_equal(take(table, BODY), kept);
    kept_give_back(kept);
    kept_table_free(table);
}

static void another_body_or_type_is_another_answer(void **state) {
    (void)state;
    struct kept_table *table = make_table(BODY);
    struct kept *kept = take(table, BODY);
    assert_non_null(kept);
    kept_give_back(kept);
    assert_null(take(table, TEXT("the bodY")));
    assert_null(take(table, TEXT("the body ")));
    assert_null(kept_take(table, "text/html", TAG, BODY));
    assert_ptr_equal(take(table, BODY), kept);
    kept_give_back(kept);
    kept_table_free(table);
}

static void large_bodies_are_not_kept(void **state) {
    (void)state;
    static char bytes[LARGEST + 1];
    memset(bytes, 'x', sizeof bytes);
    struct text largest = { bytes, LARGEST }, larger = { bytes, LARGEST + 1 };
    struct kept_table *table = make_table(larger);
    assert_null(take(table, larger));
    assert_null(take(table, larger));
    assert_null(take(table, largest)); /* for the first time: the others left nothing */
    struct kept *kept = take(table, largest);
    assert_non_null(kept);
    kept_give_back(kept);
    kept_table_free(table);
}

/* Others that want its place, from the first-th on, so many times each. */
static void crowd(struct kept_table *table, uint64_t first, uint64_t count, int times) {
    for (uint64_t i = first; i < first + count; i++)
        for (int time = 0; time < times; time++) {
            struct kept *other = kept_take(table, TYPE, TAG + i * SETS, TEXT("another"));
            if (other != NULL)
                kept_give_back(other);
        }
}

static void others_take_its_place_but_not_from_an_exchange(void **state) {
    (void)state;
    struct kept_table *table = make_table(BODY);
    struct kept *kept = take(table, BODY);
    assert_non_null(kept);
    crowd(table, 1, 4 * WAYS, 2);
    kept_give_back(kept);
    assert_ptr_equal(take(table, BODY), kept);
    kept_give_back(kept);
    crowd(table, 1, 4 * WAYS, 2);
    assert_null(take(table, BODY)); /* as if for the first time */
    kept = take(table, BODY);
    assert_non_null(kept);
    kept_give_back(kept);
    kept_table_free(table);
}

/* A look through many tasks leaves the few that are asked for all the time. */
static void what_comes_once_drives_out_what_comes_once(void **state) {
    (void)state;
    struct kept_table *table = make_table(BODY);
    struct kept *kept = NULL;
    for (uint64_t round = 0; round < 20; round++) {
        struct kept *again = take(table, BODY);
        assert_non_null(again);
        assert_true(kept == NULL || again == kept);
        kept = again;
        kept_give_back(kept);
        crowd(table, 1 + round * WAYS, WAYS - 1, 1);
    }
    kept_table_free(table);
}

/* ---- a server ---- */

static void refuse(struct exchange *exchange, const struct fault *fault) {
    reply_constant(exchange, err_info(fault->err)->http_status, TYPE, TEXT("refused"));
}

/* For ?own=… with a header of its own, which is none of the answer's, for ?close=… with the connection's end, for ?fault=… with a
 * second thought. */
static void tagged(struct exchange *exchange) {
    struct fault fault = { .err = OK };
    struct buffer body;
    struct text value;
    char copy[16];

    buffer_init(&body, 64);
    buffer_put(&body, BODY);
    if (exchange_query(exchange, TEXT("own"), &value)) {
        snprintf(copy, sizeof copy, "%.*s", TEXT_ARG(value));
        reply_header(exchange, "X-Own", copy);
    }
    if (exchange_query(exchange, TEXT("close"), &value))
        reply_close(exchange);
    reply_tagged(exchange, TYPE, TAG, &body);
    buffer_fini(&body);
    if (exchange_query(exchange, TEXT("fault"), &value)) {
        (void)fault_set(&fault, ERR_INTERNAL, "on second thoughts");
        reply_fault(exchange, &fault);
    }
}

static void too_long(struct exchange *exchange) {
    struct buffer body;

    buffer_init(&body, 4);
    buffer_put(&body, BODY);
    reply_tagged(exchange, TYPE, TAG, &body);
}

static const struct http_route routes[] = { { METHOD_GET, "/tagged", 0, false, tagged, "" },
                                            { METHOD_GET, "/too-long", 0, false, too_long, "" } };

static struct http_server *start(void) {
    struct http_options options = { .host = "127.0.0.1", .threads = 1, .refuse = refuse };
    struct http_server *server;
    struct fault fault = { .err = OK };

    if (http_server_new(&options, routes, ARRAY_SIZE(routes), &server, &fault) != OK)
        fail_msg("%s", fault.message);
    return server;
}

static char heard[65536];

static const char *ask(int fd, const char *target, const char *id) {
    char request[256];

    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\nX-Request-Id: %s\r\n\r\n", target, id);
    say(fd, request);
    hear(fd, heard, sizeof heard, "the body", 1);
    return heard;
}

static void has_id_alone(const char *answer, const char *id) {
    char line[64];

    snprintf(line, sizeof line, "X-Request-Id: %s\r\n", id);
    const char *at = strstr(answer, line);
    assert_non_null(at);
    assert_ptr_equal(strstr(answer, "X-Request-Id"), at);
    assert_null(strstr(at + 1, "X-Request-Id"));
}

/* Whether it is of a response that was made before: what belongs to the body comes first there. */
static bool is_kept(const char *answer) {
    const char *tag = strstr(answer, "ETag"), *id = strstr(answer, "X-Request-Id");
    assert_non_null(tag);
    assert_non_null(id);
    return tag < id;
}

static void every_answer_has_its_own_headers(void **state) {
    (void)state;
    struct http_server *server = start();
    int fd = dial(server);
    for (int i = 0; i < 6; i++) {
        char id[32];
        snprintf(id, sizeof id, "request-%d", i);
        const char *answer = ask(fd, i % 2 == 0 ? "/tagged" : "/tagged?own=yes", id);
        assert_non_null(strstr(answer, "HTTP/1.1 200"));
        has_id_alone(answer, id);
        assert_int_equal(is_kept(answer), i > 0);
        assert_int_equal(strstr(answer, "X-Own: yes\r\n") != NULL, i % 2 == 1);
        assert_non_null(strstr(answer, "ETag: \"0123456789abcdef\"\r\n"));
        assert_non_null(strstr(answer, "Content-Type: " TYPE "\r\n"));
    }
    close(fd);
    http_server_free(server);
}

static void the_client_may_have_it(void **state) {
    (void)state;
    struct http_server *server = start();
    int fd = dial(server);
    for (int i = 0; i < 3; i++) {
        (void)ask(fd, "/tagged", "a");
        say(fd, "GET /tagged HTTP/1.1\r\nHost: x\r\nIf-None-Match: W/\"0123456789abcdef\"\r\n\r\n");
        hear(fd, heard, sizeof heard, "\r\n\r\n", 1);
        assert_non_null(strstr(heard, "HTTP/1.1 304"));
        assert_non_null(strstr(heard, "ETag: \"0123456789abcdef\"\r\n"));
        assert_null(strstr(heard, "the body"));
    }
    close(fd);
    http_server_free(server);
}

static void a_body_that_did_not_fit_is_no_answer(void **state) {
    (void)state;
    struct http_server *server = start();
    int fd = dial_and_say(server, "GET /too-long HTTP/1.1\r\nHost: x\r\n\r\n");
    hear(fd, heard, sizeof heard, "refused", 1);
    assert_non_null(strstr(heard, "HTTP/1.1 500"));
    assert_null(strstr(heard, "ETag"));
    close(fd);
    http_server_free(server);
}

/* A connection of its own. */
static const char *ask_alone(struct http_server *server, const char *request) {
    int fd = dial_and_say(server, request);
    shutdown(fd, SHUT_WR);
    hear(fd, heard, sizeof heard, "what never comes", 1);
    close(fd);
    return heard;
}

static void it_comes_back_however_an_exchange_ends(void **state) {
    (void)state;
    struct http_server *server = start();
    int fd = dial(server);
    (void)ask(fd, "/tagged", "first");
    static const struct {
        const char *request, *status;
    } endings[] = {
        { "HEAD /tagged HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "200" },
        { "GET /tagged HTTP/1.0\r\n\r\n", "200" },
        { "GET /tagged HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "200" },
        { "GET /tagged?close=1 HTTP/1.1\r\nHost: x\r\n\r\n", "200" },
        { "GET /tagged?fault=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "500" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
        const char *answer = ask_alone(server, endings[i].request);
        assert_memory_equal(answer + strlen("HTTP/1.1 "), endings[i].status, 3);
        answer = ask(fd, "/tagged", "next");
        assert_true(is_kept(answer));
        assert_null(strstr(answer, "Connection"));
        has_id_alone(answer, "next");
    }
    close(fd);
    http_server_free(server);
}

/* Sends requests and reads no answers, for as long as the server takes them without a pause. */
static void send_without_reading(int fd, size_t *at) {
    static const char request[] = "GET /tagged HTTP/1.1\r\nHost: x\r\nX-Request-Id: slow\r\n\r\n";
    ssize_t count;

    while ((count = send(fd, request + *at, sizeof request - 1 - *at, MSG_NOSIGNAL | MSG_DONTWAIT)) > 0)
        *at = (*at + (size_t)count) % (sizeof request - 1);
    assert_int_equal(errno, EAGAIN);
}

static void a_slow_reader_is_in_nobodys_way(void **state) {
    (void)state;
    struct http_server *server = start();
    int slow = dial(server), fd = dial(server);
    size_t at = 0;
    unsigned apart = 0; /* answers in a row that had a response of their own: what is kept cannot leave */
    while (apart < 4) {
        send_without_reading(slow, &at);
        const char *answer = ask(fd, "/tagged?own=yes", "quick");
        has_id_alone(answer, "quick");
        apart = is_kept(answer) ? 0 : apart + 1;
    }
    close(slow);
    while (!is_kept(ask(fd, "/tagged", "later"))) /* until the server has seen that it went */
        usleep(1000);
    close(fd);
    http_server_free(server);
}

static void the_last_answers_close(void **state) {
    (void)state;
    struct http_server *server = start();
    int fd = dial(server);
    for (int i = 0; i < 3; i++)
        assert_null(strstr(ask(fd, "/tagged", "a"), "Connection: close"));
    http_server_drain(server);
    assert_non_null(strstr(ask(fd, "/tagged", "a"), "Connection: close"));
    close(fd);
    http_server_free(server);
}

int run_kept_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_asked_for_again_is_kept),
        cmocka_unit_test(one_exchange_has_it_at_a_time),
        cmocka_unit_test(another_body_or_type_is_another_answer),
        cmocka_unit_test(large_bodies_are_not_kept),
        cmocka_unit_test(others_take_its_place_but_not_from_an_exchange),
        cmocka_unit_test(what_comes_once_drives_out_what_comes_once),
        cmocka_unit_test(every_answer_has_its_own_headers),
        cmocka_unit_test(the_client_may_have_it),
        cmocka_unit_test(a_body_that_did_not_fit_is_no_answer),
        cmocka_unit_test(it_comes_back_however_an_exchange_ends),
        cmocka_unit_test(a_slow_reader_is_in_nobodys_way),
        cmocka_unit_test(the_last_answers_close),
    };
    return cmocka_run_group_tests_name("kept", tests, NULL, NULL);
}
