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

static bool is_placeholder(struct text segment) {
    return segment.len > 2 && segment.ptr[0] == '{' && segment.ptr[segment.len - 1] == '}';
}

/* The next segment of a pattern; false at its end. */
static bool next_segment(struct text *pattern, struct text *ret_segment) {
    if (pattern->len <= 1)
        return false;
    *pattern = (struct text){ pattern->ptr + 1, pattern->len - 1 };
    *ret_segment = (struct text){ pattern->ptr, text_find(*pattern, '/') };
    *pattern = (struct text){ pattern->ptr + ret_segment->len, pattern->len - ret_segment->len };
    return true;
}

static bool fits(const struct http_route *route, struct text pattern, struct text segment) {
    if (!is_placeholder(pattern))
        return text_equal(pattern, segment);
    return route->slashes || text_find(segment, '/') == segment.len;
}

static bool matches(const struct http_route *route, const struct target *target) {
    struct text pattern = text_of(route->pattern), segment;
    unsigned at = 0;

    for (; next_segment(&pattern, &segment); at++)
        if (at == target->segment_count || !fits(route, segment, target->segments[at]))
            return false;
    return at == target->segment_count;
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
    struct text pattern = text_of(route->pattern), segment;

    for (unsigned at = 0; next_segment(&pattern, &segment); at++)
        if (is_placeholder(segment) && text_equal((struct text){ segment.ptr + 1, segment.len - 2 }, name))
            return target->segments[at];
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
