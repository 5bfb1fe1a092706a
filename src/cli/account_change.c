/* fennec account create, group, suspend, resume. */
#include <jansson.h>

#include "admin/account.h"
#include "admin/name.h"
#include "base/json.h"
#include "cli/actor.h"
#include "cli/command.h"
#include "cli/open.h"
#include "cli/output.h"
#include "cli/owner.h"
#include "store/store.h"

static int put_account(const struct invocation *call, const struct account_row *account) {
    json_t *value scoped(json_release) =
        json_pack("{s:I, s:o, s:o, s:o}", "id", (json_int_t)account->id, "name", output_text(text_of(account->name)),
                  "group", output_text(text_of(account->group)), "suspended", output_time(account->suspended_ms));
    output_facts(call, value,
                 (const struct output_column[]){ { "id", "id" },
                                                 { "name", "name" },
                                                 { "group", "group" },
                                                 { "suspended", "suspended" },
                                                 { NULL } });
    return EXIT_OK;
}

static enum err check_name(const char *name, const char *what, struct fault *fault) {
    return admin_name_valid(text_of(name)) ? OK
                                           : fault_set(fault, ERR_INVALID_REQUEST,
                                                       "%s is a name of 1 to 64 bytes without spaces", what);
}

static int run_create(const struct invocation *call) {
    struct fault fault = { 0 };
    struct account_row account;
    struct store *store;
    char actor[CLI_ACTOR_SIZE];
    const char *group = invocation_option(call, "group");
    if (check_name(call->arguments[0], "NAME", &fault) || (group && check_name(group, "--group", &fault)) ||
        open_store(call, &store, &fault))
        return command_failed(call, &fault);
    enum err err =
        admin_account_create(store, cli_actor(actor), text_of(call->arguments[0]), text_of(group), &account, &fault);
    store_close(store);
    if (err)
        return command_failed(call, &fault);
    open_warn_group(call, group);
    return put_account(call, &account);
}

const struct command command_account_create = {
    .name = "account create",
    .arguments = "NAME",
    .arguments_min = 1,
    .arguments_max = 1,
    .summary = "Makes an account; `key create --account NAME` makes one as well",
    .options = (const struct cli_option[]){ { "group", "NAME", "price ratio and limits (default: default)" }, { NULL } },
    .run = run_create,
};

static int run_change(const struct invocation *call, struct admin_account_change *change) {
    struct fault fault = { 0 };
    struct account_row account;
    struct store *store;
    char actor[CLI_ACTOR_SIZE];
    change->reason = text_of(invocation_option(call, "reason"));
    if (open_store(call, &store, &fault))
        return command_failed(call, &fault);
    enum err err = owner_find(store, call->arguments[0], &account, &fault);
    if (!err)
        err = admin_account_change(store, cli_actor(actor), account.id, change, &account, &fault);
    store_close(store);
    return err ? command_failed(call, &fault) : put_account(call, &account);
}

static int run_group(const struct invocation *call) {
    struct admin_account_change change = { .group = text_of(call->arguments[1]) };
    struct fault fault = { 0 };
    if (check_name(call->arguments[1], "GROUP", &fault))
        return command_failed(call, &fault);
    int code = run_change(call, &change);
    if (code == EXIT_OK)
        open_warn_group(call, call->arguments[1]);
    return code;
}

static int run_suspend(const struct invocation *call) {
    struct admin_account_change change = { .has_suspended = true, .suspended = true };
    return run_change(call, &change);
}

static int run_resume(const struct invocation *call) {
    struct admin_account_change change = { .has_suspended = true, .suspended = false };
    return run_change(call, &change);
}

static const struct cli_option REASON[] = { { "reason", "TEXT", "why, kept in the record of changes" }, { NULL } };

const struct command command_account_group = {
    .name = "account group",
    .arguments = "NAME GROUP",
    .arguments_min = 2,
    .arguments_max = 2,
    .summary = "Puts an account into another group of the settings",
    .options = REASON,
    .run = run_group,
};

const struct command command_account_suspend = {
    .name = "account suspend",
    .arguments = "NAME",
    .arguments_min = 1,
    .arguments_max = 1,
    .summary = "Refuses an account's keys, from their next request on",
    .teaching = "Tasks that were accepted go on, and what they cost is charged.\n",
    .options = REASON,
    .run = run_suspend,
};

const struct command command_account_resume = {
    .name = "account resume",
    .arguments = "NAME",
    .arguments_min = 1,
    .arguments_max = 1,
    .summary = "Lets a suspended account's keys in again",
    .options = REASON,
    .run = run_resume,
};
