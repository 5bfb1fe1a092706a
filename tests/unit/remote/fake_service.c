/* The fake service; errors of a peer that went away are its daily bread and ignored. */
#include "fake_service.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/memory.h"

#define PLACES_MAX 32
#define REPLIES_MAX 32
#define REQUESTS_MAX 8192
#define REQUEST_MAX ((size_t)4 << 20)
#define REPLY_MAX ((size_t)32 << 20)
#define THREADS_MAX 8192

struct reply {
    char *bytes;
    size_t len;
    enum fake_end end;
    bool held; /* the bytes come only after the release */
};

struct place {
    char *name;
    struct reply replies[REPLIES_MAX];
    unsigned count, served;
};

struct fake_service {
    int listen_fd, stop_fd;
    unsigned port;
    pthread_t acceptor;
    pthread_mutex_t mutex;
    pthread_cond_t released_cond;
    bool released, stopping;
    struct place places[PLACES_MAX];
    unsigned place_count;
    char *requests[REQUESTS_MAX];
    unsigned request_count;
    unsigned busy, most;
    pthread_t threads[THREADS_MAX];
    unsigned thread_count;
};

struct connection {
    struct fake_service *service;
    int fd;
    struct buffer in;
};

static bool await(struct fake_service *service, int fd) {
    struct pollfd fds[2] = { { .fd = fd, .events = POLLIN }, { .fd = service->stop_fd, .events = POLLIN } };
    return poll(fds, 2, -1) > 0 && fds[1].revents == 0;
}

static bool read_more(struct connection *conn) {
    if (!await(conn->service, conn->fd) || !buffer_reserve(&conn->in, 65536)) {
        return false;
    }
    ssize_t count = recv(conn->fd, conn->in.data + conn->in.len, 65536, 0);
    if (count <= 0) {
        return false;
    }
    conn->in.len += (size_t)count;
    conn->in.data[conn->in.len] = '\0';
    return true;
}

/* The next whole request, on the heap with its length; NULL at the end. */
static char *read_request(struct connection *conn) {
    const char *end = NULL;
    while (conn->in.len == 0 || (end = memmem(conn->in.data, conn->in.len, "\r\n\r\n", 4)) == NULL) {
        if (!read_more(conn)) {
            return NULL;
        }
    }
    size_t head = (size_t)(end - conn->in.data) + 4;
    char *header = text_dup((struct text){ conn->in.data, head });
    const char *length = strcasestr(header, "\r\nContent-Length:");
    size_t total = head + (length ? (size_t)atoll(length + 17) : 0);
    free(header);
    while (conn->in.len < total) {
        if (!read_more(conn)) {
            return NULL;
        }
    }
    char *request = text_dup((struct text){ conn->in.data, total });
    buffer_consume(&conn->in, total);
    return request;
}

static bool is_at(const char *request, const char *place) {
    return strncmp(request, place, strlen(place)) == 0;
}

static struct place *find_place(struct fake_service *service, const char *request) {
    struct place *best = NULL;
    for (unsigned i = 0; i < service->place_count; i++) {
        struct place *place = &service->places[i];
        if (is_at(request, place->name) && (best == NULL || strlen(place->name) > strlen(best->name))) {
            best = place;
        }
    }
    return best;
}

static void send_all(int fd, const char *bytes, size_t len) {
    while (len > 0) {
        ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
        if (sent <= 0) {
            return;
        }
        bytes += sent;
        len -= (size_t)sent;
    }
}

/* Under the mutex. */
static struct reply next_reply(struct fake_service *service, const char *request) {
    static const char nowhere[] = "HTTP/1.1 599 Nowhere\r\nContent-Length: 0\r\n\r\n";
    struct place *place = find_place(service, request);
    if (place == NULL || place->count == 0) {
        return (struct reply){ (char *)(uintptr_t)nowhere, sizeof(nowhere) - 1, FAKE_KEEP, false };
    }
    unsigned at = place->served < place->count ? place->served++ : place->count - 1;
    return place->replies[at];
}

static bool answer(struct connection *conn, char *request) {
    struct fake_service *service = conn->service;
    pthread_mutex_lock(&service->mutex);
    assert(service->request_count < REQUESTS_MAX);
    service->requests[service->request_count++] = request;
    service->busy++;
    service->most = service->busy > service->most ? service->busy : service->most;
    struct reply reply = next_reply(service, request);
    while (reply.held && !service->released && !service->stopping) {
        pthread_cond_wait(&service->released_cond, &service->mutex);
    }
    pthread_mutex_unlock(&service->mutex);
    send_all(conn->fd, reply.bytes, reply.len);
    pthread_mutex_lock(&service->mutex);
    while (reply.end == FAKE_HOLD && !service->released && !service->stopping) {
        pthread_cond_wait(&service->released_cond, &service->mutex);
    }
    service->busy--;
    pthread_mutex_unlock(&service->mutex);
    if (reply.end == FAKE_RESET) {
        const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
        setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    }
    return reply.end == FAKE_KEEP;
}

static void *serve(void *context) {
    struct connection *conn = context;
    char *request;
    while ((request = read_request(conn)) != NULL && answer(conn, request)) {
    }
    close(conn->fd);
    buffer_fini(&conn->in);
    free(conn);
    return NULL;
}

static void *accept_all(void *context) {
    struct fake_service *service = context;
    while (await(service, service->listen_fd)) {
        struct connection *conn = mem_new(sizeof(*conn));
        conn->service = service;
        conn->fd = accept4(service->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        buffer_init(&conn->in, REQUEST_MAX);
        assert(conn->fd >= 0 && service->thread_count < THREADS_MAX);
        pthread_create(&service->threads[service->thread_count++], NULL, serve, conn);
    }
    return NULL;
}

struct fake_service *fake_service_start(void) {
    struct fake_service *service = mem_new(sizeof(*service));
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof(address);
    service->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    service->stop_fd = eventfd(0, EFD_CLOEXEC);
    int bound = bind(service->listen_fd, (struct sockaddr *)&address, sizeof(address));
    assert(bound == 0 && listen(service->listen_fd, 512) == 0);
    getsockname(service->listen_fd, (struct sockaddr *)&address, &length);
    service->port = ntohs(address.sin_port);
    pthread_mutex_init(&service->mutex, NULL);
    pthread_cond_init(&service->released_cond, NULL);
    pthread_create(&service->acceptor, NULL, accept_all, service);
    return service;
}

void fake_service_stop(struct fake_service *service) {
    pthread_mutex_lock(&service->mutex);
    service->stopping = true;
    pthread_cond_broadcast(&service->released_cond);
    pthread_mutex_unlock(&service->mutex);
    eventfd_write(service->stop_fd, 1);
    pthread_join(service->acceptor, NULL);
    for (unsigned i = 0; i < service->thread_count; i++) {
        pthread_join(service->threads[i], NULL);
    }
    close(service->listen_fd);
    close(service->stop_fd);
    for (unsigned i = 0; i < service->place_count; i++) {
        for (unsigned k = 0; k < service->places[i].count; k++) {
            free(service->places[i].replies[k].bytes);
        }
        free(service->places[i].name);
    }
    for (unsigned i = 0; i < service->request_count; i++) {
        free(service->requests[i]);
    }
    pthread_cond_destroy(&service->released_cond);
    pthread_mutex_destroy(&service->mutex);
    free(service);
}

unsigned fake_service_port(const struct fake_service *service) {
    return service->port;
}

static void add_reply(struct fake_service *service, const char *name, struct reply reply) {
    struct place *place = NULL;
    pthread_mutex_lock(&service->mutex);
    for (unsigned i = 0; i < service->place_count; i++) {
        if (strcmp(service->places[i].name, name) == 0) {
            place = &service->places[i];
        }
    }
    if (place == NULL) {
        assert(service->place_count < PLACES_MAX);
        place = &service->places[service->place_count++];
        place->name = mem_string(name);
    }
    assert(place->count < REPLIES_MAX);
    place->replies[place->count++] = reply;
    pthread_mutex_unlock(&service->mutex);
}

static struct reply whole(int status, const char *type, const char *headers, const void *body, size_t len) {
    struct buffer buf;
    buffer_init(&buf, REPLY_MAX);
    buffer_printf(&buf, "HTTP/1.1 %d Whatever\r\nContent-Type: %s\r\n%sContent-Length: %zu\r\n\r\n", status, type,
                  headers ? headers : "", len);
    buffer_put(&buf, (struct text){ body, len });
    size_t total = buf.len;
    return (struct reply){ buffer_take(&buf), total, FAKE_KEEP, false };
}

void fake_reply(struct fake_service *service, const char *place, int status, const char *headers, const char *body) {
    add_reply(service, place, whole(status, "application/json", headers, body, strlen(body)));
}

void fake_reply_typed(struct fake_service *service, const char *place, int status, const char *type, const void *body,
                      size_t len) {
    add_reply(service, place, whole(status, type, NULL, body, len));
}

void fake_bytes(struct fake_service *service, const char *place, const char *bytes, enum fake_end end) {
    add_reply(service, place, (struct reply){ mem_string(bytes), strlen(bytes), end, false });
}

void fake_reply_held(struct fake_service *service, const char *place, int status, const char *body) {
    struct reply reply = whole(status, "application/json", NULL, body, strlen(body));
    reply.held = true;
    add_reply(service, place, reply);
}

void fake_release(struct fake_service *service) {
    pthread_mutex_lock(&service->mutex);
    service->released = true;
    pthread_cond_broadcast(&service->released_cond);
    pthread_mutex_unlock(&service->mutex);
}

unsigned fake_count(struct fake_service *service, const char *place) {
    unsigned count = 0;
    pthread_mutex_lock(&service->mutex);
    for (unsigned i = 0; i < service->request_count; i++) {
        count += is_at(service->requests[i], place) ? 1 : 0;
    }
    pthread_mutex_unlock(&service->mutex);
    return count;
}

char *fake_request(struct fake_service *service, const char *place, unsigned n) {
    char *found = NULL;
    pthread_mutex_lock(&service->mutex);
    for (unsigned i = 0; i < service->request_count && found == NULL; i++) {
        if (is_at(service->requests[i], place) && n-- == 0) {
            found = mem_string(service->requests[i]);
        }
    }
    pthread_mutex_unlock(&service->mutex);
    return found;
}

unsigned fake_most(struct fake_service *service) {
    pthread_mutex_lock(&service->mutex);
    unsigned most = service->most;
    pthread_mutex_unlock(&service->mutex);
    return most;
}
