/* Parts of description_make; for its files alone. */
#pragma once

#include <stddef.h>

#include "api/about/description.h"
#include "script/embedded.h"

/* The files in api/openapi, sorted by path. */
extern const struct embedded_file openapi_files[];
extern const size_t openapi_file_count;

/* What is known of all operations while they are completed. */
struct description {
    struct json_t *document;    /* what will be answered: openapi, info, tags, paths, components */
    const struct json_t *codes; /* what each error code means, for people */
    const struct json_t *groups; /* error codes by the name of a group */
    const struct json_t *access; /* by the name of an access: `security`, and the group of errors that it brings */
};

/* Adds to an operation what the table and the rules know of it. ERR_CONFIG. */
enum err operation_complete(const struct description *description, const struct http_route *route,
                            struct json_t *operation, struct fault *fault) must_check;
/* Adds responses for the codes in the operation's `x-errors`, which is taken out of it. ERR_CONFIG. */
enum err operation_put_errors(const struct description *description, const struct http_route *route,
                              struct json_t *operation, struct fault *fault) must_check;
/* Adds a schema for each model, and one for what each endpoint of submissions takes. */
void description_put_models(struct json_t *schemas, const struct catalog *catalog);
