/* GET /docs: the documentation as one page that needs nothing but this server. Its script reads /openapi.json; without it
 * the page is a list of the endpoints. */
#include "api/about/docs.h"

#include <stdlib.h>

#include "api/internal.h"
#include "base/crypto.h"
#include "base/memory.h"
#include "script/embedded.h"

#define PAGE_MAX ((size_t)1 << 20)
#define POLICY_MAX 512
#define HASH_SIZE 45 /* SHA-256 in base64, with the NUL */

/* web/docs: docs.css, docs.js, index.html. */
extern const struct embedded_file docs_files[];
extern const size_t docs_file_count;

struct docs {
    struct buffer page;
    char policy[POLICY_MAX]; /* Content-Security-Policy: nothing but the page's own style and script, and this server */
};

static struct text file_named(const char *name) {
    for (size_t i = 0; i < docs_file_count; i++)
        if (text_equal(text_of(docs_files[i].path), text_of(name)))
            return docs_files[i].source;
    abort(); /* the build puts all three in */
}

static void put_escaped(struct buffer *buf, struct text t) {
    for (size_t i = 0; i < t.len; i++) {
        if (t.ptr[i] == '<')
            buffer_put(buf, TEXT("&lt;"));
        else if (t.ptr[i] == '&')
            buffer_put(buf, TEXT("&amp;"));
        else
            buffer_put_char(buf, t.ptr[i]);
    }
}

static void put_routes(struct buffer *buf) {
    static const char *const methods[] = { [METHOD_GET] = "GET",     [METHOD_POST] = "POST",     [METHOD_PUT] = "PUT",
                                           [METHOD_PATCH] = "PATCH", [METHOD_DELETE] = "DELETE", [METHOD_OPTIONS] = "OPTIONS" };
    unsigned count;
    const struct http_route *routes = api_routes(&count);

    for (unsigned i = 0; i < count; i++) {
        buffer_printf(buf, "<li><code>%s ", methods[routes[i].method]);
        put_escaped(buf, text_of(routes[i].pattern));
        buffer_put(buf, TEXT("</code> "));
        put_escaped(buf, text_of(routes[i].summary));
        buffer_put(buf, TEXT("</li>\n"));
    }
}

/* The template's "<!-- style -->" and so on make way for what they name. */
static void put_page(struct buffer *page) {
    struct text rest = file_named("index.html");
    const struct text open = TEXT("<!-- ");

    while (rest.len > 0) {
        size_t at = 0;
        while (at < rest.len && !text_starts((struct text){ rest.ptr + at, rest.len - at }, open))
            at++;
        buffer_put(page, (struct text){ rest.ptr, at });
        if (at == rest.len)
            return;
        rest = (struct text){ rest.ptr + at + open.len, rest.len - at - open.len };
        if (text_starts(rest, TEXT("style")))
            buffer_put(page, file_named("docs.css"));
        else if (text_starts(rest, TEXT("script")))
            buffer_put(page, file_named("docs.js"));
        else if (text_starts(rest, TEXT("routes")))
            put_routes(page);
        (void)text_cut(&rest, '>');
    }
}

static void hash_of(struct text source, char ret[HASH_SIZE]) {
    uint8_t hash[SHA256_SIZE];
    crypto_sha256(source, hash);
    base64_encode(hash, sizeof hash, ret);
}

struct docs *docs_new(void) {
    struct docs *docs = mem_new(sizeof *docs);
    char style[HASH_SIZE], script[HASH_SIZE];

    buffer_init(&docs->page, PAGE_MAX);
    put_page(&docs->page);
    hash_of(file_named("docs.css"), style);
    hash_of(file_named("docs.js"), script);
    snprintf(docs->policy, sizeof docs->policy,
             "default-src 'none'; style-src 'sha256-%s'; script-src 'sha256-%s'; connect-src 'self'; img-src data:; "
             "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
             style, script);
    return docs;
}

void docs_free(struct docs *docs) {
    if (docs == NULL)
        return;
    buffer_fini(&docs->page);
    free(docs);
}

void handle_docs(struct exchange *exchange) {
    const struct docs *docs = api_of(exchange)->docs;
    struct buffer body;

    reply_header(exchange, "Content-Security-Policy", docs->policy);
    reply_header(exchange, "X-Content-Type-Options", "nosniff");
    reply_header(exchange, "Referrer-Policy", "no-referrer");
    reply_header(exchange, "Cache-Control", "no-cache");
    buffer_init(&body, PAGE_MAX);
    buffer_put(&body, buffer_text(&docs->page));
    reply_take(exchange, 200, "text/html; charset=utf-8", &body);
}
