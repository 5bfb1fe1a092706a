/* Takes a request over into a fetch: everything is copied, and nothing that could break out of its line in the HTTP
 * header gets in. */
#include <assert.h>
#include <curl/curl.h>
#include <stdlib.h>

#include "base/memory.h"
#include "net/fetch_inside.h"

#define TOKEN_MAX 256
#define VALUE_MAX 65536
/* As lines: of its options for these curl makes lines by its printf, and then the request's head of the lines. */
#define AGENT "User-Agent: fennec/" FENNEC_VERSION
/* None is asked for. What is fetched in large is compressed already or base64, and to undo that would hold up all the
 * others; what is small is not worth it. Strictly that leaves the choice to the server (RFC 9110, 12.5.3). */
#define NO_ENCODINGS "Accept-Encoding:"

static bool is_token(struct text t) {
    return t.len > 0 && t.len <= TOKEN_MAX && text_token_run(t) == t.len;
}

static bool is_header_value(struct text t) {
    return t.len <= VALUE_MAX && !text_has_control(t);
}

static void add_line(struct curl_slist **list, const char *line) {
    struct curl_slist *longer = curl_slist_append(*list, line);
    assert(longer != NULL);
    *list = longer;
}

/* curl's way of writing a header: one without a value ends with ';', one to be left out with ':'. */
static void add_header(struct curl_slist **list, const char *name, const char *value) {
    struct buffer line scoped(buffer_fini);
    buffer_init(&line, TOKEN_MAX + VALUE_MAX + 2);
    (void)!buffer_reserve(&line, strlen(name) + strlen(value) + 2);
    buffer_put(&line, text_of(name));
    buffer_put(&line, value[0] != '\0' ? TEXT(": ") : TEXT(";"));
    buffer_put(&line, text_of(value));
    add_line(list, buffer_ok(&line) ? line.data : NULL);
}

static bool name_is(const struct fetch_header *header, struct text name) {
    return text_equal_nocase(text_of(header->name), name);
}

static enum err copy_headers(struct fetch *fetch, const struct fetch_request *request, struct fault *fault) {
    bool typed = false, named = false, encoded = false, has_body = request->body.ptr != NULL;
    for (unsigned i = 0; i < request->header_count; i++) {
        const struct fetch_header *header = &request->headers[i];
        struct text value = text_of(header->value);
        if (!is_token(text_of(header->name))) {
            return fault_set(fault, ERR_INVALID_REQUEST, "A header's name is not valid.");
        }
        if (!is_header_value(value)) {
            return fault_set(fault, ERR_INVALID_REQUEST, "The header %.64s has characters that no header may have.",
                header->name);
        }
        add_header(&fetch->headers, header->name, header->value);
        if (name_is(header, TEXT("accept")) || name_is(header, TEXT("accept-language"))) {
            add_header(&fetch->headers_abroad, header->name, header->value);
        }
        typed = typed || name_is(header, TEXT("content-type"));
        named = named || name_is(header, TEXT("user-agent"));
        encoded = encoded || name_is(header, TEXT("accept-encoding"));
    }
    if (has_body) {
        add_line(&fetch->headers, "Expect:"); /* curl would wait for a 100 before a large one */
    }
    if (has_body && !typed) {
        add_line(&fetch->headers, "Content-Type:"); /* curl would claim a form */
    }
    if (!named) {
        add_line(&fetch->headers, AGENT);
    }
    if (!encoded) {
        add_line(&fetch->headers, NO_ENCODINGS);
    }
    return OK;
}

void fetch_go_abroad(struct fetch *fetch) {
    if (!fetch->abroad) {
        add_line(&fetch->headers_abroad, AGENT);
        add_line(&fetch->headers_abroad, NO_ENCODINGS);
    }
    fetch->abroad = true;
}

enum err fetch_new(const struct fetch_request *request, struct guard_memo *memo, struct fetch **ret, struct fault *fault) {
    struct guard_url origin;
    enum err err = guard_parse_url_by(memo, request->url, &origin, fault);
    if (err != OK) {
        return err;
    }
    if (request->method != NULL && !is_token(text_of(request->method))) {
        return fault_set(fault, ERR_INVALID_REQUEST, "The request's method is not valid.");
    }
    struct fetch *fetch = mem_new(sizeof *fetch);
    bool has_body = request->body.ptr != NULL;
    err = copy_headers(fetch, request, fault);
    if (err != OK) {
        fetch_free(fetch);
        return err;
    }
    fetch->origin = origin;
    fetch->request = *request;
    fetch->request.headers = NULL; /* the caller's pointers end here */
    fetch->request.method = NULL;
    fetch->request.url = TEXT_NONE;
    if (fetch->request.redirects_max > FETCH_REDIRECTS_MAX) {
        fetch->request.redirects_max = FETCH_REDIRECTS_MAX;
    }
    fetch->method = mem_string(request->method != NULL ? request->method : has_body ? "POST" : "GET");
    fetch->url = text_dup(request->url);
    fetch->body = has_body ? text_dup(request->body) : NULL;
    fetch->request.body.ptr = fetch->body;
    *ret = fetch;
    return OK;
}

void fetch_free(struct fetch *fetch) {
    if (fetch == NULL) {
        return;
    }
    handle_free(fetch->handle);
    curl_slist_free_all(fetch->headers);
    curl_slist_free_all(fetch->headers_abroad);
    buffer_fini(&fetch->reply_headers);
    buffer_fini(&fetch->reply_body);
    free(fetch->method);
    free(fetch->body);
    free(fetch->url);
    free(fetch);
}
