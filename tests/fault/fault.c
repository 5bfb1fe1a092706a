/* The control file, and the count of each call. */
#include "fault.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static struct control *control;
static pid_t owner;
static void *program; /* where it begins */
static int trace = -1; /* where each fault's stack is written, for people */

/* Raw system calls: the library's own must not be counted. */
static void *map_control(const char *path) {
    int file = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
    if (file < 0)
        return NULL;
    void *memory = (void *)syscall(SYS_mmap, NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0L);
    syscall(SYS_close, file);
    return memory == MAP_FAILED ? NULL : memory;
}

static void *base_of(void *address) {
    Dl_info about;
    return dladdr(address, &about) ? about.dli_fbase : NULL;
}

bool fault_is_programs(void *address) {
    return base_of(address) == program;
}

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("FAULT_CONTROL"), *stacks = getenv("FAULT_TRACE");
    if (path == NULL || strcmp(program_invocation_short_name, "fennec") != 0)
        return;
    void *frames[1];
    (void)backtrace(frames, 1); /* loads what it needs, now */
    if (stacks)
        trace = (int)syscall(SYS_openat, AT_FDCWD, stacks, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    struct control *mapped = map_control(path);
    if (mapped == NULL) {
        static const char words[] = "the control file cannot be mapped\n";
        syscall(SYS_write, 2, words, sizeof(words) - 1);
        _exit(70);
    }
    /* One that the server started comes too late; one that comes after its end takes its place. */
    int64_t other = 0;
    if (!atomic_compare_exchange_strong(&mapped->ready, &other, getpid()) &&
        (syscall(SYS_kill, (pid_t)other, 0) == 0 || !atomic_compare_exchange_strong(&mapped->ready, &other, getpid())))
        return;
    owner = getpid();
    program = base_of((void *)getauxval(AT_ENTRY));
    control = mapped;
}

struct control *fault_control(void) {
    return control && getpid() == owner ? control : NULL;
}

static const char *const names[] = {
#define X(name) #name,
    CALL_TABLE(X)
#undef X
};

static void write_trace(enum call call, int64_t number) {
    if (trace < 0)
        return;
    static __thread bool busy;
    if (busy)
        return;
    busy = true;
    char line[64];
    int length = snprintf(line, sizeof(line), "-- %s %lld\n", names[call], (long long)number);
    syscall(SYS_write, trace, line, (size_t)length);
    void *frames[24];
    backtrace_symbols_fd(frames, backtrace(frames, 24), trace);
    busy = false;
}

static bool strikes(struct control *mapped, enum call call, bool *halve) {
    if (mapped == NULL)
        return false;
    struct order *order = &mapped->orders[call];
    int64_t first = atomic_load(&order->first);
    if (first == 0)
        return false;
    int64_t number = atomic_fetch_add(&order->seen, 1) + 1, period = atomic_load(&order->period);
    if (number < first || (number > first && (period == 0 || (number - first) % period != 0)))
        return false;
    int error = (int)atomic_load(&order->error);
    if (error == 0 && halve == NULL)
        return false;
    atomic_fetch_add(&order->fired, 1);
    write_trace(call, number);
    if (error == 0)
        return *halve = true;
    errno = error;
    return true;
}

bool fault_strikes(enum call call, bool *halve) {
    return strikes(fault_control(), call, halve);
}

bool fault_strikes_near(enum call call) {
    return strikes(getpid() == owner || getppid() == owner ? control : NULL, call, NULL);
}

void fault_wait(const _Atomic int64_t *hold) {
    while (atomic_load(hold)) {
        const struct timespec pause = { .tv_nsec = 20000000 };
        nanosleep(&pause, NULL);
    }
}

void *fault_next(const char *name, void **kept) {
    void *next = __atomic_load_n(kept, __ATOMIC_ACQUIRE);
    if (next == NULL) {
        next = dlsym(RTLD_NEXT, name);
        if (next == NULL)
            abort();
        __atomic_store_n(kept, next, __ATOMIC_RELEASE);
    }
    return next;
}
