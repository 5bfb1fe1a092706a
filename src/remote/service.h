/* One service and what is shared by all attempts at it: adapter, addresses, credentials, and whose turn it is to ask.
 *
 * Each request waits for its turn, so that no number of jobs makes more than a few requests at a time, and none is lost
 * because there were too many. Submissions and questions have turns of their own: a service that answers only when its
 * work is done must not keep others' questions waiting. The engine's thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "net/alarms.h"
#include "net/fetch.h"
#include "net/guard.h"
#include "provider/driver.h"
#include "remote/credentials.h"
#include "remote/plan.h"

struct adapter;
struct batch_group;
struct question;
struct provider_config;

enum lane { LANE_SUBMIT, LANE_ASK, LANE_COUNT };

struct turn {
    TAILQ_ENTRY(turn) link;
    enum lane lane;
    bool waiting;
    void (*go)(struct turn *turn); /* it has its turn now, until service_end_turn */
};
TAILQ_HEAD(turn_list, turn);

struct service {
    LIST_ENTRY(service) link;
    struct driver_host host;
    char *name;
    const struct adapter *adapter;
    const struct provider_config *config; /* NULL: not configured */
    const char *override;                 /* the operator's URL; NULL: the adapter's own */
    bool may_be_private;                  /* what is at that URL; it is one that can be read */
    struct guard_url origin;              /* of that URL, then */
    struct poll_plan plan;
    struct credential_cache credentials;
    struct turn_list waiting[LANE_COUNT];
    unsigned running[LANE_COUNT];
    bool pumping;
    bool breathless; /* the HTTP client is full; the timer tells when to try again */
    struct alarms alarms; /* of its jobs, and breath */
    struct alarm breath;
    unsigned values; /* that its jobs have made and not forgotten */
    LIST_HEAD(, batch_group) groups;
    unsigned group_count;
    LIST_HEAD(, question) questions;
};

/* NULL when the provider has no adapter. Freed by service_close once the loop has run its closing callbacks. */
struct service *service_open(const struct driver_host *host, const char *name);
/* After all attempts at it are done. */
void service_close(struct service *service);
/* A driver's services; zero is an empty list. The one of that name, opened when it is not there yet; NULL (as for a
 * name that is NULL) when the provider has no adapter. */
LIST_HEAD(service_list, service);
struct service *service_find(struct service_list *list, const struct driver_host *host, const char *name);
/* Closes them all. */
void service_list_close(struct service_list *list);
/* The base URL in force. */
const char *service_url(const struct service *service);
/* S1: only the operator's own address may be a private one, and only where they say so. */
enum fetch_trust service_trust(const struct service *service, const char *url);

/* turn->go is called when it is its turn, which may be at once. */
void service_take_turn(struct service *service, enum lane lane, struct turn *turn);
/* It does not want any more; nothing happens when it does not wait. */
void service_drop_turn(struct service *service, struct turn *turn);
/* From within go: the HTTP client has no room; go is called again later. */
void service_put_off(struct service *service, struct turn *turn);
/* Whoever had a turn is ready. */
void service_end_turn(struct service *service, enum lane lane);
