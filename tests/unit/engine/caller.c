/* Clients that call, and what they look at. */
#include "caller.h"

#include "fake_catalog.h"
#include "fake_driver.h"
#include "tests.h"

struct house caller_house;

/* gamma has two keys, delta one. */
static const char *const gamma_keys[] = { "g1", "g2" };
static const char *const delta_keys[] = { "d1" };
static struct provider_config providers[2];
struct group_config caller_group;

static void open_with(unsigned streams, unsigned gamma_key_count, unsigned gamma_limit) {
    providers[0] = (struct provider_config){ .name = "gamma", .keys = gamma_keys, .key_count = gamma_key_count,
                                             .concurrency = gamma_limit };
    providers[1] = (struct provider_config){ .name = "delta", .keys = delta_keys, .key_count = 1 };
    caller_group =
        (struct group_config){ .name = "default", .price_ppm = 1000000, .concurrency = 1000, .streams = streams };
    struct config limits = { .providers = providers, .provider_count = 2, .groups = &caller_group, .group_count = 1 };
    talker_reset();
    fake_reset();
    house_open(&caller_house, NULL, &limits);
    house_start(&caller_house);
}

int caller_open(void **state) {
    (void)state;
    open_with(1000, 2, 0);
    return 0;
}

int caller_open_narrow(void **state) {
    (void)state;
    open_with(1000, 1, 1);
    return 0;
}

int caller_close(void **state) {
    (void)state;
    house_audit(&caller_house);
    house_close(&caller_house);
    return 0;
}

/* ---- calls and what is known of them ---- */

enum err caller_try(const struct order *order, struct called *ret) {
    return house_call(&caller_house, order, &ret->id, &ret->stream);
}

struct called caller_call_with(const char *model, const char *input, int64_t reserved) {
    struct called called;
    struct order order = { .model = model, .input = input, .reserved = reserved, .streams = true };
    assert_int_equal(caller_try(&order, &called), OK);
    return called;
}

struct called caller_call(const char *model, const char *input) {
    return caller_call_with(model, input, 0);
}

bool caller_has_ended(void *context) {
    return chat_stream_state(context) != CHAT_OPEN;
}

void caller_await_end(const struct called *called, enum chat_stream_state state) {
    house_await_true(caller_has_ended, called->stream);
    assert_int_equal(chat_stream_state(called->stream), state);
}

static bool have_started(void *context) {
    return talker_started() >= *(unsigned *)context;
}

void caller_await_started(unsigned count) {
    house_await_true(have_started, &count);
}

static bool is_queued(void *context) {
    return engine_counts(caller_house.engine).queued == *(unsigned *)context;
}

void caller_await_queued(unsigned count) {
    house_await_true(is_queued, &count);
}

static bool has_chunks(void *context) {
    return chat_stream_count(context) >= 3;
}

void caller_await_three_chunks(const struct called *called) {
    talker_say(3);
    house_await_true(has_chunks, called->stream);
}

bool caller_count_task(const struct task_row *row, void *context) {
    (void)row;
    ++*(unsigned *)context;
    return true;
}

unsigned caller_stored_tasks(void) {
    struct task_filter filter = { 0 };
    unsigned count = 0;
    assert_int_equal(store_list_tasks(caller_house.store, &filter, caller_count_task, &count), OK);
    return count;
}

int64_t caller_held(void) {
    return engine_held(caller_house.engine, caller_house.accounts[0].id, BOOK_LIVE);
}

void caller_assert_failed_as(const struct called *called, enum task_error error) {
    caller_await_end(called, CHAT_FAILED);
    assert_int_equal(chat_stream_failure(called->stream)->error, error);
}

/* What is written of it, once it is. */
void caller_assert_written(const struct called *called, enum task_state state, const char *events, const char *attempts,
                           int64_t charged) {
    char text[1024];
    struct arena arena;
    struct task_row row;
    house_settle(&caller_house);
    arena_init(&arena, 1 << 20);
    assert_int_equal(store_find_task(caller_house.store, caller_house.accounts[0].id, &called->id, &arena, &row), OK);
    assert_int_equal(row.state, state);
    assert_int_equal(row.charged, charged);
    assert_int_equal(row.charged + row.refunded, row.reserved); /* L3 */
    assert_int_equal(row.type, TASK_LLM);
    assert_false(row.streams);
    arena_fini(&arena);
    house_events(&caller_house, 0, &called->id, text, sizeof(text));
    assert_string_equal(text, events);
    house_attempts(&caller_house, 0, &called->id, text, sizeof(text));
    assert_string_equal(text, attempts);
}

void caller_done_with(struct called *called) {
    chat_stream_unref(called->stream);
    called->stream = NULL;
}

static bool find_word(const struct event_row *row, void *context) {
    const char **words = context;
    char data[512];
    if (!text_equal(row->kind, text_of(words[0])))
        return true;
    snprintf(data, sizeof(data), "%.*s", TEXT_ARG(row->data));
    if (strstr(data, words[1]) == NULL)
        fail_msg("%s is not in %s", words[1], data);
    words[0] = NULL;
    return false;
}

/* The timeline's line of that kind has these words. */
void caller_assert_event_says(const struct called *called, const char *kind, const char *words) {
    const char *wanted[] = { kind, words };
    int64_t account = caller_house.accounts[0].id;
    assert_int_equal(store_list_events(caller_house.store, account, &called->id, find_word, wanted), OK);
    assert_null(wanted[0]);
}

void caller_leave(const struct called *called) {
    engine_call_gone(caller_house.engine, caller_house.accounts[0].id, &called->id);
}
