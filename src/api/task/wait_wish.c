/* Reads wishes to wait. */
#include "api/task/wait_wish.h"

#include "api/internal.h"
#include "engine/view/wait.h"
#include "http/exchange.h"

struct reading {
    struct text value;
    bool found;
};

static void look_at(struct text name, struct text value, void *context) {
    struct reading *reading = context;
    if (!reading->found && header_find(name) == HEADER_PREFER)
        reading->found = prefer_value(value, TEXT("wait"), &reading->value);
}

static void read_preference(struct exchange *exchange, unsigned most_s, struct wait_wish *ret) {
    struct reading reading = { .found = false };
    int64_t seconds;

    if (exchange_header(exchange, HEADER_PREFER).ptr == NULL)
        return;
    exchange_each_header(exchange, look_at, &reading); /* it may come in several lines */
    if (!reading.found || !text_to_i64(reading.value, &seconds) || seconds < 0)
        return;
    ret->seconds = seconds < most_s ? (unsigned)seconds : most_s;
    ret->preferred = true;
}

enum err wait_wish_read(struct exchange *exchange, unsigned most_s, struct wait_wish *ret, struct fault *fault) {
    struct text value;
    int64_t seconds;

    *ret = (struct wait_wish){ 0 };
    if (!exchange_query(exchange, TEXT("wait"), &value)) {
        read_preference(exchange, most_s, ret);
        return OK;
    }
    if (!text_to_i64(value, &seconds))
        return fault_set_param(fault, ERR_INVALID_TYPE, "wait", "wait must be a whole number of seconds.");
    if (seconds < 0 || seconds > most_s)
        return fault_set_param(fault, ERR_OUT_OF_RANGE, "wait", "wait must be from 0 to %u seconds.", most_s);
    ret->seconds = (unsigned)seconds;
    return OK;
}

void wait_wish_confirm(struct exchange *exchange, const struct wait_wish *wish) {
    char value[32];

    if (!wish->preferred)
        return;
    snprintf(value, sizeof value, "wait=%u", wish->seconds);
    reply_header(exchange, "Preference-Applied", value);
}

enum err wait_take_place(const struct call *call, struct fault *fault) {
    const struct group_config *group = config_group(call->setup->config, text_of(call->account.group));
    enum err err = engine_waiter_begin(call->api->engine, call->account.id, group->waiters);
    return err == OK ? OK
                     : fault_set(fault, err, "The account has its %u requests that wait for tasks already; ask for many "
                                 "tasks at once with ids=, or let them call back.", group->waiters);
}
