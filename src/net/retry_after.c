/* Retry-After in its two forms. */
#include "net/retry_after.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

#define DAY_MS 86400000.0
#define DATE_MAX 64

static int64_t bounded_ms(double ms) {
    return ms > 0 ? llround(fmin(ms, DAY_MS)) : 0;
}

/* The number that the whole text is; false: it is none. */
static bool read_number(struct text value, double *ret) {
    char number[DATE_MAX], *end = NULL;
    if (value.len == 0 || value.len >= sizeof(number)) {
        return false;
    }
    memcpy(number, value.ptr, value.len);
    number[value.len] = '\0';
    if (strspn(number, "0123456789.") < value.len) {
        return false;
    }
    *ret = strtod(number, &end);
    return *end == '\0';
}

int64_t retry_after_read_ms(struct text value, int64_t now_ms) {
    double seconds = 0;
    value = text_trim(value);
    if (read_number(value, &seconds)) {
        return bounded_ms(seconds * 1000);
    }
    char date[DATE_MAX];
    struct tm parts = { 0 };
    if (value.len == 0 || value.len >= sizeof(date)) {
        return 0;
    }
    memcpy(date, value.ptr, value.len);
    date[value.len] = '\0';
    const char *end = strptime(date, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    return end && *end == '\0' ? bounded_ms((double)timegm(&parts) * 1000 - (double)now_ms) : 0;
}

int64_t retry_after_read_ms_header(struct text value) {
    double ms = 0;
    return read_number(text_trim(value), &ms) ? bounded_ms(ms) : 0;
}
