/* What running calls to language models hold of accounts until they are written: credits that they may cost, and
 * places; and how many read streams.
 *
 * The store knows of a call only at its end, so this is where its reservation is meanwhile. Any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/errors.h"
#include "store/store.h"

struct holds;

struct holds *holds_new(void) must_check;
void holds_free(struct holds *holds); /* NULL is fine */

/* Whose call it is, and the day that its charge belongs to. */
struct hold_owner {
    int64_t account, key;
    enum book book;
    int64_t day;
};

/* Calls at a time in each book, of the account and of the key; 0 for the key: no limit of its own. */
struct call_limits {
    unsigned account, key;
};

/* Takes a place and the credits, if the account and the key have both: ERR_TOO_MANY_STREAMS when as many as may run in
 * that book already, ERR_INSUFFICIENT_QUOTA when its balance does not cover this and what is held already (play credits
 * always do), ERR_KEY_BUDGET and ERR_KEY_BUDGET_DAY when the key's budget does not, or the store's error. */
enum err holds_take(struct holds *holds, struct store *store, const struct hold_owner *owner,
                    const struct budget *budget, int64_t microcredits, const struct call_limits *limits) must_check;
/* The call has ended, and its client is about to hear of it: its place is free, and so are the credits that it did
 * not use, `microcredits`. The rest is held until it is written. */
void holds_end(struct holds *holds, const struct hold_owner *owner, int64_t microcredits);
/* An ended call is written, or lost: the rest is free. */
void holds_give(struct holds *holds, const struct hold_owner *owner, int64_t microcredits);
/* A task is about to be stored, and what calls hold is read afterwards: from now on no call begins on its credits, until
 * holds_store_end says that it is stored or refused. Between commit and that they count twice, so that a call may be
 * refused which had just enough; none is let in which had not. */
void holds_store_begin(struct holds *holds, const struct hold_owner *owner, int64_t microcredits);
void holds_store_end(struct holds *holds, const struct hold_owner *owner, int64_t microcredits);
/* Whether nothing of the account is on its way to the store: every call that has ended is written. */
bool holds_settled(struct holds *holds, int64_t account);
/* What calls alone hold. */
int64_t holds_of(struct holds *holds, int64_t account, enum book book);
/* The same of one key. */
struct spending holds_of_key(struct holds *holds, int64_t account, int64_t key);

/* One more reader; ERR_TOO_MANY_STREAMS when there are `most` already. */
enum err holds_take_reader(struct holds *holds, int64_t account, unsigned most) must_check;
void holds_give_reader(struct holds *holds, int64_t account);
/* The same for one who waits for a task. */
enum err holds_take_waiter(struct holds *holds, int64_t account, unsigned most) must_check;
void holds_give_waiter(struct holds *holds, int64_t account);
