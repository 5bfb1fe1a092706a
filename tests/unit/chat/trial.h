/* What tests of streams have in common: the same bytes come in every way in which they can be cut. */
#pragma once

#include "base/buffer.h"
#include "chat/dialect/dialect.h"
#include "tests.h"

/* Runs `once` with the bytes cut in two at every place (the ends too), and byte by byte; `once` gets them as pieces,
 * and must write what came of it into `seen`. Fails unless that is `expected` every time. */
void trial_pieces(struct text bytes, const char *expected,
                  void (*once)(const struct text *pieces, size_t count, struct buffer *seen, void *context),
                  void *context);

/* The same for a streamed answer: what comes of it is a line each of
 *   chunk <JSON>         as the sink got it; its value is checked to be the same
 *   usage <input> <output> <cached> <reasoning>[ estimated]
 *   done                 or
 *   failed <task error's code> <scope> <again or final> <message>      or
 *   error <name of the err> */
void trial_stream(const struct chat_dialect *dialect, const struct chat_call *call, struct text bytes,
                  const char *expected);

/* "<code> <scope> <again or final>[ <delay>ms] <type>/<code>/<param>: <message>", for comparisons. */
void trial_put_failure(const struct chat_failure *failure, struct buffer *buf);
