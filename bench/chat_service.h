/* What the simulated service of language models understands and says: the texts, without connections. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

#define SERVICE_EVENTS_MAX 4000u /* of one answer */
#define SERVICE_ANSWER_MAX (64u << 10)
#define SERVICE_EVENT_MAX 1024u /* bytes that one event takes, or the end of a stream, with its chunk */
#define SERVICE_DELAY_MAX 8192u /* milliseconds, exclusive: between events, and before a whole answer */

/* What goes out on one connection and is not written yet. */
struct outbox {
    size_t start, end;
    char bytes[SERVICE_ANSWER_MAX];
};
size_t outbox_room(const struct outbox *outbox);

struct chat_request {
    char model[64];
    uint32_t events, interval_ms;
    bool streams, wants_usage;
};

/* Reads an OpenAI request, as far as measurements need it. False: its model is not "…EVENTSxMILLISECONDS", or asks for
 * too much. `json` ends with a NUL. */
bool service_read(const char *json, struct chat_request *ret) must_check;

/* Each appends to an outbox that has room for it: a whole answer to an empty one, else SERVICE_EVENT_MAX a call. */
void service_put_json(struct outbox *outbox, const char *status, const char *json);
void service_put_refusal(struct outbox *outbox, const char *status, const char *why);
void service_put_whole(struct outbox *outbox, const struct chat_request *request);
void service_put_head(struct outbox *outbox); /* of a stream */
void service_put_event(struct outbox *outbox, const struct chat_request *request, uint32_t number, uint64_t now_us);
void service_put_end(struct outbox *outbox, const struct chat_request *request);
