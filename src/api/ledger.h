/* An account's ledger as an answer: for the account itself, and for operators. */
#pragma once

#include "http/exchange.h"
#include "store/store.h"

/* Answers with the account's entries, oldest first, as the query says: `from`, `to`, `format`, `after`, `limit`. JSON is a
 * page; CSV is all of it, written while it is read, a page at a time: then the `work` of the exchange's call (call_of) is
 * used. HTTP thread. */
void reply_ledger(struct exchange *exchange, struct store *store, int64_t account);
