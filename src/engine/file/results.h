/* From results with tokens to the results that are stored and shown: pure, any thread. */
#pragma once

#include "base/buffer.h"

struct model_results;

/* In every object of the array whose "url" is the token of an artifact: "content_type", where there is one, becomes the
 * media type that was sniffed, types[index]. */
void results_set_types(struct model_results *results, const char *const *types);

/* Appends the array as compact JSON, every token replaced by ANSWER_BASE and what `put_link` appends for that artifact:
 * path and query. Failure is the buffer's. */
void results_put(struct buffer *buf, const struct model_results *results,
                 void (*put_link)(struct buffer *buf, unsigned index, void *context), void *context);
