/* A whole server within this process, as `fennec serve` makes it, and a client of it: for targets whose inputs are requests.
 *
 * It has two accounts, "mine" and "theirs", and what belongs to them. Its clock runs fast and its data is in memory where
 * there is such a place. Nobody outside is reached: names are not resolved, connections lead nowhere, and one that would
 * lead to this machine or its network ends the process, since nobody outside may have the server make it (S1). */
#pragma once

#include "base/buffer.h"
#include "base/text.h"

/* Starts it, makes accounts, keys, a finished task and a file of each account. */
void house_open(void);
/* Stops it, holds that the books are right (L1, L3, T1), and removes its data. */
void house_close(void);

/* Whose key a request is sent with; any other letter is none. */
#define HOUSE_TEST 't'     /* mine, a test key */
#define HOUSE_LIVE 'l'     /* mine, a live key of an account without credits */
#define HOUSE_OTHER 'o'    /* theirs, a test key */
#define HOUSE_OPERATOR 'a'

/* What stands for something that is new at each start, "@task@", "@file@", "@key@" (the operator's), …; ptr NULL: nothing of that name. */
struct text house_word(struct text name);
/* What belongs to the other account alone, and is known to nobody else. */
struct text house_secret(void);
/* The key itself; ptr NULL for a letter that has none. */
struct text house_key(char who);
/* Whether all keys are good still; new ones are made where they are not. */
void house_mend(void);

/* A request's answer, freed by house_answer_fini. */
struct house_answer {
    int status; /* 0: the connection was closed without an answer */
    struct text head, body;
    struct buffer bytes;
};
/* Sends a request, with the key in the place of any Authorization of its own, and with the length of its body, and reads
 * the answer to its end; of an endless one as much as comes within half a second. `headers` are lines. */
void house_ask(char who, struct text request, struct text headers, struct text body, struct house_answer *ret);
/* The value of a header of the answer; ptr NULL: it has none. */
struct text house_header(const struct house_answer *answer, struct text name);
void house_answer_fini(struct house_answer *answer);
