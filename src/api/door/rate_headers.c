/* The headers of draft-ietf-httpapi-ratelimit-headers-03 to -06, which most clients and proxies know: three whole numbers, the
 * reset in seconds until the whole limit is there again. OpenAI's own names go with what its clients ask only: they
 * would be half of the cost of every answer, and nobody else reads them.
 *
 * Every answer to a key has them, so digits are written by hand: printf would cost as much as all the rest here. */
#include "api/door/rate_headers.h"

#include "api/internal.h"
#include "core/rate.h"

#define NUMBER_SIZE 24
#define SECOND_MS 1000
#define MINUTE_S 60

/* Before `end`, from behind; the first digit's place. */
static char *put_digits(char *end, int64_t number) {
    do
        *--end = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    return end;
}

static void put_number(struct exchange *exchange, const char *name, int64_t number) {
    char digits[NUMBER_SIZE];
    digits[NUMBER_SIZE - 1] = '\0';
    reply_header(exchange, name, put_digits(digits + NUMBER_SIZE - 1, number));
}

int64_t rate_put_retry_after(struct exchange *exchange, int64_t wait_ms) {
    int64_t seconds = (wait_ms + SECOND_MS - 1) / SECOND_MS;
    put_number(exchange, "Retry-After", seconds);
    return seconds;
}

/* "350ms", "9s", "1m0s" */
static void put_duration(struct exchange *exchange, const char *name, int64_t ms) {
    char words[2 * NUMBER_SIZE];
    long long seconds = (long long)((ms + SECOND_MS - 1) / SECOND_MS);
    if (ms < SECOND_MS)
        snprintf(words, sizeof words, "%lldms", (long long)ms);
    else if (seconds < MINUTE_S)
        snprintf(words, sizeof words, "%llds", seconds);
    else
        snprintf(words, sizeof words, "%lldm%llds", seconds / MINUTE_S, seconds % MINUTE_S);
    reply_header(exchange, name, words);
}

void rate_put_headers(struct exchange *exchange, const struct rate_standing *standing) {
    if (standing->per_minute == 0)
        return;
    put_number(exchange, "RateLimit-Limit", standing->per_minute);
    put_number(exchange, "RateLimit-Remaining", standing->left);
    put_number(exchange, "RateLimit-Reset", (standing->full_ms + SECOND_MS - 1) / SECOND_MS);
    if (exchange_route(exchange)->handle != handle_chat_completions)
        return;
    put_number(exchange, "x-ratelimit-limit-requests", standing->per_minute);
    put_number(exchange, "x-ratelimit-remaining-requests", standing->left);
    put_duration(exchange, "x-ratelimit-reset-requests", standing->full_ms);
}
