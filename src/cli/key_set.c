/* fennec key set. */
#include <jansson.h>

#include "admin/key.h"
#include "base/json.h"
#include "cli/actor.h"
#include "cli/command.h"
#include "cli/open.h"
#include "cli/output.h"
#include "cli/owner.h"
#include "core/money.h"
#include "store/store.h"

/* The only key that answers to a name or prefix and still counts. */
struct search {
    struct text which;
    struct key_row key;
    unsigned count;
};

static bool note_key(const struct key_row *key, void *context) {
    struct search *search = context;
    if (key->revoked_ms != 0 ||
        !(text_equal(text_of(key->name), search->which) || text_equal(text_of(key->prefix), search->which)))
        return true;
    search->key = *key;
    return ++search->count < 2;
}

static enum err find_key(const struct invocation *call, struct store *store, struct key_row *ret, struct fault *fault) {
    struct search search = { .which = text_of(call->arguments[0]) };
    const char *name = invocation_option(call, "account");
    struct account_row account = { 0 };
    enum err err = name ? owner_find(store, name, &account, fault) : OK;
    if (err)
        return err;
    err = search.which.len > 0 ? store_list_keys(store, account.id, note_key, &search) : OK;
    if (err)
        return fault_set(fault, err, "the keys could not be read");
    if (search.count == 0)
        return fault_set(fault, ERR_NOT_FOUND, "there is no valid key with that prefix or name");
    if (search.count > 1)
        return fault_set(fault, ERR_INVALID_REQUEST, "several keys have this name; give a prefix, or --account");
    *ret = search.key;
    return OK;
}

/* "none" is 0, which stands for no bound; an option that is not given changes nothing. */
static enum err read_budget(const struct invocation *call, const char *name, int64_t *budget, struct fault *fault) {
    const char *word = invocation_option(call, name);
    int64_t microcredits = 0;
    if (!word)
        return OK;
    if (!text_equal(text_of(word), TEXT("none")) && (!money_parse(text_of(word), &microcredits) || microcredits <= 0))
        return fault_set(fault, ERR_INVALID_REQUEST, "--%s needs a number of credits such as 1000 or 2.5, or none", name);
    *budget = microcredits;
    return OK;
}

static enum err read_count(const struct invocation *call, const char *name, int64_t *limit, struct fault *fault) {
    const char *word = invocation_option(call, name);
    int64_t count = 0;
    if (!word)
        return OK;
    if (!text_equal(text_of(word), TEXT("none")) &&
        (!text_to_i64(text_of(word), &count) || count < 1 || count > ADMIN_KEY_LIMIT_MAX))
        return fault_set(fault, ERR_INVALID_REQUEST, "--%s needs a number from 1 to %d, or none", name, ADMIN_KEY_LIMIT_MAX);
    *limit = count;
    return OK;
}

static enum err read_limits(const struct invocation *call, struct key_row *key, struct fault *fault) {
    enum err err = read_budget(call, "budget", &key->budget_total, fault);
    if (!err)
        err = read_budget(call, "budget-day", &key->budget_day, fault);
    if (!err)
        err = read_count(call, "requests-per-minute", &key->requests_per_minute, fault);
    return err ? err : read_count(call, "concurrency", &key->concurrency, fault);
}

static json_t *budget_value(int64_t microcredits) {
    return microcredits == 0 ? json_null() : output_credits(microcredits);
}

static json_t *limit_value(int64_t limit) {
    return limit == 0 ? json_null() : json_integer(limit);
}

static void put_key(const struct invocation *call, const struct key_row *key) {
    static const struct output_column FACTS[] = {
        { "prefix", "prefix" }, { "budget", "budget" }, { "budget a day", "budget_day" },
        { "requests a minute", "requests_per_minute" }, { "at a time", "concurrency" }, { NULL }
    };
    json_t *value scoped(json_release) =
        json_pack("{s:s, s:o, s:o, s:o, s:o}", "prefix", key->prefix, "budget", budget_value(key->budget_total),
                  "budget_day", budget_value(key->budget_day), "requests_per_minute",
                  limit_value(key->requests_per_minute), "concurrency", limit_value(key->concurrency));
    output_facts(call, value, FACTS);
}

static int run_set(const struct invocation *call) {
    struct fault fault = { 0 };
    struct key_row key, wish = ADMIN_KEY_UNCHANGED;
    char actor[CLI_ACTOR_SIZE];
    struct store *store;
    if (read_limits(call, &wish, &fault) || open_store(call, &store, &fault)) /* words first, before anything opens */
        return command_failed(call, &fault);
    enum err err = find_key(call, store, &key, &fault);
    if (!err)
        err = admin_key_change(store, cli_actor(actor), &wish, &key, &fault);
    store_close(store);
    if (err)
        return command_failed(call, &fault);
    put_key(call, &key);
    return EXIT_OK;
}

const struct command command_key_set = {
    .name = "key set",
    .arguments = "PREFIX|NAME",
    .arguments_min = 1,
    .arguments_max = 1,
    .summary = "Changes what a key may spend and ask; a running server goes by it from the key's next request on",
    .teaching = "A budget bounds what is spent and reserved with the key, in all or each UTC day.\n"
                "  fennec key set sk-live-Qk3xA9dP --budget 500 --budget-day 20\n"
                "  fennec key set sk-live-Qk3xA9dP --budget-day none\n",
    .options = (const struct cli_option[]){ { "account", "NAME", "only this account's" },
                                            { "budget", "N", "credits in all, or none" },
                                            { "budget-day", "N", "credits each UTC day, or none" },
                                            { "requests-per-minute", "N", "that it may ask, or none of its own" },
                                            { "concurrency", "N", "tasks that run at a time, or none of its own" },
                                            { NULL } },
    .run = run_set,
};
