/* Queues, starts and ends fetches, and follows their redirects hop by hop: each target is read, judged and connected to
 * like a first URL, because curl's own following would not tell which host an address belongs to. */
#include "net/fetch.h"

#include <assert.h>
#include <curl/curl.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "net/curl_loop.h"
#include "net/fetch_inside.h"
#include "net/pace.h"

#define RUNNING_MAX_DEFAULT 256
#define PENDING_MAX_DEFAULT 4096
#define TOTAL_TIMEOUT_DEFAULT_MS 600000
#define ANSWER_PIECE 4096 /* of what is kept whole: nearly all of that is smaller, and curl makes the room each time */

TAILQ_HEAD(fetch_list, fetch);

struct fetch_client {
    struct uv_loop_s *uv_loop;
    struct curl_loop *loop; /* NULL: nothing was fetched yet */
    struct fetch_list pending, running;
    unsigned pending_count, running_count, cancelled_count;
    unsigned pending_max, running_max, piece_max;
    struct pace pace;
    struct handles handles; /* that wait for the next fetch */
    char **allow;
    unsigned allow_count;
    struct guard_memo memo;
    bool has_proxy;
};

/* The URL without query and fragment, where secrets may be; freed by the caller. */
static char *public_url(const char *url) {
    return text_dup((struct text){ url, strcspn(url, "?#") });
}

static bool status_is_final(int status) {
    return status >= 300 && status < 500 && status != 408 && status != 425 && status != 429;
}

/* A status is known even when its body did not come; where a redirect leads is another question. */
static bool is_final(const struct fetch *fetch, enum err err) {
    return fetch->hopeless || err == ERR_BLOCKED_ADDRESS || err == ERR_FILE_TOO_LARGE ||
        (status_is_final(hop_status(fetch)) && (err == OK || !hop_is_redirect(fetch)));
}

/* curl is done with it. */
static void lay_by_handle(struct fetch *fetch) {
    if (fetch->handle != NULL) {
        handles_lay_by(&fetch->client->handles, fetch->handle);
        fetch->handle = NULL;
        fetch->asked = false;
    }
}

/* Takes the fetch out of the client and tells its owner. */
static void end(struct fetch *fetch, enum err err, const char *reason) {
    struct fetch_client *client = fetch->client;
    pace_ended(&client->pace);
    char *url scoped(mem_free_pointer) = public_url(fetch->url);
    char detail[512] = "";
    if (err != OK) {
        snprintf(detail, sizeof detail, "Fetching from %s: %s.", fetch->origin.host, reason);
    }
    TAILQ_REMOVE(&client->running, fetch, link);
    client->running_count--;
    fetch->state = FETCH_DONE;
    struct fetch_result result = {
        .err = err,
        .http_status = hop_status(fetch),
        .sent = fetch->sent,
        .final = is_final(fetch, err),
        .redirects = fetch->redirects,
        .size = fetch->size,
        .content_type = hop_header(fetch, "content-type"),
        .body = buffer_text(&fetch->reply_body),
        .url = url,
        .detail = detail,
        .fetch = fetch,
    };
    lay_by_handle(fetch);
    bool kept = fetch->kept; /* then it may be gone once `done` has it */
    fetch->request.done(fetch->request.context, &result);
    if (!kept) {
        fetch_free(fetch);
    }
}

struct text fetch_result_header(const struct fetch_result *result, const char *name) {
    return hop_header(result->fetch, name);
}

struct text fetch_result_headers(const struct fetch_result *result) {
    return buffer_text(&result->fetch->reply_headers);
}

/* Puts the next hop on its way, or ends the fetch. */
static void run(struct fetch *fetch) {
    struct fetch_client *client = fetch->client;
    if (fetch->handle == NULL) {
        fetch->handle = handles_take(&client->handles);
    }
    const struct guard_allow allow = { (const char *const *)client->allow, client->allow_count };
    enum err err = hop_prepare(fetch, guard_allow_has(&allow, &fetch->origin));
    if (err == OK) {
        bool large = fetch->request.sink != NULL || client->piece_max < ANSWER_PIECE;
        CURL *easy = fetch->handle->easy;
        curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, large ? (long)client->piece_max : (long)ANSWER_PIECE);
        err = curl_loop_add(client->loop, easy);
        fetch->asked = err == OK;
    }
    if (err != OK) {
        end(fetch, err == ERR_TIMEOUT ? ERR_TIMEOUT : ERR_FETCH,
            err == ERR_TIMEOUT ? "the time was over before the reply came" : "no memory");
    }
}

static void follow(struct fetch *fetch) {
    const char *reason;
    enum err err = redirect_take(fetch, &reason);
    if (err == OK) {
        lay_by_handle(fetch);
        run(fetch);
    } else {
        end(fetch, err, reason);
    }
}

static const char *reason_of(int code) {
    switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
        return "its certificate is out of date, not for this name, or of nobody who is trusted here";
    case CURLE_SSL_CACERT_BADFILE:
        return "the certificates that are trusted here cannot be read";
    default:
        return curl_easy_strerror((CURLcode)code);
    }
}

/* What curl's result means, in the order of what is known for sure. */
static enum err judge(struct fetch *fetch, int code, const char **ret_reason) {
    *ret_reason = reason_of(code);
    if (code == CURLE_OK || fetch->stopped) { /* to curl, an interim reply may be the last, and 101 even have a body */
        *ret_reason = "no reply came, or only interim ones";
        return hop_status(fetch) != 0 ? OK : ERR_FETCH;
    }
    if (fetch->too_large) {
        *ret_reason = "the reply is larger than allowed";
        return ERR_FILE_TOO_LARGE;
    }
    if (fetch->sink_err != OK) {
        *ret_reason = "the reply could not be taken in";
        return fetch->sink_err;
    }
    if (fetch->blocked && hop_status(fetch) == 0) { /* else another of its addresses did answer */
        *ret_reason = "it leads to an address that is not public";
        return ERR_BLOCKED_ADDRESS;
    }
    if (!buffer_ok(&fetch->reply_headers) || code == CURLE_OUT_OF_MEMORY) { /* so curl calls a line over its bound */
        fetch->hopeless = true;
        *ret_reason = "the reply's headers are too large";
    }
    if (fetch->not_repeated) {
        *ret_reason = "the connection kept from an earlier request broke before a reply came";
    }
    if (code == CURLE_OPERATION_TIMEDOUT && fetch->sent && clock_monotonic_ms() < fetch->deadline_ms) {
        *ret_reason = "nothing came for too long, or it came too slowly";
    }
    return code == CURLE_OPERATION_TIMEDOUT ? ERR_TIMEOUT : ERR_FETCH;
}

static void on_finished(void *context, void *easy, int code) {
    struct fetch_client *client = context;
    struct fetch *fetch = NULL;
    const char *reason;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &fetch);
    if (fetch->state == FETCH_CANCELLED) {
        client->cancelled_count--;
        client->running_count--;
        TAILQ_REMOVE(&client->running, fetch, link);
        fetch_free(fetch);
        return;
    }
    enum err err = judge(fetch, code, &reason);
    if (err == OK && hop_is_redirect(fetch)) {
        follow(fetch);
    } else {
        end(fetch, err, reason);
    }
}

/* Those cancelled while curl was at work on them. */
static void drop_cancelled(struct fetch_client *client) {
    struct fetch *next;
    struct fetch *fetch = TAILQ_FIRST(&client->running);
    for (; fetch != NULL && client->cancelled_count > 0; fetch = next) {
        next = TAILQ_NEXT(fetch, link);
        if (fetch->state == FETCH_CANCELLED) {
            curl_loop_remove(client->loop, fetch->handle->easy);
            client->cancelled_count--;
            client->running_count--;
            TAILQ_REMOVE(&client->running, fetch, link);
            fetch_free(fetch);
        }
    }
}

static bool may_start(struct fetch_client *client) {
    if (client->running_count >= client->running_max) {
        return false;
    }
    if (pace_allows(&client->pace, client->running_count)) {
        return true;
    }
    curl_loop_pause(client->loop, PACE_MS);
    return false;
}

static void start_pending(struct fetch_client *client) {
    if (TAILQ_EMPTY(&client->pending)) {
        pace_rest(&client->pace, client->running_count);
    }
    while (!TAILQ_EMPTY(&client->pending) && may_start(client)) {
        struct fetch *fetch = TAILQ_FIRST(&client->pending);
        int64_t total_ms = fetch->request.total_timeout_ms;
        TAILQ_REMOVE(&client->pending, fetch, link);
        TAILQ_INSERT_TAIL(&client->running, fetch, link);
        client->pending_count--;
        client->running_count++;
        fetch->state = FETCH_RUNNING;
        fetch->deadline_ms = clock_monotonic_ms() + clock_from_real_ms(total_ms > 0 ? total_ms : TOTAL_TIMEOUT_DEFAULT_MS);
        run(fetch);
    }
}

static void on_settled(void *context) {
    struct fetch_client *client = context;
    drop_cancelled(client);
    start_pending(client);
}

static void on_paused(void *context) {
    struct fetch_client *client = context;
    pace_look(&client->pace, client->running_count);
    start_pending(client);
}

/* With the first fetch: what curl and OpenSSL touch at their start is a fifth of an idle server's memory. */
enum err fetch_client_begin(struct fetch_client *client, struct fault *fault) {
    const struct curl_loop_events events = {
        .finished = on_finished, .settled = on_settled, .paused = on_paused, .context = client
    };
    if (client->loop != NULL) {
        return OK;
    }
    /* As many connections as run: each fetch that ends beyond would close the one that the next wants. */
    return curl_loop_new(client->uv_loop, client->running_max, &events, &client->loop, fault);
}

unsigned fetch_client_room(const struct fetch_client *client) {
    return client->pending_max + client->running_max;
}

enum err fetch_too_many(struct fault *fault) {
    return fault_set(fault, ERR_OVERLOADED, "Too many outgoing requests are waiting; try again later.");
}

/* The variables that curl looks at (libcurl-env(3)). */
static bool environment_has_proxy(void) {
    static const char *const names[] = { "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY" };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (getenv(names[i]) != NULL) {
            return true;
        }
    }
    return false;
}

bool fetch_may_use_proxy(const struct fetch *fetch) {
    return fetch->client->has_proxy;
}

struct handles *fetch_handles(const struct fetch *fetch) {
    return &fetch->client->handles;
}

struct fetch_client *fetch_client_new(struct uv_loop_s *loop, const struct fetch_options *options) {
    struct fetch_client *client = mem_new(sizeof *client);
    client->uv_loop = loop;
    handles_init(&client->handles);
    pace_init(&client->pace, options->paced);
    client->has_proxy = environment_has_proxy();
    client->running_max = options->running_max > 0 ? options->running_max : RUNNING_MAX_DEFAULT;
    client->piece_max = options->piece_max > 0 ? options->piece_max : CURL_MAX_WRITE_SIZE;
    client->pending_max = options->pending_max > 0 ? options->pending_max : PENDING_MAX_DEFAULT;
    TAILQ_INIT(&client->pending);
    TAILQ_INIT(&client->running);
    fetch_client_allow(client, options->allow, options->allow_count);
    return client;
}

void fetch_client_allow(struct fetch_client *client, const char *const *pairs, unsigned count) {
    for (unsigned i = 0; i < client->allow_count; i++) {
        free(client->allow[i]);
    }
    free(client->allow);
    client->allow = count > 0 ? mem_new_array(count, sizeof *client->allow) : NULL;
    client->allow_count = count;
    for (unsigned i = 0; i < count; i++) {
        client->allow[i] = mem_string(pairs[i]);
    }
}

void fetch_client_rest(struct fetch_client *client) {
    handles_drop(&client->handles, client->running_count);
}

void fetch_client_free(struct fetch_client *client) {
    if (client == NULL) {
        return;
    }
    assert(client->loop == NULL || !curl_loop_inside(client->loop));
    while (!TAILQ_EMPTY(&client->pending)) {
        fetch_cancel(TAILQ_FIRST(&client->pending));
    }
    while (!TAILQ_EMPTY(&client->running)) {
        fetch_cancel(TAILQ_FIRST(&client->running));
    }
    if (client->loop != NULL) {
        curl_loop_free(client->loop);
    }
    handles_fini(&client->handles);
    fetch_client_allow(client, NULL, 0);
    free(client);
}

void fetch_launch(struct fetch_client *client, struct fetch *fetch) {
    fetch->client = client;
    TAILQ_INSERT_TAIL(&client->pending, fetch, link);
    client->pending_count++;
    curl_loop_wake(client->loop);
}

enum err fetch_start(struct fetch_client *client, const struct fetch_request *request, struct fetch **ret,
    struct fault *fault) {
    struct fetch *fetch;
    enum err err = fetch_client_begin(client, fault);
    if (err != OK) {
        return err;
    }
    err = fetch_new(request, &client->memo, &fetch, fault);
    if (err != OK) {
        return err;
    }
    if (client->pending_count + client->running_count >= fetch_client_room(client)) {
        fetch_free(fetch);
        return fetch_too_many(fault);
    }
    fetch_launch(client, fetch);
    if (ret != NULL) {
        *ret = fetch;
    }
    return OK;
}

void fetch_socket_opened(struct fetch *fetch, int socket) {
    curl_loop_opened(fetch->client->loop, socket);
}

void fetch_cancel(struct fetch *fetch) {
    if (fetch == NULL || fetch->state == FETCH_DONE || fetch->state == FETCH_CANCELLED) {
        return;
    }
    struct fetch_client *client = fetch->client;
    if (fetch->state == FETCH_RUNNING && curl_loop_inside(client->loop)) {
        fetch->state = FETCH_CANCELLED;
        client->cancelled_count++;
        return;
    }
    if (fetch->state == FETCH_RUNNING) {
        curl_loop_remove(client->loop, fetch->handle->easy);
        TAILQ_REMOVE(&client->running, fetch, link);
        client->running_count--;
        curl_loop_wake(client->loop);
    } else {
        TAILQ_REMOVE(&client->pending, fetch, link);
        client->pending_count--;
    }
    fetch_free(fetch);
}

unsigned fetch_client_running(const struct fetch_client *client) {
    return client->running_count;
}

unsigned fetch_client_pending(const struct fetch_client *client) {
    return client->pending_count;
}
