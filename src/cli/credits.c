/* fennec account credit, refund. */
#include <jansson.h>

#include "admin/credits.h"
#include "base/json.h"
#include "cli/actor.h"
#include "cli/command.h"
#include "cli/open.h"
#include "cli/output.h"
#include "core/money.h"

#define TEXTS_MAX ((size_t)96 << 20)

static void read_words(const struct invocation *call, struct credit_order *order, char actor[CLI_ACTOR_SIZE]) {
    const char *reason = invocation_option(call, "reason");
    const char *reference = invocation_option(call, "reference");
    order->actor = cli_actor(actor);
    order->reason = text_of(reason ? reason : "");
    order->reference = text_of(reference ? reference : "");
}

/* The faults of the API are sentences about fields; what is an option here is called as one. */
static int failed(const struct invocation *call, struct fault *fault) {
    if (text_equal(text_of(fault->param), TEXT("reason")) && fault->err == ERR_MISSING_FIELD)
        fault_set(fault, ERR_INVALID_REQUEST, "--reason is required: it is kept with the entry");
    return command_failed(call, fault);
}

static int show_order(const struct invocation *call, const struct credit_order *order, const char *of) {
    json_t *value scoped(json_release) = json_pack("{s:s, s:o, s:o, s:I, s:b}", "name", of, "given",
                                                   output_credits(order->given), "credits",
                                                   output_credits(order->balance), "entry", (json_int_t)order->entry,
                                                   "repeated", order->repeated);
    static const struct output_column FACTS[] = { { "name", "name" },       { "given", "given" },
                                                  { "credits", "credits" }, { "entry", "entry" },
                                                  { NULL } };
    output_facts(call, value, FACTS);
    if (order->repeated && !call->json)
        fprintf(stderr, "This reference was carried out before; nothing was changed.\n");
    return EXIT_OK;
}

static int run_credit(const struct invocation *call) {
    struct fault fault = { 0 };
    struct credit_order order = { .object = text_of(call->arguments[0]) };
    char actor[CLI_ACTOR_SIZE];
    int64_t amount;
    if (!money_parse(text_of(call->arguments[1]), &amount) || amount == 0) {
        fault_set(&fault, ERR_INVALID_REQUEST, "AMOUNT is a number of credits such as 1000, 2.5 or -10");
        return command_failed(call, &fault);
    }
    read_words(call, &order, actor);
    const char *note = invocation_option(call, "note");
    if (order.reason.len == 0)
        order.reason = text_of(note ? note : "account credit");
    order.microcredits = amount > 0 ? amount : -amount;
    if (admin_order_check(&order, &fault))
        return failed(call, &fault);
    if (amount > 0)
        admin_credit(&order);
    else
        admin_debit(&order);
    struct store *store;
    if (open_store(call, &store, &fault))
        return command_failed(call, &fault);
    struct account_row account = { 0 };
    enum err err = store_find_account(store, order.object, &account);
    order.account = account.id;
    if (!err)
        err = store_call(store, &order.job);
    store_close(store);
    if (err == ERR_NOT_FOUND)
        fault_set(&fault, err, "there is no account %s", call->arguments[0]);
    else if (err == ERR_INSUFFICIENT_QUOTA)
        fault_set(&fault, err, "account %s has less than that", call->arguments[0]);
    else if (err)
        admin_order_fault(&order, err, &fault);
    return err ? command_failed(call, &fault) : show_order(call, &order, call->arguments[0]);
}

const struct command command_account_credit = {
    .name = "account credit",
    .arguments = "NAME AMOUNT",
    .arguments_min = 2,
    .arguments_max = 2,
    .summary = "Adds credits to an account, or takes some off with a negative amount",
    .teaching = "The ledger is append-only: a mistake is mended by a second entry.\n"
                "  fennec account credit studio 500 --reason 'invoice 17' --reference INV-17\n"
                "  fennec account credit studio --reason 'entered twice' -- -500\n"
                "The same reference again, with the same amount, changes nothing.\n",
    .options = (const struct cli_option[]){ { "reason", "TEXT", "why, kept with the entry" },
                                            { "note", "TEXT", "the older name of --reason" },
                                            { "reference", "ID", "your number of this order: it is carried out once" },
                                            { NULL } },
    .run = run_credit,
};

/* The account that owns the task, whichever that is. */
static enum err refund(struct store *store, struct credit_order *order, const struct task_id *id,
                       struct account_row *ret_account, struct fault *fault) {
    struct arena arena scoped(arena_fini);
    struct task_row task;
    arena_init(&arena, TEXTS_MAX);
    enum err err = store_find_task_of_any(store, id, &arena, &task);
    if (err == ERR_NOT_FOUND)
        return fault_set(fault, err, "there is no task %s", id->string);
    if (!err)
        err = store_find_account_by_id(store, task.account, ret_account);
    if (err)
        return fault_set(fault, err, "the task could not be read");
    order->account = task.account;
    err = admin_refund_task(store, order, id, &arena, fault);
    if (err)
        return err;
    err = store_call(store, &order->job);
    return err ? admin_order_fault(order, err, fault) : OK;
}

static int run_refund(const struct invocation *call) {
    struct fault fault = { 0 };
    struct credit_order order = { 0 };
    struct account_row account = { 0 };
    char actor[CLI_ACTOR_SIZE];
    struct task_id id;
    if (!task_id_parse(text_of(call->arguments[0]), &id)) {
        fault_set(&fault, ERR_INVALID_TASK_ID, "%s is not a task id", call->arguments[0]);
        return command_failed(call, &fault);
    }
    if (call->argument_count > 1 &&
        (!money_parse(text_of(call->arguments[1]), &order.microcredits) || order.microcredits <= 0)) {
        fault_set(&fault, ERR_INVALID_REQUEST, "AMOUNT is a number of credits such as 1000 or 2.5");
        return command_failed(call, &fault);
    }
    read_words(call, &order, actor);
    if (admin_order_check(&order, &fault))
        return failed(call, &fault);
    struct store *store;
    if (open_store(call, &store, &fault))
        return command_failed(call, &fault);
    enum err err = refund(store, &order, &id, &account, &fault);
    store_close(store);
    return err ? command_failed(call, &fault) : show_order(call, &order, account.name);
}

const struct command command_account_refund = {
    .name = "account refund",
    .arguments = "TASK [AMOUNT]",
    .arguments_min = 1,
    .arguments_max = 2,
    .summary = "Gives back what a task that has ended was charged, all of it or a part",
    .teaching = "Never more than is left of the charge. The task itself stays as it was; the entry in the ledger names it.\n"
                "  fennec account refund task-unified-1757165031-uyujaw3d --reason 'the picture is black'\n",
    .options = (const struct cli_option[]){ { "reason", "TEXT", "why, kept with the entry (required)" },
                                            { "reference", "ID", "your number of this order: it is carried out once" },
                                            { NULL } },
    .run = run_refund,
};
