/* Streams that have once waited, so that a streamer writes them: clients that are slow or go, wakes by the thousand. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "client.h"
#include "http/server.h"
#include "tests.h"

/* ---- the application: each stream counts aloud, as far as it may ---- */

enum { FEEDS = 64, LINE = 9 };
#define MANY 2000000u /* lines, that no socket can hold */

struct feed {
    pthread_mutex_t lock; /* of the exchange */
    struct exchange *exchange;
    atomic_uint sent, limit; /* lines */
    atomic_bool end;         /* at the limit */
    atomic_bool inside;
    atomic_bool streamed;    /* pulled by a streamer, as it is ever after */
    unsigned ended, whole;
};

static struct feed feeds[FEEDS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of ended and whole */
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
/* pulls that met another, came after the end, or on a thread that had given the stream away */
static atomic_uint wrong;

static struct feed *feed_of(struct exchange *exchange) {
    return exchange_attachment(exchange);
}

static bool is_streamer(void) {
    char name[32] = "";
    pthread_getname_np(pthread_self(), name, sizeof name);
    return strcmp(name, "http-streamer") == 0;
}

static enum stream_pull pull(struct exchange *exchange, struct buffer *buf, size_t room) {
    struct feed *feed = feed_of(exchange);
    unsigned sent = atomic_load(&feed->sent);

    if (atomic_exchange(&feed->inside, true) || feed->exchange != exchange)
        atomic_fetch_add(&wrong, 1);
    if (is_streamer())
        atomic_store(&feed->streamed, true);
    else if (atomic_load(&feed->streamed))
        atomic_fetch_add(&wrong, 1);
    bool end = atomic_load(&feed->end); /* before the limit, which is final then */
    unsigned limit = atomic_load(&feed->limit);
    for (size_t count = 0; sent < limit && count < room; count += LINE)
        buffer_printf(buf, "%08u\n", sent++);
    atomic_store(&feed->sent, sent);
    atomic_store(&feed->inside, false);
    return sent < limit ? STREAM_MORE : end ? STREAM_END : STREAM_WAIT;
}

static void ended(struct exchange *exchange, bool whole) {
    struct feed *feed = feed_of(exchange);

    pthread_mutex_lock(&feed->lock);
    feed->exchange = NULL;
    pthread_mutex_unlock(&feed->lock);
    pthread_mutex_lock(&lock);
    feed->ended++;
    feed->whole += whole;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void handle_feed(struct exchange *exchange) {
    static const struct stream_source source = { .pull = pull, .ended = ended };
    int64_t number = 0;

    assert_true(text_to_i64(exchange_segment(exchange, TEXT("number")), &number));
    struct feed *feed = &feeds[number];
    exchange_attach(exchange, feed, NULL);
    pthread_mutex_lock(&feed->lock);
    feed->exchange = exchange;
    pthread_mutex_unlock(&feed->lock);
    reply_stream(exchange, 200, "text/plain", &source);
}

static void handle_hello(struct exchange *exchange) {
    reply_constant(exchange, 200, "text/plain", TEXT("hello"));
}

static const struct http_route routes[] = {
    { METHOD_GET, "/feed/{number}", 0, false, handle_feed, "" },
    { METHOD_GET, "/hello", 0, false, handle_hello, "" },
};

static void refuse(struct exchange *exchange, const struct fault *fault) {
    reply_constant(exchange, err_info(fault->err)->http_status, "text/plain", TEXT("refused"));
}

/* ---- what the tests do to it ---- */

static struct http_server *start(struct http_options options) {
    struct http_server *server;
    struct fault fault = { .err = OK };

    options.host = "127.0.0.1";
    options.threads = 3;
    options.refuse = refuse;
    memset(feeds, 0, sizeof feeds);
    for (int i = 0; i < FEEDS; i++)
        pthread_mutex_init(&feeds[i].lock, NULL);
    atomic_store(&wrong, 0);
    if (http_server_new(&options, routes, ARRAY_SIZE(routes), &server, &fault) != OK)
        fail_msg("%s", fault.message);
    return server;
}

static void stop(struct http_server *server) {
    http_server_free(server);
    assert_int_equal(atomic_load(&wrong), 0);
    for (int i = 0; i < FEEDS; i++) {
        assert_null(feeds[i].exchange);
        pthread_mutex_destroy(&feeds[i].lock);
    }
}

static void wake(struct feed *feed) {
    pthread_mutex_lock(&feed->lock);
    if (feed->exchange != NULL)
        http_stream_wake(feed->exchange);
    pthread_mutex_unlock(&feed->lock);
}

static void allow(struct feed *feed, unsigned lines) {
    atomic_fetch_add(&feed->limit, lines);
    wake(feed);
}

static void finish(struct feed *feed) {
    atomic_store(&feed->end, true);
    wake(feed);
}

static void wait_until_ended(const struct feed *feed) {
    pthread_mutex_lock(&lock);
    while (feed->ended == 0)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

static void wait_until_sent(struct feed *feed, unsigned lines) {
    while (atomic_load(&feed->sent) < lines)
        usleep(1000);
}

/* ---- a client that reads exactly ---- */

struct reader {
    int fd;
    bool chunked;
    size_t at, count;
    size_t chunk; /* bytes left of it */
    unsigned next; /* line */
    char bytes[4096];
};

/* -1: the end. */
static int next_byte(struct reader *reader) {
    if (reader->at == reader->count) {
        ssize_t count = recv(reader->fd, reader->bytes, sizeof reader->bytes, 0);
        reader->at = 0;
        reader->count = count > 0 ? (size_t)count : 0;
    }
    return reader->at < reader->count ? (unsigned char)reader->bytes[reader->at++] : -1;
}

static void read_line(struct reader *reader, char line[256]) {
    size_t count = 0;
    for (int byte; (byte = next_byte(reader)) != '\n';) {
        assert_true(byte >= 0 && count < 255);
        line[count++] = (char)byte;
    }
    line[count] = '\0';
    assert_true(count > 0 && line[count - 1] == '\r');
}

static void read_head(struct reader *reader) {
    char line[256];
    read_line(reader, line);
    assert_string_equal(line, "HTTP/1.1 200 OK\r");
    while (strcmp(line, "\r") != 0)
        read_line(reader, line);
}

/* -1: the end, of the answer or the connection. */
static int next_of_body(struct reader *reader) {
    char line[256];

    if (!reader->chunked)
        return next_byte(reader);
    if (reader->chunk == 0) {
        read_line(reader, line);
        char *rest = NULL;
        reader->chunk = strtoul(line, &rest, 16);
        assert_string_equal(rest, "\r");
        if (reader->chunk == 0) {
            read_line(reader, line);
            assert_string_equal(line, "\r");
            return -1;
        }
    }
    int byte = next_byte(reader);
    if (--reader->chunk == 0) {
        read_line(reader, line);
        assert_string_equal(line, "\r");
    }
    return byte;
}

/* Each byte is the one expected. */
static void read_lines(struct reader *reader, unsigned until) {
    for (; reader->next < until; reader->next++) {
        char line[LINE + 1];
        snprintf(line, sizeof line, "%08u\n", reader->next % 100000000);
        for (int i = 0; i < LINE; i++)
            assert_int_equal(next_of_body(reader), line[i]);
    }
}

/* Says line after line until it is a streamer's. */
static void open_feed(struct http_server *server, struct reader *reader, unsigned number, const char *version) {
    char line[128];
    const int small = 65536;

    *reader = (struct reader){ .fd = dial(server), .chunked = strcmp(version, "1.1") == 0 };
    setsockopt(reader->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    atomic_store(&feeds[number].limit, 1);
    snprintf(line, sizeof line, "GET /feed/%u HTTP/%s\r\nHost: x\r\n\r\n", number, version);
    say(reader->fd, line);
    read_head(reader);
    read_lines(reader, 1);
    while (!atomic_load(&feeds[number].streamed)) {
        allow(&feeds[number], 1);
        read_lines(reader, reader->next + 1);
    }
}

static void say_hello(struct reader *reader) {
    say(reader->fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    read_head(reader);
    for (const char *c = "hello"; *c != '\0'; c++)
        assert_int_equal(next_byte(reader), *c);
}

/* ---- slow clients ---- */

static void *wake_on(void *context) {
    struct feed *feed = context;
    while (!atomic_load(&feed->end)) {
        wake(feed);
        usleep(10);
    }
    return NULL;
}

static void read_much_slowly(const char *version) {
    struct http_server *server = start((struct http_options){ .request_s = 3600, .idle_s = 3600 });
    struct reader reader;
    pthread_t waker;

    open_feed(server, &reader, 0, version);
    pthread_create(&waker, NULL, wake_on, &feeds[0]);
    allow(&feeds[0], MANY);
    wait_until_sent(&feeds[0], 1000);
    read_lines(&reader, MANY / 2);
    assert_true(atomic_load(&feeds[0].sent) < MANY); /* not a byte is pulled that the client has no room for */
    read_lines(&reader, atomic_load(&feeds[0].limit));
    finish(&feeds[0]);
    pthread_join(waker, NULL);
    assert_int_equal(next_of_body(&reader), -1);
    wait_until_ended(&feeds[0]);
    assert_int_equal(feeds[0].whole, 1);
    if (reader.chunked)
        say_hello(&reader);
    else
        assert_int_equal(next_byte(&reader), -1);
    close(reader.fd);
    stop(server);
}

static void a_slow_client_gets_every_byte(void **state) {
    (void)state;
    read_much_slowly("1.1");
}

static void so_does_one_without_chunks(void **state) {
    (void)state;
    read_much_slowly("1.0");
}

static void the_end_waits_for_what_is_kept(void **state) {
    (void)state;
    struct http_server *server = start((struct http_options){ .request_s = 3600, .idle_s = 3600 });
    struct reader reader;

    open_feed(server, &reader, 0, "1.1");
    atomic_fetch_add(&feeds[0].limit, MANY);
    finish(&feeds[0]);
    read_lines(&reader, atomic_load(&feeds[0].limit));
    assert_int_equal(next_of_body(&reader), -1);
    say_hello(&reader);
    close(reader.fd);
    stop(server);
    assert_int_equal(feeds[0].whole, 1);
}

static void *turn_clock(void *stopped) {
    while (!atomic_load((atomic_bool *)stopped)) {
        clock_advance(1000);
        usleep(1000); /* some real time for each step */
    }
    return NULL;
}

static void who_takes_no_more_is_cut(void **state) {
    (void)state;
    atomic_bool stopped = false;
    pthread_t hand;
    clock_freeze(1);
    struct http_server *server = start((struct http_options){ .request_s = 60, .idle_s = 3600 });
    struct reader reader;

    open_feed(server, &reader, 0, "1.1");
    allow(&feeds[0], MANY);
    pthread_create(&hand, NULL, turn_clock, &stopped);
    wait_until_ended(&feeds[0]);
    atomic_store(&stopped, true);
    pthread_join(hand, NULL);
    assert_int_equal(feeds[0].whole, 0);
    assert_int_equal(http_server_counts(server).connections_timed_out, 1);
    close(reader.fd);
    stop(server);
    clock_unfreeze();
}

/* ---- many ---- */

enum { FEEDERS = 4, WAKES_EACH = 20000 };

static void *feed_all(void *context) {
    unsigned seed = (unsigned)(uintptr_t)context;
    for (int i = 0; i < WAKES_EACH; i++) {
        allow(&feeds[(unsigned)rand_r(&seed) % FEEDS], (unsigned)rand_r(&seed) % 2);
        if (rand_r(&seed) % 16 == 0)
            usleep(1); /* lets the streams fall asleep now and then */
    }
    return NULL;
}

static void wakes_race_and_none_is_lost(void **state) {
    (void)state;
    struct http_server *server = start((struct http_options){ .request_s = 3600, .idle_s = 3600 });
    static struct reader readers[FEEDS];
    pthread_t feeders[FEEDERS];

    for (unsigned i = 0; i < FEEDS; i++)
        open_feed(server, &readers[i], i, "1.1");
    for (size_t i = 0; i < FEEDERS; i++)
        pthread_create(&feeders[i], NULL, feed_all, (void *)(i + 1)); // NOLINT(performance-no-int-to-ptr)
    for (size_t i = 0; i < FEEDERS; i++)
        pthread_join(feeders[i], NULL);
    for (unsigned i = 0; i < FEEDS; i++)
        read_lines(&readers[i], atomic_load(&feeds[i].limit)); /* a lost wake would let it wait for ever */
    for (unsigned i = 0; i < FEEDS; i++) {
        finish(&feeds[i]);
        assert_int_equal(next_of_body(&readers[i]), -1);
        say_hello(&readers[i]);
        close(readers[i].fd);
    }
    stop(server);
    for (unsigned i = 0; i < FEEDS; i++)
        assert_true(feeds[i].ended == 1 && feeds[i].whole == 1);
}

static void one_connection_has_stream_after_stream(void **state) {
    (void)state;
    struct http_server *server = start((struct http_options){ .request_s = 3600, .idle_s = 3600 });
    struct reader reader;

    open_feed(server, &reader, 0, "1.1");
    for (unsigned i = 1; i < FEEDS; i++) {
        char line[128];
        finish(&feeds[i - 1]);
        assert_int_equal(next_of_body(&reader), -1);
        reader.next = 0;
        snprintf(line, sizeof line, "GET /feed/%u HTTP/1.1\r\nHost: x\r\n\r\n", i);
        say(reader.fd, line);
        read_head(&reader); /* nothing is said yet */
        allow(&feeds[i], i);
        read_lines(&reader, i);
        allow(&feeds[i], 1);
        read_lines(&reader, i + 1);
    }
    close(reader.fd);
    stop(server);
    assert_int_equal(feeds[FEEDS - 1].whole, 0);
}

/* ---- clients that go, and the end of the server, while bytes are kept ---- */

static void who_goes_leaves_what_is_kept(void **state) {
    (void)state;
    struct http_server *server = start((struct http_options){ .request_s = 3600, .idle_s = 3600 });

    for (unsigned i = 0; i < FEEDS; i++) {
        struct reader reader;
        open_feed(server, &reader, i, i % 4 < 2 ? "1.1" : "1.0");
        allow(&feeds[i], MANY);
        wait_until_sent(&feeds[i], i * 50); /* it may be behind by then, or not yet */
        if (i % 2 == 0)
            shutdown(reader.fd, SHUT_WR); /* and takes nothing more */
        else
            close(reader.fd);
        wait_until_ended(&feeds[i]);
        assert_int_equal(feeds[i].whole, 0);
        assert_true(atomic_load(&feeds[i].sent) < MANY);
        if (i % 2 == 0)
            close(reader.fd);
    }
    assert_int_equal(http_server_counts(server).streams, 0);
    stop(server);
}

static void stopping_cuts_what_is_being_written(void **state) {
    (void)state;
    for (int round = 0; round < 10; round++) {
        struct http_server *server = start((struct http_options){ .request_s = 3600, .idle_s = 3600 });
        static struct reader readers[FEEDS];
        pthread_t feeders[FEEDERS];

        for (unsigned i = 0; i < FEEDS; i++) {
            open_feed(server, &readers[i], i, i % 3 == 0 ? "1.0" : "1.1");
            if (i % 2 == 0)
                allow(&feeds[i], MANY);
        }
        for (size_t i = 0; i < FEEDERS; i++)
            pthread_create(&feeders[i], NULL, feed_all, (void *)(i + 1)); // NOLINT(performance-no-int-to-ptr)
        http_server_stop(server, 0);
        for (unsigned i = 0; i < FEEDS; i++) {
            assert_true(feeds[i].ended == 1 && feeds[i].whole == 0);
            close(readers[i].fd);
        }
        for (size_t i = 0; i < FEEDERS; i++)
            pthread_join(feeders[i], NULL);
        stop(server);
    }
}

int run_streamer_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slow_client_gets_every_byte),
        cmocka_unit_test(so_does_one_without_chunks),
        cmocka_unit_test(the_end_waits_for_what_is_kept),
        cmocka_unit_test(who_takes_no_more_is_cut),
        cmocka_unit_test(wakes_race_and_none_is_lost),
        cmocka_unit_test(one_connection_has_stream_after_stream),
        cmocka_unit_test(who_goes_leaves_what_is_kept),
        cmocka_unit_test(stopping_cuts_what_is_being_written),
    };
    return cmocka_run_group_tests_name("streamer", tests, NULL, NULL);
}
