/* Bodies in JSON. HTTP thread. */
#pragma once

#include "http/exchange.h"

struct json_t;

/* The body as a JSON object, nested no deeper than `max_depth`; *ret is a new reference. ERR_INVALID_CONTENT_TYPE,
 * ERR_INVALID_JSON. */
enum err read_json_body(struct exchange *exchange, unsigned max_depth, struct json_t **ret,
                        struct fault *fault) must_check;
/* A small one, an object of these fields (ended by NULL) at most; no body at all is {}. *ret is a new reference.
 * The errors of above, and ERR_UNKNOWN_FIELD. */
enum err read_fields(struct exchange *exchange, const char *const *known, struct json_t **ret,
                     struct fault *fault) must_check;
/* ERR_UNKNOWN_FIELD, naming the first field of `body` that is none of these. */
enum err check_fields(const struct json_t *body, const char *const *known, struct fault *fault) must_check;
/* A field's value; NULL when it is absent, or null. */
const struct json_t *field_of(const struct json_t *body, const char *name);
/* A text that has to be there; it lives as long as the body. ERR_MISSING_FIELD, ERR_INVALID_TYPE. */
enum err read_text_field(const struct json_t *body, const char *name, struct text *ret, struct fault *fault) must_check;
/* A whole number, 60.0 included, from `least` to `most`; *ret stays as it is when absent. ERR_INVALID_TYPE,
 * ERR_OUT_OF_RANGE. */
enum err read_number_field(const struct json_t *body, const char *name, int64_t least, int64_t most, int64_t *ret,
                           struct fault *fault) must_check;
