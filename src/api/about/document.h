/* A JSON document that the setup in force decides: made when it is first asked for under a setup, and kept. */
#pragma once

#include "base/errors.h"

struct buffer;
struct document;
struct exchange;
struct setup;

/* `render` appends the document, or fails with a fault; it is called by one thread at a time. Freed by document_free, which
 * takes NULL. */
struct document *document_new(enum err (*render)(const struct setup *setup, struct buffer *buf, struct fault *fault)) must_check;
void document_free(struct document *document);
/* Answers with it, or 304 where the client has it. Any HTTP thread. */
void document_reply(struct document *document, struct exchange *exchange);

/* What document_new takes. */
enum err openapi_render(const struct setup *setup, struct buffer *buf, struct fault *fault) must_check;
enum err pricing_render(const struct setup *setup, struct buffer *buf, struct fault *fault) must_check;
