/* The hand-over of messages to the thread of a loop. */
#include "net/inbox.h"

#include <assert.h>

static void take_all(struct inbox *inbox, bool close) {
    struct message_list taken = STAILQ_HEAD_INITIALIZER(taken);
    struct message *message;

    pthread_mutex_lock(&inbox->mutex);
    STAILQ_CONCAT(&taken, &inbox->messages);
    if (close) {
        inbox->closed = true;
    }
    pthread_mutex_unlock(&inbox->mutex);

    while ((message = STAILQ_FIRST(&taken)) != NULL) {
        STAILQ_REMOVE_HEAD(&taken, link);
        message->deliver(inbox->owner, message);
    }
}

static void woken(uv_async_t *wake) {
    take_all(wake->data, false);
}

void inbox_init(struct inbox *inbox, void *owner) {
    inbox->owner = owner;
    STAILQ_INIT(&inbox->messages);
    pthread_mutex_init(&inbox->mutex, NULL);
}

void inbox_fini(struct inbox *inbox) {
    assert(STAILQ_EMPTY(&inbox->messages));
    pthread_mutex_destroy(&inbox->mutex);
}

void inbox_open(struct inbox *inbox, uv_loop_t *loop) {
    int failure = uv_async_init(loop, &inbox->wake, woken);
    assert(failure == 0);
    (void)failure;
    inbox->wake.data = inbox;
}

void inbox_close(struct inbox *inbox) {
    take_all(inbox, true);
    uv_close((uv_handle_t *)&inbox->wake, NULL);
}

bool inbox_post(struct inbox *inbox, struct message *message) {
    pthread_mutex_lock(&inbox->mutex);
    bool open = !inbox->closed, first = STAILQ_EMPTY(&inbox->messages);
    if (open) {
        STAILQ_INSERT_TAIL(&inbox->messages, message, link);
    }
    if (open && first) { /* under the lock: this message may be the last one before the loop is closed */
        uv_async_send(&inbox->wake);
    }
    pthread_mutex_unlock(&inbox->mutex);
    return open;
}
