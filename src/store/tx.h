/* The verbs of a transaction. The error is sticky: after the first failure all verbs do nothing, and the job as a whole
 * is rolled back and reported to its `done`. Writer thread only, inside store_job.run. */
#pragma once

#include "store/store.h"

enum err store_tx_error(const struct store_tx *tx);
void store_tx_fail(struct store_tx *tx, enum err err);

/* Makes the account (in the group "default" if `group` is empty), or finds it by name (the group is then set if `group`
 * is not empty). *ret_id is its id. A name that is empty or does not fit is ERR_TOO_LONG. */
void store_tx_ensure_account(struct store_tx *tx, struct text name, struct text group, int64_t now_ms, int64_t *ret_id);
/* Makes the account; ERR_EXISTS when the name is taken, ERR_TOO_LONG when name or group is empty or does not fit. */
void store_tx_add_account(struct store_tx *tx, struct text name, struct text group, int64_t now_ms, int64_t *ret_id);
/* False, *ret_id untouched, when there is none, and after a failure. */
bool store_tx_find_account(struct store_tx *tx, struct text name, int64_t *ret_id) must_check;
/* True when that changed something. An account that is not there has nothing to change. */
bool store_tx_set_group(struct store_tx *tx, int64_t account, struct text group);
/* 0 lets its keys in again. True when that changed something. */
bool store_tx_set_suspended(struct store_tx *tx, int64_t account, int64_t suspended_ms);
/* False, *ret untouched, when the account has no key of that id, and after a failure. */
bool store_tx_find_key(struct store_tx *tx, int64_t account, int64_t id, struct key_row *ret) must_check;
/* Writes name, limits and budgets of the account's key of that id; ERR_NOT_FOUND when there is none, or it is revoked. */
void store_tx_set_key(struct store_tx *tx, const struct key_row *key);
void store_tx_revoke_key_by_id(struct store_tx *tx, int64_t account, int64_t id, int64_t now_ms); /* ERR_NOT_FOUND as above */
/* key->id is filled in. ERR_EXISTS when the hash is taken, ERR_NOT_FOUND when the account is not there. */
void store_tx_add_key(struct store_tx *tx, struct key_row *key);

/* Whether the key's budgets cover so much more on that day, beside what was spent and what is `held`; ERR_KEY_BUDGET,
 * ERR_KEY_BUDGET_DAY. Nothing when it has none. */
void store_tx_check_budget(struct store_tx *tx, const struct key_row *key, const struct spending *held, int64_t day,
                           int64_t microcredits);

/* Appends to the ledger and moves the balance with it (L1). A negative amount that the live book does not cover is
 * ERR_INSUFFICIENT_QUOTA; a second reservation or settlement of one task is ERR_EXISTS (L3). A settlement of a task that
 * reserved nothing in that book is ERR_NOT_FOUND, one that does not add up to the reservation ERR_CONFLICT; an amount or
 * balance beyond MONEY_MAX, or an entry with the wrong sign, is ERR_OUT_OF_RANGE. What a settlement gives back may go
 * beyond. */
void store_tx_add_ledger(struct store_tx *tx, const struct ledger_row *entry);
/* Reservation and settlement of a task that is added with its end, as its row says: two entries, and the balance moved by
 * what they come to. As above; ERR_CONFLICT also when the row does not add up (L3). */
void store_tx_add_bill(struct store_tx *tx, const struct task_row *task, int64_t at_ms);
/* Gives back something of what a final task was charged, beside its settlement: adds the entry (LEDGER_ADJUST, of that task,
 * not negative) and keeps usage and what the key has spent. ERR_TASK_OPEN; ERR_OUT_OF_RANGE when it is more than was
 * charged and not given back so far. */
void store_tx_return_charge(struct store_tx *tx, const struct task_row *task, const struct ledger_row *entry);
/* What was given back of the task's charge so far; 0 after a failure. */
int64_t store_tx_returned(struct store_tx *tx, int64_t account, const struct task_id *task);
/* The account's last entry; 0 after a failure. */
int64_t store_tx_last_entry(struct store_tx *tx, int64_t account);
/* Keeps an order's reference with its entry; ERR_EXISTS. */
struct credit_reference {
    int64_t account;
    struct text reference;
    int64_t sequence, microcredits;
    struct task_id task; /* empty: none */
};
void store_tx_add_reference(struct store_tx *tx, const struct credit_reference *reference);
/* By account and reference, the rest is filled in; false when there is none. */
bool store_tx_find_reference(struct store_tx *tx, struct credit_reference *reference);
/* What the account has now; 0 after a failure. */
int64_t store_tx_balance(struct store_tx *tx, int64_t account, enum book book);

/* A new PENDING task with its input (JSON object text); its timeline begins with `accepted`. ERR_EXISTS when the id is taken. */
void store_tx_add_task(struct store_tx *tx, const struct task_row *task, struct text input);
/* The same of one that nobody was told of before its end: final, stamped and settled (ERR_CONFLICT), and without an
 * input. */
void store_tx_add_final_task(struct store_tx *tx, const struct task_row *task);
/* Writes state, progress, times, money, results and error of *task if the stored state is still `from`;
 * ERR_TASK_FINAL when the stored state is final (T1), ERR_CONFLICT when it is another, ERR_NOT_FOUND when there is no such
 * task. The progress is never lowered. A final task must be stamped (finished_ms) and hold no reservation
 * (charged + refunded = reserved), else ERR_CONFLICT (T1, L3). */
void store_tx_move_task(struct store_tx *tx, const struct task_row *task, enum task_state from);
/* Raises the progress of a PROCESSING task; a lower value changes nothing. */
void store_tx_raise_progress(struct store_tx *tx, int64_t account, const struct task_id *id, int progress);
/* For a task that has ended: its input goes, and its claims on input blobs expire now. None is fine. */
void store_tx_drop_inputs(struct store_tx *tx, int64_t account, const struct task_id *id, int64_t now_ms);

/* T3: durable before the request leaves. Attempts, events and artifacts of a task that is not there, or another
 * account's, are ERR_NOT_FOUND (S2); an attempt's number and an artifact's place are taken once (ERR_EXISTS). */
void store_tx_add_attempt(struct store_tx *tx, const struct attempt_row *attempt);
/* The upstream has the job: under this id, with what its adapter keeps. */
void store_tx_set_attempt_remote(struct store_tx *tx, int64_t account, const struct task_id *id, int number,
                                 struct text remote, struct text kept);
/* Writes state, end and detail, and the remote id if there is one. */
void store_tx_end_attempt(struct store_tx *tx, const struct attempt_row *attempt);

/* The next event of a task's timeline. */
void store_tx_add_event(struct store_tx *tx, const struct event_row *event);
/* The same with a place of the caller's, from 2, since the task itself tells its acceptance, or from 3, when an attempt with the
 * number 1 tells its dispatch: for a task that is added in this job, whose timeline nobody else writes. ERR_EXISTS when it is
 * taken. */
void store_tx_add_event_at(struct store_tx *tx, const struct event_row *event, int64_t sequence);

void store_tx_add_artifact(struct store_tx *tx, const struct artifact_row *artifact);
/* After inputs were added: ERR_STORAGE_FULL when those of all the account's tasks, each file once, are more than `quota`
 * bytes (0: no bound). What uploads take is not looked at. */
void store_tx_check_input_space(struct store_tx *tx, int64_t account, int64_t quota);
/* The files of a completed task's result, all of them, are kept until then, and its results are these, with links that say
 * so. ERR_CONFLICT, unless it is completed and has `count` files that expire at `expired_ms`, after `now_ms`. */
struct results_renewal {
    int64_t expired_ms, expires_ms, now_ms;
    unsigned count;
    struct text results;
};
void store_tx_renew_results(struct store_tx *tx, int64_t account, const struct task_id *id,
                            const struct results_renewal *renewal);
/* By task, role and position, if it still expires when the row says; gone already, or renewed, is fine. */
void store_tx_remove_artifact(struct store_tx *tx, const struct artifact_row *artifact);

/* One more file of the account; file->sequence is not looked at. Where space is wanting (`quota` bytes, 0: no bound, and
 * FILES_OF_ACCOUNT_MAX files), those go that have expired by file->created_ms, then, if `evicts`, the oldest, and `gone` is
 * told of each, without its texts; it must forget them when the job fails. ERR_FILE_TOO_LARGE when the file alone is more
 * than the quota (nothing goes then), ERR_STORAGE_FULL, ERR_EXISTS when the id is taken. */
void store_tx_add_file(struct store_tx *tx, const struct file_row *file, int64_t quota, bool evicts,
                       void (*gone)(const struct file_row *file, void *context), void *context);
/* False when there is no such file, or after a failure; else *ret is what it was, without its texts. */
bool store_tx_remove_file(struct store_tx *tx, int64_t account, const struct file_id *id, struct file_row *ret);

/* The chunks of a stream that has ended, a line each, readable until `expires_ms`; ERR_EXISTS when there are some. */
void store_tx_add_stream(struct store_tx *tx, int64_t account, const struct task_id *id, int64_t expires_ms,
                         struct text chunks);
/* Removes streams that have expired, `limit` at most. */
void store_tx_drop_streams(struct store_tx *tx, int64_t now_ms, unsigned limit);

/* In the job that makes the task. ERR_IDEMPOTENCY_KEY_REUSED when the account's book has a row of that name which has not
 * expired at `now_ms`; an expired one is replaced. */
void store_tx_add_idempotency(struct store_tx *tx, const struct idempotency_row *row, int64_t now_ms);
/* Removes rows that have expired, `limit` at most. */
void store_tx_drop_idempotency(struct store_tx *tx, int64_t now_ms, unsigned limit);

/* One line in the record of what operators changed; in the job that makes the change. */
void store_tx_add_change(struct store_tx *tx, const struct change_row *change);

/* Operators' keys are key rows of account 0; key->id is filled in. */
void store_tx_add_admin_key(struct store_tx *tx, struct key_row *key);
/* ERR_NOT_FOUND when there is none, or it is revoked already. */
void store_tx_revoke_admin_key(struct store_tx *tx, int64_t id, int64_t now_ms);
/* False when it was paused, or was not, before. The generation of the store moves on. */
bool store_tx_add_pause(struct store_tx *tx, const struct pause_row *pause);
bool store_tx_drop_pause(struct store_tx *tx, enum pause_kind kind, struct text name);
