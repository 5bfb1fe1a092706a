/* The proleptic Gregorian calendar, which the C library knows. */
#include "base/date.h"

#include <stdio.h>
#include <time.h>

#define DAY_S 86400
#define LAST_DAY 2932896 /* 9999-12-31 */

static bool parse_number(struct text digits, int *ret) {
    int number = 0;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9') {
            return false;
        }
        number = number * 10 + (digits.ptr[i] - '0');
    }
    *ret = number;
    return true;
}

bool date_parse(struct text text, int64_t *ret_day) {
    int year, month, of_month;
    char again[DATE_SIZE];
    if (text.len != DATE_SIZE - 1 || text.ptr[4] != '-' || text.ptr[7] != '-' ||
        !parse_number((struct text){ text.ptr, 4 }, &year) || !parse_number((struct text){ text.ptr + 5, 2 }, &month) ||
        !parse_number((struct text){ text.ptr + 8, 2 }, &of_month) || year < 1970) {
        return false;
    }
    struct tm broken = { .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = of_month };
    int64_t day = (int64_t)timegm(&broken) / DAY_S;
    date_format(day, again);
    if (!text_equal(text, text_of(again))) {
        return false; /* such as February 30 */
    }
    *ret_day = day;
    return true;
}

void date_format(int64_t day, char ret[DATE_SIZE]) {
    int64_t within = day < 0 ? 0 : day > LAST_DAY ? LAST_DAY : day;
    time_t seconds = (time_t)(within * DAY_S);
    struct tm broken;
    gmtime_r(&seconds, &broken);
    strftime(ret, DATE_SIZE, "%Y-%m-%d", &broken);
}
