/* The description of the API (OpenAPI 3.1), made from the table of routes, the catalogue and the files in api/openapi.
 *
 * Each file there describes a family of endpoints as an OpenAPI document would: `tags`, `paths`, `components`. Told once
 * here, and so not in the files, is what the table or a rule knows:
 *
 *     summary           the table's
 *     path parameters   components.parameters of the same name as the segment in braces, unless the operation has its own
 *     security          by the route's access
 *     tags              the first of the file, unless the operation has its own
 *     errors            `x-errors`: codes (base/errors.h), or names of groups of them ("@submission", in errors.json);
 *                       a response for each status is made of them, besides those that the access and the body bring
 *     models            components.schemas.ImageSubmission and so on: one schema a model, by the catalogue
 *
 * A route that no file describes, a description that no route has, and a code that does not exist are refused. */
#pragma once

#include "base/errors.h"
#include "http/router.h"

struct catalog;
struct json_t;

/* *ret is a new reference. ERR_CONFIG: the routes and the files do not fit, and the fault says where. Any thread. */
enum err description_make(const struct http_route *routes, unsigned count, const struct catalog *catalog,
                          struct json_t **ret, struct fault *fault) must_check;
