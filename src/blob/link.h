/* Signed result URLs: "/v1/artifacts/{sha-256 hex}/{file name}?expires={unix seconds}&signature={base64url}".
 *
 * The signature is HMAC-SHA256 over path and expiry with the store's secret, so serving needs no look-up.
 * Pure, any thread. */
#pragma once

#include <stdint.h>

#include "base/buffer.h"
#include "base/crypto.h"
#include "base/errors.h"

#define LINK_PATH_PREFIX "/v1/artifacts/"

/* Appends path and query (no scheme, no host). File name characters other than [A-Za-z0-9._-] become '_'. */
void link_put(struct buffer *buf, const uint8_t secret[32], const char *hash, struct text name, int64_t expires_s);

struct link {
    char hash[SHA256_HEX_SIZE];
    char name[128];
    int64_t expires_s;
};
/* Reads a path and query made by link_put. ERR_FILE_NOT_FOUND for anything that we did not sign, ERR_RESULT_EXPIRED
 * (with *ret filled) when it was ours and its time is over. */
enum err link_check(struct text path, struct text query, const uint8_t secret[32], int64_t now_s, struct link *ret)
    must_check;
/* The same for a whole URL on whatever host: our own results are recognised by their signature, so that a result of one
 * task can be the input of another without a request to ourselves. ERR_FILE_NOT_FOUND: not ours. */
enum err link_check_url(struct text url, const uint8_t secret[32], int64_t now_s, struct link *ret) must_check;
