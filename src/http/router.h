/* The table of routes: method, pattern, who may, how large a body, who handles it; and the way from a request to its
 * row.
 *
 * The table is const data of the layer above; descriptions of the API are made from it too. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "http/target.h"

struct exchange;

enum http_method {
    METHOD_GET, /* HEAD is answered as GET, without the body */
    METHOD_POST,
    METHOD_PUT,
    METHOD_PATCH,
    METHOD_DELETE,
    METHOD_OPTIONS,
    METHOD_OTHER,
};

struct http_route {
    enum http_method method;
    const char *pattern; /* "/v1/tasks/{task_id}": a segment in braces takes any one segment */
    int access;          /* the layer above says what it means */
    bool takes_body;     /* a body is kept for the handler, up to http_options.body_max */
    void (*handle)(struct exchange *exchange);
    const char *summary; /* one line, for people */
    int64_t body_max;    /* of this route; 0: http_options.body_max, which is never exceeded */
    bool streams_body;   /* the body goes piece by piece to whom admit chose (exchange_stream_body), and body_max is not
                          * looked at */
    bool slashes;        /* a segment in braces may hold encoded slashes; elsewhere they are a path that is not there */
    bool secret_path;    /* who knows the path may use it: the log has the pattern in its place */
};

/* "GET", …; HEAD is METHOD_GET. METHOD_OTHER for names that no route has. */
enum http_method method_parse(struct text name);

/* The row for a method and path. NULL when there is none: *ret_path_known tells 405 from 404. Pure. */
const struct http_route *router_find(const struct http_route *routes, unsigned count, enum http_method method,
                                     const struct target *target, bool *ret_path_known);
/* The value of "{name}" in the route's pattern. The name must be in the pattern. */
struct text router_segment(const struct http_route *route, const struct target *target, struct text name);
/* The pattern to log in the place of `path` (as sent, or whatever was sent); NULL when it holds no secret. */
const char *router_secret_pattern(const struct http_route *routes, unsigned count, const struct target *target,
                                  struct text path);
/* "GET, HEAD, OPTIONS": the methods that the path has; those of all paths when `target` is NULL. */
void router_put_allow(const struct http_route *routes, unsigned count, const struct target *target, struct buffer *buf);
