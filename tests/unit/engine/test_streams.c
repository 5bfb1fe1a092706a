/* Language models' tasks and their streams: from the acceptance to the end, after it, after a restart, and when their
 * time is over. */
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "chat/dialect/failure.h"
#include "chat/stream.h"
#include "fake_catalog.h"
#include "fake_driver.h"
#include "fake_talker.h"
#include "house.h"
#include "tests.h"

#define HOLD "{\"gamma\":\"hold\"}"
#define RETENTION_MS 900000

static struct house house;

static const char *const keys[] = { "g1" };
static struct provider_config provider;
static struct group_config group;

static void open_with(unsigned provider_limit, unsigned streams) {
    provider = (struct provider_config){ .name = "gamma", .keys = keys, .key_count = 1, .concurrency = provider_limit };
    group = (struct group_config){ .name = "default", .price_ppm = 1000000, .concurrency = 1, .streams = streams };
    struct config limits = { .providers = &provider, .provider_count = 1, .groups = &group, .group_count = 1,
                             .llm_retention_s = RETENTION_MS / 1000 };
    talker_reset();
    fake_reset();
    house_open(&house, NULL, &limits);
    house_start(&house);
}

static int open_house(void **state) {
    (void)state;
    open_with(0, 100);
    return 0;
}

static int open_with_one_place(void **state) {
    (void)state;
    open_with(1, 100);
    return 0;
}

static int close_house(void **state) {
    (void)state;
    clock_unfreeze();
    house_audit(&house);
    house_close(&house);
    return 0;
}

static struct task_id submit(const char *input) {
    struct task_id id;
    struct order order = { .model = "chat", .input = input, .reserved = 1000, .streams = true }; /* as much as it may write */
    assert_int_equal(house_submit(&house, &order, &id), OK);
    return id;
}

static enum err find(const struct task_id *id, struct chat_stream **ret) {
    return engine_stream(house.engine, house.accounts[0].id, id, ret);
}

static struct chat_stream *stream_of(const struct task_id *id) {
    struct chat_stream *stream = NULL;
    assert_int_equal(find(id, &stream), OK);
    return stream;
}

static bool has_ended(void *context) {
    return chat_stream_state(context) != CHAT_OPEN;
}

/* A task is shown in its final state a moment before its stream ends. */
static void assert_ends(struct chat_stream *stream, enum chat_stream_state state) {
    house_await_true(has_ended, stream);
    assert_int_equal(chat_stream_state(stream), state);
}

static bool has_three(void *context) {
    return chat_stream_count(context) >= 3;
}

static bool have_started(void *context) {
    return talker_started() >= *(unsigned *)context;
}

static void await_started(unsigned count) {
    house_await_true(have_started, &count);
}

static bool have_ended(void *context) {
    return talker_ended() >= *(unsigned *)context;
}

static void assert_lines(struct chat_stream *stream, const char *lines) {
    struct buffer buf;
    buffer_init(&buf, 4096);
    chat_stream_put_lines(stream, &buf);
    assert_string_equal(buf.len > 0 ? buf.data : "", lines);
    buffer_fini(&buf);
}

static void assert_shows(const struct task_id *id, const char *words) {
    char *body scoped(mem_free_pointer) = house_query(&house, 0, id, HOUSE_BASE);
    assert_non_null(body);
    if (strstr(body, words) == NULL)
        fail_msg("%s is not in %s", words, body);
}

static void restart(void) {
    house_stop(&house);
    house_start(&house);
}

/* ---- while it runs ---- */

static void a_stream_is_there_from_the_acceptance_on(void **state) {
    (void)state;
    char url[96];
    struct task_id id = submit(HOLD);
    struct chat_stream *stream = stream_of(&id);
    snprintf(url, sizeof(url), "\"stream\":{\"url\":\"/v1/llm/generations/%s/stream\"}", id.string);
    assert_shows(&id, url);
    talker_say(3);
    house_await_true(has_three, stream);
    assert_lines(stream, "{\"n\":0}\n{\"n\":1}\n{\"n\":2}\n");
    struct chat_stream *same = stream_of(&id);
    assert_ptr_equal(same, stream);
    chat_stream_unref(same);
    talker_finish(1);
    house_await(&house, 0, &id, TASK_COMPLETED);
    assert_ends(stream, CHAT_DONE);
    assert_shows(&id, url);
    assert_int_equal(house_balance(&house, 0), HOUSE_CREDITS - 3);
    chat_stream_unref(stream);
}

static void the_end_is_told_after_it_is_durable(void **state) {
    (void)state;
    unsigned one = 1;
    struct task_id id = submit(HOLD);
    struct chat_stream *stream = stream_of(&id);
    await_started(1);
    house_hold_writer(&house);
    talker_finish(1);
    house_await_true(have_ended, &one);
    assert_int_equal(chat_stream_state(stream), CHAT_OPEN);
    house_let_writer(&house);
    house_await_true(has_ended, stream);
    struct arena arena;
    struct task_row row;
    arena_init(&arena, 1 << 20);
    assert_int_equal(store_find_task(house.store, house.accounts[0].id, &id, &arena, &row), OK);
    assert_int_equal(row.state, TASK_COMPLETED);
    arena_fini(&arena);
    chat_stream_unref(stream);
}

static void only_its_own_account_finds_it(void **state) {
    (void)state;
    struct chat_stream *stream = NULL;
    struct order order = { .model = "chat", .input = HOLD };
    struct task_id silent, unknown, id = submit(HOLD);
    assert_int_equal(house_submit(&house, &order, &silent), OK);
    task_id_new(&unknown, true, 1);
    for (int turn = 0; turn < 2; turn++) { /* while they run, and afterwards */
        assert_int_equal(engine_stream(house.engine, house.accounts[1].id, &id, &stream), ERR_TASK_NOT_FOUND); /* S2 */
        assert_int_equal(find(&unknown, &stream), ERR_TASK_NOT_FOUND);
        assert_int_equal(find(&silent, &stream), ERR_STREAM_NOT_FOUND);
        assert_null(stream);
        assert_shows(&silent, "\"stream\":null");
        talker_finish(2);
        house_await(&house, 0, &id, TASK_COMPLETED);
        house_await(&house, 0, &silent, TASK_COMPLETED);
    }
}

static void another_account_does_not_cancel_it(void **state) {
    (void)state;
    struct task_id id = submit(HOLD);
    struct chat_stream *stream = stream_of(&id);
    talker_say(3);
    house_await_true(has_three, stream);
    assert_int_equal(house_cancel(&house, 1, &id), ERR_TASK_NOT_FOUND); /* S2 */
    assert_int_equal(house_cancel(&house, 0, &id), OK);
    house_await(&house, 0, &id, TASK_FAILED);
    assert_ends(stream, CHAT_FAILED);
    assert_int_equal(chat_stream_failure(stream)->error, TASK_ERROR_CANCELLED);
    chat_stream_unref(stream);
    stream = stream_of(&id); /* and for who comes later */
    assert_ends(stream, CHAT_FAILED);
    assert_int_equal(chat_stream_failure(stream)->error, TASK_ERROR_CANCELLED);
    assert_lines(stream, "{\"n\":0}\n{\"n\":1}\n{\"n\":2}\n");
    assert_int_equal(house_balance(&house, 0), HOUSE_CREDITS - 3);
    chat_stream_unref(stream);
}

static void a_task_that_never_began_has_an_empty_stream(void **state) {
    (void)state;
    struct task_id first = submit(HOLD);
    await_started(1);
    struct task_id id = submit(HOLD);
    struct chat_stream *stream = stream_of(&id);
    assert_int_equal(house_cancel(&house, 0, &id), OK);
    house_await(&house, 0, &id, TASK_FAILED);
    assert_ends(stream, CHAT_FAILED);
    chat_stream_unref(stream);
    stream = stream_of(&id);
    assert_ends(stream, CHAT_FAILED);
    assert_int_equal(chat_stream_count(stream), 0);
    chat_stream_unref(stream);
    talker_finish(1);
    house_await(&house, 0, &first, TASK_COMPLETED);
}

/* ---- afterwards ---- */

static void chunks_can_be_read_after_the_end_and_after_a_restart(void **state) {
    (void)state;
    struct task_id id = submit(HOLD);
    talker_say(3);
    struct chat_stream *stream = stream_of(&id);
    house_await_true(has_three, stream);
    chat_stream_unref(stream);
    talker_finish(1);
    house_await(&house, 0, &id, TASK_COMPLETED);
    for (int turn = 0; turn < 2; turn++) {
        stream = stream_of(&id);
        assert_ends(stream, CHAT_DONE);
        assert_lines(stream, "{\"n\":0}\n{\"n\":1}\n{\"n\":2}\n");
        chat_stream_unref(stream);
        restart();
    }
}

static void a_failed_task_ends_its_stream_with_its_error(void **state) {
    (void)state;
    struct task_id id = submit("{\"gamma\":\"broken\"}");
    house_await(&house, 0, &id, TASK_FAILED);
    assert_shows(&id, "words of the service");
    for (int turn = 0; turn < 2; turn++) {
        struct chat_stream *stream = stream_of(&id);
        assert_ends(stream, CHAT_FAILED);
        assert_int_equal(chat_stream_failure(stream)->error, TASK_ERROR_SERVICE);
        assert_string_equal(chat_stream_failure(stream)->message, "words of the service");
        assert_lines(stream, "{\"n\":0}\n");
        chat_stream_unref(stream);
        restart();
    }
    assert_int_equal(house_balance(&house, 0), HOUSE_CREDITS);
}

static bool is_expired(void *context) {
    struct chat_stream *stream = NULL;
    enum err err = find(context, &stream);
    chat_stream_unref(stream);
    return err == ERR_STREAM_EXPIRED;
}

static void chunks_have_their_time(void **state) {
    (void)state;
    struct task_id id = submit("{}");
    house_await(&house, 0, &id, TASK_COMPLETED);
    int64_t now_ms = clock_wall_ms();
    clock_freeze(now_ms + RETENTION_MS - 60000);
    assert_false(is_expired(&id));
    clock_freeze(now_ms + RETENTION_MS + 1);
    house_await_true(is_expired, &id); /* it is shown as completed a moment before its stream is given up */
    assert_shows(&id, "\"completed\""); /* the task stays */
}

/* Rows, whatever the clock says. */
static bool is_stored(const struct task_id *id) {
    struct arena arena;
    struct text chunks;
    arena_init(&arena, 1 << 20);
    enum err err = store_find_stream(house.store, house.accounts[0].id, id, 0, &arena, &chunks);
    arena_fini(&arena);
    assert_true(err == OK || err == ERR_NOT_FOUND);
    return err == OK;
}

static bool is_swept(void *context) {
    return !is_stored(context);
}

static void the_sweeper_takes_what_has_had_its_time(void **state) {
    (void)state;
    enum { OLD = 70 }; /* more than one job takes */
    struct task_id old[OLD], young;
    for (int i = 0; i < OLD; i++)
        old[i] = submit("{}");
    for (int i = 0; i < OLD; i++)
        house_await(&house, 0, &old[i], TASK_COMPLETED);
    house_stop(&house);
    house.seams.sweep_first_ms = house.seams.sweep_period_ms = 1;
    clock_freeze(clock_wall_ms() + RETENTION_MS + 1);
    house_start(&house);
    young = submit("{}");
    house_await(&house, 0, &young, TASK_COMPLETED);
    for (int i = 0; i < OLD; i++)
        house_await_true(is_swept, &old[i]);
    assert_true(is_stored(&young));
    assert_true(is_expired(&old[0]));
    assert_false(is_expired(&young));
}

/* ---- other lives ---- */

/* T3: the attempt is durable, and nobody can say what became of it; a stop without time leaves what a crash does. */
static void an_attempt_that_was_cut_off_is_not_made_again(void **state) {
    (void)state;
    char text[256];
    struct task_id id = submit(HOLD);
    struct chat_stream *stream = stream_of(&id);
    talker_say(3);
    house_await_true(has_three, stream);
    chat_stream_unref(stream);
    restart();
    house_await(&house, 0, &id, TASK_FAILED);
    assert_shows(&id, "\"submission_unknown\"");
    assert_shows(&id, "\"credits_charged\":0,\"credits_refunded\":0.001");
    assert_int_equal(talker_started(), 1);
    assert_int_equal(house_balance(&house, 0), HOUSE_CREDITS);
    house_events(&house, 0, &id, text, sizeof(text));
    assert_string_equal(text, "accepted dispatched failed");
    stream = stream_of(&id);
    assert_ends(stream, CHAT_FAILED);
    assert_int_equal(chat_stream_failure(stream)->error, TASK_ERROR_SUBMISSION_UNKNOWN);
    chat_stream_unref(stream);
}

static void what_waited_goes_on_with_all_its_wishes(void **state) {
    (void)state;
    struct task_id thinking, first = submit(HOLD);
    await_started(1);
    struct order order = { .model = "chat", .input = HOLD, .streams = true, .reasons = true };
    assert_int_equal(house_submit(&house, &order, &thinking), OK);
    assert_false(talker_last_reasons());
    restart();
    house_await(&house, 0, &first, TASK_FAILED);
    await_started(2);
    assert_true(talker_last_reasons());
    struct chat_stream *stream = stream_of(&thinking); /* it has its stream in this life, too */
    talker_say(3);
    house_await_true(has_three, stream);
    talker_finish(1);
    house_await(&house, 0, &thinking, TASK_COMPLETED);
    assert_ends(stream, CHAT_DONE);
    chat_stream_unref(stream);
}

/* ---- results, places ---- */

static void results_have_no_reasoning(void **state) {
    (void)state;
    struct task_id id = submit("{\"message\":{\"content\":\"so\",\"reasoning_content\":\"hm\",\"reasoning\":\"hm\","
                               "\"reasoning_details\":[1]}}");
    house_await(&house, 0, &id, TASK_COMPLETED);
    assert_shows(&id, "\"results\":[{\"object\":\"chat.completion\",\"choices\":[{\"message\":{\"content\":\"so\"}}]}]");
    /* Numbers are longer in our words; what is no reasoning stays as it came. */
    id = submit("{\"message\":{\"reasoning\":\"\",\"p\":[1e9,1e9,1e9,1e9,1e9,1e9,1e9,1e9,1e9,1e9,1e9]}}");
    house_await(&house, 0, &id, TASK_COMPLETED);
    id = submit("{\"message\":{\"content\":\"a \\\"reasoning_tokens\\\" b\",\"reasoning_tokens\":5}}");
    house_await(&house, 0, &id, TASK_COMPLETED);
    assert_shows(&id, "{\"content\":\"a \\\"reasoning_tokens\\\" b\",\"reasoning_tokens\":5}");
}

/* One place each: for other tasks, for language models. */
static void language_models_have_places_of_their_own(void **state) {
    (void)state;
    group.streams = 1;
    struct task_id image = house_run(&house, 0, "image", "{\"do\":\"hold\",\"results\":[{\"voice_id\":\"v\"}]}");
    house_await_started(1);
    struct task_id id = submit(HOLD);
    await_started(1);
    struct task_id second = submit("{}");
    struct chat_stream *called = NULL;
    struct task_id call;
    struct order order = { .model = "chat", .input = "{}" };
    assert_int_equal(house_call(&house, &order, &call, &called), OK); /* calls share it */
    talker_finish(1);
    house_await(&house, 0, &id, TASK_COMPLETED);
    house_await(&house, 0, &second, TASK_COMPLETED);
    house_await_true(has_ended, called);
    chat_stream_unref(called);
    assert_int_equal(talker_started(), 3);
    fake_release(1);
    house_await(&house, 0, &image, TASK_COMPLETED);
    house_settle(&house);
}

static void readers_are_counted(void **state) {
    (void)state;
    int64_t account = house.accounts[0].id;
    assert_int_equal(engine_reader_begin(house.engine, account, 1), OK);
    assert_int_equal(engine_reader_begin(house.engine, account, 1), ERR_TOO_MANY_STREAMS);
    engine_reader_end(house.engine, account);
    assert_int_equal(engine_reader_begin(house.engine, account, 1), OK);
    engine_reader_end(house.engine, account);
}

static atomic_uint countings;

int64_t __real_tokens_of_request(const struct json_t *body);
int64_t __wrap_tokens_of_request(const struct json_t *body);
int64_t __wrap_tokens_of_request(const struct json_t *body) {
    atomic_fetch_add(&countings, 1);
    return __real_tokens_of_request(body);
}

/* It was, before it was accepted. */
static void a_request_is_counted_again_only_where_prices_may_differ(void **state) {
    (void)state;
    atomic_store(&countings, 0);
    struct task_id id = submit("{}");
    house_await(&house, 0, &id, TASK_COMPLETED);
    assert_int_equal(atomic_load(&countings), 0);
    struct config same = *house.setup->config;
    struct setup *setup = fake_setup(house.directory, &same);
    engine_reload(house.engine, setup);
    setup_unref(setup);
    id = submit("{}");
    house_await(&house, 0, &id, TASK_COMPLETED);
    assert_int_equal(atomic_load(&countings), 1);
}

int test_streams(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_stream_is_there_from_the_acceptance_on, open_house, close_house),
        cmocka_unit_test_setup_teardown(the_end_is_told_after_it_is_durable, open_house, close_house),
        cmocka_unit_test_setup_teardown(only_its_own_account_finds_it, open_house, close_house),
        cmocka_unit_test_setup_teardown(another_account_does_not_cancel_it, open_house, close_house),
        cmocka_unit_test_setup_teardown(a_task_that_never_began_has_an_empty_stream, open_with_one_place, close_house),
        cmocka_unit_test_setup_teardown(chunks_can_be_read_after_the_end_and_after_a_restart, open_house, close_house),
        cmocka_unit_test_setup_teardown(a_failed_task_ends_its_stream_with_its_error, open_house, close_house),
        cmocka_unit_test_setup_teardown(chunks_have_their_time, open_house, close_house),
        cmocka_unit_test_setup_teardown(the_sweeper_takes_what_has_had_its_time, open_house, close_house),
        cmocka_unit_test_setup_teardown(an_attempt_that_was_cut_off_is_not_made_again, open_house, close_house),
        cmocka_unit_test_setup_teardown(what_waited_goes_on_with_all_its_wishes, open_with_one_place, close_house),
        cmocka_unit_test_setup_teardown(results_have_no_reasoning, open_house, close_house),
        cmocka_unit_test_setup_teardown(language_models_have_places_of_their_own, open_house, close_house),
        cmocka_unit_test_setup_teardown(readers_are_counted, open_house, close_house),
        cmocka_unit_test_setup_teardown(a_request_is_counted_again_only_where_prices_may_differ, open_house, close_house),
    };
    return cmocka_run_group_tests_name("streams", tests, NULL, NULL);
}
