/* The hand-over of messages to the engine's thread. */
#include "engine/inbox.h"

#include <assert.h>

static void deliver_all(uv_async_t *wake) {
    struct inbox *inbox = wake->data;
    struct message_list taken = STAILQ_HEAD_INITIALIZER(taken);
    struct message *message;

    pthread_mutex_lock(&inbox->mutex);
    STAILQ_CONCAT(&taken, &inbox->messages);
    pthread_mutex_unlock(&inbox->mutex);

    while ((message = STAILQ_FIRST(&taken)) != NULL) {
        STAILQ_REMOVE_HEAD(&taken, link);
        message->deliver(inbox->engine, message);
    }
}

void inbox_init(struct inbox *inbox, uv_loop_t *loop, struct engine *engine) {
    int failure = uv_async_init(loop, &inbox->wake, deliver_all);
    assert(failure == 0);
    (void)failure;
    inbox->wake.data = inbox;
    inbox->engine = engine;
    STAILQ_INIT(&inbox->messages);
    pthread_mutex_init(&inbox->mutex, NULL);
}

void inbox_fini(struct inbox *inbox) {
    assert(STAILQ_EMPTY(&inbox->messages));
    pthread_mutex_destroy(&inbox->mutex);
}

void inbox_post(struct inbox *inbox, struct message *message) {
    pthread_mutex_lock(&inbox->mutex);
    bool first = STAILQ_EMPTY(&inbox->messages);
    STAILQ_INSERT_TAIL(&inbox->messages, message, link);
    if (first) /* under the lock: the engine may take this message as the last one before it closes the loop */
        uv_async_send(&inbox->wake);
    pthread_mutex_unlock(&inbox->mutex);
}
