/* The rows of the store as plain structs: what the verbs of store.h take and give.
 *
 * A struct text in a row that was read points into the arena given to the reader; in a row to be written it points
 * wherever the writer of the row keeps it. Times are wall milliseconds, money is microcredits. */
#pragma once

#include <stdint.h>

#include "base/crypto.h"
#include "base/id.h"
#include "base/text.h"
#include "core/budget.h"
#include "core/money.h"
#include "core/task.h"

/* Each account keeps two books: real credits, and the play credits of its test keys, which may go below zero. */
enum book { BOOK_LIVE, BOOK_TEST, BOOK_COUNT };

#define NAME_SIZE 65 /* account, group, key and provider names: 1 to 64 bytes and a NUL */

struct account_row {
    int64_t id;
    char name[NAME_SIZE];
    char group[NAME_SIZE];
    int64_t created_ms;
    int64_t balance[BOOK_COUNT];
    int64_t charged[BOOK_COUNT]; /* in all, by settlements */
    int64_t suspended_ms; /* since when its keys are refused; 0: they are not */
};

#define KEY_HASH_SIZE 32
#define KEY_PREFIX_SIZE 17
struct key_row {
    int64_t id;
    int64_t account;
    enum book book;
    uint8_t hash[KEY_HASH_SIZE]; /* the key itself is never kept */
    char prefix[KEY_PREFIX_SIZE]; /* its first characters, for people */
    char name[NAME_SIZE];
    int64_t created_ms;
    int64_t expires_ms; /* 0: never */
    int64_t revoked_ms; /* 0: not */
    int64_t requests_per_minute, concurrency; /* of its own, below its account's; 0: none */
    int64_t budget_total, budget_day;         /* microcredits that it may spend, in all and each UTC day; 0: no bound */
};
struct budget key_budget(const struct key_row *key);

/* What was used, of a day, a key and a model, or of several of them together. Tasks belong to the day of their
 * acceptance, and so does all that they cost. */
struct usage_row {
    int64_t day; /* since 1970-01-01 UTC */
    int64_t key;
    struct text model;
    int64_t tasks, completed, failed;     /* the rest is open */
    int64_t charged, refunded, returned; /* microcredits; `returned` operators gave back of what was charged */
};

struct task_row {
    int64_t account;
    struct task_id id;
    int64_t key;
    enum book book;
    enum task_type type;
    enum task_state state;
    int progress; /* 0 to 100 */
    enum billing_rule billing;
    enum task_error error;
    int64_t created_ms;
    int64_t started_ms;  /* of the first attempt; 0: none yet */
    int64_t finished_ms; /* 0: not final */
    int64_t reserved, charged, refunded;
    bool streams; /* its answer can be read while it comes into being */
    bool calls_back; /* somebody is told of its end */
    int64_t result_ttl_s; /* for which the files of its result are kept; 0: as the settings say */
    struct text model;
    struct text group;
    struct text results;       /* JSON array when completed; see core/answer.h for its placeholder */
    struct text error_message; /* when failed */
};

/* A reservation takes, a settlement gives back what was not charged; both exactly once a task. */
enum ledger_kind { LEDGER_CREDIT, LEDGER_RESERVE, LEDGER_SETTLE, LEDGER_ADJUST, LEDGER_KIND_COUNT };
const char *ledger_kind_name(enum ledger_kind kind);

struct ledger_row {
    int64_t sequence; /* given by the store, ascending in an account */
    int64_t account;
    enum book book;
    enum ledger_kind kind;
    int64_t microcredits; /* signed: what it adds to the balance */
    int64_t charged;      /* of a settlement: the part of the reservation that was kept */
    struct task_id task;  /* empty string: no task */
    int64_t at_ms;
    struct text note;
};

enum attempt_state { ATTEMPT_STARTED, ATTEMPT_SUCCEEDED, ATTEMPT_FAILED, ATTEMPT_ABANDONED, ATTEMPT_STATE_COUNT };
const char *attempt_state_name(enum attempt_state state);

struct attempt_row {
    int64_t account;
    struct task_id task;
    int number; /* 1, 2, … */
    enum attempt_state state;
    int64_t started_ms, ended_ms;
    struct text provider;
    struct text target;     /* the provider's own name of the model */
    struct text credential; /* which of the provider's keys: a fingerprint, never the key; empty: none */
    struct text remote;     /* the upstream's id of the job; empty: none known (T3) */
    struct text kept;       /* JSON that the adapter wants back; empty: nothing */
    struct text detail; /* why it ended as it did, for operators */
};

struct event_row {
    int64_t account;
    struct task_id task;
    int sequence; /* given by the store: 1, 2, … in a task */
    int64_t at_ms;
    struct text kind; /* accepted, dispatched, retried, recovered, completed, failed, cancelled, … */
    struct text data; /* a JSON object */
};

enum artifact_role { ARTIFACT_INPUT, ARTIFACT_OUTPUT };

/* A task's claim on a blob; the blob may go when the last claim on it is gone. Or the file itself, if it is small. */
struct artifact_row {
    int64_t account;
    struct task_id task;
    enum artifact_role role;
    int position; /* 0, 1, … in its role */
    char hash[SHA256_HEX_SIZE];
    int64_t size;
    int64_t expires_ms; /* 0: never */
    struct text media_type;
    struct text name; /* file name for people */
    struct text bytes; /* of a small file, to be stored with the row; TEXT_NONE: it is a blob. Never read with it */
    bool small;        /* read: it has such bytes, and claims no blob */
};

/* A file that a client has uploaded: its claim on a blob. */
struct file_row {
    int64_t account;
    struct file_id id;
    int64_t sequence; /* given by the store, ascending in an account */
    char hash[SHA256_HEX_SIZE];
    int64_t size;
    int64_t created_ms, expires_ms;
    struct text media_type;
    struct text name; /* for people: UTF-8, no path */
};
#define FILES_OF_ACCOUNT_MAX 10000

/* A key by which a client names a submission, so that the same sent again makes no second task. */
#define IDEMPOTENCY_NAME_MAX 255
struct idempotency_row {
    int64_t account;
    enum book book;
    struct text name;                  /* the key as it was sent */
    char fingerprint[SHA256_HEX_SIZE]; /* of what was asked for with it */
    struct task_id task;
    int64_t estimated_s; /* as the first answer said */
    int64_t expires_ms;
};

/* A provider or model that gets no new work until an operator says so. */
enum pause_kind { PAUSE_PROVIDER, PAUSE_MODEL, PAUSE_KIND_COUNT };

struct pause_row {
    enum pause_kind kind;
    struct text name;
    int64_t at_ms;
    struct text actor;  /* as in a change */
    struct text reason; /* in words; may be empty */
};

/* Something that an operator changed. */
struct change_row {
    int64_t number; /* given by the store, ascending */
    int64_t at_ms;
    int64_t account;     /* whom it concerns; 0: no account */
    struct text actor;   /* "cli" and the system's user, or "admin" and the prefix of the admin key */
    struct text action;  /* account.created, account.credited, key.revoked, provider.paused, … */
    struct text object;  /* what was changed: a name, a key's prefix, a task's id */
    struct text detail;  /* a JSON object; no secrets */
};
