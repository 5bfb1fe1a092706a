/* What an account used as an answer: for the account itself, and for operators. */
#pragma once

#include "http/exchange.h"
#include "store/store.h"

/* Answers with the sums of one book of the account, as the query says: `from`, `to`, `by`, `model`, `key`, `format`, `after`,
 * `limit`. HTTP thread. */
void reply_usage(struct exchange *exchange, struct store *store, int64_t account, enum book book);
