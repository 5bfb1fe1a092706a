/* A house for an engine to live in: a temporary directory, a real store, real blobs, and accounts with credits. */
#pragma once

#include <stdbool.h>

#include "blob/blob.h"
#include "config/config.h"
#include "engine/engine.h"
#include "engine/seams.h"
#include "store/store.h"

struct house {
    char directory[64];
    struct store *store;
    struct blob_store *blobs;
    struct setup *setup;
    struct engine *engine;
    struct engine_seams seams;
    struct account_row accounts[2];
    bool keep; /* the directory stays */
    struct writer_hold *writer_hold; /* NULL: the writer is free */
};

#define HOUSE_CREDITS ((int64_t)1000 * MICROCREDITS)
#define PRICE ((int64_t)4 * MICROCREDITS)
#define HOUSE_BASE TEXT("http://house")

/* Opens store and blobs in a new directory (NULL) or that one; accounts "one" and "two" have credits. No engine yet. */
void house_open(struct house *house, const char *directory, const struct config *limits);
void house_start(struct house *house);
/* Stops at once: nothing is drained. */
void house_stop(struct house *house);
void house_close(struct house *house);

struct order {
    unsigned account; /* 0 or 1 */
    const char *model;
    const char *input; /* JSON */
    bool test;
    int64_t reserved; /* 0: PRICE */
    const struct submission_input *file; /* NULL: none */
    bool streams, reasons; /* of a language model */
};
/* Submits and waits for the answer; what engine_submit or `done` said. */
enum err house_submit(struct house *house, const struct order *order, struct task_id *ret);
/* Begins a call; what engine_call said. *ret_stream is the caller's reference. */
enum err house_call(struct house *house, const struct order *order, struct task_id *ret,
                    struct chat_stream **ret_stream);
/* engine_settled, waited for. */
void house_settle(struct house *house);
/* From its return on nothing that is posted to the store is written, until house_let_writer. */
void house_hold_writer(struct house *house);
void house_let_writer(struct house *house);
/* As above with an account and a model only; fails the test when it is not OK. */
struct task_id house_run(struct house *house, unsigned account, const char *model, const char *input);

/* Waits, some seconds at most, until the task is in that state in the store; fails the test when it does not come. */
void house_await(struct house *house, unsigned account, const struct task_id *id, enum task_state state);
void house_await_started(unsigned count);
void house_await_true(bool (*condition)(void *context), void *context);
/* engine_query's body, freed by the caller; NULL when there is no such task. */
char *house_query(struct house *house, unsigned account, const struct task_id *id, struct text base);
/* Cancels, and waits for the answer. */
enum err house_cancel(struct house *house, unsigned account, const struct task_id *id);

int64_t house_balance(struct house *house, unsigned account);
/* Kinds of the task's events, joined by spaces. */
void house_events(struct house *house, unsigned account, const struct task_id *id, char *ret, size_t size);
/* Waits until one of its events is of that kind. */
void house_await_event(struct house *house, unsigned account, const struct task_id *id, const char *kind);
/* States of its attempts, joined by spaces. */
void house_attempts(struct house *house, unsigned account, const struct task_id *id, char *ret, size_t size);
unsigned house_blobs(struct house *house);
/* What was asked for is no JSON any more: reading it fails. */
void house_spoil_input(struct house *house, const struct task_id *id);
/* Fails the test when the books do not add up. */
void house_audit(struct house *house);
