/* Sending a request and making of its reply what adapters see. */
#include "remote/exchange.h"

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "config/config.h"
#include "net/courier.h"
#include "net/fetch.h"
#include "net/retry_after.h"
#include "provider/adapter.h"
#include "provider/driver.h"
#include "remote/body.h"
#include "remote/read_json.h"
#include "remote/reply_file.h"
#include "remote/service.h"

#define HEADERS_MAX 64
#define JSON_MAX ((int64_t)32 << 20)
#define FILE_JSON_MAX (1 << 20) /* of an error where a file was expected */
#define BODY_MIN ((size_t)64 << 20)
#define RAW_MAX 16384
#define DETAIL_MAX 2048
#define PAID_REST_MAX_S 1 /* of a connection: lost with it, nobody knows whether there is a job (T3) */
#define FILE_TIMEOUT_MS 600000 /* a file may take longer than an answer, as long as it keeps coming */

struct exchange {
    struct exchange_call call;
    struct adapter_request request;
    struct credentials *credentials;
    json_t *headers; /* the request's and the credentials' */
    struct buffer body;
    bool on_backup;
    struct errand *errand;
    struct reply_file file; /* the courier's until the errand is done */
    char file_name[REPLY_FILE_NAME_SIZE];
};

static void free_exchange(struct exchange *exchange) {
    reply_file_fini(&exchange->file);
    adapter_request_fini(&exchange->request);
    credentials_unref(exchange->credentials);
    json_decref(exchange->headers);
    buffer_fini(&exchange->body);
    free(exchange);
}

void exchange_cancel(struct exchange *exchange) {
    if (exchange) {
        errand_stop(exchange->errand); /* it is freed once that is done */
    }
}

/* ---- the reply ---- */

static bool claims_json(const struct fetch_result *result) {
    struct text type = result->content_type;
    for (size_t i = 0; i + 4 <= type.len; i++) {
        if (text_equal_nocase((struct text){ type.ptr + i, 4 }, TEXT("json"))) {
            return true;
        }
    }
    return false;
}

/* Names in small letters; of a header that comes twice the last value counts. What is not UTF-8 is left out. */
static json_t *reply_headers(const struct fetch_result *result) {
    json_t *headers = json_object();
    struct text lines = fetch_result_headers(result);
    while (lines.len > 0) {
        struct text value = text_cut(&lines, '\n');
        char *name scoped(mem_free_pointer) = text_dup(text_cut(&value, ':'));
        value = text_trim(value);
        for (char *c = name; *c; c++) {
            *c = (char)tolower((unsigned char)*c);
        }
        json_t *text = text_starts(text_of(name), TEXT("http/")) ? NULL : json_stringn(value.ptr, value.len);
        if (text) {
            json_object_set_new(headers, name, text);
        }
    }
    return headers;
}

/* The small JSON file that came where bytes were expected; NULL when it is none. */
static json_t *read_file_json(const struct exchange *exchange, const struct fetch_result *result) {
    json_t *value = NULL;
    struct buffer scoped(buffer_fini) buf;
    buffer_init(&buf, FILE_JSON_MAX + 1);
    if (!claims_json(result) || result->size > FILE_JSON_MAX || !buffer_reserve(&buf, (size_t)result->size)) {
        return NULL;
    }
    ssize_t count = pread(exchange->file.fd, buf.data, (size_t)result->size, 0);
    if (count != result->size || read_service_json((struct text){ buf.data, (size_t)count }, &value, NULL) != OK) {
        return NULL;
    }
    return value;
}

static bool looks_like_json(struct text body) {
    body = text_trim(body);
    return body.len > 0 && (body.ptr[0] == '{' || body.ptr[0] == '[');
}

/* Sets json, text or file. False: it is JSON that cannot be read, so it is not whole. */
static bool set_content(const struct exchange *exchange, const struct fetch_result *result, json_t *value) {
    if (exchange->file.fd >= 0) {
        json_t *json = read_file_json(exchange, result);
        json_object_set_new(value, "file", json_string(exchange->file_name));
        if (json) {
            json_object_set_new(value, "json", json);
        }
        return true;
    }
    bool is_json = claims_json(result) && text_trim(result->body).len > 0;
    json_t *json = NULL;
    if (is_json || looks_like_json(result->body)) {
        if (read_service_json(result->body, &json, NULL) == OK) {
            json_object_set_new(value, "json", json);
            return true;
        }
        if (result->http_status / 100 == 2) {
            return false;
        }
    }
    if (result->body.len > 0) {
        json_object_set_new(value, "text", json_stringn_nocheck(result->body.ptr, result->body.len));
    }
    return true;
}

/* A reply with what its detail is made of, which hardly ever is asked for. */
struct whole_reply {
    struct exchange_reply reply;
    const struct fetch_result *result;
    struct credentials *credentials;
    char *callback_url; /* a secret as well; NULL: none */
    bool homeless; /* there was no place for the file that came */
    struct buffer detail;
};

static void put_detail(const struct whole_reply *whole, struct buffer *buf) {
    const struct fetch_result *result = whole->result;
    const char *others[] = { whole->callback_url };
    struct buffer scoped(buffer_fini) clean;
    buffer_init(&clean, 8 * RAW_MAX);
    if (result->err != OK) {
        buffer_put(buf, text_of(result->detail));
    } else {
        buffer_printf(buf, "HTTP %d%s", result->http_status, whole->homeless ? ", and its file could not be kept" : "");
    }
    struct text raw = { result->body.ptr, result->body.len < RAW_MAX ? result->body.len : RAW_MAX };
    credentials_hide(whole->credentials, others, ARRAY_SIZE(others), raw, &clean);
    if (clean.len > 0) {
        buffer_put(buf, TEXT(": "));
        buffer_put(buf, text_clip(buffer_text(&clean), DETAIL_MAX - 1 - buf->len));
    }
}

const char *exchange_detail(const struct exchange_reply *reply) {
    struct whole_reply *whole = container_of((struct exchange_reply *)(uintptr_t)reply, struct whole_reply, reply);
    if (whole->detail.len == 0) {
        put_detail(whole, &whole->detail);
    }
    return whole->detail.data ? whole->detail.data : "";
}

/* A file that came whole is the attempt's. */
static bool keep_file(struct exchange *exchange) {
    struct attempt *attempt = exchange->call.attempt;
    const char *directory = attempt->directory(attempt); /* there is one: no question about many brings a file */
    return directory && reply_file_hand_over(&exchange->file, directory, exchange->file_name) == OK;
}

static enum exchange_end judge(struct exchange *exchange, struct whole_reply *whole) {
    const struct fetch_result *result = whole->result;
    if (result->err == ERR_FILE_TOO_LARGE) {
        return EXCHANGE_TOO_LARGE;
    }
    if (result->err != OK) {
        return result->sent ? EXCHANGE_CUT : EXCHANGE_NOT_SENT;
    }
    whole->homeless = exchange->file.fd >= 0 && !keep_file(exchange);
    return !whole->homeless && set_content(exchange, result, whole->reply.value) ? EXCHANGE_REPLIED : EXCHANGE_CUT;
}

static int64_t retry_after_ms(const struct fetch_result *result) {
    int64_t ms = retry_after_read_ms_header(fetch_result_header(result, "retry-after-ms"));
    return ms > 0 ? ms : retry_after_read_ms(fetch_result_header(result, "retry-after"), clock_wall_ms());
}

static enum err send_to(struct exchange *exchange, const char *url, struct fault *fault);

/* Nothing reached the usual place: once, the place that stands in for it. */
static bool try_backup(struct exchange *exchange, const struct fetch_result *result) {
    if (result->err == OK || result->sent || result->err == ERR_BLOCKED_ADDRESS || exchange->on_backup ||
        exchange->request.backup_url == NULL) {
        return false;
    }
    exchange->on_backup = true;
    return send_to(exchange, exchange->request.backup_url, NULL) == OK;
}

static void fetched(void *context, const struct fetch_result *result) {
    struct exchange *exchange = context;
    if (result == NULL) { /* it was cancelled; the courier closes after the drivers, and stops none of theirs */
        free_exchange(exchange);
        return;
    }
    if (try_backup(exchange, result)) {
        return;
    }
    scoped(json_release) json_t *value =
        json_pack("{s:i, s:o}", "status", result->http_status, "headers", reply_headers(result));
    struct exchange_call call = exchange->call;
    struct whole_reply whole = {
        .reply = { .status = result->http_status, .retry_after_ms = retry_after_ms(result), .value = value },
        .result = result,
        .credentials = exchange->credentials,
        .callback_url = call.attempt && call.attempt->callback_url ? mem_string(call.attempt->callback_url) : NULL,
    };
    buffer_init(&whole.detail, DETAIL_MAX + 1);
    whole.reply.end = judge(exchange, &whole);
    if (result->http_status == 401) {
        credentials_refused(&call.service->credentials, exchange->credentials);
    }
    exchange->credentials = NULL;
    free_exchange(exchange);
    call.done(call.context, &whole.reply);
    credentials_unref(whole.credentials);
    free(whole.callback_url);
    buffer_fini(&whole.detail);
}

/* ---- the request ---- */

static unsigned list_headers(const struct exchange *exchange, struct fetch_header *headers) {
    unsigned count = 0;
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach (exchange->headers, name, value) {
        if (count < HEADERS_MAX) {
            headers[count++] = (struct fetch_header){ name, json_string_value(value) };
        }
    }
    return count;
}

/* On the courier's thread. */
static enum err take_bytes(void *context, const void *bytes, size_t count) {
    struct exchange *exchange = context;
    return reply_file_write(&exchange->file, bytes, count);
}

static enum err send_to(struct exchange *exchange, const char *url, struct fault *fault) {
    const struct exchange_call *call = &exchange->call;
    const struct service *service = call->service;
    const struct adapter_request *request = &exchange->request;
    struct fetch_header headers[HEADERS_MAX];
    int64_t timeout_ms = request->timeout_s > 0 ? (int64_t)(request->timeout_s * 1000) : call->timeout_ms;
    int64_t total_ms =
        request->binary && request->timeout_s <= 0 && timeout_ms < FILE_TIMEOUT_MS ? FILE_TIMEOUT_MS : timeout_ms;
    char *whole scoped(mem_free_pointer) =
        exchange->credentials ? credentials_url(exchange->credentials, url) : mem_string(url);
    if (whole == NULL) {
        return fault_set(fault, ERR_TOO_LONG, "the request's URL is too long");
    }
    struct fetch_request fetch = {
        .trust = service_trust(service, url),
        .method = request->method,
        .url = text_of(whole),
        .headers = headers,
        .header_count = list_headers(exchange, headers),
        .body = request->body_kind ? (struct text){ exchange->body.data ? exchange->body.data : "", exchange->body.len }
                                   : TEXT_NONE,
        .redirects_max = request->redirects ? FETCH_REDIRECTS_MAX : 0,
        .repeatable = !request->paid,
        .keeps_connection = true,
        .rest_max_s = request->paid ? PAID_REST_MAX_S : 0,
        .reply_max = request->binary ? service->host.config->artifact_max : JSON_MAX,
        .total_timeout_ms = total_ms,
        .speed_min = 1,
        .stall_timeout_s = timeout_ms / 1000 + 1, /* it may think for all of its time before it speaks */
        .sink = request->binary ? take_bytes : NULL,
        .done = fetched,
        .context = exchange,
    };
    return courier_send(service->host.courier, &fetch, &exchange->errand, fault);
}

/* A header that the adapter wrote itself, in whatever case, is not written twice. */
static void add_header(json_t *headers, const char *name, const char *value) {
    const char *other = NULL;
    json_t *present = NULL;
    json_object_foreach (headers, other, present) {
        if (strcasecmp(other, name) == 0) {
            return;
        }
    }
    json_object_set_new(headers, name, json_string(value));
}

static enum err make_headers(struct exchange *exchange, const char *content_type, struct fault *fault) {
    const struct exchange_call *call = &exchange->call;
    const struct adapter *adapter = call->service->adapter;
    if (exchange->request.with_key) {
        enum err err = credentials_get(&call->service->credentials, adapter, call->key, &exchange->credentials, fault);
        if (err != OK) {
            return err;
        }
        exchange->headers = credentials_headers(exchange->credentials);
    } else {
        exchange->headers = json_object();
    }
    json_object_update(exchange->headers, exchange->request.headers);
    if (exchange->request.body_kind) {
        add_header(exchange->headers, "Content-Type", content_type);
    }
    if (call->submits && exchange->request.paid && adapter->idempotency) {
        add_header(exchange->headers, adapter->idempotency, call->attempt->submission);
    }
    return json_object_size(exchange->headers) <= HEADERS_MAX
               ? OK
               : fault_set(fault, ERR_SCRIPT, "%s: a request has more than %d headers", adapter->file, HEADERS_MAX);
}

static enum err prepare(struct exchange *exchange, const json_t *request, struct fault *fault) {
    const struct exchange_call *call = &exchange->call;
    const struct service *service = call->service;
    char content_type[BODY_TYPE_SIZE] = "";
    enum err err = adapter_read_request(service->adapter, request, service->override, &exchange->request, fault);
    if (err != OK) {
        return err;
    }
    if (exchange->request.binary && call->attempt == NULL) {
        return fault_set(fault, ERR_SCRIPT, "%s: the answer about several jobs cannot be a file", service->adapter->file);
    }
    if (exchange->request.body_kind) {
        err = body_render(&exchange->request, call->attempt, &exchange->body, content_type, fault);
    }
    return err == OK ? make_headers(exchange, content_type, fault) : err;
}

enum err exchange_start(const struct exchange_call *call, const json_t *request, struct exchange **ret, bool *ret_paid,
                        struct fault *fault) {
    struct exchange *exchange = mem_new(sizeof(*exchange));
    int64_t input_max = call->service->host.config->input_max;
    exchange->call = *call;
    reply_file_init(&exchange->file, call->service->host.work);
    buffer_init(&exchange->body, BODY_MIN + 2 * (size_t)(input_max > 0 ? input_max : 0));
    enum err err = prepare(exchange, request, fault);
    if (err == OK) {
        err = send_to(exchange, exchange->request.url, fault);
    }
    if (err != OK) {
        free_exchange(exchange);
        return err;
    }
    *ret_paid = exchange->request.paid;
    *ret = exchange;
    return OK;
}
