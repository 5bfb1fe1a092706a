/* The server of targets whose inputs are replies, and the wall around them: the system's functions by which others are
 * reached are replaced for the whole process. */
#include "server.h"

#include <curl/curl.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fuzz.h"

#define HEAD_MAX 16384
#define SAYS_MAX ((size_t)4 << 20)
#define TURNS 3 /* within which a connection that a client has made, and perhaps closed, is one of the server's */
#define PART TEXT("\n----\n")
#define PORT TEXT("{P}")
#define HOLD TEXT("{H}")
#define TLS_HANDSHAKE 0x16 /* how a client of TLS begins (RFC 8446, 5.1) */

/* ---- no network ---- */

static bool is_ours(const struct sockaddr *address) {
    const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;
    return address->sa_family == AF_INET && ntohl(in->sin_addr.s_addr) >> 8 == 0x7F0000 && ntohs(in->sin_port) == server_port();
}

/* In the C library's place. */
int connect(int fd, const struct sockaddr *address, socklen_t size) {
    if (is_ours(address)) {
        return (int)syscall(SYS_connect, fd, address, size);
    }
    errno = ENETUNREACH;
    return -1;
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret) {
    (void)node, (void)service, (void)hints, (void)ret;
    return EAI_NONAME;
}

/* ---- the server ---- */

struct visit {
    uv_tcp_t connection;
    uv_write_t write;
    struct buffer head, says;
    bool abroad;
    bool holds; /* its connection stays open behind the part */
    LIST_ENTRY(visit) link;
};

static struct {
    uv_loop_t *loop;
    uv_tcp_t home, abroad;
    unsigned port;
    char pairs[SERVER_PAIRS][32];
    struct text script; /* what is still to be said */
    void (*asked)(struct text head, bool abroad, unsigned number);
    LIST_HEAD(, visit) visits;
    unsigned connections, answers;
    bool may_hold;
} server;

static void forget_visit(uv_handle_t *handle) {
    struct visit *visit = handle->data;
    LIST_REMOVE(visit, link);
    buffer_fini(&visit->head);
    buffer_fini(&visit->says);
    free(visit);
    server.connections--;
}

static void leave(struct visit *visit) {
    if (!uv_is_closing((uv_handle_t *)&visit->connection)) {
        uv_close((uv_handle_t *)&visit->connection, forget_visit);
    }
}

static void said(uv_write_t *write, int status) {
    struct visit *visit = write->data;
    if (status != 0 || !visit->holds) {
        leave(visit);
    }
}

/* Where the words begin; the text's length: nowhere. */
static size_t find(struct text text, struct text words) {
    const char *at = text.len > 0 ? memmem(text.ptr, text.len, words.ptr, words.len) : NULL;
    return at != NULL ? (size_t)(at - text.ptr) : text.len;
}

void server_put(struct buffer *buf, struct text text) {
    for (size_t at = find(text, PORT); at < text.len; at = find(text, PORT)) {
        buffer_put(buf, (struct text){ text.ptr, at });
        buffer_printf(buf, "%u", server.port);
        text = (struct text){ text.ptr + at + PORT.len, text.len - at - PORT.len };
    }
    buffer_put(buf, text);
}

static void put_part(struct visit *visit) {
    size_t end = find(server.script, PART);
    size_t next = end + PART.len < server.script.len ? end + PART.len : server.script.len;
    struct text part = { server.script.ptr, end };
    visit->holds = server.may_hold && text_ends(part, HOLD);
    server_put(&visit->says, text_clip(part, visit->holds ? part.len - HOLD.len : part.len));
    server.script = (struct text){ server.script.ptr + next, server.script.len - next };
}

static void answer(struct visit *visit) {
    server.asked(buffer_text(&visit->head), visit->abroad, server.answers++);
    put_part(visit);
    uv_buf_t piece = uv_buf_init(visit->says.data, (unsigned)visit->says.len);
    visit->write.data = visit;
    if (visit->says.len == 0 || uv_write(&visit->write, (uv_stream_t *)&visit->connection, &piece, 1, said) != 0) {
        leave(visit);
    }
}

static void take_bytes(uv_stream_t *stream, ssize_t count, const uv_buf_t *space) {
    struct visit *visit = stream->data;
    if (count < 0) {
        leave(visit);
        return;
    }
    buffer_put(&visit->head, (struct text){ space->base, (size_t)count });
    if (visit->head.len > 0 && visit->head.data[0] == TLS_HANDSHAKE) {
        leave(visit); /* else it would wait for our half, until its time is over */
        return;
    }
    if (visit->says.len == 0 && memmem(visit->head.data, visit->head.len, "\r\n\r\n", 4) != NULL) {
        answer(visit);
    }
}

static void offer_space(uv_handle_t *handle, size_t suggested, uv_buf_t *ret) {
    static char space[HEAD_MAX];
    (void)handle, (void)suggested;
    *ret = uv_buf_init(space, sizeof(space));
}

static void visited(uv_stream_t *listener, int status) {
    struct visit *visit = calloc(1, sizeof(*visit));
    fuzz_hold(status == 0 && visit != NULL);
    uv_tcp_init(server.loop, &visit->connection);
    visit->connection.data = visit;
    visit->abroad = listener == (uv_stream_t *)&server.abroad;
    buffer_init(&visit->head, HEAD_MAX);
    buffer_init(&visit->says, SAYS_MAX);
    LIST_INSERT_HEAD(&server.visits, visit, link);
    server.connections++;
    fuzz_hold(uv_accept(listener, (uv_stream_t *)&visit->connection) == 0);
    uv_read_start((uv_stream_t *)&visit->connection, offer_space, take_bytes);
}

/* Port 0: any, which is then the server's. */
static void listen_at(uv_tcp_t *listener, const char *host, char pair[32]) {
    struct sockaddr_in address;
    int size = sizeof(address);
    uv_ip4_addr(host, (int)server.port, &address);
    uv_tcp_init(server.loop, listener);
    fuzz_hold(uv_tcp_bind(listener, (struct sockaddr *)&address, 0) == 0);
    fuzz_hold(uv_listen((uv_stream_t *)listener, 16, visited) == 0);
    uv_tcp_getsockname(listener, (struct sockaddr *)&address, &size);
    server.port = ntohs(address.sin_port);
    snprintf(pair, 32, "%s:%u", host, server.port);
    uv_unref((uv_handle_t *)listener);
}

/* curl first: what a target registers with atexit(3) from here on is called before OpenSSL cleans up. */
void server_open(uv_loop_t *loop) {
    fuzz_hold(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    server.loop = loop;
    listen_at(&server.home, "127.0.0.1", server.pairs[0]);
    listen_at(&server.abroad, "127.0.0.2", server.pairs[1]);
}

unsigned server_port(void) {
    return server.port;
}

const char *const *server_pairs(void) {
    static const char *const pairs[SERVER_PAIRS] = { server.pairs[0], server.pairs[1] };
    return pairs;
}

void server_may_hold(void) {
    server.may_hold = true;
}

void server_say(struct text script, void (*asked)(struct text head, bool abroad, unsigned number)) {
    server.script = script;
    server.asked = asked;
    server.answers = 0;
}

/* A client may keep a connection that is held for another time. */
static void let_go(void) {
    struct visit *visit;
    LIST_FOREACH (visit, &server.visits, link) {
        if (visit->holds) {
            leave(visit);
        }
    }
}

void server_rest(void) {
    for (unsigned turns = 0; turns < TURNS || server.connections > 0; turns++) {
        let_go();
        uv_run(server.loop, server.connections > 0 ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    }
}
