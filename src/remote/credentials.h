/* What a service wants to see of a key: made by the adapter's auth, kept as long as it may be used again.
 *
 * The engine's thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/buffer.h"
#include "base/errors.h"
#include "provider/adapter.h"

/* Credentials of one key, counted: a request holds them while the cache may have newer ones. */
struct credentials {
    LIST_ENTRY(credentials) link;
    unsigned references;
    bool kept; /* in the cache */
    char *key;
    struct adapter_credentials parts;
    int64_t until_ms; /* wall time; 0: for ever */
};

struct credential_cache {
    LIST_HEAD(, credentials) list;
    unsigned count;
};

/* Empty. fini lets go of what is kept; those that a request still holds live until it lets go, too. */
void credential_cache_init(struct credential_cache *cache);
void credential_cache_fini(struct credential_cache *cache);
/* The key's credentials, made now when there are none or they are over. `key` may be NULL: none are needed. *ret is a
 * reference for credentials_unref. */
enum err credentials_get(struct credential_cache *cache, const struct adapter *adapter, const char *key,
                         struct credentials **ret, struct fault *fault) must_check;
/* They were refused: the next who asks gets fresh ones. */
void credentials_refused(struct credential_cache *cache, struct credentials *credentials);
/* NULL is fine. */
void credentials_unref(struct credentials *credentials);

/* The headers as JSON texts by name, basic included; a new reference. */
struct json_t *credentials_headers(const struct credentials *credentials) must_check;
/* The URL with the credentials that belong into its query; NULL when that is too long. Freed by the caller. */
char *credentials_url(const struct credentials *credentials, const char *url) must_check;

/* Appends `raw` without any of the secrets: those of these credentials and the `count` others, of which any may be
 * NULL. Bytes that are not UTF-8 become '?'. */
void credentials_hide(const struct credentials *credentials, const char *const *others, size_t count, struct text raw,
                      struct buffer *buf);
