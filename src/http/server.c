/* The server's own life: options, start, drain, stop, figures. */
#include "http/server.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/sysinfo.h>

#include "base/clock.h"
#include "base/memory.h"
#include "http/internal.h"

#define THREADS_MAX 256
#define STREAMS_END_MS 1000 /* for streams to say their last words */
#define ABANDONED_WAIT_MS 2000 /* for the last answers, after the suspended were given up */

static unsigned or_else(unsigned value, unsigned otherwise) {
    return value != 0 ? value : otherwise;
}

static struct http_options completed(const struct http_options *given) {
    struct http_options options = *given;

    options.threads = or_else(options.threads, (unsigned)get_nprocs());
    if (options.threads > THREADS_MAX)
        options.threads = THREADS_MAX;
    options.connections_max = or_else(options.connections_max, 10000);
    options.idle_s = or_else(options.idle_s, 60);
    options.request_s = or_else(options.request_s, 60);
    if (options.body_max <= 0)
        options.body_max = (int64_t)1 << 20;
    if (options.bodies_max <= 0)
        options.bodies_max = 8 * options.body_max;
    return options;
}

enum err http_server_new(const struct http_options *options, const struct http_route *routes, unsigned count,
                         struct http_server **ret, struct fault *fault) {
    assert(options->refuse != NULL);
    struct http_server *server = mem_new(sizeof *server);
    pthread_condattr_t monotonic;

    server->options = completed(options);
    server->routes = routes;
    server->route_count = count;
    server->tallies = mem_new_lines(server->options.threads, sizeof *server->tallies);
    server->listen_fd = server->wake_fd = server->watch_fd = -1;
    pthread_mutex_init(&server->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&server->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    LIST_INIT(&server->connections);
    TAILQ_INIT(&server->suspended);
    TAILQ_INIT(&server->streams);

    enum err err = listener_open(server, fault);
    if (err == OK)
        err = streamers_open(server, fault);
    if (err == OK)
        err = workers_open(server, fault);
    if (err == OK)
        err = listener_start(server, fault);
    if (err != OK) {
        http_server_free(server);
        return err;
    }
    *ret = server;
    return OK;
}

const char *http_server_address(const struct http_server *server) {
    return server->address;
}

unsigned http_server_port(const struct http_server *server) {
    return server->port;
}

void http_server_drain(struct http_server *server) {
    atomic_store(&server->draining, true);
}

static unsigned running(struct http_server *server) {
    unsigned sum = 0;

    for (unsigned i = 0; i < server->options.threads; i++)
        sum += atomic_load(&server->tallies[i].running);
    return sum;
}

/* Until no request runs, or the time is over. */
static void wait_for_running(struct http_server *server, int64_t limit_ms) {
    const struct timespec until = clock_real_moment_in_ms(limit_ms);

    pthread_mutex_lock(&server->lock);
    while (running(server) > 0)
        if (pthread_cond_timedwait(&server->changed, &server->lock, &until) == ETIMEDOUT)
            break;
    pthread_mutex_unlock(&server->lock);
}

static void abandon_suspended(struct http_server *server) {
    struct exchange *exchange;

    pthread_mutex_lock(&server->lock);
    atomic_store(&server->abandoning, true);
    while ((exchange = TAILQ_FIRST(&server->suspended)) != NULL)
        exchange_abandon(exchange);
    pthread_mutex_unlock(&server->lock);
}

static void cut_streams(struct http_server *server) {
    pthread_mutex_lock(&server->lock);
    atomic_store(&server->ends_streams, true);
    streams_abandon(server);
    pthread_mutex_unlock(&server->lock);
}

void http_server_stop(struct http_server *server, int64_t limit_ms) {
    if (server->worker_count == 0)
        return;
    http_server_drain(server);
    listener_stop_accepting(server);
    int64_t streams_ms = limit_ms < STREAMS_END_MS ? limit_ms : STREAMS_END_MS;
    wait_for_running(server, streams_ms);
    cut_streams(server); /* whoever fed them has stopped already, or their readers come again */
    wait_for_running(server, limit_ms - streams_ms);
    abandon_suspended(server);
    wait_for_running(server, ABANDONED_WAIT_MS);
    listener_close(server);
    streamers_stop(server);
    workers_close(server);
}

void http_server_free(struct http_server *server) {
    if (server == NULL)
        return;
    http_server_stop(server, 0);
    listener_close(server);
    watch_close(server);
    streamers_close(server);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
    free(server->tallies);
    free(server);
}

struct http_counts http_server_counts(struct http_server *server) {
    struct http_counts counts = {
        .connections_accepted = atomic_load(&server->accepted),
        .connections_refused = atomic_load(&server->refused),
        .connections_timed_out = atomic_load(&server->timed_out),
        .connections = atomic_load(&server->connection_count),
        .suspended = atomic_load(&server->suspended_count),
        .streams = atomic_load(&server->stream_count),
        .body_bytes = (uint64_t)atomic_load(&server->body_bytes),
    };

    for (unsigned i = 0; i < server->options.threads; i++)
        tally_sum(&server->tallies[i], &counts);
    return counts;
}
