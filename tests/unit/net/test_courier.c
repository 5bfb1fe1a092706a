/* Files fetched on a thread of their own, and what comes home of it. */
#include "net/courier.h"

#include <pthread.h>
#include <semaphore.h>

#include "base/memory.h"
#include "base/text.h"
#include "client.h"
#include "tests.h"

#define CROWD 200

struct scene {
    struct fixture *fixture;
    struct courier *courier;
    bool closed;
    pthread_t home;
};

/* One errand; what its sink writes is the courier's until it is done. */
struct trip {
    struct scene *scene;
    struct errand *errand;
    sem_t *entered, *gate; /* its sink says that it is there, and waits; NULL: neither */
    size_t bytes;
    bool sunk_at_home;
    enum err sink_err;
    struct fetch_result result;
    char url[256], detail[256];
    unsigned done;
    bool stopped, done_abroad;
};

static int set_up_with(void **state, unsigned running_max, unsigned pending_max) {
    struct scene *scene = mem_new(sizeof *scene);
    char pair[32];
    const char *const allow[] = { pair };
    scene->fixture = fixture_new(0, 0);
    scene->home = pthread_self();
    snprintf(pair, sizeof pair, "127.0.0.1:%u", server_port(scene->fixture->server));
    const struct fetch_options options = { .running_max = running_max, .pending_max = pending_max, .allow = allow,
        .allow_count = 1 };
    *state = scene;
    return courier_new(&scene->fixture->loop, &options, &scene->courier, NULL) == OK ? 0 : -1;
}

static int set_up(void **state) {
    return set_up_with(state, 0, 0);
}

static int set_up_narrow(void **state) {
    return set_up_with(state, 1, 1);
}

static void close_courier(struct scene *scene) {
    scene->closed = true;
    courier_close(scene->courier);
}

static int tear_down(void **state) {
    struct scene *scene = *state;
    if (!scene->closed) {
        close_courier(scene);
    }
    fixture_free(scene->fixture); /* which runs the loop's closing callbacks */
    courier_free(scene->courier);
    free(scene);
    return 0;
}

static enum err take(void *context, const void *bytes, size_t count) {
    struct trip *trip = context;
    (void)bytes;
    if (trip->gate != NULL) {
        (void)sem_post(trip->entered);
        (void)sem_wait(trip->gate);
    }
    trip->bytes += count;
    trip->sunk_at_home = trip->sunk_at_home || pthread_equal(pthread_self(), trip->scene->home);
    return trip->sink_err;
}

static void note(void *context, const struct fetch_result *result) {
    struct trip *trip = context;
    trip->done++;
    trip->done_abroad = !pthread_equal(pthread_self(), trip->scene->home);
    trip->stopped = result == NULL;
    if (result == NULL) {
        return;
    }
    trip->result = *result;
    snprintf(trip->url, sizeof trip->url, "%s", result->url);
    snprintf(trip->detail, sizeof trip->detail, "%s", result->detail);
}

static enum err send_request(struct scene *scene, struct server *server, struct fetch_request request, const char *path,
    struct trip *trip, struct fault *fault) {
    char url[256];
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", server_port(server), path);
    trip->scene = scene;
    request.url = text_of(url);
    request.sink = take;
    request.done = note;
    request.context = trip;
    return courier_send(scene->courier, &request, &trip->errand, fault);
}

static void await(struct scene *scene, const struct trip *trip) {
    while (trip->done == 0) {
        assert_int_not_equal(uv_run(&scene->fixture->loop, UV_RUN_ONCE), 0);
    }
}

static void fetch_file(struct scene *scene, struct fetch_request request, const char *path, struct trip *trip) {
    assert_int_equal(send_request(scene, scene->fixture->server, request, path, trip, NULL), OK);
    assert_int_equal(trip->done, 0);
    await(scene, trip);
    assert_int_equal(trip->done, 1);
    assert_false(trip->done_abroad);
    assert_false(trip->sunk_at_home);
}

static void a_file_comes_home(void **state) {
    struct scene *scene = *state;
    struct trip trip = { 0 };
    fetch_file(scene, (struct fetch_request){ .redirects_max = 5 }, "/redirect/302?/bytes/300000", &trip);
    assert_int_equal(trip.result.err, OK);
    assert_int_equal(trip.result.http_status, 200);
    assert_int_equal(trip.result.redirects, 1);
    assert_int_equal(trip.result.size, 300000);
    assert_int_equal(trip.bytes, 300000);
    assert_true(text_ends(text_of(trip.url), TEXT("/bytes/300000")));
}

static void failures_come_home(void **state) {
    struct scene *scene = *state;
    struct trip missing = { 0 }, large = { 0 }, full = { .sink_err = ERR_NO_SPACE }, cut = { 0 };
    fetch_file(scene, (struct fetch_request){ 0 }, "/status/404", &missing);
    assert_int_equal(missing.result.http_status, 404);
    assert_true(missing.result.final);
    assert_int_equal(missing.bytes, 0);
    fetch_file(scene, (struct fetch_request){ .reply_max = 1000 }, "/bytes/1001", &large);
    assert_int_equal(large.result.err, ERR_FILE_TOO_LARGE);
    assert_non_null(strstr(large.detail, "larger than allowed"));
    fetch_file(scene, (struct fetch_request){ 0 }, "/bytes/5000", &full);
    assert_int_equal(full.result.err, ERR_NO_SPACE);
    fetch_file(scene, (struct fetch_request){ 0 }, "/truncated", &cut);
    assert_int_equal(cut.result.err, ERR_FETCH);
}

static void what_is_wrong_is_said_at_once(void **state) {
    struct scene *scene = *state;
    const struct fetch_header header = { "Authorization", "fake\r\nX: y" };
    const struct fetch_request bad_url = { .url = TEXT("ftp://127.0.0.1/file"), .done = note };
    struct trip trip = { 0 };
    struct fault fault = { 0 };
    assert_int_equal(courier_send(scene->courier, &bad_url, &trip.errand, &fault), ERR_INVALID_URL);
    assert_int_equal(fault.err, ERR_INVALID_URL);
    assert_int_equal(send_request(scene, scene->fixture->server,
                         (struct fetch_request){ .headers = &header, .header_count = 1 }, "/ok", &trip, &fault),
        ERR_INVALID_REQUEST);
    assert_int_equal(trip.done, 0);
    assert_null(trip.errand);
}

static void no_more_wait_than_may(void **state) {
    struct scene *scene = *state;
    struct server *server = scene->fixture->server;
    struct trip running = { 0 }, waiting = { 0 }, refused = { 0 }, later = { 0 };
    struct fault fault = { 0 };
    const struct fetch_request plain = { 0 };
    assert_int_equal(send_request(scene, server, plain, "/silent", &running, NULL), OK);
    assert_int_equal(send_request(scene, server, plain, "/ok", &waiting, NULL), OK);
    assert_int_equal(send_request(scene, server, plain, "/ok", &refused, &fault), ERR_OVERLOADED);
    assert_int_equal(fault.err, ERR_OVERLOADED);
    errand_stop(running.errand);
    await(scene, &running);
    await(scene, &waiting);
    assert_true(running.stopped);
    assert_int_equal(waiting.bytes, 5);
    fetch_file(scene, plain, "/ok", &later);
    assert_int_equal(refused.done, 0);
}

static void one_is_stopped_under_way(void **state) {
    struct scene *scene = *state;
    struct trip trip = { 0 };
    assert_int_equal(send_request(scene, scene->fixture->server, (struct fetch_request){ 0 }, "/step", &trip, NULL), OK);
    server_step(scene->fixture->server);
    errand_stop(trip.errand);
    errand_stop(trip.errand);
    assert_int_equal(trip.done, 0);
    await(scene, &trip);
    assert_true(trip.stopped);
    assert_int_equal(trip.done, 1);
}

/* Its file may be here already, and its word on the way: it was stopped all the same. */
static void a_stop_counts_however_late(void **state) {
    struct scene *scene = *state;
    struct trip trip = { 0 }, after = { 0 };
    assert_int_equal(send_request(scene, scene->fixture->server, (struct fetch_request){ 0 }, "/ok", &trip, NULL), OK);
    while (server_requests(scene->fixture->server) == 0) {
    }
    errand_stop(trip.errand);
    await(scene, &trip);
    assert_true(trip.stopped);
    fetch_file(scene, (struct fetch_request){ 0 }, "/ok", &after);
    assert_false(after.stopped);
    assert_int_equal(after.result.size, 5);
}

static void a_crowd_comes_and_is_stopped(void **state) {
    struct scene *scene = *state;
    struct trip *trips = mem_new_array(CROWD, sizeof *trips);
    for (unsigned i = 0; i < CROWD; i++) {
        assert_int_equal(send_request(scene, scene->fixture->server, (struct fetch_request){ .repeatable = true },
                             i % 4 == 3 ? "/silent" : "/bytes/30000", &trips[i], NULL), OK);
        if (i % 4 == 3) {
            (void)uv_run(&scene->fixture->loop, UV_RUN_NOWAIT);
            errand_stop(trips[i].errand);
        }
    }
    for (unsigned i = 0; i < CROWD; i++) {
        await(scene, &trips[i]);
        assert_int_equal(trips[i].done, 1);
        assert_int_equal(trips[i].stopped, i % 4 == 3);
        assert_int_equal(trips[i].bytes, i % 4 == 3 ? 0 : 30000);
    }
    free(trips);
}

static void exemptions_are_replaced(void **state) {
    struct scene *scene = *state;
    struct server *other = scene->fixture->other;
    const struct fetch_request plain = { 0 };
    struct trip blocked = { 0 }, passes = { 0 }, blocked_again = { 0 };
    char pair[32];
    const char *const pairs[] = { "192.0.2.1:80", pair };
    snprintf(pair, sizeof pair, "127.0.0.1:%u", server_port(other));
    assert_int_equal(send_request(scene, other, plain, "/ok", &blocked, NULL), OK);
    await(scene, &blocked);
    assert_int_equal(blocked.result.err, ERR_BLOCKED_ADDRESS);
    courier_allow(scene->courier, pairs, 2);
    assert_int_equal(send_request(scene, other, plain, "/ok", &passes, NULL), OK);
    await(scene, &passes);
    assert_int_equal(passes.result.err, OK);
    courier_allow(scene->courier, NULL, 0);
    assert_int_equal(send_request(scene, other, plain, "/ok", &blocked_again, NULL), OK);
    await(scene, &blocked_again);
    assert_int_equal(blocked_again.result.err, ERR_BLOCKED_ADDRESS);
}

/* Before its first errand, when it has no thread yet. */
static void exemptions_are_replaced_early(void **state) {
    struct scene *scene = *state;
    struct trip blocked = { 0 };
    courier_allow(scene->courier, NULL, 0);
    assert_int_equal(
        send_request(scene, scene->fixture->server, (struct fetch_request){ 0 }, "/ok", &blocked, NULL), OK);
    await(scene, &blocked);
    assert_int_equal(blocked.result.err, ERR_BLOCKED_ADDRESS);
}

static void assert_dropped(struct trip *trips, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(trips[i].done, 1);
        assert_true(trips[i].stopped);
        assert_false(trips[i].done_abroad);
    }
}

static void what_runs_and_what_waits_is_done_when_it_closes(void **state) {
    struct scene *scene = *state;
    struct trip trips[2] = { 0 }, late = { 0 };
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(
            send_request(scene, scene->fixture->server, (struct fetch_request){ 0 }, "/silent", &trips[i], NULL), OK);
    }
    close_courier(scene);
    assert_dropped(trips, 2);
    assert_int_equal(send_request(scene, scene->fixture->server, (struct fetch_request){ 0 }, "/ok", &late, NULL),
        ERR_OVERLOADED);
    courier_allow(scene->courier, NULL, 0);
    assert_true(courier_ping(scene->courier));
}

/* Some have ended, and some end at that very moment. */
static void what_has_not_come_home_is_done_when_it_closes(void **state) {
    struct scene *scene = *state;
    struct trip *trips = mem_new_array(CROWD, sizeof *trips);
    for (unsigned i = 0; i < CROWD; i++) {
        assert_int_equal(send_request(scene, scene->fixture->server, (struct fetch_request){ .repeatable = true }, "/ok",
                             &trips[i], NULL), OK);
    }
    while (server_requests(scene->fixture->server) < CROWD / 2) {
    }
    close_courier(scene);
    assert_dropped(trips, CROWD);
    free(trips);
}

static void one_that_hangs_does_not_answer(void **state) {
    struct scene *scene = *state;
    sem_t entered, gate;
    struct trip trip = { .entered = &entered, .gate = &gate };
    assert_int_equal(sem_init(&entered, 0, 0), 0);
    assert_int_equal(sem_init(&gate, 0, 0), 0);
    assert_true(courier_ping(scene->courier));
    assert_true(courier_ping(scene->courier)); /* it has nothing to do */
    assert_int_equal(send_request(scene, scene->fixture->server, (struct fetch_request){ 0 }, "/ok", &trip, NULL), OK);
    assert_int_equal(sem_wait(&entered), 0);
    assert_true(courier_ping(scene->courier)); /* it is asked, */
    assert_false(courier_ping(scene->courier)); /* and cannot answer */
    assert_int_equal(sem_post(&gate), 0);
    await(scene, &trip);
    while (!courier_ping(scene->courier)) {
    }
    assert_int_equal(sem_destroy(&entered), 0);
    assert_int_equal(sem_destroy(&gate), 0);
}

static void one_that_never_went_is_closed(void **state) {
    assert_non_null(*state); /* the rest is the tear-down's */
}

int run_courier_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_comes_home, set_up, tear_down),
        cmocka_unit_test_setup_teardown(failures_come_home, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_said_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_more_wait_than_may, set_up_narrow, tear_down),
        cmocka_unit_test_setup_teardown(one_is_stopped_under_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stop_counts_however_late, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_crowd_comes_and_is_stopped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(exemptions_are_replaced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(exemptions_are_replaced_early, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_runs_and_what_waits_is_done_when_it_closes, set_up_narrow, tear_down),
        cmocka_unit_test_setup_teardown(what_has_not_come_home_is_done_when_it_closes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_that_hangs_does_not_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_that_never_went_is_closed, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
