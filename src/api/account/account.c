/* GET /v1/account/credits: what the account has and what it has used, of the book that the key belongs to; and what of it
 * the key may spend and has spent. */
#include "api/internal.h"
#include "base/clock.h"
#include "base/json.h"

#define ANSWER_MAX 4096

/* What the key may spend: all that the account has, or what is left of a budget. Play credits have no bottom, so that
 * only a budget bounds them. */
static int64_t left_for_key(const struct key_row *key, int64_t remaining, int64_t left) {
    if (left == INT64_MAX)
        return remaining;
    return key->book == BOOK_TEST || left < remaining ? left : remaining;
}

struct sums {
    int64_t remaining, used;         /* of the account */
    int64_t key_remaining, key_used;
    bool key_unlimited;
};

static enum err read_sums(const struct call *call, struct sums *ret) {
    struct engine *engine = call->api->engine;
    const struct key_row *key = &call->key;
    const struct budget budget = key_budget(key);
    struct account_row account = { .id = 0 };
    struct spending spent = { .spent = 0 };

    /* The cached row's balance is old. */
    enum err err = store_find_account_by_id(call->api->store, call->account.id, &account);
    if (err == OK)
        err = store_find_spending(call->api->store, call->account.id, key->id, &spent, &ret->key_used);
    if (err != OK)
        return err;
    const struct spending held = engine_held_by_key(engine, account.id, key->id);
    int64_t left = budget_left(&budget, &spent, &held, budget_day_of(clock_wall_ms()));
    ret->remaining = account.balance[key->book] - engine_held(engine, account.id, key->book);
    ret->used = account.charged[key->book];
    ret->key_remaining = left_for_key(key, ret->remaining, left);
    ret->key_unlimited = left == INT64_MAX;
    return OK;
}

static void put_answer(struct buffer *body, const struct sums *sums) {
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
    money_put_member(&json, "remaining_credits", sums->key_remaining);
    json_key(&json, "unlimited_credits");
    json_bool(&json, sums->key_unlimited);
    money_put_member(&json, "used_credits", sums->key_used);
    json_object_end(&json);
    json_key(&json, "user");
    json_object_begin(&json);
    money_put_member(&json, "remaining_credits", sums->remaining);
    money_put_member(&json, "used_credits", sums->used);
    json_object_end(&json);
    json_object_end(&json);
    json_object_end(&json);
}

/* What has ended is written by now; what runs and is not written holds what it may cost. */
static void answer(struct exchange *exchange) {
    struct sums sums = { .remaining = 0 };
    struct fault fault;
    struct buffer body;

    enum err err = read_sums(call_of(exchange), &sums);
    if (err != OK) {
        fault_set(&fault, err, "The account cannot be read.");
        refuse(exchange, &fault);
        return;
    }
    buffer_init(&body, ANSWER_MAX);
    put_answer(&body, &sums);
    reply_json(exchange, &body);
}

void handle_account_credits(struct exchange *exchange) {
    answer_settled(exchange, answer);
}
