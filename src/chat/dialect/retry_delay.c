/* When to try again, in all the headers and spellings in which services say it. */
#include "chat/dialect/retry_delay.h"

#include <stdlib.h>
#include <time.h>

#include "net/retry_after.h"

#define DAY_MS INT64_C(86400000)
#define NUMBER_MAX 24
#define DATE_MAX 40

static struct text skip(struct text t, size_t count) {
    return (struct text){ t.ptr + count, t.len - count };
}

/* The last one counts of a header that comes twice. */
static struct text header(struct text headers, struct text name) {
    struct text found = TEXT_NONE;
    while (headers.len > 0) {
        struct text value = text_cut(&headers, '\n');
        if (text_equal_nocase(text_cut(&value, ':'), name)) {
            found = text_trim(value);
        }
    }
    return found;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* Takes digits with or without a fraction from the beginning of *rest. */
static bool cut_number(struct text *rest, double *ret) {
    char digits[NUMBER_MAX + 1];
    size_t len = 0;
    while (len < rest->len && (is_digit(rest->ptr[len]) || rest->ptr[len] == '.')) {
        len++;
    }
    if (len == 0 || len > NUMBER_MAX || !is_digit(rest->ptr[0])) {
        return false;
    }
    memcpy(digits, rest->ptr, len);
    digits[len] = '\0';
    char *end = NULL;
    *ret = strtod(digits, &end);
    *rest = skip(*rest, len);
    return *end == '\0';
}

/* Milliseconds of the unit at the beginning of *rest; 0: none that we know. */
static double cut_unit_ms(struct text *rest) {
    static const struct {
        const char *unit;
        double ms;
    } units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", (double)DAY_MS } };
    for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
        if (text_starts(*rest, text_of(units[i].unit))) {
            *rest = skip(*rest, strlen(units[i].unit));
            return units[i].ms;
        }
    }
    return 0;
}

int64_t chat_duration_ms(struct text duration) {
    double total_ms = 0, number = 0;
    duration = text_trim(duration);
    while (duration.len > 0) {
        if (!cut_number(&duration, &number)) {
            return 0;
        }
        bool bare = duration.len == 0 && total_ms == 0;
        double unit_ms = bare ? 1000 : cut_unit_ms(&duration);
        if (unit_ms == 0) {
            return 0;
        }
        total_ms += number * unit_ms;
    }
    return total_ms < (double)DAY_MS ? (int64_t)total_ms : DAY_MS;
}

/* The reply's own time; 0: it says none. Its clock need not be ours. */
static int64_t date_ms(struct text headers) {
    char date[DATE_MAX];
    struct tm parts = { 0 };
    struct text value = header(headers, TEXT("date"));
    if (value.len == 0 || value.len >= sizeof(date)) {
        return 0;
    }
    memcpy(date, value.ptr, value.len);
    date[value.len] = '\0';
    const char *end = strptime(date, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    return end && *end == '\0' ? (int64_t)timegm(&parts) * 1000 : 0;
}

/* A duration, or a moment in seconds or milliseconds since 1970. */
static int64_t reset_ms(struct text value, int64_t now_ms) {
    int64_t moment = 0;
    if (!text_to_i64(value, &moment) || moment < INT64_C(1000000000)) {
        return chat_duration_ms(value);
    }
    moment = moment < INT64_C(100000000000) ? moment * 1000 : moment;
    int64_t left_ms = now_ms > 0 ? moment - now_ms : 0;
    return left_ms < 0 ? 0 : left_ms > DAY_MS ? DAY_MS : left_ms;
}

/* x-ratelimit-reset-requests and -tokens: the one of which nothing remains, else the shorter. */
static int64_t rate_limit_ms(struct text headers, int64_t now_ms) {
    static const struct {
        struct text reset, remaining;
    } rows[] = {
        { TEXT("x-ratelimit-reset-requests"), TEXT("x-ratelimit-remaining-requests") },
        { TEXT("x-ratelimit-reset-tokens"), TEXT("x-ratelimit-remaining-tokens") },
        { TEXT("x-ratelimit-reset"), TEXT("x-ratelimit-remaining") },
    };
    int64_t shortest_ms = 0, used_up_ms = 0;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        int64_t ms = reset_ms(header(headers, rows[i].reset), now_ms);
        if (ms > used_up_ms && text_equal(header(headers, rows[i].remaining), TEXT("0"))) {
            used_up_ms = ms;
        }
        if (ms > 0 && (shortest_ms == 0 || ms < shortest_ms)) {
            shortest_ms = ms;
        }
    }
    return used_up_ms > 0 ? used_up_ms : shortest_ms;
}

static int64_t read_delay_ms(struct text headers, int http_status) {
    int64_t ms = retry_after_read_ms_header(header(headers, TEXT("retry-after-ms")));
    if (ms > 0) {
        return ms;
    }
    struct text after = header(headers, TEXT("retry-after"));
    int64_t now_ms = date_ms(headers);
    bool counted = after.len > 0 && is_digit(after.ptr[0]);
    if (counted || now_ms > 0) {
        ms = retry_after_read_ms(after, now_ms);
    }
    return ms > 0 || http_status != 429 ? ms : rate_limit_ms(headers, now_ms);
}

void retry_delay_read(struct text headers, struct chat_failure *failure) {
    int64_t ms = read_delay_ms(headers, failure->http_status);
    struct text should = header(headers, TEXT("x-should-retry"));
    if (ms > 0) {
        failure->delay_ms = ms;
    }
    if (failure->scope != SCOPE_CAPACITY && failure->scope != SCOPE_PROVIDER) {
        return;
    }
    if (text_equal_nocase(should, TEXT("true"))) {
        failure->retryable = true;
    } else if (text_equal_nocase(should, TEXT("false"))) {
        failure->retryable = false;
    }
}
