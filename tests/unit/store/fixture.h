/* A store in a directory of its own, and short ways to write into it. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <semaphore.h>

#include <cmocka.h>

#include "store/store.h"
#include "store/tx.h"

#define NOW_MS 1757165031000

struct fixture {
    char directory[64];
    struct store *store;
    struct arena arena;
    int64_t account; /* "acme", with 1,000 microcredits in the live book */
};

/* For cmocka: *state is a struct fixture, opened with the defaults. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* A fresh directory; removed with all that is in it. */
void directory_make(char ret[64]);
void directory_remove(const char *directory);
struct store *open_store(const char *directory);
/* The path of a file in the directory, in a buffer that the next call overwrites. */
const char *path_in(const char *directory, const char *name);

/* Runs `verb` as one job and waits for the outcome. */
enum err call(struct store *store, void (*verb)(struct store_tx *tx, void *context), void *context);

int64_t make_account(struct store *store, const char *name, int64_t microcredits);
int64_t balance_of(struct store *store, int64_t account, enum book book);
struct task_id fresh_id(void);
struct task_row pending_task(int64_t account, int64_t reserved);

/* A job that holds the writer until sem_post(&gate->open), so that what is posted meanwhile shares the next transaction. */
struct gate {
    struct store_job job;
    sem_t entered, open;
};
/* Returns when the writer is held. */
void gate_close(struct gate *gate, struct store *store);

/* What an accepted submission writes: task, input, reservation, event. */
struct acceptance {
    struct store_job job;
    struct task_row task;
};
void acceptance_run(struct store_tx *tx, struct store_job *job);
/* Accepts the task and asserts that it worked. */
void accept_task(struct store *store, const struct task_row *task);
/* Moves the task to its end, with its settlement: completed costs all of it, failed nothing. */
enum err finish_task(struct store *store, struct task_row task, enum task_state from, enum task_state to);
struct task_row stored_task(struct fixture *fixture, const struct task_row *task);

/* Runs SQL on the directory's database behind the store's back, constraints off. */
void tamper(const char *directory, const char *sql);

/* Asserts that the audit finds nothing; the other returns the number of findings and keeps the last one's words. */
void assert_sound(struct store *store);
unsigned audit(struct store *store, char ret_words[512]);
