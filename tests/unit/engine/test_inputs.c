/* Input files on their way into the work directory. */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "blob/link.h"
#include "fake_driver.h"
#include "house.h"
#include "server.h"
#include "tests.h"

static const char png[] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
#define PNG_TEXT ((struct text){ png, sizeof(png) - 1 })
#define RESULTS "\"results\":[{\"voice_id\":\"v\"}]"

/* A server that says these bytes whenever it is asked, and leaves the rest to the other side. */
struct parrot {
    int fd;
    pthread_t thread;
    char host_port[32];
    _Atomic(const char *) says;
    atomic_uint asked;
};

static struct house house;
static struct server server;
static struct parrot parrot;

static void *repeat(void *context) {
    (void)context;
    char heard[4096];
    int conn;
    while ((conn = accept(parrot.fd, NULL, NULL)) >= 0) {
        while (read(conn, heard, sizeof(heard)) > 0) {
            const char *says = parrot.says;
            parrot.asked++;
            if (send(conn, says, strlen(says), MSG_NOSIGNAL) < 0)
                break;
        }
        close(conn);
    }
    return NULL;
}

static void open_parrot(void) {
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof(address);
    parrot.says = "";
    parrot.asked = 0;
    parrot.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(parrot.fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(parrot.fd, 16), 0);
    assert_int_equal(getsockname(parrot.fd, (struct sockaddr *)&address, &size), 0);
    snprintf(parrot.host_port, sizeof(parrot.host_port), "127.0.0.1:%d", ntohs(address.sin_port));
    assert_int_equal(pthread_create(&parrot.thread, NULL, repeat, NULL), 0);
}

static void close_parrot(void) {
    shutdown(parrot.fd, SHUT_RDWR);
    pthread_join(parrot.thread, NULL);
    close(parrot.fd);
}

static int open_house(void **state) {
    (void)state;
    static const char *allow[2];
    fake_reset();
    server_open(&server, 200, png, sizeof(png) - 1);
    open_parrot();
    allow[0] = server.host_port;
    allow[1] = parrot.host_port;
    struct config limits = { .fetch_allow = allow, .fetch_allow_count = 2, .input_max = 1000 };
    house_open(&house, NULL, &limits);
    house_start(&house);
    return 0;
}

static bool no_work_left(void *context) {
    char path[96];
    (void)context;
    snprintf(path, sizeof(path), "%s/work", house.directory);
    return rmdir(path) == 0; /* works on an empty directory only */
}

static int close_house(void **state) {
    (void)state;
    house_audit(&house);
    house_await_true(no_work_left, NULL);
    house_close(&house);
    server_close(&server);
    close_parrot();
    return 0;
}

static struct task_id run_with(const char *value) {
    char input[4096];
    snprintf(input, sizeof(input), "{\"do\":\"succeed\",\"files\":[\"%s\"]," RESULTS "}", value);
    return house_run(&house, 0, "files", input);
}

static void assert_failed(const struct task_id *id, const char *code, const char *words) {
    house_await(&house, 0, id, TASK_FAILED);
    char *body = house_query(&house, 0, id, HOUSE_BASE);
    if (strstr(body, code) == NULL || strstr(body, words) == NULL)
        fail_msg("%s, %s: not in %s", code, words, body);
    free(body);
    assert_int_equal(fake_started(), 0);
}

static void assert_got_png(void) {
    char bytes[64], type[64];
    fake_last_file(bytes, sizeof(bytes), type, sizeof(type));
    assert_string_equal(type, "image/png");
    assert_memory_equal(bytes, png, 8);
}

static struct submission_input stored_input(struct text bytes) {
    struct fault fault;
    struct submission_input input = { .name = "a.png" };
    assert_int_equal(blob_put_bytes(house.blobs, bytes, 1 << 20, &input.blob, &fault), OK);
    return input;
}

/* A task whose file came inside its submission, once it has completed. */
static struct task_id complete_stored(void) {
    struct submission_input file = stored_input(PNG_TEXT);
    struct task_id id;
    char input[512];
    snprintf(input, sizeof(input), "{\"do\":\"succeed\",\"files\":[\"fennec-blob:%s/a.png\"]," RESULTS "}", file.blob.hash);
    assert_int_equal(house_submit(&house, &(struct order){ .model = "files", .input = input, .file = &file }, &id), OK);
    house_await(&house, 0, &id, TASK_COMPLETED);
    assert_got_png();
    return id;
}

static void a_stored_input_is_copied(void **state) {
    (void)state;
    (void)complete_stored();
}

/* Readings of what a task claims that are still to fail. */
static atomic_uint unread_claims;

enum err __real_store_list_artifacts(struct store *store, int64_t account, const struct task_id *id,
                                     bool (*each)(const struct artifact_row *, void *), void *context);
enum err __wrap_store_list_artifacts(struct store *store, int64_t account, const struct task_id *id,
                                     bool (*each)(const struct artifact_row *, void *), void *context);
enum err __wrap_store_list_artifacts(struct store *store, int64_t account, const struct task_id *id,
                                     bool (*each)(const struct artifact_row *, void *), void *context) {
    if (atomic_load(&unread_claims) == 0)
        return __real_store_list_artifacts(store, account, id, each, context);
    atomic_fetch_sub(&unread_claims, 1);
    return ERR_NO_MEMORY;
}

static void a_claim_that_cannot_be_read_is_no_claim_that_is_not_there(void **state) {
    (void)state;
    char text[512];
    atomic_store(&unread_claims, 2);
    struct task_id id = complete_stored();
    assert_int_equal(atomic_load(&unread_claims), 0);
    house_attempts(&house, 0, &id, text, sizeof(text));
    assert_string_equal(text, "failed failed succeeded");
}

static void a_stored_input_of_another_task_is_not_there(void **state) {
    (void)state;
    struct submission_input file = stored_input(PNG_TEXT);
    char value[128];
    snprintf(value, sizeof(value), "fennec-blob:%s/a.png", file.blob.hash);
    struct task_id id = run_with(value);
    assert_failed(&id, "resource_not_found", "files[0]: the file is not there."); /* S2 */
    blob_unpin(house.blobs, &file.blob);
}

static void our_own_link_needs_no_request(void **state) {
    (void)state;
    struct submission_input file = stored_input(PNG_TEXT);
    struct buffer url;
    buffer_init(&url, 1024);
    buffer_printf(&url, "http://nowhere.invalid");
    link_put(&url, store_secret(house.store), file.blob.hash, TEXT("x.png"), clock_wall_ms() / 1000 + 60);
    struct task_id id = run_with(url.data);
    house_await(&house, 0, &id, TASK_COMPLETED);
    assert_got_png();

    buffer_clear(&url);
    buffer_printf(&url, "http://nowhere.invalid");
    link_put(&url, store_secret(house.store), file.blob.hash, TEXT("x.png"), clock_wall_ms() / 1000 - 60);
    fake_reset();
    id = run_with(url.data);
    assert_failed(&id, "resource_not_found", "files[0]: the link has expired.");
    buffer_fini(&url);
    blob_unpin(house.blobs, &file.blob);
}

static void a_url_is_fetched(void **state) {
    (void)state;
    char url[64];
    snprintf(url, sizeof(url), "http://%s/a", server.host_port);
    struct task_id id = run_with(url);
    house_await(&house, 0, &id, TASK_COMPLETED);
    assert_got_png();
}

/* T4: a driver never saw it, so it is simply not begun. */
static void a_stop_while_inputs_come_gives_the_task_back(void **state) {
    (void)state;
    char url[64], text[256];
    snprintf(url, sizeof(url), "http://%s/a", server.host_port);
    server_stall(&server, true); /* takes the connection, and says nothing */
    struct task_id id = run_with(url);
    house_await(&house, 0, &id, TASK_PROCESSING);
    house_stop(&house);
    server_stall(&server, false);
    house_start(&house);
    house_await(&house, 0, &id, TASK_COMPLETED);
    house_events(&house, 0, &id, text, sizeof(text));
    assert_string_equal(text, "accepted dispatched returned dispatched completed");
    house_attempts(&house, 0, &id, text, sizeof(text));
    assert_string_equal(text, "abandoned succeeded");
    assert_got_png();
}

static void a_private_address_is_not(void **state) {
    (void)state;
    struct task_id id = run_with("http://127.0.0.1:9/a");
    assert_failed(&id, "invalid_parameters", "files[0]: the URL leads to an address that is not allowed."); /* S1 */
}

static void a_missing_file_is_the_senders_mistake(void **state) {
    (void)state;
    char url[64];
    server.status = 404;
    snprintf(url, sizeof(url), "http://%s/a", server.host_port);
    struct task_id id = run_with(url);
    assert_failed(&id, "invalid_parameters", "HTTP status 404");
}

static void another_kind_of_file_is_refused(void **state) {
    (void)state;
    struct submission_input file = stored_input(TEXT("just words"));
    struct task_id id;
    char input[512];
    snprintf(input, sizeof(input), "{\"do\":\"succeed\",\"files\":[\"fennec-blob:%s/a.png\"]," RESULTS "}", file.blob.hash);
    assert_int_equal(house_submit(&house, &(struct order){ .model = "files", .input = input, .file = &file }, &id), OK);
    assert_failed(&id, "image_processing_error", "files[0]: the file is ");
}

static void a_file_over_the_limit_is_refused(void **state) {
    (void)state;
    static char large[2000] = "\x89PNG\r\n\x1a\n";
    struct submission_input file = stored_input((struct text){ large, sizeof(large) });
    struct task_id id;
    char input[512];
    snprintf(input, sizeof(input), "{\"do\":\"succeed\",\"files\":[\"fennec-blob:%s/a.png\"]," RESULTS "}", file.blob.hash);
    assert_int_equal(house_submit(&house, &(struct order){ .model = "files", .input = input, .file = &file }, &id), OK);
    assert_failed(&id, "invalid_parameters", "larger than 1000 bytes");
    server.bytes = large;
    server.len = sizeof(large);
    snprintf(input, sizeof(input), "http://%s/a", server.host_port);
    id = run_with(input);
    assert_failed(&id, "invalid_parameters", "larger than 1000 bytes");
}

/* Nothing is waited for, and nothing is asked again. */
static void a_length_over_the_limit_is_refused_when_it_is_announced(void **state) {
    (void)state;
    char url[64];
    parrot.says = "HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n";
    snprintf(url, sizeof(url), "http://%s/a", parrot.host_port);
    struct task_id id = run_with(url);
    assert_failed(&id, "invalid_parameters", "files[0]: the file is larger than 1000 bytes.");
    assert_int_equal(parrot.asked, 1);
}

/* Only what a second try may change is asked for again. */
static void what_is_final_is_asked_for_once(void **state) {
    (void)state;
    static char bomb[70000] = "HTTP/1.1 200 OK\r\nX-Filler: ", line[200000] = "HTTP/1.1 200 OK\r\nX-Filler: ";
    static const struct {
        const char *says, *words;
        unsigned asked;
    } cases[] = {
        { "HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n", "HTTP status 404", 1 },
        { "HTTP/1.1 304 X\r\n\r\n", "HTTP status 304", 1 },
        { "HTTP/1.1 302 X\r\nLocation: /a\r\nContent-Length: 0\r\n\r\n",
          "files[0]: the file could not be fetched.", 6 },
        { bomb, "files[0]: the file could not be fetched.", 1 },
        { line, "files[0]: the file could not be fetched.", 1 },
        { "HTTP/1.1 302 X\r\nLocation: ftp://127.0.0.1/a\r\nContent-Length: 0\r\n\r\n",
          "an address that is not allowed", 1 },
        { "HTTP/1.1 408 X\r\nContent-Length: 0\r\n\r\n", "HTTP status 408", 3 },
        { "HTTP/1.1 425 X\r\nContent-Length: 0\r\n\r\n", "HTTP status 425", 3 },
        { "HTTP/1.1 429 X\r\nContent-Length: 0\r\n\r\n", "HTTP status 429", 3 },
        { "HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n", "HTTP status 503", 3 },
    };
    char url[64];
    memset(bomb + strlen(bomb), 'x', sizeof(bomb) - strlen(bomb) - 1);
    memset(line + strlen(line), 'x', sizeof(line) - strlen(line) - 1); /* and no end of it */
    memcpy(bomb + sizeof(bomb) - 3, "\r\n", 2);
    snprintf(url, sizeof(url), "http://%s/a", parrot.host_port);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        parrot.says = cases[i].says;
        parrot.asked = 0;
        struct task_id id = run_with(url);
        assert_failed(&id, "invalid_parameters", cases[i].words);
        if (parrot.asked != cases[i].asked)
            fail_msg("%s: asked %u times", cases[i].words, parrot.asked);
    }
}

int test_inputs(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_stored_input_is_copied, open_house, close_house),
        cmocka_unit_test_setup_teardown(a_claim_that_cannot_be_read_is_no_claim_that_is_not_there, open_house, close_house),
        cmocka_unit_test_setup_teardown(a_stored_input_of_another_task_is_not_there, open_house, close_house),
        cmocka_unit_test_setup_teardown(our_own_link_needs_no_request, open_house, close_house),
        cmocka_unit_test_setup_teardown(a_url_is_fetched, open_house, close_house),
        cmocka_unit_test_setup_teardown(a_stop_while_inputs_come_gives_the_task_back, open_house, close_house),
        cmocka_unit_test_setup_teardown(a_private_address_is_not, open_house, close_house),
        cmocka_unit_test_setup_teardown(a_missing_file_is_the_senders_mistake, open_house, close_house),
        cmocka_unit_test_setup_teardown(another_kind_of_file_is_refused, open_house, close_house),
        cmocka_unit_test_setup_teardown(a_file_over_the_limit_is_refused, open_house, close_house),
        cmocka_unit_test_setup_teardown(a_length_over_the_limit_is_refused_when_it_is_announced, open_house,
                                        close_house),
        cmocka_unit_test_setup_teardown(what_is_final_is_asked_for_once, open_house, close_house),
    };
    return cmocka_run_group_tests_name("inputs", tests, NULL, NULL);
}
