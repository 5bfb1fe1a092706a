/* What an attempt needs before its driver has it: a driver, names for its service, the input, a directory, the files; and
 * what becomes of the input then. */
#include "engine/attempt/run.h"

#include <stdlib.h>

#include <jansson.h>

#include "base/crypto.h"
#include "base/json.h"
#include "config/config.h"
#include "engine/attempt/work_directory.h"
#include "engine/commit.h"
#include "engine/file/inputs.h"
#include "engine/hook/hook.h"
#include "engine/route/generation.h"
#include "engine/state.h"
#include "engine/task/call.h"
#include "engine/task/recover.h"

#define INPUT_TEXT_MAX ((size_t)64 << 20)
#define INPUT_DEPTH_MAX 128
#define INPUT_SMALL_MAX 4096 /* bytes of its text */
#define INPUTS_KEPT_MAX 256
#define HOOK_URL_MAX 4096

static void unwrap_input(struct run *run) {
    json_t *request = json_incref(json_object_get(run->input, INPUT_REQUEST));
    run->attempt.reasons = json_is_true(json_object_get(run->input, INPUT_REASONS));
    json_decref(run->input);
    run->input = request;
}

enum err run_load_input(struct run *run, struct fault *fault) {
    struct arena arena;
    struct text source;
    if (run->input != NULL)
        return OK;
    if (run->task->call != NULL) {
        run->input = json_incref(call_input(run->task->call));
        run->attempt.reasons = call_reasons(run->task->call);
        return OK;
    }
    struct task_id id = task_key_id(&run->task->key);
    arena_init(&arena, INPUT_TEXT_MAX);
    enum err err = store_load_input(run->engine->store, run->task->key.account, &id, &arena, &source);
    run->input_is_small = err == OK && source.len <= INPUT_SMALL_MAX;
    if (err == OK)
        err = json_read_object(source, INPUT_DEPTH_MAX, &run->input, fault);
    else
        (void)fault_set(fault, err, "the stored input could not be read: %s", err_info(err)->name);
    arena_fini(&arena);
    if (err == OK && run->task->type == TASK_LLM)
        unwrap_input(run);
    return err;
}

void run_put_input_by(struct run *run) {
    run->attempt.input = NULL;
    if (run->input == NULL || run->input_kept)
        return;
    /* One with a directory never sleeps, and would have its place for as long as the job takes. */
    if (!run->input_is_small || run->work_directory != NULL || run->engine->inputs_kept == INPUTS_KEPT_MAX) {
        run_drop_input(run);
        return;
    }
    run->input_kept = true;
    run->engine->inputs_kept++;
}

void run_drop_input(struct run *run) {
    if (run->input_kept)
        run->engine->inputs_kept--;
    run->input_kept = false;
    json_decref(run->input);
    run->input = NULL;
    run->attempt.input = NULL;
}

void run_drop_directory(struct run *run) {
    if (run->work_directory == NULL)
        return;
    work_directory_remove(run->engine, run->work_directory);
    free(run->work_directory);
    run->work_directory = NULL;
}

enum err run_need_directory(struct run *run, struct fault *fault) {
    if (run->work_directory != NULL)
        return OK;
    char *path = work_directory_make(run->engine->work_directory, run->task->key.account, run->name,
                                     run->attempt.number, fault);
    if (path == NULL)
        return ERR_IO;
    run->work_directory = path;
    return OK;
}

/* What a service may be told so that it can name this attempt: from our secret, so that it needs no place in the store. */
static void make_submission_key(struct run *run) {
    uint8_t mac[SHA256_SIZE];
    char words[96];
    int length = snprintf(words, sizeof(words), "submission %lld %s %d", (long long)run->task->key.account, run->name,
                          run->attempt.number);
    crypto_hmac_sha256((struct text){ (const char *)store_secret(run->engine->store), SHA256_SIZE },
                       (struct text){ words, (size_t)length }, mac);
    hex_encode(mac, (SUBMISSION_KEY_SIZE - 1) / 2, run->attempt.submission);
}

static void make_callback_url(struct run *run) {
    const char *public_url = run->generation->setup->config->public_url;
    struct buffer url;
    if (public_url == NULL)
        return;
    struct task_id id = task_key_id(&run->task->key);
    buffer_init(&url, HOOK_URL_MAX);
    hook_put_url(&url, store_secret(run->engine->store), text_of(public_url), run->task->key.account, &id,
                 run->attempt.number);
    run->callback_url = buffer_take(&url);
    run->attempt.callback_url = run->callback_url;
    buffer_fini(&url);
}

enum err run_meet_driver(struct run *run, struct fault *fault) {
    run->driver = generation_driver(run->generation, run->engine, run->ops);
    if (run->driver == NULL)
        return fault_set(fault, ERR_NO_MEMORY, "the driver could not be made");
    if (run->ops->remote && !run->ops->converses) {
        make_submission_key(run);
        if (run->callback_url == NULL) /* else it was made before a wait */
            make_callback_url(run);
    }
    return OK;
}

void run_prepare(struct run *run) {
    struct fault fault = { 0 };
    run->stage = RUN_PREPARING;
    if (run->halt != RUN_GOES_ON) { /* it was cancelled while nobody could read what is stored of it */
        run_fail(run, TASK_ERROR_CANCELLED, false, NULL, NULL);
        return;
    }
    enum err err = run_meet_driver(run, &fault);
    if (err == OK && run->remote == NULL)
        err = run_load_input(run, &fault);
    if (err == OK && (run->ops->needs_directory || run->ops->needs_files))
        err = run_need_directory(run, &fault);
    if (err != OK && run->resumes && run->ops->remote && run->halt == RUN_GOES_ON && commit_may_pass(err)) {
        struct live_task *task = run_take_task(run); /* T3: its job may be at the service, so it is no failure yet */
        recover_later(run->engine, task, err);
        run_end(run);
        return;
    }
    if (err != OK && !run->resumes && run_wait(run, err, run_prepare))
        return;
    if (err != OK) {
        run_fail(run, TASK_ERROR_UNAVAILABLE, true, NULL, fault.message);
        return;
    }
    if (run->ops->needs_files)
        inputs_start(run, run_drive);
    else if (run->ops->input_form != NULL && run->input != NULL)
        inputs_link(run, run_drive);
    else
        run_drive(run);
}
