/* fennec key set. */
#include <jansson.h>

#include "admin/record.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "cli/actor.h"
#include "cli/command.h"
#include "cli/open.h"
#include "cli/output.h"
#include "core/money.h"
#include "store/tx.h"

struct set_job {
    struct store_job job;
    struct text actor;
    struct key_row key;
    struct key_limits limits;
    const char *detail;
};

static void set_run(struct store_tx *tx, struct store_job *job) {
    const struct set_job *set = container_of(job, struct set_job, job);
    store_tx_set_key_limits(tx, set->key.account, set->key.id, &set->limits);
    admin_record(tx, set->actor, "key.limited", set->key.account, text_of(set->key.prefix), text_of(set->detail));
}

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

static enum err find_key(const struct invocation *call, struct store *store, struct set_job *set, struct fault *fault) {
    struct search search = { .which = text_of(call->arguments[0]) };
    const char *name = invocation_option(call, "account");
    struct account_row account = { 0 };
    enum err err = name ? store_find_account(store, text_of(name), &account) : OK;
    if (err)
        return fault_set(fault, err, "there is no account %s", name);
    err = search.which.len > 0 ? store_list_keys(store, account.id, note_key, &search) : OK;
    if (err)
        return fault_set(fault, err, "the keys could not be read");
    if (search.count == 0)
        return fault_set(fault, ERR_NOT_FOUND, "there is no valid key with that prefix or name");
    if (search.count > 1)
        return fault_set(fault, ERR_INVALID_REQUEST, "several keys have this name; give a prefix, or --account");
    set->key = search.key;
    return OK;
}

/* "none" is 0, which stands for no bound. */
static enum err read_budget(const struct invocation *call, const char *name, int64_t *ret, struct fault *fault) {
    const char *word = invocation_option(call, name);
    if (!word)
        return OK;
    if (text_equal(text_of(word), TEXT("none"))) {
        *ret = 0;
        return OK;
    }
    int64_t microcredits;
    if (!money_parse(text_of(word), &microcredits) || microcredits <= 0)
        return fault_set(fault, ERR_INVALID_REQUEST, "--%s needs a number of credits such as 1000 or 2.5, or none", name);
    *ret = microcredits;
    return OK;
}

static json_t *budget_value(int64_t microcredits) {
    return microcredits == 0 ? json_null() : output_credits(microcredits);
}

static int run_set(const struct invocation *call) {
    struct fault fault = { 0 };
    struct set_job set = { .job.run = set_run, .limits = { -1, -1, -1, -1 } };
    char actor[CLI_ACTOR_SIZE];
    struct store *store;
    set.actor = cli_actor(actor);
    if (read_budget(call, "budget", &set.limits.budget_total, &fault) ||
        read_budget(call, "budget-day", &set.limits.budget_day, &fault) || open_store(call, &store, &fault))
        return command_failed(call, &fault);
    enum err err = find_key(call, store, &set, &fault);
    const struct key_limits *limits = &set.limits;
    json_t *value scoped(json_release) =
        json_pack("{s:o, s:o}", "budget",
                  budget_value(limits->budget_total < 0 ? set.key.budget_total : limits->budget_total), "budget_day",
                  budget_value(limits->budget_day < 0 ? set.key.budget_day : limits->budget_day));
    char *detail scoped(mem_free_pointer) = json_render(value);
    set.detail = detail;
    if (!err) {
        err = store_call(store, &set.job);
        if (err)
            fault_set(&fault, err, "the key could not be changed");
    }
    store_close(store);
    if (err)
        return command_failed(call, &fault);
    json_object_set_new(value, "prefix", json_string(set.key.prefix));
    static const struct output_column FACTS[] = {
        { "prefix", "prefix" }, { "budget", "budget" }, { "budget a day", "budget_day" }, { NULL }
    };
    output_facts(call, value, FACTS);
    return EXIT_OK;
}

const struct command command_key_set = {
    .name = "key set",
    .arguments = "PREFIX|NAME",
    .arguments_min = 1,
    .arguments_max = 1,
    .summary = "Changes what a key may spend; a running server goes by it from the key's next request on",
    .teaching = "A budget bounds what is spent and reserved with the key, in all or each UTC day.\n"
                "  fennec key set sk-live-Qk3xA9dP --budget 500 --budget-day 20\n"
                "  fennec key set sk-live-Qk3xA9dP --budget-day none\n",
    .options = (const struct cli_option[]){ { "account", "NAME", "only this account's" },
                                            { "budget", "N", "credits in all, or none" },
                                            { "budget-day", "N", "credits each UTC day, or none" },
                                            { NULL } },
    .run = run_set,
};
