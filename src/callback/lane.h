/* The lanes that are known: an account's receivers, with their places and circuit breakers. Loop. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/hash_table.h"
#include "base/text.h"
#include "core/breaker.h"

enum lane_phase {
    LANE_IDLE,     /* until one of its tries ends */
    LANE_READY,    /* in its turn to be looked into */
    LANE_LOOKING,  /* being looked into */
    LANE_SLEEPING, /* until wake_ms */
};

/* How many tries an account has under way. */
struct lane_account {
    UT_hash_handle hh;
    int64_t account;
    unsigned lanes, running;
};

struct lane {
    UT_hash_handle hh;
    TAILQ_ENTRY(lane) link; /* in the list of its phase, READY or SLEEPING */
    struct lane_account *owner;
    enum lane_phase phase;
    bool again; /* something fell due while it was looked into */
    bool test;  /* of tests: no breaker */
    unsigned running;
    int64_t wake_ms;       /* monotonic */
    int64_t open_since_ms; /* monotonic: its circuit has not closed since; 0: it is closed */
    struct breaker breaker;
    size_t key_size;
    char key[]; /* the account's bytes, then the lane's name */
};
TAILQ_HEAD(lane_list, lane);

struct lanes {
    struct lane *table;
    struct lane_account *accounts;
    struct lane_list ready, sleeping;
    unsigned count, max, max_of_account;
};

void lanes_init(struct lanes *lanes, unsigned max);
void lanes_fini(struct lanes *lanes);

struct lane *lane_find(const struct lanes *lanes, int64_t account, struct text name);
/* Found, or made; NULL when there are as many as may be, in all or of one account (a quarter). A fresh one is READY. */
struct lane *lane_ensure(struct lanes *lanes, int64_t account, struct text name);
/* Forgets it; nothing of it runs. */
void lane_remove(struct lanes *lanes, struct lane *lane);
int64_t lane_account(const struct lane *lane);
struct text lane_name(const struct lane *lane);

/* From one phase to another. */
void lane_be_idle(struct lanes *lanes, struct lane *lane);
void lane_be_ready(struct lanes *lanes, struct lane *lane);
void lane_be_looked_into(struct lanes *lanes, struct lane *lane);
void lane_sleep(struct lanes *lanes, struct lane *lane, int64_t until_ms);
/* Something may be due at once, or from `due_ms` (monotonic) on, whatever it is at. */
void lane_wake(struct lanes *lanes, struct lane *lane, int64_t due_ms, int64_t now_ms);
/* Wakes the sleepers whose time has come; the next one's time, INT64_MAX: nobody sleeps. */
int64_t lanes_wake_due(struct lanes *lanes, int64_t now_ms);
