/* Several processes on one store, and the death of one in the middle of its commits (T2). */
#include "fixture.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "tests.h"

static int directory_setup(void **state) {
    *state = mem_new(64);
    directory_make(*state);
    return 0;
}

static int directory_teardown(void **state) {
    directory_remove(*state);
    free(*state);
    return 0;
}

/* Forked before any thread of ours runs; the child ends with the number of what went wrong. */
static pid_t start_child(int (*body)(const char *directory, int fd), const char *directory, int fd) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(body(directory, fd));
    }
    return child;
}

static void assert_child_fine(pid_t child) {
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static struct store *open_or_exit(const char *directory) {
    struct store_options options = { .directory = directory };
    struct store *store = NULL;
    struct fault fault = { 0 };
    if (store_open(&options, &store, &fault) != OK) {
        fprintf(stderr, "child: %s\n", fault.message);
        _exit(101);
    }
    return store;
}

struct creation {
    char name[32];
    int64_t id;
};

static void create_account(struct store_tx *tx, void *context) {
    struct creation *creation = context;
    store_tx_ensure_account(tx, text_of(creation->name), TEXT_NONE, NOW_MS, &creation->id);
}

#define CALLS 60
/* Every write one transaction, beside the others'. */
static int write_many(const char *directory, int fd) {
    struct store *store = open_or_exit(directory);
    int wrong = 0;
    (void)fd;
    for (int i = 0; i < CALLS; i++) {
        struct creation creation;
        snprintf(creation.name, sizeof(creation.name), "p%ld-%d", (long)getpid(), i);
        enum err err = call(store, create_account, &creation);
        if (err != OK) {
            fprintf(stderr, "child: %s\n", err_info(err)->name);
            wrong++;
        }
    }
    store_close(store);
    return wrong;
}

static bool count_account(const struct account_row *row, void *context) {
    (void)row;
    ++*(int *)context;
    return true;
}

/* They also race to make the schema, for the directory is empty. */
static void test_processes_write_at_once(void **state) {
    const char *directory = *state;
    pid_t children[3];
    int accounts = 0;
    for (size_t i = 0; i < ARRAY_SIZE(children); i++) {
        children[i] = start_child(write_many, directory, -1);
    }
    for (size_t i = 0; i < ARRAY_SIZE(children); i++) {
        assert_child_fine(children[i]);
    }
    struct store *store = open_store(directory);
    assert_int_equal(store_list_accounts(store, count_account, &accounts), OK);
    assert_int_equal(accounts, CALLS * (int)ARRAY_SIZE(children));
    assert_sound(store);
    store_close(store);
}

/* ---- a process that commits without a pause ---- */

#define FLOWING 256
struct flow {
    struct acceptance acceptance;
    struct store *store;
    int fd;
};

/* On the writer's thread: what was committed is told, then the next is posted. */
static void tell_and_go_on(struct store_job *job, enum err err) {
    struct flow *flow = container_of(job, struct flow, acceptance.job);
    const struct task_id *id = &flow->acceptance.task.id;
    if (err != OK || write(flow->fd, id->string, sizeof(id->string)) != (ssize_t)sizeof(id->string)) {
        _exit(102);
    }
    flow->acceptance.task.id = fresh_id();
    store_post_always(flow->store, job);
}

static int flow_until_killed(const char *directory, int fd) {
    static struct flow flows[FLOWING];
    struct store *store = open_or_exit(directory);
    struct account_row account;
    if (store_find_account(store, TEXT("acme"), &account) != OK) {
        return 103;
    }
    for (int i = 0; i < FLOWING; i++) {
        flows[i] = (struct flow){ .acceptance = { .job = { .run = acceptance_run, .done = tell_and_go_on },
                                                  .task = pending_task(account.id, 1) },
                                  .store = store,
                                  .fd = fd };
        store_post_always(store, &flows[i].acceptance.job);
    }
    for (;;) {
        pause();
    }
}

static bool read_id(int fd, struct task_id *ret) {
    for (size_t got = 0; got < sizeof(ret->string);) {
        ssize_t count = read(fd, ret->string + got, sizeof(ret->string) - got);
        if (count <= 0) {
            return false;
        }
        got += (size_t)count;
    }
    return true;
}

static void kill_child(pid_t child) {
    int status;
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
}

#define KILLS 5
#define TOLD_MAX 100000
static void test_what_was_acknowledged_survives_a_kill(void **state) {
    const char *directory = *state;
    struct task_id *told = mem_new_array(TOLD_MAX, sizeof(*told));
    size_t count = 0;
    struct store *store = open_store(directory);
    int64_t account = make_account(store, "acme", MONEY_MAX);
    store_close(store);
    for (int round = 0; round < KILLS; round++) {
        int fds[2];
        assert_int_equal(pipe(fds), 0);
        pid_t child = start_child(flow_until_killed, directory, fds[1]);
        close(fds[1]);
        size_t enough = count + 300 + (size_t)round * 77; /* somewhere in the flow of batches */
        while (count < enough) {
            assert_true(read_id(fds[0], &told[count++]));
        }
        kill_child(child);
        while (count < TOLD_MAX && read_id(fds[0], &told[count])) {
            count++;
        }
        close(fds[0]);

        store = open_store(directory);
        assert_sound(store);
        for (size_t i = 0; i < count; i++) {
            struct task_row row;
            struct arena arena;
            arena_init(&arena, 1 << 16);
            assert_int_equal(store_find_task(store, account, &told[i], &arena, &row), OK);
            arena_fini(&arena);
        }
        store_close(store);
    }
    free(told);
}

/* The other never leaves the database alone for long; our turn comes all the same. */
static void test_a_busy_process_lets_others_write(void **state) {
    const char *directory = *state;
    struct task_id id;
    int fds[2];
    struct store *store = open_store(directory);
    make_account(store, "acme", MONEY_MAX);
    store_close(store);
    assert_int_equal(pipe(fds), 0);
    pid_t busy = start_child(flow_until_killed, directory, fds[1]);
    close(fds[1]);
    for (int i = 0; i < 1000; i++) {
        assert_true(read_id(fds[0], &id));
    }
    pid_t drain = fork(); /* keeps the busy one's pipe empty */
    if (drain == 0) {
        while (read_id(fds[0], &id)) {
        }
        _exit(0);
    }
    close(fds[0]);
    pid_t other = start_child(write_many, directory, -1);
    assert_child_fine(other);
    kill_child(busy);
    assert_child_fine(drain);
}

/* ---- the generation ---- */

/* Opens, says so, waits for the word, and only then makes an account. */
static int create_when_told(const char *directory, int ready, int go) {
    char word = 'x';
    struct creation creation = { .name = "from-the-child" };
    struct store *store = open_or_exit(directory);
    if (write(ready, &word, 1) != 1 || read(go, &word, 1) != 1) {
        return 104;
    }
    enum err err = call(store, create_account, &creation);
    store_close(store);
    return (int)err;
}

static void test_the_generation_is_seen_across_processes(void **state) {
    const char *directory = *state;
    int go[2], ready[2];
    char word;
    assert_int_equal(pipe(go), 0);
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(create_when_told(directory, ready[1], go[0]));
    }
    assert_int_equal(read(ready[0], &word, 1), 1);
    struct store *store = open_store(directory);
    struct account_row row;
    uint64_t before = store_generation(store);
    assert_int_equal(write(go[1], "x", 1), 1);
    assert_child_fine(child);
    assert_int_equal(store_generation(store), before + 1);
    assert_int_equal(store_find_account(store, TEXT("from-the-child"), &row), OK);
    store_close(store);
    for (int i = 0; i < 2; i++) {
        close(go[i]);
        close(ready[i]);
    }
}

int run_process_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_processes_write_at_once, directory_setup, directory_teardown),
        cmocka_unit_test_setup_teardown(test_what_was_acknowledged_survives_a_kill, directory_setup,
                                        directory_teardown),
        cmocka_unit_test_setup_teardown(test_a_busy_process_lets_others_write, directory_setup, directory_teardown),
        cmocka_unit_test_setup_teardown(test_the_generation_is_seen_across_processes, directory_setup,
                                        directory_teardown),
    };
    return cmocka_run_group_tests_name("store processes", tests, NULL, NULL);
}
