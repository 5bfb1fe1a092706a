/* The glue between curl's socket interface and libuv.
 *
 * curl says which sockets to watch and when it wants to be called; each event goes back by curl_multi_socket_action,
 * after which ended transfers are collected. The object outlives curl_loop_free until libuv has closed its handles. */
#include "net/curl_loop.h"

#include <assert.h>
#include <curl/curl.h>
#include <stdlib.h>
#include <uv.h>

#include "base/memory.h"

struct curl_loop {
    uv_loop_t *loop;
    CURLM *multi;
    uv_timer_t timer;
    struct curl_loop_events events;
    unsigned handles; /* of libuv, not closed yet: the timer and the watches */
    unsigned inside;
    bool closing;
};

struct watch {
    uv_poll_t poll;
    struct curl_loop *loop;
    curl_socket_t socket;
};

static void release(struct curl_loop *loop) {
    if (--loop->handles == 0) {
        free(loop);
    }
}

/* Collects what ended. The callback may add and remove transfers, so each round asks curl anew. */
static void collect(struct curl_loop *loop) {
    int left;
    for (CURLMsg *message; (message = curl_multi_info_read(loop->multi, &left)) != NULL;) {
        if (message->msg == CURLMSG_DONE) {
            CURL *easy = message->easy_handle;
            int code = (int)message->data.result;
            curl_multi_remove_handle(loop->multi, easy);
            loop->events.finished(loop->events.context, easy, code);
        }
    }
    loop->events.settled(loop->events.context);
}

static void act(struct curl_loop *loop, curl_socket_t socket, int events) {
    int running;
    loop->inside++;
    CURLMcode code = curl_multi_socket_action(loop->multi, socket, events, &running);
    loop->inside--;
    assert(code == CURLM_OK);
    collect(loop);
}

static void on_timer(uv_timer_t *timer) {
    act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static void on_socket(uv_poll_t *poll, int status, int events) {
    struct watch *watch = poll->data;
    int flags = status < 0 ? CURL_CSELECT_ERR : 0;
    if (events & UV_READABLE) {
        flags |= CURL_CSELECT_IN;
    }
    if (events & UV_WRITABLE) {
        flags |= CURL_CSELECT_OUT;
    }
    act(watch->loop, watch->socket, flags);
}

static void on_watch_closed(uv_handle_t *handle) {
    struct watch *watch = handle->data;
    release(watch->loop);
    free(watch);
}

static void on_timer_closed(uv_handle_t *handle) {
    release(handle->data);
}

static struct watch *watch_new(struct curl_loop *loop, curl_socket_t socket) {
    struct watch *watch = mem_new(sizeof *watch);
    if (uv_poll_init_socket(loop->loop, &watch->poll, socket) != 0) {
        free(watch);
        return NULL;
    }
    watch->poll.data = watch;
    watch->loop = loop;
    watch->socket = socket;
    loop->handles++;
    curl_multi_assign(loop->multi, socket, watch);
    return watch;
}

/* curl: watch this socket for that, or no more. */
static int on_want_socket(CURL *easy, curl_socket_t socket, int what, void *context, void *socket_context) {
    struct curl_loop *loop = context;
    struct watch *watch = socket_context;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (watch != NULL) {
            uv_poll_stop(&watch->poll);
            curl_multi_assign(loop->multi, socket, NULL);
            uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
        }
        return 0;
    }
    if (watch == NULL && (watch = watch_new(loop, socket)) == NULL) {
        return -1;
    }
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    return uv_poll_start(&watch->poll, events, on_socket) == 0 ? 0 : -1;
}

/* curl: call me in that time, or no more. */
static int on_want_timer(CURLM *multi, long timeout_ms, void *context) {
    struct curl_loop *loop = context;
    (void)multi;
    if (timeout_ms < 0) {
        uv_timer_stop(&loop->timer);
    } else if (!loop->closing) {
        uv_timer_start(&loop->timer, on_timer, (uint64_t)timeout_ms, 0);
    }
    return 0;
}

enum err curl_loop_new(struct uv_loop_s *loop, unsigned connections_kept, const struct curl_loop_events *events,
    struct curl_loop **ret, struct fault *fault) {
    CURLM *multi = curl_multi_init();
    if (multi == NULL) {
        return fault_set(fault, ERR_NO_MEMORY, "The HTTP client cannot be set up.");
    }
    struct curl_loop *made = mem_new(sizeof *made);
    made->loop = loop;
    made->multi = multi;
    made->events = *events;
    made->handles = 1;
    uv_timer_init(loop, &made->timer);
    made->timer.data = made;
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_want_socket);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, made);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_want_timer);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, made);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)connections_kept);
    *ret = made;
    return OK;
}

void curl_loop_free(struct curl_loop *loop) {
    if (loop == NULL) {
        return;
    }
    assert(loop->inside == 0);
    loop->closing = true;
    curl_multi_cleanup(loop->multi); /* closes the kept connections, and with them their watches */
    uv_close((uv_handle_t *)&loop->timer, on_timer_closed);
}

enum err curl_loop_add(struct curl_loop *loop, void *easy) {
    assert(loop->inside == 0);
    return curl_multi_add_handle(loop->multi, easy) == CURLM_OK ? OK : ERR_NO_MEMORY;
}

void curl_loop_remove(struct curl_loop *loop, void *easy) {
    assert(loop->inside == 0);
    curl_multi_remove_handle(loop->multi, easy);
}

bool curl_loop_inside(const struct curl_loop *loop) {
    return loop->inside > 0;
}

/* Overwrites curl's own timer, which is safe: called by a time-out, curl always says anew what it wants. */
void curl_loop_wake(struct curl_loop *loop) {
    uv_timer_start(&loop->timer, on_timer, 0, 0);
}
