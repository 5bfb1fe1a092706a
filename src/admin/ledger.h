/* Entries of a ledger as they leave: for programs (JSON) and for spreadsheets (CSV). Pure. */
#pragma once

#include "base/buffer.h"
#include "store/rows.h"

/* One object: sequence, time, book, kind, credits, charged, task, note. */
void ledger_put_json(struct buffer *buf, const struct ledger_row *entry);
/* The names of the same columns as a record, and an entry as one. */
void ledger_put_csv_head(struct buffer *buf);
void ledger_put_csv(struct buffer *buf, const struct ledger_row *entry);
