/* The life of an exchange: made when a request line was read, gone when answer and suspension are over. */
#include "http/internal.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/memory.h"

#define ARENA_MAX ((size_t)1 << 20)
#define USUAL_BYTES ((size_t)720) /* that a query takes of the arena, beside the exchange itself; with more a block is added */
/* One of mimalloc's sizes, less the head of an arena's block; the next one is 256 bytes more, for each of ten thousand clients that
 * wait. */
#define FITTING_BYTES ((size_t)1792 - 32)
_Static_assert(sizeof(struct exchange) + USUAL_BYTES <= FITTING_BYTES, "an exchange and what it takes fit together");
#define SERIAL_LENGTH 8
#define LINE_END 2 /* bytes: CR LF */

/* A random name a thread, counted up: names must differ, not be secret, and the random generator is a system call. */
static void make_request_id(char ret[CLIENT_ID_MAX + 1]) {
    static _Thread_local char base[REQUEST_ID_SIZE];
    static _Thread_local uint64_t serial;
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";

    if (serial == 0)
        request_id_new(base);
    memcpy(ret, base, REQUEST_ID_SIZE);
    uint64_t rest = serial++;
    for (int i = 0; i < SERIAL_LENGTH; i++, rest /= 36)
        ret[REQUEST_ID_SIZE - 2 - i] = digits[rest % 36];
}

struct exchange *exchange_new(struct http_server *server, struct MHD_Connection *mhd, struct connection *connection,
                              const char *raw_target) {
    struct arena arena;
    arena_init(&arena, ARENA_MAX);
    if (!arena_reserve(&arena, sizeof(struct exchange) + USUAL_BYTES))
        mem_fail();
    struct exchange *exchange = arena_alloc(&arena, sizeof *exchange);

    exchange->arena = arena;
    exchange->server = server;
    exchange->mhd = mhd;
    exchange->connection = connection;
    exchange->worker = worker_own();
    atomic_init(&exchange->references, 1);
    exchange->started_ns = clock_monotonic_ns();
    exchange->reply.fd = -1;
    buffer_init(&exchange->body, (size_t)server->options.body_max);
    /* Copied, because libmicrohttpd cuts the query up in place. */
    exchange->raw_target = arena_text(&exchange->arena, text_of(raw_target));
    exchange->method_name[0] = '-';
    make_request_id(exchange->request_id);
    return exchange;
}

void exchange_unref(struct exchange *exchange) {
    if (atomic_fetch_sub_explicit(&exchange->references, 1, memory_order_acq_rel) != 1)
        return;
    if (exchange->release != NULL)
        exchange->release(exchange->attachment);
    if (exchange->body.len > 0)
        atomic_fetch_sub_explicit(&exchange->server->body_bytes, (int64_t)exchange->body.len, memory_order_relaxed);
    reply_forget(exchange);
    buffer_fini(&exchange->body);
    struct arena arena = exchange->arena;
    arena_fini(&arena); /* the exchange with it */
}

static bool is_request_id(struct text id) {
    for (size_t i = 0; i < id.len; i++) {
        char c = id.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
              c == '-'))
            return false;
    }
    return id.len >= 1 && id.len <= CLIENT_ID_MAX;
}

struct header_reading {
    struct exchange *exchange;
    const char *next;     /* where the next line begins if nothing but CR LF ended the last one */
    const char *repeated; /* a header that came twice and must not */
    size_t taken;         /* bytes of its memory that libmicrohttpd needs for what it has read, beside the lines themselves */
    bool bad_name, bad_value, bad_line;
};

/* libmicrohttpd copies the header, and notes each cookie as a header. */
static size_t memory_of_cookies(struct text value) {
    size_t count = 1;
    for (size_t i = 0; i < value.len; i++)
        count += value.ptr[i] == ';' || value.ptr[i] == ',';
    return value.len + count * MEMORY_PER_HEADER;
}

static enum MHD_Result read_header(void *context, enum MHD_ValueKind kind, const char *name, size_t name_length,
                                   const char *value, size_t value_length) {
    struct header_reading *reading = context;
    struct text given = { name, name_length };
    struct text content = value != NULL ? (struct text){ value, value_length } : TEXT("");
    enum http_header header = header_find(given);
    (void)kind;

    /* libmicrohttpd takes what stands before the colon as it is. "Content-Length :" must be refused: a proxy that reads
     * it as the length of the body would disagree with us about where the request ends. */
    if (given.len == 0 || text_token_run(given) < given.len)
        reading->bad_name = true;
    if (text_has_control(content))
        reading->bad_value = true;
    if (name != reading->next)
        reading->bad_line = true;
    reading->next = content.ptr + content.len + LINE_END;
    reading->taken += MEMORY_PER_HEADER;
    if (text_equal_nocase(given, TEXT(MHD_HTTP_HEADER_COOKIE)))
        reading->taken += memory_of_cookies(content);
    if (header == HEADER_COUNT)
        return MHD_YES;
    struct text *place = &reading->exchange->headers[header];
    if (place->ptr == NULL)
        *place = text_trim(content);
    else if (!header_may_repeat(header))
        reading->repeated = name;
    return MHD_YES;
}

static bool is_http_1_0(const char *version) {
    return text_equal(text_of(version), TEXT("HTTP/1.0"));
}

/* Nearly all requests name one host. */
static bool is_host(struct text host) {
    static _Thread_local char good[128];
    static _Thread_local size_t length;

    if (host.len > 0 && text_equal(host, (struct text){ good, length }))
        return true;
    if (!host_is_valid(host))
        return false;
    if (host.len <= sizeof good) {
        memcpy(good, host.ptr, host.len);
        length = host.len;
    }
    return true;
}

/* Two ways to say how long the body is, or one that we do not know, are how requests are smuggled past a proxy. */
static enum err check_framing(const struct exchange *exchange, const char *version, struct fault *fault) {
    struct text encoding = exchange->headers[HEADER_TRANSFER_ENCODING];

    if (encoding.ptr == NULL)
        return OK;
    if (exchange->headers[HEADER_CONTENT_LENGTH].ptr != NULL)
        return fault_set(fault, ERR_INVALID_REQUEST,
                         "A request has a Content-Length or a Transfer-Encoding, not both.");
    if (is_http_1_0(version))
        return fault_set(fault, ERR_INVALID_REQUEST, "HTTP/1.0 has no Transfer-Encoding.");
    if (!text_equal_nocase(encoding, TEXT("chunked")))
        return fault_set(fault, ERR_INVALID_REQUEST, "The only Transfer-Encoding known here is chunked.");
    return OK;
}

static size_t header_section_size(const struct exchange *exchange) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(exchange->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    return info != NULL ? info->header_size : 0;
}

/* libmicrohttpd takes a lone CR or LF for the end of a line, cuts a value at a NUL byte, and joins folded lines to the
 * name: others read such a request otherwise. It keeps the header section in place, with NUL bytes where lines ended, so
 * any of this shows as a line that does not begin two bytes behind the value before it. The empty line is the last. */
static bool read_lines(struct header_reading *reading, const char *method, const char *version) {
    struct MHD_Connection *mhd = reading->exchange->mhd;

    reading->next = version + strlen(version) + LINE_END;
    MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, read_header, reading);
    const char *end = method + header_section_size(reading->exchange);
    return !reading->bad_line && reading->next + LINE_END == end;
}

enum err exchange_read_headers(struct exchange *exchange, const char *method, const char *version,
                               struct fault *fault) {
    struct header_reading reading = { .exchange = exchange };

    struct text shown = text_clip(text_of(method), sizeof exchange->method_name - 1);
    memcpy(exchange->method_name, shown.ptr, shown.len);
    exchange->method_name[shown.len] = '\0';
    exchange->method = method_parse(text_of(method));
    exchange->http_1_0 = is_http_1_0(version);
    exchange->head = text_equal(text_of(method), TEXT("HEAD"));
    bool lines_well = read_lines(&reading, method, version);
    struct text id = exchange->headers[HEADER_REQUEST_ID];
    if (is_request_id(id))
        snprintf(exchange->request_id, sizeof exchange->request_id, "%.*s", TEXT_ARG(id));
    size_t size = header_section_size(exchange);
    exchange->cramped = size + reading.taken + MEMORY_FOR_ANSWER > MEMORY_PER_CONNECTION;
    if (size > HEADERS_MAX_BYTES || exchange->cramped)
        return fault_set(fault, ERR_HEADERS_TOO_LARGE,
                         "The header section is larger than %d bytes, or has too many headers or cookies.", HEADERS_MAX_BYTES);
    if (reading.bad_name)
        return fault_set(fault, ERR_INVALID_REQUEST, "A header's name has a character that none can have.");
    if (reading.bad_value)
        return fault_set(fault, ERR_INVALID_REQUEST, "A header's value has a control character.");
    if (!lines_well)
        return fault_set(fault, ERR_INVALID_REQUEST,
                         "The header section has a NUL byte, a folded line, or a line that does not end with CR LF.");
    if (reading.repeated != NULL)
        return fault_set(fault, ERR_INVALID_REQUEST, "The header %.64s is given more than once.", reading.repeated);
    if (exchange->headers[HEADER_HOST].ptr == NULL && !is_http_1_0(version))
        return fault_set(fault, ERR_INVALID_REQUEST, "The Host header is missing.");
    if (exchange->headers[HEADER_HOST].ptr != NULL && !is_host(exchange->headers[HEADER_HOST]))
        return fault_set(fault, ERR_INVALID_REQUEST, "The Host header is no host with or without a port.");
    return check_framing(exchange, version, fault);
}

/* Under the lock: once out of the list, its worker must know of the resumption before the server can go on to stop. Whether
 * the worker has to be woken. */
static bool resume(struct exchange *exchange) {
    TAILQ_REMOVE(&exchange->server->suspended, exchange, link);
    exchange->suspended = false;
    atomic_fetch_sub_explicit(&exchange->server->suspended_count, 1, memory_order_relaxed);
    return worker_leave_resumed(exchange);
}

void exchange_abandon(struct exchange *exchange) {
    struct worker *worker = exchange->worker;

    exchange->abandoned = true;
    if (resume(exchange))
        worker_signal(worker);
}

void exchange_suspend(struct exchange *exchange, void (*go_on)(struct exchange *exchange)) {
    struct http_server *server = exchange->server;

    exchange->go_on = go_on;
    atomic_fetch_add_explicit(&exchange->references, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&server->suspended_count, 1, memory_order_relaxed);
    pthread_mutex_lock(&server->lock);
    exchange->suspended = true;
    TAILQ_INSERT_TAIL(&server->suspended, exchange, link);
    MHD_suspend_connection(exchange->mhd);
    if (atomic_load(&server->abandoning))
        exchange_abandon(exchange);
    pthread_mutex_unlock(&server->lock);
    if (exchange->gone != NULL)
        watch_begin(exchange); /* even if it was resumed by now: it goes on when we have returned */
}

/* The worker is woken without the lock: it takes it as soon as it is awake. */
void http_resume(struct exchange *exchange) {
    struct http_server *server = exchange->server;
    struct worker *worker = exchange->worker;

    pthread_mutex_lock(&server->lock);
    bool asleep = !exchange->abandoned && resume(exchange);
    pthread_mutex_unlock(&server->lock);
    if (asleep)
        worker_signal(worker);
    exchange_unref(exchange);
}

const struct http_route *exchange_route(const struct exchange *exchange) {
    return exchange->route;
}

bool exchange_is_head(const struct exchange *exchange) {
    return exchange->head;
}

struct text exchange_path(const struct exchange *exchange) {
    return exchange->target.path;
}

struct text exchange_raw_query(const struct exchange *exchange) {
    return exchange->target.query;
}

struct text exchange_segment(const struct exchange *exchange, struct text name) {
    return router_segment(exchange->route, &exchange->target, name);
}

bool exchange_query(const struct exchange *exchange, struct text name, struct text *ret_value) {
    return target_parameter(&exchange->target, name, ret_value);
}

struct text exchange_header(const struct exchange *exchange, enum http_header header) {
    return exchange->headers[header];
}

struct header_visit {
    void (*each)(struct text name, struct text value, void *context);
    void *context;
};

static enum MHD_Result visit_header(void *context, enum MHD_ValueKind kind, const char *name, size_t name_length,
                                    const char *value, size_t value_length) {
    const struct header_visit *visit = context;
    (void)kind;
    struct text content = value != NULL ? (struct text){ value, value_length } : TEXT("");
    visit->each((struct text){ name, name_length }, text_trim(content), visit->context);
    return MHD_YES;
}

void exchange_each_header(struct exchange *exchange, void (*each)(struct text name, struct text value, void *context),
                          void *context) {
    struct header_visit visit = { each, context };
    MHD_get_connection_values_n(exchange->mhd, MHD_HEADER_KIND, visit_header, &visit);
}

void exchange_each_parameter(const struct exchange *exchange,
                             void (*each)(struct text name, struct text value, void *context), void *context) {
    for (unsigned i = 0; i < exchange->target.parameter_count; i++)
        each(exchange->target.parameters[i].name, exchange->target.parameters[i].value, context);
}

struct text exchange_body(const struct exchange *exchange) {
    return buffer_text(&exchange->body);
}

void exchange_stream_body(struct exchange *exchange,
                          enum err (*take)(struct exchange *exchange, struct text piece, struct fault *fault)) {
    exchange->take = take;
}

const char *exchange_request_id(const struct exchange *exchange) {
    return exchange->request_id;
}

const char *exchange_peer(struct exchange *exchange) {
    char host[NI_MAXHOST];
    const struct sockaddr *peer = (const struct sockaddr *)&exchange->connection->peer;

    if (getnameinfo(peer, sizeof exchange->connection->peer, host, sizeof host, NULL, 0, NI_NUMERICHOST) != 0)
        return "";
    const char *copy = arena_string(&exchange->arena, text_of(host));
    return copy != NULL ? copy : "";
}

struct arena *exchange_arena(struct exchange *exchange) {
    return &exchange->arena;
}

void *exchange_context(const struct exchange *exchange) {
    return exchange->server->options.context;
}

void *exchange_desk(const struct exchange *exchange) {
    return worker_desk(exchange->worker);
}

void exchange_attach(struct exchange *exchange, void *attachment, void (*release)(void *attachment)) {
    exchange->attachment = attachment;
    exchange->release = release;
}

void *exchange_attachment(const struct exchange *exchange) {
    return exchange->attachment;
}
