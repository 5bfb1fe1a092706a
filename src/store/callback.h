/* The rows of callbacks, and the verbs and readings that go with them; otherwise as store.h and tx.h say.
 *
 *             the task ends                2xx
 *   WAITING ---------------> DUE --------------------> DELIVERED
 *                           |   ^                           |
 *           tries used up   |   +------- sent anew ---------+
 *                           v                               |
 *                       GIVEN_UP ---------------------------+
 *
 * W1: it is inserted with the task, falls due in the transaction of the task's end, and ends by its tries alone. */
#pragma once

#include "store/tx.h"

enum callback_state { CALLBACK_WAITING, CALLBACK_DUE, CALLBACK_DELIVERED, CALLBACK_GIVEN_UP, CALLBACK_STATE_COUNT };
/* "waiting", "due", "delivered", "given_up"; pure. */
const char *callback_state_name(enum callback_state state);
bool callback_state_parse(struct text name, enum callback_state *ret) must_check;

/* "msg_" and 26 of a-z0-9, later ones sort later; terminated. It is also what receivers know a delivery by. */
#define CALLBACK_ID_SIZE 31
#define CALLBACK_URL_MAX 2048
#define CALLBACK_TRIES_KEPT 50 /* of a delivery's log; the oldest go first */

struct callback_row {
    int64_t number; /* given by the store, ascending */
    int64_t account;
    char id[CALLBACK_ID_SIZE];
    struct task_id task;
    bool test; /* of no task: sent to see whether somebody listens */
    enum callback_state state;
    int round; /* times it was sent anew by hand */
    int rung;  /* tries in this round */
    int tries; /* in all */
    int64_t due_ms;      /* of the next try, while DUE */
    int64_t deadline_ms; /* after which a failed try is the last */
    int64_t created_ms;
    int64_t ended_ms;    /* 0: not yet */
    int status;          /* of the last try's answer; 0: none */
    struct text lane;    /* scheme, host and port, by which deliveries take turns */
    struct text url;
    struct text base;    /* what our own URLs begin with in its body */
    struct text outcome; /* of the last try, a word; empty: none yet */
};
void callback_id_new(char ret[CALLBACK_ID_SIZE], int64_t now_ms);

struct callback_try_row {
    int64_t account;
    char callback[CALLBACK_ID_SIZE];
    int number; /* 1, 2, … */
    int64_t at_ms, duration_ms;
    int status; /* 0: no answer */
    struct text outcome;
    struct text excerpt; /* the start of the answer's body, UTF-8 without control characters */
};

#define CALLBACK_SECRET_SIZE 97 /* "whsec_" and base64 of at most 64 bytes, terminated */
struct callback_secret_row {
    int64_t account;
    int number;
    char secret[CALLBACK_SECRET_SIZE]; /* never logged, shown once */
    int64_t created_ms;
    int64_t expires_ms; /* 0: the current one */
};
#define CALLBACK_SECRETS_MAX 2 /* valid at a time */

/* ---- verbs ---- */

/* row->number is not read. ERR_EXISTS when the id is taken. */
void store_tx_add_callback(struct store_tx *tx, const struct callback_row *row);
/* The task has ended: what waits for it is due. */
void store_tx_callbacks_due(struct store_tx *tx, int64_t account, const struct task_id *task, int64_t now_ms,
                            int64_t deadline_ms);
/* One try: its line in the log, and what it means for the delivery, as `row` has it (state, rung, tries, due_ms,
 * ended_ms, status, outcome). A delivery that was sent anew meanwhile (another round) keeps its state, and so does one
 * that has ended unless this try delivered it. */
void store_tx_add_callback_try(struct store_tx *tx, const struct callback_row *row, const struct callback_try_row *log);
/* Given up without a try, for the reason in row->outcome. As above. */
void store_tx_give_up_callback(struct store_tx *tx, const struct callback_row *row);
/* Gives up those of the lane whose deadline is over, `limit` at most; *ret_count of them. */
void store_tx_give_up_late_callbacks(struct store_tx *tx, int64_t account, struct text lane, int64_t now_ms,
                                     unsigned limit, int64_t *ret_count);
/* Sends one anew, in a new round; its address is no longer taken for gone. ERR_NOT_FOUND: there is none, or it still
 * waits for its task. `announce`: to a server that another process is. */
void store_tx_replay_callback(struct store_tx *tx, int64_t account, struct text id, int64_t now_ms, int64_t deadline_ms,
                              bool announce);
/* Leaves the address alone until then (0: no longer). */
void store_tx_set_callback_gone(struct store_tx *tx, int64_t account, struct text url, int64_t until_ms);
/* Tells other processes that there may be callbacks due. */
void store_tx_announce_callbacks(struct store_tx *tx);

/* Makes `secret` the account's if it has none. */
void store_tx_ensure_callback_secret(struct store_tx *tx, int64_t account, struct text secret, int64_t now_ms);
/* Makes `secret` the current one; the one before signs on until `until_ms`, those before it no longer. */
void store_tx_rotate_callback_secret(struct store_tx *tx, int64_t account, struct text secret, int64_t now_ms,
                                     int64_t until_ms);
/* Ends all but the current one at once; *ret_count of them. */
void store_tx_revoke_callback_secrets(struct store_tx *tx, int64_t account, int64_t now_ms, int64_t *ret_count);

/* Removes deliveries that ended before `before_ms` with their tries, `limit` at most, and what is no longer gone. */
void store_tx_drop_callbacks(struct store_tx *tx, int64_t before_ms, int64_t now_ms, unsigned limit);

/* ---- reading ---- */

/* S2: the account is part of the key. */
enum err store_find_callback(struct store *store, int64_t account, struct text id, struct arena *arena,
                             struct callback_row *ret) must_check;
/* For operators: whichever account owns it. */
enum err store_find_callback_of_any(struct store *store, struct text id, struct arena *arena,
                                    struct callback_row *ret) must_check;
struct callback_filter {
    int64_t account;                  /* 0: all, for operators */
    const struct task_id *task;       /* NULL: all; needs an account */
    const enum callback_state *state; /* NULL: all */
    int64_t before;                   /* from before that number on; 0: from the newest */
    unsigned limit;
};
/* Newest first. */
enum err store_list_callbacks(struct store *store, const struct callback_filter *filter,
                              bool (*each)(const struct callback_row *, void *), void *context) must_check;
/* Oldest first. */
enum err store_list_callback_tries(struct store *store, int64_t account, struct text id,
                                   bool (*each)(const struct callback_try_row *, void *), void *context) must_check;
/* The lanes that have due deliveries, by account and lane, from after (account, lane) on; *due_ms is the earliest. */
enum err store_list_callback_lanes(struct store *store, int64_t account, struct text lane, unsigned limit,
                                   bool (*each)(int64_t account, struct text lane, int64_t due_ms, void *),
                                   void *context) must_check;
/* A lane's due deliveries, earliest first; those whose time has not come are last. */
enum err store_list_due_callbacks(struct store *store, int64_t account, struct text lane, unsigned limit,
                                  bool (*each)(const struct callback_row *, void *), void *context) must_check;
/* Until when that address is to be left alone; 0: it is not. */
enum err store_find_callback_gone(struct store *store, int64_t account, struct text url, int64_t now_ms,
                                  int64_t *ret) must_check;
/* The secrets that are valid now, the current one first, CALLBACK_SECRETS_MAX at most; *ret_count of them. */
enum err store_list_callback_secrets(struct store *store, int64_t account, int64_t now_ms,
                                     struct callback_secret_row ret[CALLBACK_SECRETS_MAX],
                                     unsigned *ret_count) must_check;
/* Whether there is something for store_tx_drop_callbacks. */
enum err store_callbacks_old(struct store *store, int64_t before_ms, int64_t now_ms, bool *ret) must_check;
/* How many are due. */
enum err store_count_due_callbacks(struct store *store, int64_t *ret) must_check;
