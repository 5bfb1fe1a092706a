/* Commands that behave, misbehave, hang and die, run for real through the driver and its guard. */
#include "provider/exec/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>
#include <jansson.h>

#include "config/config.h"
#include "provider/exec/files.h"
#include "tests.h"
#include "trial.h"

/* Small, so that a test can pass it. */
#define FILE_MAX 1000000
#define GRACE_MS 100
#define GRACE_LONG_MS 60000 /* for one that has to come to its last words, on a busy machine too */

static struct config config = { .libexec = TEST_COMMANDS, .artifact_max = FILE_MAX };
static const struct attempt_file FILES[] = { { "image_urls[1]", "/somewhere/in.png", "image/png" } };

static void begin(struct trial *trial, const char *command) {
    trial_init(trial, command, json_pack("{s:s, s:i}", "prompt", "-e \"x\"\n@y", "seed", 7));
    trial->files = FILES;
    trial->file_count = ARRAY_SIZE(FILES);
}

/* None that a stranger could think of is taken for anything but a text. */
static const char *const HOSTILE[] = {
    "--help", "-", "--", "@/etc/passwd", "$(touch /tmp/fennec-was-here)", "`touch /tmp/fennec-was-here`",
    "; touch /tmp/fennec-was-here", "| touch /tmp/fennec-was-here", "&& touch /tmp/fennec-was-here",
    "> /tmp/fennec-was-here", "\n\nprogress 100\nresult {}\n", "'\"\\'\"", "%s%n%x", "../../etc/passwd",
    "{\"file\":\"/etc/passwd\"}", "\x1b[2J\x07\x7f", "\u202e\u2028\ufeff", "FENNEC_X=1", "~root", "*", "?", "!!", "#", "",
};

static void replace_input(struct trial *trial, json_t *input) {
    json_decref(trial->input);
    trial->input = input;
}

/* ---- one command after the other ---- */

static const struct {
    const char *command;
    enum task_error error;
    bool retryable;
    const char *message; /* what the words hold; NULL: no words of its own */
    const char *detail;
    int64_t timeout_ms; /* 0: long */
    bool cancel;        /* at the first progress */
} endings[] = {
    { "no-reader", TASK_ERROR_NONE, false, NULL, "exit status 0", 0, false },
    { "huge-line", TASK_ERROR_NONE, false, NULL, "exit status 0", 0, false },
    { "close-output", TASK_ERROR_NONE, false, NULL, "exit status 0", 0, false },
    { "daemon", TASK_ERROR_NONE, false, NULL, "exit status 0", 0, false },
    { "crash", TASK_ERROR_GENERATION_FAILED, true, "signal 11 (SIGSEGV)", "about to crash", 0, false },
    { "kill-guard", TASK_ERROR_GENERATION_FAILED, true, "was killed", "guard", 0, false },
    { "exit-3", TASK_ERROR_GENERATION_FAILED, false, "exit status 3", "cannot go on", 0, false },
    { "error-line", TASK_ERROR_IMAGE_PROCESSING, false, "The image could not be read.", "exit status 1", 0, false },
    { "error-busy", TASK_ERROR_RESOURCE_EXHAUSTED, true, "Come back later.", "exit status 1", 0, false },
    { "error-unknown", TASK_ERROR_GENERATION_FAILED, false, "Strange ?[31mwords?.", "no_such_code", 0, false },
    { "garbage", TASK_ERROR_NO_CONTENT, false, "without a result", "exit status 0", 0, false },
    { "garbage-result", TASK_ERROR_GENERATION_FAILED, false, "cannot be read: invalid JSON", "exit status 0", 0, false },
    { "huge-result", TASK_ERROR_GENERATION_FAILED, false, "longer than 4194304 bytes", "exit status 0", 0, false },
    { "two-results", TASK_ERROR_GENERATION_FAILED, false, "2 results", "exit status 0", 0, false },
    { "no-result", TASK_ERROR_NO_CONTENT, false, "without a result", "exit status 0", 0, false },
    { "no-interpreter", TASK_ERROR_UNAVAILABLE, false, "could not be started", "No such file", 0, false },
    { "large-file", TASK_ERROR_GENERATION_FAILED, false, "larger than the limit", "signal 25", 0, false },
    { "many-files", TASK_ERROR_GENERATION_FAILED, false, "more or larger files", "limit", 0, false },
    { "flood", TASK_ERROR_GENERATION_FAILED, false, "too much on its output", "flooded", 0, false },
    { "symlink", TASK_ERROR_GENERATION_FAILED, false, "through a link", "exit status 0", 0, false },
    { "symlink-directory", TASK_ERROR_GENERATION_FAILED, false, "through a link", "exit status 0", 0, false },
    { "missing-file", TASK_ERROR_GENERATION_FAILED, false, "\"not-there.png\", a file that does not exist", "exit", 0, false },
    { "empty-file", TASK_ERROR_GENERATION_FAILED, false, "\"empty\" is empty", "exit status 0", 0, false },
    { "fifo", TASK_ERROR_GENERATION_FAILED, false, "no regular file", "exit status 0", 0, false },
    { "sparse-file", TASK_ERROR_GENERATION_FAILED, false, "is empty", "exit status 0", 0, false },
    { "thousands-of-files", TASK_ERROR_GENERATION_FAILED, false, "more or larger files", "limit", 0, false },
    { "deep-directories", TASK_ERROR_GENERATION_FAILED, false, "more or larger files", "limit", 0, false },
    { "device", TASK_ERROR_GENERATION_FAILED, false, "no regular file", "exit status 0", 0, false },
    { "socket", TASK_ERROR_GENERATION_FAILED, false, "cannot be read", "exit status 0", 0, false },
    { "lying-progress", TASK_ERROR_NONE, false, NULL, "exit status 0", 0, false },
    { "many-children", TASK_ERROR_NONE, false, NULL, "exit status 0", 0, false },
    { "forever", TASK_ERROR_TIMEOUT, false, NULL, "timeout", 50, false },
    { "stubborn", TASK_ERROR_TIMEOUT, false, NULL, "timeout", 50, false },
    { "daemon-forever", TASK_ERROR_TIMEOUT, false, NULL, "timeout", 500, false },
    { "forever", TASK_ERROR_CANCELLED, false, NULL, "cancellation", 0, true },
    { "stubborn", TASK_ERROR_CANCELLED, false, NULL, "cancellation", 0, true },
    { "polite", TASK_ERROR_CANCELLED, false, NULL, "was asked to end", 0, true },
    { "daemon-forever", TASK_ERROR_CANCELLED, false, NULL, "cancellation", 0, true },
};

/* The number that the command "daemon" left; 0: none. */
static pid_t daemon_of(const struct trial *trial) {
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/daemon.pid", trial->directory);
    FILE *file = fopen(path, "r");
    char line[32] = "";
    if (file) {
        assert_non_null(fgets(line, sizeof(line), file));
        fclose(file);
    }
    return (pid_t)strtol(line, NULL, 10);
}

static void check_gone(pid_t pid) {
    if (pid > 0) {
        assert_int_equal(kill(pid, 0), -1);
        assert_int_equal(errno, ESRCH);
    }
}

static void every_ending_is_told_truthfully(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
        struct trial trial;
        print_message("ending %zu: %s\n", i, endings[i].command);
        begin(&trial, endings[i].command);
        trial.cancel_at_progress = endings[i].cancel;
        exec_set_grace_ms(strcmp(endings[i].command, "polite") == 0 ? GRACE_LONG_MS : GRACE_MS);
        if (endings[i].timeout_ms > 0) {
            trial.timeout_ms = endings[i].timeout_ms;
        }
        trial_run(&trial, 1, &config);
        assert_int_equal(trial.outcome.error, endings[i].error);
        assert_int_equal(trial.outcome.retryable, endings[i].retryable);
        assert_int_equal(trial.output != NULL, endings[i].error == TASK_ERROR_NONE);
        if (endings[i].message) {
            assert_non_null(strstr(trial.message, endings[i].message));
        } else {
            assert_string_equal(trial.message, "");
        }
        assert_non_null(strstr(trial.detail, endings[i].detail));
        check_gone(daemon_of(&trial));
        trial_fini(&trial);
    }
    exec_set_grace_ms(GRACE_MS);
}

/* ---- what the command gets ---- */

static json_t *echo_of(const struct trial *trial) {
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/out/echo.json", trial->directory);
    json_t *echo = json_load_file(path, 0, NULL);
    assert_non_null(echo);
    return echo;
}

static void check_job(const json_t *echo, bool shaped) {
    json_t *job = json_object_get(echo, "job");
    json_t *input = shaped ? json_pack("{s:s, s:i, s:b}", "prompt", "-e \"x\"\n@y", "seed", 7, "shaped", 1)
                           : json_pack("{s:s, s:i}", "prompt", "-e \"x\"\n@y", "seed", 7);
    json_t *expected = json_pack("{s:s, s:s, s:o, s:{s:s}}", "task", "task-unified-1757165031-uyujaw3d", "model",
                                 "local-test", "input", input, "files", "image_urls[1]", "/somewhere/in.png");
    assert_true(json_equal(job, expected));
    json_decref(expected);
}

static void a_command_gets_its_job_and_nothing_of_the_server(void **state) {
    (void)state;
    setenv("FENNEC_TEST_SECRET", "not-a-real-secret", 1);
    int stray = open("/dev/null", O_RDONLY); /* without O_CLOEXEC */
    assert_true(stray >= 0);
    struct trial trial;
    begin(&trial, "success");
    trial_run(&trial, 1, &config);
    close(stray);
    assert_int_equal(trial.outcome.error, TASK_ERROR_NONE);
    assert_null(trial.outcome.message);
    assert_int_equal(json_integer_value(json_object_get(trial.output, "seed")), 7);
    assert_int_equal(trial.progress_count >= 1, 1);
    assert_int_equal(trial.progress_last, 100);
    assert_non_null(strstr(trial.detail, "a word for the operator"));
    assert_non_null(strstr(trial.detail, "something that is no protocol"));

    json_t *echo = echo_of(&trial);
    check_job(echo, false);
    json_t *environment = json_pack("[s, s, s, s]", "HOME", "LANG", "PATH", "TMPDIR");
    assert_true(json_equal(json_object_get(echo, "environment"), environment));
    json_t *files = json_pack("[s, s, s, s, s]", "0", "1", "2", "3", "4"); /* 3 and 4: its own, just opened */
    assert_true(json_equal(json_object_get(echo, "files"), files));
    assert_string_equal(json_string_value(json_object_get(echo, "home")), trial.directory);
    assert_string_equal(json_string_value(json_object_get(echo, "directory")), trial.directory);
    json_decref(files);
    json_decref(environment);
    json_decref(echo);
    trial_fini(&trial);
}

static void relative_paths_are_the_server_s(void **state) {
    (void)state;
    static const struct attempt_file files[] = { { "audio_url", "in.wav", "audio/wav" } };
    char before[PATH_MAX], absolute[64];
    struct trial trial;
    begin(&trial, "success");
    trial.files = files;
    snprintf(absolute, sizeof(absolute), "%s", trial.directory);
    assert_non_null(getcwd(before, sizeof(before)));
    assert_int_equal(chdir("/tmp"), 0);
    memmove(trial.directory, trial.directory + strlen("/tmp/"), strlen(trial.directory + strlen("/tmp/")) + 1);
    trial_run(&trial, 1, &config);
    assert_int_equal(chdir(before), 0);
    memcpy(trial.directory, absolute, sizeof(absolute));
    assert_int_equal(trial.outcome.error, TASK_ERROR_NONE);
    json_t *echo = echo_of(&trial);
    json_t *names = json_object_get(json_object_get(echo, "job"), "files");
    assert_string_equal(json_string_value(json_object_get(names, "audio_url")), "/tmp/in.wav");
    assert_string_equal(json_string_value(json_object_get(echo, "home")), absolute);
    json_decref(echo);
    trial_fini(&trial);
}

static void a_route_may_shape_the_input(void **state) {
    (void)state;
    struct trial trial;
    begin(&trial, "success");
    trial.route.lua_input = SHAPING_ROUTE;
    trial_run(&trial, 1, &config);
    json_t *echo = echo_of(&trial);
    check_job(echo, true);
    json_decref(echo);
    trial_fini(&trial);
}

static void hostile_texts_arrive_as_they_are(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(HOSTILE); i++) {
        struct trial trial;
        begin(&trial, "success");
        replace_input(&trial, json_pack("{s:s, s:i}", "prompt", HOSTILE[i], "seed", 7));
        trial_run(&trial, 1, &config);
        assert_int_equal(trial.outcome.error, TASK_ERROR_NONE);
        json_t *echo = echo_of(&trial);
        const json_t *input = json_object_get(json_object_get(echo, "job"), "input");
        assert_string_equal(json_string_value(json_object_get(input, "prompt")), HOSTILE[i]);
        json_decref(echo);
        trial_fini(&trial);
    }
    assert_int_equal(access("/tmp/fennec-was-here", F_OK), -1);
}

static void a_job_larger_than_a_pipe_stalls_nobody(void **state) {
    (void)state;
    static const char *const commands[] = { "success", "no-reader", "crash" };
    char *large = malloc(700001);
    memset(large, 'x', 700000);
    large[700000] = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        struct trial trial;
        begin(&trial, commands[i]);
        replace_input(&trial, json_pack("{s:s, s:i}", "prompt", large, "seed", 7));
        trial_run(&trial, 1, &config);
        assert_int_equal(trial.outcome.error == TASK_ERROR_NONE, i < 2);
        trial_fini(&trial);
    }
    free(large);
}

static void a_file_name_leads_nowhere_else(void **state) {
    (void)state;
    static const struct {
        const char *name;
        bool accepted;
    } names[] = {
        { "real file\n'\"", true }, { "/etc/hostname", false }, { "../../etc/hostname", false }, { "", false },
        { ".", false },             { "..", false },            { "./real file\n'\"", false },   { "real file\n'\"/", false },
        { "x/../real file\n'\"", false }, { "/", false }, { "//", false }, { "-", false }, { "real file\n'\"/x", false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct trial trial;
        begin(&trial, "named-file");
        replace_input(&trial, json_pack("{s:s}", "name", names[i].name));
        trial_run(&trial, 1, &config);
        assert_int_equal(trial.outcome.error, names[i].accepted ? TASK_ERROR_NONE : TASK_ERROR_GENERATION_FAILED);
        trial_fini(&trial);
    }
}

/* Without a descriptor left the file cannot be opened, which is not the command's fault: it may be tried again. */
static void a_machine_without_descriptors_is_not_the_commands_fault(void **state) {
    (void)state;
    struct fault fault = { 0 };
    struct rlimit limit;
    int fd = -1;
    int64_t size;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    struct rlimit none = { 0, limit.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    enum err err = exec_file_open("/etc", "hostname", FILE_MAX, &fd, &size, &fault);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(err, ERR_IO);
    assert_int_equal(exec_file_open("/etc", "no-such-file", FILE_MAX, &fd, &size, &fault), ERR_FETCH);
    assert_int_equal(fd, -1);
}

/* ---- starting, and many at once ---- */

static void what_cannot_start_says_so_and_is_never_done(void **state) {
    (void)state;
    struct trial trial;
    struct fault fault;
    assert_int_equal(uv_loop_init(&trial_loop), 0);
    struct driver *driver = exec_driver.create(&(struct driver_host){ .loop = &trial_loop, .config = &config });

    begin(&trial, "not-installed");
    assert_int_equal(trial_start(&trial, driver, &fault), ERR_NOT_FOUND);
    assert_non_null(strstr(fault.message, "not-installed"));
    trial_fini(&trial);

    begin(&trial, "success");
    trial.route.lua_input = FAILING_ROUTE;
    assert_int_equal(trial_start(&trial, driver, &fault), ERR_SCRIPT);
    trial_fini(&trial);

    begin(&trial, "success");
    exec_set_guard_program("/no/such/program");
    assert_int_equal(trial_start(&trial, driver, &fault), ERR_IO);
    exec_set_guard_program(NULL);
    trial_fini(&trial);

    uv_run(&trial_loop, UV_RUN_DEFAULT);
    assert_int_equal(trial.done_count, 0);
    exec_driver.destroy(driver);
    assert_int_equal(uv_loop_close(&trial_loop), 0);
}

static void runs_do_not_disturb_each_other(void **state) {
    (void)state;
    static const char *const commands[] = { "success", "stubborn", "crash", "success", "daemon", "daemon-forever" };
    struct trial trials[ARRAY_SIZE(commands)];
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        begin(&trials[i], commands[i]);
        trials[i].cancel_at_progress = i == 1 || i == 5;
    }
    trial_run(trials, ARRAY_SIZE(commands), &config);
    static const enum task_error errors[] = { TASK_ERROR_NONE, TASK_ERROR_CANCELLED, TASK_ERROR_GENERATION_FAILED,
                                              TASK_ERROR_NONE, TASK_ERROR_NONE, TASK_ERROR_CANCELLED };
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        assert_int_equal(trials[i].outcome.error, errors[i]);
        check_gone(daemon_of(&trials[i]));
        trial_fini(&trials[i]);
    }
}

/* ---- the server's sudden death ---- */

#define LOOKS_MAX 6000
#define LOOK_MS 10

static void look_later(void) {
    poll(NULL, 0, LOOK_MS);
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
}

/* 0: it is not there. */
static pid_t parent_of(pid_t pid) {
    char path[64], line[512] = "";
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    bool there = file && fgets(line, sizeof(line), file);
    if (file) {
        fclose(file);
    }
    return there ? (pid_t)strtol(strrchr(line, ')') + 4, NULL, 10) : 0;
}

static bool gone_in_the_end(pid_t pid) {
    for (int looks = 0; looks < LOOKS_MAX; looks++) {
        if (kill(pid, 0) != 0) {
            return true;
        }
        look_later();
    }
    return false;
}

static void be_the_server(struct trial *trial) {
    struct fault fault;
    uv_loop_init(&trial_loop);
    struct driver *driver = exec_driver.create(&(struct driver_host){ .loop = &trial_loop, .config = &config });
    if (trial_start(trial, driver, &fault) == OK) {
        uv_run(&trial_loop, UV_RUN_DEFAULT);
    }
    _exit(1);
}

static void nothing_survives_the_server(void **state) {
    (void)state;
    struct trial trial;
    begin(&trial, "daemon-forever");
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); /* so that the orphaned guard is reaped here */
    pid_t server = fork();
    if (server == 0) {
        be_the_server(&trial);
    }
    pid_t stray = 0, guard = 0; /* the daemon's number is told while whoever made it may still be its parent */
    for (int looks = 0; looks < LOOKS_MAX && (guard <= 1 || parent_of(guard) != server); looks++) {
        look_later();
        stray = daemon_of(&trial);
        guard = stray > 0 ? parent_of(stray) : 0;
    }
    assert_true(stray > 0 && guard > 1);
    assert_int_equal(parent_of(guard), server);
    kill(server, SIGKILL);
    assert_true(gone_in_the_end(stray));
    assert_true(gone_in_the_end(guard));
    prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
    trial_fini(&trial);
}

int test_exec(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_ending_is_told_truthfully),
        cmocka_unit_test(a_command_gets_its_job_and_nothing_of_the_server),
        cmocka_unit_test(relative_paths_are_the_server_s),
        cmocka_unit_test(a_route_may_shape_the_input),
        cmocka_unit_test(hostile_texts_arrive_as_they_are),
        cmocka_unit_test(a_job_larger_than_a_pipe_stalls_nobody),
        cmocka_unit_test(a_machine_without_descriptors_is_not_the_commands_fault),
        cmocka_unit_test(a_file_name_leads_nowhere_else),
        cmocka_unit_test(what_cannot_start_says_so_and_is_never_done),
        cmocka_unit_test(runs_do_not_disturb_each_other),
        cmocka_unit_test(nothing_survives_the_server),
    };
    exec_set_grace_ms(GRACE_MS);
    return cmocka_run_group_tests_name("exec", tests, NULL, NULL);
}
