/* fennec key create, list, revoke. */
#include <jansson.h>

#include "admin/key.h"
#include "admin/name.h"
#include "base/clock.h"
#include "base/json.h"
#include "cli/actor.h"
#include "cli/command.h"
#include "cli/open.h"
#include "cli/output.h"
#include "cli/owner.h"
#include "store/store.h"


/* A limit of the key's own; without the option none. */
static enum err read_limit(const struct invocation *call, const char *option, int64_t *ret, struct fault *fault) {
    const char *word = invocation_option(call, option);
    int64_t limit = 0;
    if (word && (!text_to_i64(text_of(word), &limit) || limit < 1 || limit > ADMIN_KEY_LIMIT_MAX))
        return fault_set(fault, ERR_INVALID_REQUEST, "--%s needs a whole number from 1 to %d", option, ADMIN_KEY_LIMIT_MAX);
    *ret = limit;
    return OK;
}

/* Options into the wish; the fault says which one is wrong. */
static enum err read_create_options(const struct invocation *call, struct admin_key_wish *wish, struct fault *fault) {
    const char *account = invocation_option(call, "account"), *group = invocation_option(call, "group");
    const char *credits = invocation_option(call, "credits"), *name = invocation_option(call, "name");
    const char *expires = invocation_option(call, "expires");
    const char *budget = invocation_option(call, "budget"), *budget_day = invocation_option(call, "budget-day");
    if (!account || !admin_name_valid(text_of(account)))
        return fault_set(fault, ERR_INVALID_REQUEST, "--account needs a name of 1 to 64 bytes without spaces");
    if (group && !admin_name_valid(text_of(group)))
        return fault_set(fault, ERR_INVALID_REQUEST, "--group needs a name of 1 to 64 bytes without spaces");
    if (name && !admin_name_valid(text_of(name)))
        return fault_set(fault, ERR_INVALID_REQUEST, "--name needs a name of 1 to 64 bytes without spaces");
    if (credits && (!money_parse(text_of(credits), &wish->credits) || wish->credits < 0))
        return fault_set(fault, ERR_INVALID_REQUEST,
                         "--credits needs a number such as 1000 or 2.5, with at most six decimals");
    int64_t lasts_ms = 0;
    if (expires && !admin_parse_duration(text_of(expires), &lasts_ms))
        return fault_set(fault, ERR_INVALID_REQUEST, "--expires needs a time such as 90s, 15m, 12h or 30d");
    wish->account_name = text_of(account);
    wish->group = group ? text_of(group) : TEXT_NONE;
    wish->row.book = invocation_option(call, "test") ? BOOK_TEST : BOOK_LIVE;
    wish->row.created_ms = clock_wall_ms();
    wish->row.expires_ms = expires ? wish->row.created_ms + lasts_ms : 0;
    if (budget && (!money_parse(text_of(budget), &wish->row.budget_total) || wish->row.budget_total <= 0))
        return fault_set(fault, ERR_INVALID_REQUEST, "--budget needs a number of credits such as 1000 or 2.5");
    if (budget_day && (!money_parse(text_of(budget_day), &wish->row.budget_day) || wish->row.budget_day <= 0))
        return fault_set(fault, ERR_INVALID_REQUEST, "--budget-day needs a number of credits such as 1000 or 2.5");
    enum err err = read_limit(call, "requests-per-minute", &wish->row.requests_per_minute, fault);
    if (!err)
        err = read_limit(call, "concurrency", &wish->row.concurrency, fault);
    if (err)
        return err;
    if (name)
        snprintf(wish->row.name, sizeof wish->row.name, "%s", name);
    return OK;
}

static void put_key(const struct invocation *call, const struct admin_key_wish *wish, const char *key) {
    bool test = wish->row.book == BOOK_TEST;
    const char *account = invocation_option(call, "account");
    if (call->json) {
        json_t *row scoped(json_release) = json_pack("{s:s, s:s, s:s, s:b}", "key", key, "prefix", wish->row.prefix,
                                                     "account", account, "test", test);
        output_json(row);
    } else {
        printf("%s\n", key);
        fprintf(stderr, "A %s key of account %s. It is shown this once; only a hash is kept.\n", test ? "test" : "live",
                account);
    }
    open_warn_group(call, invocation_option(call, "group"));
}

static int run_create(const struct invocation *call) {
    struct fault fault = { 0 };
    struct admin_key_wish wish = { 0 };
    char actor[CLI_ACTOR_SIZE], key[API_KEY_SIZE];
    if (read_create_options(call, &wish, &fault))
        return command_failed(call, &fault);
    struct store *store;
    if (open_store(call, &store, &fault))
        return command_failed(call, &fault);
    enum err err = admin_key_create(store, cli_actor(actor), &wish, key, &fault);
    store_close(store);
    if (err)
        return command_failed(call, &fault);
    put_key(call, &wish, key);
    return EXIT_OK;
}

const struct command command_key_create = {
    .name = "key create",
    .summary = "Makes an API key, and its account when there is none of that name",
    .teaching = "The key alone goes to stdout, so that a script can keep it:\n"
                "  KEY=$(fennec key create --account studio --credits 1000)\n"
                "A test key (--test) runs every model on the built-in simulator and costs nothing.\n"
                "A running server knows the key at once.\n",
    .options = (const struct cli_option[]){ { "account", "NAME", "whose key it is (required)" },
                                            { "credits", "N", "credits added to the account" },
                                            { "group", "NAME", "the account's group: price ratio and limits" },
                                            { "test", NULL, "a test key" },
                                            { "name", "NAME", "a name to tell keys apart" },
                                            { "budget", "N", "credits that it may spend in all" },
                                            { "budget-day", "N", "credits that it may spend each UTC day" },
                                            { "expires", "TIME", "from now: 90s, 15m, 12h, 30d (default: never)" },
                                            { "requests-per-minute", "N", "that this key may ask (default: its account's)" },
                                            { "concurrency", "N", "tasks of this key that run at a time (default: its account's)" },
                                            { NULL } },
    .run = run_create,
};

/* null: none of its own. */
static json_t *limit_or_null(int64_t limit) {
    return limit > 0 ? json_integer(limit) : json_null();
}

static json_t *budget_or_null(int64_t microcredits) {
    return microcredits > 0 ? output_credits(microcredits) : json_null();
}

static bool add_key(const struct key_row *key, void *rows) {
    json_t *row = json_pack("{s:s, s:o, s:I, s:s, s:o, s:o, s:o}", "prefix", key->prefix, "name",
                            output_text(text_of(key->name)), "account_id", (json_int_t)key->account, "mode",
                            key->book == BOOK_TEST ? "test" : "live", "created", output_time(key->created_ms),
                            "expires", output_time(key->expires_ms), "revoked", output_time(key->revoked_ms));
    json_object_set_new(row, "requests_per_minute", limit_or_null(key->requests_per_minute));
    json_object_set_new(row, "concurrency", limit_or_null(key->concurrency));
    json_object_set_new(row, "budget", budget_or_null(key->budget_total));
    json_object_set_new(row, "budget_day", budget_or_null(key->budget_day));
    json_array_append_new(rows, row);
    return true;
}

static int run_list(const struct invocation *call) {
    struct fault fault = { 0 };
    struct store *store;
    if (open_store(call, &store, &fault))
        return command_failed(call, &fault);
    const char *name = invocation_option(call, "account");
    struct account_row account = { 0 };
    enum err err = name ? store_find_account(store, text_of(name), &account) : OK;
    json_t *rows scoped(json_release) = json_array();
    if (!err)
        err = store_list_keys(store, account.id, add_key, rows);
    if (!err)
        err = owner_name_all(store, rows);
    store_close(store);
    if (err == ERR_NOT_FOUND)
        fault_set(&fault, err, "there is no account %s", name);
    else if (err)
        fault_set(&fault, err, "the keys could not be read");
    if (err)
        return command_failed(call, &fault);
    static const struct output_column COLUMNS[] = { { "PREFIX", "prefix" },   { "MODE", "mode" },
                                                    { "NAME", "name" },       { "ACCOUNT", "account" },
                                                    { "CREATED", "created" }, { "EXPIRES", "expires" },
                                                    { "REVOKED", "revoked" }, { "A MINUTE", "requests_per_minute" },
                                                    { "AT A TIME", "concurrency" },
                                                    { "BUDGET", "budget" },   { "A DAY", "budget_day" },
                                                    { NULL } };
    output_table(call, rows, COLUMNS, "No keys yet: fennec key create --account NAME");
    return EXIT_OK;
}

const struct command command_key_list = {
    .name = "key list",
    .summary = "Lists keys by their prefix; the keys themselves are not kept",
    .options = (const struct cli_option[]){ { "account", "NAME", "only this account's" }, { NULL } },
    .run = run_list,
};

/* Whose keys answer to a name or prefix. */
struct owners {
    const char *which;
    int64_t first;
    bool several;
};

static bool note_owner(const struct key_row *key, void *context) {
    struct owners *owners = context;
    struct text which = text_of(owners->which);
    if (key->revoked_ms || !(text_equal(text_of(key->name), which) || text_equal(text_of(key->prefix), which)))
        return true;
    owners->several = owners->first && owners->first != key->account;
    owners->first = key->account;
    return !owners->several;
}

/* The account named by --account; without it none, but then the keys must be of one account alone. */
static enum err find_owner(const struct invocation *call, struct store *store, const char *which, int64_t *ret_account,
                           struct fault *fault) {
    const char *name = invocation_option(call, "account");
    if (name) {
        struct account_row account;
        enum err err = owner_find(store, name, &account, fault);
        if (!err)
            *ret_account = account.id;
        return err;
    }
    struct owners owners = { .which = which };
    enum err err = store_list_keys(store, 0, note_owner, &owners);
    if (err)
        return fault_set(fault, err, "the keys could not be read");
    if (owners.several)
        return fault_set(fault, ERR_INVALID_REQUEST,
                         "keys of several accounts have this name; say whose with --account, or "
                         "give a prefix");
    *ret_account = 0;
    return OK;
}

static int run_revoke(const struct invocation *call) {
    struct fault fault = { 0 };
    struct store *store;
    if (open_store(call, &store, &fault))
        return command_failed(call, &fault);
    const char *which = call->arguments[0];
    char prefix[API_KEY_PREFIX_SIZE], actor[CLI_ACTOR_SIZE];
    enum api_key_kind kind;
    int64_t account = 0;
    int count = 0;
    if (api_key_parse(text_of(which), &kind)) { /* a leaked key, found whole */
        api_key_prefix(which, prefix);
        which = prefix;
    }
    enum err err = find_owner(call, store, which, &account, &fault);
    if (!err)
        err = admin_key_revoke_named(store, cli_actor(actor), account, text_of(which), &count, &fault);
    store_close(store);
    if (err)
        return command_failed(call, &fault);
    json_t *result scoped(json_release) = json_pack("{s:i}", "revoked", count);
    output_facts(call, result, (const struct output_column[]){ { "keys revoked", "revoked" }, { NULL } });
    return EXIT_OK;
}

const struct command command_key_revoke = {
    .name = "key revoke",
    .arguments = "PREFIX|NAME|KEY",
    .arguments_min = 1,
    .arguments_max = 1,
    .summary = "Ends a key; a running server refuses it from its next request on",
    .teaching = "A name that keys of several accounts have needs --account.\n",
    .options = (const struct cli_option[]){ { "account", "NAME", "only this account's" }, { NULL } },
    .run = run_revoke,
};
