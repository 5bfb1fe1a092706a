/* The HTTP threads. Each has a libmicrohttpd of its own, runs it, and resumes its connections.
 *
 * libmicrohttpd's own threads would do, but for this: where exactly as many events come at once as it asks for (128), it
 * asks for more before it looks at these, and sleeps until there are some. As many clients as that, who all wait for their
 * answers, would wait until one of them gives up. So it is left to wait only where there cannot be as many; else the wait
 * is done here, and it is asked not to. Nothing tells a libmicrohttpd without threads of a resumption, so other threads
 * leave theirs here, with one signal for as many as come together, and it is run after them without a wait. */
#include "http/internal.h"

#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/memory.h"

#define EVENTS_AT_ONCE 128 /* MAX_EVENTS of libmicrohttpd */
#define OTHER_EVENTS 1     /* our signal */

/* A connection that was accepted, on its way to its thread. */
struct arrival {
    int fd;
    struct sockaddr_storage peer;
    socklen_t peer_size;
    STAILQ_ENTRY(arrival) link;
};

STAILQ_HEAD(arrival_list, arrival);

struct worker {
    struct http_server *server;
    struct MHD_Daemon *daemon; /* its thread's */
    int wake_fd;               /* eventfd in libmicrohttpd's epoll set; edges only, never read */
    pthread_t thread;
    bool running;
    struct tally *tally; /* the server's */
    void *desk;          /* NULL: it has none */
    struct kept_table *kept;

    pthread_mutex_t lock;
    struct arrival_list arrivals; /* under the lock */
    struct resumed_list resumed;  /* under the lock */
    bool woken;                   /* under the lock: wake_fd is written to, and the thread has not looked yet */
    bool ending;                  /* under the lock */
    atomic_uint signallers;       /* who are about to write to wake_fd */
};

static _Thread_local struct worker *own; /* the one whose thread this is */

/* ---- from other threads ---- */

/* Lets go of the lock; whether the thread has to be woken, by worker_signal. */
static bool unlock_to_wake(struct worker *worker) {
    bool asleep = !worker->woken;

    worker->woken = true;
    if (asleep)
        atomic_fetch_add(&worker->signallers, 1);
    pthread_mutex_unlock(&worker->lock);
    return asleep;
}

void worker_signal(struct worker *worker) {
    const uint64_t one = 1;

    (void)!write(worker->wake_fd, &one, sizeof one);
    atomic_fetch_sub(&worker->signallers, 1);
}

static void wake_and_unlock(struct worker *worker) {
    if (unlock_to_wake(worker))
        worker_signal(worker);
}

void worker_give(struct http_server *server, int fd, const struct sockaddr_storage *peer, socklen_t peer_size) {
    struct worker *worker = &server->workers[server->worker_turn++ % server->worker_count];
    struct arrival *arrival = mem_new(sizeof *arrival);

    *arrival = (struct arrival){ .fd = fd, .peer = *peer, .peer_size = peer_size };
    pthread_mutex_lock(&worker->lock);
    STAILQ_INSERT_TAIL(&worker->arrivals, arrival, link);
    wake_and_unlock(worker);
}

struct worker *worker_own(void) {
    return own;
}

struct tally *worker_tally(const struct worker *worker) {
    return worker->tally;
}

void *worker_desk(const struct worker *worker) {
    return worker->desk;
}

struct kept_table *worker_kept(const struct worker *worker) {
    return worker->kept;
}

bool worker_leave_resumed(struct exchange *exchange) {
    struct worker *worker = exchange->worker;

    pthread_mutex_lock(&worker->lock);
    STAILQ_INSERT_TAIL(&worker->resumed, exchange, resumption); /* from here on the exchange may end */
    return unlock_to_wake(worker);
}

void worker_resume(struct exchange *exchange) {
    struct worker *worker = exchange->worker;

    if (worker_leave_resumed(exchange))
        worker_signal(worker);
}

/* ---- the thread ---- */

/* What others have left, and whether it is to end. */
static bool take(struct worker *worker, struct arrival_list *arrivals, struct resumed_list *resumed) {
    pthread_mutex_lock(&worker->lock);
    STAILQ_CONCAT(arrivals, &worker->arrivals);
    STAILQ_CONCAT(resumed, &worker->resumed);
    worker->woken = false;
    bool ending = worker->ending;
    pthread_mutex_unlock(&worker->lock);
    return ending;
}

/* Whatever becomes of it, the descriptor is libmicrohttpd's. */
static void begin_connections(struct worker *worker, struct arrival_list *arrivals) {
    struct arrival *arrival;

    while ((arrival = STAILQ_FIRST(arrivals)) != NULL) {
        STAILQ_REMOVE_HEAD(arrivals, link);
        if (MHD_add_connection(worker->daemon, arrival->fd, (struct sockaddr *)&arrival->peer, arrival->peer_size) ==
            MHD_YES)
            atomic_fetch_add(&worker->server->accepted, 1);
        free(arrival);
    }
}

/* They go on when libmicrohttpd runs. */
static void resume(struct resumed_list *resumed) {
    struct exchange *exchange;

    while ((exchange = STAILQ_FIRST(resumed)) != NULL) {
        STAILQ_REMOVE_HEAD(resumed, resumption);
        MHD_resume_connection(exchange->mhd);
    }
}

/* False: it is to end. *ret_resumed: libmicrohttpd must not wait, nor be waited for, before it has run. */
static bool look_after(struct worker *worker, bool *ret_resumed) {
    struct arrival_list arrivals = STAILQ_HEAD_INITIALIZER(arrivals);
    struct resumed_list resumed = STAILQ_HEAD_INITIALIZER(resumed);

    bool ending = take(worker, &arrivals, &resumed);
    begin_connections(worker, &arrivals);
    *ret_resumed = !STAILQ_EMPTY(&resumed);
    resume(&resumed);
    return !ending;
}

/* 0: there is something to do already; -1: there is not. Only a connection that it is to be done with has a timeout (serve.c). */
static int patience_ms(struct MHD_Daemon *daemon) {
    MHD_UNSIGNED_LONG_LONG timeout_ms;
    return MHD_get_timeout(daemon, &timeout_ms) == MHD_YES ? 0 : -1;
}

static bool may_sleep(struct MHD_Daemon *daemon) {
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
    return info->num_connections + OTHER_EVENTS < EVENTS_AT_ONCE;
}

static int epoll_set(struct MHD_Daemon *daemon) {
    return MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

/* Woken, the thread does not take the core from who runs there, be it the engine, the store or a client on this machine: when it
 * runs, more requests have come, and it sleeps a tenth as often. Who computes without a pause keeps it for a few milliseconds
 * so. Where a sandbox does not let it, it can do without, and an operator's own policy stays. */
static void wait_for_a_free_core(void) {
    const struct sched_param none = { 0 };
    if (sched_getscheduler(0) == SCHED_OTHER)
        (void)sched_setscheduler(0, SCHED_BATCH, &none);
}

static void *work_on(void *context) {
    struct worker *worker = context;
    struct pollfd events = { epoll_set(worker->daemon), POLLIN, 0 };

    pthread_setname_np(pthread_self(), "http-worker");
    own = worker;
    wait_for_a_free_core();
    for (bool resumed; look_after(worker, &resumed);) {
        int wait_ms = resumed ? 0 : patience_ms(worker->daemon);
        bool sleeps = may_sleep(worker->daemon);
        if (!sleeps && wait_ms < 0)
            poll(&events, 1, wait_ms);
        MHD_run_wait(worker->daemon, sleeps ? wait_ms : 0);
    }
    return NULL;
}

/* ---- beginning and end ---- */

static enum err worker_open(struct worker *worker, struct http_server *server, struct tally *tally,
                            struct fault *fault) {
    worker->server = server;
    worker->tally = tally;
    worker->kept = kept_table_new();
    worker->wake_fd = -1;
    pthread_mutex_init(&worker->lock, NULL);
    STAILQ_INIT(&worker->arrivals);
    STAILQ_INIT(&worker->resumed);
    if (server->options.desk_new != NULL)
        worker->desk = server->options.desk_new(server->options.context);
    worker->daemon = serve_daemon(server);
    if (worker->daemon == NULL)
        return fault_set(fault, ERR_IO, "The HTTP threads cannot be started: %s.", strerrordesc_np(errno));
    worker->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.ptr = NULL }; /* no connection's: it passes it over */
    if (worker->wake_fd < 0 || epoll_ctl(epoll_set(worker->daemon), EPOLL_CTL_ADD, worker->wake_fd, &event) != 0)
        return fault_set(fault, ERR_IO, "Cannot make an eventfd: %s.", strerrordesc_np(errno));
    int reason = pthread_create(&worker->thread, NULL, work_on, worker);
    if (reason != 0)
        return fault_set(fault, ERR_IO, "The HTTP threads cannot be started: %s.", strerrordesc_np(reason));
    worker->running = true;
    return OK;
}

enum err workers_open(struct http_server *server, struct fault *fault) {
    server->workers = mem_new_array(server->options.threads, sizeof *server->workers);
    enum err err = OK;
    while (server->worker_count < server->options.threads && err == OK) {
        unsigned number = server->worker_count++;
        err = worker_open(&server->workers[number], server, &server->tallies[number], fault);
    }
    return err;
}

static void end_thread(struct worker *worker) {
    if (!worker->running)
        return;
    pthread_mutex_lock(&worker->lock);
    worker->ending = true;
    wake_and_unlock(worker);
    pthread_join(worker->thread, NULL);
    worker->running = false;
}

static void worker_close(struct worker *worker) {
    bool resumed;

    end_thread(worker);
    if (worker->daemon != NULL) {
        look_after(worker, &resumed); /* libmicrohttpd takes no end while it believes that a connection is suspended */
        MHD_stop_daemon(worker->daemon);
    }
    while (atomic_load(&worker->signallers) > 0) /* for the moment between a lock and a system call */
        sched_yield();
    if (worker->wake_fd >= 0)
        close(worker->wake_fd);
    pthread_mutex_destroy(&worker->lock);
    kept_table_free(worker->kept);
    if (worker->desk != NULL)
        worker->server->options.desk_free(worker->desk);
}

void workers_close(struct http_server *server) {
    for (unsigned i = 0; i < server->worker_count; i++)
        worker_close(&server->workers[i]);
    free(server->workers);
    server->workers = NULL;
    server->worker_count = 0;
}
