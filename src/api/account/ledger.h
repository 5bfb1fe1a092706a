/* An account's ledger as an answer: for the account itself, and for operators. */
#pragma once

#include "api/account/period.h"
#include "store/store.h"

/* Answers with the account's entries, oldest first, as the query says: `from`, `to`, `format`, `after`, `limit`. JSON is a
 * page; CSV is all of it, written while it is read, a page at a time: then the `work` of the exchange's call (call_of) is
 * used. HTTP thread. */
void reply_ledger(struct exchange *exchange, struct store *store, int64_t account);
/* Bounds the filter to these days, of the account that it names: its time and, so that nothing outside is read, its
 * sequences; `after` only grows. */
enum err ledger_narrow(struct store *store, struct ledger_filter *filter, int64_t from_day, int64_t to_day,
                       struct fault *fault) must_check;
#define LEDGER_LAST_DAY 2932896 /* 9999-12-31, where nothing bounds it */
