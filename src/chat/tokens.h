/* Estimates of tokens, for reservations and for services that do not say what was used. Pure, any thread. */
#pragma once

#include <stdint.h>

#include "base/text.h"

struct json_t;

/* Of a text: about four bytes of Latin letters a token, one of most other scripts' characters; never less than one for
 * a text that is not empty. */
int64_t tokens_of_text(struct text text);
/* Of a whole request body: messages with their parts (a picture, a second of sound, … by fixed figures that err on the
 * high side), tools, response_format, and what each message costs by itself. */
int64_t tokens_of_request(const struct json_t *body);

/* The same of a text that comes in pieces: zero is the beginning. */
struct token_count {
    int64_t latin_bytes, others, spoken_letters;
};
void token_count_add(struct token_count *count, struct text piece);
/* Adds what a model said in a member of a message: the texts in it, sound by its bytes, a picture by a fixed figure. Ids, links
 * and the like are not its words. */
void token_count_add_member(struct token_count *count, struct text name, const struct json_t *value);
int64_t token_count_total(const struct token_count *count);
