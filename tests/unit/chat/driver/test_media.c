/* Links in media parts: fetched under the guard, bounded, and put into the request. */
#include "chat/driver/media.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "base/inline_file.h"
#include "base/json.h"
#include "base/memory.h"
#include "trial.h"

#define PNG "\x89PNG\r\n\x1a\n"

/* What chat_media told. */
struct told {
    unsigned done;
    enum err err;
    json_t *body;
    struct fault fault;
};

static void on_media(void *context, enum err err, json_t *body, const struct fault *fault) {
    struct told *told = context;
    told->done++;
    told->err = err;
    told->body = body;
    if (fault) {
        told->fault = *fault;
    }
}

static bool was_told(void *context) {
    return ((struct told *)context)->done > 0;
}

/* A message with these parts; %s in it is the fake service. */
static json_t *body_of(const struct house *house, const char *parts) {
    struct buffer scoped(buffer_fini) buf;
    buffer_init(&buf, 1 << 20);
    buffer_put(&buf, TEXT("{\"messages\":[{\"role\":\"system\",\"content\":\"x\"},{\"role\":\"user\",\"content\":["));
    for (const char *mark; (mark = strstr(parts, "%s")) != NULL; parts = mark + 2) {
        buffer_put(&buf, (struct text){ parts, (size_t)(mark - parts) });
        buffer_put(&buf, text_of(house->address));
    }
    buffer_put(&buf, text_of(parts));
    buffer_put(&buf, TEXT("]}]}"));
    json_t *body = json_loads(buf.data, 0, NULL);
    assert_non_null(body);
    return body;
}

static void bring(struct house *house, json_t *body, int64_t bytes_max, struct told *told) {
    struct fault fault = { 0 };
    *told = (struct told){ .done = 0 };
    struct chat_media *media = chat_media_start(house->fetcher, body, bytes_max, on_media, told, &fault);
    assert_non_null(media);
    assert_int_equal(told->done, 0);
    house_await(house, was_told, told);
    assert_int_equal(told->done, 1);
}

static const char *url_of(const json_t *body, size_t part, const char *kind) {
    const json_t *message = json_array_get(json_object_get(body, "messages"), 1);
    const json_t *value = json_object_get(json_array_get(json_object_get(message, "content"), part), kind);
    return json_string_value(json_is_string(value) ? value : json_object_get(value, "url"));
}

static void links_become_data(void **state) {
    (void)state;
    struct house house;
    struct told told;
    house_open(&house, "ollama");
    fake_reply_typed(house.service, "GET /a.png ", 200, "text/html", PNG, 8);
    fake_reply_typed(house.service, "GET /b ", 200, "audio/x-strange; q=1", "\x01\x02\x03", 3);
    fake_bytes(house.service, "GET /c ", "HTTP/1.1 302 Found\r\nLocation: /a.png\r\nContent-Length: 0\r\n\r\n",
               FAKE_KEEP);
    json_t *body = body_of(&house,
                           "{\"type\":\"text\",\"text\":\"http://%s/no\"},"
                           "{\"type\":\"image_url\",\"image_url\":{\"url\":\"http://%s/a.png\",\"detail\":\"low\"}},"
                           "{\"type\":\"audio_url\",\"audio_url\":{\"url\":\"HTTP://%s/b\"}},"
                           "{\"type\":\"image_url\",\"image_url\":\"http://%s/c\"},"
                           "{\"type\":\"file_url\",\"file_url\":{\"url\":\"data:text/plain;base64,eA==\"}}");
    json_t *before = json_deep_copy(body);
    assert_true(chat_media_needed(body));
    bring(&house, body, 1000, &told);
    assert_int_equal(told.err, OK);
    assert_true(json_equal(body, before)); /* a copy is changed */
    assert_string_equal(url_of(told.body, 1, "image_url"), "data:image/png;base64,iVBORw0KGgo=");
    assert_string_equal(url_of(told.body, 2, "audio_url"), "data:audio/x-strange;base64,AQID");
    assert_string_equal(url_of(told.body, 3, "image_url"), "data:image/png;base64,iVBORw0KGgo=");
    assert_string_equal(url_of(told.body, 4, "file_url"), "data:text/plain;base64,eA==");
    assert_false(chat_media_needed(told.body));
    json_decref(told.body);
    json_decref(before);
    json_decref(body);
    house_close(&house);
}

/* What a server calls its file, where the bytes do not tell. */
static void a_type_that_is_none_is_not_passed_on(void **state) {
    (void)state;
    static const struct {
        const char *claimed, *uri;
    } cases[] = { { "application/x-strange", "data:application/x-strange;base64,AQID" },
                  { "/", "data:application/octet-stream;base64,AQID" },
                  { "application/", "data:application/octet-stream;base64,AQID" },
                  { "a/b/c", "data:application/octet-stream;base64,AQID" } };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct house house;
        struct told told;
        house_open(&house, "ollama");
        fake_reply_typed(house.service, "GET /a ", 200, cases[i].claimed, "\x01\x02\x03", 3);
        json_t *body = body_of(&house, "{\"type\":\"file_url\",\"file_url\":{\"url\":\"http://%s/a\"}}");
        bring(&house, body, 1000, &told);
        assert_int_equal(told.err, OK);
        assert_string_equal(url_of(told.body, 0, "file_url"), cases[i].uri);
        json_decref(told.body);
        json_decref(body);
        house_close(&house);
    }
}

static void more_links_than_are_fetched_at_a_time(void **state) {
    (void)state;
    struct house house;
    struct told told;
    struct buffer scoped(buffer_fini) parts;
    buffer_init(&parts, 1 << 20);
    house_open(&house, "ollama");
    for (unsigned i = 0; i < 40; i++) {
        buffer_put(&parts, i > 0 ? TEXT(",") : TEXT(""));
        buffer_put(&parts, TEXT("{\"type\":\"image_url\",\"image_url\":{\"url\":\"http://%s/a.png\"}}"));
    }
    fake_reply_typed(house.service, "GET /a.png ", 200, "image/png", PNG, 8);
    json_t *body = body_of(&house, parts.data);
    bring(&house, body, 40 * 8, &told);
    assert_int_equal(told.err, OK);
    assert_false(chat_media_needed(told.body));
    assert_int_equal(fake_count(house.service, "GET /a.png "), 40);
    assert_true(fake_most(house.service) <= 8);
    json_decref(told.body);
    bring(&house, body, 40 * 8 - 1, &told); /* a byte too much in all */
    assert_int_equal(told.err, ERR_FILE_TOO_LARGE);
    json_decref(body);
    house_close(&house);
}

static void what_cannot_be_fetched_is_named(void **state) {
    (void)state;
    static const struct {
        int status;
        int64_t bytes_max;
        enum err err;
    } cases[] = { { 404, 100, ERR_INVALID_URL }, { 503, 100, ERR_FETCH }, { 200, 7, ERR_FILE_TOO_LARGE } };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct house house;
        struct told told;
        house_open(&house, "ollama");
        fake_reply_typed(house.service, "GET /a ", 200, "image/png", PNG, 4);
        fake_reply_typed(house.service, "GET /b ", cases[i].status, "image/png", PNG, 8);
        json_t *body = body_of(&house, "{\"type\":\"image_url\",\"image_url\":{\"url\":\"http://%s/a\"}},"
                                       "{\"type\":\"video_url\",\"video_url\":{\"url\":\"http://%s/b\"}}");
        bring(&house, body, cases[i].bytes_max, &told);
        assert_int_equal(told.err, cases[i].err);
        assert_null(told.body);
        if (cases[i].status != 200) {
            assert_string_equal(told.fault.param, "messages[1].content[1].video_url.url");
        }
        json_decref(body);
        house_close(&house);
    }
}

/* S1: at the first address, and where a redirect leads. */
static void private_addresses_are_not_asked(void **state) {
    (void)state;
    struct house house;
    struct told told;
    house_open_at(&house, "ollama", NULL, false);
    json_t *body = body_of(&house, "{\"type\":\"image_url\",\"image_url\":{\"url\":\"http://%s/secret\"}}");
    bring(&house, body, 1000, &told);
    assert_int_equal(told.err, ERR_BLOCKED_ADDRESS);
    assert_string_equal(told.fault.param, "messages[1].content[0].image_url.url");
    assert_int_equal(fake_count(house.service, "GET "), 0);
    json_decref(body);
    house_close(&house);

    house_open(&house, "ollama"); /* may be asked by itself, for once */
    fake_bytes(house.service, "GET /away ",
               "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/secret\r\nContent-Length: 0\r\n\r\n", FAKE_KEEP);
    body = body_of(&house, "{\"type\":\"image_url\",\"image_url\":{\"url\":\"http://%s/away\"}}");
    bring(&house, body, 1000, &told);
    assert_int_equal(told.err, ERR_BLOCKED_ADDRESS);
    json_decref(body);
    house_close(&house);
}

static void fetching_can_be_cancelled(void **state) {
    (void)state;
    struct house house;
    struct told told = { .done = 0 };
    house_open(&house, "ollama");
    fake_bytes(house.service, "GET /a ", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx", FAKE_HOLD);
    json_t *body = body_of(&house, "{\"type\":\"image_url\",\"image_url\":{\"url\":\"http://%s/a\"}}");
    struct chat_media *media = chat_media_start(house.fetcher, body, 1000, on_media, &told, NULL);
    house_await_count(&house, "GET /a ", 1);
    chat_media_cancel(media);
    chat_media_cancel(NULL);
    json_decref(body);
    house_close(&house);
    assert_int_equal(told.done, 0);
}

#define LOOK                                                                                                           \
    "{\"model\":\"a-model\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":"      \
    "{\"url\":\"http://%s/a.png\"}}]}]}"

static void look(struct house *house, struct trial *trial, const char *address) {
    char body[400];
    snprintf(body, sizeof(body), LOOK, address);
    trial_init(trial, house, body, true);
}

static void a_call_waits_for_its_media(void **state) {
    (void)state;
    struct house house;
    struct trial trial;
    house_open(&house, "ollama");
    fake_reply_typed(house.service, "GET /a.png ", 200, "image/png", PNG, 8);
    fake_reply(house.service, "POST ", 200, NULL,
               "{\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"content\":\"A fox.\"},\"done\":true,"
               "\"done_reason\":\"stop\",\"prompt_eval_count\":9,\"eval_count\":2}\n");
    look(&house, &trial, house.address);
    trial_run(&trial, TASK_ERROR_NONE);
    char *request = fake_request(house.service, "POST ", 0);
    assert_non_null(strstr(request, "iVBORw0KGgo="));
    assert_null(strstr(request, "a.png"));
    free(request);
    trial_fini(&trial);
    house_close(&house);
}

static void media_that_cannot_be_had_end_the_call(void **state) {
    (void)state;
    struct house house;
    struct trial trial;
    house_open(&house, "ollama");
    look(&house, &trial, "10.1.2.3");
    trial_run(&trial, TASK_ERROR_INVALID_PARAMETERS);
    assert_int_equal(trial.outcome.fate, JOB_NOT_MADE);
    assert_true(trial.outcome.unsent);
    assert_false(trial.outcome.retryable);
    assert_string_equal(trial.failure.param, "messages[0].content[0].image_url.url");
    assert_int_equal(fake_count(house.service, "POST "), 0);
    trial_fini(&trial);

    fake_reply_typed(house.service, "GET /a.png ", 503, "image/png", PNG, 8);
    look(&house, &trial, house.address);
    trial_run(&trial, TASK_ERROR_INVALID_PARAMETERS);
    assert_int_equal(trial.outcome.fate, JOB_NOT_MADE);
    assert_true(trial.outcome.retryable);
    assert_string_equal(trial.failure.param, "messages[0].content[0].image_url.url");
    assert_non_null(strstr(trial.message, "messages[0].content[0].image_url.url: "));
    trial_fini(&trial);
    house_close(&house);
}

/* By the bound for files inside a request, or the settings' for each file if that is less. */
static void a_requests_files_are_bounded(void **state) {
    (void)state;
    static const int64_t settings[] = { (int64_t)256 << 20, 20000 };
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
        struct house house;
        struct trial trial;
        size_t size = (size_t)(settings[i] < INLINE_FILES_MAX ? settings[i] : INLINE_FILES_MAX) + 1;
        char *picture = mem_new(size);
        house_open(&house, "ollama");
        house.config.input_max = settings[i];
        memcpy(picture, PNG, 8);
        fake_reply_typed(house.service, "GET /a.png ", 200, "image/png", picture, size);
        look(&house, &trial, house.address);
        trial_run(&trial, TASK_ERROR_INVALID_PARAMETERS);
        assert_string_equal(trial.failure.param, "messages[0].content[0].image_url.url");
        assert_int_equal(fake_count(house.service, "POST "), 0);
        trial_fini(&trial);
        house_close(&house);
        free(picture);
    }
}

/* Nothing was sent by then, so that the next start may send it. */
static void a_call_can_be_stopped_while_it_waits(void **state) {
    (void)state;
    for (unsigned leaves = 0; leaves < 2; leaves++) {
        struct house house;
        struct trial trial;
        house_open(&house, "ollama");
        fake_bytes(house.service, "GET /a.png ", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx", FAKE_HOLD);
        look(&house, &trial, house.address);
        trial_start(&trial);
        house_await_count(&house, "GET /a.png ", 1);
        (leaves ? chat_driver.leave : chat_driver.cancel)(house.driver, &trial.attempt);
        assert_int_equal(trial.done, 1);
        assert_int_equal(trial.outcome.error, leaves ? TASK_ERROR_UNAVAILABLE : TASK_ERROR_CANCELLED);
        assert_int_equal(trial.outcome.fate, leaves ? JOB_NOT_MADE : JOB_ENDED);
        assert_int_equal(fake_count(house.service, "POST "), 0);
        trial_fini(&trial);
        house_close(&house);
    }
}

int test_media(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(links_become_data),
        cmocka_unit_test(a_type_that_is_none_is_not_passed_on),
        cmocka_unit_test(more_links_than_are_fetched_at_a_time),
        cmocka_unit_test(what_cannot_be_fetched_is_named),
        cmocka_unit_test(private_addresses_are_not_asked),
        cmocka_unit_test(fetching_can_be_cancelled),
        cmocka_unit_test(a_call_waits_for_its_media),
        cmocka_unit_test(media_that_cannot_be_had_end_the_call),
        cmocka_unit_test(a_requests_files_are_bounded),
        cmocka_unit_test(a_call_can_be_stopped_while_it_waits),
    };
    return cmocka_run_group_tests_name("media", tests, NULL, NULL);
}
