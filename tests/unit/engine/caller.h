/* A house with services of language models, and its clients' calls: gamma has two keys, delta one (fake_talker.h). */
#pragma once

#include "chat/dialect/failure.h"
#include "chat/stream.h"
#include "fake_talker.h"
#include "house.h"

#define CALLER_HOLD "{\"gamma\":\"hold\"}"

extern struct house caller_house;
extern struct group_config caller_group; /* of both accounts; may be changed before anything else is done */

/* For cmocka. The narrow one has one key and one place at gamma; the close looks at the books first. */
int caller_open(void **state);
int caller_open_narrow(void **state);
int caller_close(void **state);

/* A call of account 0, by its client. */
struct called {
    struct task_id id;
    struct chat_stream *stream;
};
enum err caller_try(const struct order *order, struct called *ret);
/* With a stream; the call begins, or the test fails. `reserved` 0: PRICE. */
struct called caller_call_with(const char *model, const char *input, int64_t reserved);
struct called caller_call(const char *model, const char *input);
/* Its client has gone. */
void caller_leave(const struct called *called);
/* Gives the stream back. */
void caller_done_with(struct called *called);

/* For house_await_true, with a stream as context. */
bool caller_has_ended(void *stream);
void caller_await_end(const struct called *called, enum chat_stream_state state);
void caller_assert_failed_as(const struct called *called, enum task_error error);
/* Attempts so far; calls in the queue now. */
void caller_await_started(unsigned count);
void caller_await_queued(unsigned count);
/* Has those that hold write three chunks. */
void caller_await_three_chunks(const struct called *called);

/* For store_list_tasks, with an unsigned as context. */
bool caller_count_task(const struct task_row *row, void *count);
unsigned caller_stored_tasks(void);
/* Of account 0, in its live book. */
int64_t caller_held(void);
/* What is written of a call, once all that has ended is: its state, what it was charged, and that it adds up (L3). */
void caller_assert_written(const struct called *called, enum task_state state, const char *events, const char *attempts,
                           int64_t charged);
/* The timeline's line of that kind has these words. */
void caller_assert_event_says(const struct called *called, const char *kind, const char *words);
