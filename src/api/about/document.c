/* Documents under a lock of their own each: the first one to ask under a setup makes it, and the others wait for that. */
#include "api/about/document.h"

#include <pthread.h>
#include <stdlib.h>

#include "api/internal.h"
#include "base/crypto.h"
#include "base/memory.h"

#define DOCUMENT_MAX ((size_t)16 << 20)

struct document {
    enum err (*render)(const struct setup *setup, struct buffer *buf, struct fault *fault);
    pthread_mutex_t lock;
    uint64_t setup; /* number of the setup that the text was made for; 0: none yet */
    struct buffer text;
    uint64_t tag;
};

struct document *document_new(enum err (*render)(const struct setup *setup, struct buffer *buf, struct fault *fault)) {
    struct document *document = mem_new(sizeof *document);

    document->render = render;
    pthread_mutex_init(&document->lock, NULL);
    buffer_init(&document->text, DOCUMENT_MAX);
    return document;
}

void document_free(struct document *document) {
    if (document == NULL)
        return;
    buffer_fini(&document->text);
    pthread_mutex_destroy(&document->lock);
    free(document);
}

static enum err make(struct document *document, const struct setup *setup, struct fault *fault) {
    document->setup = 0;
    buffer_clear(&document->text);
    enum err err = document->render(setup, &document->text, fault);
    if (err != OK)
        return err;
    if (!buffer_ok(&document->text))
        return fault_set(fault, ERR_NO_MEMORY, "The document is larger than %zu bytes.", DOCUMENT_MAX);
    document->tag = crypto_tag(buffer_text(&document->text));
    document->setup = setup->number;
    return OK;
}

/* Nothing is copied for a client that has it. */
static void send_copy(const struct document *document, struct exchange *exchange) {
    struct buffer body;

    buffer_init(&body, DOCUMENT_MAX);
    if (!exchange_has(exchange, document->tag))
        buffer_put(&body, buffer_text(&document->text));
    reply_header(exchange, "Cache-Control", "no-cache");
    reply_json_tagged(exchange, document->tag, &body);
    buffer_fini(&body);
}

void document_reply(struct document *document, struct exchange *exchange) {
    struct setup *setup = engine_setup(api_of(exchange)->engine);
    struct fault fault = { .err = OK };
    enum err err = OK;

    pthread_mutex_lock(&document->lock);
    if (document->setup != setup->number)
        err = make(document, setup, &fault);
    if (err == OK)
        send_copy(document, exchange);
    pthread_mutex_unlock(&document->lock);
    setup_unref(setup);
    if (err != OK)
        refuse(exchange, &fault);
}
