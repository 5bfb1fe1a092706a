/* Streams of language models' tasks, by task, from the acceptance to the end; afterwards the store has their chunks
 * for a while. Any thread. */
#pragma once

#include "engine/task/live.h"

struct chat_stream;
struct streams;

struct streams *streams_new(void) must_check;
/* NULL is fine. */
void streams_free(struct streams *streams);
/* Gives a language model's task its stream; others nothing. It can be found if the task was submitted with one. */
void streams_begin(struct streams *streams, struct live_task *task);
/* Not there is fine. */
void streams_remove(struct streams *streams, const struct task_key *key);
