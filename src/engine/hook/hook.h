/* Webhooks of services: the address that each attempt has, and what becomes of a call to it.
 *
 * The address says by itself whose it is: account, task and attempt are in its token, with a MAC of the store's secret,
 * so that it cannot be guessed and is read back without the database. Only a signature that the service makes and that
 * covers the body makes a call be believed; any other call is a reason to ask the service, no more. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/errors.h"
#include "base/id.h"
#include "base/text.h"

struct engine;
struct json_t;
struct webhook;
struct webhook_header;

#define HOOK_PATH_PREFIX "/v1/hooks/"

/* Appends the address of an attempt: public_url (no slash at its end), "/v1/hooks/" and the token. Pure, any thread. */
void hook_put_url(struct buffer *buf, const uint8_t secret[32], struct text public_url, int64_t account,
                  const struct task_id *id, int number);

struct hook_token {
    int64_t account;
    struct task_id id;
    int number; /* of the attempt */
};
/* False for anything but a token that hook_put_url made with this secret. Pure, any thread. */
bool hook_token_read(struct text token, const uint8_t secret[32], struct hook_token *ret) must_check;

/* What becomes of a call: its name in /metrics, and the answer.
 *
 *    name             label        answered */
#define HOOK_OUTCOME_TABLE(X)                                                                                          \
    X(HOOK_VERIFIED,  "verified",  OK)                    /* the attempt's driver was told, and may believe it */      \
    X(HOOK_HINT,      "hint",      OK)                    /* it was told to ask */                                     \
    X(HOOK_IGNORED,   "ignored",   OK)                    /* no such attempt runs: a duplicate, or late */             \
    X(HOOK_FORGED,    "forged",    ERR_INVALID_SIGNATURE)                                                              \
    X(HOOK_STALE,     "stale",     ERR_INVALID_SIGNATURE)                                                              \
    X(HOOK_UNSIGNED,  "unsigned",  ERR_INVALID_SIGNATURE)                                                              \
    X(HOOK_UNKNOWN,   "unknown",   ERR_ROUTE_NOT_FOUND)   /* not an address of ours */                                 \
    X(HOOK_NO_KEYS,   "no_keys",   ERR_KEYS_UNAVAILABLE)  /* the service's public keys cannot be had now */            \
    X(HOOK_STOPPED,   "stopped",   ERR_SHUTTING_DOWN)

enum hook_outcome {
#define X(name, label, err) name,
    HOOK_OUTCOME_TABLE(X)
#undef X
    HOOK_OUTCOME_COUNT
};
/* "verified". Pure. */
const char *hook_outcome_label(enum hook_outcome outcome);

/* What a driver gets to read: { headers = { small letters }, query = {…}, json = … or text = "…" }, a new reference.
 * A body that is neither JSON nor UTF-8 is left out. Credentials of other schemes (Authorization, Cookie) are left out too.
 * Pure, any thread. */
struct json_t *hook_event_new(const struct webhook *webhook, const struct webhook_header *query, unsigned query_count)
    must_check;

/* Answers those who still wait for public keys, and forgets all keys. Engine's thread, at its end. */
void hook_close(struct engine *engine);
