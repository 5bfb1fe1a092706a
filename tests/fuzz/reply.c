/* HTTP replies of services and file hosts, as they come off a connection: whatever they are, a request ends once, within its
 * bounds, and what is its origin's alone goes nowhere else.
 *
 *   letters: p POST, h HEAD, else GET; s a sink; o a URL from outside; a digit, redirects that are followed
 *   what the server says (server.h) */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "net/fetch.h"
#include "server.h"

#define REPLY_MAX 3000
#define SECRET "not-a-real-key"

static uv_loop_t loop;
static struct fetch_client *client;
static bool told; /* the input names the secret itself */

void fuzz_begin(void) {
    uv_loop_init(&loop);
    server_open(&loop);
    const struct fetch_options options = { .allow = server_pairs(), .allow_count = SERVER_PAIRS };
    client = fetch_client_new(&loop, &options);
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

static bool says(struct text head, struct text words) {
    return head.len > 0 && memmem(head.ptr, head.len, words.ptr, words.len) != NULL;
}

static void asked(struct text head, bool abroad, unsigned number) {
    fuzz_hold(!abroad || told || !says(head, TEXT(SECRET)));
    fuzz_hold(number > 0 || says(head, TEXT("Authorization: " SECRET)));
}

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
    fuzz_hold(strpbrk(result->url, "?#") == NULL && (told || strstr(result->detail, SECRET) == NULL));
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
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/a?token=%s", server_port(), SECRET);
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
    told = says(input, TEXT(SECRET));
    server_say(input, asked);
    fuzz_hold(fetch_start(client, &request, NULL, &fault) == OK, "%s", fault.message);
    while (trial.ends == 0) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    server_rest();
    fuzz_hold(trial.ends == 1 && fetch_client_running(client) == 0);
}
