/* Orders of operators as store jobs: entry, reference and record of the change, all or nothing. */
#include "admin/credits.h"

#include "admin/record.h"
#include "base/clock.h"
#include "base/json.h"
#include "core/money.h"

#define DETAIL_MAX 8192

static enum err check_text(struct text text, size_t max, const char *param, struct fault *fault) {
    if (text.len > max)
        return fault_set_param(fault, ERR_TOO_LONG, param, "The %s is longer than %zu bytes.", param, max);
    if (!text_is_utf8(text))
        return fault_set_param(fault, ERR_NOT_ALLOWED_VALUE, param, "The %s is not valid UTF-8.", param);
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7f)
            return fault_set_param(fault, ERR_NOT_ALLOWED_VALUE, param, "The %s may not hold control characters.",
                                   param);
    return OK;
}

enum err admin_order_check(const struct credit_order *order, struct fault *fault) {
    if (order->microcredits < 0 || order->microcredits > MONEY_MAX)
        return fault_set_param(fault, ERR_OUT_OF_RANGE, "amount", "The amount is a number of credits above zero.");
    if (text_trim(order->reason).len == 0)
        return fault_set_param(fault, ERR_MISSING_FIELD, "reason", "Say why: a reason is kept with every such entry.");
    enum err err = check_text(order->reason, ADMIN_REASON_MAX, "reason", fault);
    return err != OK ? err : check_text(order->reference, ADMIN_REFERENCE_MAX, "reference", fault);
}

/* ---- the jobs; writer's thread ---- */

/* Whether an order for all that was left could have been the known one: then nothing is left. */
static bool nothing_left(struct store_tx *tx, const struct credit_order *order) {
    return store_tx_returned(tx, order->account, &order->task.id) == order->task.charged;
}

/* Whether the order was carried out before; a reference of another order fails the job. */
static bool was_done(struct store_tx *tx, struct credit_order *order) {
    struct credit_reference known = { .account = order->account, .reference = order->reference };
    if (order->reference.len == 0 || !store_tx_find_reference(tx, &known))
        return false;
    bool same_task = text_equal(task_id_text(&known.task), task_id_text(&order->task.id));
    bool refunds_all = order->task.id.string[0] != '\0' && order->microcredits == 0;
    if (!same_task || (refunds_all ? !nothing_left(tx, order) : known.microcredits != order->given)) {
        store_tx_fail(tx, ERR_IDEMPOTENCY_KEY_REUSED);
        return false;
    }
    order->repeated = true;
    order->entry = known.sequence;
    order->given = known.microcredits;
    order->balance = store_tx_balance(tx, order->account, order->task.book);
    return true;
}

static void put_detail(struct buffer *buf, const struct credit_order *order) {
    struct json_writer json;

    json_begin(&json, buf);
    json_object_begin(&json);
    money_put_member(&json, "credits", order->given);
    json_key(&json, "reason");
    json_text(&json, order->reason);
    if (order->reference.len > 0) {
        json_key(&json, "reference");
        json_text(&json, order->reference);
    }
    json_key(&json, "entry");
    json_i64(&json, order->entry);
    json_object_end(&json);
}

static void record(struct store_tx *tx, const struct credit_order *order, const char *action, struct text object) {
    struct buffer detail;
    buffer_init(&detail, DETAIL_MAX);
    put_detail(&detail, order);
    if (!buffer_ok(&detail))
        store_tx_fail(tx, ERR_NO_MEMORY);
    admin_record(tx, order->actor, action, order->account, object, buffer_text(&detail));
    buffer_fini(&detail);
}

/* After the entry was added. */
static void keep(struct store_tx *tx, struct credit_order *order) {
    order->entry = store_tx_last_entry(tx, order->account);
    order->balance = store_tx_balance(tx, order->account, order->task.book);
    if (order->reference.len > 0)
        store_tx_add_reference(tx, &(struct credit_reference){ .account = order->account,
                                                               .reference = order->reference,
                                                               .sequence = order->entry,
                                                               .microcredits = order->given,
                                                               .task = order->task.id });
}

static struct ledger_row entry_of(const struct credit_order *order) {
    return (struct ledger_row){
        .account = order->account,
        .book = order->task.book,
        .kind = order->kind,
        .microcredits = order->given,
        .task = order->task.id,
        .at_ms = order->at_ms,
        .note = order->reason,
    };
}

static void run_change(struct store_tx *tx, struct store_job *job) {
    struct credit_order *order = container_of(job, struct credit_order, job);
    order->repeated = false; /* a transaction that failed is tried again */
    order->given = order->takes ? -order->microcredits : order->microcredits;
    if (order->microcredits == 0)
        store_tx_fail(tx, ERR_OUT_OF_RANGE);
    if (was_done(tx, order))
        return;
    const struct ledger_row entry = entry_of(order);
    store_tx_add_ledger(tx, &entry);
    keep(tx, order);
    record(tx, order, order->takes ? "account.debited" : "account.credited", order->object);
}

static void run_refund(struct store_tx *tx, struct store_job *job) {
    struct credit_order *order = container_of(job, struct credit_order, job);
    order->repeated = false;
    order->given = order->microcredits;
    if (was_done(tx, order))
        return;
    if (order->given == 0)
        order->given = order->task.charged - store_tx_returned(tx, order->account, &order->task.id);
    if (order->given == 0)
        store_tx_fail(tx, ERR_OUT_OF_RANGE);
    const struct ledger_row entry = entry_of(order);
    store_tx_return_charge(tx, &order->task, &entry);
    keep(tx, order);
    record(tx, order, "task.refunded", task_id_text(&order->task.id));
}

/* ---- orders ---- */

static void make(struct credit_order *order, enum ledger_kind kind, bool takes) {
    order->job.run = run_change;
    order->kind = kind;
    order->takes = takes;
    order->task = (struct task_row){ .book = BOOK_LIVE };
    if (order->at_ms == 0)
        order->at_ms = clock_wall_ms();
}

void admin_credit(struct credit_order *order) {
    make(order, LEDGER_CREDIT, false);
}

void admin_debit(struct credit_order *order) {
    make(order, LEDGER_ADJUST, true);
}

enum err admin_refund_task(struct store *store, struct credit_order *order, const struct task_id *id,
                           struct arena *arena, struct fault *fault) {
    make(order, LEDGER_ADJUST, false);
    order->job.run = run_refund;
    enum err err = store_find_task(store, order->account, id, arena, &order->task);
    if (err == ERR_NOT_FOUND)
        return fault_set(fault, ERR_TASK_NOT_FOUND, "There is no task %s.", id->string);
    if (err != OK)
        return fault_set(fault, err, "The task cannot be read.");
    if (!task_state_final(order->task.state))
        return fault_set(fault, ERR_TASK_OPEN, "The task %s has not ended yet; cancel it instead.", id->string);
    return OK;
}

enum err admin_order_fault(const struct credit_order *order, enum err err, struct fault *fault) {
    char charged[MONEY_TEXT_SIZE];
    bool refund = order->task.id.string[0] != '\0';
    switch (err) {
    case OK:
        return OK;
    case ERR_IDEMPOTENCY_KEY_REUSED:
        return fault_set_param(fault, err, "reference", "The reference %.*s belongs to another order.",
                               TEXT_ARG(text_clip(order->reference, 100)));
    case ERR_INSUFFICIENT_QUOTA:
        return fault_set_param(fault, err, "amount", "The account has less than that.");
    case ERR_NOT_FOUND:
        return fault_set(fault, err, "There is no such account.");
    case ERR_OUT_OF_RANGE:
        money_format(order->task.charged, charged);
        if (!refund)
            return fault_set_param(fault, err, "amount", "The amount, or the balance with it, is out of bounds.");
        return fault_set_param(fault, err, "amount",
                               "The task was charged %s credits, and less than that is left to give back.", charged);
    default:
        return fault_set(fault, err, "The order could not be stored.");
    }
}
