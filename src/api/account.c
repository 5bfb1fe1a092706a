/* GET /v1/account/credits: what the account has and what it has used, of the book that the key belongs to. */
#include "api/internal.h"
#include "base/json.h"

#define ANSWER_MAX 4096

struct usage {
    enum book book;
    int64_t charged;
};

static bool add_charge(const struct ledger_row *entry, void *context) {
    struct usage *usage = context;
    if (entry->kind == LEDGER_SETTLE && entry->book == usage->book)
        usage->charged += entry->charged;
    return true;
}

static void put_credits(struct json_writer *json, const char *key, int64_t microcredits) {
    char credits[MONEY_TEXT_SIZE];
    money_format(microcredits, credits);
    json_key(json, key);
    json_raw(json, text_of(credits));
}

/* Play credits have no bottom. */
static void put_answer(struct buffer *body, int64_t remaining, const struct usage *usage) {
    struct json_writer json;

    json_begin(&json, body);
    json_object_begin(&json);
    json_key(&json, "success");
    json_bool(&json, true);
    json_key(&json, "message");
    json_text(&json, TEXT(""));
    json_key(&json, "data");
    json_object_begin(&json);
    json_key(&json, "token");
    json_object_begin(&json);
    put_credits(&json, "remaining_credits", remaining);
    json_key(&json, "unlimited_credits");
    json_bool(&json, usage->book == BOOK_TEST);
    put_credits(&json, "used_credits", usage->charged);
    json_object_end(&json);
    json_key(&json, "user");
    json_object_begin(&json);
    put_credits(&json, "remaining_credits", remaining);
    put_credits(&json, "used_credits", usage->charged);
    json_object_end(&json);
    json_object_end(&json);
    json_object_end(&json);
}

void handle_account_credits(struct exchange *exchange) {
    const struct call *call = call_of(exchange);
    struct usage usage = { .book = call->key.book };
    struct account_row account = { .id = 0 };
    struct fault fault;
    struct buffer body;

    /* The cached row's balance is old. */
    enum err err = store_find_account_by_id(call->api->store, call->account.id, &account);
    if (err == OK)
        err = store_list_ledger(call->api->store, account.id, add_charge, &usage);
    if (err != OK) {
        fault_set(&fault, err, "The account cannot be read.");
        refuse(exchange, &fault);
        return;
    }
    buffer_init(&body, ANSWER_MAX);
    put_answer(&body, account.balance[usage.book], &usage);
    reply_json(exchange, &body);
}
