/* What links in a request bring, where a service fetches none itself: each becomes a data URI of just the bytes that came,
 * of a media type that is one, and all together are within their bound; or one failure names the link.
 *
 *   the parts of a message, a list; {P} in it is the port of both hosts
 *   what hosts say (server.h) */
#include "chat/driver/media.h"

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>

#include "base/json.h"
#include "fuzz.h"
#include "net/data_uri.h"
#include "net/fetch.h"
#include "server.h"

#define BYTES_MAX 3000
#define BODY_MAX ((size_t)1 << 20)
#define DEPTH_MAX 40
#define HOME "http://127.0.0.1:{P}"
#define PNG "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n\x1a\n"

static uv_loop_t loop;
static struct fetch_client *client;

static void close_all(void) {
    fetch_client_free(client);
    uv_run(&loop, UV_RUN_NOWAIT);
}

void fuzz_begin(void) {
    uv_loop_init(&loop);
    server_open(&loop);
    const struct fetch_options options = { .allow = server_pairs(), .allow_count = SERVER_PAIRS };
    client = fetch_client_new(&loop, &options);
    atexit(close_all);
}

void fuzz_seeds(void) {
    static const char *const seeds[] = {
        "[{\"type\":\"image_url\",\"image_url\":{\"url\":\"" HOME "/a.png\",\"detail\":\"low\"}}]\n" PNG,
        "[{\"image_url\":\"" HOME "/a\"},{\"type\":\"text\",\"text\":\"" HOME "\"},"
        "{\"audio_url\":{\"url\":\"HTTP://127.0.0.2:{P}/b\"}}]\n" PNG
        "\n----\nHTTP/1.1 200 OK\r\nContent-Type: audio/x-strange; q=1\r\n\r\n\x01\x02\x03",
        "[{\"file_url\":{\"url\":\"" HOME "/c\"}}]\nHTTP/1.1 302 F\r\nLocation: /d\r\n\r\n\n----\nHTTP/1.1 200 OK\r\n"
        "Content-Type: text/html\r\n\r\n<html>",
        "[{\"file_url\":{\"url\":\"" HOME "/c\"}}]\nHTTP/1.1 200 OK\r\nContent-Type: a/b,base64,x\r\n\r\n\x01",
        "[{\"video_url\":{\"url\":\"" HOME "/e\"}},{\"video_url\":\"" HOME "/f\"}]\nHTTP/1.1 404 N\r\n\r\n\n----\n" PNG,
        "[{\"image_url\":{\"url\":\"https://10.0.0.1/\"}}]\n",
        "[{\"image_url\":{\"url\":\"http://\"}}]\n",
        "[{\"image_url\":{\"url\":\"data:,\"}}]\n",
        "[{\"image_url\":\"" HOME "/\"}]\nHTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\nx",
        NULL,
    };
    fuzz_seed_list("brought", seeds);
}

struct trial {
    json_t *given;
    unsigned ends;
};

static const char *const kinds[] = { "image_url", "video_url", "audio_url", "file_url" };

static const char *link_of(const json_t *value) {
    const char *url = json_string_value(json_is_string(value) ? value : json_object_get(value, "url"));
    return url != NULL && (strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0) ? url : NULL;
}

/* Bytes that came in the link's place. */
static size_t hold_uri(struct text uri) {
    struct data_uri file;
    struct fault fault = { .err = OK };
    fuzz_hold(data_uri_is(uri) && data_uri_decode(uri, BYTES_MAX, &file, &fault) == OK, "%.*s", TEXT_ARG(uri));
    struct text type = { uri.ptr + 5, text_find(uri, ';') - 5 };
    fuzz_hold(text_find(type, '/') < type.len && uri.len > type.len + 5, "%.*s", TEXT_ARG(uri));
    for (size_t i = 0; i < type.len; i++) {
        fuzz_hold(isalnum((unsigned char)type.ptr[i]) || strchr("/+-.", type.ptr[i]) != NULL, "%.*s", TEXT_ARG(uri));
    }
    size_t len = file.len;
    data_uri_fini(&file);
    return len;
}

/* The body is the one that was given, but for its links. */
static void hold_body(const json_t *given, const json_t *body) {
    size_t sum = 0;
    json_t *undone = json_deep_copy(body), *part;
    size_t k;
    const json_t *parts = json_object_get(json_array_get(json_object_get(given, "messages"), 0), "content");
    json_array_foreach(json_object_get(json_array_get(json_object_get(undone, "messages"), 0), "content"), k, part) {
        const json_t *before = json_array_get(parts, k);
        for (size_t i = 0, found = 0; i < ARRAY_SIZE(kinds) && found == 0; i++) {
            json_t *then = json_object_get(before, kinds[i]), *now = json_object_get(part, kinds[i]);
            if (link_of(then) == NULL) {
                continue;
            }
            found = 1;
            const json_t *uri = json_is_string(now) ? now : json_object_get(now, "url");
            sum += hold_uri((struct text){ json_string_value(uri), json_string_length(uri) });
            json_object_set(part, kinds[i], then);
        }
    }
    fuzz_hold(sum <= BYTES_MAX, "%zu", sum);
    fuzz_hold(json_equal(undone, given));
    json_decref(undone);
}

static void told(void *context, enum err err, json_t *body, const struct fault *fault) {
    struct trial *trial = context;
    trial->ends++;
    if (err != OK) {
        fuzz_hold(body == NULL);
        fuzz_hold_field(err, fault);
        return;
    }
    hold_body(trial->given, body);
    json_decref(body);
}

static void asked(struct text head, bool abroad, unsigned number) {
    (void)head, (void)abroad, (void)number;
}

static void bring(struct trial *trial) {
    struct fault fault = { .err = OK };
    struct chat_media *media = chat_media_start(client, trial->given, BYTES_MAX, told, trial, &fault);
    if (media == NULL) {
        fuzz_hold_field(fault.err, &fault);
        trial->ends++;
    }
    while (trial->ends == 0) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    server_rest();
    fuzz_hold(trial->ends == 1 && fetch_client_running(client) == 0);
}

void fuzz_one(struct text input) {
    struct text first = fuzz_line(&input);
    struct buffer named;
    json_t *parts = NULL;
    buffer_init(&named, BODY_MAX);
    server_put(&named, first);
    if (buffer_ok(&named) && json_read_any(buffer_text(&named), DEPTH_MAX, &parts, NULL) == OK) {
        struct trial trial = { .given = json_pack("{s:[{s:O}]}", "messages", "content", parts) };
        server_say(input, asked);
        if (chat_media_needed(trial.given)) {
            bring(&trial);
        }
        json_decref(trial.given);
    }
    json_decref(parts);
    buffer_fini(&named);
}
