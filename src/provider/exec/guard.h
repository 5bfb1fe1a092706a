/* The guard of a local command: a process of its own between server and command, so that nothing outlives either.
 *
 * The server starts its own binary again as `fennec exec-guard …`; the command line's main hands over here before it does
 * anything else. Files at start: 0, 1, 2 are the command's; 3 is the lifeline, a socket to the server.
 *
 *   server -> guard   one byte: cancel; end of file: the server is gone
 *   guard -> server   "started PID", then, once everything is dead, one line "ended WORD NUMBER" */
#pragma once

#define EXEC_GUARD_NAME "exec-guard"
#define EXEC_GUARD_LIFELINE 3

/* WORD, and what NUMBER says. */
#define EXEC_END_TABLE(X)                                                              \
    X(EXEC_END_EXIT, "exit")       /* exit status */                                   \
    X(EXEC_END_SIGNAL, "signal")   /* signal number */                                 \
    X(EXEC_END_START, "start")     /* errno: the command could not be started */       \
    X(EXEC_END_TIMEOUT, "timeout") /* 0 */                                             \
    X(EXEC_END_CANCEL, "cancel")   /* 0 */                                             \
    X(EXEC_END_SPACE, "space")     /* 0: its files took more room than allowed */

enum exec_end {
#define X(name, word) name,
    EXEC_END_TABLE(X)
#undef X
    EXEC_END_LOST,  /* the guard ended without a word */
    EXEC_END_FLOOD, /* cancelled by the driver: it said more than anybody wants to read */
    EXEC_END_COUNT
};

/* The arguments after the name, in this order, all needed. */
enum exec_guard_argument {
    EXEC_GUARD_DIRECTORY,  /* the work directory, absolute */
    EXEC_GUARD_TIMEOUT_MS, /* from start to the first signal */
    EXEC_GUARD_GRACE_MS,   /* from SIGTERM to SIGKILL */
    EXEC_GUARD_FILE_MAX,   /* bytes of one file */
    EXEC_GUARD_SPACE_MAX,  /* bytes by which the work directory may grow */
    EXEC_GUARD_COMMAND,    /* absolute path */
    EXEC_GUARD_ARGUMENT_COUNT
};

/* Takes main's arguments from EXEC_GUARD_NAME on, which is argv[0]. Returns the process's exit status: 0 when the end was told,
 * 2 when the arguments are wrong, 1 otherwise. Single-threaded. */
int exec_guard_main(int argc, char **argv);
