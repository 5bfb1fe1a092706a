/* The fetch tests' fixture. */
#include "client.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"

static struct fixture *make(unsigned running_max, unsigned pending_max, bool paced) {
    struct fixture *fixture = mem_new(sizeof *fixture);
    char pair[32], other_pair[32];
    const char *const allow[] = { pair, other_pair };
    const struct fetch_options options = { .running_max = running_max, .pending_max = pending_max, .allow = allow,
        .allow_count = 2, .paced = paced };
    fixture->server = server_start();
    fixture->other = server_start();
    snprintf(pair, sizeof pair, "127.0.0.1:%u", server_port(fixture->server));
    snprintf(other_pair, sizeof other_pair, "127.0.0.1:%u", server_port(fixture->other));
    uv_loop_init(&fixture->loop);
    fixture->client = fetch_client_new(&fixture->loop, &options);
    return fixture;
}

struct fixture *fixture_new(unsigned running_max, unsigned pending_max) {
    return make(running_max, pending_max, false);
}

struct fixture *fixture_new_paced(void) {
    return make(0, 0, true);
}

void fixture_free(struct fixture *fixture) {
    fetch_client_free(fixture->client);
    uv_run(&fixture->loop, UV_RUN_DEFAULT);
    int closed = uv_loop_close(&fixture->loop);
    assert(closed == 0); /* every handle is gone */
    server_stop(fixture->server);
    server_stop(fixture->other);
    free(fixture);
}

int fixture_set_up(void **state) {
    *state = fixture_new(0, 0);
    return 0;
}

int fixture_tear_down(void **state) {
    fixture_free(*state);
    return 0;
}

static enum err on_bytes(void *context, const void *bytes, size_t count) {
    struct reply *reply = context;
    assert(!reply->done);
    reply->sunk_calls++;
    buffer_put(&reply->sunk, (struct text){ bytes, count });
    if (reply->victim != NULL) {
        fetch_cancel(reply->victim->fetch);
        reply->victim = NULL;
    }
    if (reply->cancels_itself) {
        fetch_cancel(reply->fetch);
    }
    return reply->sink_err;
}

static void copy(char *to, size_t size, struct text from) {
    snprintf(to, size, "%.*s", TEXT_ARG(from));
}

static void on_done(void *context, const struct fetch_result *result) {
    struct reply *reply = context;
    assert(!reply->done);
    reply->done = true;
    reply->err = result->err;
    reply->http_status = result->http_status;
    reply->sent = result->sent;
    reply->final = result->final;
    reply->redirects = result->redirects;
    reply->size = result->size;
    copy(reply->body, sizeof reply->body, result->body);
    copy(reply->content_type, sizeof reply->content_type, result->content_type);
    copy(reply->url, sizeof reply->url, text_of(result->url));
    copy(reply->detail, sizeof reply->detail, text_of(result->detail));
    copy(reply->twice, sizeof reply->twice, fetch_result_header(result, "X-TWICE"));
    copy(reply->late, sizeof reply->late, fetch_result_header(result, "X-Late"));
    copy(reply->early, sizeof reply->early, fetch_result_header(result, "X-Early"));
    reply->place = ++reply->fixture->done;
    fetch_cancel(reply->fetch); /* too late, and harmless */
    if (reply->victim != NULL) {
        fetch_cancel(reply->victim->fetch);
    }
}

/* The URL with the servers' ports in it. */
static void put_ports(struct fixture *fixture, const char *url, struct buffer *buf) {
    for (; *url != '\0'; url++) {
        if (url[0] == '{' && (url[1] == 'S' || url[1] == 'O') && url[2] == '}') {
            buffer_printf(buf, "%u", server_port(url[1] == 'S' ? fixture->server : fixture->other));
            url += 2;
        } else {
            buffer_put_char(buf, *url);
        }
    }
}

enum err start(struct fixture *fixture, struct fetch_request request, const char *url, struct reply *reply,
    bool with_sink) {
    struct buffer buf scoped(buffer_fini);
    buffer_init(&buf, 1 << 16);
    put_ports(fixture, url, &buf);
    request.url = buffer_text(&buf);
    request.sink = with_sink ? on_bytes : NULL;
    request.done = on_done;
    request.context = reply;
    reply->fixture = fixture;
    return fetch_start(fixture->client, &request, &reply->fetch, NULL);
}

void run_until_done(struct fixture *fixture, const struct reply *reply) {
    while (!reply->done) {
        int alive = uv_run(&fixture->loop, UV_RUN_ONCE);
        assert(alive != 0 || reply->done); /* else nobody would ever call it */
    }
}

struct reply *reply_new(void) {
    struct reply *reply = mem_new(sizeof *reply);
    buffer_init(&reply->sunk, 1 << 22);
    return reply;
}

void free_reply(struct reply *reply) {
    buffer_fini(&reply->sunk);
    free(reply);
}

static struct reply *run(struct fixture *fixture, struct fetch_request request, const char *url, bool with_sink) {
    struct reply *reply = reply_new();
    enum err err = start(fixture, request, url, reply, with_sink);
    if (err == OK) {
        assert(!reply->done);
        run_until_done(fixture, reply);
    } else {
        reply->err = err;
    }
    return reply;
}

struct reply *get(struct fixture *fixture, struct fetch_request request, const char *url) {
    return run(fixture, request, url, false);
}

struct reply *sink(struct fixture *fixture, struct fetch_request request, const char *url) {
    return run(fixture, request, url, true);
}
