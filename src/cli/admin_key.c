/* fennec admin-key create, list, revoke: the keys that open the operators' API. */
#include <jansson.h>

#include "admin/key.h"
#include "admin/name.h"
#include "base/clock.h"
#include "base/json.h"
#include "cli/actor.h"
#include "cli/command.h"
#include "cli/open.h"
#include "cli/output.h"
#include "store/store.h"

static enum err read_options(const struct invocation *call, struct key_row *key, struct fault *fault) {
    const char *name = invocation_option(call, "name"), *expires = invocation_option(call, "expires");
    int64_t lasts_ms = 0;
    if (name && !admin_name_valid(text_of(name)))
        return fault_set(fault, ERR_INVALID_REQUEST, "--name needs a name of 1 to 64 bytes without spaces");
    if (expires && !admin_parse_duration(text_of(expires), &lasts_ms))
        return fault_set(fault, ERR_INVALID_REQUEST, "--expires needs a time such as 90s, 15m, 12h or 30d");
    key->created_ms = clock_wall_ms();
    key->expires_ms = expires ? key->created_ms + lasts_ms : 0;
    if (name)
        snprintf(key->name, sizeof(key->name), "%s", name);
    return OK;
}

static int run_create(const struct invocation *call) {
    struct fault fault = { 0 };
    struct key_row row = { 0 };
    struct store *store;
    char actor[CLI_ACTOR_SIZE], key[API_KEY_SIZE];
    if (read_options(call, &row, &fault) || open_store(call, &store, &fault))
        return command_failed(call, &fault);
    enum err err = admin_operator_key_create(store, cli_actor(actor), &row, key, &fault);
    store_close(store);
    if (err)
        return command_failed(call, &fault);
    if (call->json) {
        json_t *value scoped(json_release) =
            json_pack("{s:s, s:I, s:s, s:s}", "key", key, "id", (json_int_t)row.id, "prefix", row.prefix, "name", row.name);
        output_json(value);
    } else {
        printf("%s\n", key);
        fprintf(stderr, "An operator's key: it may do everything under /admin/v1. It is shown this once.\n");
    }
    return EXIT_OK;
}

const struct command command_admin_key_create = {
    .name = "admin-key create",
    .summary = "Makes a key for the operators' API under /admin/v1",
    .teaching = "The key alone goes to stdout. Whoever has it may do what this command line may.\n",
    .options = (const struct cli_option[]){ { "name", "NAME", "a name to tell keys apart" },
                                            { "expires", "TIME", "from now: 90s, 15m, 12h, 30d (default: never)" },
                                            { NULL } },
    .run = run_create,
};

static bool add_key(const struct key_row *key, void *rows) {
    json_array_append_new(rows, json_pack("{s:I, s:s, s:o, s:o, s:o, s:o}", "id", (json_int_t)key->id, "prefix",
                                          key->prefix, "name", output_text(text_of(key->name)), "created",
                                          output_time(key->created_ms), "expires", output_time(key->expires_ms),
                                          "revoked", output_time(key->revoked_ms)));
    return true;
}

static int run_list(const struct invocation *call) {
    struct fault fault = { 0 };
    struct store *store;
    if (open_store(call, &store, &fault))
        return command_failed(call, &fault);
    json_t *rows scoped(json_release) = json_array();
    enum err err = store_list_admin_keys(store, add_key, rows);
    store_close(store);
    if (err) {
        fault_set(&fault, err, "the operators' keys could not be read");
        return command_failed(call, &fault);
    }
    static const struct output_column COLUMNS[] = { { "PREFIX", "prefix" },   { "NAME", "name" },
                                                    { "CREATED", "created" }, { "EXPIRES", "expires" },
                                                    { "REVOKED", "revoked" }, { NULL } };
    output_table(call, rows, COLUMNS, "No operators' keys yet: fennec admin-key create");
    return EXIT_OK;
}

const struct command command_admin_key_list = {
    .name = "admin-key list",
    .summary = "Lists the operators' keys by their prefix",
    .options = (const struct cli_option[]){ { NULL } },
    .run = run_list,
};

static int run_revoke(const struct invocation *call) {
    struct fault fault = { 0 };
    struct key_row row;
    struct store *store;
    const char *which = call->arguments[0];
    char prefix[API_KEY_PREFIX_SIZE], actor[CLI_ACTOR_SIZE];
    enum api_key_kind kind;
    if (api_key_parse(text_of(which), &kind)) { /* a leaked key, found whole */
        api_key_prefix(which, prefix);
        which = prefix;
    }
    if (open_store(call, &store, &fault))
        return command_failed(call, &fault);
    enum err err = admin_operator_key_find(store, 0, text_of(which), &row, &fault);
    if (!err)
        err = admin_operator_key_revoke(store, cli_actor(actor), &row, &fault);
    store_close(store);
    if (err)
        return command_failed(call, &fault);
    json_t *result scoped(json_release) = json_pack("{s:s}", "revoked", row.prefix);
    output_facts(call, result, (const struct output_column[]){ { "revoked", "revoked" }, { NULL } });
    return EXIT_OK;
}

const struct command command_admin_key_revoke = {
    .name = "admin-key revoke",
    .arguments = "PREFIX|NAME|KEY",
    .arguments_min = 1,
    .arguments_max = 1,
    .summary = "Ends an operator's key; a running server refuses it from its next request on",
    .options = (const struct cli_option[]){ { NULL } },
    .run = run_revoke,
};
