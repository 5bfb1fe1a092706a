/* Pages of a list, which every list of the API has alike: how many rows, behind which one, and whether there are more.
 * HTTP thread. */
#pragma once

#include <stdint.h>

#include "http/exchange.h"

struct json_writer;

/* The query parameter `limit`, from 1 to `max`; *ret stays as it is when absent. ERR_OUT_OF_RANGE. */
enum err list_read_limit(struct exchange *exchange, unsigned max, unsigned *ret, struct fault *fault) must_check;
/* `after`, where rows are known by a number; *ret stays as it is when absent. ERR_NOT_ALLOWED_VALUE. */
enum err list_read_after(struct exchange *exchange, int64_t *ret, struct fault *fault) must_check;
/* For an `after` that no answer gave as its `next`. ERR_NOT_ALLOWED_VALUE. */
enum err list_bad_after(struct fault *fault) must_check;

/* Begins the answer's object, up to its rows. */
void list_begin(struct json_writer *json);
/* Ends the rows and the object, and says where the next page begins (NULL: this was the last). */
void list_end(struct json_writer *json, const char *next);
/* The members that say so, for an answer that has more to say between its rows and them. */
void list_put_next(struct json_writer *json, const char *next);
