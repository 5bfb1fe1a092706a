/* Input and output: each call is counted, and fails when its turn has come. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fault.h"

/* -- bytes, in and out */

/* Which call a read or write is, by what it is of; CALL_COUNT: none that may fail, as the counters that wake threads. */
static enum call kind_of(int file, enum call regular, enum call socket) {
    struct stat about;
    int kept_errno = errno;
    int failed = (int)syscall(SYS_fstat, file, &about); /* ours would be counted */
    errno = kept_errno;
    if (failed)
        return CALL_COUNT;
    if (S_ISREG(about.st_mode))
        return regular == CALL_write && file <= STDERR_FILENO ? CALL_log : regular;
    return S_ISSOCK(about.st_mode) ? socket : S_ISFIFO(about.st_mode) ? CALL_pipe_io : CALL_COUNT;
}

/* Whether there is no space for so many bytes; else they are taken of what is left. */
static bool disk_is_full(enum call call, size_t size) {
    struct control *control = call == CALL_write || call == CALL_pwrite ? fault_control() : NULL;
    if (control == NULL || atomic_load(&control->bytes_left) < 0)
        return false;
    int64_t left = atomic_load(&control->bytes_left);
    while (left >= (int64_t)size && !atomic_compare_exchange_weak(&control->bytes_left, &left, left - (int64_t)size)) {
        if (left < 0)
            return false;
    }
    if (left >= (int64_t)size)
        return false;
    errno = ENOSPC;
    return true;
}

static size_t half(size_t size, bool halve) {
    return halve && size > 1 ? size / 2 : size;
}

/* Whether it fails now; else how many bytes are to go. */
static bool stopped(enum call call, size_t *size) {
    bool halve = false;
    if (call == CALL_COUNT)
        return false;
    if (disk_is_full(call, *size) || (fault_strikes(call, &halve) && !halve))
        return true;
    *size = half(*size, halve);
    return false;
}

ssize_t write(int file, const void *bytes, size_t size) {
    NEXT(ssize_t, write, int, const void *, size_t);
    return fault_control() && stopped(kind_of(file, CALL_write, CALL_send), &size) ? -1 : next(file, bytes, size);
}

ssize_t read(int file, void *bytes, size_t size) {
    NEXT(ssize_t, read, int, void *, size_t);
    return fault_control() && stopped(kind_of(file, CALL_read, CALL_recv), &size) ? -1 : next(file, bytes, size);
}

/* A vector is cut to its first part where half is to go. */
static bool stopped_vector(enum call call, const struct iovec *parts, int *count) {
    size_t size = 0;
    for (int i = 0; i < *count; i++)
        size += parts[i].iov_len;
    size_t whole = size;
    if (stopped(call, &size))
        return true;
    if (size < whole && *count > 1)
        *count = 1;
    return false;
}

ssize_t writev(int file, const struct iovec *parts, int count) {
    NEXT(ssize_t, writev, int, const struct iovec *, int);
    return fault_control() && stopped_vector(kind_of(file, CALL_write, CALL_send), parts, &count) ? -1
                                                                                                 : next(file, parts, count);
}

ssize_t readv(int file, const struct iovec *parts, int count) {
    NEXT(ssize_t, readv, int, const struct iovec *, int);
    return fault_control() && stopped_vector(kind_of(file, CALL_read, CALL_recv), parts, &count) ? -1
                                                                                                : next(file, parts, count);
}

ssize_t pwrite(int file, const void *bytes, size_t size, off_t offset) {
    NEXT(ssize_t, pwrite, int, const void *, size_t, off_t);
    return stopped(CALL_pwrite, &size) ? -1 : next(file, bytes, size, offset);
}

ssize_t pwrite64(int file, const void *bytes, size_t size, off64_t offset) {
    NEXT(ssize_t, pwrite64, int, const void *, size_t, off64_t);
    return stopped(CALL_pwrite, &size) ? -1 : next(file, bytes, size, offset);
}

ssize_t pread(int file, void *bytes, size_t size, off_t offset) {
    NEXT(ssize_t, pread, int, void *, size_t, off_t);
    return stopped(CALL_read, &size) ? -1 : next(file, bytes, size, offset);
}

ssize_t pread64(int file, void *bytes, size_t size, off64_t offset) {
    NEXT(ssize_t, pread64, int, void *, size_t, off64_t);
    return stopped(CALL_read, &size) ? -1 : next(file, bytes, size, offset);
}

ssize_t send(int file, const void *bytes, size_t size, int flags) {
    NEXT(ssize_t, send, int, const void *, size_t, int);
    return stopped(CALL_send, &size) ? -1 : next(file, bytes, size, flags);
}

ssize_t sendto(int file, const void *bytes, size_t size, int flags, const struct sockaddr *to, socklen_t length) {
    NEXT(ssize_t, sendto, int, const void *, size_t, int, const struct sockaddr *, socklen_t);
    return stopped(CALL_send, &size) ? -1 : next(file, bytes, size, flags, to, length);
}

ssize_t sendmsg(int file, const struct msghdr *message, int flags) {
    NEXT(ssize_t, sendmsg, int, const struct msghdr *, int);
    struct msghdr cut = *message;
    int count = (int)message->msg_iovlen;
    if (stopped_vector(CALL_send, message->msg_iov, &count))
        return -1;
    cut.msg_iovlen = (size_t)count;
    return next(file, &cut, flags);
}

ssize_t sendfile(int out, int in, off_t *offset, size_t size) {
    NEXT(ssize_t, sendfile, int, int, off_t *, size_t);
    return stopped(CALL_send, &size) ? -1 : next(out, in, offset, size);
}

ssize_t sendfile64(int out, int in, off64_t *offset, size_t size) {
    NEXT(ssize_t, sendfile64, int, int, off64_t *, size_t);
    return stopped(CALL_send, &size) ? -1 : next(out, in, offset, size);
}

ssize_t recv(int file, void *bytes, size_t size, int flags) {
    NEXT(ssize_t, recv, int, void *, size_t, int);
    return stopped(CALL_recv, &size) ? -1 : next(file, bytes, size, flags);
}

ssize_t recvfrom(int file, void *restrict bytes, size_t size, int flags, struct sockaddr *restrict from,
                 socklen_t *restrict length) {
    NEXT(ssize_t, recvfrom, int, void *, size_t, int, struct sockaddr *, socklen_t *);
    return stopped(CALL_recv, &size) ? -1 : next(file, bytes, size, flags, from, length);
}

ssize_t recvmsg(int file, struct msghdr *message, int flags) {
    NEXT(ssize_t, recvmsg, int, struct msghdr *, int);
    return fault_strikes(CALL_recv, NULL) ? -1 : next(file, message, flags);
}

/* -- files */

static mode_t mode_of(int flags, va_list rest) {
    return flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0;
}

#define OPEN(name)                                          \
    int name(const char *path, int flags, ...) {            \
        NEXT(int, name, const char *, int, ...);            \
        va_list rest;                                       \
        va_start(rest, flags);                              \
        mode_t mode = mode_of(flags, rest);                 \
        va_end(rest);                                       \
        return fault_strikes(CALL_open, NULL) ? -1 : next(path, flags, mode); \
    }

OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                 \
    int name(int directory, const char *path, int flags, ...) {      \
        NEXT(int, name, int, const char *, int, ...);                \
        va_list rest;                                                \
        va_start(rest, flags);                                       \
        mode_t mode = mode_of(flags, rest);                          \
        va_end(rest);                                                \
        return fault_strikes(CALL_open, NULL) ? -1 : next(directory, path, flags, mode); \
    }

OPENAT(openat)
OPENAT(openat64)

#define SYNC(name)                                 \
    int name(int file) {                           \
        NEXT(int, name, int);                      \
        if (fault_strikes(CALL_fsync, NULL))       \
            return -1;                             \
        struct control *control = fault_control(); \
        if (control)                               \
            fault_wait(&control->syncs_hold);      \
        return next(file);                         \
    }

SYNC(fsync)
SYNC(fdatasync)
SYNC(syncfs)

SIMPLE(FILE *, fopen, open, NULL, (const char *restrict path, const char *restrict mode), (path, mode), const char *, const char *)
SIMPLE(FILE *, fopen64, open, NULL, (const char *restrict path, const char *restrict mode), (path, mode), const char *, const char *)
SIMPLE(int, mkostemp, open, -1, (char *path, int flags), (path, flags), char *, int)
SIMPLE(int, mkostemp64, open, -1, (char *path, int flags), (path, flags), char *, int)
SIMPLE(int, memfd_create, open, -1, (const char *name, unsigned flags), (name, flags), const char *, unsigned)
SIMPLE(DIR *, opendir, open, NULL, (const char *path), (path), const char *)
SIMPLE(DIR *, fdopendir, open, NULL, (int file), (file), int)
SIMPLE(int, flock, lock, -1, (int file, int operation), (file, operation), int, int)
SIMPLE(int, rename, rename, -1, (const char *from, const char *to), (from, to), const char *, const char *)
SIMPLE(int, renameat, rename, -1, (int from_in, const char *from, int to_in, const char *to), (from_in, from, to_in, to), int,
       const char *, int, const char *)
SIMPLE(int, renameat2, rename, -1, (int from_in, const char *from, int to_in, const char *to, unsigned flags),
       (from_in, from, to_in, to, flags), int, const char *, int, const char *, unsigned)
SIMPLE(int, link, rename, -1, (const char *from, const char *to), (from, to), const char *, const char *)
SIMPLE(int, linkat, rename, -1, (int from_in, const char *from, int to_in, const char *to, int flags),
       (from_in, from, to_in, to, flags), int, const char *, int, const char *, int)
SIMPLE(int, unlink, unlink, -1, (const char *path), (path), const char *)
SIMPLE(int, remove, unlink, -1, (const char *path), (path), const char *)
SIMPLE(int, unlinkat, unlink, -1, (int directory, const char *path, int flags), (directory, path, flags), int, const char *, int)
SIMPLE(int, rmdir, unlink, -1, (const char *path), (path), const char *)
SIMPLE(int, mkdir, mkdir, -1, (const char *path, mode_t mode), (path, mode), const char *, mode_t)
SIMPLE(int, mkdirat, mkdir, -1, (int directory, const char *path, mode_t mode), (directory, path, mode), int, const char *, mode_t)
SIMPLE(int, ftruncate, ftruncate, -1, (int file, off_t size), (file, size), int, off_t)
SIMPLE(int, ftruncate64, ftruncate, -1, (int file, off64_t size), (file, size), int, off64_t)
SIMPLE(int, posix_fallocate, ftruncate, errno, (int file, off_t from, off_t size), (file, from, size), int, off_t, off_t)
SIMPLE(int, posix_fallocate64, ftruncate, errno, (int file, off64_t from, off64_t size), (file, from, size), int, off64_t, off64_t)
SIMPLE(int, fallocate, ftruncate, -1, (int file, int mode, off_t from, off_t size), (file, mode, from, size), int, int, off_t, off_t)
SIMPLE(void *, mmap, mmap, MAP_FAILED, (void *at, size_t size, int protection, int flags, int file, off_t offset),
       (at, size, protection, flags, file, offset), void *, size_t, int, int, int, off_t)
SIMPLE(void *, mmap64, mmap, MAP_FAILED, (void *at, size_t size, int protection, int flags, int file, off64_t offset),
       (at, size, protection, flags, file, offset), void *, size_t, int, int, int, off64_t)

/* The file is closed in any case, as Linux does it. */
int close(int file) {
    NEXT(int, close, int);
    bool fails = fault_control() && kind_of(file, CALL_close, CALL_COUNT) == CALL_close && fault_strikes(CALL_close, NULL);
    int kept_errno = errno, failed = next(file);
    if (fails)
        errno = kept_errno;
    return fails ? -1 : failed;
}

#define FCNTL(name)                                                                                       \
    int name(int file, int command, ...) {                                                                \
        NEXT(int, name, int, int, ...);                                                                   \
        va_list rest;                                                                                     \
        va_start(rest, command);                                                                          \
        void *argument = va_arg(rest, void *);                                                            \
        va_end(rest);                                                                                     \
        bool locks = command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK;                 \
        return locks && fault_strikes(CALL_lock, NULL) ? -1 : next(file, command, argument);              \
    }

FCNTL(fcntl)
FCNTL(fcntl64)

/* -- sockets, waiting */

SIMPLE(int, accept, accept, -1, (int file, struct sockaddr *restrict from, socklen_t *restrict length), (file, from, length), int,
       struct sockaddr *, socklen_t *)
SIMPLE(int, accept4, accept, -1, (int file, struct sockaddr *restrict from, socklen_t *restrict length, int flags),
       (file, from, length, flags), int, struct sockaddr *, socklen_t *, int)
SIMPLE(int, socket, socket, -1, (int domain, int type, int protocol), (domain, type, protocol), int, int, int)
SIMPLE(int, socketpair, socket, -1, (int domain, int type, int protocol, int ret[2]), (domain, type, protocol, ret), int, int, int,
       int[2])
SIMPLE(int, bind, bind, -1, (int file, const struct sockaddr *at, socklen_t length), (file, at, length), int,
       const struct sockaddr *, socklen_t)
SIMPLE(int, listen, listen, -1, (int file, int waiting), (file, waiting), int, int)
SIMPLE(int, shutdown, shutdown, -1, (int file, int how), (file, how), int, int)
SIMPLE(int, setsockopt, sockopt, -1, (int file, int level, int name, const void *value, socklen_t length),
       (file, level, name, value, length), int, int, int, const void *, socklen_t)
SIMPLE(int, getsockopt, sockopt, -1, (int file, int level, int name, void *restrict ret, socklen_t *restrict length),
       (file, level, name, ret, length), int, int, int, void *, socklen_t *)
SIMPLE(int, getsockname, sockname, -1, (int file, struct sockaddr *restrict ret, socklen_t *restrict length), (file, ret, length),
       int, struct sockaddr *, socklen_t *)
SIMPLE(int, getpeername, sockname, -1, (int file, struct sockaddr *restrict ret, socklen_t *restrict length), (file, ret, length),
       int, struct sockaddr *, socklen_t *)
SIMPLE(int, connect, connect, -1, (int file, const struct sockaddr *to, socklen_t length), (file, to, length), int,
       const struct sockaddr *, socklen_t)
SIMPLE(int, epoll_wait, epoll_wait, -1, (int file, struct epoll_event *ret, int most, int timeout_ms),
       (file, ret, most, timeout_ms), int, struct epoll_event *, int, int)
SIMPLE(int, epoll_pwait, epoll_wait, -1, (int file, struct epoll_event *ret, int most, int timeout_ms, const sigset_t *mask),
       (file, ret, most, timeout_ms, mask), int, struct epoll_event *, int, int, const sigset_t *)
SIMPLE(int, poll, epoll_wait, -1, (struct pollfd *files, nfds_t count, int timeout_ms), (files, count, timeout_ms),
       struct pollfd *, nfds_t, int)

/* Taking out what is in needs neither room nor memory (epoll_ctl(2): what fails so is adding). */
int epoll_ctl(int set, int operation, int file, struct epoll_event *event) {
    NEXT(int, epoll_ctl, int, int, int, struct epoll_event *);
    bool fails = operation != EPOLL_CTL_DEL && fault_strikes(CALL_epoll_ctl, NULL);
    return fails ? -1 : next(set, operation, file, event);
}

SIMPLE(int, pipe, pipe, -1, (int ret[2]), (ret), int[2])
SIMPLE(int, pipe2, pipe, -1, (int ret[2], int flags), (ret, flags), int[2], int)
SIMPLE(int, eventfd, eventfd, -1, (unsigned count, int flags), (count, flags), unsigned, int)
SIMPLE(int, signalfd, eventfd, -1, (int file, const sigset_t *signals, int flags), (file, signals, flags), int, const sigset_t *, int)
SIMPLE(int, epoll_create1, eventfd, -1, (int flags), (flags), int)

/* -- what the compiler calls instead where it knows the size of the buffer, or that there is no mode */

ssize_t __read_chk(int file, void *bytes, size_t size, size_t room);
ssize_t __read_chk(int file, void *bytes, size_t size, size_t room) {
    return read(file, bytes, size < room ? size : room);
}

ssize_t __pread64_chk(int file, void *bytes, size_t size, off64_t offset, size_t room);
ssize_t __pread64_chk(int file, void *bytes, size_t size, off64_t offset, size_t room) {
    return pread64(file, bytes, size < room ? size : room, offset);
}

ssize_t __recv_chk(int file, void *bytes, size_t size, size_t room, int flags);
ssize_t __recv_chk(int file, void *bytes, size_t size, size_t room, int flags) {
    return recv(file, bytes, size < room ? size : room, flags);
}

int __open64_2(const char *path, int flags);
int __open64_2(const char *path, int flags) {
    return open64(path, flags);
}

int __openat64_2(int directory, const char *path, int flags);
int __openat64_2(int directory, const char *path, int flags) {
    return openat64(directory, path, flags);
}

int __poll_chk(struct pollfd *files, nfds_t count, int timeout_ms, size_t room);
int __poll_chk(struct pollfd *files, nfds_t count, int timeout_ms, size_t room) {
    (void)room;
    return poll(files, count, timeout_ms);
}
