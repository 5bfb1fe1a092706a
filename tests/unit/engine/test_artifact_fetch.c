/* Result files behind a service's links: what is brought along, what comes back, and what becomes of it. */
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "config/config.h"
#include "fake_catalog.h"
#include "fake_driver.h"
#include "file_host.h"
#include "house.h"
#include "tests.h"

static const char png[] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
#define PNG_LEN (sizeof(png) - 1)
#define PNG_DATA "data:image/png;base64,iVBORw0KGgoAAAANSUhEUg=="
#define SAY(host, path, times, literal) file_host_say(host, path, times, literal, sizeof(literal) - 1)
#define HEADER "Authorization: Bearer not-a-real-key"

static struct house house;
static struct file_host first, second; /* on two hosts: 127.0.0.1 and 127.0.0.2 */
static struct provider_config provider;

static void open_with(struct config *limits) {
    static const char *allow[2];
    fake_reset();
    file_host_open(&first, "127.0.0.1");
    file_host_open(&second, "127.0.0.2");
    file_host_give(&first, "/ok", png, PNG_LEN);
    file_host_give(&second, "/ok", png, PNG_LEN);
    allow[0] = first.host_port;
    allow[1] = second.host_port;
    limits->artifact_max = 100000;
    if (limits->provider_count == 0) {
        limits->fetch_allow = allow;
        limits->fetch_allow_count = 2;
    }
    house_open(&house, NULL, limits);
    house_start(&house);
    fake_set_home(first.host_port);
}

static int open_house(void **state) {
    (void)state;
    open_with(&(struct config){ 0 });
    return 0;
}

/* Where files of at most so many bytes lie in the database. */
#define SMALL_MAX 100
static int open_small_house(void **state) {
    (void)state;
    open_with(&(struct config){ .result_small_max = SMALL_MAX });
    return 0;
}

/* So many blobs, if small files are some as well. */
static void assert_blobs(unsigned count) {
    assert_int_equal(house_blobs(&house), house.setup->config->result_small_max > 0 ? 0 : count);
}

/* Nothing is exempt from the guard, but the provider has an address of its own. */
static int open_private_house(void **state) {
    (void)state;
    static char url[64];
    provider = (struct provider_config){ .name = "service", .url = url, .allow_private = true };
    open_with(&(struct config){ .providers = &provider, .provider_count = 1 });
    snprintf(url, sizeof(url), "http://%s", first.host_port);
    return 0;
}

static int close_house(void **state) {
    (void)state;
    house_audit(&house);
    house_close(&house);
    fake_reset();
    file_host_close(&first);
    file_host_close(&second);
    return 0;
}

/* A task whose one result has this source, a JSON object. */
static struct task_id run_source(const char *source) {
    char input[8192];
    snprintf(input, sizeof(input),
             "{\"do\":\"succeed\",\"results\":[{\"url\":\"@0\",\"content_type\":null}],\"artifacts\":[%s]}", source);
    return house_run(&house, 0, "service", input);
}

static struct task_id run_url(const struct file_host *host, const char *path, const char *more) {
    char source[512];
    snprintf(source, sizeof(source), "{\"url\":\"http://%s%s\"%s}", host->host_port, path, more);
    return run_source(source);
}

static void assert_completed(const struct task_id *id) {
    house_await(&house, 0, id, TASK_COMPLETED);
    char *body = house_query(&house, 0, id, HOUSE_BASE);
    if (strstr(body, "\"content_type\":\"image/png\"") == NULL)
        fail_msg("%s", body);
    free(body);
}

/* Failed with these words, the credits back. */
static void assert_failed(const struct task_id *id, const char *words) {
    house_await(&house, 0, id, TASK_FAILED);
    char *body = house_query(&house, 0, id, HOUSE_BASE);
    if (strstr(body, words) == NULL)
        fail_msg("%s is not in %s", words, body);
    free(body);
    assert_int_equal(house_balance(&house, 0), HOUSE_CREDITS);
}

static void the_key_goes_to_the_providers_own_files_only(void **state) {
    (void)state;
    struct task_id id = run_url(&first, "/ok", ",\"auth\":true");
    assert_completed(&id);
    assert_true(file_host_heard(&first, HEADER));
    id = run_url(&first, "/ok", ""); /* not asked for */
    assert_completed(&id);
    assert_false(file_host_heard(&first, "Authorization"));
    id = run_url(&first, "/ok", ",\"auth\":\"yes\""); /* some reply's own word */
    assert_completed(&id);
    assert_false(file_host_heard(&first, "Authorization"));
    id = run_url(&second, "/ok", ",\"auth\":true"); /* none of the provider's */
    assert_completed(&id);
    assert_false(file_host_heard(&second, "Authorization"));
}

static void a_redirect_to_another_host_goes_without_the_key(void **state) {
    (void)state;
    char reply[256];
    snprintf(reply, sizeof(reply), "HTTP/1.1 302 X\r\nLocation: http://%s/ok\r\nContent-Length: 0\r\n\r\n",
             second.host_port);
    file_host_say(&first, "/moved", 0, reply, strlen(reply));
    SAY(&first, "/near", 0, "HTTP/1.1 307 X\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n");
    struct task_id id = run_url(&first, "/moved", ",\"auth\":true");
    assert_completed(&id);
    assert_true(file_host_heard(&first, HEADER));
    assert_int_equal(file_host_asked(&second), 1);
    assert_false(file_host_heard(&second, "Authorization"));
    id = run_url(&first, "/near", ",\"auth\":true"); /* the same host: it comes along */
    assert_completed(&id);
    assert_true(file_host_heard(&first, HEADER));
}

static void a_redirect_inside_is_not_followed(void **state) {
    (void)state;
    SAY(&first, "/inside", 0, "HTTP/1.1 302 X\r\nLocation: http://127.0.0.3:9/ok\r\nContent-Length: 0\r\n\r\n");
    SAY(&first, "/local", 0, "HTTP/1.1 302 X\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n");
    struct task_id id = run_url(&first, "/inside", ",\"auth\":true");
    assert_failed(&id, "A result file could not be taken over from the service."); /* S1 */
    id = run_url(&first, "/local", "");
    assert_failed(&id, "A result file could not be taken over from the service.");
    assert_int_equal(file_host_asked(&first), 2); /* neither was asked again */
}

/* A service on this machine or beside it: its own address may be private, and no other one on that account. */
static void the_providers_own_private_address_is_trusted(void **state) {
    (void)state;
    char reply[256];
    struct task_id id = run_url(&first, "/ok", "");
    assert_completed(&id);
    id = run_url(&second, "/ok", "");
    house_await(&house, 0, &id, TASK_FAILED);
    snprintf(reply, sizeof(reply), "HTTP/1.1 302 X\r\nLocation: http://%s/ok\r\nContent-Length: 0\r\n\r\n",
             second.host_port);
    file_host_say(&first, "/moved", 0, reply, strlen(reply));
    id = run_url(&first, "/moved", "");
    house_await(&house, 0, &id, TASK_FAILED);
    assert_int_equal(file_host_asked(&second), 0);
}

static void what_passes_is_tried_again(void **state) {
    (void)state;
    static const char *const passing[] = {
        "HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 429 X\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n",                             /* not everywhere yet */
        "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n\x89PNG\r\n",                /* cut */
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n\x89PNG\r\n\r\n", /* cut */
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",                            /* empty */
        "",
    };
    for (size_t i = 0; i < ARRAY_SIZE(passing); i++) {
        char path[16];
        snprintf(path, sizeof(path), "/%zu", i);
        file_host_say(&first, path, 1, passing[i], strlen(passing[i]));
        file_host_give(&first, path, png, PNG_LEN);
        unsigned before = file_host_asked(&first);
        struct task_id id = run_url(&first, path, "");
        assert_completed(&id);
        if (file_host_asked(&first) != before + 2)
            fail_msg("%s: asked %u times", passing[i], file_host_asked(&first) - before);
    }
}

/* Longer than for what may be broken, and not before the host says. */
static void a_host_out_of_order_is_waited_for(void **state) {
    (void)state;
    static const char *const stumbling[] = {
        "HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n",
        "",
    };
    house.seams.file_patience_ms = 3600 * 1000;
    for (size_t i = 0; i < ARRAY_SIZE(stumbling); i++) {
        char path[16];
        snprintf(path, sizeof(path), "/%zu", i);
        file_host_say(&first, path, 3, stumbling[i], strlen(stumbling[i]));
        file_host_give(&first, path, png, PNG_LEN);
        unsigned before = file_host_asked(&first);
        struct task_id id = run_url(&first, path, "");
        assert_completed(&id);
        if (file_host_asked(&first) != before + 4)
            fail_msg("%s: asked %u times", stumbling[i], file_host_asked(&first) - before);
    }
    SAY(&first, "/later", 1, "HTTP/1.1 429 X\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n");
    file_host_give(&first, "/later", png, PNG_LEN);
    int64_t begun_ns = clock_real_ns();
    struct task_id id = run_url(&first, "/later", "");
    assert_completed(&id);
    assert_true(clock_real_ns() - begun_ns >= 1000000000);
}

/* A file that comes cut or empty does so again. */
static void what_comes_broken_is_not_waited_for(void **state) {
    (void)state;
    house.seams.file_patience_ms = 3600 * 1000;
    SAY(&first, "/cut", 0, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n\x89PNG\r\n\x1a\n");
    struct task_id id = run_url(&first, "/cut", "");
    assert_failed(&id, "could not be taken over");
    assert_int_equal(file_host_asked(&first), 3);
}

static void what_stays_broken_is_no_result(void **state) {
    (void)state;
    static const struct {
        const char *says, *words;
        unsigned asked;
    } cases[] = {
        { "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "The service's result file is empty.", 3 },
        { "HTTP/1.1 204 OK\r\n\r\n", "The service's result file is empty.", 3 },
        { "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n\x89PNG\r\n\x1a\n", "could not be taken over", 3 },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n\x89PNG\r\n\r\n", "could not be taken over", 3 },
        { "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 27\r\n\r\n<html>Please sign in</html>",
          "The generation ended with a file of the wrong kind.", 1 },
        { "HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n\x89PNG\r\n\x1a\n", "larger than the limit of 100000 bytes", 1 },
        { "HTTP/1.1 401 X\r\nContent-Length: 0\r\n\r\n", "does not give out its result file any more", 1 },
        { "HTTP/1.1 403 X\r\nContent-Length: 0\r\n\r\n", "does not give out its result file any more", 1 },
        { "HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n", "does not give out its result file any more", 3 },
        { "HTTP/1.1 410 X\r\nContent-Length: 0\r\n\r\n", "does not give out its result file any more", 1 },
        { "HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n", "could not be taken over", 3 },
        { "HTTP/1.1 302 X\r\nContent-Length: 0\r\n\r\n", "could not be taken over", 1 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char path[16];
        snprintf(path, sizeof(path), "/%zu", i);
        file_host_say(&first, path, 0, cases[i].says, strlen(cases[i].says));
        unsigned before = file_host_asked(&first);
        struct task_id id = run_url(&first, path, "");
        assert_failed(&id, cases[i].words);
        if (file_host_asked(&first) != before + cases[i].asked)
            fail_msg("%s: asked %u times", cases[i].says, file_host_asked(&first) - before);
    }
}

/* A chunked body has no length to refuse it by. */
static void a_body_without_an_end_is_cut_off(void **state) {
    (void)state;
    static char endless[400000] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n60000\r\n\x89PNG\r\n\x1a\n";
    file_host_say(&first, "/a", 0, endless, sizeof(endless));
    struct task_id id = run_url(&first, "/a", "");
    assert_failed(&id, "larger than the limit of 100000 bytes");
    assert_int_equal(file_host_asked(&first), 1);
    assert_int_equal(house_blobs(&house), 0);
}

/* ---- links that have run out ---- */

/* The job ends once its id is durable: nothing can be asked for anew without it. */
static void finish_taken(struct task_id *id) {
    house_await_event(&house, 0, id, "submitted");
    fake_release(1);
}

/* Each output has one file: of the page /0, then those of /1, /2, … once the driver is asked again. */
static struct task_id run_renewable(unsigned renewals) {
    char input[4096];
    int len = snprintf(input, sizeof(input),
                       "{\"do\":\"hold\",\"remote\":\"job-1\",\"results\":[{\"url\":\"@0\",\"content_type\":null}],"
                       "\"artifacts\":[{\"url\":\"http://%s/0\"}],\"renewed\":[", first.host_port);
    for (unsigned i = 1; i <= renewals; i++)
        len += snprintf(input + len, sizeof(input) - (size_t)len,
                        "%s{\"results\":[{\"url\":\"@0\",\"content_type\":null}],"
                        "\"artifacts\":[{\"url\":\"http://%s/%u\"}]}", i > 1 ? "," : "", first.host_port, i);
    snprintf(input + len, sizeof(input) - (size_t)len, "]}");
    struct task_id id = house_run(&house, 0, "service", input);
    finish_taken(&id);
    return id;
}

static void a_link_that_has_run_out_is_asked_for_anew(void **state) {
    (void)state;
    static const int statuses[] = { 401, 403, 404, 410 };
    for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
        char reply[64], events[256];
        snprintf(reply, sizeof(reply), "HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n", statuses[i]);
        file_host_say(&first, "/0", 1, reply, strlen(reply));
        file_host_give(&first, "/1", png, PNG_LEN);
        unsigned before = file_host_asked(&first);
        struct task_id id = run_renewable(1);
        assert_completed(&id);
        assert_int_equal(file_host_asked(&first), before + 2);
        house_events(&house, 0, &id, events, sizeof(events));
        assert_non_null(strstr(events, "renewed"));
        assert_int_equal(fake_started(), i + 1); /* the job itself was made once */
    }
}

static void links_are_asked_for_anew_twice_at_most(void **state) {
    (void)state;
    static const char gone[] = "HTTP/1.1 403 X\r\nContent-Length: 0\r\n\r\n";
    SAY(&first, "/0", 1, gone);
    SAY(&first, "/1", 1, gone);
    SAY(&first, "/2", 1, gone);
    struct task_id id = run_renewable(3);
    assert_failed(&id, "does not give out its result file any more");
    assert_int_equal(file_host_asked(&first), 3);
}

static void what_was_stored_before_a_renewal_is_let_go(void **state) {
    (void)state;
    char input[1024];
    SAY(&first, "/0", 1, "HTTP/1.1 403 X\r\nContent-Length: 0\r\n\r\n");
    snprintf(input, sizeof(input),
             "{\"do\":\"hold\",\"remote\":\"job-1\",\"results\":[{\"url\":\"@0\"},{\"url\":\"@1\"}],"
             "\"artifacts\":[{\"base64\":\"R0lGODlhAAAA\"},{\"url\":\"http://%s/0\"}],"
             "\"renewed\":[{\"results\":[{\"url\":\"@0\",\"content_type\":null}],"
             "\"artifacts\":[{\"url\":\"http://%s/ok\"}]}]}", first.host_port, first.host_port);
    struct task_id id = house_run(&house, 0, "service", input);
    finish_taken(&id);
    assert_completed(&id);
    char *body = house_query(&house, 0, &id, HOUSE_BASE);
    assert_null(strstr(body, ".gif"));
    free(body);
}

static bool look_for_secrets(const struct attempt_row *row, void *context) {
    struct buffer *seen = context;
    buffer_put(seen, row->detail);
    return true;
}

static void a_signed_link_is_told_to_nobody(void **state) {
    (void)state;
    struct buffer seen;
    buffer_init(&seen, 100000);
    SAY(&first, "/a", 0, "HTTP/1.1 403 X\r\nContent-Length: 0\r\n\r\n");
    SAY(&first, "/b", 0, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    SAY(&first, "/c", 0, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n1");
    static const char *const paths[] = { "/a?X-Signature=do-not-tell", "/b?X-Signature=do-not-tell",
                                         "/c?X-Signature=do-not-tell" };
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        struct task_id id = run_url(&first, paths[i], "");
        house_await(&house, 0, &id, TASK_FAILED);
        char *body = house_query(&house, 0, &id, HOUSE_BASE);
        assert_null(strstr(body, "do-not-tell"));
        free(body);
        assert_int_equal(store_list_attempts(house.store, house.accounts[0].id, &id, look_for_secrets, &seen), OK);
    }
    assert_non_null(strstr(seen.data, "HTTP status 403"));
    assert_null(strstr(seen.data, "do-not-tell"));
    buffer_fini(&seen);
}

static void files_inside_the_reply_are_results(void **state) {
    (void)state;
    static const char *const sources[] = {
        "{\"url\":\"" PNG_DATA "\"}",
        "{\"url\":\"DATA:text/html;base64,iVBORw0KGgoAAAANSUhEUg==\"}", /* its bytes say what it is */
        "{\"url\":\"data:,%89PNG%0d%0a%1a%0a%00%00%00%0dIHDR\"}",
        "{\"base64\":\"" PNG_DATA "\"}",
        "{\"base64\":\"iVBORw0KGgoAAAANSUhEUg\"}",
        "{\"url\":\"\",\"base64\":\"iVBORw0KGgoAAAANSUhEUg==\"}",
        "{\"url\":null,\"hex\":\"89504e470d0a1a0a0000000d49484452\"}",
    };
    for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
        struct task_id id = run_source(sources[i]);
        assert_completed(&id);
    }
    assert_blobs(1); /* the same bytes */
}

static void broken_files_inside_the_reply_are_none(void **state) {
    (void)state;
    static const char *const sources[] = {
        "{\"url\":\"data:image/png;base64,???\"}", "{\"url\":\"data:image/png;base64\"}",
        "{\"url\":\"data:image/png;base64,\"}",    "{\"url\":\"data:,%8\"}",
        "{\"url\":\"data:,only%20words\"}",        "{\"url\":\"ftp://127.0.0.1/a\"}",
        "{\"url\":\"file:///etc/passwd\"}",        "{\"url\":\"not a url\"}",
    };
    for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
        struct task_id id = run_source(sources[i]);
        assert_failed(&id, "generation_failed_no_content");
    }
}

static void a_file_in_the_work_directory_is_a_result(void **state) {
    (void)state;
    struct task_id id =
        house_run(&house, 0, "image",
                  "{\"do\":\"succeed\",\"write\":{\"body\":\"GIF89a..........\"},\"results\":[{\"url\":\"@0\"}],"
                  "\"artifacts\":[{\"file\":\"body\"}]}");
    house_await(&house, 0, &id, TASK_COMPLETED);
    assert_blobs(1);
}

static bool keep_hash(const struct artifact_row *row, void *context) {
    char(*hashes)[SHA256_HEX_SIZE] = context;
    memcpy(hashes[row->position], row->hash, SHA256_HEX_SIZE);
    return true;
}

static void assert_readable(const char *hash, const char *bytes, size_t len) {
    int fd;
    int64_t size;
    char *read_back = mem_new(len);
    assert_int_equal(blob_open_fd(house.blobs, text_of(hash), &fd, &size), OK);
    assert_int_equal(size, len);
    assert_int_equal(read(fd, read_back, len), len);
    assert_memory_equal(read_back, bytes, len);
    free(read_back);
    close(fd);
}

/* Up to the last byte of what is small, beside one that has a byte too much. */
static void small_and_large_files_are_one_result(void **state) {
    (void)state;
    static char small[SMALL_MAX], large[SMALL_MAX + 1];
    char hashes[2][SHA256_HEX_SIZE], input[1024];
    memcpy(small, png, PNG_LEN);
    memcpy(large, png, PNG_LEN);
    file_host_give(&first, "/small", small, sizeof(small));
    file_host_give(&first, "/large", large, sizeof(large));
    snprintf(input, sizeof(input),
             "{\"do\":\"succeed\",\"results\":[{\"url\":\"@0\",\"content_type\":null},{\"url\":\"@1\"}],"
             "\"artifacts\":[{\"url\":\"http://%s/small\"},{\"url\":\"http://%s/large\"}]}", first.host_port, first.host_port);
    struct task_id id = house_run(&house, 0, "service", input);
    assert_completed(&id);
    assert_int_equal(house_blobs(&house), 1);
    assert_int_equal(store_list_artifacts(house.store, house.accounts[0].id, &id, keep_hash, hashes), OK);
    assert_readable(hashes[0], small, sizeof(small));
    assert_readable(hashes[1], large, sizeof(large));
    assert_int_equal(engine_counts(house.engine).artifacts_stored, 2);
}

static void a_small_file_is_let_go_when_another_does_not_come(void **state) {
    (void)state;
    char input[1024];
    SAY(&first, "/gone", 0, "HTTP/1.1 410 X\r\nContent-Length: 0\r\n\r\n");
    snprintf(input, sizeof(input),
             "{\"do\":\"succeed\",\"results\":[{\"url\":\"@0\"},{\"url\":\"@1\"}],"
             "\"artifacts\":[{\"url\":\"http://%s/ok\"},{\"url\":\"http://%s/gone\"}]}", first.host_port, first.host_port);
    struct task_id id = house_run(&house, 0, "service", input);
    assert_failed(&id, "generation_failed_no_content");
    assert_int_equal(house_blobs(&house), 0);
}

/* ---- stopped while they come ---- */

#define HELD "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n\x89PNG\r\n\x1a\n"

static bool both_asked(void *context) {
    (void)context;
    return file_host_asked(&first) == 1 && file_host_asked(&second) == 1;
}

/* A task with two files, of which the second does not come to its end the first time. */
static struct task_id run_held(void) {
    char input[1024];
    file_host_hold(&second, "/held", HELD, sizeof(HELD) - 1);
    file_host_give(&second, "/held", png, PNG_LEN);
    snprintf(input, sizeof(input),
             "{\"do\":\"succeed\",\"results\":[{\"url\":\"@0\",\"content_type\":null},{\"url\":\"@1\",\"content_type\":null}],"
             "\"artifacts\":[{\"url\":\"http://%s/ok\"},{\"url\":\"http://%s/held\"}]}", first.host_port, second.host_port);
    struct task_id id = house_run(&house, 0, "service", input);
    house_await_true(both_asked, NULL);
    return id;
}

static void a_cancel_stops_what_is_fetched(void **state) {
    (void)state;
    struct task_id id = run_held();
    assert_int_equal(house_cancel(&house, 0, &id), OK);
    assert_failed(&id, "request_cancelled");
    assert_int_equal(house_blobs(&house), 0);
    struct task_id next = run_url(&second, "/ok", ""); /* the host is free again: the client has gone */
    assert_completed(&next);
}

static void a_stop_leaves_what_is_fetched_to_the_next_start(void **state) {
    (void)state;
    struct task_id id = run_held();
    house_stop(&house);
    assert_int_equal(house_blobs(&house), 0);
    house_start(&house);
    assert_completed(&id);
    assert_int_equal(file_host_asked(&second), 2);
}

static void a_reload_says_anew_whom_to_trust(void **state) {
    (void)state;
    struct setup *none = fake_setup(house.directory, &(struct config){ .artifact_max = 100000 });
    engine_reload(house.engine, none);
    setup_unref(none);
    struct task_id refused = run_url(&first, "/ok", "");
    assert_failed(&refused, "could not be taken over");
    assert_int_equal(file_host_asked(&first), 0);
    engine_reload(house.engine, house.setup);
    struct task_id taken = run_url(&first, "/ok", "");
    assert_completed(&taken);
}

int test_artifact_fetch(void) {
#define IN_HOUSE(test) cmocka_unit_test_setup_teardown(test, open_house, close_house)
#define IN_BOTH(test) IN_HOUSE(test), IN_SMALL_HOUSE(test)
#define IN_SMALL_HOUSE(test) { #test " (small)", test, open_small_house, close_house, NULL }
    const struct CMUnitTest tests[] = {
        IN_HOUSE(the_key_goes_to_the_providers_own_files_only),
        IN_HOUSE(a_redirect_to_another_host_goes_without_the_key),
        IN_HOUSE(a_redirect_inside_is_not_followed),
        cmocka_unit_test_setup_teardown(the_providers_own_private_address_is_trusted, open_private_house, close_house),
        IN_BOTH(what_passes_is_tried_again),
        IN_HOUSE(a_host_out_of_order_is_waited_for),
        IN_HOUSE(what_comes_broken_is_not_waited_for),
        IN_BOTH(what_stays_broken_is_no_result),
        IN_BOTH(a_body_without_an_end_is_cut_off),
        IN_BOTH(a_link_that_has_run_out_is_asked_for_anew),
        IN_BOTH(links_are_asked_for_anew_twice_at_most),
        IN_BOTH(what_was_stored_before_a_renewal_is_let_go),
        IN_HOUSE(a_signed_link_is_told_to_nobody),
        IN_BOTH(files_inside_the_reply_are_results),
        IN_BOTH(broken_files_inside_the_reply_are_none),
        IN_BOTH(a_file_in_the_work_directory_is_a_result),
        IN_SMALL_HOUSE(small_and_large_files_are_one_result),
        IN_SMALL_HOUSE(a_small_file_is_let_go_when_another_does_not_come),
        IN_BOTH(a_cancel_stops_what_is_fetched),
        IN_HOUSE(a_stop_leaves_what_is_fetched_to_the_next_start),
        IN_HOUSE(a_reload_says_anew_whom_to_trust),
    };
    return cmocka_run_group_tests_name("artifact_fetch", tests, NULL, NULL);
}
