/* Processes: started, waited for, ended; and the way of this library into the guard of a command. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault.h"

SIMPLE(int, fork, fork, -1, (void), (), void)
SIMPLE(int, posix_spawn, fork, errno,
       (pid_t *restrict ret, const char *restrict path, const posix_spawn_file_actions_t *actions,
        const posix_spawnattr_t *restrict attributes, char *const words[restrict], char *const environment[restrict]),
       (ret, path, actions, attributes, words, environment), pid_t *, const char *, const posix_spawn_file_actions_t *,
       const posix_spawnattr_t *, char *const[], char *const[])
SIMPLE(pid_t, waitpid, wait, -1, (pid_t of, int *ret, int options), (of, ret, options), pid_t, int *, int)
SIMPLE(int, waitid, wait, -1, (idtype_t kind, id_t of, siginfo_t *ret, int options), (kind, of, ret, options), idtype_t, id_t,
       siginfo_t *, int)
SIMPLE(int, kill, kill, -1, (pid_t whom, int number), (whom, number), pid_t, int)

/* -- in the server's child, before it is another program */

int dup2(int from, int to) {
    NEXT(int, dup2, int, int);
    return fault_strikes_near(CALL_dup) ? -1 : next(from, to);
}

int dup3(int from, int to, int flags) {
    NEXT(int, dup3, int, int, int);
    return fault_strikes_near(CALL_dup) ? -1 : next(from, to, flags);
}

/* A guard has an environment of its own, to which is added what loads this library there. Kept from the start: a child of a
 * process with threads may not ask for memory. */
#define WORDS_MAX 64
static char *kept_words[4];
static pid_t server;

/* Before there is a control file: what it calls is not counted. */
__attribute__((constructor(101))) static void keep_words(void) {
    const char *const names[] = { "LD_PRELOAD", "ASAN_OPTIONS", "LSAN_OPTIONS" };
    const char *control = getenv("FAULT_GUARD");
    dup2(-1, -1); /* what is behind these is looked for now: in a child of a process with threads that may never return */
    execvp("", (char *[]){ NULL });
    if (control == NULL || asprintf(&kept_words[3], "FAULT_CONTROL=%s", control) < 0)
        return;
    for (int i = 0; i < 3; i++) {
        const char *word = getenv(names[i]);
        if (asprintf(&kept_words[i], "%s=%s", names[i], word ? word : "") < 0)
            return;
    }
    server = getpid();
}

static void go_along(void) {
    static char *words[WORDS_MAX];
    size_t count = 0;
    if (server == 0 || getppid() != server)
        return;
    while (environ[count] && count < WORDS_MAX - 5) {
        words[count] = environ[count];
        count++;
    }
    for (int i = 0; i < 4; i++)
        words[count++] = kept_words[i];
    words[count] = NULL;
    environ = words;
}

int execvp(const char *path, char *const words[]) {
    NEXT(int, execvp, const char *, char *const[]);
    if (fault_strikes_near(CALL_exec))
        return -1;
    go_along();
    return next(path, words);
}

int execv(const char *path, char *const words[]) {
    NEXT(int, execv, const char *, char *const[]);
    return fault_strikes_near(CALL_exec) ? -1 : next(path, words);
}
