/* fennec change list: the record of what operators changed. */
#include <jansson.h>

#include "base/json.h"
#include "cli/command.h"
#include "cli/open.h"
#include "cli/output.h"
#include "store/store.h"

static bool add_change(const struct change_row *change, void *rows) {
    json_t *detail = json_loadb(change->detail.ptr, change->detail.len, 0, NULL);
    json_array_append_new(rows, json_pack("{s:I, s:o, s:o, s:o, s:I, s:o, s:o}", "number", (json_int_t)change->number,
                                          "at", output_time(change->at_ms), "actor", output_text(change->actor),
                                          "action", output_text(change->action), "account_id",
                                          (json_int_t)change->account, "object", output_text(change->object), "detail",
                                          detail ? detail : json_object()));
    return true;
}

static int run_list(const struct invocation *call) {
    struct fault fault = { 0 };
    struct store *store;
    const char *limit = invocation_option(call, "limit"), *name = invocation_option(call, "account");
    int64_t count = 50;
    if (limit && (!text_to_i64(text_of(limit), &count) || count < 1 || count > 100000)) {
        fault_set(&fault, ERR_INVALID_REQUEST, "--limit needs a number from 1 to 100000");
        return command_failed(call, &fault);
    }
    if (open_store(call, &store, &fault))
        return command_failed(call, &fault);
    struct account_row account = { 0 };
    json_t *rows scoped(json_release) = json_array();
    enum err err = name ? store_find_account(store, text_of(name), &account) : OK;
    if (!err)
        err = store_list_changes(store, account.id, 0, (unsigned)count, add_change, rows);
    store_close(store);
    if (err) {
        fault_set(&fault, err, err == ERR_NOT_FOUND ? "there is no account %s" : "the record could not be read", name);
        return command_failed(call, &fault);
    }
    static const struct output_column COLUMNS[] = { { "AT", "at" },         { "ACTOR", "actor" },
                                                    { "ACTION", "action" }, { "OBJECT", "object" },
                                                    { "DETAIL", "detail" }, { NULL } };
    output_table(call, rows, COLUMNS, "Nothing was changed yet.");
    return EXIT_OK;
}

const struct command command_change_list = {
    .name = "change list",
    .summary = "Lists what operators changed, newest first",
    .options = (const struct cli_option[]){ { "account", "NAME", "only what concerns this account" },
                                            { "limit", "N", "how many (default: 50)" },
                                            { NULL } },
    .run = run_list,
};
