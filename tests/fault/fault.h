/* A library that is loaded before all others and lets system calls of a server fail, as a file in memory says.
 *
 * The test maps the same file (FAULT_CONTROL) and changes it while the server runs: which call fails at its n-th time, once or
 * every so often, with which errno. Programs that the server starts are left alone, but for the guards of its commands where
 * FAULT_GUARD names a control file of theirs, which one guard at a time obeys. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The order is the control file's; tests/fault/faults.py reads the names here. */
#define CALL_TABLE(X)                                                                                             \
    X(write)     /* to a regular file */                                                                          \
    X(log)       /* to standard output or error */                                                                \
    X(pwrite)                                                                                                     \
    X(read)      /* of a regular file, with pread */                                                              \
    X(fsync)     /* fdatasync, syncfs */                                                                          \
    X(open)      /* openat, fopen, opendir, mkostemp, memfd_create */                                             \
    X(close)     /* of a regular file, which is closed all the same */                                            \
    X(stat)      /* fstat, lstat, access, readlink, statvfs */                                                    \
    X(readdir)                                                                                                    \
    X(chmod)     /* fchmod, futimens */                                                                           \
    X(rename)    /* link */                                                                                       \
    X(unlink)    /* remove, rmdir */                                                                              \
    X(mkdir)                                                                                                      \
    X(ftruncate) /* fallocate, posix_fallocate */                                                                 \
    X(mmap)                                                                                                       \
    X(malloc)    /* calloc, realloc */                                                                            \
    X(lock)      /* fcntl's, flock */                                                                             \
    X(accept)                                                                                                     \
    X(socket)    /* socketpair */                                                                                 \
    X(bind)                                                                                                       \
    X(listen)                                                                                                     \
    X(sockopt)   /* getsockopt, setsockopt */                                                                     \
    X(sockname)  /* getsockname, getpeername */                                                                   \
    X(shutdown)                                                                                                   \
    X(connect)                                                                                                    \
    X(send)      /* sendto, sendmsg, sendfile, write to a socket */                                               \
    X(recv)      /* recvfrom, recvmsg, read of a socket */                                                        \
    X(pipe_io)   /* read of and write to a pipe */                                                                \
    X(epoll_wait) /* poll */                                                                                      \
    X(epoll_ctl)                                                                                                  \
    X(fork)      /* vfork, posix_spawn */                                                                         \
    X(exec)      /* in a child */                                                                                 \
    X(dup)       /* dup2, dup3, also in a child */                                                                \
    X(wait)      /* waitpid, waitid */                                                                            \
    X(kill)                                                                                                       \
    X(pipe)                                                                                                       \
    X(eventfd)   /* epoll_create1, signalfd */                                                                    \
    X(thread)    /* pthread_create */                                                                             \
    X(getrandom) /* getentropy */                                                                                 \
    X(clock)     /* clock_gettime, where the program itself asks */                                               \
    X(resolve)   /* getaddrinfo */

enum call {
#define X(name) CALL_##name,
    CALL_TABLE(X)
#undef X
    CALL_COUNT
};

/* What is to become of a call. The test writes the first three, and `seen` and `fired` only while `first` is 0. */
struct order {
    _Atomic int64_t first;  /* the first time that fails, from 1; 0: none does */
    _Atomic int64_t period; /* every so many-th time after that as well; 0: once */
    _Atomic int64_t error;  /* the errno; 0: half of the bytes only */
    _Atomic int64_t seen, fired;
};

struct control {
    _Atomic int64_t ready;          /* the process that obeys; set by the library */
    _Atomic int64_t wall_ahead_ns;  /* added to the wall clock */
    _Atomic int64_t bytes_left;     /* what may still be written to files before there is no space; below 0: any number */
    _Atomic int64_t resolver_holds; /* other than 0: names are not resolved until it is 0 again */
    _Atomic int64_t syncs_hold;     /* other than 0: no file is synced until it is 0 again */
    struct order orders[CALL_COUNT];
};

/* NULL where no call is to fail: in another program, or in a child of the server. Any thread, async-signal-safe. */
struct control *fault_control(void);

/* Whether this call fails now; then errno is set, or *halve where half of the bytes are to go. `halve` may be NULL: then
 * no such order is obeyed. */
bool fault_strikes(enum call call, bool *halve);

/* The same, also in a child that has not become another program yet. */
bool fault_strikes_near(enum call call);

/* Returns when that word of the control is 0. */
void fault_wait(const _Atomic int64_t *hold);

/* Whether that address is in the server's own program, not in a library. Any thread. */
bool fault_is_programs(void *address);

/* What the libraries behind this one call by that name; aborts when there is none. */
void *fault_next(const char *name, void **kept);

/* Declares `next`, which is the call itself. */
#define NEXT(result, name, ...) \
    static void *kept;          \
    result (*next)(__VA_ARGS__) = (result(*)(__VA_ARGS__))fault_next(#name, &kept)

/* A call that has all its arguments named, and fails with one value. */
#define SIMPLE(result, name, call, failure, parameters, arguments, ...) \
    result name parameters {                                            \
        NEXT(result, name, __VA_ARGS__);                                \
        return fault_strikes(CALL_##call, NULL) ? (failure) : next arguments; \
    }
