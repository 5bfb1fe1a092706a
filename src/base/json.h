/* JSON in and out: strict reading over jansson, fast writing into a buffer.
 *
 * One thread at a time per value or writer. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/errors.h"

struct json_t; /* jansson's value; include <jansson.h> where it is used */

/* Values in one text, each object, array and item counted: a value of two bytes takes some hundred once it is read. */
#define JSON_VALUES_MAX 1000000
#define JSON_REQUEST_VALUES_MAX 100000 /* in what a client sends: many are read at a time */

/* Gives jansson the memory of mem_grow_library, so that no value loses a member unnoticed. Once, before it is used. */
void json_init(void);

/* Parses one JSON object, and nothing after it but white space. Refused, as ERR_INVALID_JSON with the line and
 * column in the message: anything else at the top, duplicate keys, invalid UTF-8, NUL (raw or escaped), numbers out of
 * range, nesting deeper than `max_depth`, more than JSON_VALUES_MAX values. *ret is a new reference. */
enum err json_read_object(struct text body, unsigned max_depth, struct json_t **ret, struct fault *fault) must_check;
/* As above with at most JSON_REQUEST_VALUES_MAX values. */
enum err json_read_request(struct text body, unsigned max_depth, struct json_t **ret, struct fault *fault) must_check;
/* As json_read_object for any JSON value. */
enum err json_read_any(struct text body, unsigned max_depth, struct json_t **ret, struct fault *fault) must_check;

/* A compact rendering, keys in insertion order; freed by the caller. NULL only when memory is out. */
char *json_render(const struct json_t *value) must_check;
/* The same appended to a buffer (whose failure is sticky). */
void json_render_to(struct buffer *buf, const struct json_t *value);

/* The text of a JSON string, borrowed from it; ptr NULL: it is none, or there is no value. */
struct text json_text_of(const struct json_t *value);

/* For scoped(): json_decref of a json_t * variable. */
void json_release(struct json_t **variable);

/* Writes one value after another, commas and nesting kept by the writer. Failure is the buffer's.
 * No name here may be one of jansson's (json_string, json_null …): both are linked into one program. */
struct json_writer {
    struct buffer *buf;
    bool comma; /* the next value is not the first of its container */
};

void json_begin(struct json_writer *json, struct buffer *buf);
void json_object_begin(struct json_writer *json);
void json_object_end(struct json_writer *json);
void json_array_begin(struct json_writer *json);
void json_array_end(struct json_writer *json);
/* The name of the next value; names are our own constants and are not escaped. */
void json_key(struct json_writer *json, const char *name);
/* RFC 8259 escaping; bytes that are not UTF-8 become U+FFFD. */
void json_text(struct json_writer *json, struct text value);
void json_string_or_null(struct json_writer *json, const char *value); /* NULL gives null */
void json_i64(struct json_writer *json, int64_t value);
void json_bool(struct json_writer *json, bool value);
void json_null_value(struct json_writer *json);
/* Already valid JSON, copied as it is. */
void json_raw(struct json_writer *json, struct text value);
