/* What is no input or output: memory, the clock, names, threads. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "fault.h"

/* dlsym() may ask for memory while we look for what gives it: all of it is looked for at once. */
static struct {
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void (*free)(void *);
} memory;
static char early[16384];
static size_t early_used;
static __thread bool looking;

static void *early_memory(size_t size) {
    size_t start = (early_used + 15) & ~(size_t)15;
    if (size > sizeof(early) - start)
        abort();
    early_used = start + size;
    return early + start; /* zeros: nothing of it is used twice */
}

static bool is_early(const void *bytes) {
    return (const char *)bytes >= early && (const char *)bytes < early + sizeof(early);
}

/* Before there are threads. Whether memory can be had from behind. */
static bool memory_is_found(void) {
    static void *kept[4];
    if (memory.free || looking)
        return memory.free;
    looking = true;
    memory.malloc = (void *(*)(size_t))fault_next("malloc", &kept[0]);
    memory.calloc = (void *(*)(size_t, size_t))fault_next("calloc", &kept[1]);
    memory.realloc = (void *(*)(void *, size_t))fault_next("realloc", &kept[2]);
    memory.free = (void (*)(void *))fault_next("free", &kept[3]);
    looking = false;
    return true;
}

/* The sanitizer asks where a thread's stack is, when the thread begins, and ends the process without an answer: its memory is
 * not the program's. */
static __thread bool asks_for_stack;

int pthread_getattr_np(pthread_t thread, pthread_attr_t *ret) {
    NEXT(int, pthread_getattr_np, pthread_t, pthread_attr_t *);
    asks_for_stack = true;
    int failure = next(thread, ret);
    asks_for_stack = false;
    return failure;
}

static bool memory_fails(void) {
    return !asks_for_stack && fault_strikes(CALL_malloc, NULL);
}

void *malloc(size_t size) {
    if (!memory_is_found())
        return early_memory(size);
    return memory_fails() ? NULL : memory.malloc(size);
}

void *calloc(size_t count, size_t size) {
    if (!memory_is_found())
        return early_memory(count * size);
    return memory_fails() ? NULL : memory.calloc(count, size);
}

void *realloc(void *old, size_t size) {
    if (!memory_is_found() || is_early(old))
        abort();
    return memory_fails() ? NULL : memory.realloc(old, size);
}

void free(void *bytes) {
    if (bytes && !is_early(bytes) && memory_is_found())
        memory.free(bytes);
}

/* No kernel refuses to tell these times, and libraries trust in that: libcurl and libmicrohttpd would mix two clocks, libuv would
 * take it for the time 0, and timers would wait for days. Ours says that it ends the process, so it is asked to. */
static bool clock_fails(void *caller) {
    struct control *control = fault_control();
    return control && atomic_load(&control->orders[CALL_clock].first) && fault_is_programs(caller) &&
           fault_strikes(CALL_clock, NULL);
}

int clock_gettime(clockid_t id, struct timespec *ret) {
    NEXT(int, clock_gettime, clockid_t, struct timespec *);
    if (clock_fails(__builtin_return_address(0)))
        return -1;
    int failed = next(id, ret);
    struct control *control = fault_control();
    if (!failed && control && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
        int64_t ns = ret->tv_sec * INT64_C(1000000000) + ret->tv_nsec + atomic_load(&control->wall_ahead_ns);
        ret->tv_sec = ns / INT64_C(1000000000);
        ret->tv_nsec = ns % INT64_C(1000000000);
    }
    return failed;
}

int gettimeofday(struct timeval *restrict ret, void *restrict zone);
int gettimeofday(struct timeval *restrict ret, void *restrict zone) {
    (void)zone;
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now))
        return -1;
    ret->tv_sec = now.tv_sec;
    ret->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *ret) {
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now))
        return -1;
    if (ret)
        *ret = now.tv_sec;
    return now.tv_sec;
}

ssize_t getrandom(void *buffer, size_t size, unsigned flags) {
    NEXT(ssize_t, getrandom, void *, size_t, unsigned);
    return fault_strikes(CALL_getrandom, NULL) ? -1 : next(buffer, size, flags);
}

int getentropy(void *buffer, size_t size) {
    NEXT(int, getentropy, void *, size_t);
    return fault_strikes(CALL_getrandom, NULL) ? -1 : next(buffer, size);
}

int pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attributes, void *(*start)(void *),
                   void *restrict argument) {
    NEXT(int, pthread_create, pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    return fault_strikes(CALL_thread, NULL) ? errno : next(thread, attributes, start, argument);
}

/* Two kinds of names that are for tests (RFC 2606), so that no server is asked: in `.test` all are this machine, and in
 * `.example` there is none. */
static bool is_in(const char *node, const char *domain) {
    const char *end = node ? strrchr(node, '.') : NULL;
    return end && strcmp(end, domain) == 0;
}

/* What is an address already waits for nobody. */
static bool is_name(const char *node) {
    char address[16];
    return node && inet_pton(AF_INET, node, address) != 1 && inet_pton(AF_INET6, node, address) != 1;
}

int getaddrinfo(const char *restrict node, const char *restrict service, const struct addrinfo *restrict hints,
                struct addrinfo **restrict ret) {
    NEXT(int, getaddrinfo, const char *, const char *, const struct addrinfo *, struct addrinfo **);
    if (fault_strikes(CALL_resolve, NULL))
        return EAI_AGAIN;
    struct control *control = fault_control();
    if (control && is_name(node))
        fault_wait(&control->resolver_holds);
    if (is_in(node, ".example"))
        return EAI_NONAME;
    return next(is_in(node, ".test") ? "127.0.0.1" : node, service, hints, ret);
}
