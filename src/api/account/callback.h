/* What the endpoints of callbacks have in common. HTTP thread. */
#pragma once

#include "api/internal.h"
#include "store/callback.h"

#define CALLBACK_ANSWER_MAX ((size_t)1 << 20)

/* The name in the path, checked for its form alone: ERR_CALLBACK_NOT_FOUND. */
enum err callback_read_id(struct exchange *exchange, struct text *ret, struct fault *fault) must_check;
/* A member in Unix seconds; null for 0. */
void callback_put_time(struct json_writer *json, const char *key, int64_t ms);
/* Answers with the delivery as the store has it, with its tries. */
void callback_reply(struct exchange *exchange, struct text id);

/* A store job that an exchange waits for; `work` lies in the exchange's arena. */
struct callback_work {
    struct store_job job;
    struct exchange *exchange;
    enum err err;
};
/* Posts it and suspends the exchange; `go_on` comes on an HTTP thread, work->err then says how it went. */
void callback_post(struct callback_work *work, struct exchange *exchange,
                   void (*run)(struct store_tx *tx, struct store_job *job), void (*go_on)(struct exchange *exchange));
