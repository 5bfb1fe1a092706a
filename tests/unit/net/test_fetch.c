/* The HTTP client against a server that behaves, and one that does not. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>

#include "base/memory.h"
#include "tests.h"

#include "client.h"

static const struct fetch_request plain = { .redirects_max = 5 };

static void a_reply_comes_whole(void **state) {
    struct reply *reply = get(*state, plain, "http://127.0.0.1:{S}/ok?token=fake-secret#part");
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u/ok", server_port(((struct fixture *)*state)->server));
    assert_int_equal(reply->err, OK);
    assert_int_equal(reply->http_status, 200);
    assert_true(reply->sent);
    assert_string_equal(reply->body, "hello");
    assert_int_equal(reply->size, 5);
    assert_string_equal(reply->content_type, "text/plain");
    assert_string_equal(reply->url, url);
    assert_string_equal(reply->detail, "");
    free_reply(reply);
}

static void a_sink_gets_the_pieces(void **state) {
    struct reply *reply = sink(*state, plain, "http://127.0.0.1:{S}/bytes/300000");
    assert_int_equal(reply->err, OK);
    assert_int_equal(reply->sunk.len, 300000);
    assert_int_equal(reply->size, 300000);
    assert_true(reply->sunk_calls > 1);
    assert_string_equal(reply->body, "");
    free_reply(reply);
    reply = sink(*state, plain, "http://127.0.0.1:{S}/chunked/50000");
    assert_int_equal(reply->err, OK);
    assert_int_equal(reply->sunk.len, 50000);
    free_reply(reply);
}

static void the_request_goes_out_as_asked(void **state) {
    static const struct fetch_header headers[] = { { "Authorization", "Key fake" }, { "X-Empty", "" },
        { "content-type", "application/json" } };
    struct fetch_request request = { .headers = headers, .header_count = 3, .body = TEXT("{\"a\":1}") };
    struct reply *reply = get(*state, request, "http://127.0.0.1:{S}/echo");
    assert_int_equal(reply->err, OK);
    assert_true(text_starts(text_of(reply->body), TEXT("POST /echo HTTP/1.1\r\n")));
    assert_non_null(strstr(reply->body, "\r\nAuthorization: Key fake\r\n"));
    assert_non_null(strstr(reply->body, "\r\nX-Empty:\r\n"));
    assert_non_null(strstr(reply->body, "\r\ncontent-type: application/json\r\n"));
    assert_non_null(strstr(reply->body, "\r\nContent-Length: 7\r\n"));
    assert_non_null(strstr(reply->body, "\r\nUser-Agent: fennec/"));
    assert_true(text_ends(text_of(reply->body), TEXT("\r\n\r\n{\"a\":1}")));
    assert_null(strstr(reply->body, "form-urlencoded"));
    assert_null(strstr(reply->body, "Expect"));
    assert_string_equal(reply->twice, "second");
    free_reply(reply);
}

/* How often the line begins so, whatever its letters' case. */
static unsigned lines_with(const char *request, const char *start) {
    unsigned count = 0;
    for (struct text lines = text_of(request); lines.len > 0;) {
        struct text line = text_cut(&lines, '\n');
        struct text name = { line.ptr, strlen(start) < line.len ? strlen(start) : line.len };
        count += text_equal_nocase(name, text_of(start));
    }
    return count;
}

/* Lines of curl's and of ours are there once, a caller's own in their place, and none that speak of a body without one. */
static void each_line_is_there_once(void **state) {
    static const struct fetch_header own[] = { { "user-agent", "mine/1" }, { "ACCEPT-ENCODING", "identity" } };
    static const char *const names[] = { "User-Agent:", "Accept:", "Host:" };
    for (unsigned i = 0; i < 2; i++) {
        struct fetch_request request = { .headers = own, .header_count = i * 2 };
        struct reply *reply = get(*state, request, "http://127.0.0.1:{S}/echo?a=%20b&c=d#e");
        assert_int_equal(reply->err, OK);
        assert_true(text_starts(text_of(reply->body), TEXT("GET /echo?a=%20b&c=d HTTP/1.1\r\n")));
        for (size_t k = 0; k < ARRAY_SIZE(names); k++) {
            assert_int_equal(lines_with(reply->body, names[k]), 1);
        }
        assert_int_equal(lines_with(reply->body, "user-agent: mine/1"), i);
        assert_int_equal(lines_with(reply->body, "accept-encoding:"), i); /* none is asked for */
        assert_int_equal(lines_with(reply->body, "Expect") + lines_with(reply->body, "Content-Type"), 0);
        free_reply(reply);
    }
}

static void methods_and_bodies(void **state) {
    static const struct {
        const char *method;
        struct text body;
        const char *line, *end;
    } cases[] = {
        { NULL, TEXT_NONE, "GET /echo", "\r\n\r\n" },
        { "GET", TEXT_NONE, "GET /echo", "\r\n\r\n" },
        { NULL, TEXT(""), "POST /echo", "\r\n\r\n" },
        { "POST", TEXT("a\nb"), "POST /echo", "\r\n\r\na\nb" },
        { "PUT", TEXT("x"), "PUT /echo", "\r\n\r\nx" },
        { "PATCH", TEXT("x"), "PATCH /echo", "\r\n\r\nx" },
        { "DELETE", TEXT_NONE, "DELETE /echo", "\r\n\r\n" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct fetch_request request = { .method = cases[i].method, .body = cases[i].body };
        struct reply *reply = get(*state, request, "http://127.0.0.1:{S}/echo");
        assert_int_equal(reply->err, OK);
        assert_true(text_starts(text_of(reply->body), text_of(cases[i].line)));
        assert_true(text_ends(text_of(reply->body), text_of(cases[i].end)));
        assert_null(strstr(reply->body, "Content-Type"));
        free_reply(reply);
    }
    struct reply *reply = get(*state, (struct fetch_request){ .method = "HEAD" }, "http://127.0.0.1:{S}/ok");
    assert_int_equal(reply->err, OK);
    assert_int_equal(reply->http_status, 200);
    free_reply(reply);
}

static void each_line_is_there_once_abroad(void **state) {
    static const struct fetch_header own[] = { { "User-Agent", "mine/1" }, { "Accept", "image/png" }, { "Authorization", "Key fake" } };
    struct fetch_request request = { .headers = own, .header_count = ARRAY_SIZE(own), .redirects_max = 5 };
    static const char *const urls[] = { "http://127.0.0.1:{S}/redirect/302?http://127.0.0.1:{O}/echo",
        "http://127.0.0.1:{S}/redirect/302?http://127.0.0.1:{O}/redirect/302?http://127.0.0.1:{S}/echo" };
    for (unsigned i = 0; i < ARRAY_SIZE(urls); i++) {
        struct reply *reply = get(*state, request, urls[i]);
        assert_int_equal(reply->err, OK);
        assert_int_equal(reply->redirects, i + 1);
        assert_int_equal(lines_with(reply->body, "User-Agent: fennec/"), 1);
        assert_int_equal(lines_with(reply->body, "User-Agent:"), 1);
        assert_int_equal(lines_with(reply->body, "Accept-Encoding:"), 0);
        assert_int_equal(lines_with(reply->body, "Accept: image/png"), 1);
        assert_int_equal(lines_with(reply->body, "Authorization"), 0);
        free_reply(reply);
    }
}

static struct reply *get_echo(struct fixture *fixture, struct fetch_request request) {
    bool is_head = request.method != NULL && strcmp(request.method, "HEAD") == 0; /* what has no body has no echo */
    struct reply *reply = get(fixture, request, is_head ? "http://127.0.0.1:{S}/ok" : "http://127.0.0.1:{S}/echo");
    assert_int_equal(reply->err, OK);
    assert_int_equal(reply->http_status, 200);
    return reply;
}

/* Each request after each other one, by one handle of curl's: it is what it is after none. */
static void a_request_leaves_nothing_for_the_next(void **state) {
    static const struct fetch_header headers[] = { { "Content-Type", "text/plain" }, { "X-Mine", "1" }, { "User-Agent", "x" } };
    const struct fetch_request requests[] = {
        { .method = NULL },
        { .body = TEXT("a body"), .headers = headers, .header_count = ARRAY_SIZE(headers) },
        { .method = "HEAD" },
        { .method = "PUT", .body = TEXT("another") },
        { .method = "DELETE", .rest_max_s = 5, .total_timeout_ms = 50000, .stall_timeout_s = 20, .speed_min = 10 },
        { .trust = FETCH_TRUSTED, .method = "POST", .body = TEXT(""), .keeps_connection = true },
    };
    enum { COUNT = ARRAY_SIZE(requests) };
    char *alone[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        struct reply *reply = get_echo(*state, requests[i]);
        alone[i] = mem_string(reply->body);
        free_reply(reply);
    }
    for (size_t i = 0; i < COUNT * COUNT; i++) {
        const size_t pair[] = { i / COUNT, i % COUNT };
        for (size_t k = 0; k < 2; k++) {
            struct reply *reply = get_echo(*state, requests[pair[k]]);
            assert_string_equal(reply->body, alone[pair[k]]);
            free_reply(reply);
        }
    }
    for (size_t i = 0; i < COUNT; i++) {
        free(alone[i]);
    }
}

/* A header that begins with white space goes on with the one before, and there is none of this reply's. */
static void a_reply_goes_on_with_no_earlier_one(void **state) {
    for (unsigned i = 0; i < 3; i++) {
        struct reply *first = get(*state, plain, "http://127.0.0.1:{S}/hints");
        struct reply *second = get(*state, plain, "http://127.0.0.1:{S}/folded");
        struct reply *third = get(*state, (struct fetch_request){ .redirects_max = 1 },
                                  "http://127.0.0.1:{S}/redirect/302?/folded");
        assert_int_equal(first->http_status, 200);
        assert_true(second->err == ERR_FETCH || second->http_status == 200);
        assert_true(third->err == ERR_FETCH || third->http_status == 200);
        free_reply(first);
        free_reply(second);
        free_reply(third);
    }
}

static void nothing_breaks_out_of_its_line(void **state) {
    static const struct fetch_header bad[] = { { "X", "a\r\nY: b" }, { "X", "a\nb" }, { "X", "\x01" },
        { "X\r\nY", "a" }, { "X:", "a" }, { "X Y", "a" }, { "", "a" }, { "X", "\x7f" } };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct fetch_request request = { .headers = &bad[i], .header_count = 1 };
        struct reply *reply = get(*state, request, "http://127.0.0.1:{S}/echo");
        assert_int_equal(reply->err, ERR_INVALID_REQUEST);
        free_reply(reply);
    }
    static const char *const methods[] = { "", "GET /x", "GET\r\nX: y", "G\x01" };
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
        struct reply *reply = get(*state, (struct fetch_request){ .method = methods[i] }, "http://127.0.0.1:{S}/echo");
        assert_int_equal(reply->err, ERR_INVALID_REQUEST);
        free_reply(reply);
    }
}

static void an_error_status_is_a_reply_whose_body_stays_out_of_the_sink(void **state) {
    static const int statuses[] = { 400, 401, 404, 429, 500, 503, 304, 302 };
    for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
        char url[64];
        snprintf(url, sizeof url, "http://127.0.0.1:{S}/status/%d", statuses[i]);
        struct reply *reply = sink(*state, plain, url);
        assert_int_equal(reply->err, OK);
        assert_int_equal(reply->http_status, statuses[i]);
        assert_string_equal(reply->body, statuses[i] == 304 ? "" : "an error body");
        assert_int_equal(reply->sunk_calls, 0);
        assert_int_equal(reply->size, 0);
        free_reply(reply);
    }
    struct reply *reply = sink(*state, plain, "http://127.0.0.1:{S}/error-bytes/1000000");
    assert_int_equal(reply->err, OK);
    assert_int_equal(reply->http_status, 500);
    assert_int_equal(strlen(reply->body), FETCH_ERROR_BODY_MAX);
    free_reply(reply);
}

static void the_bound_on_the_reply_is_exact(void **state) {
    static const struct {
        const char *url;
        int64_t max;
        enum err err;
    } cases[] = {
        { "http://127.0.0.1:{S}/bytes/1000", 1000, OK },
        { "http://127.0.0.1:{S}/bytes/1000", 999, ERR_FILE_TOO_LARGE },
        { "http://127.0.0.1:{S}/chunked/1000", 1000, OK },
        { "http://127.0.0.1:{S}/chunked/1000", 999, ERR_FILE_TOO_LARGE },
        { "http://127.0.0.1:{S}/announce/1000000", 999999, ERR_FILE_TOO_LARGE }, /* without waiting for it */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases) * 2; i++) {
        size_t c = i / 2;
        struct fetch_request request = { .reply_max = cases[c].max };
        struct reply *reply = i % 2 ? sink(*state, request, cases[c].url) : get(*state, request, cases[c].url);
        assert_int_equal(reply->err, cases[c].err);
        assert_true((int64_t)reply->sunk.len <= cases[c].max);
        assert_int_equal(reply->detail[0] != '\0', cases[c].err != OK);
        free_reply(reply);
    }
}

/* What is announced is refused with the header, before anything of the body has come. */
static void a_length_over_the_bound_is_refused_with_the_header(void **state) {
    static const struct {
        const char *method, *path;
        enum err err;
    } cases[] = {
        { "GET", "/promise/200/1001", ERR_FILE_TOO_LARGE },
        { "GET", "/promise/200/999999999999", ERR_FILE_TOO_LARGE },
        { "GET", "/promise/206/999999999999", ERR_FILE_TOO_LARGE },
        { "GET", "/promise/200/9223372036854775808", ERR_FILE_TOO_LARGE },
        { "GET", "/promise/200/999999999999999999999999999", ERR_FILE_TOO_LARGE },
        { "GET", "/promise/200/1000", ERR_TIMEOUT }, /* waited for */
        { "GET", "/promise/404/999999999999", ERR_TIMEOUT },
        { "HEAD", "/promise/200/999999999999", OK }, /* its body never comes */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct fetch_request request = { .method = cases[i].method, .reply_max = 1000,
            .total_timeout_ms = cases[i].err == ERR_TIMEOUT ? 100 : 0 };
        char url[96];
        snprintf(url, sizeof url, "http://127.0.0.1:{S}%s", cases[i].path);
        struct reply *reply = sink(*state, request, url);
        if (reply->err != cases[i].err) {
            fail_msg("%s: %s %s", url, err_info(reply->err)->name, reply->detail);
        }
        assert_int_equal(reply->sunk_calls, 0);
        free_reply(reply);
    }
}

static void broken_replies_are_failures(void **state) {
    static const char *const paths[] = { "/truncated", "/truncated-chunk", "/reset", "/garbage", "/big-headers" };
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        char url[96];
        snprintf(url, sizeof url, "http://127.0.0.1:{S}%s?token=fake-secret", paths[i]);
        struct reply *reply = sink(*state, plain, url);
        if (reply->err != ERR_FETCH || !reply->sent || strstr(reply->detail, "127.0.0.1") == NULL) {
            fail_msg("%s: %s %s", url, err_info(reply->err)->name, reply->detail);
        }
        assert_null(strstr(reply->detail, "secret"));
        assert_null(strstr(reply->url, "secret"));
        free_reply(reply);
    }
}

static void what_was_never_sent_is_known(void **state) {
    struct fetch_request request = { .trust = FETCH_TRUSTED, .body = TEXT("{}") };
    struct reply *reply = get(*state, request, "http://127.0.0.1:1/");
    assert_int_equal(reply->err, ERR_FETCH);
    assert_false(reply->sent);
    assert_int_equal(reply->http_status, 0);
    free_reply(reply);
}

static bool was_sent(const struct reply *reply) {
    return reply->sent;
}

static bool has_bytes(const struct reply *reply) {
    return reply->sunk.len > 0;
}

static bool has_status(const struct reply *reply) {
    return reply->http_status != 0;
}

/* A request that is given up after it has come so far: where a busy machine kept it from that, again with ten times the
 * time. */
static struct reply *give_up(struct fixture *fixture, struct fetch_request request, const char *url,
    struct reply *(*ask)(struct fixture *, struct fetch_request, const char *), bool (*came_so_far)(const struct reply *)) {
    struct reply *reply = ask(fixture, request, url);
    while (!came_so_far(reply) && request.total_timeout_ms < 100000) {
        request.total_timeout_ms *= 10;
        free_reply(reply);
        reply = ask(fixture, request, url);
    }
    return reply;
}

static void slow_servers_are_given_up(void **state) {
    struct fetch_request impatient = { .total_timeout_ms = 100 };
    struct reply *reply = give_up(*state, impatient, "http://127.0.0.1:{S}/silent", get, was_sent);
    assert_int_equal(reply->err, ERR_TIMEOUT);
    assert_true(reply->sent);
    free_reply(reply);
    reply = give_up(*state, impatient, "http://127.0.0.1:{S}/drip", sink, has_bytes);
    assert_int_equal(reply->err, ERR_TIMEOUT);
    assert_int_equal(reply->sunk.len, 1);
    free_reply(reply);
    struct fetch_request stalling = { .stall_timeout_s = 1 };
    reply = sink(*state, stalling, "http://127.0.0.1:{S}/drip");
    assert_int_equal(reply->err, ERR_TIMEOUT);
    free_reply(reply);
    reply = get(*state, (struct fetch_request){ .total_timeout_ms = 100, .redirects_max = 1 },
        "http://127.0.0.1:{S}/redirect/302?/silent");
    assert_int_equal(reply->err, ERR_TIMEOUT);
    free_reply(reply);
}

static void what_a_second_try_cannot_change_is_final(void **state) {
    static const struct {
        const char *url;
        int64_t total_ms;
        bool final;
    } cases[] = {
        { "http://127.0.0.1:{S}/ok", 0, false },
        { "http://127.0.0.1:{S}/loop", 0, true },
        { "http://127.0.0.1:{S}/big-headers", 0, true },
        { "http://127.0.0.1:{S}/bytes/1001", 0, true },
        { "http://127.0.0.1:{S}/promise/200/1001", 0, true },
        { "http://127.0.0.1:{S}/promise/404/10", 100, true }, /* the status is known, whatever became of its body */
        { "http://localhost:{S}/ok", 0, true },
        { "http://127.0.0.1:{S}/redirect/302?http://localhost:{O}/ok", 0, true },
        { "http://127.0.0.1:{S}/redirect/302?ftp://127.0.0.1/ok", 0, true },
        { "http://127.0.0.1:{S}/status/302", 0, true },
        { "http://127.0.0.1:{S}/status/304", 0, true },
        { "http://127.0.0.1:{S}/status/400", 0, true },
        { "http://127.0.0.1:{S}/status/403", 0, true },
        { "http://127.0.0.1:{S}/status/404", 0, true },
        { "http://127.0.0.1:{S}/status/410", 0, true },
        { "http://127.0.0.1:{S}/status/408", 0, false },
        { "http://127.0.0.1:{S}/status/425", 0, false },
        { "http://127.0.0.1:{S}/status/429", 0, false },
        { "http://127.0.0.1:{S}/status/500", 0, false },
        { "http://127.0.0.1:{S}/status/503", 0, false },
        { "http://127.0.0.1:{S}/truncated", 0, false },
        { "http://127.0.0.1:{S}/reset", 0, false },
        { "http://127.0.0.1:{S}/silent", 100, false },
        { "http://127.0.0.1:{S}/drip", 100, false },
        { "http://127.0.0.1:{S}/redirect/302?/silent", 100, false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct fetch_request request = { .redirects_max = 5, .reply_max = 1000, .total_timeout_ms = cases[i].total_ms };
        struct reply *reply = cases[i].total_ms > 0 && cases[i].final
            ? give_up(*state, request, cases[i].url, sink, has_status)
            : sink(*state, request, cases[i].url);
        if (reply->final != cases[i].final) {
            fail_msg("%s: %s %d %s", cases[i].url, err_info(reply->err)->name, reply->http_status, reply->detail);
        }
        free_reply(reply);
    }
}

static bool trickled(const struct reply *reply, bool given_up) {
    return reply->sunk.len > 0 && (strstr(reply->detail, "too slowly") != NULL) == given_up;
}

/* Bytes alone do not keep a transfer alive: there is a speed to be kept. */
static void too_slow_is_as_good_as_silent(void **state) {
    static const struct {
        enum fetch_trust trust;
        int64_t speed_min;
        bool given_up; /* before the whole time is over */
    } cases[] = {
        { FETCH_OUTSIDE, 0, true },
        { FETCH_TRUSTED, 100, true },
        { FETCH_TRUSTED, 0, false }, /* ten bytes a second will do for a service that the operator chose */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct fetch_request request = { .trust = cases[i].trust, .speed_min = cases[i].speed_min,
            .stall_timeout_s = cases[i].given_up ? 1 : 3, .total_timeout_ms = cases[i].given_up ? 60000 : 5000 };
        struct reply *reply = sink(*state, request, "http://127.0.0.1:{S}/trickle");
        /* a busy machine may keep the server from its bytes for longer: then with more time */
        for (unsigned tries = 1; !trickled(reply, cases[i].given_up) && tries < 3; tries++) {
            request.stall_timeout_s *= 5;
            request.total_timeout_ms *= 5;
            free_reply(reply);
            reply = sink(*state, request, "http://127.0.0.1:{S}/trickle");
        }
        assert_int_equal(reply->err, ERR_TIMEOUT);
        assert_true(reply->sunk.len > 0);
        if ((strstr(reply->detail, "too slowly") != NULL) != cases[i].given_up) {
            fail_msg("%zu: %s", i, reply->detail);
        }
        free_reply(reply);
    }
}

static void interim_replies_are_not_the_reply(void **state) {
    struct reply *reply = get(*state, plain, "http://127.0.0.1:{S}/hints");
    assert_int_equal(reply->err, OK);
    assert_int_equal(reply->http_status, 200);
    assert_string_equal(reply->late, "yes");
    assert_string_equal(reply->early, "");
    free_reply(reply);
}

static void an_interim_reply_alone_is_no_reply(void **state) {
    const struct fetch_request requests[] = { { .method = NULL }, { .body = TEXT("a body") } };
    static const char *const urls[] = { "http://127.0.0.1:{S}/only-hints", "http://127.0.0.1:{S}/switches/10",
        "http://127.0.0.1:{S}/switches/100000", "http://127.0.0.1:{S}/beyond" };
    for (size_t i = 0; i < ARRAY_SIZE(requests) * ARRAY_SIZE(urls); i++) {
        struct reply *reply = get(*state, requests[i % 2], urls[i / 2]);
        assert_int_equal(reply->err, ERR_FETCH);
        assert_int_equal(reply->http_status, 0);
        assert_true(reply->sent);
        assert_false(reply->final);
        free_reply(reply);
    }
}

static void redirects_are_followed_as_far_as_asked(void **state) {
    static const struct {
        unsigned max;
        const char *url;
        enum err err;
        int status;
        unsigned redirects;
    } cases[] = {
        { 5, "http://127.0.0.1:{S}/redirect/301?/ok", OK, 200, 1 },
        { 5, "http://127.0.0.1:{S}/redirect/302?../ok", OK, 200, 1 },
        { 5, "http://127.0.0.1:{S}/redirect/303?//127.0.0.1:{O}/ok", OK, 200, 1 },
        { 5, "http://127.0.0.1:{S}/redirect/307?http://127.0.0.1:{O}/ok", OK, 200, 1 },
        { 5, "http://127.0.0.1:{S}/redirect-body/308?/redirect-body/302?/ok", OK, 200, 2 },
        { 5, "http://127.0.0.1:{S}/redirect/302?/status/404", OK, 404, 1 },
        { 0, "http://127.0.0.1:{S}/redirect/302?/ok", OK, 302, 0 },
        { 1, "http://127.0.0.1:{S}/redirect/302?/redirect/302?/ok", ERR_FETCH, 302, 1 },
        { 5, "http://127.0.0.1:{S}/loop", ERR_FETCH, 302, 5 },
        { 99, "http://127.0.0.1:{S}/loop", ERR_FETCH, 302, 5 },
        { 5, "http://127.0.0.1:{S}/redirect/300?/ok", OK, 300, 0 },
        { 5, "http://127.0.0.1:{S}/redirect/200?/ok", OK, 200, 0 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct reply *reply = sink(*state, (struct fetch_request){ .redirects_max = cases[i].max }, cases[i].url);
        if (reply->err != cases[i].err || reply->http_status != cases[i].status ||
            reply->redirects != cases[i].redirects) {
            fail_msg("%s: %s %d %u %s", cases[i].url, err_info(reply->err)->name, reply->http_status, reply->redirects,
                reply->detail);
        }
        if (cases[i].status == 200 && cases[i].redirects > 0) {
            assert_string_equal(reply->sunk.data, "hello"); /* and not a redirect's body before it */
        }
        free_reply(reply);
    }
}

static void redirects_change_methods_and_drop_secrets(void **state) {
    static const struct fetch_header headers[] = { { "Authorization", "Key fake" }, { "X-Api-Key", "fake" },
        { "Accept", "image/png" } };
    static const struct {
        const char *method, *body, *url;
        enum err err;
        const char *line, *end;
        bool secrets;
    } cases[] = {
        { NULL, NULL, "/redirect/302?/echo", OK, "GET /echo", "\r\n\r\n", true },
        { NULL, NULL, "/redirect/302?http://127.0.0.1:{O}/echo", OK, "GET /echo", "\r\n\r\n", false },
        { NULL, NULL, "/redirect/302?http://127.0.0.1:{O}/redirect/302?http://127.0.0.1:{S}/echo", OK, "GET /echo",
          "\r\n\r\n", false },
        { "POST", "x", "/redirect/301?/echo", OK, "GET /echo", "\r\n\r\n", true },
        { "POST", "x", "/redirect/302?/echo", OK, "GET /echo", "\r\n\r\n", true },
        { "POST", "x", "/redirect/303?http://127.0.0.1:{O}/echo", OK, "GET /echo", "\r\n\r\n", false },
        { "PUT", "x", "/redirect/303?/echo", OK, "GET /echo", "\r\n\r\n", true },
        { "PUT", "x", "/redirect/302?/echo", OK, "PUT /echo", "\r\n\r\nx", true },
        { "POST", "x", "/redirect/307?/echo", OK, "POST /echo", "\r\n\r\nx", true },
        { "POST", "x", "/redirect/308?/echo", OK, "POST /echo", "\r\n\r\nx", true },
        { "POST", "x", "/redirect/307?http://127.0.0.1:{O}/echo", ERR_FETCH, "", "", false },
        { "DELETE", NULL, "/redirect/307?http://127.0.0.1:{O}/echo", OK, "DELETE /echo", "\r\n\r\n", false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct fetch_request request = { .method = cases[i].method, .body = text_of(cases[i].body),
            .headers = headers, .header_count = 3, .redirects_max = 5 };
        char url[256];
        request.body.ptr = cases[i].body;
        snprintf(url, sizeof url, "http://127.0.0.1:{S}%s", cases[i].url);
        struct reply *reply = get(*state, request, url);
        if (reply->err != cases[i].err) {
            fail_msg("%s: %s %s", url, err_info(reply->err)->name, reply->detail);
        }
        if (reply->err == OK) {
            assert_true(text_starts(text_of(reply->body), text_of(cases[i].line)));
            assert_true(text_ends(text_of(reply->body), text_of(cases[i].end)));
            assert_int_equal(strstr(reply->body, "Authorization") != NULL, cases[i].secrets);
            assert_int_equal(strstr(reply->body, "X-Api-Key") != NULL, cases[i].secrets);
            assert_non_null(strstr(reply->body, "Accept: image/png"));
        }
        free_reply(reply);
    }
}

/* curl sends a request again when a kept connection turns out to be dead; a paid job must not be created twice (T3). */
static void a_post_is_sent_once(void **state) {
    struct fixture *fixture = *state;
    struct fetch_request post = { .body = TEXT("{}") };
    struct reply *reply = get(fixture, plain, "http://127.0.0.1:{S}/ok");
    free_reply(reply);
    reply = get(fixture, post, "http://127.0.0.1:{S}/mortal");
    assert_int_equal(reply->err, OK);
    assert_int_equal(server_requests(fixture->server), 2);
    assert_int_equal(server_connections(fixture->server), 2);
    free_reply(reply);

    post.repeatable = true; /* rides on a kept connection, which dies: sent again on a fresh one */
    reply = get(fixture, post, "http://127.0.0.1:{S}/mortal");
    assert_int_equal(reply->err, OK);
    assert_true(server_requests(fixture->server) >= 4);
    free_reply(reply);
}

/* With keeps_connection a POST rides on a kept connection, and is not sent again when that dies under it. */
static void a_post_on_a_kept_connection_is_sent_once(void **state) {
    struct fixture *fixture = *state;
    char bodies[256];
    for (int i = 0; i < 3; i++) {
        struct reply *reply = get(fixture, (struct fetch_request){ .body = TEXT("{\"a\":1}"), .keeps_connection = true },
            "http://127.0.0.1:{S}/echo");
        assert_int_equal(reply->err, OK);
        assert_non_null(strstr(reply->body, "\r\nContent-Length: 7\r\n"));
        assert_null(strstr(reply->body, "Transfer-Encoding"));
        assert_true(text_ends(text_of(reply->body), TEXT("\r\n\r\n{\"a\":1}")));
        free_reply(reply);
    }
    assert_int_equal(server_connections(fixture->server), 1);
    for (int i = 0; i < 3; i++) {
        static const char *const words[] = { "one", "two", "three" };
        struct reply *reply = get(fixture, (struct fetch_request){ .body = text_of(words[i]), .keeps_connection = true },
            "http://127.0.0.1:{S}/dies/");
        assert_int_equal(reply->err, i % 2 == 0 ? ERR_FETCH : OK); /* the connection is kept, fresh, kept */
        assert_true(reply->sent);
        assert_false(reply->final);
        free_reply(reply);
    }
    server_bodies(fixture->server, bodies, sizeof bodies);
    assert_string_equal(bodies, "one;two;three;");
    struct reply *reply = get(fixture, (struct fetch_request){ .body = TEXT(""), .keeps_connection = true },
        "http://127.0.0.1:{S}/dies/");
    assert_int_equal(reply->err, OK);
    free_reply(reply);
    reply = get(fixture, (struct fetch_request){ .body = TEXT(""), .keeps_connection = true },
        "http://127.0.0.1:{S}/dies/");
    assert_int_equal(reply->err, ERR_FETCH);
    free_reply(reply);
    server_bodies(fixture->server, bodies, sizeof bodies);
    assert_string_equal(bodies, "one;two;three;;;");
}

/* Words that nobody asked for are no sign of life: a paid request would be lost there. */
static void a_connection_that_its_server_has_ended_is_not_used(void **state) {
    struct fixture *fixture = *state;
    const struct fetch_request post = { .body = TEXT("{}"), .keeps_connection = true };
    struct pollfd loop = { .fd = uv_backend_fd(&fixture->loop), .events = POLLIN };
    free_reply(get(fixture, post, "http://127.0.0.1:{S}/farewell"));
    server_step(fixture->server);
    server_await_gone(fixture->server, 1);
    assert_int_equal(poll(&loop, 1, -1), 1);
    free_reply(get(fixture, plain, "http://127.0.0.1:{O}/ok")); /* the loop turns */
    server_step(fixture->server);
    server_await_gone(fixture->server, 2);
    struct reply *reply = get(fixture, post, "http://127.0.0.1:{S}/ok");
    assert_int_equal(reply->err, OK);
    assert_int_equal(reply->http_status, 200);
    assert_int_equal(server_connections(fixture->server), 2);
    free_reply(reply);
}

/* A connection that has rested too long for a request is left alone by it: its server may be about to close it. */
static void a_rested_connection_is_not_used(void **state) {
    struct fixture *fixture = *state;
    struct fetch_request post = { .body = TEXT("{}"), .keeps_connection = true, .rest_max_s = 60 };
    const struct timespec rest = { .tv_sec = 1, .tv_nsec = 10000000 };
    for (unsigned connections = 1; connections <= 2; connections++) {
        for (int i = 0; i < 2; i++) {
            struct reply *reply = get(fixture, post, "http://127.0.0.1:{S}/echo");
            assert_int_equal(reply->err, OK);
            free_reply(reply);
            post.rest_max_s = 60;
        }
        assert_int_equal(server_connections(fixture->server), connections);
        nanosleep(&rest, NULL);
        post.rest_max_s = 1;
    }
}

/* Each piece is in the sink before the next one is made; a cancelled stream closes its connection at once. */
static void pieces_come_as_they_are_sent(void **state) {
    struct fixture *fixture = *state;
    struct reply *reply = reply_new();
    assert_int_equal(start(fixture, plain, "http://127.0.0.1:{S}/step", reply, true), OK);
    for (unsigned i = 1; i <= 50; i++) {
        server_step(fixture->server);
        while (reply->sunk.len < 5 * (size_t)i) {
            uv_run(&fixture->loop, UV_RUN_ONCE);
        }
        assert_int_equal(reply->sunk.len, 5 * i);
    }
    fetch_cancel(reply->fetch);
    server_await_gone(fixture->server, 1); /* without another turn of the loop */
    assert_int_equal(fetch_client_running(fixture->client), 0);
    assert_false(reply->done);
    free_reply(reply);

    reply = reply_new();
    reply->cancels_itself = true;
    assert_int_equal(start(fixture, plain, "http://127.0.0.1:{S}/step", reply, true), OK);
    server_step(fixture->server);
    while (reply->sunk_calls == 0) {
        uv_run(&fixture->loop, UV_RUN_ONCE);
    }
    server_await_gone(fixture->server, 2);
    free_reply(reply);
}

static void connections_are_kept(void **state) {
    struct fixture *fixture = *state;
    for (int i = 0; i < 20; i++) {
        struct reply *reply = get(fixture, plain, "http://127.0.0.1:{S}/ok");
        assert_int_equal(reply->err, OK);
        free_reply(reply);
    }
    assert_int_equal(server_connections(fixture->server), 1);
}

/* What is given back is handles, not connections; a client that has fetched nothing yet has neither. */
static void a_client_that_rests_keeps_its_connections(void **state) {
    struct fixture *fixture = *state;
    for (int i = 0; i < 3; i++) {
        fetch_client_rest(fixture->client);
        struct reply *reply = get(fixture, plain, "http://127.0.0.1:{S}/ok");
        assert_int_equal(reply->err, OK);
        free_reply(reply);
    }
    assert_int_equal(server_connections(fixture->server), 1);
}

static void a_sinks_error_ends_the_request(void **state) {
    struct fixture *fixture = *state;
    struct reply *reply = reply_new();
    reply->sink_err = ERR_NO_SPACE;
    assert_int_equal(start(fixture, plain, "http://127.0.0.1:{S}/bytes/1000000", reply, true), OK);
    run_until_done(fixture, reply);
    assert_int_equal(reply->err, ERR_NO_SPACE);
    assert_int_equal(reply->sunk_calls, 1);
    free_reply(reply);
}

/* Runs a request that succeeds, so that whatever else was going to happen has had its turn. */
static void run_another(struct fixture *fixture) {
    struct reply *reply = get(fixture, plain, "http://127.0.0.1:{O}/ok");
    assert_int_equal(reply->err, OK);
    free_reply(reply);
}

static void a_cancelled_request_is_silent(void **state) {
    struct fixture *fixture = *state;
    struct reply *reply = reply_new();
    fetch_cancel(NULL);
    assert_int_equal(start(fixture, plain, "http://127.0.0.1:{S}/silent", reply, true), OK);
    fetch_cancel(reply->fetch); /* pending */
    run_another(fixture);
    assert_int_equal(server_connections(fixture->server), 0);

    assert_int_equal(start(fixture, plain, "http://127.0.0.1:{S}/drip", reply, true), OK);
    while (reply->sunk_calls == 0) {
        uv_run(&fixture->loop, UV_RUN_ONCE);
    }
    fetch_cancel(reply->fetch); /* in the middle of its body */
    run_another(fixture);

    reply->cancels_itself = true;
    reply->sunk_calls = 0;
    assert_int_equal(start(fixture, plain, "http://127.0.0.1:{S}/bytes/1000000", reply, true), OK);
    while (reply->sunk_calls == 0) {
        uv_run(&fixture->loop, UV_RUN_ONCE);
    }
    run_another(fixture);
    assert_int_equal(reply->sunk_calls, 1);
    assert_false(reply->done);
    assert_int_equal(fetch_client_running(fixture->client), 0);
    free_reply(reply);
}

static void one_request_cancels_another(void **state) {
    struct fixture *fixture = *state;
    for (int at_the_end = 0; at_the_end < 2; at_the_end++) {
        struct reply *victim = reply_new(), *reply = reply_new();
        assert_int_equal(start(fixture, plain, "http://127.0.0.1:{S}/silent", victim, true), OK);
        reply->victim = victim;
        assert_int_equal(start(fixture, plain, "http://127.0.0.1:{O}/bytes/10", reply, !at_the_end), OK);
        run_until_done(fixture, reply);
        run_another(fixture);
        assert_int_equal(reply->err, OK);
        assert_false(victim->done);
        assert_int_equal(fetch_client_running(fixture->client), 0);
        assert_int_equal(fetch_client_pending(fixture->client), 0);
        free_reply(victim);
        free_reply(reply);
    }
}

static void what_is_too_much_waits_and_then_is_refused(void **state) {
    (void)state;
    struct fixture *fixture = fixture_new(2, 3);
    struct reply *replies[6];
    for (int i = 0; i < 6; i++) {
        replies[i] = reply_new();
        const char *url = i < 2 ? "http://127.0.0.1:{S}/silent" : "http://127.0.0.1:{O}/ok";
        enum err err = start(fixture, plain, url, replies[i], false);
        assert_int_equal(err, i < 5 ? OK : ERR_OVERLOADED);
    }
    while (fetch_client_running(fixture->client) < 2) {
        uv_run(&fixture->loop, UV_RUN_ONCE);
    }
    assert_int_equal(fetch_client_pending(fixture->client), 3);
    fetch_cancel(replies[0]->fetch);
    for (int i = 2; i < 5; i++) {
        run_until_done(fixture, replies[i]);
        assert_int_equal(replies[i]->err, OK);
        assert_int_equal(replies[i]->place, i - 1); /* in the order of their coming */
    }
    assert_int_equal(fetch_client_running(fixture->client), 1);
    fixture_free(fixture); /* with one still running */
    for (int i = 0; i < 6; i++) {
        assert_int_equal(replies[i]->done, i >= 2 && i < 5);
        free_reply(replies[i]);
    }
}

static void many_at_once_all_end(void **state) {
    (void)state;
    enum { COUNT = 60 };
    static const struct {
        const char *url;
        enum err err;
    } kinds[] = {
        { "http://127.0.0.1:{S}/ok", OK },
        { "http://127.0.0.1:{O}/bytes/70000", OK },
        { "http://127.0.0.1:{S}/redirect/302?http://127.0.0.1:{O}/ok", OK },
        { "http://127.0.0.1:{S}/truncated", ERR_FETCH },
        { "http://127.0.0.1:{O}/reset", ERR_FETCH },
        { "http://localhost:{O}/ok", ERR_BLOCKED_ADDRESS },
    };
    struct fixture *fixture = fixture_new(8, COUNT);
    struct reply *replies[COUNT];
    for (int i = 0; i < COUNT; i++) {
        replies[i] = reply_new();
        assert_int_equal(start(fixture, plain, kinds[i % ARRAY_SIZE(kinds)].url, replies[i], i % 2), OK);
    }
    for (int i = 0; i < COUNT; i++) {
        run_until_done(fixture, replies[i]);
        assert_int_equal(replies[i]->err, kinds[i % ARRAY_SIZE(kinds)].err);
        free_reply(replies[i]);
    }
    assert_int_equal(fixture->done, COUNT);
    assert_int_equal(fetch_client_running(fixture->client), 0);
    fixture_free(fixture);
}

/* Those that do not end hold up the others for moments only. */
static void a_paced_client_starts_a_few_and_then_all(void **state) {
    (void)state;
    enum { COUNT = 200 };
    struct fixture *fixture = fixture_new_paced();
    struct reply *replies[COUNT];
    for (int i = 0; i < COUNT; i++) {
        replies[i] = reply_new();
        assert_int_equal(start(fixture, plain, "http://127.0.0.1:{S}/silent", replies[i], false), OK);
    }
    while (fetch_client_running(fixture->client) == 0) {
        uv_run(&fixture->loop, UV_RUN_ONCE);
    }
    assert_true(fetch_client_running(fixture->client) < COUNT);
    while (server_requests(fixture->server) < COUNT) {
        uv_run(&fixture->loop, UV_RUN_ONCE);
    }
    assert_int_equal(fetch_client_running(fixture->client), COUNT);
    for (int i = 0; i < COUNT; i++) {
        fetch_cancel(replies[i]->fetch);
    }
    struct reply *reply = reply_new();
    assert_int_equal(start(fixture, plain, "http://127.0.0.1:{O}/ok", reply, false), OK);
    run_until_done(fixture, reply);
    assert_int_equal(reply->err, OK);
    free_reply(reply);
    fixture_free(fixture);
    for (int i = 0; i < COUNT; i++) {
        free_reply(replies[i]);
    }
}

/* The end of one that waits for its next request is heard once, and not at each turn of the loop. */
static void a_kept_connection_that_is_closed_keeps_nobody_busy(void **state) {
    struct fixture *fixture = *state;
    free_reply(get(fixture, plain, "http://127.0.0.1:{O}/ok"));
    server_stop(fixture->other);
    free_reply(get(fixture, plain, "http://127.0.0.1:{S}/ok")); /* the loop turns */
    struct pollfd loop = { .fd = uv_backend_fd(&fixture->loop), .events = POLLIN };
    assert_int_equal(poll(&loop, 1, 0), 0);
    fixture->other = server_start();
    struct reply *reply = get(fixture, plain, "http://127.0.0.1:{S}/ok");
    assert_int_equal(reply->err, OK);
    assert_int_equal(server_connections(fixture->server), 1);
    free_reply(reply);
}

/* What was to be done before the loop sleeps is done, and it may. */
static void a_request_under_way_keeps_nobody_busy(void **state) {
    struct fixture *fixture = *state;
    struct reply *reply = reply_new();
    assert_int_equal(start(fixture, plain, "http://127.0.0.1:{S}/silent", reply, false), OK);
    assert_int_equal(uv_backend_timeout(&fixture->loop), 0);
    while (server_requests(fixture->server) == 0) {
        uv_run(&fixture->loop, UV_RUN_ONCE);
    }
    bool may_sleep = false;
    for (int i = 0; i < 100 && !may_sleep; i++) { /* a timer of curl's own may be due */
        uv_run(&fixture->loop, UV_RUN_NOWAIT);
        may_sleep = uv_backend_timeout(&fixture->loop) != 0;
    }
    assert_true(may_sleep);
    fetch_cancel(reply->fetch);
    free_reply(reply);
}

/* Our end of a connection to that port; below 0: there is none. */
static int socket_to(unsigned port) {
    for (int fd = 0; fd < 1024; fd++) {
        struct sockaddr_in peer = { 0 };
        socklen_t size = sizeof peer;
        if (getpeername(fd, (struct sockaddr *)&peer, &size) == 0 && ntohs(peer.sin_port) == port) {
            return fd;
        }
    }
    return -1;
}

/* What is between us and a service that thinks does not forget the connection, and one that is not there any more is noticed. */
static void a_silent_connection_is_probed(void **state) {
    struct fixture *fixture = *state;
    struct reply *reply = reply_new();
    int probes = 0, after_s = 0;
    socklen_t size = sizeof probes;
    assert_int_equal(start(fixture, plain, "http://127.0.0.1:{S}/silent", reply, false), OK);
    while (server_requests(fixture->server) == 0) {
        uv_run(&fixture->loop, UV_RUN_ONCE);
    }
    int fd = socket_to(server_port(fixture->server));
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &probes, &size), 0);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &after_s, &size), 0);
    assert_true(probes);
    assert_int_equal(after_s, 60);
    fetch_cancel(reply->fetch);
    free_reply(reply);
}

struct beginning {
    uv_idle_t idle;
    struct fixture *fixture;
    struct reply *reply;
};

static void begin_one(uv_idle_t *idle) {
    struct beginning *beginning = idle->data;
    uv_idle_stop(idle);
    assert_int_equal(start(beginning->fixture, plain, "http://127.0.0.1:{S}/ok", beginning->reply, false), OK);
}

/* As calls are begun: without a look at the descriptors between. */
static void what_an_idle_handle_begins_runs_in_the_same_round(void **state) {
    struct fixture *fixture = *state;
    struct beginning beginning = { .fixture = fixture, .reply = reply_new() };
    uv_idle_init(&fixture->loop, &beginning.idle);
    beginning.idle.data = &beginning;
    uv_idle_start(&beginning.idle, begin_one);
    uv_run(&fixture->loop, UV_RUN_NOWAIT);
    assert_int_equal(fetch_client_running(fixture->client), 1);
    run_until_done(fixture, beginning.reply);
    assert_int_equal(beginning.reply->http_status, 200);
    free_reply(beginning.reply);
    uv_close((uv_handle_t *)&beginning.idle, NULL);
    uv_run(&fixture->loop, UV_RUN_NOWAIT);
}

static void freeing_with_work_in_every_state(void **state) {
    (void)state;
    struct fixture *fixture = fixture_new(2, 10);
    struct reply *reply = reply_new();
    for (int i = 0; i < 5; i++) {
        assert_int_equal(start(fixture, plain, "http://127.0.0.1:{S}/drip", reply, true), OK);
    }
    while (reply->sunk_calls == 0) {
        uv_run(&fixture->loop, UV_RUN_ONCE);
    }
    fixture_free(fixture);
    assert_false(reply->done);
    free_reply(reply);
    fetch_client_free(NULL);
}

int run_fetch_tests(void) {
#define WITH_SERVERS(test) cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        WITH_SERVERS(a_reply_comes_whole),
        WITH_SERVERS(a_sink_gets_the_pieces),
        WITH_SERVERS(the_request_goes_out_as_asked),
        WITH_SERVERS(each_line_is_there_once),
        WITH_SERVERS(each_line_is_there_once_abroad),
        WITH_SERVERS(a_request_leaves_nothing_for_the_next),
        WITH_SERVERS(a_reply_goes_on_with_no_earlier_one),
        WITH_SERVERS(methods_and_bodies),
        WITH_SERVERS(nothing_breaks_out_of_its_line),
        WITH_SERVERS(an_error_status_is_a_reply_whose_body_stays_out_of_the_sink),
        WITH_SERVERS(the_bound_on_the_reply_is_exact),
        WITH_SERVERS(a_length_over_the_bound_is_refused_with_the_header),
        WITH_SERVERS(broken_replies_are_failures),
        WITH_SERVERS(what_was_never_sent_is_known),
        WITH_SERVERS(slow_servers_are_given_up),
        WITH_SERVERS(what_a_second_try_cannot_change_is_final),
        WITH_SERVERS(too_slow_is_as_good_as_silent),
        WITH_SERVERS(interim_replies_are_not_the_reply),
        WITH_SERVERS(an_interim_reply_alone_is_no_reply),
        WITH_SERVERS(redirects_are_followed_as_far_as_asked),
        WITH_SERVERS(redirects_change_methods_and_drop_secrets),
        WITH_SERVERS(a_post_is_sent_once),
        WITH_SERVERS(a_post_on_a_kept_connection_is_sent_once),
        WITH_SERVERS(a_connection_that_its_server_has_ended_is_not_used),
        WITH_SERVERS(a_rested_connection_is_not_used),
        WITH_SERVERS(pieces_come_as_they_are_sent),
        WITH_SERVERS(connections_are_kept),
        WITH_SERVERS(a_client_that_rests_keeps_its_connections),
        WITH_SERVERS(a_kept_connection_that_is_closed_keeps_nobody_busy),
        WITH_SERVERS(a_request_under_way_keeps_nobody_busy),
        WITH_SERVERS(a_silent_connection_is_probed),
        WITH_SERVERS(what_an_idle_handle_begins_runs_in_the_same_round),
        WITH_SERVERS(a_sinks_error_ends_the_request),
        WITH_SERVERS(a_cancelled_request_is_silent),
        WITH_SERVERS(one_request_cancels_another),
        cmocka_unit_test(what_is_too_much_waits_and_then_is_refused),
        cmocka_unit_test(many_at_once_all_end),
        cmocka_unit_test(a_paced_client_starts_a_few_and_then_all),
        cmocka_unit_test(freeing_with_work_in_every_state),
    };
    return cmocka_run_group_tests_name("fetch", tests, NULL, NULL);
}
