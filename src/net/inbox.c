/* The hand-over of messages to the thread of a loop.
 *
 * The loop is woken by an eventfd of ours, since libuv's own signal is not for hurry: whoever is woken waits, busily, until
 * the one who sent it has come back from its system call. */
#include "net/inbox.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void take_all(struct inbox *inbox, bool closes) {
    struct message_list taken = STAILQ_HEAD_INITIALIZER(taken);
    struct message *message;

    pthread_mutex_lock(&inbox->mutex);
    STAILQ_CONCAT(&taken, &inbox->messages);
    inbox->signalled = false;
    if (closes) {
        inbox->closed = true;
    }
    pthread_mutex_unlock(&inbox->mutex);

    while ((message = STAILQ_FIRST(&taken)) != NULL) {
        STAILQ_REMOVE_HEAD(&taken, link);
        message->deliver(inbox->owner, message);
    }
}

static void woken(uv_poll_t *wake, int status, int events) {
    struct inbox *inbox = wake->data;
    uint64_t count;
    assert(status == 0);
    (void)status, (void)events;
    (void)!read(inbox->wake_fd, &count, sizeof count); /* first: whoever comes now wakes anew */
    take_all(inbox, false);
}

void inbox_init(struct inbox *inbox, void *owner) {
    inbox->owner = owner;
    inbox->closed = inbox->signalled = false;
    inbox->wake_fd = -1;
    atomic_init(&inbox->signallers, 0);
    STAILQ_INIT(&inbox->messages);
    pthread_mutex_init(&inbox->mutex, NULL);
}

void inbox_fini(struct inbox *inbox) {
    assert(STAILQ_EMPTY(&inbox->messages));
    assert(inbox->wake_fd < 0);
    pthread_mutex_destroy(&inbox->mutex);
}

enum err inbox_open(struct inbox *inbox, uv_loop_t *loop, struct fault *fault) {
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) {
        return fault_set(fault, ERR_IO, "Cannot make an eventfd: %s.", strerrordesc_np(errno));
    }
    int failure = uv_poll_init(loop, &inbox->wake, fd);
    if (failure != 0) {
        close(fd);
        return fault_set(fault, ERR_IO, "An eventfd cannot be watched: %s.", uv_strerror(failure));
    }
    inbox->wake_fd = fd;
    inbox->wake.data = inbox;
    uv_poll_start(&inbox->wake, UV_READABLE, woken);
    return OK;
}

void inbox_close(struct inbox *inbox) {
    if (inbox->wake_fd < 0) {
        return;
    }
    take_all(inbox, true);
    uv_close((uv_handle_t *)&inbox->wake, NULL);
    while (atomic_load(&inbox->signallers) > 0) { /* moments: each is about to write, or gathers */
        sched_yield();
    }
    close(inbox->wake_fd);
    inbox->wake_fd = -1;
}

/* ---- from other threads ---- */

/* Of this thread, while its posts are gathered. */
static _Thread_local bool gathers;
static _Thread_local struct inbox *gathered; /* where it has left some, as one of the signallers; NULL: nowhere */

/* The lock is not held meanwhile: who is woken would wait for it. */
static void signal_owner(struct inbox *inbox) {
    const uint64_t one = 1;
    ssize_t written = write(inbox->wake_fd, &one, sizeof one);
    assert(written == sizeof one);
    (void)written;
}

/* Somebody else's message may have woken the loop meanwhile, which has then taken these, too, or is about to. */
static void signal_gathered(void) {
    struct inbox *inbox = gathered;
    gathered = NULL;
    if (inbox == NULL) {
        return;
    }
    pthread_mutex_lock(&inbox->mutex);
    bool signals = !inbox->signalled && !STAILQ_EMPTY(&inbox->messages);
    inbox->signalled = inbox->signalled || signals;
    pthread_mutex_unlock(&inbox->mutex);
    if (signals) {
        signal_owner(inbox);
    }
    atomic_fetch_sub(&inbox->signallers, 1);
}

void inbox_gather(bool begins) {
    gathers = begins;
    if (!begins) {
        signal_gathered();
    }
}

bool inbox_post(struct inbox *inbox, struct message *message) {
    if (gathered != inbox) {
        signal_gathered();
    }
    pthread_mutex_lock(&inbox->mutex);
    bool open = !inbox->closed;
    bool signals = open && !gathers && !inbox->signalled, leaves = open && gathers && gathered != inbox;
    if (open) {
        STAILQ_INSERT_TAIL(&inbox->messages, message, link);
        inbox->signalled = inbox->signalled || signals;
    }
    if (signals || leaves) {
        atomic_fetch_add(&inbox->signallers, 1);
    }
    pthread_mutex_unlock(&inbox->mutex);
    if (leaves) {
        gathered = inbox;
    } else if (signals) {
        signal_owner(inbox);
        atomic_fetch_sub(&inbox->signallers, 1);
    }
    return open;
}
