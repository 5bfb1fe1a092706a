/* The glue between curl's socket interface and libuv.
 *
 * curl says which sockets to watch and when it wants to be called; each event goes back by curl_multi_socket_action,
 * after which ended transfers are collected. The object outlives curl_loop_free until libuv has closed its handles. */
#include "net/curl_loop.h"

#include <assert.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/memory.h"

struct curl_loop {
    uv_loop_t *loop;
    CURLM *multi;
    uv_timer_t timer, pause;
    uv_idle_t soon; /* this and the next run while a turn is wanted; who is called first has it */
    uv_prepare_t sooner;
    int dead;   /* a socket whose other end is closed */
    bool woken; /* by curl_loop_wake */
    bool due;   /* curl wants to be called at once */
    struct curl_loop_events events;
    struct watch **watches; /* by socket; NULL: none */
    size_t watch_room;
    unsigned handles; /* of libuv, not closed yet: those above and the watches */
    unsigned inside;
    bool closing;
};

struct watch {
    uv_poll_t poll;
    struct curl_loop *loop;
    curl_socket_t socket;
    int events;  /* watched for; 0: none */
    bool wanted; /* by curl; else the connection waits for its next request */
    bool connects; /* it has been watched for writing: a connection's, and no channel to one of curl's threads */
};

static void release(struct curl_loop *loop) {
    if (--loop->handles == 0) {
        close(loop->dead);
        free(loop->watches);
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

/* What settles may start transfers; curl is due then, and called in the same turn. */
static void take_turn(struct curl_loop *loop) {
    if (loop->woken) {
        loop->woken = false;
        loop->events.settled(loop->events.context);
    }
    if (loop->due) {
        loop->due = false;
        act(loop, CURL_SOCKET_TIMEOUT, 0);
    }
    if (!loop->woken && !loop->due) {
        uv_idle_stop(&loop->soon);
        uv_prepare_stop(&loop->sooner);
    }
}

static void on_soon(uv_idle_t *soon) {
    take_turn(soon->data);
}

static void on_sooner(uv_prepare_t *sooner) {
    take_turn(sooner->data);
}

/* Before the loop looks at its descriptors, and without a wait for them. A handle that is begun while those of its kind are
 * called has its turn a round later, so there are two kinds: what is wanted by an idle handle, as the beginnings of calls are
 * (engine/commit.c), is done by the prepare handle, which comes next; all else by the idle one. */
static void want_turn(struct curl_loop *loop) {
    uv_idle_start(&loop->soon, on_soon);
    uv_prepare_start(&loop->sooner, on_sooner);
}

static void stop_watching(struct watch *watch) {
    uv_poll_stop(&watch->poll);
    watch->events = 0;
}

/* The connection waited for its next request, and its service has ended it: with a TLS alert, or with words of its own (a 408,
 * say), before the end itself. libcurl before 8.1 takes what there is to read for a sign of life: it would send a request that
 * nobody hears, and take those words for its answer. So the number is that of a dead socket from here on, whatever may still
 * come, and curl finds the end when it wants the connection. */
static void bury(struct watch *watch) {
    stop_watching(watch);
    (void)!dup3(watch->loop->dead, watch->socket, O_CLOEXEC);
}

static void on_socket(uv_poll_t *poll, int status, int events) {
    struct watch *watch = poll->data;
    int flags = status < 0 ? CURL_CSELECT_ERR : 0;
    if (status < 0) { /* libuv has stopped by itself */
        watch->events = 0;
    }
    if (!watch->wanted) {
        bury(watch);
        return;
    }
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

static void on_own_closed(uv_handle_t *handle) {
    release(handle->data);
}

static struct watch *watch_of(const struct curl_loop *loop, curl_socket_t socket) {
    return (size_t)socket < loop->watch_room ? loop->watches[socket] : NULL;
}

static void keep_watch(struct curl_loop *loop, struct watch *watch) {
    size_t index = (size_t)watch->socket;
    if (index >= loop->watch_room) {
        size_t room = index + 1 > 2 * loop->watch_room ? index + 1 : 2 * loop->watch_room;
        loop->watches = mem_grow(loop->watches, room * sizeof *loop->watches);
        memset(loop->watches + loop->watch_room, 0, (room - loop->watch_room) * sizeof *loop->watches);
        loop->watch_room = room;
    }
    loop->watches[index] = watch;
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
    keep_watch(loop, watch);
    return watch;
}

/* The socket is about to be closed, and its number may be another one's at once. */
static void drop_watch(struct curl_loop *loop, curl_socket_t socket) {
    struct watch *watch = watch_of(loop, socket);
    if (watch != NULL) {
        loop->watches[socket] = NULL;
        stop_watching(watch);
        uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
    }
}

static int on_close_socket(void *context, curl_socket_t socket) {
    drop_watch(context, socket);
    return close(socket);
}

/* A connection that was read from goes on being watched, so that nothing is to be done when its next request wants to hear
 * of the answer. Of other sockets, and of connections that never come about, curl does not tell when it closes them. */
static void unwant(struct watch *watch) {
    if (watch->events != UV_READABLE || !watch->connects) {
        drop_watch(watch->loop, watch->socket);
        return;
    }
    watch->wanted = false;
    uv_unref((uv_handle_t *)&watch->poll);
}

/* When curl has closed a socket without a word, the watch is of a number that is another one's now. curl may take the two
 * for the same, and say nothing anew. */
void curl_loop_opened(struct curl_loop *loop, int socket) {
    struct watch *watch = watch_of(loop, socket);
    if (watch == NULL || watch->events == 0) {
        return;
    }
    int events = watch->wanted ? watch->events : 0;
    stop_watching(watch);
    if (events != 0 && uv_poll_start(&watch->poll, events, on_socket) == 0) {
        watch->events = events;
    }
}

/* curl: watch this socket for that, or no more. */
static int on_want_socket(CURL *easy, curl_socket_t socket, int what, void *context, void *socket_context) {
    struct curl_loop *loop = context;
    struct watch *watch = watch_of(loop, socket);
    (void)easy, (void)socket_context;
    if (what == CURL_POLL_REMOVE) {
        if (watch != NULL) {
            unwant(watch);
        }
        return 0;
    }
    if (watch == NULL && (watch = watch_new(loop, socket)) == NULL) {
        return -1;
    }
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    watch->wanted = true;
    watch->connects = watch->connects || (events & UV_WRITABLE) != 0;
    uv_ref((uv_handle_t *)&watch->poll);
    if (watch->events == events) {
        return 0;
    }
    watch->events = uv_poll_start(&watch->poll, events, on_socket) == 0 ? events : 0;
    return watch->events != 0 ? 0 : -1;
}

/* curl: call me in that time, or no more. */
static int on_want_timer(CURLM *multi, long timeout_ms, void *context) {
    struct curl_loop *loop = context;
    (void)multi;
    if (loop->closing) {
        return 0;
    }
    loop->due = timeout_ms == 0;
    if (loop->due) {
        want_turn(loop);
    }
    if (timeout_ms > 0) {
        uv_timer_start(&loop->timer, on_timer, (uint64_t)timeout_ms, 0);
    } else {
        uv_timer_stop(&loop->timer);
    }
    return 0;
}

/* curl's memory does not fail in small pieces: out of that it makes a URL that is not valid, or a transfer that is given up
 * for good. */
static void *allocate(size_t size) {
    return mem_grow_library(NULL, size);
}

static void *allocate_zeros(size_t count, size_t size) {
    size_t whole;
    void *memory = __builtin_mul_overflow(count, size, &whole) ? NULL : mem_grow_library(NULL, whole);
    return memory != NULL ? memset(memory, 0, whole) : NULL;
}

static char *allocate_copy(const char *string) {
    size_t size = strlen(string) + 1;
    void *memory = mem_grow_library(NULL, size);
    return memory != NULL ? memcpy(memory, string, size) : NULL;
}

enum err curl_loop_new(struct uv_loop_s *loop, unsigned connections_kept, const struct curl_loop_events *events,
    struct curl_loop **ret, struct fault *fault) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        return fault_set(fault, ERR_IO, "A socket cannot be made: %s.", strerrordesc_np(errno));
    }
    close(ends[1]);
    CURLcode begun = curl_global_init_mem(CURL_GLOBAL_DEFAULT, allocate, free, mem_grow_library, allocate_copy,
                                          allocate_zeros);
    CURLM *multi = begun == CURLE_OK ? curl_multi_init() : NULL;
    if (multi == NULL) {
        close(ends[0]);
        return fault_set(fault, ERR_NO_MEMORY, "The HTTP client cannot be set up.");
    }
    struct curl_loop *made = mem_new(sizeof *made);
    made->loop = loop;
    made->multi = multi;
    made->dead = ends[0];
    made->events = *events;
    made->handles = 4;
    uv_timer_init(loop, &made->timer);
    uv_timer_init(loop, &made->pause);
    uv_idle_init(loop, &made->soon);
    uv_prepare_init(loop, &made->sooner);
    made->timer.data = made->pause.data = made->soon.data = made->sooner.data = made;
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
    uv_close((uv_handle_t *)&loop->timer, on_own_closed);
    uv_close((uv_handle_t *)&loop->pause, on_own_closed);
    uv_close((uv_handle_t *)&loop->soon, on_own_closed);
    uv_close((uv_handle_t *)&loop->sooner, on_own_closed);
}

enum err curl_loop_add(struct curl_loop *loop, void *easy) {
    assert(loop->inside == 0);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close_socket); /* the connection's from then on */
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, loop);
    return curl_multi_add_handle(loop->multi, easy) == CURLM_OK ? OK : ERR_NO_MEMORY;
}

void curl_loop_remove(struct curl_loop *loop, void *easy) {
    assert(loop->inside == 0);
    curl_multi_remove_handle(loop->multi, easy);
}

bool curl_loop_inside(const struct curl_loop *loop) {
    return loop->inside > 0;
}

static void on_pause(uv_timer_t *timer) {
    struct curl_loop *loop = timer->data;
    loop->events.paused(loop->events.context);
}

void curl_loop_pause(struct curl_loop *loop, unsigned ms) {
    if (!uv_is_active((uv_handle_t *)&loop->pause)) {
        uv_timer_start(&loop->pause, on_pause, ms, 0);
    }
}

void curl_loop_wake(struct curl_loop *loop) {
    loop->woken = true;
    want_turn(loop);
}
