/* Cells of CSV (RFC 4180), safe to open in a spreadsheet. Pure. */
#pragma once

#include <stdint.h>

#include "base/buffer.h"

/* A text: in quotes where RFC 4180 wants them. One that a spreadsheet would take for a formula (it begins with =, +, -,
 * @, a tab or a carriage return) gets an apostrophe before it, which such programs take for "this is text". */
void csv_put_text(struct buffer *buf, struct text value);
/* The end of a record: CR LF. */
void csv_end_record(struct buffer *buf);
