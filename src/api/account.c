/* GET /v1/account/credits: what the account has and what it has used, of the book that the key belongs to. */
#include "api/internal.h"
#include "base/json.h"

#define ANSWER_MAX 4096

static void put_credits(struct json_writer *json, const char *key, int64_t microcredits) {
    char credits[MONEY_TEXT_SIZE];
    money_format(microcredits, credits);
    json_key(json, key);
    json_raw(json, text_of(credits));
}

/* Play credits have no bottom. */
static void put_answer(struct buffer *body, const struct account_row *account, enum book book, int64_t held) {
    int64_t remaining = account->balance[book] - held;
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
    json_bool(&json, book == BOOK_TEST);
    put_credits(&json, "used_credits", account->charged[book]);
    json_object_end(&json);
    json_key(&json, "user");
    json_object_begin(&json);
    put_credits(&json, "remaining_credits", remaining);
    put_credits(&json, "used_credits", account->charged[book]);
    json_object_end(&json);
    json_object_end(&json);
    json_object_end(&json);
}

/* What has ended is written by now; what runs and is not written holds what it may cost. */
static void answer(struct exchange *exchange) {
    const struct call *call = call_of(exchange);
    struct account_row account = { .id = 0 };
    struct fault fault;
    struct buffer body;

    /* The cached row's balance is old. */
    enum err err = store_find_account_by_id(call->api->store, call->account.id, &account);
    if (err != OK) {
        fault_set(&fault, err, "The account cannot be read.");
        refuse(exchange, &fault);
        return;
    }
    buffer_init(&body, ANSWER_MAX);
    put_answer(&body, &account, call->key.book, engine_held(call->api->engine, account.id, call->key.book));
    reply_json(exchange, &body);
}

/* Engine's thread, or from within engine_settled. */
static void settled(void *context) {
    http_resume(context);
}

void handle_account_credits(struct exchange *exchange) {
    exchange_suspend(exchange, answer);
    engine_settled(call_of(exchange)->api->engine, settled, exchange);
}
