/* The client of a house, and the wall around it: the system's functions by which the server reaches others are replaced for
 * the whole process. */
#include "house_client.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"
#include "house.h"

#define ANSWER_MAX ((size_t)64 << 20)
#define ENDLESS_MS 500
#define PATIENCE_MS 15000

static unsigned port;

void house_client_connect(unsigned new_port) {
    port = new_port;
}

/* ---- the wall ---- */

static bool is_inside_4(uint32_t address) {
    return address >> 24 == 0 || address >> 24 == 10 || address >> 24 == 127 || address >> 20 == 0xac1 ||
           address >> 16 == 0xc0a8 || address >> 16 == 0xa9fe;
}

static bool is_inside(const struct sockaddr *address) {
    if (address->sa_family == AF_INET) {
        return is_inside_4(ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr));
    }
    const struct in6_addr *six = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    uint32_t four;
    memcpy(&four, six->s6_addr + 12, sizeof(four));
    return IN6_IS_ADDR_LOOPBACK(six) || IN6_IS_ADDR_UNSPECIFIED(six) || IN6_IS_ADDR_LINKLOCAL(six) ||
           (six->s6_addr[0] & 0xfe) == 0xfc || (IN6_IS_ADDR_V4MAPPED(six) && is_inside_4(ntohl(four)));
}

/* S1. The client of a house does not come through here. */
int connect(int fd, const struct sockaddr *address, socklen_t size) {
    (void)fd, (void)size;
    if (address->sa_family == AF_INET || address->sa_family == AF_INET6) {
        fuzz_hold(!is_inside(address), "the server connects to this machine or its network");
    }
    errno = ENETUNREACH;
    return -1;
}

/* Only what is an address already. */
int getaddrinfo(const char *restrict name, const char *restrict service, const struct addrinfo *restrict hints,
                struct addrinfo **restrict ret) {
    typedef int resolver(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    static resolver *real;
    struct addrinfo numeric = { .ai_family = AF_UNSPEC };
    if (real == NULL) {
        real = (resolver *)dlsym(RTLD_NEXT, "getaddrinfo");
    }
    if (hints != NULL) {
        numeric = *hints;
    }
    numeric.ai_flags |= AI_NUMERICHOST;
    return real(name, service, &numeric, ret);
}

/* ---- sending ---- */

static int reach(void) {
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    const struct linger none = { .l_onoff = 1 };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    fuzz_hold(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none)) == 0);
    fuzz_hold(syscall(SYS_connect, fd, &address, sizeof(address)) == 0, "%s", strerror(errno));
    return fd;
}

/* Without what would end the line, or the request where it does not end. */
static void put_line(struct buffer *buf, struct text line) {
    for (size_t i = 0; i < line.len; i++) {
        if (line.ptr[i] != '\r' && line.ptr[i] != '\n' && line.ptr[i] != '\0') {
            buffer_put_char(buf, line.ptr[i]);
        }
    }
    buffer_put(buf, TEXT("\r\n"));
}

static bool is_named(struct text line, struct text name) {
    return text_equal_nocase(text_trim(text_cut(&line, ':')), name);
}

/* These are the client's own affair. */
static bool is_ours(struct text line) {
    static const struct text names[] = { TEXT("content-length"), TEXT("transfer-encoding"), TEXT("connection"),
                                         TEXT("expect"), TEXT("host") };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (is_named(line, names[i])) {
            return true;
        }
    }
    return false;
}

static void put_request(struct buffer *buf, char who, struct text request, struct text headers, struct text body) {
    struct text key = house_key(who);
    put_line(buf, request);
    buf->len -= 2; /* the version is still to come */
    buffer_put(buf, TEXT(" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"));
    while (headers.len > 0) {
        struct text line = text_cut(&headers, '\n');
        bool named = key.ptr != NULL && is_named(line, TEXT("authorization"));
        if (text_trim(line).len > 0 && !is_ours(line) && !named) {
            put_line(buf, line);
        }
    }
    if (key.ptr != NULL) {
        buffer_printf(buf, "Authorization: Bearer %.*s\r\n", TEXT_ARG(key));
    }
    buffer_printf(buf, "Content-Length: %zu\r\n\r\n", body.len);
    buffer_put(buf, body);
    fuzz_hold(buffer_ok(buf));
}

/* A server may have refused before it read all. */
static void send_all(int fd, struct text bytes) {
    while (bytes.len > 0) {
        ssize_t sent = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
        if (sent <= 0) {
            return;
        }
        bytes.ptr += sent;
        bytes.len -= (size_t)sent;
    }
}

/* ---- reading ---- */

static bool take_apart(struct house_answer *answer) {
    struct text all = buffer_text(&answer->bytes);
    const char *end = all.len > 0 ? memmem(all.ptr, all.len, "\r\n\r\n", 4) : NULL;
    int64_t status = 0;
    if (end == NULL) {
        return false;
    }
    answer->head = (struct text){ all.ptr, (size_t)(end - all.ptr) };
    answer->body = (struct text){ end + 4, all.len - answer->head.len - 4 };
    fuzz_hold(text_starts(all, TEXT("HTTP/1.1 ")) && all.len > 12 &&
                  text_to_i64((struct text){ all.ptr + 9, 3 }, &status), "%.*s", TEXT_ARG(answer->head));
    answer->status = (int)status;
    return true;
}

static bool is_endless(const struct house_answer *answer) {
    return text_starts(house_header(answer, TEXT("content-type")), TEXT("text/event-stream"));
}

/* Real time: the clock of the server runs fast. */
static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void read_answer(int fd, struct house_answer *answer) {
    int64_t end_ms = now_ms() + PATIENCE_MS;
    bool headed = false, endless = false;
    for (;;) {
        char piece[16384];
        struct pollfd waiting = { .fd = fd, .events = POLLIN };
        int64_t left_ms = end_ms - now_ms();
        if (left_ms <= 0 || poll(&waiting, 1, (int)left_ms) == 0) {
            fuzz_hold(endless, "no end within %d ms of: %.*s", PATIENCE_MS, TEXT_ARG(buffer_text(&answer->bytes)));
            break;
        }
        ssize_t count = recv(fd, piece, sizeof(piece), 0);
        if (count <= 0) {
            break;
        }
        buffer_put(&answer->bytes, (struct text){ piece, (size_t)count });
        fuzz_hold(buffer_ok(&answer->bytes));
        if (!headed && take_apart(answer)) {
            headed = true;
            endless = is_endless(answer);
            end_ms = endless ? now_ms() + ENDLESS_MS : end_ms;
        }
    }
    if (!take_apart(answer)) {
        answer->status = 0;
    }
}

struct text house_header(const struct house_answer *answer, struct text name) {
    struct text rest = answer->head;
    text_cut(&rest, '\n');
    while (rest.len > 0) {
        struct text line = text_cut(&rest, '\n');
        struct text key = text_cut(&line, ':');
        if (text_equal_nocase(key, name)) {
            return text_trim(line);
        }
    }
    return TEXT_NONE;
}

void house_ask(char who, struct text request, struct text headers, struct text body, struct house_answer *ret) {
    struct buffer buf;
    *ret = (struct house_answer){ .status = 0 };
    buffer_init(&ret->bytes, ANSWER_MAX);
    buffer_init(&buf, (size_t)4 << 20);
    put_request(&buf, who, request, headers, body);
    int fd = reach();
    send_all(fd, buffer_text(&buf));
    read_answer(fd, ret);
    close(fd);
    buffer_fini(&buf);
}

void house_answer_fini(struct house_answer *answer) {
    buffer_fini(&answer->bytes);
    *answer = (struct house_answer){ .status = 0 };
}
