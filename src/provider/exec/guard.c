/* The guard of a local command: limits it, waits for it, and kills everything it left behind.
 *
 * As a child subreaper the guard inherits every descendant whose parent dies, also one that made a session of its own. So
 * killing its children again and again until it has none left ends them all; with no_new_privs none can become a user
 * whom the guard may not kill. The command starts only after all this is in place. */
#include "provider/exec/guard.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/text.h"
#include "provider/exec/files.h"

#define OPEN_FILES_MAX 256
#define DATA_LEAST ((uint64_t)4 << 30)
#define ENTRIES_MAX 10000
#define SPACE_CHECK_MS 1000
#define NAP_MS 10
#define NEVER INT64_MAX

struct guard {
    const char *directory;
    const char *command;
    int64_t timeout_ms, grace_ms, file_max, space_max;

    int child_signals; /* signalfd for SIGCHLD */
    pid_t child;       /* the command; its process group has the same number, and stays unreaped until all are killed */
    bool told_to_end;
    enum exec_end end;
    int end_number;
    int64_t soft_at, hard_at, space_at; /* monotonic ms */
};

static const char *const end_words[] = {
#define X(name, word) [name] = word,
    EXEC_END_TABLE(X)
#undef X
};

/* ---- setting up ---- */

static bool parse_arguments(struct guard *guard, int argc, char **argv) {
    if (argc != 1 + EXEC_GUARD_ARGUMENT_COUNT) {
        return false;
    }
    char **arguments = argv + 1;
    guard->directory = arguments[EXEC_GUARD_DIRECTORY];
    guard->command = arguments[EXEC_GUARD_COMMAND];
    return text_to_i64(text_of(arguments[EXEC_GUARD_TIMEOUT_MS]), &guard->timeout_ms) &&
           text_to_i64(text_of(arguments[EXEC_GUARD_GRACE_MS]), &guard->grace_ms) &&
           text_to_i64(text_of(arguments[EXEC_GUARD_FILE_MAX]), &guard->file_max) &&
           text_to_i64(text_of(arguments[EXEC_GUARD_SPACE_MAX]), &guard->space_max) && guard->timeout_ms >= 0 &&
           guard->grace_ms >= 0 && guard->file_max >= 0 && guard->space_max >= 0;
}

static bool set_up(struct guard *guard) {
    setsid(); /* fails only when it leads a session already */
    close_range(EXEC_GUARD_LIFELINE + 1, ~0U, 0);
    fcntl(EXEC_GUARD_LIFELINE, F_SETFD, FD_CLOEXEC);
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigprocmask(SIG_SETMASK, &signals, NULL);
    guard->child_signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    return guard->child_signals >= 0 && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

static void tell(const char *word, long number) {
    char line[64];
    int length = snprintf(line, sizeof(line), "%s %ld\n", word, number);
    /* When the server is gone there is nobody to tell. */
    if (send(EXEC_GUARD_LIFELINE, line, (size_t)length, MSG_NOSIGNAL) < 0) {
        return;
    }
}

static void tell_end(enum exec_end end, int number) {
    char words[32];
    snprintf(words, sizeof(words), "ended %s", end_words[end]);
    tell(words, number);
}

/* ---- the child, until it becomes the command ---- */

static rlim_t lower(rlim_t a, rlim_t b) {
    return a < b ? a : b; /* RLIM_INFINITY is the largest */
}

static bool limit(int resource, uint64_t soft, uint64_t hard) {
    struct rlimit now;
    if (getrlimit((__rlimit_resource_t)resource, &now) != 0) {
        return false;
    }
    struct rlimit wanted = { lower(soft, now.rlim_max), lower(hard, now.rlim_max) };
    return setrlimit((__rlimit_resource_t)resource, &wanted) == 0;
}

/* Three quarters of the machine's memory, but never so little that an ordinary program could not start. */
static uint64_t data_max(void) {
    struct sysinfo info;
    if (sysinfo(&info) != 0) {
        return DATA_LEAST;
    }
    uint64_t most = (uint64_t)info.totalram * info.mem_unit / 4 * 3;
    return most > DATA_LEAST ? most : DATA_LEAST;
}

static bool limit_all(const struct guard *guard) {
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t cpu_s = ((uint64_t)guard->timeout_ms / 1000 + 1) * (uint64_t)(cores > 0 ? cores : 1);
    uint64_t file_max = (uint64_t)guard->file_max, data = data_max();
    /* A soft limit below the hard one: SIGXCPU says why, SIGKILL would not. */
    return limit(RLIMIT_FSIZE, file_max, file_max) && limit(RLIMIT_CORE, 0, 0) &&
           limit(RLIMIT_NOFILE, OPEN_FILES_MAX, OPEN_FILES_MAX) && limit(RLIMIT_CPU, cpu_s, cpu_s + 5) &&
           limit(RLIMIT_DATA, data, data);
}

/* When memory runs out, the kernel takes the command rather than the server. */
static void offer_to_memory_killer(void) {
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        if (write(fd, "500", 3) != 3) {
            /* an unusual /proc: the limits alone must do */
        }
        close(fd);
    }
}

/* Returns only on failure, with errno set. */
static void become_command(const struct guard *guard, pid_t parent) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0); /* that we do without large pages (cli/allocator.c) is no affair of a command */
    if (getppid() != parent) {
        _exit(127);
    }
    offer_to_memory_killer();
    umask(077);
    if (chdir(guard->directory) != 0 || !limit_all(guard)) {
        return;
    }
    char *const arguments[] = { (char *)guard->command, NULL };
    execv(guard->command, arguments);
}

/* 0, or the errno of what failed, in the child too. */
static int start_command(struct guard *guard) {
    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0) {
        return errno;
    }
    pid_t parent = getpid();
    guard->child = fork();
    if (guard->child == 0) {
        become_command(guard, parent);
        int error = errno;
        ssize_t written = write(report[1], &error, sizeof(error));
        _exit(written == (ssize_t)sizeof(error) ? 127 : 126);
    }
    int error = guard->child < 0 ? errno : 0;
    close(report[1]);
    if (guard->child > 0) {
        setpgid(guard->child, guard->child); /* both do it: whoever comes first */
        ssize_t count;
        while ((count = read(report[0], &error, sizeof(error))) < 0 && errno == EINTR) {
        }
        if (count != (ssize_t)sizeof(error)) {
            error = 0; /* closed by the exec */
        }
    }
    close(report[0]);
    return error;
}

/* The command's ends of the pipes are now the command's alone. */
static void let_go_of_streams(void) {
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd <= 2; fd++) {
        if (null < 0 || dup2(null, fd) < 0) {
            close(fd);
        }
    }
    if (null > 2) {
        close(null);
    }
}

/* ---- the end of everything ---- */

/* The parent of a process, from /proc/N/stat; the name in it may hold anything, brackets too. */
static pid_t parent_of(int proc, const char *pid) {
    char path[64], line[512];
    snprintf(path, sizeof(path), "%.40s/stat", pid);
    int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    ssize_t length = read(fd, line, sizeof(line) - 1);
    close(fd);
    if (length <= 0) {
        return -1;
    }
    line[length] = '\0';
    const char *after_name = strrchr(line, ')');
    return after_name && strlen(after_name) > 4 ? (pid_t)strtol(after_name + 4, NULL, 10) : -1;
}

/* The number of children now; all were sent SIGKILL. */
static unsigned kill_children(void) {
    DIR *proc = opendir("/proc");
    if (!proc) {
        return 0;
    }
    unsigned count = 0;
    const struct dirent *entry;
    while ((entry = readdir(proc)) != NULL) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9' || parent_of(dirfd(proc), entry->d_name) != getpid()) {
            continue;
        }
        if (kill((pid_t)strtol(entry->d_name, NULL, 10), SIGKILL) == 0) {
            count++;
        }
    }
    closedir(proc);
    return count;
}

static void note_reaped(struct guard *guard, pid_t pid, int status) {
    if (pid != guard->child) {
        return;
    }
    guard->child = 0;
    if (guard->told_to_end) {
        return;
    }
    guard->end = WIFSIGNALED(status) ? EXEC_END_SIGNAL : EXEC_END_EXIT;
    guard->end_number = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

/* Returns when no descendant is left. Each turn waits for a child that was just killed, so it ends; what that child leaves
 * behind is our child in the next turn. */
static void kill_everything(struct guard *guard) {
    if (guard->child > 0) {
        kill(-guard->child, SIGKILL);
    }
    for (;;) {
        int status;
        pid_t pid = waitpid(-1, &status, kill_children() > 0 ? 0 : WNOHANG);
        if (pid < 0 && errno == ECHILD) {
            return;
        }
        if (pid == 0) {
            poll(NULL, 0, NAP_MS); /* a child that /proc does not show yet */
        }
        while (pid > 0) {
            note_reaped(guard, pid, status);
            pid = waitpid(-1, &status, WNOHANG);
        }
    }
}

/* ---- watching ---- */

/* Reaps adopted strays; true when the command itself has ended (and is left for kill_everything, so that the number of
 * its group cannot be given to anybody else before). */
static bool command_has_ended(const struct guard *guard) {
    struct signalfd_siginfo drained;
    while (read(guard->child_signals, &drained, sizeof(drained)) > 0) {
    }
    for (;;) {
        siginfo_t info = { 0 };
        if (waitid(P_PID, (id_t)guard->child, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == guard->child) {
            return true;
        }
        info.si_pid = 0;
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) {
            return false;
        }
        if (info.si_pid != guard->child) {
            waitpid(info.si_pid, NULL, 0);
        }
    }
}

static void ask_to_end(struct guard *guard, enum exec_end why) {
    if (guard->told_to_end) {
        return;
    }
    guard->told_to_end = true;
    guard->end = why;
    guard->end_number = 0;
    guard->soft_at = guard->space_at = NEVER;
    guard->hard_at = clock_monotonic_ms() + guard->grace_ms;
    kill(-guard->child, SIGTERM);
    kill(-guard->child, SIGCONT); /* a stopped process takes its SIGTERM only when it goes on */
}

static void check_space(struct guard *guard, int64_t now) {
    int64_t bytes;
    guard->space_at = now + SPACE_CHECK_MS;
    if (!exec_files_within(guard->directory, guard->space_max, ENTRIES_MAX, &bytes)) {
        ask_to_end(guard, EXEC_END_SPACE);
    }
}

static int until(const struct guard *guard, int64_t now) {
    int64_t next = guard->soft_at < guard->hard_at ? guard->soft_at : guard->hard_at;
    next = next < guard->space_at ? next : guard->space_at;
    int64_t wait_ms = next > now ? next - now : 0;
    return wait_ms > INT32_MAX ? INT32_MAX : (int)wait_ms;
}

/* False when the server is gone. */
static bool hear_server(struct guard *guard) {
    char byte;
    ssize_t count = recv(EXEC_GUARD_LIFELINE, &byte, 1, MSG_DONTWAIT);
    if (count > 0) {
        ask_to_end(guard, EXEC_END_CANCEL);
    }
    return count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR));
}

/* Returns when it is time to kill what is left. */
static void watch(struct guard *guard) {
    int64_t now = clock_monotonic_ms();
    guard->soft_at = now + guard->timeout_ms;
    guard->hard_at = NEVER;
    guard->space_at = now + SPACE_CHECK_MS;
    for (;;) {
        struct pollfd ready[] = { { EXEC_GUARD_LIFELINE, POLLIN, 0 }, { guard->child_signals, POLLIN, 0 } };
        int count = poll(ready, ARRAY_SIZE(ready), until(guard, clock_monotonic_ms()));
        if (count > 0 && ready[1].revents && command_has_ended(guard)) {
            return;
        }
        if (count > 0 && ready[0].revents && !hear_server(guard)) {
            return;
        }
        now = clock_monotonic_ms();
        if (now >= guard->hard_at) {
            return;
        }
        if (now >= guard->soft_at) {
            ask_to_end(guard, EXEC_END_TIMEOUT);
        }
        if (now >= guard->space_at) {
            check_space(guard, now);
        }
    }
}

int exec_guard_main(int argc, char **argv) {
    struct guard guard = { .end = EXEC_END_START };
    if (!parse_arguments(&guard, argc, argv)) {
        fputs("exec-guard is started by the server itself and is of no use by hand.\n", stderr);
        return 2;
    }
    if (!set_up(&guard)) {
        tell_end(EXEC_END_START, errno);
        return 1;
    }
    int64_t bytes = 0;
    exec_files_within(guard.directory, INT64_MAX / 2, ENTRIES_MAX, &bytes);
    guard.space_max += bytes;
    int error = start_command(&guard);
    let_go_of_streams();
    if (error != 0) {
        kill_everything(&guard);
        tell_end(EXEC_END_START, error);
        return 1;
    }
    tell("started", (long)guard.child);
    watch(&guard);
    kill_everything(&guard);
    if (guard.end == EXEC_END_EXIT && !exec_files_within(guard.directory, guard.space_max, ENTRIES_MAX, &bytes)) {
        guard.end = EXEC_END_SPACE;
        guard.end_number = 0;
    }
    tell_end(guard.end, guard.end_number);
    return 0;
}
