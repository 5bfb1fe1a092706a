/* Brings a server up in this process and down again, and fills it with what requests can be about. */
#include "house.h"

#include <ftw.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "admin/account.h"
#include "admin/key.h"
#include "api/api.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/log.h"
#include "blob/blob.h"
#include "config/config.h"
#include "engine/engine.h"
#include "fuzz.h"
#include "house_client.h"
#include "store/store.h"

#define ACTOR TEXT("cli:fuzz")
#define CLOCK_SPEED 60
#define WORD_MAX 1024
#define TASK_BODY "{\"model\":\"phota-image\",\"prompt\":\"%s\"}"
#define FILE_BODY "{\"file_data\":\"aGVsbG8=\",\"file_name\":\"%s.txt\"}"

/* Without limits that a fuzzer would only run into. The directory of commands is empty: none is run. */
static const char settings[] =
    "listen = \"127.0.0.1:0\"\n"
    "data = \"%s/data\"\n"
    "libexec = \"%s\"\n"
    "log = { level = \"error\" }\n"
    "http = { threads = 1, idle = 86400, request = 86400, wait = 5 }\n"
    "simulator = { seconds = 0 }\n"
    "drain = 0\n"
    "groups = { default = { price = 1.0, concurrency = 100000, requests_per_minute = 0, streams = 100000,\n"
    "                       waiters = 100000 } }\n";

static struct {
    char directory[64];
    struct store *store;
    struct blob_store *blobs;
    struct setup *setup;
    struct engine *engine;
    struct api *api;
    struct http_server *http;
    char keys[4][API_KEY_SIZE]; /* in the order of `letters` */
    char secret[33];
    struct {
        const char *name;
        char value[WORD_MAX];
    } words[8];
    unsigned word_count;
} house;

static const char letters[] = { HOUSE_TEST, HOUSE_LIVE, HOUSE_OTHER, HOUSE_OPERATOR };
static const char *const account_names[] = { "mine", "mine", "theirs" };

/* ---- up and down ---- */

static struct config *make_config(void) {
    char path[64];
    struct fault fault = { .err = OK };
    struct config *config = NULL;
    int file = memfd_create("settings", MFD_CLOEXEC);
    fuzz_hold(file >= 0 && dprintf(file, settings, house.directory, house.directory) > 0);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
    fuzz_hold(config_load(path, &config, &fault) == OK, "%s", fault.message);
    close(file);
    return config;
}

static void start(void) {
    char blobs[80];
    unsigned count;
    struct fault fault = { .err = OK };
    struct http_options options;
    struct config *config = make_config();
    const struct store_options store_options = { .directory = config->data, .serve = true, .gather = engine_gather };
    log_setup(LOG_ERROR, LOG_TEXT);
    fuzz_hold(store_open(&store_options, &house.store, &fault) == OK, "%s", fault.message);
    snprintf(blobs, sizeof(blobs), "%s/blobs", house.directory);
    fuzz_hold(blob_open(blobs, &house.blobs, &fault) == OK, "%s", fault.message);
    fuzz_hold(setup_new(config, &house.setup, &fault) == OK, "%s", fault.message);
    const struct engine_options engine = { .store = house.store, .blobs = house.blobs, .setup = house.setup };
    fuzz_hold(engine_start(&engine, &house.engine, &fault) == OK, "%s", fault.message);
    const struct api_options api = { .engine = house.engine, .store = house.store, .blobs = house.blobs };
    house.api = api_new(&api);
    api_http_options(house.api, house.setup->config, &options);
    const struct http_route *routes = api_routes(&count);
    fuzz_hold(http_server_new(&options, routes, count, &house.http, &fault) == OK, "%s", fault.message);
    api_set_server(house.api, house.http);
    house_client_connect(http_server_port(house.http));
}

static void complain(const char *words, void *context) {
    (void)context;
    fuzz_hold(false, "the books: %s", words);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *place) {
    (void)status, (void)type, (void)place;
    return remove(path);
}

void house_close(void) {
    api_close_door(house.api);
    engine_close_door(house.engine);
    http_server_drain(house.http);
    engine_stop(house.engine, 0);
    http_server_stop(house.http, 1000);
    setup_unref(house.setup);
    fuzz_hold(store_audit(house.store, complain, NULL) == OK);
    store_close(house.store);
    engine_free(house.engine);
    http_server_free(house.http);
    api_free(house.api);
    blob_close(house.blobs);
    fuzz_hold(nftw(house.directory, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

/* ---- keys ---- */

static void make_key(unsigned which) {
    struct fault fault = { .err = OK };
    if (letters[which] == HOUSE_OPERATOR) {
        struct key_row row = { .name = "fuzz" };
        fuzz_hold(admin_operator_key_create(house.store, ACTOR, &row, house.keys[which], &fault) == OK, "%s",
                  fault.message);
        return;
    }
    struct admin_key_wish wish = { .account_name = text_of(account_names[which]) };
    wish.row.book = letters[which] == HOUSE_LIVE ? BOOK_LIVE : BOOK_TEST;
    wish.row.created_ms = clock_wall_ms();
    fuzz_hold(admin_key_create(house.store, ACTOR, &wish, house.keys[which], &fault) == OK, "%s", fault.message);
}

struct text house_key(char who) {
    for (unsigned i = 0; i < sizeof(letters); i++) {
        if (letters[i] == who) {
            return text_of(house.keys[i]);
        }
    }
    return TEXT_NONE;
}

static bool is_good(char who) {
    struct house_answer answer;
    house_ask(who, who == HOUSE_OPERATOR ? TEXT("GET /admin/v1/groups") : TEXT("GET /v1/account/credits"), TEXT_NONE,
              TEXT_NONE, &answer);
    bool good = answer.status == 200;
    house_answer_fini(&answer);
    return good;
}

void house_mend(void) {
    for (unsigned i = 0; i < sizeof(letters); i++) {
        if (is_good(letters[i])) {
            continue;
        }
        if (letters[i] != HOUSE_OPERATOR) {
            struct fault fault = { .err = OK };
            struct account_row account;
            const struct admin_account_change change = { .group = TEXT("default"), .has_suspended = true };
            fuzz_hold(store_find_account(house.store, text_of(account_names[i]), &account) == OK);
            fuzz_hold(admin_account_change(house.store, ACTOR, account.id, &change, &account, &fault) == OK);
        }
        make_key(i);
        fuzz_hold(is_good(letters[i]), "a new key of %c", letters[i]);
    }
}

/* ---- what belongs to them ---- */

struct text house_secret(void) {
    return text_of(house.secret);
}

struct text house_word(struct text name) {
    if (text_equal(name, TEXT("key"))) {
        return house_key(HOUSE_OPERATOR);
    }
    for (unsigned i = 0; i < house.word_count; i++) {
        if (text_equal(text_of(house.words[i].name), name)) {
            return text_of(house.words[i].value);
        }
    }
    return TEXT_NONE;
}

static void set_word(const char *name, struct text value) {
    fuzz_hold(house.word_count < ARRAY_SIZE(house.words) && value.len > 0 && value.len < WORD_MAX, "%s", name);
    house.words[house.word_count].name = name;
    snprintf(house.words[house.word_count].value, WORD_MAX, "%.*s", TEXT_ARG(value));
    house.word_count++;
}

/* The answer's object, whose status is 200. */
static json_t *ask_well(char who, const char *request, const char *body) {
    struct house_answer answer;
    struct fault fault = { .err = OK };
    json_t *value = NULL;
    house_ask(who, text_of(request), TEXT("Content-Type: application/json"), text_of(body), &answer);
    fuzz_hold(answer.status == 200, "%s: %.*s", request, TEXT_ARG(buffer_text(&answer.bytes)));
    fuzz_hold(json_read_object(answer.body, 32, &value, &fault) == OK, "%s", fault.message);
    house_answer_fini(&answer);
    return value;
}

static struct text path_of(const char *url) {
    const char *path = strchr(strstr(url, "//") + 2, '/');
    return text_of(path);
}

/* A task that has ended; its results' URL as a path. */
static void make_task(char who, const char *id_name, const char *link_name) {
    char body[256], request[128];
    snprintf(body, sizeof(body), TASK_BODY, who == HOUSE_OTHER ? house.secret : "a boat");
    json_t *task = ask_well(who, "POST /v1/images/generations", body);
    set_word(id_name, json_text_of(json_object_get(task, "id")));
    snprintf(request, sizeof(request), "GET /v1/tasks/%s?wait=5", json_string_value(json_object_get(task, "id")));
    while (json_array_size(json_object_get(task, "results")) == 0) {
        json_decref(task);
        task = ask_well(who, request, "");
    }
    const json_t *first = json_array_get(json_object_get(task, "results"), 0);
    set_word(link_name, path_of(json_string_value(json_object_get(first, "url"))));
    json_decref(task);
}

static void make_file(char who, const char *name) {
    char body[256];
    snprintf(body, sizeof(body), FILE_BODY, who == HOUSE_OTHER ? house.secret : "a");
    json_t *file = ask_well(who, "POST /v1/files/upload/base64", body);
    set_word(name, json_text_of(json_object_get(file, "id")));
    json_decref(file);
}

static void make_account_word(void) {
    char id[32];
    struct account_row account;
    fuzz_hold(store_find_account(house.store, text_of(account_names[0]), &account) == OK);
    snprintf(id, sizeof(id), "%lld", (long long)account.id);
    set_word("account", text_of(id));
}

static void begin_once(void) {
    static bool begun;
    if (!begun) {
        signal(SIGPIPE, SIG_IGN);
        clock_set_speed(CLOCK_SPEED, 0);
        begun = true;
    }
}

void house_open(void) {
    uint8_t random[16];
    begin_once();
    memset(&house, 0, sizeof(house));
    crypto_random(random, sizeof(random));
    hex_encode(random, sizeof(random), house.secret);
    snprintf(house.directory, sizeof(house.directory), "%s/fennec-fuzz-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    fuzz_hold(mkdtemp(house.directory) != NULL, "%s", house.directory);
    start();
    for (unsigned i = 0; i < sizeof(letters); i++) {
        make_key(i);
    }
    make_account_word();
    make_task(HOUSE_TEST, "task", "link");
    make_task(HOUSE_OTHER, "other", "otherlink");
    make_file(HOUSE_TEST, "file");
    make_file(HOUSE_OTHER, "otherfile");
}
