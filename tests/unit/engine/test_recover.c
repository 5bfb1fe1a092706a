/* A server that dies in the middle: this program starts itself anew, has the second life killed, and takes up its tasks. */
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake_catalog.h"
#include "fake_driver.h"
#include "house.h"
#include "tests.h"

extern char **environ;

#define HOLD "{\"do\":\"hold\",\"results\":[{\"voice_id\":\"v\"}]}"
#define WAITING 3

/* The life that is killed: one task runs, others wait behind it. Says so, and waits for its death. */
int crash_child(const char *directory, const char *model) {
    static struct provider_config providers[] = { { .name = "local", .concurrency = 1 }, { .name = "remote", .concurrency = 1 } };
    struct config limits = { .providers = providers, .provider_count = 2 };
    struct house house;
    house_open(&house, directory, &limits);
    house_start(&house);
    for (int i = 0; i <= WAITING; i++)
        (void)house_run(&house, 0, model, HOLD);
    house_await_started(1);
    if (write(STDOUT_FILENO, "r", 1) != 1)
        return 1;
    pause();
    return 0;
}

static void live_and_die(const char *directory, const char *model) {
    char program[PATH_MAX] = "", ready;
    char *arguments[] = { "test_engine", "crash", (char *)(uintptr_t)directory, (char *)(uintptr_t)model, NULL };
    int ends[2], status;
    pid_t child;
    posix_spawn_file_actions_t actions;
    assert_int_equal(pipe(ends), 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    assert_true(readlink("/proc/self/exe", program, sizeof(program) - 1) > 0); /* the link itself may be to valgrind */
    assert_int_equal(posix_spawn(&child, program, &actions, NULL, arguments, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    assert_int_equal(read(ends[0], &ready, 1), 1);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    close(ends[0]);
}

struct found {
    struct task_id ids[8];
    enum task_state states[8];
    unsigned count;
};

static bool find_one(const struct task_row *row, void *context) {
    struct found *found = context;
    found->ids[found->count] = row->id;
    found->states[found->count++] = row->state;
    return true;
}

static struct house house;
static char directory[64];

/* Readings of attempts that are still to fail, as on a disk with a loose cable. */
static atomic_uint failures;

enum err __real_store_list_attempts(struct store *store, int64_t account, const struct task_id *id,
                                    bool (*each)(const struct attempt_row *, void *), void *context);
enum err __wrap_store_list_attempts(struct store *store, int64_t account, const struct task_id *id,
                                    bool (*each)(const struct attempt_row *, void *), void *context);
enum err __wrap_store_list_attempts(struct store *store, int64_t account, const struct task_id *id,
                                    bool (*each)(const struct attempt_row *, void *), void *context) {
    enum err err = __real_store_list_attempts(store, account, id, each, context);
    if (atomic_load(&failures) == 0)
        return err;
    atomic_fetch_sub(&failures, 1);
    return ERR_IO;
}

static struct found reopen_after_crash(const char *model) {
    struct found found = { .count = 0 };
    char path[96];
    snprintf(directory, sizeof(directory), "/tmp/house-XXXXXX");
    assert_non_null(mkdtemp(directory));
    live_and_die(directory, model);
    fake_reset();
    house_open(&house, directory, NULL);
    assert_int_equal(store_list_open_tasks(house.store, find_one, &found), OK);
    assert_int_equal(found.count, WAITING + 1);
    snprintf(path, sizeof(path), "%s/work/leftover-1", directory);
    (void)mkdir(path, 0700);
    house_start(&house);
    assert_int_not_equal(access(path, F_OK), 0); /* what an earlier life left is gone */
    return found;
}

static void close_after_crash(void) {
    house_audit(&house);
    house.keep = false;
    house_close(&house);
}

static void a_repeatable_attempt_is_repeated(void **state) {
    (void)state;
    char text[256];
    struct found found = reopen_after_crash("image");
    house_await_started(WAITING + 1);
    fake_release(WAITING + 1);
    for (unsigned i = 0; i < found.count; i++) {
        house_await(&house, 0, &found.ids[i], TASK_COMPLETED);
        house_events(&house, 0, &found.ids[i], text, sizeof(text));
        assert_string_equal(text, found.states[i] == TASK_PROCESSING
                            ? "accepted dispatched recovered dispatched completed" : "accepted dispatched completed");
        house_attempts(&house, 0, &found.ids[i], text, sizeof(text));
        assert_string_equal(text, found.states[i] == TASK_PROCESSING ? "abandoned succeeded" : "succeeded");
    }
    assert_int_equal(engine_counts(house.engine).recovered, 1);
    assert_int_equal(house_balance(&house, 0), HOUSE_CREDITS - (WAITING + 1) * PRICE);
    close_after_crash();
}

static void an_attempt_that_may_have_been_taken_is_not(void **state) {
    (void)state;
    char text[256];
    struct found found = reopen_after_crash("remote");
    house_await_started(WAITING); /* T3: not the one that was under way */
    fake_release(WAITING);
    for (unsigned i = 0; i < found.count; i++) {
        bool cut_off = found.states[i] == TASK_PROCESSING;
        house_await(&house, 0, &found.ids[i], cut_off ? TASK_FAILED : TASK_COMPLETED);
        house_events(&house, 0, &found.ids[i], text, sizeof(text));
        assert_string_equal(text, cut_off ? "accepted dispatched failed" : "accepted dispatched completed");
        if (!cut_off)
            continue;
        char *body = house_query(&house, 0, &found.ids[i], HOUSE_BASE);
        assert_non_null(strstr(body, "\"submission_unknown\""));
        assert_non_null(strstr(body, "\"credits_charged\":0,\"credits_refunded\":4"));
        free(body);
    }
    assert_int_equal(fake_started(), WAITING);
    assert_int_equal(house_balance(&house, 0), HOUSE_CREDITS - WAITING * PRICE);
    close_after_crash();
}

static void attempts_that_cannot_be_read_are_read_later(void **state) {
    (void)state;
    char text[256];
    atomic_store(&failures, 3);
    struct found found = reopen_after_crash("image");
    house_await_started(WAITING + 1);
    fake_release(WAITING + 1);
    for (unsigned i = 0; i < found.count; i++) {
        house_await(&house, 0, &found.ids[i], TASK_COMPLETED);
        house_attempts(&house, 0, &found.ids[i], text, sizeof(text));
        assert_string_equal(text, found.states[i] == TASK_PROCESSING ? "abandoned succeeded" : "succeeded");
    }
    assert_int_equal(atomic_load(&failures), 0);
    close_after_crash();
}

int test_recover(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_repeatable_attempt_is_repeated),
        cmocka_unit_test(attempts_that_cannot_be_read_are_read_later),
        cmocka_unit_test(an_attempt_that_may_have_been_taken_is_not),
    };
    return cmocka_run_group_tests_name("recover", tests, NULL, NULL);
}
