/* Query parameters of reports. */
#include "api/account/period.h"

#include "base/date.h"

static enum err read_day(struct exchange *exchange, const char *name, int64_t *ret, struct fault *fault) {
    struct text value;
    if (!exchange_query(exchange, text_of(name), &value) || date_parse(value, ret))
        return OK;
    return fault_set_param(fault, ERR_NOT_ALLOWED_VALUE, name, "%s must be a date such as 2026-01-31.", name);
}

enum err read_days(struct exchange *exchange, int64_t *ret_from, int64_t *ret_to, struct fault *fault) {
    enum err err = read_day(exchange, "from", ret_from, fault);
    if (err == OK)
        err = read_day(exchange, "to", ret_to, fault);
    if (err == OK && *ret_from > *ret_to)
        err = fault_set_param(fault, ERR_OUT_OF_RANGE, "from", "from must not come after to.");
    return err;
}

enum err read_wants_csv(struct exchange *exchange, bool *ret, struct fault *fault) {
    struct text value;
    *ret = false;
    if (!exchange_query(exchange, TEXT("format"), &value) || text_equal(value, TEXT("json")))
        return OK;
    *ret = text_equal(value, TEXT("csv"));
    return *ret ? OK : fault_set_param(fault, ERR_NOT_ALLOWED_VALUE, "format", "format must be json or csv.");
}
