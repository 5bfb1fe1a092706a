/* A load of chat completions for measurements: so many connections, each kept alive, with its next request when the
 * answer to the last is there; latencies to the microsecond, of streams also each event's. What it takes is in
 * chat_options.h.
 *
 * Streams are those of bench_chat_upstream: their events are numbered and say when they were sent. A stream whose
 * events are not all there, each in its place, or that has no [DONE], has failed. Prints a line of JSON at the end;
 * `hold` also one when all streams are open and one when its seconds are over. One thread and one epoll; whatever
 * happens, it ends LIMIT_S after its seconds. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "chat_options.h"
#include "chat_reply.h"
#include "histogram.h"

#define OPENING_MAX 64u   /* streams of `hold` that wait for their first event */
#define FAILURES_MAX 100u /* then it gives up; those of `hold` end by themselves */
#define LIMIT_S 180u
#define READ_MAX (64u << 10)
#define READY_MAX 256

enum client_state { OUT, CONNECTING, SENDING, READING };

struct client {
    int fd;
    enum client_state state;
    uint32_t watched; /* what epoll looks for */
    size_t sent;
    uint64_t start_ns;
    uint64_t next_event;
    bool is_disordered, is_done, is_completion;
    struct chat_reply reply;
};

static struct load_options options;

static struct {
    int epoll;
    struct client *clients;
    uint64_t begin_ns, last_ns; /* last: when the last answer was whole */
    unsigned begun, active, opening, open, most_open;
    uint64_t whole, failed, events;
    char failure[256]; /* the first one */
    struct histogram latency, first, delay;
} load;

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* ---- what comes of it ---- */

static void print_string(const char *text) {
    putchar('"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            putchar('\\');
        }
        putchar((unsigned char)*text < ' ' ? ' ' : *text);
    }
    putchar('"');
}

static void print_histogram(const char *name, const struct histogram *histogram) {
    double mean = histogram->count > 0 ? (double)histogram->sum / (double)histogram->count : 0;
    printf(",\"%s\":{\"count\":%llu,\"mean\":%.1f,\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"most\":%.1f}",
           name, (unsigned long long)histogram->count, mean / 1e3, (double)histogram_at(histogram, 0.5) / 1e3,
           (double)histogram_at(histogram, 0.9) / 1e3, (double)histogram_at(histogram, 0.99) / 1e3,
           (double)histogram_at(histogram, 0.999) / 1e3, (double)histogram->most / 1e3);
}

static void print_figures(const char *what) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double cpu_us = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
                    (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    uint64_t end_ns = load.last_ns > 0 ? load.last_ns : now_ns();
    printf("{\"what\":\"%s\",\"requests\":%llu,\"failed\":%llu,\"events\":%llu,\"open\":%u,\"most_open\":%u,"
           "\"since_start_s\":%.3f,\"elapsed_s\":%.6f,\"cpu_us\":%.0f",
           what, (unsigned long long)load.whole, (unsigned long long)load.failed, (unsigned long long)load.events,
           load.open, load.most_open, (double)(now_ns() - load.begin_ns) / 1e9, (double)(end_ns - load.begin_ns) / 1e9,
           cpu_us);
    print_histogram("latency_us", &load.latency);
    print_histogram("first_us", &load.first);
    print_histogram("delay_us", &load.delay);
    printf(",\"failure\":");
    print_string(load.failure);
    printf("}\n");
    fflush(stdout);
}

static printf_like(1, 2) void note_failure(const char *format, ...) {
    if (load.failure[0] == '\0') {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(load.failure, sizeof(load.failure), format, arguments);
        va_end(arguments);
    }
}

/* ---- the body of an answer ---- */

/* What is in an event's content: "#NUMBER@MICROSECONDS ". */
static void on_mark(struct client *client, const char *mark) {
    char *end;
    uint64_t number = strtoull(mark, &end, 10), now = now_ns();
    uint64_t sent_us = *end == '@' ? strtoull(end + 1, NULL, 10) : 0;
    client->is_disordered |= number != client->next_event || sent_us == 0;
    if (client->next_event == 0) {
        histogram_add(&load.first, now - client->start_ns);
        load.opening--;
        load.open++;
        load.most_open = load.open > load.most_open ? load.open : load.most_open;
    }
    client->next_event++;
    load.events++;
    histogram_add(&load.delay, now > sent_us * 1000 ? now - sent_us * 1000 : 0);
}

static void on_line(void *context, const char *bytes, size_t size) {
    static const char content[] = "\"content\":\"#", done[] = "[DONE]";
    struct client *client = context;
    if (options.mode == WHOLE || size < 6 || memcmp(bytes, "data:", 5) != 0) {
        return;
    }
    const char *mark = memmem(bytes, size, content, sizeof(content) - 1);
    if (mark != NULL) {
        on_mark(client, mark + sizeof(content) - 1);
    } else if (memmem(bytes, size, done, sizeof(done) - 1) != NULL) {
        client->is_done = true;
    }
}

/* ---- connections ---- */

static void watch(struct client *client, uint32_t events) {
    if (client->watched != events) {
        struct epoll_event event = { .events = events, .data.ptr = client };
        client->watched = events;
        epoll_ctl(load.epoll, EPOLL_CTL_MOD, client->fd, &event);
    }
}

static void client_close(struct client *client) {
    if (client->fd >= 0) {
        close(client->fd);
        client->fd = -1;
    }
    client->state = OUT;
}

static void client_connect(struct client *client) {
    struct epoll_event event = { .events = EPOLLOUT, .data.ptr = client };
    int yes = 1;
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    client->watched = EPOLLOUT;
    client->state = CONNECTING;
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    if (client->fd < 0 || epoll_ctl(load.epoll, EPOLL_CTL_ADD, client->fd, &event) != 0 ||
        (connect(client->fd, (struct sockaddr *)&options.address, sizeof(options.address)) != 0 &&
         errno != EINPROGRESS)) {
        perror("bench_chat_load: connect");
        exit(1);
    }
}

/* False: the connection is broken. */
static bool client_send(struct client *client) {
    ssize_t count = send(client->fd, options.request + client->sent, options.request_size - client->sent, MSG_NOSIGNAL);
    if (count < 0 && errno != EAGAIN) {
        return false;
    }
    client->sent += count > 0 ? (size_t)count : 0;
    client->state = client->sent == options.request_size ? READING : SENDING;
    watch(client, client->state == READING ? EPOLLIN : EPOLLIN | EPOLLOUT);
    return true;
}

static bool client_ask(struct client *client) {
    client->sent = 0;
    client->next_event = 0;
    client->is_disordered = client->is_done = false;
    chat_reply_begin(&client->reply);
    client->start_ns = now_ns();
    return client_send(client);
}

static bool is_time_over(void) {
    return now_ns() - load.begin_ns >= options.seconds * 1000000000ull;
}

static void client_begin(struct client *client) {
    load.begun++;
    load.active++;
    load.opening += options.mode != WHOLE;
    if (client->fd < 0) {
        client_connect(client);
    } else if (!client_ask(client)) {
        client_close(client); /* it was closed while it waited */
        client_connect(client);
    }
}

/* One answer has ended, well or not; the next request, if there is to be one. */
static void client_end(struct client *client, bool is_good) {
    load.active--;
    if (options.mode != WHOLE) {
        load.opening -= client->next_event == 0;
        load.open -= client->next_event > 0;
    }
    if (is_good) {
        load.last_ns = now_ns();
        histogram_add(&load.latency, load.last_ns - client->start_ns);
        load.whole++;
    } else {
        load.failed++;
    }
    bool goes_on = options.mode != HOLD && !is_time_over() && load.failed < FAILURES_MAX;
    if (!goes_on || !is_good || client->reply.closes) {
        client_close(client);
    }
    if (goes_on) {
        client_begin(client);
    }
}

/* Whether the answer that has ended is what was asked for. */
static bool is_right(struct client *client) {
    const struct chat_reply *reply = &client->reply;
    bool is_whole = options.mode == WHOLE
                        ? strstr(reply->body.bytes, "\"chat.completion\"") != NULL
                        : client->is_done && !client->is_disordered && client->next_event == options.events;
    if (reply->status != 200) {
        note_failure("status %d: %.200s", reply->status, reply->body.bytes);
    } else if (!is_whole) {
        note_failure("events %llu of %llu, %s order, %s [DONE]: %.150s", (unsigned long long)client->next_event,
                     (unsigned long long)options.events, client->is_disordered ? "out of" : "in",
                     client->is_done ? "with" : "no", reply->body.bytes);
    }
    return reply->status == 200 && is_whole;
}

static void client_read(struct client *client) {
    static char bytes[READ_MAX];
    ssize_t count = recv(client->fd, bytes, sizeof(bytes), 0);
    if (count < 0 && errno == EAGAIN) {
        return;
    }
    if (count <= 0) {
        bool is_whole = count == 0 && chat_reply_is_whole_at_end(&client->reply);
        if (!is_whole) {
            note_failure("the connection ended after %llu bytes of a body",
                         (unsigned long long)client->reply.body_size);
        }
        client->reply.closes = true;
        client_end(client, is_whole && is_right(client));
    } else if (!chat_reply_feed(&client->reply, bytes, (size_t)count, on_line, client)) {
        note_failure("this is no reply in HTTP/1.1: %.200s", client->reply.head.bytes);
        client_end(client, false);
    } else if (client->reply.state == REPLY_DONE) {
        client_end(client, is_right(client));
    }
}

static void on_connected(struct client *client) {
    int error = 0;
    socklen_t size = sizeof(error);
    getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0 || !client_ask(client)) {
        note_failure("connect: %s", strerror(error));
        client_end(client, false);
    }
}

static void on_ready(struct client *client, uint32_t events) {
    if (client->state == CONNECTING) {
        on_connected(client);
    } else if (client->state == OUT) {
        return;
    } else if (client->state == SENDING && (events & EPOLLOUT) != 0 && !client_send(client)) {
        note_failure("the connection ended before the request was sent");
        client_end(client, false);
    } else if ((events & ~(uint32_t)EPOLLOUT) != 0) {
        client_read(client);
    }
}

/* ---- the whole ---- */

static void turn(int patience_ms) {
    struct epoll_event events[READY_MAX];
    int count = epoll_wait(load.epoll, events, READY_MAX, patience_ms);
    for (int i = 0; i < count; i++) {
        on_ready(events[i].data.ptr, events[i].events);
    }
}

static void begin_more(void) {
    while (load.begun < options.connections && (options.mode != HOLD || load.opening < OPENING_MAX)) {
        client_begin(&load.clients[load.begun]);
    }
}

static void run(void) {
    uint64_t limit_ns = load.begin_ns + (options.seconds + LIMIT_S) * 1000000000ull, steady_ns = UINT64_MAX;
    bool is_steady = false;
    begin_more();
    while (load.active > 0 && now_ns() < limit_ns) {
        turn(100);
        if (options.mode != HOLD) {
            continue;
        }
        begin_more();
        if (!is_steady && load.begun == options.connections && load.opening == 0) {
            is_steady = true;
            steady_ns = now_ns() + options.seconds * 1000000000ull;
            print_figures("open");
        } else if (now_ns() >= steady_ns) {
            steady_ns = UINT64_MAX;
            print_figures("steady");
        }
    }
    if (load.active > 0) {
        note_failure("%u answers were not there in time", load.active);
        load.failed += load.active;
    }
    print_figures("end");
}

int main(int argc, char **argv) {
    if (!load_options_read(argc, argv, &options)) {
        return 2;
    }
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    load.clients = calloc(options.connections, sizeof(*load.clients));
    if (load.epoll < 0 || load.clients == NULL) {
        perror("bench_chat_load");
        return 1;
    }
    for (unsigned i = 0; i < options.connections; i++) {
        load.clients[i].fd = -1;
    }
    load.begin_ns = now_ns();
    run();
    free(load.clients);
    return 0;
}
