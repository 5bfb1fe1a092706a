/* HTTP replies of services and file hosts, as they come off a connection: whatever they are, a request ends once, within its
 * bounds, and what is its origin's alone goes nowhere else.
 *
 *   letters: p POST, h HEAD, else GET; s a sink; o a URL from outside; a digit, redirects that are followed
 *   what the server says, connection by connection, parted by lines "----"; {P} stands for its port
 *
 * The server is two addresses of this machine. Nothing else can be reached from here. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <uv.h>

#include "base/buffer.h"
#include "fuzz.h"
#include "net/fetch.h"

#define REPLY_MAX 3000
#define HEAD_MAX 16384
#define SECRET "not-a-real-key"
#define PART TEXT("\n----\n")
#define PORT TEXT("{P}")

/* ---- no network ---- */

static bool is_ours(const struct sockaddr *address) {
    const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;
    return address->sa_family == AF_INET && ntohl(in->sin_addr.s_addr) >> 8 == 0x7F0000;
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

static struct {
    uv_loop_t loop;
    uv_tcp_t home, abroad;
    unsigned port;
    struct fetch_client *client;
    struct text script; /* what is still to be said */
    unsigned connections, answers;
} house;

struct visit {
    uv_tcp_t connection;
    uv_write_t write;
    struct buffer head, says;
    bool abroad;
};

static void forget_visit(uv_handle_t *handle) {
    struct visit *visit = handle->data;
    buffer_fini(&visit->head);
    buffer_fini(&visit->says);
    free(visit);
    house.connections--;
}

static void leave(struct visit *visit) {
    if (!uv_is_closing((uv_handle_t *)&visit->connection)) {
        uv_close((uv_handle_t *)&visit->connection, forget_visit);
    }
}

static void said(uv_write_t *write, int status) {
    (void)status;
    leave(write->data);
}

/* Where the words begin; the text's length: nowhere. */
static size_t find(struct text text, struct text words) {
    const char *at = memmem(text.ptr, text.len, words.ptr, words.len);
    return at != NULL ? (size_t)(at - text.ptr) : text.len;
}

/* The next part of the script, with the port in it. */
static void put_part(struct buffer *buf) {
    size_t end = find(house.script, PART);
    struct text part = { house.script.ptr, end };
    size_t next = end + PART.len < house.script.len ? end + PART.len : house.script.len;
    house.script = (struct text){ house.script.ptr + next, house.script.len - next };
    for (size_t at = find(part, PORT); at < part.len; at = find(part, PORT)) {
        buffer_put(buf, (struct text){ part.ptr, at });
        buffer_printf(buf, "%u", house.port);
        part = (struct text){ part.ptr + at + PORT.len, part.len - at - PORT.len };
    }
    buffer_put(buf, part);
}

static void answer(struct visit *visit) {
    struct text head = buffer_text(&visit->head);
    fuzz_hold(!visit->abroad || find(head, TEXT(SECRET)) == head.len);
    fuzz_hold(house.answers++ > 0 || find(head, TEXT("Authorization: " SECRET)) < head.len);
    put_part(&visit->says);
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
    uv_tcp_init(&house.loop, &visit->connection);
    visit->connection.data = visit;
    visit->abroad = listener == (uv_stream_t *)&house.abroad;
    buffer_init(&visit->head, HEAD_MAX);
    buffer_init(&visit->says, (size_t)4 << 20);
    house.connections++;
    fuzz_hold(uv_accept(listener, (uv_stream_t *)&visit->connection) == 0);
    uv_read_start((uv_stream_t *)&visit->connection, offer_space, take_bytes);
}

/* Port 0: any, which is then the house's. */
static void listen_at(uv_tcp_t *listener, const char *host) {
    struct sockaddr_in address;
    int size = sizeof(address);
    uv_ip4_addr(host, (int)house.port, &address);
    uv_tcp_init(&house.loop, listener);
    fuzz_hold(uv_tcp_bind(listener, (struct sockaddr *)&address, 0) == 0);
    fuzz_hold(uv_listen((uv_stream_t *)listener, 16, visited) == 0);
    uv_tcp_getsockname(listener, (struct sockaddr *)&address, &size);
    house.port = ntohs(address.sin_port);
    uv_unref((uv_handle_t *)listener);
}

void fuzz_begin(void) {
    static char pair[2][32];
    const char *const allow[] = { pair[0], pair[1] };
    uv_loop_init(&house.loop);
    listen_at(&house.home, "127.0.0.1");
    listen_at(&house.abroad, "127.0.0.2");
    snprintf(pair[0], sizeof(pair[0]), "127.0.0.1:%u", house.port);
    snprintf(pair[1], sizeof(pair[1]), "127.0.0.2:%u", house.port);
    const struct fetch_options options = { .allow = allow, .allow_count = 2 };
    house.client = fetch_client_new(&house.loop, &options);
}

void fuzz_seeds(void) {
    static const char *const seeds[] = {
        "\nHTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
        "s\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nTrailer: x\r\n\r\n",
        "p\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nhello",
        "h\nHTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n",
        "\nHTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nx",
        "\nHTTP/1.1 429 Slow\r\nRetry-After: 5\r\nContent-Length: 4\r\n\r\nwait",
        "5\nHTTP/1.1 302 F\r\nLocation: /x y?z#f\r\nContent-Length: 0\r\n\r\n\n----\nHTTP/1.1 200 OK\r\n\r\nthere",
        "5\nHTTP/1.1 307 F\r\nLocation: http://127.0.0.2:{P}/b\r\n\r\n\n----\nHTTP/1.1 200 OK\r\n\r\nabroad",
        "o2\nHTTP/1.1 301 F\r\nLocation: http://127.0.0.2:{P}/\r\n\r\n\n----\n"
        "HTTP/1.1 301 F\r\nLocation: http://127.0.0.1:{P}/\r\n\r\n\n----\nHTTP/1.1 404 N\r\n\r\n",
        "p3\nHTTP/1.1 308 F\r\nLocation: http://127.0.0.2:{P}/\r\n\r\n",
        "9\nHTTP/1.1 302 F\r\nLocation: http://10.0.0.1/\r\n\r\n",
        "1\nHTTP/1.1 302 F\r\nLocation: file:///etc/passwd\r\n\r\n",
        "\nHTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08",
        "\nHTTP/1.0 200\r\n\r\nold",
        "\nhello",
        "\n",
        NULL,
    };
    fuzz_seed_list("reply", seeds);
}

/* ---- a request ---- */

struct trial {
    unsigned redirects_max, ends;
    int64_t sunk;
    bool sinks;
};

static enum err sink(void *context, const void *bytes, size_t count) {
    struct trial *trial = context;
    (void)bytes;
    trial->sunk += (int64_t)count;
    return OK;
}

static void hold_failure(const struct fetch_result *result) {
    fuzz_hold(result->err == ERR_BLOCKED_ADDRESS || result->err == ERR_FETCH || result->err == ERR_TIMEOUT ||
                  result->err == ERR_FILE_TOO_LARGE,
              "error %d", (int)result->err);
    fuzz_hold(result->detail[0] != '\0');
}

static void hold_reply(const struct trial *trial, const struct fetch_result *result) {
    bool good = result->http_status / 100 == 2;
    fuzz_hold(result->http_status >= 200 && result->http_status <= 999, "status %d", result->http_status);
    fuzz_hold(result->size >= 0 && result->size <= REPLY_MAX && trial->sunk <= REPLY_MAX);
    fuzz_hold(!trial->sinks || !good || trial->sunk == result->size);
    fuzz_hold(trial->sinks || !good || (int64_t)result->body.len == result->size);
    fuzz_hold(good || result->body.len <= FETCH_ERROR_BODY_MAX);
    fuzz_hold(!good || !result->final);
    fuzz_hold(result->content_type.len == 0 || memchr(result->content_type.ptr, '\n', result->content_type.len) == NULL);
}

static void done(void *context, const struct fetch_result *result) {
    struct trial *trial = context;
    trial->ends++;
    fuzz_hold(result->redirects <= trial->redirects_max);
    fuzz_hold(strpbrk(result->url, "?#") == NULL && strstr(result->detail, SECRET) == NULL);
    if (result->err != OK) {
        hold_failure(result);
    } else {
        hold_reply(trial, result);
    }
}

static bool has(struct text letters, char letter) {
    return memchr(letters.ptr, letter, letters.len) != NULL;
}

void fuzz_one(struct text input) {
    struct text letters = fuzz_line(&input);
    struct trial trial = { .sinks = has(letters, 's') };
    const struct fetch_header key = { "Authorization", SECRET };
    char url[64];
    struct fault fault = { .err = OK };

    for (unsigned digit = 1; digit <= FETCH_REDIRECTS_MAX; digit++) {
        trial.redirects_max = has(letters, (char)('0' + digit)) ? digit : trial.redirects_max;
    }
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/a?token=%s", house.port, SECRET);
    const struct fetch_request request = {
        .trust = has(letters, 'o') ? FETCH_OUTSIDE : FETCH_TRUSTED,
        .method = has(letters, 'h') ? "HEAD" : NULL,
        .body = has(letters, 'p') ? TEXT("{}") : TEXT_NONE,
        .url = text_of(url),
        .headers = &key,
        .header_count = 1,
        .redirects_max = trial.redirects_max,
        .reply_max = REPLY_MAX,
        .sink = trial.sinks ? sink : NULL,
        .done = done,
        .context = &trial,
    };
    house.script = input;
    house.answers = 0;
    fuzz_hold(fetch_start(house.client, &request, NULL, &fault) == OK, "%s", fault.message);
    while (trial.ends == 0 || house.connections > 0) {
        uv_run(&house.loop, UV_RUN_ONCE);
    }
    fuzz_hold(trial.ends == 1 && fetch_client_running(house.client) == 0);
}
