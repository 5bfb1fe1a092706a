/* Finds routes by comparing patterns segment by segment; a few dozen rows need no index. */
#include "http/router.h"

#include <assert.h>

static const char *const method_names[] = {
    [METHOD_GET] = "GET",     [METHOD_POST] = "POST",     [METHOD_PUT] = "PUT",
    [METHOD_PATCH] = "PATCH", [METHOD_DELETE] = "DELETE", [METHOD_OPTIONS] = "OPTIONS",
};

enum http_method method_parse(struct text name) {
    if (text_equal(name, TEXT("HEAD")))
        return METHOD_GET;
    for (size_t i = 0; i < ARRAY_SIZE(method_names); i++)
        if (text_equal(name, text_of(method_names[i])))
            return (enum http_method)i;
    return METHOD_OTHER;
}

/* Behind the segment that `pattern` begins with; NULL: there is none, or it does not take this one. */
static const char *step(const struct http_route *route, const char *pattern, struct text segment) {
    if (pattern[0] != '/')
        return NULL;
    const char *own = pattern + 1, *end = strchrnul(own, '/');
    bool fits = own[0] == '{' ? route->slashes || text_find(segment, '/') == segment.len
                              : text_equal((struct text){ own, (size_t)(end - own) }, segment);
    return fits ? end : NULL;
}

static bool matches(const struct http_route *route, const struct target *target) {
    const char *rest = route->pattern;

    for (unsigned i = 0; i < target->segment_count && rest != NULL; i++)
        rest = step(route, rest, target->segments[i]);
    return rest != NULL && strcmp(rest, target->segment_count == 0 ? "/" : "") == 0;
}

const struct http_route *router_find(const struct http_route *routes, unsigned count, enum http_method method,
                                     const struct target *target, bool *ret_path_known) {
    bool known = false;

    for (unsigned i = 0; i < count; i++) {
        if (!matches(&routes[i], target))
            continue;
        if (routes[i].method == method)
            return &routes[i];
        known = true;
    }
    *ret_path_known = known;
    return NULL;
}

struct text router_segment(const struct http_route *route, const struct target *target, struct text name) {
    const char *at = route->pattern;

    for (unsigned i = 0; *at == '/'; i++, at = strchrnul(at + 1, '/'))
        if (at[1] == '{' && strncmp(at + 2, name.ptr, name.len) == 0 && at[2 + name.len] == '}')
            return target->segments[i];
    assert(!"the route's pattern has no such name");
    return TEXT_NONE;
}

/* Also when the method is wrong or the rest of the URL cannot be read: the secret may be whole all the same. */
const char *router_secret_pattern(const struct http_route *routes, unsigned count, const struct target *target,
                                  struct text path) {
    for (unsigned i = 0; i < count; i++) {
        struct text head = { routes[i].pattern, strcspn(routes[i].pattern, "{") };
        if (routes[i].secret_path &&
            (matches(&routes[i], target) || memmem(path.ptr, path.len, head.ptr, head.len) != NULL))
            return routes[i].pattern;
    }
    return NULL;
}

void router_put_allow(const struct http_route *routes, unsigned count, const struct target *target,
                      struct buffer *buf) {
    bool found[METHOD_OTHER] = { false };

    for (unsigned i = 0; i < count; i++)
        if (target == NULL || matches(&routes[i], target))
            found[routes[i].method] = true;
    found[METHOD_OPTIONS] = true;
    for (unsigned method = 0; method < METHOD_OTHER; method++) {
        if (!found[method])
            continue;
        if (buf->len > 0)
            buffer_put(buf, TEXT(", "));
        buffer_put(buf, method == METHOD_GET ? TEXT("GET, HEAD") : text_of(method_names[method]));
    }
}
