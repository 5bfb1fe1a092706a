/* The requests that adapters describe: checked, their URL made whole, and only to hosts that are the provider's. */
#include <jansson.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/json.h"
#include "provider/adapter.h"

#define URL_MAX 8192

static const struct {
    const char *name, *method;
} methods[] = {
    { "get", "GET" }, { "post", "POST" }, { "put", "PUT" }, { "patch", "PATCH" }, { "delete", "DELETE" },
};
static const char *const bodies[] = { "json", "form", "multipart", "text" };
static const char *const others[] = { "base", "query", "headers", "auth", "binary", "redirects", "timeout",
                                      "paid" };

static bool is_one_of(const char *name, const char *const *list, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(name, list[i]) == 0) {
            return true;
        }
    }
    return false;
}

static const char *method_of(const char *name) {
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
        if (strcmp(name, methods[i].name) == 0) {
            return methods[i].method;
        }
    }
    return NULL;
}

/* ---- hosts ---- */

/* What a URL of ours leads to; no host: it is none of ours. A port is not written where it is the scheme's own. */
struct place {
    struct text host, port;
    bool plain;
};

/* "host:port" or "[v6]:port". */
static void read_authority(struct text authority, struct place *place) {
    struct text rest = authority;
    if (authority.len > 0 && authority.ptr[0] == '[') {
        size_t bracket = text_find(authority, ']');
        size_t end = bracket < authority.len ? bracket + 1 : 0;
        place->host = (struct text){ authority.ptr, end };
        rest = (struct text){ authority.ptr + end, authority.len - end };
        (void)text_cut(&rest, ':');
    } else {
        place->host = text_cut(&rest, ':');
    }
    place->port = text_equal(rest, place->plain ? TEXT("80") : TEXT("443")) ? TEXT_NONE : rest;
}

/* No user part, no space, no backslash. */
static struct place place_of(const char *url) {
    struct text rest = text_of(url);
    struct place place = { .plain = text_starts(rest, TEXT("http://")) };
    size_t scheme = text_starts(rest, TEXT("https://")) ? 8 : place.plain ? 7 : 0;
    if (scheme == 0) {
        return place;
    }
    rest = (struct text){ rest.ptr + scheme, rest.len - scheme };
    size_t end = 0;
    while (end < rest.len && !strchr("/?#", rest.ptr[end])) {
        if (strchr("@\\ ", rest.ptr[end])) {
            return place;
        }
        end++;
    }
    read_authority((struct text){ rest.ptr, end }, &place);
    return place;
}

static bool same_host(const char *url, const struct place *place) {
    struct place own = url ? place_of(url) : (struct place){ 0 };
    return own.host.len > 0 && text_equal_nocase(own.host, place->host);
}

/* Another port of the same host is another service. */
static bool leads_to(const char *url, const struct place *place) {
    return same_host(url, place) && text_equal(place_of(url).port, place->port);
}

/* pattern: "host.name", or "*.host.name" for anything below it. */
static bool host_matches(const char *pattern, struct text host) {
    struct text p = text_of(pattern);
    if (p.len < 2 || p.ptr[0] != '*') {
        return text_equal_nocase(p, host);
    }
    struct text tail = { p.ptr + 1, p.len - 1 };
    return host.len > tail.len && text_equal_nocase(tail, (struct text){ host.ptr + host.len - tail.len, tail.len });
}

bool adapter_may_contact(const struct adapter *adapter, const char *override, const char *url) {
    struct place place = place_of(url);
    if (place.host.len == 0) {
        return false;
    }
    /* plain http is for overrides and for adapters that are written for it, never for a reply to choose */
    if (leads_to(override, &place)) {
        return !place.plain || place_of(override).plain;
    }
    if (place.plain && !place_of(adapter->url).plain) {
        return false;
    }
    bool known = leads_to(adapter->url, &place) || leads_to(adapter->backup, &place);
    for (unsigned i = 0; i < adapter->url_count && !known; i++) {
        known = leads_to(adapter->urls[i].value, &place);
    }
    bool elsewhere = !known && (same_host(adapter->url, &place) || same_host(adapter->backup, &place));
    for (unsigned i = 0; i < adapter->host_count && !known && !elsewhere; i++) {
        known = host_matches(adapter->hosts[i], place.host);
    }
    return known;
}

/* ---- URL ---- */

void adapter_put_encoded(struct buffer *buf, const char *value) {
    static const char digits[] = "0123456789ABCDEF";
    for (; *value; value++) {
        unsigned char c = (unsigned char)*value;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-._~", c);
        if (plain) {
            buffer_put_char(buf, (char)c);
        } else {
            buffer_put_char(buf, '%');
            buffer_put_char(buf, digits[c >> 4]);
            buffer_put_char(buf, digits[c & 15]);
        }
    }
}

/* Texts, numbers and booleans; null is left out. False for anything else. */
static bool put_query(struct buffer *buf, const json_t *query) {
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach((json_t *)(uintptr_t)query, key, value) {
        if (json_is_null(value)) {
            continue;
        }
        buffer_put_char(buf, memchr(buf->data, '?', buf->len) ? '&' : '?');
        adapter_put_encoded(buf, key);
        buffer_put_char(buf, '=');
        if (json_is_string(value)) {
            adapter_put_encoded(buf, json_string_value(value));
        } else if (json_is_integer(value)) {
            buffer_put_i64(buf, json_integer_value(value));
        } else if (json_is_boolean(value)) {
            buffer_put(buf, json_is_true(value) ? TEXT("true") : TEXT("false"));
        } else {
            return false;
        }
    }
    return query == NULL || json_is_object(query);
}

static const char *base_of(const struct adapter *adapter, const json_t *name, const char *override) {
    const char *base = name ? NULL : adapter->url;
    for (unsigned i = 0; name && i < adapter->url_count; i++) {
        if (json_is_string(name) && strcmp(adapter->urls[i].name, json_string_value(name)) == 0) {
            base = adapter->urls[i].value;
        }
    }
    return base && override ? override : base;
}

static enum err make_url(const struct adapter *adapter, const json_t *value, const char *target, const char *override,
                         char **ret, struct fault *fault) {
    const char *base = base_of(adapter, json_object_get(value, "base"), override);
    if (base == NULL) {
        return fault_set(fault, ERR_SCRIPT, "%s: a request's base must be a name in urls", adapter->file);
    }
    struct buffer buf;
    buffer_init(&buf, URL_MAX);
    if (target[0] == '/') {
        buffer_put(&buf, text_of(base));
    }
    buffer_put(&buf, text_of(target));
    if (!put_query(&buf, json_object_get(value, "query")) || !buffer_ok(&buf)) {
        buffer_fini(&buf);
        return fault_set(fault, ERR_SCRIPT,
                         "%s: a request's query must be texts and integers by name, %d bytes at most", adapter->file,
                         URL_MAX);
    }
    for (size_t i = 0; i < buf.len; i++) {
        if ((unsigned char)buf.data[i] <= ' ' || (unsigned char)buf.data[i] == 127) {
            buffer_fini(&buf);
            return fault_set(fault, ERR_SCRIPT, "%s: a request's URL has a space or control character", adapter->file);
        }
    }
    if (!adapter_may_contact(adapter, override, buf.data)) {
        struct text host = place_of(buf.data).host;
        enum err err =
            fault_set(fault, ERR_BLOCKED_ADDRESS, "%s: %.*s is not one of the provider's hosts, or not https, or another port",
                      adapter->file, TEXT_ARG(text_clip(host.len ? host : buffer_text(&buf), 200)));
        buffer_fini(&buf);
        return err;
    }
    *ret = buffer_take(&buf);
    return OK;
}

/* The same place at the backup of `url`; NULL when it is not below `url`, or there is none. */
static char *backup_url(const struct adapter *adapter, const char *override, const char *url) {
    struct text whole = text_of(url), base = text_of(adapter->url);
    if (adapter->backup == NULL || override || !text_starts(whole, base) ||
        !strchr("/?", whole.len > base.len ? whole.ptr[base.len] : '/')) {
        return NULL;
    }
    struct buffer buf;
    buffer_init(&buf, URL_MAX);
    buffer_put(&buf, text_of(adapter->backup));
    buffer_put(&buf, (struct text){ whole.ptr + base.len, whole.len - base.len });
    char *backup = buffer_take(&buf);
    buffer_fini(&buf);
    return backup;
}

/* ---- the whole ---- */

static enum err refuse(const struct adapter *adapter, const char *words, const char *name, struct fault *fault) {
    return fault_set(fault, ERR_SCRIPT, "%s: a request %s%s", adapter->file, words, name);
}

static bool valid_headers(const json_t *headers) {
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach((json_t *)(uintptr_t)headers, key, value) {
        if (!json_is_string(value) || strpbrk(json_string_value(value), "\r\n") || !*key || strpbrk(key, "\r\n: ")) {
            return false;
        }
    }
    return headers == NULL || json_is_object(headers);
}

/* A list of { name =, value = } or { name =, file =, filename =, content_type = }. */
static bool valid_multipart(const json_t *parts) {
    for (size_t i = 0; i < json_array_size(parts); i++) {
        const json_t *part = json_array_get(parts, i);
        const json_t *value = json_object_get(part, "value");
        if (!json_is_string(json_object_get(part, "name")) || (!value == !json_object_get(part, "file")) ||
            (value && !json_is_string(value))) {
            return false;
        }
    }
    return json_array_size(parts) > 0;
}

static bool valid_body(const char *kind, const json_t *body) {
    if (strcmp(kind, "multipart") == 0) {
        return valid_multipart(body);
    }
    if (strcmp(kind, "text") == 0) {
        return json_is_string(body);
    }
    return strcmp(kind, "json") == 0 || json_is_object(body);
}

/* Sorts the members into *got and *ret_target; borrowed until the end. */
static enum err read_members(const struct adapter *adapter, const json_t *value, struct adapter_request *got,
                             const char **ret_target, struct fault *fault) {
    const char *key = NULL;
    json_t *member = NULL;
    json_object_foreach((json_t *)(uintptr_t)value, key, member) {
        if (method_of(key)) {
            if (got->method || !json_is_string(member)) {
                return refuse(adapter, "has one method, with a path or URL: not also ", key, fault);
            }
            got->method = method_of(key);
            *ret_target = json_string_value(member);
        } else if (is_one_of(key, bodies, ARRAY_SIZE(bodies))) {
            if (got->body_kind || !valid_body(key, member)) {
                return refuse(adapter, "has a wrong or second body: ", key, fault);
            }
            got->body_kind = bodies[0];
            for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
                got->body_kind = strcmp(key, bodies[i]) == 0 ? bodies[i] : got->body_kind;
            }
            got->body = member;
        } else if (!is_one_of(key, others, ARRAY_SIZE(others))) {
            return refuse(adapter, "has no member ", key, fault);
        }
    }
    return got->method ? OK : refuse(adapter, "must have one of get, post, put, patch, delete", "", fault);
}

enum err adapter_read_request(const struct adapter *adapter, const json_t *value, const char *override,
                              struct adapter_request *ret, struct fault *fault) {
    if (!json_is_object(value)) {
        return refuse(adapter, "must be a table", "", fault);
    }
    struct adapter_request got = { 0 };
    const char *target = NULL;
    enum err err = read_members(adapter, value, &got, &target, fault);
    if (err != OK) {
        return err;
    }
    const json_t *auth = json_object_get(value, "auth"), *timeout = json_object_get(value, "timeout");
    const json_t *paid = json_object_get(value, "paid");
    if (!valid_headers(json_object_get(value, "headers"))) {
        return refuse(adapter, "has headers that are no texts by name", "", fault);
    }
    if ((auth && !json_is_boolean(auth)) || (timeout && !(json_number_value(timeout) > 0)) ||
        (paid && !json_is_boolean(paid))) {
        return refuse(adapter, "has auth and paid = true or false, timeout = seconds", "", fault);
    }
    err = make_url(adapter, value, target, override, &got.url, fault);
    if (err != OK) {
        return err;
    }
    got.body = json_incref(got.body);
    got.headers = json_incref(json_object_get(value, "headers"));
    got.backup_url = backup_url(adapter, override, got.url);
    got.with_key = !json_is_false(auth);
    got.paid = !json_is_false(paid);
    got.binary = json_is_true(json_object_get(value, "binary"));
    got.redirects = json_is_true(json_object_get(value, "redirects"));
    got.timeout_s = json_number_value(timeout);
    *ret = got;
    return OK;
}

void adapter_request_fini(struct adapter_request *request) {
    free(request->url);
    free(request->backup_url);
    json_decref(request->headers);
    json_decref(request->body);
    *request = (struct adapter_request){ 0 };
}
