/* What test mode's language models say: the same to the same words, one piece a token. Pure. */
#pragma once

#include <stdint.h>

#include "base/buffer.h"
#include "base/text.h"

struct json_t;

/* The content of the last message that a user has sent; NULL: there is none. */
const struct json_t *simulator_last_words(const struct json_t *body);

/* An answer in pieces. Freed by simulator_answer_fini; zero is fine. */
struct simulator_answer {
    struct buffer text;
    struct text rest; /* of the text; then its last part begins again */
};
/* An answer to the message: it repeats the start of it and goes on with filler. */
void simulator_answer_init(struct simulator_answer *answer, const struct json_t *words);
void simulator_answer_fini(struct simulator_answer *answer);
/* The next piece, without end: a word with the space after it, or a part of a long one. */
struct text simulator_answer_next(struct simulator_answer *answer);
