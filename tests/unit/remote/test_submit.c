/* Submissions: what is sent, what is made of the answer, and that nothing is ever sent twice that may be there once. */
#include <jansson.h>
#include <stdlib.h>

#include "adapters.h"
#include "base/compiler.h"
#include "trial.h"

static void a_job_is_submitted_asked_and_fetched(void **state) {
    (void)state;
    struct house house;
    struct trial trial;
    house_open(&house, QUEUE);
    trial_init(&trial, &house);
    fake_reply(house.service, SUBMIT, 200, NULL, "{\"id\":\"job-1\",\"keep\":{\"place\":\"x\"}}");
    fake_reply(house.service, POLL, 202, NULL, "{\"status\":\"WAITS\"}");
    fake_reply(house.service, POLL, 200, NULL, "{\"status\":\"RUNS\",\"progress\":37}");
    fake_reply(house.service, POLL, 200, NULL, "{\"status\":\"DONE\"}");
    fake_reply(house.service, RESULT, 200, NULL, "{\"video\":{\"url\":\"https://cdn.queue.example/v.mp4\"}}");
    trial_run(&trial, TASK_ERROR_NONE);
    char *output = trial_output(&trial);
    assert_string_equal(output, "{\"video\":{\"url\":\"https://cdn.queue.example/v.mp4\"}}");
    assert_int_equal(trial.taken, 1);
    assert_string_equal(trial.remote, "job-1");
    assert_string_equal(trial.kept, "{\"state\":{\"place\":\"x\"}}");
    assert_int_equal(trial.progress, 37);
    assert_false(trial.outcome.despite_cancel);
    assert_int_equal(fake_count(house.service, SUBMIT), 1);
    assert_int_equal(fake_count(house.service, POLL), 3);
    assert_int_equal(fake_count(house.service, RESULT), 1);
    char *request = fake_request(house.service, SUBMIT, 0);
    assert_non_null(strstr(request, "Authorization: Key " TRIAL_KEY "\r\n"));
    assert_non_null(strstr(request, "Content-Type: application/json\r\n"));
    assert_non_null(strstr(request, "\"target\":\"maker/model\""));
    assert_non_null(strstr(request, "\"prompt\":\"a cat\""));
    assert_null(strstr(request, "seed"));
    free(request);
    free(output);
    trial_fini(&trial);
    house_close(&house);
}

/* ---- never twice ---- */

#define IDEMPOTENT QUEUE "idempotency = 'Idempotency-Key',\n"
#define LOOKED_UP                                                                                                      \
    QUEUE "lookup = function(task) return { get = '/find', query = { external = task.external_id } } end,\n"           \
          "found = function(reply) if reply.json.none then return nil end return { id = reply.json.id } end,\n"
#define TRUNCATED "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{\"id\":\"job"
#define HALF_JSON "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{\"id\":\"job"

/* What may come instead of a reply after the service has the request. */
static const struct {
    const char *bytes;
    enum fake_end end;
} losses[] = {
    { "", FAKE_RESET },
    { "", FAKE_CLOSE },
    { TRUNCATED, FAKE_CLOSE },
    { HALF_JSON, FAKE_KEEP },
    { "HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n", FAKE_KEEP },
    { "HTTP/1.1 504 X\r\nContent-Length: 6\r\n\r\n<html>", FAKE_KEEP },
    { "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>", FAKE_KEEP },
    { "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", FAKE_KEEP },
};

static void a_lost_submission_is_never_sent_again(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(losses); i++) {
        struct scene *scene = scene_open(QUEUE);
        fake_bytes(scene->house.service, SUBMIT, losses[i].bytes, losses[i].end);
        trial_run(&scene->trial, TASK_ERROR_SUBMISSION_UNKNOWN);
        assert_int_equal(scene->trial.outcome.fate, JOB_UNKNOWN);
        assert_false(scene->trial.outcome.retryable);
        assert_int_equal(scene->trial.taken, 0);
        house_linger(&scene->house, 30);
        assert_int_equal(scene_count(scene, SUBMIT), 1);
        scene_close(scene);
    }
}

static void a_silent_service_is_an_unknown_outcome(void **state) {
    (void)state;
    static const char *const adapters[] = { QUEUE "timeout = 2,\n", QUEUE "timeout = 60,\n" };
    unsigned asked = 0;
    for (size_t i = 0; i < ARRAY_SIZE(adapters) && asked == 0; i++) { /* again if it did not come to be asked in time */
        struct scene *scene = scene_open(adapters[i]);
        fake_bytes(scene->house.service, SUBMIT, "", FAKE_HOLD);
        trial_start(&scene->trial);
        trial_await_done(&scene->trial);
        asked = scene_count(scene, SUBMIT);
        assert_true(asked == 0 || scene->trial.outcome.error == TASK_ERROR_SUBMISSION_UNKNOWN);
        scene_close(scene);
    }
    assert_int_equal(asked, 1);
}

static void with_an_idempotency_header_the_same_is_sent_again(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(losses); i++) {
        struct scene *scene = scene_open(IDEMPOTENT);
        fake_bytes(scene->house.service, SUBMIT, losses[i].bytes, losses[i].end);
        scene_reply(scene, SUBMIT, 429, "{}"); /* says nothing of the first */
        scene_reply(scene, SUBMIT, 200, ACCEPTED);
        scene_reply(scene, POLL, 200, "{\"status\":\"DONE\"}");
        scene_reply(scene, RESULT, 200, "{}");
        trial_run(&scene->trial, TASK_ERROR_NONE);
        assert_int_equal(scene_count(scene, SUBMIT), 3);
        char *first = fake_request(scene->house.service, SUBMIT, 0);
        char *third = fake_request(scene->house.service, SUBMIT, 2);
        assert_non_null(strstr(first, "Idempotency-Key: " TRIAL_SUBMISSION "\r\n"));
        assert_string_equal(first, third);
        assert_string_equal(scene->trial.last_note, "submitted_again");
        free(first);
        free(third);
        scene_close(scene);
    }
}

static void repeating_ends_some_time(void **state) {
    (void)state;
    struct scene *scene = scene_open(IDEMPOTENT);
    fake_bytes(scene->house.service, SUBMIT, "", FAKE_RESET);
    scene_reply(scene, SUBMIT, 422, "{\"detail\":\"the key was used for something else\"}");
    trial_run(&scene->trial, TASK_ERROR_SUBMISSION_UNKNOWN); /* and not: certainly not made */
    assert_int_equal(scene->trial.outcome.fate, JOB_UNKNOWN);
    assert_in_range(scene_count(scene, SUBMIT), 2, 10);
    scene_close(scene);
}

static void a_lost_submission_is_looked_up(void **state) {
    (void)state;
    struct scene *scene = scene_open(LOOKED_UP);
    fake_bytes(scene->house.service, SUBMIT, "", FAKE_RESET);
    scene_reply(scene, "GET /find", 503, "{}");
    scene_reply(scene, "GET /find", 200, "{\"none\":true}");
    scene_reply(scene, "GET /find", 200, ACCEPTED);
    scene_reply(scene, POLL, 200, "{\"status\":\"DONE\"}");
    scene_reply(scene, RESULT, 200, "{}");
    trial_run(&scene->trial, TASK_ERROR_NONE);
    assert_int_equal(scene_count(scene, SUBMIT), 1);
    assert_int_equal(scene_count(scene, "GET /find?external=" TRIAL_SUBMISSION " "), 3);
    assert_string_equal(scene->trial.remote, "job-1");
    scene_close(scene);
}

static void what_the_service_does_not_know_was_not_made(void **state) {
    (void)state;
    struct scene *scene = scene_open(LOOKED_UP);
    fake_bytes(scene->house.service, SUBMIT, "", FAKE_CLOSE);
    scene_reply(scene, "GET /find", 200, "{\"none\":true}");
    trial_run(&scene->trial, TASK_ERROR_UNAVAILABLE);
    assert_int_equal(scene->trial.outcome.fate, JOB_NOT_MADE);
    assert_true(scene->trial.outcome.retryable);
    assert_int_equal(scene_count(scene, "GET /find"), 2); /* it may be listed a moment later */
    assert_int_equal(scene_count(scene, SUBMIT), 1);
    scene_close(scene);
}

static void a_lookup_that_fails_for_ever_tells_nothing(void **state) {
    (void)state;
    struct scene *scene = scene_open(LOOKED_UP);
    fake_bytes(scene->house.service, SUBMIT, "", FAKE_CLOSE);
    scene_reply(scene, "GET /find", 404, "{}");
    trial_run(&scene->trial, TASK_ERROR_SUBMISSION_UNKNOWN);
    assert_int_equal(scene->trial.outcome.fate, JOB_UNKNOWN);
    assert_int_equal(scene_count(scene, SUBMIT), 1);
    scene_close(scene);
}

/* ---- refusals ---- */

static void what_was_not_sent_was_not_made(void **state) {
    (void)state;
    struct scene *scene = scene_open(QUEUE);
    scene->house.provider.url = "http://127.0.0.1:1"; /* nobody there; read when the service is opened */
    trial_run(&scene->trial, TASK_ERROR_UNAVAILABLE);
    assert_int_equal(scene->trial.outcome.fate, JOB_NOT_MADE);
    assert_int_equal(scene->trial.outcome.scope, SCOPE_PROVIDER);
    assert_true(scene->trial.outcome.retryable);
    scene_close(scene);
}

#define WITH_FAILURE                                                                                                   \
    QUEUE "failure = function(reply, job)\n"                                                                           \
          "  local body = reply.json or {}\n"                                                                          \
          "  if body.code == 1101 then return { code = 'quota_exceeded', scope = 'account', taken = false } end\n"     \
          "  if body.words then return { code = 'invalid_parameters', message = body.words, detail = body.words,\n"    \
          "    taken = false } end\n"                                                                                  \
          "  if body.delay then return { code = 'resource_exhausted', taken = false, delay = body.delay } end\n"       \
          "end,\n"

static void refusals_say_whose_fault_they_are(void **state) {
    (void)state;
    static const struct {
        int status;
        const char *headers, *body;
        enum task_error error;
        enum failure_scope scope;
        bool retryable;
        int64_t least_ms, most_ms;
    } rows[] = {
        { 429, NULL, "{}", TASK_ERROR_RESOURCE_EXHAUSTED, SCOPE_CAPACITY, true, 0, 0 },
        { 429, "Retry-After: 7\r\n", "{}", TASK_ERROR_RESOURCE_EXHAUSTED, SCOPE_CAPACITY, true, 7000, 7000 },
        { 429, "retry-after-ms: 250\r\n", "{}", TASK_ERROR_RESOURCE_EXHAUSTED, SCOPE_CAPACITY, true, 250, 250 },
        { 429, "Retry-After: Fri, 01 Jan 2100 00:00:00 GMT\r\n", "{}", TASK_ERROR_RESOURCE_EXHAUSTED, SCOPE_CAPACITY,
          true, 86400000, 86400000 },
        { 429, "Retry-After: 7\r\n", "{\"delay\":3}", TASK_ERROR_RESOURCE_EXHAUSTED, SCOPE_CAPACITY, true, 3000, 3000 },
        { 429, NULL, "{\"code\":1101}", TASK_ERROR_QUOTA, SCOPE_ACCOUNT, false, 0, 0 },
        { 401, NULL, "{}", TASK_ERROR_SERVICE, SCOPE_KEY, false, 0, 0 },
        { 402, NULL, "{}", TASK_ERROR_QUOTA, SCOPE_ACCOUNT, false, 0, 0 },
        { 403, NULL, "{}", TASK_ERROR_SERVICE, SCOPE_KEY, false, 0, 0 },
        { 422, NULL, "{\"words\":\"too long\"}", TASK_ERROR_INVALID_PARAMETERS, SCOPE_REQUEST, false, 0, 0 },
        { 503, "Retry-After: 2\r\n", "<html>", TASK_ERROR_UNAVAILABLE, SCOPE_PROVIDER, true, 2000, 2000 },
        { 307, "Location: /elsewhere\r\n", "{}", TASK_ERROR_SUBMISSION_UNKNOWN, SCOPE_PROVIDER, false, 0, 0 },
        { 200, NULL, "{\"error\":\"no\"}", TASK_ERROR_INVALID_PARAMETERS, SCOPE_REQUEST, false, 0, 0 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct scene *scene = scene_open(WITH_FAILURE);
        fake_reply(scene->house.service, SUBMIT, rows[i].status, rows[i].headers, rows[i].body);
        trial_run(&scene->trial, rows[i].error);
        const struct outcome *outcome = &scene->trial.outcome;
        if (outcome->scope != rows[i].scope || outcome->retryable != rows[i].retryable) {
            fail_msg("row %zu: scope %s", i, failure_scope_name(outcome->scope));
        }
        assert_int_equal(outcome->fate, rows[i].error == TASK_ERROR_SUBMISSION_UNKNOWN ? JOB_UNKNOWN : JOB_NOT_MADE);
        assert_in_range(outcome->delay_ms, rows[i].least_ms, rows[i].most_ms);
        assert_int_equal(scene_count(scene, "POST "), 1);
        scene_close(scene);
    }
}

static void secrets_stay_out_of_what_people_read(void **state) {
    (void)state;
    struct scene *scene = scene_open(WITH_FAILURE);
    scene_reply(scene, SUBMIT, 422,
                "{\"words\":\"Bad key Key " TRIAL_KEY " or " TRIAL_KEY ", told at "
                "https://media.example.com/v1/hooks/fake-hook-token\"}");
    trial_run(&scene->trial, TASK_ERROR_INVALID_PARAMETERS);
    assert_non_null(strstr(scene->trial.message, "Bad key"));
    assert_non_null(strstr(scene->trial.detail, "HTTP 422"));
    assert_null(strstr(scene->trial.message, TRIAL_KEY));
    assert_null(strstr(scene->trial.detail, TRIAL_KEY));
    assert_null(strstr(scene->trial.message, "fake-hook-token"));
    assert_null(strstr(scene->trial.detail, "fake-hook-token"));
    scene_close(scene);
}

static void secrets_are_known_however_json_writes_them(void **state) {
    (void)state;
    static const char *const echoes[] = {
        "fake/key+of/words==", "fake\\/key+of\\/words==", "fake\\u002fkey\\u002Bof\\u002Fwords\\u003d=",
        "{\\\"key\\\":\\\"fake\\\\\\/key+of\\\\\\/words==\\\"}", "https://media.example.com/v1/hooks/fake-hook-token",
        "https:\\/\\/media.example.com\\/v1\\/hooks\\/fake-hook-token", "/v1/hooks/fake-hook-token",
        "https%3A%2F%2Fmedia.example.com%2Fv1%2Fhooks%2Ffake-hook-token",
    };
    for (size_t i = 0; i < ARRAY_SIZE(echoes); i++) {
        struct scene *scene = scene_open(WITH_FAILURE);
        char body[256];
        snprintf(body, sizeof(body), "{\"echo\":\"%s\",\"see\":\"https://docs.example.com/a\\\\b\"}", echoes[i]);
        scene_reply(scene, SUBMIT, 422, body);
        scene->trial.attempt.key = "fake/key+of/words==";
        trial_run(&scene->trial, TASK_ERROR_INVALID_PARAMETERS);
        const char *detail = scene->trial.detail;
        if (strstr(detail, "words") || strstr(detail, "token") || !strstr(detail, "***") ||
            !strstr(detail, "https://docs.example.com/a\\\\b")) {
            fail_msg("%s became %s", body, detail);
        }
        scene_close(scene);
    }
}

static void a_long_reply_is_cut_in_the_detail(void **state) {
    (void)state;
    struct scene *scene = scene_open(QUEUE);
    char *body = malloc(100001);
    memset(body, 'x', 100000);
    body[100000] = '\0';
    fake_reply_typed(scene->house.service, SUBMIT, 422, "text/plain", body, 100000);
    free(body);
    trial_run(&scene->trial, TASK_ERROR_INVALID_PARAMETERS);
    assert_in_range(strlen(scene->trial.detail), 1000, 2048);
    scene_close(scene);
}

/* ---- before the submission ---- */

#define UPLOADING                                                                                                      \
    "url = 'https://queue.example', idempotency = 'Idempotency-Key', poll_min = 0.1,\n"                                \
    "submit = function(task) return { post = '/files', text = 'bytes', paid = false } end,\n"                          \
    "accepted = function(reply, job)\n"                                                                                \
    "  if job.step == nil then return { step = 'made', state = { file = reply.json.file },\n"                          \
    "    next = { post = '/jobs', json = { file = reply.json.file, prompt = job.task.input.prompt } } } end\n"         \
    "  return { id = reply.json.id } end,\n"                                                                           \
    "poll = function(job) return { get = '/jobs/' .. job.id .. '/' .. job.state.file } end,\n"                         \
    "polled = function(reply) return { output = reply.json } end,\n"

static void a_file_can_go_before_the_submission(void **state) {
    (void)state;
    struct scene *scene = scene_open(UPLOADING);
    fake_bytes(scene->house.service, "POST /files", "", FAKE_RESET); /* unpaid: again */
    scene_reply(scene, "POST /files", 503, "{}");
    scene_reply(scene, "POST /files", 200, "{\"file\":\"f-7\"}");
    fake_bytes(scene->house.service, SUBMIT, "", FAKE_RESET); /* the header makes it harmless */
    scene_reply(scene, SUBMIT, 200, ACCEPTED);
    scene_reply(scene, "GET /jobs/job-1/f-7", 200, "{\"ok\":true}");
    trial_run(&scene->trial, TASK_ERROR_NONE);
    assert_int_equal(scene_count(scene, "POST /files"), 3);
    assert_int_equal(scene_count(scene, SUBMIT), 2);
    assert_int_equal(scene->trial.taken, 1);
    char *upload = fake_request(scene->house.service, "POST /files", 0);
    char *made = fake_request(scene->house.service, SUBMIT, 1);
    assert_null(strstr(upload, "Idempotency-Key"));
    assert_non_null(strstr(made, "Idempotency-Key: " TRIAL_SUBMISSION));
    assert_non_null(strstr(made, "\"file\":\"f-7\""));
    assert_non_null(strstr(made, "\"prompt\":\"a cat\""));
    free(upload);
    free(made);
    scene_close(scene);
}

static void an_upload_that_fails_made_nothing(void **state) {
    (void)state;
    struct scene *scene = scene_open(UPLOADING);
    scene_reply(scene, "POST /files", 500, "{}");
    trial_run(&scene->trial, TASK_ERROR_SERVICE);
    assert_int_equal(scene->trial.outcome.fate, JOB_NOT_MADE);
    assert_in_range(scene_count(scene, "POST /files"), 2, 10);
    assert_int_equal(scene_count(scene, SUBMIT), 0);
    scene_close(scene);
}

static void a_chain_without_end_ends(void **state) {
    (void)state;
    struct scene *scene =
        scene_open("url = 'https://queue.example',\n"
                   "submit = function() return { post = '/again', paid = false } end,\n"
                   "accepted = function() return { next = { post = '/again', paid = false } } end,\n");
    scene_reply(scene, "POST /again", 200, "{}");
    trial_run(&scene->trial, TASK_ERROR_SERVICE);
    assert_int_equal(scene->trial.outcome.fate, JOB_NOT_MADE);
    assert_in_range(scene_count(scene, "POST /again"), 2, 12);
    scene_close(scene);
}

/* ---- services that answer with the result ---- */

#define SYNCHRONOUS                                                                                                    \
    "url = 'https://queue.example',\n"                                                                                 \
    "submit = function(task) return { post = '/speak', json = task.input, binary = true } end,\n"                      \
    "accepted = function(reply)\n"                                                                                     \
    "  if reply.json then return { error = { code = 'content_policy_violation', message = reply.json.why } } end\n"    \
    "  return { output = { audio = { file = reply.file, content_type = reply.headers['content-type'] } } } end,\n"

static void a_binary_reply_becomes_a_file(void **state) {
    (void)state;
    static const char sound[] = "RIFF\0\xff\x80 bytes";
    struct scene *scene = scene_open(SYNCHRONOUS);
    fake_reply_typed(scene->house.service, "POST /speak", 200, "audio/mpeg", sound, sizeof(sound));
    trial_run(&scene->trial, TASK_ERROR_NONE);
    const json_t *audio = json_object_get(scene->trial.output, "audio");
    assert_string_equal(json_string_value(json_object_get(audio, "content_type")), "audio/mpeg");
    char path[256], bytes[64];
    snprintf(path, sizeof(path), "%s/%s", scene->house.directory, json_string_value(json_object_get(audio, "file")));
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fread(bytes, 1, sizeof(bytes), file), sizeof(sound));
    assert_memory_equal(bytes, sound, sizeof(sound));
    fclose(file);
    assert_int_equal(scene->trial.taken, 0);
    assert_int_equal(scene->trial.directories, 1);
    scene_close(scene);
}

static void a_result_that_was_cut_is_not_made_again(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        enum fake_end end;
        enum task_error error;
        enum job_fate fate;
    } rows[] = {
        { "HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\nContent-Length: 100\r\n\r\nhalf", FAKE_CLOSE,
          TASK_ERROR_SUBMISSION_UNKNOWN, JOB_UNKNOWN },
        { "", FAKE_RESET, TASK_ERROR_SUBMISSION_UNKNOWN, JOB_UNKNOWN },
        { "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", FAKE_HOLD, TASK_ERROR_SERVICE, JOB_ENDED },
        { "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n{\"why\":\"gore\"}",
          FAKE_KEEP, TASK_ERROR_CONTENT_POLICY, JOB_ENDED },
        { "HTTP/1.1 502 X\r\nContent-Length: 0\r\n\r\n", FAKE_KEEP, TASK_ERROR_SUBMISSION_UNKNOWN, JOB_UNKNOWN },
        { "HTTP/1.1 429 X\r\nContent-Length: 0\r\n\r\n", FAKE_KEEP, TASK_ERROR_RESOURCE_EXHAUSTED, JOB_NOT_MADE },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct scene *scene = scene_open(SYNCHRONOUS);
        fake_bytes(scene->house.service, "POST /speak", rows[i].bytes, rows[i].end);
        trial_run(&scene->trial, rows[i].error);
        assert_int_equal(scene->trial.outcome.fate, rows[i].fate);
        assert_int_equal(scene_count(scene, "POST /speak"), 1);
        scene_close(scene);
    }
}

/* ---- adapters that err ---- */

static void an_adapter_that_cannot_make_a_request_made_nothing(void **state) {
    (void)state;
    static const char *const rows[] = {
        "submit = function() error('no') end,",
        "submit = function() return {} end,",
        "submit = function() return { post = 'https://elsewhere.example/x' } end,",
        "submit = function() return { post = '/x', multipart = { { name = 'f', file = 'nothing' } } } end,",
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char adapter[1024];
        snprintf(adapter, sizeof(adapter),
                 "url = 'https://queue.example', %s accepted = function() return { output = {} } end", rows[i]);
        struct scene *scene = scene_open(adapter);
        trial_run(&scene->trial, TASK_ERROR_SERVICE);
        assert_int_equal(scene->trial.outcome.fate, JOB_NOT_MADE);
        assert_false(scene->trial.outcome.retryable);
        assert_int_equal(scene_count(scene, ""), 0);
        scene_close(scene);
    }
}

static void an_unknown_provider_cannot_start(void **state) {
    (void)state;
    struct scene *scene = scene_open(QUEUE);
    struct fault fault = { 0 };
    scene->trial.attempt.provider = "nobody";
    assert_int_equal(remote_driver.start(scene->house.driver, &scene->trial.attempt, &fault),
                     ERR_NO_COMPATIBLE_CHANNEL);
    assert_int_equal(scene->trial.done, 0);
    scene_close(scene);
}

static void what_is_too_large_to_keep_is_not_kept(void **state) {
    (void)state;
    struct scene *scene =
        scene_open("url = 'https://queue.example', poll_min = 0.1,\n"
                   "submit = function() return { post = '/jobs' } end,\n"
                   "accepted = function() return { id = 'job-1', state = string.rep('y', 70000) } end,\n"
                   "poll = function(job) return { get = '/jobs/' .. tostring(job.state) } end,\n"
                   "polled = function() return { output = {}, cost = 3.5 } end");
    scene_reply(scene, SUBMIT, 200, "{}");
    scene_reply(scene, "GET /jobs/nil ", 200, "{}");
    trial_run(&scene->trial, TASK_ERROR_NONE);
    assert_string_equal(scene->trial.kept, "");
    assert_string_equal(scene->trial.last_note, "cost");
    assert_string_equal(scene->trial.note_data, "{\"cost\":3.5}");
    scene_close(scene);
}

static void ten_megabytes_of_base64_pass(void **state) {
    (void)state;
    const size_t size = 10 << 20;
    struct scene *scene =
        scene_open("url = 'https://queue.example',\n"
                   "submit = function() return { post = '/jobs' } end,\n"
                   "accepted = function(reply) return { output = { base64 = reply.json.image } } end");
    char *body = malloc(size + 32);
    size_t at = (size_t)snprintf(body, 32, "{\"image\":\"");
    memset(body + at, 'A', size);
    memcpy(body + at + size, "\"}", 2);
    fake_reply_typed(scene->house.service, SUBMIT, 200, "application/json", body, at + size + 2);
    free(body);
    trial_run(&scene->trial, TASK_ERROR_NONE);
    assert_int_equal(json_string_length(json_object_get(scene->trial.output, "base64")), size);
    scene_close(scene);
}

static void odd_ids_survive(void **state) {
    (void)state;
    static const struct {
        const char *sent, *id, *asked;
    } rows[] = {
        { "9007199254740993", "9007199254740993", "GET /jobs/9007199254740993 " },
        { "18446744073709551615", "18446744073709551615", "GET /jobs/18446744073709551615 " },
        { "\"models/a b/operations/7\"", "models/a b/operations/7", "GET /jobs/models%2Fa%20b%2Foperations%2F7 " },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct scene *scene = scene_open(QUEUE);
        char body[128];
        snprintf(body, sizeof(body), "{\"id\":%s}", rows[i].sent);
        scene_reply(scene, SUBMIT, 200, body);
        scene_reply(scene, rows[i].asked, 200, "{\"status\":\"DONE\"}");
        scene_reply(scene, "GET /results/", 200, "{}");
        trial_run(&scene->trial, TASK_ERROR_NONE);
        assert_string_equal(scene->trial.remote, rows[i].id);
        scene_close(scene);
    }
}

int test_submit(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_is_submitted_asked_and_fetched),
        cmocka_unit_test(a_lost_submission_is_never_sent_again),
        cmocka_unit_test(a_silent_service_is_an_unknown_outcome),
        cmocka_unit_test(with_an_idempotency_header_the_same_is_sent_again),
        cmocka_unit_test(repeating_ends_some_time),
        cmocka_unit_test(a_lost_submission_is_looked_up),
        cmocka_unit_test(what_the_service_does_not_know_was_not_made),
        cmocka_unit_test(a_lookup_that_fails_for_ever_tells_nothing),
        cmocka_unit_test(what_was_not_sent_was_not_made),
        cmocka_unit_test(refusals_say_whose_fault_they_are),
        cmocka_unit_test(secrets_stay_out_of_what_people_read),
        cmocka_unit_test(secrets_are_known_however_json_writes_them),
        cmocka_unit_test(a_long_reply_is_cut_in_the_detail),
        cmocka_unit_test(a_file_can_go_before_the_submission),
        cmocka_unit_test(an_upload_that_fails_made_nothing),
        cmocka_unit_test(a_chain_without_end_ends),
        cmocka_unit_test(a_binary_reply_becomes_a_file),
        cmocka_unit_test(a_result_that_was_cut_is_not_made_again),
        cmocka_unit_test(an_adapter_that_cannot_make_a_request_made_nothing),
        cmocka_unit_test(an_unknown_provider_cannot_start),
        cmocka_unit_test(what_is_too_large_to_keep_is_not_kept),
        cmocka_unit_test(ten_megabytes_of_base64_pass),
        cmocka_unit_test(odd_ids_survive),
    };
    return cmocka_run_group_tests_name("submit", tests, NULL, NULL);
}
