/* One request to one URL: curl's options, and the callbacks where the address is judged and the reply measured. */
#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "net/fetch_inside.h"

#define ENCODINGS "gzip" /* what comes compressed unasked is decoded; bounds count what comes out */
#define REPLY_HEADERS_MAX 65536
#define REPLY_HEADERS_USUAL 500 /* bytes that are reserved at once, since they come line by line */
#define REPLY_MAX_DEFAULT ((int64_t)16 << 20)
#define CONNECT_TIMEOUT_DEFAULT_MS 10000
#define REST_MAX_DEFAULT_S 118 /* curl's own */
#define SPEED_MIN_OUTSIDE 1024 /* bytes a second */
#define SPEED_MIN_TRUSTED 1
#define STALL_TIMEOUT_OUTSIDE_S 30
#define STALL_TIMEOUT_TRUSTED_S 60
#define PROBE_AFTER_S 60 /* of silence: a service may think, and what is between forgets a connection after minutes */
#define PROBE_AGAIN_S 10
#define UNHEARD_MAX_MS 120000 /* that what was sent, probes included, is not acknowledged: the peer is no more */
#define UNHEARD_LEAST_MS 2000 /* however fast our time goes: the kernel's has its own pace */

int hop_status(const struct fetch *fetch) {
    long status = 0;
    if (fetch->asked) { /* before, the handle knows that of an earlier hop */
        curl_easy_getinfo(fetch->handle->easy, CURLINFO_RESPONSE_CODE, &status);
    }
    /* An interim reply (1xx) is none, nor one whose status has not three digits (RFC 9112, 4): of "HTTP/2" curl takes any. */
    return status >= 200 && status <= 999 ? (int)status : 0;
}

struct text hop_header(const struct fetch *fetch, const char *name) {
    struct text lines = buffer_text(&fetch->reply_headers), found = TEXT("");
    while (lines.len > 0) {
        struct text value = text_cut(&lines, '\n');
        struct text line_name = text_cut(&value, ':');
        if (text_equal_nocase(line_name, text_of(name))) {
            found = text_trim(value);
        }
    }
    return found;
}

bool hop_is_redirect(const struct fetch *fetch) {
    int status = hop_status(fetch);
    bool redirects = status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
    return redirects && fetch->request.redirects_max > 0 && hop_header(fetch, "location").len > 0;
}

/* The kernel itself would send again for a quarter of an hour, which is as long as a request would hang whose service was
 * unplugged, and probe for minutes. A peer that takes its time over an answer acknowledges all the same. */
static void limit_silence(int opened) {
    uint64_t scaled_ms = clock_timer_ms(UNHEARD_MAX_MS);
    unsigned limit_ms = scaled_ms > UNHEARD_LEAST_MS ? (unsigned)scaled_ms : UNHEARD_LEAST_MS;
    (void)setsockopt(opened, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit_ms, sizeof limit_ms);
}

/* curl is about to connect: this is the address that the name led to. */
static curl_socket_t on_open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address) {
    struct fetch *fetch = context;
    (void)purpose;
    if (fetch->guarded && !guard_address_allowed(&address->addr)) {
        fetch->blocked = true;
        return CURL_SOCKET_BAD;
    }
    int opened = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (opened >= 0) {
        limit_silence(opened);
        fetch_socket_opened(fetch, opened);
    }
    return opened;
}

static bool may_be_repeated(const struct fetch *fetch) {
    return fetch->request.repeatable || strcmp(fetch->method, "GET") == 0 || strcmp(fetch->method, "HEAD") == 0;
}

/* The connection stands, fresh or kept from an earlier request, and nothing of this one was sent on it yet. When a
 * kept one turns out to be dead, curl makes another and comes here once more. */
static int on_before_request(void *context, char *remote, char *local, int remote_port, int local_port) {
    struct fetch *fetch = context;
    (void)local, (void)remote_port, (void)local_port;
    if (fetch->guarded && !guard_address_text_allowed(remote)) {
        fetch->blocked = true;
        return CURL_PREREQFUNC_ABORT;
    }
    if (fetch->begun && !may_be_repeated(fetch)) {
        fetch->not_repeated = true;
        return CURL_PREREQFUNC_ABORT;
    }
    fetch->sent = fetch->begun = true;
    return CURL_PREREQFUNC_OK;
}

static int64_t reply_max(const struct fetch *fetch) {
    return fetch->request.reply_max > 0 ? fetch->request.reply_max : REPLY_MAX_DEFAULT;
}

/* Whether the header that has come whole promises a body over the bound: a server that never sends it is not waited for.
 * A number beyond 64 bits is one as well; what is no number is curl's affair. */
static bool announces_too_much(const struct fetch *fetch) {
    struct text length = hop_header(fetch, "content-length");
    int64_t announced;
    if (hop_status(fetch) / 100 != 2 || strcmp(fetch->method, "HEAD") == 0) {
        return false;
    }
    if (text_to_i64(length, &announced)) {
        return announced > reply_max(fetch);
    }
    return text_is_digits(length);
}

/* A line of the header; an empty one is its end. Interim replies (1xx) each begin anew. */
static size_t on_header(char *bytes, size_t one, size_t count, void *context) {
    struct fetch *fetch = context;
    struct text line = { bytes, one * count };
    if (text_starts(line, TEXT("HTTP/"))) {
        buffer_clear(&fetch->reply_headers);
    }
    buffer_put(&fetch->reply_headers, line);
    fetch->too_large = text_trim(line).len == 0 && announces_too_much(fetch);
    return buffer_ok(&fetch->reply_headers) && !fetch->too_large ? line.len : 0;
}

static bool passes_bound(const struct fetch *fetch, size_t count) {
    return (int64_t)count > reply_max(fetch) - fetch->size;
}

/* An error's body is for diagnosis: its start will do. */
static bool keep_error_body(struct fetch *fetch, struct text bytes) {
    size_t room = FETCH_ERROR_BODY_MAX - fetch->reply_body.len;
    buffer_put(&fetch->reply_body, (struct text){ bytes.ptr, bytes.len < room ? bytes.len : room });
    fetch->stopped = bytes.len > room;
    return !fetch->stopped;
}

static bool keep_body(struct fetch *fetch, struct text bytes) {
    if (passes_bound(fetch, bytes.len)) {
        fetch->too_large = true;
        return false;
    }
    fetch->size += (int64_t)bytes.len;
    if (fetch->request.sink != NULL) {
        fetch->sink_err = fetch->request.sink(fetch->request.context, bytes.ptr, bytes.len);
        return fetch->sink_err == OK;
    }
    buffer_put(&fetch->reply_body, bytes);
    fetch->sink_err = buffer_ok(&fetch->reply_body) ? OK : ERR_NO_MEMORY;
    return fetch->sink_err == OK;
}

static size_t on_body(char *bytes, size_t one, size_t count, void *context) {
    struct fetch *fetch = context;
    struct text body = { bytes, one * count };
    if (fetch->state == FETCH_CANCELLED) {
        return 0;
    }
    bool kept = hop_status(fetch) / 100 == 2 ? keep_body(fetch, body) : keep_error_body(fetch, body);
    return kept && fetch->state != FETCH_CANCELLED ? body.len : 0;
}

/* curl and the kernel know whole seconds. */
static long probe_s(int seconds) {
    long scaled_s = (long)(clock_timer_ms((int64_t)seconds * 1000) / 1000);
    return scaled_s > 1 ? scaled_s : 1;
}

/* A handle may serve many hops, one after the other (handles.c says where), and is not reset between them, which would be a
 * sixteenth of what curl does for one.
 *
 * What is the same for all is set once: the callbacks, and what curl would do of its own accord and must not: signals,
 * other protocols, files of the user, redirects. */
static struct handle *new_handle(struct handles *handles) {
    struct handle *handle = handle_new(handles);
    if (handle == NULL) {
        return NULL;
    }
    CURL *easy = handle->easy;
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_before_request);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, probe_s(PROBE_AFTER_S));
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, probe_s(PROBE_AGAIN_S));
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    /* By HTTP/2 all requests to a host would share a connection, and its end would be that of them all (T3). */
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, ENCODINGS); /* request.c keeps curl from asking for it */
    /* A name that is still being resolved is left to its thread: waiting for that would hold up everything else here. */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    return handle;
}

/* All the others but the URL are set for each request, whatever their value: an earlier one may have left another. */
static void set_owner(struct fetch *fetch) {
    CURL *easy = fetch->handle->easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, fetch);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, fetch);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, fetch);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, fetch);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, fetch);
}

static void set_proxy(struct fetch *fetch) {
    /* Behind a proxy no address could be checked. Where there is none, curl need not look for it each time. */
    bool none = fetch->request.trust == FETCH_OUTSIDE || fetch->abroad || !fetch_may_use_proxy(fetch);
    curl_easy_setopt(fetch->handle->easy, CURLOPT_PROXY, none ? "" : NULL);
}

static void set_method(struct fetch *fetch) {
    CURL *easy = fetch->handle->easy;
    bool is_head = strcmp(fetch->method, "HEAD") == 0;
    curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L); /* no body, and one of the answer */
    if (fetch->body != NULL) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)fetch->request.body.len);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, fetch->body);
    }
    if (is_head) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, is_head ? NULL : fetch->method);
}

static void set_request(struct fetch *fetch) {
    CURL *easy = fetch->handle->easy;
    handle_lead(fetch->handle, fetch->url);
    set_method(fetch);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, fetch->abroad ? fetch->headers_abroad : fetch->headers);
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, may_be_repeated(fetch) || fetch->request.keeps_connection ? 0L : 1L);
    /* curl counts whole seconds, and takes one that has rested just so many. */
    int64_t rest_s = fetch->request.rest_max_s > 0 ? fetch->request.rest_max_s - 1 : REST_MAX_DEFAULT_S;
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, (long)rest_s);
}

static void set_timeouts(struct fetch *fetch, int64_t left_ms) {
    CURL *easy = fetch->handle->easy;
    bool outside = fetch->request.trust == FETCH_OUTSIDE || fetch->abroad;
    int64_t connect_ms = fetch->request.connect_timeout_ms, stall_s = fetch->request.stall_timeout_s;
    int64_t speed_min = fetch->request.speed_min;
    if (speed_min <= 0) {
        speed_min = outside ? SPEED_MIN_OUTSIDE : SPEED_MIN_TRUSTED;
    }
    if (stall_s <= 0) {
        stall_s = outside ? STALL_TIMEOUT_OUTSIDE_S : STALL_TIMEOUT_TRUSTED_S;
    }
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)clock_timer_ms(left_ms));
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(connect_ms > 0 ? connect_ms : CONNECT_TIMEOUT_DEFAULT_MS));
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, (long)speed_min);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)stall_s);
}

enum err hop_prepare(struct fetch *fetch, bool exempt) {
    int64_t left_ms = fetch->deadline_ms - clock_monotonic_ms();
    if (left_ms <= 0) {
        return ERR_TIMEOUT;
    }
    if (fetch->handle == NULL && (fetch->handle = new_handle(fetch_handles(fetch))) == NULL) {
        return ERR_NO_MEMORY;
    }
    buffer_fini(&fetch->reply_headers);
    buffer_fini(&fetch->reply_body);
    buffer_init(&fetch->reply_headers, REPLY_HEADERS_MAX);
    (void)!buffer_reserve(&fetch->reply_headers, REPLY_HEADERS_USUAL);
    buffer_init(&fetch->reply_body, (size_t)(reply_max(fetch) > FETCH_ERROR_BODY_MAX ? reply_max(fetch)
                                                                                     : FETCH_ERROR_BODY_MAX));
    fetch->size = 0;
    fetch->blocked = fetch->too_large = fetch->hopeless = fetch->stopped = fetch->begun = fetch->not_repeated = false;
    fetch->sink_err = OK;
    fetch->guarded = (fetch->request.trust == FETCH_OUTSIDE || fetch->abroad) && !exempt;
    set_owner(fetch);
    set_proxy(fetch);
    set_request(fetch);
    set_timeouts(fetch, left_ms);
    return OK;
}
