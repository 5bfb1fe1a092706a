/* fennec key create, list, revoke. */
#include <jansson.h>

#include "admin/name.h"
#include "base/clock.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/open.h"
#include "cli/output.h"
#include "cli/owner.h"
#include "config/config.h"
#include "core/api_key.h"
#include "store/tx.h"

#define KEY_LIMIT_MAX 1000000000

/* A limit of the key's own; without the option none. */
static enum err read_limit(const struct invocation *call, const char *option, int64_t *ret, struct fault *fault) {
    const char *word = invocation_option(call, option);
    int64_t limit = 0;
    if (word && (!text_to_i64(text_of(word), &limit) || limit < 1 || limit > KEY_LIMIT_MAX))
        return fault_set(fault, ERR_INVALID_REQUEST, "--%s needs a whole number from 1 to %d", option, KEY_LIMIT_MAX);
    *ret = limit;
    return OK;
}

struct create_job {
    struct store_job job;
    const char *account, *group;
    int64_t credits, account_id;
    struct key_row key;
};

static void create_run(struct store_tx *tx, struct store_job *job) {
    struct create_job *create = container_of(job, struct create_job, job);
    store_tx_ensure_account(tx, text_of(create->account), text_of(create->group), create->key.created_ms,
                            &create->account_id);
    create->key.account = create->account_id;
    store_tx_add_key(tx, &create->key);
    if (create->credits)
        store_tx_add_ledger(tx, &(struct ledger_row){ .account = create->account_id,
                                                      .book = BOOK_LIVE,
                                                      .kind = LEDGER_CREDIT,
                                                      .microcredits = create->credits,
                                                      .at_ms = create->key.created_ms,
                                                      .note = TEXT("key create --credits") });
}

/* Options into the job; the fault says which one is wrong. */
static enum err read_create_options(const struct invocation *call, struct create_job *create, struct fault *fault) {
    create->account = invocation_option(call, "account");
    create->group = invocation_option(call, "group");
    const char *credits = invocation_option(call, "credits"), *name = invocation_option(call, "name");
    const char *expires = invocation_option(call, "expires");
    const char *budget = invocation_option(call, "budget"), *budget_day = invocation_option(call, "budget-day");
    create->key.created_ms = clock_wall_ms();
    if (!create->account || !admin_name_valid(text_of(create->account)))
        return fault_set(fault, ERR_INVALID_REQUEST, "--account needs a name of 1 to 64 bytes without spaces");
    if (create->group && !admin_name_valid(text_of(create->group)))
        return fault_set(fault, ERR_INVALID_REQUEST, "--group needs a name of 1 to 64 bytes without spaces");
    if (name && !admin_name_valid(text_of(name)))
        return fault_set(fault, ERR_INVALID_REQUEST, "--name needs a name of 1 to 64 bytes without spaces");
    if (credits && (!money_parse(text_of(credits), &create->credits) || create->credits < 0))
        return fault_set(fault, ERR_INVALID_REQUEST,
                         "--credits needs a number such as 1000 or 2.5, with at most six decimals");
    int64_t lasts_ms;
    if (expires && !admin_parse_duration(text_of(expires), &lasts_ms))
        return fault_set(fault, ERR_INVALID_REQUEST, "--expires needs a time such as 90s, 15m, 12h or 30d");
    if (expires)
        create->key.expires_ms = create->key.created_ms + lasts_ms;
    if (budget && (!money_parse(text_of(budget), &create->key.budget_total) || create->key.budget_total <= 0))
        return fault_set(fault, ERR_INVALID_REQUEST, "--budget needs a number of credits such as 1000 or 2.5");
    if (budget_day && (!money_parse(text_of(budget_day), &create->key.budget_day) || create->key.budget_day <= 0))
        return fault_set(fault, ERR_INVALID_REQUEST, "--budget-day needs a number of credits such as 1000 or 2.5");
    enum err err = read_limit(call, "requests-per-minute", &create->key.requests_per_minute, fault);
    if (!err)
        err = read_limit(call, "concurrency", &create->key.concurrency, fault);
    if (err)
        return err;
    if (name)
        snprintf(create->key.name, sizeof create->key.name, "%s", name);
    return OK;
}

/* A group may be named before the settings have it; a misspelt one looks the same, so it is said. */
static enum err check_group(const struct invocation *call, const char *group, bool *ret_known, struct fault *fault) {
    struct config *config;
    enum err err = open_config(call, &config, fault);
    if (err)
        return err;
    *ret_known = !group || text_equal(text_of(config_group(config, text_of(group))->name), text_of(group));
    config_free(config);
    return OK;
}

static void put_key(const struct invocation *call, const struct create_job *create, const char *key, bool group_known) {
    bool test = create->key.book == BOOK_TEST;
    if (call->json) {
        json_t *row scoped(json_release) = json_pack("{s:s, s:s, s:s, s:b}", "key", key, "prefix", create->key.prefix,
                                                     "account", create->account, "test", test);
        output_json(row);
    } else {
        printf("%s\n", key);
        fprintf(stderr, "A %s key of account %s. It is shown this once; only a hash is kept.\n", test ? "test" : "live",
                create->account);
    }
    if (!group_known)
        fprintf(stderr, "The settings have no group %s: until they do, its prices and limits are those of `default`.\n",
                create->group);
}

static int run_create(const struct invocation *call) {
    struct fault fault = { 0 };
    struct create_job create = { .job.run = create_run };
    bool group_known = true;
    if (read_create_options(call, &create, &fault) || check_group(call, create.group, &group_known, &fault))
        return command_failed(call, &fault);
    bool test = invocation_option(call, "test") != NULL;
    char key[API_KEY_SIZE];
    api_key_new(key, test);
    api_key_hash(text_of(key), create.key.hash);
    api_key_prefix(key, create.key.prefix);
    create.key.book = test ? BOOK_TEST : BOOK_LIVE;
    struct store *store;
    if (open_store(call, &store, &fault))
        return command_failed(call, &fault);
    enum err err = store_call(store, &create.job);
    store_close(store);
    if (err) {
        fault_set(&fault, err, "the key could not be stored: %s", err_info(err)->name);
        return command_failed(call, &fault);
    }
    put_key(call, &create, key, group_known);
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

static bool add_key(const struct key_row *key, void *rows) {
    json_t *row = json_pack("{s:s, s:o, s:I, s:s, s:o, s:o, s:o}", "prefix", key->prefix, "name",
                            output_text(text_of(key->name)), "account_id", (json_int_t)key->account, "mode",
                            key->book == BOOK_TEST ? "test" : "live", "created", output_time(key->created_ms),
                            "expires", output_time(key->expires_ms), "revoked", output_time(key->revoked_ms));
    json_object_set_new(row, "requests_per_minute", limit_or_null(key->requests_per_minute));
    json_object_set_new(row, "concurrency", limit_or_null(key->concurrency));
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
                                                    { "AT A TIME", "concurrency" }, { NULL } };
    output_table(call, rows, COLUMNS, "No keys yet: fennec key create --account NAME");
    return EXIT_OK;
}

const struct command command_key_list = {
    .name = "key list",
    .summary = "Lists keys by their prefix; the keys themselves are not kept",
    .options = (const struct cli_option[]){ { "account", "NAME", "only this account's" }, { NULL } },
    .run = run_list,
};

struct revoke_job {
    struct store_job job;
    const char *which;
    int64_t account; /* 0: of any */
    int count;
};

static void revoke_run(struct store_tx *tx, struct store_job *job) {
    struct revoke_job *revoke = container_of(job, struct revoke_job, job);
    store_tx_revoke_key(tx, revoke->account, text_of(revoke->which), clock_wall_ms(), &revoke->count);
}

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
static enum err find_owner(const struct invocation *call, struct store *store, struct revoke_job *revoke,
                           struct fault *fault) {
    const char *name = invocation_option(call, "account");
    if (name) {
        struct account_row account;
        enum err err = store_find_account(store, text_of(name), &account);
        if (err)
            return fault_set(fault, err,
                             err == ERR_NOT_FOUND ? "there is no account %s" : "account %s could not be read", name);
        revoke->account = account.id;
        return OK;
    }
    struct owners owners = { .which = revoke->which };
    enum err err = store_list_keys(store, 0, note_owner, &owners);
    if (err)
        return fault_set(fault, err, "the keys could not be read");
    if (owners.several)
        return fault_set(fault, ERR_INVALID_REQUEST,
                         "keys of several accounts have this name; say whose with --account, or "
                         "give a prefix");
    return OK;
}

static enum err revoke_keys(const struct invocation *call, struct store *store, struct revoke_job *revoke,
                            struct fault *fault) {
    enum err err = find_owner(call, store, revoke, fault);
    if (err)
        return err;
    err = store_call(store, &revoke->job);
    return !err ? OK
                : fault_set(fault, err,
                            err == ERR_NOT_FOUND ? "there is no valid key with that prefix or name"
                                                 : "the key could not be revoked");
}

static int run_revoke(const struct invocation *call) {
    struct fault fault = { 0 };
    struct store *store;
    if (open_store(call, &store, &fault))
        return command_failed(call, &fault);
    struct revoke_job revoke = { .job.run = revoke_run, .which = call->arguments[0] };
    char prefix[API_KEY_PREFIX_SIZE];
    bool test;
    if (api_key_parse(text_of(revoke.which), &test)) { /* a leaked key, found whole */
        api_key_prefix(revoke.which, prefix);
        revoke.which = prefix;
    }
    enum err err = revoke_keys(call, store, &revoke, &fault);
    store_close(store);
    if (err)
        return command_failed(call, &fault);
    json_t *result scoped(json_release) = json_pack("{s:i}", "revoked", revoke.count);
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
