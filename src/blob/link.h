/* Signed URLs.
 *
 *   of results:         "/v1/artifacts/{sha-256 hex}/{file name}?expires={unix seconds}&signature={base64url}"
 *   of uploaded files:  "/v1/files/{id}/content/{file name}?owner={base64url}&expires=…&signature=…"
 *
 * The signature is HMAC-SHA256 over path and expiry (and owner) with the store's secret. A result's needs no look-up; a
 * file's names the row, since a file can be deleted before its time. Its owner is the account's number, masked: who has a
 * link need not learn how many accounts there are. Pure, any thread. */
#pragma once

#include <stdint.h>

#include "base/buffer.h"
#include "base/crypto.h"
#include "base/errors.h"
#include "base/id.h"

#define LINK_PATH_PREFIX "/v1/artifacts/"

/* When a link ends that is good for so long from `now_ms` on: links count in whole seconds, and none ends early. */
int64_t link_ends_s(int64_t now_ms, int64_t ttl_s);
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

#define FILE_PATH_PREFIX "/v1/files/"
#define FILE_PATH_CONTENT "/content/"

void file_link_put(struct buffer *buf, const uint8_t secret[32], int64_t account, const struct file_id *id,
                   struct text name, int64_t expires_s);

struct file_link {
    int64_t account;
    struct file_id id;
    int64_t expires_s;
};
/* As link_check and link_check_url. */
enum err file_link_check(struct text path, struct text query, const uint8_t secret[32], int64_t now_s,
                         struct file_link *ret) must_check;
enum err file_link_check_url(struct text url, const uint8_t secret[32], int64_t now_s, struct file_link *ret) must_check;
