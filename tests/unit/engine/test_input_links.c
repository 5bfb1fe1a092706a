/* What a service elsewhere is given in the place of a task's media values. */
#include <stdlib.h>
#include <unistd.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/json.h"
#include "blob/link.h"
#include "config/config.h"
#include "fake_driver.h"
#include "file_host.h"
#include "house.h"
#include "tests.h"

static const char png[] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
#define PNG_TEXT ((struct text){ png, sizeof(png) - 1 })
#define PNG_DATA "data:image/png;base64,iVBORw0KGgoAAAANSUhEUg=="
#define PUBLIC "https://media.example.com/here"
#define RESULTS "\"results\":[{\"voice_id\":\"v\"}]"

static struct house house;
static struct file_host host;

struct arrangement {
    const char *public_url;
    bool rehost;
    int64_t storage;
};

static int open_house(void **state) {
    static const char *allow[1];
    static struct provider_config provider;
    static struct group_config group;
    const struct arrangement *arrangement = *state;
    fake_reset();
    file_host_open(&host, "127.0.0.1");
    file_host_give(&host, "/a", png, sizeof(png) - 1);
    allow[0] = host.host_port;
    provider = (struct provider_config){ .name = "service", .rehost = arrangement->rehost };
    group = (struct group_config){ .name = "default", .price_ppm = 1000000, .concurrency = 1000,
                                    .storage = arrangement->storage };
    struct config limits = { .fetch_allow = allow, .fetch_allow_count = 1, .input_max = 100000, .providers = &provider,
        .provider_count = 1, .groups = &group, .group_count = 1, .public_url = arrangement->public_url };
    house_open(&house, NULL, &limits);
    house_start(&house);
    return 0;
}

static int close_house(void **state) {
    (void)state;
    house_audit(&house);
    house_close(&house);
    file_host_close(&host);
    fake_reset();
    return 0;
}

static struct submission_input stored_input(struct text bytes) {
    struct fault fault;
    struct submission_input input = { .name = "a.png" };
    assert_int_equal(blob_put_bytes(house.blobs, bytes, 1 << 20, &input.blob, &fault), OK);
    return input;
}

static struct task_id run_values(const char *form, const char *values, const struct submission_input *file) {
    char input[8192];
    struct task_id id = { "" };
    snprintf(input, sizeof(input), "{\"do\":\"succeed\",\"form\":\"%s\",\"files\":[%s]," RESULTS "}", form, values);
    assert_int_equal(house_submit(&house, &(struct order){ .model = "service", .input = input, .file = file }, &id), OK);
    return id;
}

static struct task_id run_stored(const char *form, struct submission_input *file) {
    char value[256];
    snprintf(value, sizeof(value), "\"fennec-blob:%s/%s\"", file->blob.hash, file->name);
    return run_values(form, value, file);
}

static void assert_failed(const struct task_id *id, const char *code, const char *words) {
    house_await(&house, 0, id, TASK_FAILED);
    char *body = house_query(&house, 0, id, HOUSE_BASE);
    if (strstr(body, code) == NULL || strstr(body, words) == NULL)
        fail_msg("%s, %s: not in %s", code, words, body);
    free(body);
    assert_int_equal(fake_started(), 0);
}

/* The value that the driver got at that place; freed by the caller. */
static char *value_at(const struct task_id *id, size_t at) {
    struct fault fault;
    house_await(&house, 0, id, TASK_COMPLETED);
    char *text = fake_last_values();
    scoped(json_release) json_t *values = NULL;
    assert_non_null(text);
    assert_int_equal(json_read_any(text_of(text), 8, &values, &fault), OK);
    free(text);
    const char *value = json_string_value(json_array_get(values, at));
    assert_non_null(value);
    return strdup(value);
}

static void assert_value(const struct task_id *id, size_t at, const char *expected) {
    char *value = value_at(id, at);
    assert_string_equal(value, expected);
    free(value);
}

/* A link of ours, below the public URL, to these bytes, good for a day at least. */
static void assert_link(const struct task_id *id, size_t at, const char *name, struct text bytes) {
    char *value = value_at(id, at), got[256];
    struct link link;
    int fd = -1;
    int64_t size;
    assert_memory_equal(value, PUBLIC LINK_PATH_PREFIX, sizeof(PUBLIC LINK_PATH_PREFIX) - 1);
    struct text rest = text_of(value + sizeof(PUBLIC) - 1), path = text_cut(&rest, '?');
    assert_int_equal(link_check(path, rest, store_secret(house.store), clock_wall_ms() / 1000, &link), OK);
    assert_true(link.expires_s > clock_wall_ms() / 1000 + 86400);
    assert_string_equal(link.name, name);
    assert_int_equal(blob_open_fd(house.blobs, text_of(link.hash), &fd, &size), OK);
    assert_int_equal(read(fd, got, sizeof(got)), (ssize_t)bytes.len);
    assert_memory_equal(got, bytes.ptr, bytes.len);
    close(fd);
    free(value);
}

static char *own_link(const struct submission_input *file, int64_t from_now_s) {
    struct buffer url;
    buffer_init(&url, 1024);
    buffer_printf(&url, "http://127.0.0.1:1");
    link_put(&url, store_secret(house.store), file->blob.hash, TEXT("x.png"), clock_wall_ms() / 1000 + from_now_s);
    char *value = buffer_take(&url);
    buffer_fini(&url);
    return value;
}

static struct arrangement with_url = { PUBLIC }, without_url = { NULL };
static struct arrangement rehosting = { PUBLIC, true }, rehosting_without_url = { NULL, true };
static struct arrangement with_little_space = { PUBLIC, true, sizeof(png) - 1 };

static void a_stored_file_becomes_our_link(void **state) {
    (void)state;
    struct submission_input file = stored_input(PNG_TEXT);
    struct task_id id = run_stored("links", &file);
    assert_link(&id, 0, "a.png", PNG_TEXT);
}

static void a_stored_file_becomes_a_data_uri(void **state) {
    (void)state;
    struct submission_input file = stored_input(PNG_TEXT);
    struct task_id id = run_stored("inline", &file);
    assert_value(&id, 0, PNG_DATA);
}

static void a_stored_file_needs_a_public_url_for_its_link(void **state) {
    (void)state;
    struct submission_input file = stored_input(PNG_TEXT);
    struct task_id id = run_stored("links", &file);
    assert_failed(&id, "invalid_parameters", "files[0]: this server has no public URL to hand the file to the service by");
}

static void a_stored_file_of_another_task_is_not_handed_on(void **state) {
    (void)state;
    static const char *const forms[] = { "links", "inline", "files" };
    struct submission_input file = stored_input(PNG_TEXT);
    char value[256];
    snprintf(value, sizeof(value), "\"fennec-blob:%s/%s\"", file.blob.hash, file.name);
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        struct task_id id = run_values(forms[i], value, NULL);
        assert_failed(&id, "resource_not_found", "files[0]: the file is not there."); /* S2 */
    }
    blob_unpin(house.blobs, &file.blob);
}

static void our_own_link_leads_to_the_public_url(void **state) {
    (void)state;
    char values[512], expected[512];
    struct submission_input file = stored_input(PNG_TEXT);
    char *url = own_link(&file, 60);
    snprintf(values, sizeof(values), "\"%s\"", url);
    snprintf(expected, sizeof(expected), PUBLIC "%s", url + strlen("http://127.0.0.1:1"));
    struct task_id id = run_values("links", values, NULL);
    assert_value(&id, 0, expected);
    id = run_values("inline", values, NULL);
    assert_value(&id, 0, PNG_DATA);
    free(url);
    fake_reset();
    url = own_link(&file, -60);
    snprintf(values, sizeof(values), "\"%s\"", url);
    id = run_values("links", values, NULL);
    assert_failed(&id, "resource_not_found", "files[0]: the link has expired.");
    free(url);
    blob_unpin(house.blobs, &file.blob);
}

static void our_own_link_goes_inside_without_a_public_url(void **state) {
    (void)state;
    char values[512];
    struct submission_input file = stored_input(PNG_TEXT);
    char *url = own_link(&file, 60);
    snprintf(values, sizeof(values), "\"%s\"", url);
    struct task_id id = run_values("links", values, NULL);
    assert_value(&id, 0, PNG_DATA);
    free(url);
    blob_unpin(house.blobs, &file.blob);
}

static void urls_from_outside_stay(void **state) {
    (void)state;
    static const char *const forms[] = { "links", "inline" };
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        struct task_id id = run_values(forms[i], "\"https://example.com/a.png?b=c\"", NULL);
        assert_value(&id, 0, "https://example.com/a.png?b=c");
    }
    assert_int_equal(file_host_asked(&host), 0);
}

struct roles {
    unsigned inputs;
    int64_t expires_ms;
};

static bool count_inputs(const struct artifact_row *row, void *context) {
    struct roles *roles = context;
    roles->inputs += row->role == ARTIFACT_INPUT;
    roles->expires_ms = row->expires_ms;
    return true;
}

static void a_url_from_outside_is_stored_here_where_that_is_wanted(void **state) {
    (void)state;
    char values[256];
    struct roles roles = { 0 };
    snprintf(values, sizeof(values), "\"http://%s/a\",\"http://%s/a?again\"", host.host_port, host.host_port);
    struct task_id id = run_values("links", values, NULL);
    assert_link(&id, 0, "input-1.png", PNG_TEXT);
    assert_link(&id, 1, "input-2.png", PNG_TEXT);
    assert_int_equal(file_host_asked(&host), 2);
    /* the task's own, and let go with its end */
    assert_int_equal(store_list_artifacts(house.store, house.accounts[0].id, &id, count_inputs, &roles), OK);
    assert_int_equal(roles.inputs, 2);
    assert_true(roles.expires_ms <= clock_wall_ms());
    id = run_values("inline", values, NULL);
    assert_value(&id, 1, PNG_DATA);
}

/* S3. Once for all who have the same bytes; what another would add to them is refused, before any service hears of it. */
static void what_is_stored_here_takes_the_space_of_inputs(void **state) {
    (void)state;
    static const char other[] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR, and more";
    char values[256], input[512];
    struct task_id waiting, full;
    struct roles roles = { 0 };
    file_host_give(&host, "/b", other, sizeof(other) - 1);
    snprintf(values, sizeof(values), "\"http://%s/a\"", host.host_port);
    snprintf(input, sizeof(input), "{\"do\":\"hold\",\"form\":\"links\",\"files\":[%s]," RESULTS "}", values);
    waiting = house_run(&house, 0, "service", input);
    house_await_started(1);
    full = run_values("links", values, NULL);
    house_await(&house, 0, &full, TASK_COMPLETED);
    snprintf(values, sizeof(values), "\"http://%s/b\"", host.host_port);
    full = run_values("links", values, NULL);
    house_await(&house, 0, &full, TASK_FAILED);
    char *body = house_query(&house, 0, &full, HOUSE_BASE);
    assert_non_null(strstr(body, "resource_exhausted"));
    assert_non_null(strstr(body, "take all the space that they may"));
    free(body);
    assert_int_equal(store_list_artifacts(house.store, house.accounts[0].id, &full, count_inputs, &roles), OK);
    assert_int_equal(roles.inputs, 0);
    assert_int_equal(fake_started(), 2);
    fake_release(1);
    house_await(&house, 0, &waiting, TASK_COMPLETED);
}

static void what_is_stored_here_may_go_inside(void **state) {
    (void)state;
    char values[128];
    snprintf(values, sizeof(values), "\"http://%s/a\"", host.host_port);
    struct task_id id = run_values("links", values, NULL);
    assert_value(&id, 0, PNG_DATA);
}

static void what_cannot_be_stored_here_fails(void **state) {
    (void)state;
    static char large[200000] = "HTTP/1.1 200 OK\r\n\r\n\x89PNG\r\n\x1a\n";
    static const struct {
        const char *path, *code, *words;
    } cases[] = {
        { "/none", "invalid_parameters", "files[0]: the file could not be fetched, its server answered with HTTP status 404." },
        { "/empty", "invalid_parameters", "files[0]: the file is empty." },
        { "/words", "image_processing_error", "files[0]: the file is text/plain, not image." },
        { "/long", "image_processing_error", "files[0]: the file is audio/wav, not image." },
        { "/large", "invalid_parameters", "files[0]: the file is larger than 100000 bytes." },
    };
    file_host_give(&host, "/empty", "", 0);
    file_host_give(&host, "/words", "only words", 10);
    file_host_give(&host, "/long", "RIFF\0\0\0\0WAVEfmt ", 16);
    file_host_say(&host, "/large", 0, large, sizeof(large));
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char values[128];
        snprintf(values, sizeof(values), "\"http://%s%s\"", host.host_port, cases[i].path);
        struct task_id id = run_values("links", values, NULL);
        assert_failed(&id, cases[i].code, cases[i].words);
    }
    struct task_id id = run_values("links", "\"http://127.0.0.1:9/a\"", NULL);
    assert_failed(&id, "invalid_parameters", "files[0]: the URL leads to an address that is not allowed."); /* S1 */
}

static void a_file_at_hand_is_held_to_its_limits(void **state) {
    (void)state;
    static const char wide[] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x27\x10\0\0\0\x10\x08\x02";
    static const char *const forms[] = { "links", "inline", "files" };
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        struct submission_input file = stored_input((struct text){ wide, sizeof(wide) - 1 });
        struct task_id id = run_stored(forms[i], &file);
        assert_failed(&id, "invalid_parameters", "files[0]: The file must have at most 8000 pixels a side; it has 10000 x 16.");
    }
    char values[128];
    file_host_give(&host, "/wide", wide, sizeof(wide) - 1);
    snprintf(values, sizeof(values), "\"http://%s/wide\"", host.host_port);
    struct task_id id = run_values("links", values, NULL);
    assert_failed(&id, "invalid_parameters", "at most 8000 pixels a side");
}

static void inline_files_have_a_bound_together(void **state) {
    (void)state;
    size_t size = (size_t)15 << 20;
    char *large = calloc(1, size), values[512];
    assert_non_null(large);
    memcpy(large, png, sizeof(png) - 1);
    struct submission_input file = { .name = "a.png" };
    struct fault fault;
    assert_int_equal(blob_put_bytes(house.blobs, (struct text){ large, size }, (int64_t)size, &file.blob, &fault), OK);
    free(large);
    snprintf(values, sizeof(values), "\"fennec-blob:%s/a.png\",\"fennec-blob:%s/a.png\"", file.blob.hash, file.blob.hash);
    struct task_id id = run_values("inline", values, &file);
    assert_failed(&id, "invalid_parameters", "files[1]: the files are larger than the 20971520 bytes");
}

static void files_are_brought_to_hand_for_a_service_too(void **state) {
    (void)state;
    char values[128], bytes[64], type[64];
    snprintf(values, sizeof(values), "\"http://%s/a\"", host.host_port);
    struct task_id id = run_values("files", values, NULL);
    house_await(&house, 0, &id, TASK_COMPLETED);
    fake_last_file(bytes, sizeof(bytes), type, sizeof(type));
    assert_string_equal(type, "image/png");
}

static void a_cancel_while_files_are_stored_ends_the_task(void **state) {
    (void)state;
    char values[128];
    static const char slow[] = "HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n";
    file_host_say(&host, "/slow", 0, slow, sizeof(slow) - 1);
    snprintf(values, sizeof(values), "\"http://%s/slow\"", host.host_port);
    struct task_id id = run_values("links", values, NULL);
    enum err err = house_cancel(&house, 0, &id);
    assert_true(err == OK || err == ERR_TASK_FINAL); /* the last try may have ended it first */
    house_await(&house, 0, &id, TASK_FAILED);
    assert_int_equal(house_balance(&house, 0), HOUSE_CREDITS);
}

/* Its job is made, and then what it was asked for cannot be read any more. */
static void end_with_spoilt_input(const char *value, const struct submission_input *file, enum task_state expected) {
    char input[512];
    struct task_id id = { "" };
    snprintf(input, sizeof(input), "{\"do\":\"hold\",\"remote\":\"job-1\",\"form\":\"inline\",\"files\":[%s]," RESULTS "}", value);
    assert_int_equal(house_submit(&house, &(struct order){ .model = "service", .input = input, .file = file }, &id), OK);
    house_await_event(&house, 0, &id, "submitted");
    house_settle(&house);
    house_spoil_input(&house, &id);
    fake_release(1);
    house_await(&house, 0, &id, expected);
}

/* It may be megabytes, and results are made of what the client has said. */
static void an_input_with_files_in_it_is_not_kept(void **state) {
    (void)state;
    char value[256];
    struct submission_input file = stored_input(PNG_TEXT);
    snprintf(value, sizeof(value), "\"fennec-blob:%s/%s\"", file.blob.hash, file.name);
    end_with_spoilt_input("", NULL, TASK_COMPLETED);
    end_with_spoilt_input(value, &file, TASK_FAILED);
}

int test_input_links(void) {
#define IN_HOUSE(test, arrangement) { #test, test, open_house, close_house, &(arrangement) }
    const struct CMUnitTest tests[] = {
        IN_HOUSE(a_stored_file_becomes_our_link, with_url),
        IN_HOUSE(a_stored_file_becomes_a_data_uri, without_url),
        IN_HOUSE(a_stored_file_needs_a_public_url_for_its_link, without_url),
        IN_HOUSE(a_stored_file_of_another_task_is_not_handed_on, with_url),
        IN_HOUSE(our_own_link_leads_to_the_public_url, with_url),
        IN_HOUSE(our_own_link_goes_inside_without_a_public_url, without_url),
        IN_HOUSE(urls_from_outside_stay, with_url),
        IN_HOUSE(a_url_from_outside_is_stored_here_where_that_is_wanted, rehosting),
        IN_HOUSE(what_is_stored_here_takes_the_space_of_inputs, with_little_space),
        IN_HOUSE(what_is_stored_here_may_go_inside, rehosting_without_url),
        IN_HOUSE(what_cannot_be_stored_here_fails, rehosting),
        IN_HOUSE(a_file_at_hand_is_held_to_its_limits, rehosting),
        IN_HOUSE(inline_files_have_a_bound_together, without_url),
        IN_HOUSE(an_input_with_files_in_it_is_not_kept, without_url),
        IN_HOUSE(files_are_brought_to_hand_for_a_service_too, with_url),
        IN_HOUSE(a_cancel_while_files_are_stored_ends_the_task, rehosting),
    };
    return cmocka_run_group_tests_name("input_links", tests, NULL, NULL);
}
