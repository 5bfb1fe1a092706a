/* fennec account show. */
#include <jansson.h>

#include "base/json.h"
#include "cli/command.h"
#include "cli/open.h"
#include "cli/output.h"
#include "cli/owner.h"
#include "store/store.h"

static json_t *account_value(const struct account_row *account) {
    return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o}", "id", (json_int_t)account->id, "name",
                     output_text(text_of(account->name)), "group", output_text(text_of(account->group)), "credits",
                     output_credits(account->balance[BOOK_LIVE]), "test_credits",
                     output_credits(account->balance[BOOK_TEST]), "created", output_time(account->created_ms));
}

static bool add_account(const struct account_row *account, void *rows) {
    json_array_append_new(rows, account_value(account));
    return true;
}

static bool add_entry(const struct ledger_row *entry, void *rows) {
    json_array_append_new(rows, json_pack("{s:I, s:o, s:s, s:s, s:o, s:s, s:o}", "sequence",
                                          (json_int_t)entry->sequence, "at", output_time(entry->at_ms), "book",
                                          entry->book == BOOK_TEST ? "test" : "live", "kind",
                                          ledger_kind_name(entry->kind), "credits", output_credits(entry->microcredits),
                                          "task", entry->task.string, "note", output_text(entry->note)));
    return true;
}

static const struct output_column ACCOUNT_COLUMNS[] = { { "NAME", "name" },       { "GROUP", "group" },
                                                        { "CREDITS", "credits" }, { "TEST CREDITS", "test_credits" },
                                                        { "CREATED", "created" }, { NULL } };

static int show_all(const struct invocation *call, struct store *store, struct fault *fault) {
    json_t *rows scoped(json_release) = json_array();
    enum err err = store_list_accounts(store, add_account, rows);
    if (err) {
        fault_set(fault, err, "the accounts could not be read");
        return command_failed(call, fault);
    }
    output_table(call, rows, ACCOUNT_COLUMNS, "No accounts yet: fennec key create --account NAME");
    return EXIT_OK;
}

static int show_one(const struct invocation *call, struct store *store, struct fault *fault) {
    struct account_row account;
    if (owner_find(store, call->arguments[0], &account, fault))
        return command_failed(call, fault);
    json_t *value scoped(json_release) = account_value(&account);
    bool ledger = invocation_option(call, "ledger") != NULL;
    json_t *entries = json_array();
    json_object_set_new(value, "ledger", entries);
    if (ledger && store_list_ledger(store, account.id, add_entry, entries)) {
        fault_set(fault, ERR_IO, "the ledger could not be read");
        return command_failed(call, fault);
    }
    if (!ledger)
        json_object_del(value, "ledger");
    static const struct output_column FACTS[] = { { "name", "name" },       { "group", "group" },
                                                  { "credits", "credits" }, { "test credits", "test_credits" },
                                                  { "created", "created" }, { NULL } };
    output_facts(call, value, FACTS);
    static const struct output_column ENTRIES[] = { { "AT", "at" },
                                                    { "BOOK", "book" },
                                                    { "KIND", "kind" },
                                                    { "CREDITS", "credits" },
                                                    { "TASK", "task" },
                                                    { "NOTE", "note" },
                                                    { NULL } };
    if (ledger && !call->json) {
        putchar('\n');
        output_table(call, entries, ENTRIES, "No entries.");
    }
    return EXIT_OK;
}

static int run_show(const struct invocation *call) {
    struct fault fault = { 0 };
    struct store *store;
    if (open_store(call, &store, &fault))
        return command_failed(call, &fault);
    int code = call->argument_count ? show_one(call, store, &fault) : show_all(call, store, &fault);
    store_close(store);
    return code;
}

const struct command command_account_show = {
    .name = "account show",
    .arguments = "[NAME]",
    .arguments_max = 1,
    .summary = "Shows an account with its balance, or all accounts",
    .options = (const struct cli_option[]){ { "ledger", NULL, "with every entry of its ledger" }, { NULL } },
    .run = run_show,
};
