/* The request of a talk. */
#include <jansson.h>
#include <stdlib.h>
#include <strings.h>

#include "base/memory.h"
#include "chat/driver/talk.h"
#include "config/config.h"
#include "net/fetch.h"
#include "remote/credentials.h"
#include "remote/service.h"

#define HEADERS_MAX 64
#define URL_MAX 16384
#define STREAM_MAX (16 * (int64_t)CHAT_ANSWER_MAX) /* of a streamed reply: a token comes with a lot around it */

struct header_list {
    struct fetch_header items[HEADERS_MAX];
    unsigned count;
};

/* The first one of a name counts: the adapter's own, which come before ours. */
static void add_header(struct header_list *list, const char *name, const char *value) {
    for (unsigned i = 0; i < list->count; i++) {
        if (strcasecmp(list->items[i].name, name) == 0) {
            return;
        }
    }
    if (list->count < HEADERS_MAX) {
        list->items[list->count++] = (struct fetch_header){ name, value };
    }
}

static void list_headers(const struct talk *talk, json_t *credentials, const struct chat_request *request,
                         struct header_list *ret) {
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach (credentials, name, value) {
        add_header(ret, name, json_string_value(value));
    }
    for (unsigned i = 0; i < request->header_count; i++) {
        add_header(ret, request->headers[i].name, request->headers[i].value);
    }
    add_header(ret, "Content-Type", "application/json");
    if (talk->asked.stream) { /* a compressor would hold pieces back */
        add_header(ret, "Accept-Encoding", "identity");
    }
    add_header(ret, "Accept", talk->asked.stream ? "text/event-stream, application/x-ndjson" : "application/json");
}

/* Base, path and the credentials' query; freed by the caller. NULL: too long. */
static char *whole_url(const struct talk *talk, struct text path) {
    struct buffer scoped(buffer_fini) url;
    struct text base = text_of(service_url(talk->service));
    while (text_ends(base, TEXT("/"))) {
        base.len--;
    }
    buffer_init(&url, URL_MAX);
    buffer_put(&url, base);
    buffer_put(&url, path);
    return buffer_ok(&url) ? credentials_url(talk->credentials, url.data) : NULL;
}

/* A whole answer is silence until it is there, so only a stream can be idle. */
static int64_t total_ms(const struct talk *talk) {
    int64_t duration_ms = (int64_t)talk->service->host.config->llm_duration_s * 1000;
    return talk->attempt->timeout_ms < duration_ms ? talk->attempt->timeout_ms : duration_ms;
}

static enum err start_fetch(struct talk *talk, const struct chat_request *request, struct fault *fault) {
    struct header_list headers = { .count = 0 };
    json_t *credentials = credentials_headers(talk->credentials);
    char *url scoped(mem_free_pointer) = whole_url(talk, buffer_text(&request->path));
    enum err err = ERR_TOO_LONG;
    list_headers(talk, credentials, request, &headers);
    if (url) {
        const struct fetch_request fetch = {
            .trust = service_trust(talk->service, url),
            .method = "POST",
            .url = text_of(url),
            .headers = headers.items,
            .header_count = headers.count,
            .body = buffer_text(&request->body),
            .keeps_connection = true,
            .reply_max = talk->asked.stream ? STREAM_MAX : (int64_t)CHAT_ANSWER_MAX,
            .total_timeout_ms = total_ms(talk),
            .speed_min = 1,
            .stall_timeout_s = talk->asked.stream ? talk->service->host.config->llm_idle_s : total_ms(talk) / 1000 + 1,
            .sink = talk->asked.stream ? talk_take_bytes : NULL,
            .done = talk_fetched,
            .context = talk,
        };
        err = fetch_start(talk->fetcher, &fetch, &talk->fetch, fault);
    } else {
        (void)fault_set(fault, ERR_TOO_LONG, "the request's URL is too long");
    }
    json_decref(credentials);
    return err;
}

/* The way to the service is at fault, or we are. */
static void end_unsent(struct talk *talk, enum err err, const struct fault *fault) {
    talk_end_set(talk, TASK_ERROR_UNAVAILABLE, err == ERR_OVERLOADED ? SCOPE_CAPACITY : SCOPE_PROVIDER, true,
                 JOB_NOT_MADE, "");
    talk_end_detail(talk, 0, fault->message, TEXT_NONE);
}

bool talk_send(struct talk *talk) {
    struct fault fault = { 0 };
    struct chat_request request;
    if (talk->dialect->request(&talk->asked, &request, &fault) != OK) {
        talk_end_unsayable(talk, &fault);
        return false;
    }
    enum err err = talk->credentials ? OK
                                     : credentials_get(&talk->service->credentials, talk->service->adapter,
                                                       talk->attempt->key, &talk->credentials, &fault);
    if (err == OK) {
        err = start_fetch(talk, &request, &fault);
    }
    chat_request_fini(&request);
    if (err != OK) {
        end_unsent(talk, err, &fault);
    } else if (talk->asked.stream && talk->reader == NULL) {
        talk_open_reader(talk);
    }
    return err == OK;
}
