/* Runs commands on this machine as models.
 *
 *   start ──> guard process (guard.h) ──> command
 *               │ lifeline: cancel, status         │ stdin: the job as JSON, stdout: reader.h, stderr: a tail
 *               ▼                                  ▼
 *             finish: once the guard has ended and every stream is at its end ──> outcome.h ──> done
 *
 * A run outlives its `done` until libuv has closed its handles; from then on it knows neither attempt nor driver.
 * Engine's thread only. */
#include "provider/exec/exec.h"

#include <assert.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "base/memory.h"
#include "base/text.h"
#include "catalog/catalog.h"
#include "config/config.h"
#include "provider/driver.h"
#include "provider/exec/command.h"
#include "provider/exec/guard.h"
#include "provider/exec/job.h"
#include "provider/exec/outcome.h"
#include "provider/exec/reader.h"

#define GRACE_MS 2000
/* The guard keeps the time; should it hang, it is killed this much later. */
#define GUARD_LATE_MS 30000
/* After a guard's violent death: how long its streams may stay open. */
#define STREAMS_LATE_MS 1000
#define COMMAND_PATH_MAX 4096
#define DETAIL_MAX ((size_t)3 * EXEC_TAIL_SIZE)
#define READ_SIZE 65536
/* Bytes of output and errors together: a flood keeps the engine from other work. */
#define SAID_MAX ((uint64_t)64 << 20)
#define STATUS_SIZE 128

static int64_t grace_ms = GRACE_MS;
static const char *guard_program = "/proc/self/exe";

struct driver {
    uv_loop_t *loop;
    const struct config *config;
    struct bridge *bridge;
    unsigned running;
    char read_space[READ_SIZE]; /* libuv reads one stream at a time */
};

enum { STREAM_INPUT, STREAM_OUTPUT, STREAM_ERRORS, STREAM_LIFELINE, STREAM_COUNT };

struct run {
    struct driver *driver;   /* NULL after done */
    struct attempt *attempt; /* NULL after done */
    uv_process_t guard;
    uv_pipe_t streams[STREAM_COUNT]; /* their numbers are the guard's file numbers */
    uv_timer_t timer;
    unsigned handles;   /* not closed yet */
    unsigned listening; /* streams not at their end, guard counted as one */
    uv_write_t write;
    struct buffer job;

    pid_t command;
    uint64_t said; /* bytes */
    enum exec_end end;
    int end_number;
    size_t status_len;
    char status[STATUS_SIZE]; /* what the guard said since the last end of line */
    struct exec_reader reader;
    struct exec_tail errors;
};

void exec_set_grace_ms(int64_t value) {
    grace_ms = value;
}

void exec_set_guard_program(const char *path) {
    guard_program = path ? path : "/proc/self/exe";
}

/* ---- the end of a run ---- */

static void free_run(struct run *run) {
    buffer_fini(&run->job);
    exec_reader_fini(&run->reader);
    free(run);
}

static void on_closed(uv_handle_t *handle) {
    struct run *run = handle->data;
    if (--run->handles == 0) {
        free_run(run);
    }
}

static void close_handle(void *handle) {
    if (!uv_is_closing(handle)) {
        uv_close(handle, on_closed);
    }
}

/* Frees the run in the end; at once when it has no handle yet. */
static void close_run(struct run *run) {
    if (run->handles == 0) {
        free_run(run);
        return;
    }
    for (unsigned i = 0; i < STREAM_COUNT; i++) {
        close_handle(&run->streams[i]);
    }
    close_handle(&run->timer);
    if (uv_handle_get_type((uv_handle_t *)&run->guard) == UV_PROCESS) {
        close_handle(&run->guard);
    }
}

static void finish(struct run *run) {
    struct attempt *attempt = run->attempt;
    if (!attempt) {
        return;
    }
    struct exec_ending ending = {
        .end = run->end == EXEC_END_CANCEL && run->said > SAID_MAX ? EXEC_END_FLOOD : run->end,
        .number = run->end_number,
        .reader = &run->reader,
        .errors = &run->errors,
        .work_directory = attempt->work_directory,
        .file_max = run->driver->config->artifact_max,
    };
    struct buffer scoped(buffer_fini) message, scoped(buffer_fini) detail;
    buffer_init(&message, sizeof(((struct fault *)0)->message) + EXEC_MESSAGE_SIZE);
    buffer_init(&detail, DETAIL_MAX);
    struct outcome outcome;
    exec_reader_end(&run->reader);
    exec_outcome_judge(&ending, &message, &detail, &outcome);
    run->driver->running--;
    run->driver = NULL;
    run->attempt = NULL;
    attempt->driver_data = NULL;
    attempt->done(attempt, &outcome);
    close_run(run);
}

static void stop_listening(struct run *run) {
    assert(run->listening > 0);
    if (--run->listening == 0) {
        finish(run);
    }
}

/* ---- the guard ---- */

static const char *const end_words[] = {
#define X(name, word) [name] = word,
    EXEC_END_TABLE(X)
#undef X
};

static void take_status_line(struct run *run, struct text line) {
    int64_t number;
    struct text word = text_cut(&line, ' ');
    if (text_equal(word, TEXT("started"))) {
        if (text_to_i64(line, &number)) {
            run->command = (pid_t)number;
        }
        return;
    }
    word = text_cut(&line, ' ');
    for (unsigned i = 0; i < ARRAY_SIZE(end_words); i++) {
        if (text_equal(word, text_of(end_words[i])) && text_to_i64(line, &number)) {
            run->end = (enum exec_end)i;
            run->end_number = (int)number;
        }
    }
}

static void take_status(struct run *run, const char *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] == '\n') {
            take_status_line(run, (struct text){ run->status, run->status_len });
            run->status_len = 0;
        } else if (run->status_len < STATUS_SIZE) {
            run->status[run->status_len++] = bytes[i];
        }
    }
}

static void on_streams_late(uv_timer_t *timer) {
    finish(timer->data);
}

static void on_guard_late(uv_timer_t *timer) {
    struct run *run = timer->data;
    run->end = EXEC_END_TIMEOUT;
    uv_process_kill(&run->guard, SIGKILL);
}

/* A guard that ended without a word was killed: what it watched over is killed by its group, as far as that reaches. */
static void on_guard_exit(uv_process_t *guard, int64_t status, int signal_number) {
    struct run *run = guard->data;
    (void)status;
    if (signal_number != 0 && run->command > 0) {
        kill(-run->command, SIGKILL);
    }
    uv_timer_start(&run->timer, on_streams_late, STREAMS_LATE_MS, 0);
    stop_listening(run);
}

/* ---- streams ---- */

static void offer_space(uv_handle_t *handle, size_t suggested, uv_buf_t *ret) {
    struct run *run = handle->data;
    (void)suggested;
    *ret = uv_buf_init(run->driver->read_space, READ_SIZE);
}

static void ask_to_end(struct run *run) {
    uv_buf_t byte = uv_buf_init("c", 1);
    if (uv_try_write((uv_stream_t *)&run->streams[STREAM_LIFELINE], &byte, 1) != 1) {
        uv_process_kill(&run->guard, SIGKILL);
    }
}

static void count_said(struct run *run, size_t count) {
    bool before = run->said > SAID_MAX;
    run->said += count;
    if (!before && run->said > SAID_MAX) {
        ask_to_end(run);
    }
}

static void take_bytes(struct run *run, const uv_stream_t *stream, const char *bytes, size_t count) {
    if (stream == (uv_stream_t *)&run->streams[STREAM_LIFELINE]) {
        take_status(run, bytes, count);
        return;
    }
    count_said(run, count);
    if (stream == (uv_stream_t *)&run->streams[STREAM_ERRORS]) {
        exec_tail_add(&run->errors, bytes, count);
    } else if (exec_reader_feed(&run->reader, bytes, count)) {
        run->attempt->progress(run->attempt, run->reader.progress);
    }
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf) {
    struct run *run = stream->data;
    if (count > 0) {
        take_bytes(run, stream, buf->base, (size_t)count);
    } else if (count < 0) {
        uv_read_stop(stream);
        stop_listening(run);
    }
}

/* A command need not read its job, so a broken pipe is no failure. Closing is its end of file. */
static void on_job_written(uv_write_t *write, int status) {
    struct run *run = write->data;
    (void)status;
    close_handle(&run->streams[STREAM_INPUT]);
}

/* ---- starting ---- */

static void init_handles(struct run *run, uv_loop_t *loop) {
    for (unsigned i = 0; i < STREAM_COUNT; i++) {
        uv_pipe_init(loop, &run->streams[i], 0);
        run->streams[i].data = run;
    }
    uv_timer_init(loop, &run->timer);
    run->timer.data = run;
    run->guard.data = run;
    run->handles = STREAM_COUNT + 1;
}

/* Real pipes for the command, since some programs open /dev/stdout, which a socket refuses. *theirs is closed by the caller
 * after the start. */
static int open_stream(struct run *run, unsigned stream, uv_file *theirs) {
    int ends[2]; /* theirs, ours */
    int status;
    if (stream == STREAM_LIFELINE) {
        status = uv_socketpair(SOCK_STREAM, 0, ends, 0, UV_NONBLOCK_PIPE);
    } else if (stream == STREAM_INPUT) {
        status = uv_pipe(ends, 0, UV_NONBLOCK_PIPE);
    } else {
        int swapped[2];
        status = uv_pipe(swapped, UV_NONBLOCK_PIPE, 0);
        ends[0] = swapped[1];
        ends[1] = swapped[0];
    }
    if (status != 0) {
        return status;
    }
    *theirs = ends[0];
    status = uv_pipe_open(&run->streams[stream], ends[1]);
    if (status != 0) {
        close(ends[1]);
    }
    return status;
}

static int spawn_guard(struct run *run, const char *command) {
    struct exec_arguments scoped(exec_arguments_fini) arguments;
    int64_t file_max = run->driver->config->artifact_max;
    if (!exec_arguments_init(&arguments, run->attempt, command, grace_ms, file_max)) {
        return UV_ENAMETOOLONG;
    }
    uv_file theirs[STREAM_COUNT] = { -1, -1, -1, -1 };
    uv_stdio_container_t files[STREAM_COUNT];
    int status = 0;
    for (unsigned i = 0; i < STREAM_COUNT && status == 0; i++) {
        status = open_stream(run, i, &theirs[i]);
        files[i] = (uv_stdio_container_t){ .flags = UV_INHERIT_FD, .data.fd = theirs[i] };
    }
    if (status == 0) {
        uv_process_options_t options = {
            .exit_cb = on_guard_exit,
            .file = guard_program,
            .args = arguments.list,
            .env = arguments.environment,
            .cwd = "/",
            .stdio_count = STREAM_COUNT,
            .stdio = files,
        };
        status = uv_spawn(run->driver->loop, &run->guard, &options);
        run->handles++; /* also when it failed: libuv has begun the handle */
    }
    for (unsigned i = 0; i < STREAM_COUNT; i++) {
        if (theirs[i] >= 0) {
            close(theirs[i]);
        }
    }
    return status;
}

static void listen_to(struct run *run) {
    struct text job = buffer_text(&run->job);
    uv_buf_t piece = uv_buf_init((char *)job.ptr, (unsigned)job.len);
    run->write.data = run;
    if (uv_write(&run->write, (uv_stream_t *)&run->streams[STREAM_INPUT], &piece, 1, on_job_written) != 0) {
        close_handle(&run->streams[STREAM_INPUT]);
    }
    run->listening = 1;
    for (unsigned i = STREAM_OUTPUT; i < STREAM_COUNT; i++) {
        run->listening++;
        int status = uv_read_start((uv_stream_t *)&run->streams[i], offer_space, on_read);
        assert(status == 0);
    }
    uint64_t late_ms = (uint64_t)(run->attempt->timeout_ms + grace_ms + GUARD_LATE_MS);
    uv_timer_start(&run->timer, on_guard_late, late_ms, 0);
}

static enum err start(struct driver *driver, struct attempt *attempt, struct fault *fault) {
    struct buffer scoped(buffer_fini) command;
    buffer_init(&command, COMMAND_PATH_MAX);
    if (!exec_find_command(driver->config, attempt->route->target, &command)) {
        return fault_set(fault, ERR_NOT_FOUND, "The command \"%s\" is not installed; looked for %s.",
                         attempt->route->target, buffer_ok(&command) ? command.data : "it");
    }
    struct run *run = mem_new(sizeof(*run));
    run->driver = driver;
    run->attempt = attempt;
    run->end = EXEC_END_LOST;
    exec_reader_init(&run->reader);
    buffer_init(&run->job, EXEC_JOB_MAX);
    enum err err = exec_put_job(driver->bridge, attempt, &run->job, fault);
    if (err != OK) {
        close_run(run);
        return err;
    }
    init_handles(run, driver->loop);
    int status = spawn_guard(run, command.data);
    if (status != 0) {
        close_run(run);
        return fault_set(fault, ERR_IO, "The command \"%s\" could not be started: %s.", attempt->route->target,
                         uv_strerror(status));
    }
    driver->running++;
    attempt->driver_data = run;
    listen_to(run);
    return OK;
}

static void cancel(struct driver *driver, struct attempt *attempt) {
    struct run *run = attempt->driver_data;
    (void)driver;
    if (run && run->end == EXEC_END_LOST) { /* else its end is on the way */
        ask_to_end(run);
    }
}

static struct driver *create(const struct driver_host *host) {
    struct driver *driver = mem_new(sizeof(*driver));
    driver->loop = host->loop;
    driver->config = host->config;
    driver->bridge = host->bridge;
    signal(SIGPIPE, SIG_IGN); /* a command may close its input before it has read it */
    return driver;
}

static void destroy(struct driver *driver) {
    if (driver) {
        assert(driver->running == 0);
        free(driver);
    }
}

const struct driver_ops exec_driver = {
    .name = "exec",
    .repeatable = true,
    .needs_files = true,
    .needs_directory = true,
    .can_cancel = true,
    .concurrency = 0,
    .create = create,
    .start = start,
    .cancel = cancel,
    .destroy = destroy,
};
