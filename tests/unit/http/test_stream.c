/* Answers that come into being: sources that wait and are woken, heartbeats, clients that go away in every phase. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "client.h"
#include "http/server.h"
#include "tests.h"

/* ---- the application: every stream is fed from one feed ---- */

#define BEAT_MS 15000

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct buffer words;       /* to be sent */
    bool end, cut, endless;    /* what pull says when there are no more */
    unsigned idle_pulls;       /* that bring nothing and want to be asked again */
    struct exchange *open;     /* streams now */
    struct exchange *waiting;  /* is suspended */
    struct exchange *taken;    /* by take_waiting, until it goes on */
    unsigned pulls, ended, whole, gone, late, released;
} app = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static enum stream_pull pull_locked(struct buffer *buf, size_t room) {
    size_t count = app.words.len < room ? app.words.len : room;

    app.pulls++;
    if (app.endless) {
        buffer_printf(buf, "%*c", (int)room, 'x');
        return STREAM_MORE;
    }
    if (app.idle_pulls > 0) {
        app.idle_pulls--;
        return STREAM_MORE;
    }
    buffer_put(buf, (struct text){ app.words.data, count });
    buffer_consume(&app.words, count);
    if (app.words.len > 0)
        return STREAM_MORE;
    return app.end ? STREAM_END : app.cut ? STREAM_CUT : STREAM_WAIT;
}

static enum stream_pull pull(struct exchange *exchange, struct buffer *buf, size_t room) {
    (void)exchange;
    pthread_mutex_lock(&app.lock);
    enum stream_pull next = pull_locked(buf, room);
    pthread_cond_broadcast(&app.changed);
    pthread_mutex_unlock(&app.lock);
    return next;
}

static void ended(struct exchange *exchange, bool whole) {
    pthread_mutex_lock(&app.lock);
    if (app.open == exchange)
        app.open = NULL;
    app.ended++;
    app.whole += whole;
    pthread_cond_broadcast(&app.changed);
    pthread_mutex_unlock(&app.lock);
}

static void gone(struct exchange *exchange) {
    pthread_mutex_lock(&app.lock);
    app.gone++;
    app.late += app.open != exchange && app.waiting != exchange && app.taken != exchange;
    pthread_cond_broadcast(&app.changed);
    pthread_mutex_unlock(&app.lock);
}

static const struct stream_source source = { .pull = pull, .ended = ended };

static void open_stream(struct exchange *exchange, const struct stream_source *with) {
    exchange_watch(exchange, gone);
    reply_stream(exchange, 200, "text/event-stream", with);
    pthread_mutex_lock(&app.lock);
    app.open = exchange;
    pthread_cond_broadcast(&app.changed);
    pthread_mutex_unlock(&app.lock);
}

static void feed(struct exchange *exchange) {
    open_stream(exchange, &source);
}

static void feed_with_heart(struct exchange *exchange) {
    struct stream_source with = source;
    with.heartbeat = TEXT(": beat\n\n");
    with.heartbeat_ms = BEAT_MS;
    reply_header(exchange, "cache-control", "no-store");
    open_stream(exchange, &with);
}

static void change_mind(struct exchange *exchange) {
    reply_stream(exchange, 200, "text/plain", &source);
    http_stream_wake(exchange);
    reply_constant(exchange, 200, "text/plain", TEXT("instead"));
}

static void hello(struct exchange *exchange) {
    reply_constant(exchange, 200, "text/plain", TEXT("hello"));
}

static void note_going_on(struct exchange *exchange) {
    pthread_mutex_lock(&app.lock);
    if (app.taken == exchange)
        app.taken = NULL;
    pthread_mutex_unlock(&app.lock);
}

static void hello_at_last(struct exchange *exchange) {
    note_going_on(exchange);
    hello(exchange);
}

static void feed_at_last(struct exchange *exchange) {
    note_going_on(exchange);
    feed(exchange);
}

static void count_release(void *attachment) {
    (void)attachment;
    pthread_mutex_lock(&app.lock);
    app.released++;
    pthread_cond_broadcast(&app.changed);
    pthread_mutex_unlock(&app.lock);
}

static void suspend_with(struct exchange *exchange, void (*go_on)(struct exchange *)) {
    exchange_attach(exchange, &app, count_release);
    exchange_watch(exchange, gone);
    pthread_mutex_lock(&app.lock); /* the client may have gone: `gone` shall see who waits */
    exchange_suspend(exchange, go_on);
    app.waiting = exchange;
    pthread_cond_broadcast(&app.changed);
    pthread_mutex_unlock(&app.lock);
}

static void hello_later(struct exchange *exchange) {
    suspend_with(exchange, hello_at_last);
}

static void feed_later(struct exchange *exchange) {
    suspend_with(exchange, feed_at_last);
}

static const struct http_route routes[] = {
    { METHOD_GET, "/feed", 0, false, feed, "" },
    { METHOD_GET, "/heart", 0, false, feed_with_heart, "" },
    { METHOD_GET, "/mind", 0, false, change_mind, "" },
    { METHOD_GET, "/hello", 0, false, hello, "" },
    { METHOD_GET, "/hello-later", 0, false, hello_later, "" },
    { METHOD_GET, "/feed-later", 0, false, feed_later, "" },
};

static void refuse(struct exchange *exchange, const struct fault *fault) {
    reply_constant(exchange, err_info(fault->err)->http_status, "text/plain", TEXT("refused"));
}

/* ---- what the tests do to it ---- */

static struct http_server *start(struct http_options options) {
    struct http_server *server;
    struct fault fault = { .err = OK };

    options.host = "127.0.0.1";
    options.threads = 2;
    options.refuse = refuse;
    buffer_fini(&app.words);
    buffer_init(&app.words, 1 << 24);
    app.end = app.cut = app.endless = false;
    app.open = app.waiting = app.taken = NULL;
    app.idle_pulls = app.pulls = app.ended = app.whole = app.gone = app.late = app.released = 0;
    if (http_server_new(&options, routes, ARRAY_SIZE(routes), &server, &fault) != OK)
        fail_msg("%s", fault.message);
    return server;
}

static void stop(struct http_server *server) {
    http_server_free(server);
    assert_int_equal(app.late, 0);
    buffer_fini(&app.words);
}

/* Wakes under the lock that pull takes, as whoever calls it may. */
static void push(const char *words) {
    pthread_mutex_lock(&app.lock);
    while (app.open == NULL)
        pthread_cond_wait(&app.changed, &app.lock);
    buffer_put(&app.words, text_of(words));
    http_stream_wake(app.open);
    pthread_mutex_unlock(&app.lock);
}

static void finish(bool *flag) {
    pthread_mutex_lock(&app.lock);
    *flag = true;
    if (app.open != NULL)
        http_stream_wake(app.open);
    pthread_mutex_unlock(&app.lock);
}

static void wait_for(const unsigned *number, unsigned least) {
    pthread_mutex_lock(&app.lock);
    while (*number < least)
        pthread_cond_wait(&app.changed, &app.lock);
    pthread_mutex_unlock(&app.lock);
}

static struct exchange *take_waiting(void) {
    pthread_mutex_lock(&app.lock);
    while (app.waiting == NULL)
        pthread_cond_wait(&app.changed, &app.lock);
    struct exchange *exchange = app.taken = app.waiting;
    app.waiting = NULL;
    pthread_mutex_unlock(&app.lock);
    return exchange;
}

static void resume(struct exchange *exchange) {
    pthread_mutex_lock(&app.lock);
    http_resume(exchange);
    pthread_mutex_unlock(&app.lock);
}

/* Sends a request and has its stream wait for more than the first words. */
static int open_feed(struct http_server *server, const char *path) {
    char line[128], heard[4096];
    int fd = dial(server);

    pthread_mutex_lock(&app.lock);
    app.open = NULL; /* not an earlier one: push waits for this */
    pthread_mutex_unlock(&app.lock);
    snprintf(line, sizeof line, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    say(fd, line);
    push("first;");
    hear(fd, heard, sizeof heard, "first;", 1);
    assert_non_null(strstr(heard, "first;"));
    return fd;
}

static char heard[1 << 16];

static void pieces_come_as_they_are_made(void **state) {
    (void)state;
    struct http_server *server = start((struct http_options){ 0 });
    int fd = dial(server);

    say(fd, "GET /feed HTTP/1.1\r\nHost: x\r\n\r\n");
    hear(fd, heard, sizeof heard, "\r\n\r\n", 1);
    assert_non_null(strstr(heard, "200 OK"));
    assert_non_null(strstr(heard, "Content-Type: text/event-stream\r\n"));
    assert_non_null(strstr(heard, "Cache-Control: no-cache\r\n"));
    assert_non_null(strstr(heard, "X-Accel-Buffering: no\r\n"));
    assert_non_null(strstr(heard, "Transfer-Encoding: chunked\r\n"));
    assert_null(strstr(heard, "Content-Length"));
    assert_int_equal(http_server_counts(server).streams, 1);
    for (int i = 0; i < 100; i++) {
        char piece[32];
        snprintf(piece, sizeof piece, "piece %d;", i);
        push(piece);
        hear(fd, heard, sizeof heard, piece, 1);
        assert_non_null(strstr(heard, piece));
    }
    finish(&app.end);
    hear(fd, heard, sizeof heard, "0\r\n\r\n", 1);
    wait_for(&app.whole, 1);
    say(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"); /* the connection is kept */
    hear(fd, heard, sizeof heard, "hello", 1);
    assert_non_null(strstr(heard, "200 OK"));
    close(fd);
    stop(server);
    assert_int_equal(app.ended, 1);
    assert_int_equal(app.gone, 0);
}

static void a_long_answer_is_whole(void **state) {
    (void)state;
    enum { LINES = 20000 };
    struct http_server *server = start((struct http_options){ 0 });
    int fd = dial(server);
    char *all = mem_new(1 << 20), *at = all;

    app.idle_pulls = 1000;
    for (int i = 0; i < LINES; i++)
        buffer_printf(&app.words, "line %05d\n", i);
    app.end = true;
    say(fd, "GET /feed HTTP/1.0\r\n\r\n"); /* without chunks, so that it can be compared */
    hear(fd, all, 1 << 20, "line 19999\n", 1);
    assert_null(strstr(all, "Transfer-Encoding"));
    at = strstr(all, "\r\n\r\n") + 4;
    for (int i = 0; i < LINES; i++, at += 11) {
        char line[32];
        snprintf(line, sizeof line, "line %05d\n", i % LINES);
        assert_memory_equal(at, line, 11);
    }
    assert_int_equal(*at, '\0');
    assert_true(has_ended(fd));
    close(fd);
    stop(server);
    assert_int_equal(app.ended, 1);
    assert_int_equal(app.whole, 1);
    free(all);
}

static void a_cut_answer_has_no_end(void **state) {
    (void)state;
    struct http_server *server = start((struct http_options){ 0 });
    int fd = open_feed(server, "/feed");

    push("last words;");
    finish(&app.cut);
    hear(fd, heard, sizeof heard, "0\r\n\r\n", 1);
    assert_non_null(strstr(heard, "last words;"));
    assert_null(strstr(heard, "0\r\n\r\n"));
    wait_for(&app.ended, 1);
    close(fd);
    stop(server);
    assert_int_equal(app.whole, 0);
}

static void head_gets_the_head(void **state) {
    (void)state;
    struct http_server *server = start((struct http_options){ 0 });
    int fd = dial(server);

    say(fd, "HEAD /feed HTTP/1.1\r\nHost: x\r\n\r\n");
    wait_for(&app.ended, 1);
    assert_int_equal(app.whole, 1);
    assert_int_equal(app.pulls, 0);
    say(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    hear(fd, heard, sizeof heard, "hello", 1);
    assert_null(strstr(heard, "first"));
    close(fd);
    stop(server);
}

static void another_reply_takes_its_place(void **state) {
    (void)state;
    struct http_server *server = start((struct http_options){ 0 });
    int fd = dial(server);

    say(fd, "GET /mind HTTP/1.1\r\nHost: x\r\n\r\n");
    hear(fd, heard, sizeof heard, "instead", 1);
    assert_non_null(strstr(heard, "Content-Length: 7\r\n"));
    assert_null(strstr(heard, "X-Accel"));
    close(fd);
    stop(server);
    assert_int_equal(app.ended, 1);
    assert_int_equal(app.whole, 0);
}

/* ---- wakes ---- */

enum { FEEDERS = 4, WORDS_EACH = 5000 };

static void *feed_much(void *context) {
    unsigned seed = (unsigned)(uintptr_t)context;
    for (int i = 0; i < WORDS_EACH; i++) {
        push("w");
        if (rand_r(&seed) % 8 == 0)
            usleep(1); /* lets the stream fall asleep now and then */
        if (rand_r(&seed) % 4 == 0)
            push("");
    }
    return NULL;
}

static void no_wake_is_lost(void **state) {
    (void)state;
    struct http_server *server = start((struct http_options){ 0 });
    int fd = dial(server);
    pthread_t feeders[FEEDERS];
    size_t words = 0;

    say(fd, "GET /feed HTTP/1.0\r\n\r\n");
    hear(fd, heard, sizeof heard, "\r\n\r\n", 1);
    for (const char *at = strstr(heard, "\r\n\r\n") + 4; *at != '\0'; at++)
        words++;
    for (size_t i = 0; i < FEEDERS; i++)
        pthread_create(&feeders[i], NULL, feed_much, (void *)(i + 1)); // NOLINT(performance-no-int-to-ptr)
    while (words < FEEDERS * WORDS_EACH) { /* a lost wake would let it wait for ever */
        ssize_t count = recv(fd, heard, sizeof heard, 0);
        assert_true(count > 0);
        words += (size_t)count;
    }
    for (size_t i = 0; i < FEEDERS; i++)
        pthread_join(feeders[i], NULL);
    finish(&app.end);
    assert_int_equal(recv(fd, heard, sizeof heard, 0), 0);
    assert_int_equal(words, FEEDERS * WORDS_EACH);
    close(fd);
    stop(server);
    assert_int_equal(app.whole, 1);
}

/* ---- heartbeats and limits, by a clock that is turned by hand ---- */

static void *turn_clock(void *stopped) {
    while (!atomic_load((atomic_bool *)stopped)) {
        clock_advance(1000);
        usleep(1000); /* some real time for each step */
    }
    return NULL;
}

static void silence_is_filled_with_heartbeats(void **state) {
    (void)state;
    atomic_bool stopped = false;
    pthread_t hand;
    clock_freeze(1);
    /* more of the turned clock's seconds than a busy machine takes between a piece and the source's next turn */
    struct http_server *server = start((struct http_options){ .request_s = 2000000, .idle_s = 3600 });
    int fd = dial(server);

    say(fd, "GET /heart HTTP/1.1\r\nHost: x\r\n\r\n");
    push("first;");
    hear(fd, heard, sizeof heard, "first;", 1);
    assert_non_null(strstr(heard, "cache-control: no-store\r\n"));
    assert_null(strstr(heard, "no-cache"));
    assert_null(strstr(heard, ": beat"));
    pthread_create(&hand, NULL, turn_clock, &stopped);
    hear(fd, heard, sizeof heard, ": beat\n\n", 3);
    push("word;");
    hear(fd, heard, sizeof heard, "word;", 1);
    assert_non_null(strstr(heard, "word;"));
    atomic_store(&stopped, true);
    pthread_join(hand, NULL);
    finish(&app.end);
    wait_for(&app.whole, 1);
    close(fd);
    stop(server);
    clock_unfreeze();
}

static void who_takes_nothing_is_cut(void **state) {
    (void)state;
    atomic_bool stopped = false;
    pthread_t hand;
    clock_freeze(1);
    struct http_server *server = start((struct http_options){ .request_s = 60, .idle_s = 3600 });
    int fd = dial(server);

    app.endless = true;
    say(fd, "GET /feed HTTP/1.1\r\nHost: x\r\n\r\n");
    wait_for(&app.pulls, 1); /* the time for the request is over with that */
    pthread_create(&hand, NULL, turn_clock, &stopped);
    wait_for(&app.ended, 1);
    atomic_store(&stopped, true);
    pthread_join(hand, NULL);
    assert_int_equal(app.whole, 0);
    assert_int_equal(http_server_counts(server).connections_timed_out, 1);
    close(fd);
    stop(server);
    clock_unfreeze();
}

/* It may take its time, although every deadline has passed. */
static void who_waits_for_its_source_may_wait(void **state) {
    (void)state;
    clock_freeze(1);
    struct http_server *server = start((struct http_options){ .request_s = 1, .idle_s = 3600 });
    int fd = open_feed(server, "/feed"), other = dial(server);

    pthread_mutex_lock(&app.lock);
    unsigned pulls = app.pulls;
    pthread_mutex_unlock(&app.lock);
    push("");
    wait_for(&app.pulls, pulls + 1);
    while (http_server_counts(server).connections_timed_out == 0) { /* the listener has looked: it ended the other */
        clock_advance(4000000);
        usleep(1000);
    }
    push("second;");
    hear(fd, heard, sizeof heard, "second;", 1);
    assert_non_null(strstr(heard, "second;"));
    assert_true(has_ended(other));
    close(fd);
    close(other);
    stop(server);
    clock_unfreeze();
}

/* ---- clients that go ---- */

static void a_reader_that_goes_ends_its_stream(void **state) {
    (void)state;
    enum { ROUNDS = 200 };
    struct http_server *server = start((struct http_options){ .idle_s = 3600, .request_s = 3600 });

    for (unsigned i = 1; i <= ROUNDS; i++) {
        int fd = i % 4 != 0 ? open_feed(server, "/feed") : dial(server);
        if (i % 4 == 0) {
            say(fd, "GET /feed HTTP/1.1\r\nHost: x\r\n\r\n"); /* goes at once, while it begins */
        } else if (i % 4 == 1) {
            shutdown(fd, SHUT_WR);
        } else if (i % 4 == 2) {
            push("more that nobody reads;");
        }
        close(fd);
        wait_for(&app.ended, i);
        assert_int_equal(app.whole, 0);
        buffer_clear(&app.words);
    }
    stop(server);
    assert_int_equal(app.ended, ROUNDS);
    assert_true(app.gone >= ROUNDS / 2 && app.gone <= ROUNDS);
}

static void a_reader_may_go_in_the_midst_of_much(void **state) {
    (void)state;
    struct http_server *server = start((struct http_options){ .idle_s = 3600, .request_s = 3600 });

    app.endless = true;
    for (unsigned i = 1; i <= 20; i++) {
        int fd = dial(server);
        say(fd, "GET /feed HTTP/1.1\r\nHost: x\r\n\r\n");
        for (unsigned pieces = 0; pieces < i; pieces++)
            assert_true(recv(fd, heard, sizeof heard, 0) > 0);
        close(fd);
        wait_for(&app.ended, i);
    }
    stop(server);
    assert_int_equal(app.whole, 0);
}

static void who_asks_early_has_not_gone(void **state) {
    (void)state;
    struct http_server *server = start((struct http_options){ 0 });
    int fd = open_feed(server, "/feed"), other = open_feed(server, "/feed");

    say(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    close(other);
    wait_for(&app.ended, 1); /* so the listener has looked */
    assert_int_equal(app.gone, 1);
    pthread_mutex_lock(&app.lock);
    assert_null(app.open);
    pthread_mutex_unlock(&app.lock);
    http_server_stop(server, 0);
    wait_for(&app.ended, 2);
    hear(fd, heard, sizeof heard, "hello", 1);
    close(fd);
    stop(server);
    assert_int_equal(app.gone, 1);
}

static void who_waits_suspended_is_watched(void **state) {
    (void)state;
    struct http_server *server = start((struct http_options){ .idle_s = 3600, .request_s = 3600 });
    int fd = dial(server);

    say(fd, "GET /hello-later HTTP/1.1\r\nHost: x\r\n\r\n");
    struct exchange *exchange = take_waiting();
    shutdown(fd, SHUT_WR);
    wait_for(&app.gone, 1);
    resume(exchange);
    hear(fd, heard, sizeof heard, "hello", 1); /* it only went half */
    assert_non_null(strstr(heard, "200 OK"));
    close(fd);

    fd = dial(server);
    say(fd, "GET /feed-later HTTP/1.1\r\nHost: x\r\n\r\n");
    resume(take_waiting());
    push("first;");
    hear(fd, heard, sizeof heard, "first;", 1);
    close(fd);
    wait_for(&app.ended, 1);
    assert_int_equal(app.gone, 2);
    stop(server);
}

/* A connection is watched for the exchange that waits on it now, and each is told, also of what was seen before it waited. */
static void every_exchange_of_a_connection_is_watched(void **state) {
    (void)state;
    struct http_server *server = start((struct http_options){ .idle_s = 3600, .request_s = 3600 });
    int fd = dial(server);

    say(fd, "GET /hello-later HTTP/1.1\r\nHost: x\r\n\r\n");
    resume(take_waiting());
    hear(fd, heard, sizeof heard, "hello", 1);
    assert_int_equal(app.gone, 0);
    say(fd, "GET /hello-later HTTP/1.1\r\nHost: x\r\n\r\nGET /hello-later HTTP/1.1\r\nHost: x\r\n\r\n");
    shutdown(fd, SHUT_WR);
    for (unsigned i = 1; i <= 2; i++) {
        struct exchange *exchange = take_waiting();
        wait_for(&app.gone, i);
        resume(exchange);
    }
    hear(fd, heard, sizeof heard, "\r\n\r\nhello", 2);
    close(fd);
    stop(server);
    assert_int_equal(app.gone, 2);
}

/* Whoever resumes and the client that goes meet in every order; none may be told of an exchange that has ended. It may not
 * even go on: libmicrohttpd can see the end first. */
static void going_races_with_resuming(void **state) {
    (void)state;
    struct http_server *server = start((struct http_options){ 0 });
    for (unsigned i = 0; i < 500; i++) {
        int fd = dial(server);
        say(fd, i % 2 ? "GET /feed-later HTTP/1.1\r\nHost: x\r\n\r\n" : "GET /hello-later HTTP/1.1\r\nHost: x\r\n\r\n");
        struct exchange *exchange = take_waiting();
        close(fd);
        resume(exchange);
        wait_for(&app.released, i + 1);
    }
    stop(server);
    assert_true(app.ended <= 250);
    assert_true(app.gone <= 750); /* a stream is watched anew */
}

/* ---- the end of the server ---- */

static void stopping_cuts_streams(void **state) {
    (void)state;
    struct http_server *server = start((struct http_options){ 0 });
    int fd = open_feed(server, "/feed");

    http_server_drain(server);
    int late = dial(server);
    say(late, "GET /feed HTTP/1.1\r\nHost: x\r\n\r\n");
    hear(late, heard, sizeof heard, "\r\n\r\n", 1);
    assert_non_null(strstr(heard, "Connection: close\r\n"));
    http_server_stop(server, 0);
    wait_for(&app.ended, 2);
    assert_int_equal(app.whole, 0);
    hear(fd, heard, sizeof heard, "0\r\n\r\n", 1);
    assert_null(strstr(heard, "0\r\n\r\n"));
    assert_true(has_ended(late));
    close(fd);
    close(late);
    stop(server);
    assert_int_equal(app.ended, 2);
}

static void *feed_until_ended(void *context) {
    (void)context;
    pthread_mutex_lock(&app.lock);
    while (app.ended == 0) {
        buffer_clear(&app.words);
        buffer_put(&app.words, TEXT("word;"));
        http_stream_wake(app.open);
        pthread_mutex_unlock(&app.lock);
        sched_yield();
        pthread_mutex_lock(&app.lock);
    }
    pthread_mutex_unlock(&app.lock);
    return NULL;
}

static void stopping_races_with_wakes(void **state) {
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct http_server *server = start((struct http_options){ 0 });
        int fd = open_feed(server, "/feed");
        pthread_t feeder;
        pthread_create(&feeder, NULL, feed_until_ended, NULL);
        hear(fd, heard, sizeof heard, "word;", 3);
        http_server_stop(server, 0);
        pthread_join(feeder, NULL);
        close(fd);
        stop(server);
        assert_int_equal(app.ended, 1);
    }
}

/* Who feeds it has stopped by then: an hour would be long. */
static void a_stop_does_not_wait_for_who_feeds_it(void **state) {
    (void)state;
    struct http_server *server = start((struct http_options){ .request_s = 3600, .idle_s = 3600 });
    int fd = open_feed(server, "/feed");

    http_server_stop(server, 3600000);
    wait_for(&app.ended, 1);
    assert_int_equal(app.whole, 0);
    close(fd);
    stop(server);
}

static void a_stream_is_counted_to_its_head(void **state) {
    (void)state;
    clock_freeze(1);
    struct http_server *server = start((struct http_options){ .request_s = 3600, .idle_s = 3600 });
    int fd = open_feed(server, "/feed");

    clock_advance(60000);
    finish(&app.end);
    wait_for(&app.whole, 1);
    close(fd);
    http_server_stop(server, 1000);
    struct http_counts counts = http_server_counts(server);
    assert_int_equal(counts.by_class[2], 1);
    assert_int_equal(counts.latency[0], 1);
    assert_int_equal(counts.streams, 0);
    stop(server);
    clock_unfreeze();
}

int run_stream_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_come_as_they_are_made),
        cmocka_unit_test(a_long_answer_is_whole),
        cmocka_unit_test(a_cut_answer_has_no_end),
        cmocka_unit_test(head_gets_the_head),
        cmocka_unit_test(another_reply_takes_its_place),
        cmocka_unit_test(no_wake_is_lost),
        cmocka_unit_test(silence_is_filled_with_heartbeats),
        cmocka_unit_test(who_takes_nothing_is_cut),
        cmocka_unit_test(who_waits_for_its_source_may_wait),
        cmocka_unit_test(a_reader_that_goes_ends_its_stream),
        cmocka_unit_test(a_reader_may_go_in_the_midst_of_much),
        cmocka_unit_test(who_asks_early_has_not_gone),
        cmocka_unit_test(who_waits_suspended_is_watched),
        cmocka_unit_test(every_exchange_of_a_connection_is_watched),
        cmocka_unit_test(going_races_with_resuming),
        cmocka_unit_test(stopping_cuts_streams),
        cmocka_unit_test(stopping_races_with_wakes),
        cmocka_unit_test(a_stop_does_not_wait_for_who_feeds_it),
        cmocka_unit_test(a_stream_is_counted_to_its_head),
    };
    return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
