/* A result's file, whatever names it in a service's reply: bytes within the reply, a file of the attempt's, a link that is
 * followed. It becomes a blob of just those bytes, within the bound, or an error in words; and the results that name it are
 * an answer in JSON, whatever else is in them.
 *
 *   letters: s a small file lies in the database
 *   the source, an object
 *   the results, a list; TOKEN and 0 is the file's link in them
 *   what hosts say (server.h) */
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/json.h"
#include "blob/blob.h"
#include "blob/link.h"
#include "blob/media_type.h"
#include "config/config.h"
#include "core/answer.h"
#include "core/budget.h"
#include "engine/attempt/run.h"
#include "engine/file/artifacts_inside.h"
#include "engine/file/results.h"
#include "engine/route/generation.h"
#include "engine/state.h"
#include "fuzz.h"
#include "net/courier.h"
#include "net/data_uri.h"
#include "net/fetch.h"
#include "place.h"
#include "remote/read_json.h"
#include "server.h"

#define SIZE_MAX_ALLOWED 3000
#define SMALL_MAX 1000
#define RESULTS_MAX ((size_t)1 << 20)
#define DEPTH_MAX 80 /* a reply's own is 64 */
#define SECRET "not-a-real-key"
#define OUTSIDE "what lies beside the work directory"
#define TOKEN "KnownHereAlone" /* a real one nobody knows, so none begins it with the letter of an escape */
#define NAME "task-unified-1764000000-abcd1234-1.png"

static uv_loop_t loop;
static struct engine engine;
static char work[128];
static bool fetched;
static bool secret; /* the key is none of the input's own words */

static bool has_secret(struct text text) {
    return text.len > 0 && memmem(text.ptr, text.len, SECRET, strlen(SECRET)) != NULL;
}

/* ---- what an attempt has ---- */

/* The key goes where the driver says; here, to the service's own address. */
static json_t *download_headers(struct driver *driver, const struct attempt *attempt, const char *url) {
    char home[64];
    (void)driver, (void)attempt;
    snprintf(home, sizeof(home), "http://%s/", server_pairs()[0]);
    return text_starts(text_of(url), text_of(home)) ? json_pack("{s:s}", "Authorization", SECRET) : NULL;
}

static struct run *attempt_of(void) {
    static const struct driver_ops ops = { .name = "fuzz", .remote = true, .download_headers = download_headers };
    static char url[64];
    static struct provider_config provider = { .name = "fuzz", .url = url, .allow_private = true };
    static struct config config = { .providers = &provider, .provider_count = 1 };
    static struct setup setup = { .config = &config };
    static struct generation generation = { .setup = &setup };
    static struct run run = { .attempt = { .provider = "fuzz" }, .engine = &engine, .generation = &generation, .ops = &ops };
    snprintf(url, sizeof(url), "http://%s", server_pairs()[0]);
    run.driver = (struct driver *)&run;
    return &run;
}

static void write_file(const char *path, const char *bytes) {
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    fuzz_hold(fd >= 0 && write(fd, bytes, strlen(bytes)) == (ssize_t)strlen(bytes) && close(fd) == 0, "%s", path);
}

static void make_work(void) {
    char path[160];
    snprintf(work, sizeof(work), "%s/work", place());
    snprintf(path, sizeof(path), "%s/d", work);
    fuzz_hold(mkdir(work, 0700) == 0 && mkdir(path, 0700) == 0);
    snprintf(path, sizeof(path), "%s/d/a.txt", work);
    write_file(path, "hello");
    snprintf(path, sizeof(path), "%s/secret", place());
    write_file(path, OUTSIDE);
    snprintf(path, sizeof(path), "%s/link", work);
    fuzz_hold(symlink("../secret", path) == 0);
}

static void close_all(void) {
    courier_close(engine.courier);
    uv_run(&loop, UV_RUN_NOWAIT);
    courier_free(engine.courier);
    blob_close(engine.blobs);
}

void fuzz_begin(void) {
    char blobs[128];
    struct fault fault = { .err = OK };
    make_work();
    snprintf(blobs, sizeof(blobs), "%s/blobs", place());
    fuzz_hold(blob_open(blobs, &engine.blobs, &fault) == OK, "%s", fault.message);
    uv_loop_init(&loop);
    server_open(&loop);
    const struct fetch_options options = { .allow = server_pairs(), .allow_count = SERVER_PAIRS };
    fuzz_hold(courier_new(&loop, &options, &engine.courier, &fault) == OK, "%s", fault.message);
    atexit(close_all);
}

void fuzz_seeds(void) {
    static const char *const seeds[] = {
        "s\n{\"base64\":\"iVBORw0KGgo=\"}\n[{\"url\":\"" TOKEN "0\",\"content_type\":null}]\n",
        "\n{\"base64\":\"data:image/png;base64,iVBORw0KGgo=\"}\n[{\"url\":\"" TOKEN "0\",\"text\":\"a\\u0001" TOKEN "9\"}]\n",
        "\n{\"hex\":\"89504e470d0a1a0A\"}\n[{\"" TOKEN "0\":\"\\\\" TOKEN "0" TOKEN "00\"}]\n",
        "\n{\"hex\":\"0\"}\n[]\n",
        "s\n{\"url\":\"data:text/plain,%41b\"}\n[{\"url\":\"" TOKEN "1\"}]\n",
        "\n{\"url\":\"DATA:;base64,////\"}\n[{}]\n",
        "s\n{\"file\":\"d/a.txt\"}\n[{\"url\":\"" TOKEN "0\",\"content_type\":\"image/png\",\"x\":[1,2.5,null,\"\\u00e9\"]}]\n",
        "\n{\"file\":\"../secret\"}\n[1]\n",
        "\n{\"file\":\"link\"}\n[1]\n",
        "\n{\"generate\":{\"kind\":\"image\",\"width\":9e9,\"height\":-1,\"seed\":5}}\n[1]\n",
        "s\n{\"generate\":{\"kind\":\"text\",\"text\":\"hello\"}}\n[1]\n",
        "s\n{\"url\":\"http://127.0.0.1:{P}/a.png\",\"auth\":true}\n[{\"url\":\"" TOKEN "0\"}]\n"
        "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 8\r\n\r\n\x89PNG\r\n\x1a\n",
        "\n{\"url\":\"http://127.0.0.1:{P}/a\",\"auth\":true}\n[1]\nHTTP/1.1 302 F\r\nLocation: http://127.0.0.2:{P}/b\r\n\r\n"
        "\n----\nHTTP/1.1 200 OK\r\n\r\nabroad",
        "\n{\"url\":\"http://127.0.0.2:{P}/a\",\"auth\":true}\n[1]\nHTTP/1.1 503 S\r\nRetry-After: 7\r\n\r\nbusy",
        "\n{\"url\":\"http://127.0.0.1:{P}/a\"}\n[1]\nHTTP/1.1 410 Gone\r\n\r\n",
        "\n{\"url\":\"http://127.0.0.1:{P}/a\"}\n[1]\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "\n{\"url\":\"http://127.0.0.1:{P}/a\"}\n[1]\nHTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut",
        "\n{\"url\":\"http://10.0.0.1/a\"}\n[1]\n",
        "\n{\"url\":\"file:///etc/passwd\"}\n[1]\n",
        "\n{\"nothing\":1}\n[1]\n",
        NULL,
    };
    fuzz_seed_list("artifact", seeds);
}

/* ---- the bytes ---- */

static void asked(struct text head, bool abroad, unsigned number) {
    (void)number;
    fuzz_hold(!abroad || !secret || !has_secret(head), "the key goes abroad");
}

static void all_fetched(struct artifact_store *all) {
    (void)all;
    fetched = true;
}

static void fetch(struct artifact *item) {
    fetched = false;
    artifact_fetch(item, all_fetched);
    bool started = item->all->fetching > 0;
    fuzz_hold(started || (item->err != OK && item->writer == NULL));
    while (started && !fetched) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    server_rest();
    fuzz_hold(item->all->fetching == 0 && item->errand == NULL);
    fuzz_hold((item->err == OK) == (item->writer != NULL));
    fuzz_hold(item->retry_after_ms >= 0 && item->retry_after_ms <= DAY_MS);
    fuzz_hold(item->err != OK || (item->http_status / 100 == 2 && !item->run_out && !item->empty));
}

/* The blob's bytes, wherever they are. */
static void read_blob(const struct blob *blob, char *ret) {
    int fd = -1;
    int64_t size = -1;
    if (blob->bytes != NULL) {
        memcpy(ret, blob->bytes, (size_t)blob->size);
        return;
    }
    fuzz_hold(blob_open_fd(engine.blobs, text_of(blob->hash), &fd, &size) == OK && size == blob->size);
    fuzz_hold(read(fd, ret, (size_t)size) == size && close(fd) == 0);
}

static void hold_blob(const struct artifact *item) {
    static char bytes[SIZE_MAX_ALLOWED];
    uint8_t digest[SHA256_SIZE];
    char hash[SHA256_HEX_SIZE];
    const struct blob *blob = &item->blob;
    fuzz_hold(blob->size > 0 && blob->size <= SIZE_MAX_ALLOWED, "%lld", (long long)blob->size);
    fuzz_hold(blob->bytes == NULL || blob->size <= item->all->small_max);
    read_blob(blob, bytes);
    struct text all = { bytes, (size_t)blob->size };
    crypto_sha256(all, digest);
    hex_encode(digest, sizeof(digest), hash);
    fuzz_hold(strcmp(hash, blob->hash) == 0);
    fuzz_hold(strcmp(blob->media_type, media_type_sniff(all)) == 0, "%s", blob->media_type);
    fuzz_hold(artifact_member(item->source, "file").ptr == NULL || !text_equal(all, TEXT(OUTSIDE)));
}

static void let_go(struct blob *blob) {
    char hash[SHA256_HEX_SIZE];
    bool stored = blob->bytes == NULL;
    memcpy(hash, blob->hash, sizeof(hash));
    blob_unpin(engine.blobs, blob);
    fuzz_hold(!stored || blob_remove(engine.blobs, text_of(hash)) == OK);
}

/* True: there is one. */
static bool take(struct artifact *item) {
    struct text url = artifact_member(item->source, "url");
    item->url = data_uri_is(url) ? NULL : url.ptr;
    if (item->url != NULL) {
        fetch(item);
    }
    if (item->err == OK) {
        item->err = artifact_take(item);
    }
    fuzz_hold(item->writer == NULL);
    if (item->err == OK) {
        hold_blob(item);
        return true;
    }
    fuzz_hold(!secret || strstr(item->fault.message, SECRET) == NULL, "%s", item->fault.message);
    fuzz_hold(text_is_utf8(text_of(item->fault.message)), "%s", item->fault.message);
    return false;
}

/* ---- the results ---- */

static void put_link(struct buffer *buf, unsigned index, void *context) {
    static const uint8_t signing[32] = { 1 };
    const struct artifact *item = context;
    fuzz_hold(index == 0);
    link_put(buf, signing, item->blob.hash, TEXT(NAME), 1764000000);
}

/* A service cannot know it; where the catalogue makes a name of it, two names may become the same. */
static bool is_in_a_name(json_t *value) {
    const char *name;
    json_t *member;
    size_t index;
    json_array_foreach(value, index, member) {
        if (is_in_a_name(member)) {
            return true;
        }
    }
    json_object_foreach(value, name, member) {
        if (strstr(name, TOKEN) != NULL || is_in_a_name(member)) {
            return true;
        }
    }
    return false;
}

/* What the task's owner is told, with the file's link in it. */
static void hold_results(struct artifact *item, json_t *array) {
    struct model_results results = { .array = array, .token = TOKEN, .artifact_count = 1 };
    struct answer answer = { .type = TASK_IMAGE, .state = TASK_COMPLETED, .model = TEXT("m"), .group = TEXT("default") };
    struct buffer stored, told;
    struct fault fault = { .err = OK };
    json_t *value = NULL;
    buffer_init(&stored, RESULTS_MAX);
    buffer_init(&told, RESULTS_MAX);
    results_set_types(&results, &item->blob.media_type);
    results_put(&stored, &results, put_link, item);
    fuzz_hold(buffer_ok(&stored));
    answer.results = buffer_text(&stored);
    answer_put_task(&told, &answer, TEXT("https://media.example"));
    fuzz_hold(buffer_ok(&told) && memchr(told.data, ANSWER_BASE, told.len) == NULL);
    if (is_in_a_name(array)) {
        value = json_loadb(told.data, told.len, 0, NULL);
    } else {
        (void)!json_read_any(buffer_text(&told), DEPTH_MAX, &value, &fault);
    }
    fuzz_hold(value != NULL, "%s: %s", fault.message, told.data);
    fuzz_hold(json_array_size(json_object_get(value, "results")) == json_array_size(array));
    json_decref(value);
    buffer_fini(&told);
    buffer_fini(&stored);
}

void fuzz_one(struct text input) {
    bool told = has_secret(input);
    struct text letters = fuzz_line(&input), first = fuzz_line(&input), second = fuzz_line(&input);
    json_t *source = NULL, *results = NULL;
    struct buffer named;
    secret = !told;
    buffer_init(&named, RESULTS_MAX);
    server_put(&named, first);
    if (buffer_ok(&named) && read_service_json(buffer_text(&named), &source, NULL) == OK && json_is_object(source)) {
        struct artifact_store all = { .run = attempt_of(), .engine = &engine, .size_max = SIZE_MAX_ALLOWED,
                                      .small_max = text_find(letters, 's') < letters.len ? SMALL_MAX : 0,
                                      .work_directory = work };
        struct artifact item = { .all = &all, .source = source };
        server_say(input, asked);
        if (take(&item)) {
            if (read_service_json(second, &results, NULL) == OK && json_is_array(results)) {
                hold_results(&item, results);
            }
            let_go(&item.blob);
        }
    }
    json_decref(results);
    json_decref(source);
    buffer_fini(&named);
}
