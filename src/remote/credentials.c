/* The cache of credentials, the places they go to, and keeping them out of what people read. */
#include "remote/credentials.h"

#include <jansson.h>
#include <limits.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/memory.h"

#define CACHE_MAX 256
#define URL_MAX 16384
#define BASIC_MAX 8192
#define SECRETS_MAX 64
#define SECRET_SHORTEST 4
#define SLASHES_MAX 3 /* before a character that is escaped twice */

void credential_cache_init(struct credential_cache *cache) {
    LIST_INIT(&cache->list);
    cache->count = 0;
}

static void drop(struct credential_cache *cache, struct credentials *credentials) {
    LIST_REMOVE(credentials, link);
    credentials->kept = false;
    cache->count--;
    credentials_unref(credentials);
}

void credential_cache_fini(struct credential_cache *cache) {
    while (!LIST_EMPTY(&cache->list)) {
        drop(cache, LIST_FIRST(&cache->list));
    }
}

void credentials_unref(struct credentials *credentials) {
    if (credentials && --credentials->references == 0) {
        adapter_credentials_fini(&credentials->parts);
        free(credentials->key);
        free(credentials);
    }
}

static struct credentials *find(struct credential_cache *cache, const char *key) {
    struct credentials *credentials;
    LIST_FOREACH (credentials, &cache->list, link) {
        if (strcmp(credentials->key, key) == 0) {
            return credentials;
        }
    }
    return NULL;
}

static struct credentials *none_needed(void) {
    struct credentials *credentials = mem_new(sizeof(*credentials));
    credentials->references = 1;
    credentials->key = mem_string("");
    credentials->parts.headers = json_object();
    return credentials;
}

enum err credentials_get(struct credential_cache *cache, const struct adapter *adapter, const char *key,
                         struct credentials **ret, struct fault *fault) {
    int64_t now_ms = clock_wall_ms();
    if (key == NULL) {
        *ret = none_needed();
        return OK;
    }
    struct credentials *credentials = find(cache, key);
    if (credentials && credentials->until_ms > 0 && credentials->until_ms <= now_ms) {
        drop(cache, credentials);
        credentials = NULL;
    }
    if (credentials == NULL) {
        struct adapter_credentials parts;
        enum err err = adapter_authenticate(adapter, key, now_ms / 1000, &parts, fault);
        if (err != OK) {
            return err;
        }
        if (cache->count == CACHE_MAX) { /* keys are few; whoever has more pays by making them anew */
            drop(cache, LIST_FIRST(&cache->list));
        }
        credentials = mem_new(sizeof(*credentials));
        *credentials = (struct credentials){
            .references = 1,
            .kept = true,
            .key = mem_string(key),
            .parts = parts,
            .until_ms = parts.lifetime_s > 0 ? now_ms + (int64_t)(parts.lifetime_s * 1000) : 0,
        };
        LIST_INSERT_HEAD(&cache->list, credentials, link);
        cache->count++;
    }
    credentials->references++;
    *ret = credentials;
    return OK;
}

void credentials_refused(struct credential_cache *cache, struct credentials *credentials) {
    if (credentials->kept) {
        drop(cache, credentials);
    }
}

/* ---- their places ---- */

/* "Basic dXNlcjpwYXNz" (RFC 7617), freed by the caller; NULL when there is none. */
static char *basic_value(const struct credentials *credentials) {
    const json_t *basic = credentials->parts.basic;
    if (basic == NULL) {
        return NULL;
    }
    struct buffer scoped(buffer_fini) pair;
    buffer_init(&pair, BASIC_MAX);
    buffer_put(&pair, text_of(json_string_value(json_array_get(basic, 0))));
    buffer_put_char(&pair, ':');
    buffer_put(&pair, text_of(json_string_value(json_array_get(basic, 1))));
    if (!buffer_ok(&pair)) {
        return NULL;
    }
    char *encoded scoped(mem_free_pointer) = mem_new(base64_encoded_size(pair.len));
    base64_encode((const uint8_t *)pair.data, pair.len, encoded);
    struct buffer scoped(buffer_fini) value;
    buffer_init(&value, 2 * BASIC_MAX);
    buffer_put(&value, TEXT("Basic "));
    buffer_put(&value, text_of(encoded));
    return buffer_take(&value);
}

json_t *credentials_headers(const struct credentials *credentials) {
    json_t *headers = json_copy(credentials->parts.headers);
    char *basic scoped(mem_free_pointer) = basic_value(credentials);
    if (basic) {
        json_object_set_new(headers, "Authorization", json_string(basic));
    }
    return headers;
}

char *credentials_url(const struct credentials *credentials, const char *url) {
    struct buffer buf;
    const char *name = NULL;
    json_t *value = NULL;
    buffer_init(&buf, URL_MAX);
    buffer_put(&buf, text_of(url));
    json_object_foreach (credentials->parts.query, name, value) {
        buffer_put_char(&buf, buf.data && memchr(buf.data, '?', buf.len) ? '&' : '?');
        adapter_put_encoded(&buf, name);
        buffer_put_char(&buf, '=');
        adapter_put_encoded(&buf, json_string_value(value));
    }
    char *ret = buffer_take(&buf);
    buffer_fini(&buf);
    return ret;
}

/* ---- keeping them secret ---- */

struct secrets {
    char *items[SECRETS_MAX];
    size_t count;
};

static void add_secret(struct secrets *secrets, struct text secret) {
    if (secret.len >= SECRET_SHORTEST && secrets->count < SECRETS_MAX) {
        secrets->items[secrets->count++] = text_dup(secret);
    }
}

/* Each part between colons; of a URL the last one of its path, since the others are in many. */
static void add_parts(struct secrets *secrets, struct text whole) {
    bool is_url = text_starts(whole, TEXT("https://")) || text_starts(whole, TEXT("http://"));
    char separator = is_url ? '/' : ':';
    for (struct text rest = whole; rest.len > 0;) {
        struct text part = text_cut(&rest, separator);
        if (!is_url || rest.len == 0) {
            add_secret(secrets, part);
        }
    }
}

/* The whole, its parts, the same after the scheme's word, and as it stands in a URL. */
static void add_forms(struct secrets *secrets, const char *secret) {
    if (secret == NULL) {
        return;
    }
    struct text whole = text_of(secret);
    const char *space = strrchr(secret, ' ');
    add_secret(secrets, whole);
    if (space) {
        add_forms(secrets, space + 1);
        return;
    }
    struct buffer scoped(buffer_fini) encoded;
    buffer_init(&encoded, URL_MAX);
    adapter_put_encoded(&encoded, secret);
    if (buffer_ok(&encoded)) {
        add_secret(secrets, buffer_text(&encoded));
    }
    add_parts(secrets, whole);
}

static void add_all(struct secrets *secrets, const json_t *texts) {
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach ((json_t *)(uintptr_t)texts, name, value) {
        add_forms(secrets, json_string_value(value));
    }
}

/* Bytes that say `c` at the start of `rest`: as it is, or as JSON may write it, also within JSON: "\/", "\u002f". 0: none
 * do. */
static size_t said_length(struct text rest, char c) {
    char code[8];
    size_t slashes = 0;
    while (slashes < SLASHES_MAX && slashes < rest.len && rest.ptr[slashes] == '\\') {
        slashes++;
    }
    if (c == '\\' || (slashes < rest.len && rest.ptr[slashes] == c)) {
        return c == '\\' ? slashes : slashes + 1;
    }
    rest = (struct text){ rest.ptr + slashes, rest.len - slashes };
    if (slashes == 0 || rest.len < 5 || (rest.ptr[0] != 'u' && rest.ptr[0] != 'U')) {
        return 0; /* as nearly always: a code costs more than all else here */
    }
    snprintf(code, sizeof(code), "u%04x", (unsigned)(unsigned char)c);
    return strncasecmp(rest.ptr, code, 5) == 0 ? slashes + 5 : 0;
}

/* Bytes that say the secret at the start of `rest`; 0: none do. */
static size_t match_length(struct text rest, const char *secret) {
    size_t len = 0;
    for (; *secret; secret++) {
        size_t said = said_length((struct text){ rest.ptr + len, rest.len - len }, *secret);
        if (said == 0) {
            return 0;
        }
        len += said;
    }
    return len;
}

/* Bytes of the longest that says a secret at the start of `rest`; 0: none does. */
static size_t secret_length(const struct secrets *secrets, struct text rest) {
    size_t longest = 0;
    for (size_t i = 0; i < secrets->count; i++) {
        size_t len = match_length(rest, secrets->items[i]);
        longest = len > longest ? len : longest;
    }
    return longest;
}

/* Length of the plain text at the start, in which no secret begins. */
static size_t plain_length(const bool begins[UCHAR_MAX + 1], struct text rest) {
    size_t len = 0;
    while (len < rest.len && rest.ptr[len] >= ' ' && rest.ptr[len] <= '~' && !begins[(unsigned char)rest.ptr[len]]) {
        len++;
    }
    return len;
}

/* What services say of failures may be long: secrets are only compared where one may begin. */
static void put_hidden(const struct secrets *secrets, struct text raw, struct buffer *buf) {
    bool begins[UCHAR_MAX + 1] = { ['\\'] = secrets->count > 0 };
    for (size_t i = 0; i < secrets->count; i++) {
        begins[(unsigned char)secrets->items[i][0]] = true;
    }
    while (raw.len > 0) {
        size_t plain = plain_length(begins, raw);
        size_t len = plain > 0 ? plain : secret_length(secrets, raw);
        if (plain > 0) {
            buffer_put(buf, (struct text){ raw.ptr, plain });
        } else if (len > 0) {
            buffer_put(buf, TEXT("***"));
        } else {
            len = text_utf8_length(raw);
            buffer_put(buf, len > 0 ? (struct text){ raw.ptr, len } : TEXT("?"));
            len = len > 0 ? len : 1;
        }
        raw = (struct text){ raw.ptr + len, raw.len - len };
    }
}

void credentials_hide(const struct credentials *credentials, const char *const *others, size_t count, struct text raw,
                      struct buffer *buf) {
    struct secrets secrets = { .count = 0 };
    if (credentials) {
        char *basic scoped(mem_free_pointer) = basic_value(credentials);
        add_forms(&secrets, credentials->key);
        add_all(&secrets, credentials->parts.headers);
        add_all(&secrets, credentials->parts.query);
        add_forms(&secrets, json_string_value(json_array_get(credentials->parts.basic, 0)));
        add_forms(&secrets, json_string_value(json_array_get(credentials->parts.basic, 1)));
        add_forms(&secrets, basic);
    }
    for (size_t i = 0; i < count; i++) {
        add_forms(&secrets, others[i]);
    }
    put_hidden(&secrets, raw, buf);
    for (size_t i = 0; i < secrets.count; i++) {
        free(secrets.items[i]);
    }
}
