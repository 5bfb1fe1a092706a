/* Webhooks of services: the address that each attempt has, and what becomes of a call to it.
 *
 * The address says by itself whose it is: account, task and attempt are in its token, with a MAC of the store's secret, so
 * that it cannot be guessed and is read back without the database. Only a signature that the service makes and that
 * covers the body makes a call be believed; any other call is a reason to ask the service, no more. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/id.h"
#include "base/text.h"

struct engine;

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
