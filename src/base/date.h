/* Calendar dates, in UTC, as days since 1970-01-01. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

#define DATE_SIZE 11 /* "2026-01-02" and a NUL */

/* "2026-01-02", from 1970-01-01 to 9999-12-31; false, *ret_day untouched, when it is no such date. */
bool date_parse(struct text text, int64_t *ret_day) must_check;
/* The reverse; days out of that range are the nearest one within. */
void date_format(int64_t day, char ret[DATE_SIZE]);
