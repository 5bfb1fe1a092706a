/* The public keys that services sign their webhooks with: fetched when first needed, kept for a day, and fetched anew
 * when none of them fits, at most once a minute.
 *
 * Engine's thread only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "net/fetch.h"
#include "net/webhook.h"

struct engine;
struct key_set;

#define KEY_SETS_MAX 16
#define KEY_WAITS_MAX 256 /* of all sets together */

/* One who waits for a set to be fetched. `then` comes once, whether it could be had or not. */
struct key_wait {
    void (*then)(struct engine *engine, struct key_wait *wait);
    TAILQ_ENTRY(key_wait) link;
};

/* The set at that URL, made now if need be. NULL: too many of them are being fetched. */
struct key_set *key_set_find(struct engine *engine, const char *url, enum fetch_trust trust);
/* NULL: none are known that are fresh enough. */
const struct webhook_public_keys *key_set_known(const struct key_set *set);

enum key_set_answer {
    KEY_SET_ASKED,      /* `then` will come */
    KEY_SET_CURRENT,    /* they were fetched a moment ago and would be the same */
    KEY_SET_UNAVAILABLE /* they could not be had a moment ago, or too many wait already */
};
/* Has the set fetched. */
enum key_set_answer key_set_ask(struct engine *engine, struct key_set *set, struct key_wait *wait) must_check;

/* Calls all who wait, and frees the sets. No fetch may come back any more, nor may anybody ask again. */
void key_sets_close(struct engine *engine);
