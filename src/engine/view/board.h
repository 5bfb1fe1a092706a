/* The board: the answers of live tasks and of those read lately, so that a poll costs one look-up and one copy.
 *
 * Live tasks are always on it: the submission puts them there, each move replaces them; they are rendered at each read.
 * Final ones stay within a number of bytes, the least read go first; they are rendered at the first read, for that
 * reader's base URL, and another base renders them anew. S2: the account is part of the key. Any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/buffer.h"
#include "core/answer.h"
#include "engine/task/live.h"
#include "store/rows.h"

struct board;
struct queue_gauge;

/* `final_bytes_max` bounds what final tasks take, 0: 64 MiB. */
struct board *board_new(size_t final_bytes_max) must_check;
void board_free(struct board *board);

/* Shows the task as `row` has it, in place of what was shown before; texts are copied. */
void board_put(struct board *board, const struct task_row *row, int64_t estimated_s);
/* Where a pending task waits; the board takes a reference of its own. Nothing when the task is not on the board. */
void board_set_place(struct board *board, const struct task_key *key, struct queue_gauge *gauge, uint64_t sequence);
/* Shows a higher progress of a task that is processing. */
void board_raise_progress(struct board *board, const struct task_key *key, int progress);
void board_forget(struct board *board, const struct task_key *key);

/* Appends the task query's body; false when the task is not there (nothing appended). *ret_tag is the body's. */
bool board_read(struct board *board, const struct task_key *key, struct text base, struct buffer *body,
                uint64_t *ret_tag) must_check;
/* Keeps a final task read from the store, with the body just rendered for `base`, whose tag that is. */
void board_keep(struct board *board, const struct task_row *row, struct text base, struct text body, uint64_t tag);

/* How a task stands, without its body. */
struct board_look {
    enum task_state state;
    int progress;
    uint64_t version; /* another one whenever state or progress has changed */
    uint64_t latest;  /* another one then, and when its timeline has more */
};
/* False when the task is not there. */
bool board_look(struct board *board, const struct task_key *key, struct board_look *ret) must_check;

/* Somebody who wants to know when a task changes. Embedded, zeroed at first; the board's own while it watches. */
struct board_watch {
    struct task_key key;
    bool timeline; /* also when its timeline has more; else when state or progress change */
    /* Called once for each board_watch that returned true, unless board_unwatch came before; without locks, on the thread
     * that brought the change, which must not be held up. */
    void (*changed)(struct board_watch *watch);
    bool watching;
    LIST_ENTRY(board_watch) link;
};
/* False: the task is not there, is final, is no longer as `seen` (a version, or latest) says, or the board is closed. */
bool board_watch(struct board *board, struct board_watch *watch, uint64_t seen) must_check;
/* True: `changed` will not be called. False: it was, or is about to be, or nothing is watched. */
bool board_unwatch(struct board *board, struct board_watch *watch);
/* Whether anybody watches it now. */
bool board_is_watched(struct board *board, const struct task_key *key) must_check;
/* The timeline has more than before. */
void board_note(struct board *board, const struct task_key *key);
/* Nothing can be watched any more; those who watch are told. Reading goes on. */
void board_close(struct board *board);

/* What an answer says of a row; estimate and place in the queue are the caller's. */
struct answer answer_of_row(const struct task_row *row);

struct board_counts {
    uint64_t entries, hits, misses, final_bytes;
};
struct board_counts board_counts(struct board *board);
