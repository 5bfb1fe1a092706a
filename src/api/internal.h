/* What the files of this folder and of its rooms share. */
#pragma once

#include <stdatomic.h>

#include "api/api.h"
#include "catalog/catalog.h"
#include "config/config.h"
#include "engine/engine.h"
#include "store/store.h"

/* Bytes of a task as it is answered: the longest answer of a language model, and what is around it. */
#define TASK_ANSWER_MAX ((size_t)96 << 20)

struct docs;
struct document;
struct json_writer;
struct rate_limits;
struct setup_share;
struct submission_key;
struct upload_places;

struct api {
    struct engine *engine;
    struct store *store;
    struct blob_store *blobs;
    struct rate_limits *rate_limits;
    struct document *openapi;
    struct docs *docs;
    struct document *pricing;
    _Atomic(struct http_server *) server;
    atomic_bool closing;
    atomic_uint_fast64_t shed; /* submissions refused before their bodies were read */
    struct upload_places *upload_places;
    int64_t started_s;  /* wall time */
    int64_t started_ms; /* monotonic, which tells how long ago that is */
    enum err (*reload)(void *context, struct fault *fault);
    void *reload_context;
};

/* A request that was admitted with a key: who it is, and what it goes by. Attached to the exchange. */
struct call {
    struct api *api;
    struct setup *setup;       /* the share's */
    struct setup_share *share; /* with a reference */
    struct account_row account;
    struct key_row key;
    struct submission_key *submission_key; /* of one that waits its turn */
    struct submission *submission; /* the work's, that submit_task was given */
    enum err submitted;            /* what it came back with */
    struct task_id task; /* that a query is about */
    void *work; /* of the handler */
    void (*release_work)(void *work);
};

struct api *api_of(struct exchange *exchange);
/* Only in handlers of routes with ACCESS_KEY or ACCESS_ADMIN; of the latter the account is 0. */
struct call *call_of(struct exchange *exchange);
/* Whether the account's group may use the model of that name, as the client writes it. */
bool may_use(const struct call *call, struct text model) must_check;
/* What result URLs begin with: the configured public URL, else the request's own host. ERR_INVALID_REQUEST when that is
 * none. */
enum err request_base(struct exchange *exchange, const struct config *config, struct text *ret,
                      struct fault *fault) must_check;

/* door/admit.c: http_options.admit */
bool admit(struct exchange *exchange);
/* task/hook.c: whether the path is the address of a webhook, which is then attached to the exchange. */
enum err admit_hook(struct exchange *exchange, struct fault *fault) must_check;
/* file/form.c: makes ready for the form whose header section has come. */
enum err admit_form(struct exchange *exchange, struct fault *fault) must_check;
/* errors.c: http_options.refuse, the only renderer of faults */
void refuse(struct exchange *exchange, const struct fault *fault);
/* 200 with a JSON body, which is taken. */
void reply_json(struct exchange *exchange, struct buffer *body);
/* The same with an ETag (reply_tagged). */
void reply_json_tagged(struct exchange *exchange, uint64_t tag, struct buffer *body);
/* Suspends the exchange until all that has ended before is written (engine_settled), then has it answered. HTTP thread. */
void answer_settled(struct exchange *exchange, void (*answer)(struct exchange *exchange));
/* 200 with one of the caller's tasks as the task query answers it; or only fills in the fault. */
enum err reply_task(struct exchange *exchange, const struct task_id *id, struct fault *fault) must_check;
/* about/models.c: answers with OpenAI's list of the models that have a name of their own and are open to the account, of the
 * language models alone where `only_llm`; `put` adds what else an object of the list says. */
void reply_models(struct exchange *exchange, bool only_llm,
                  void (*put)(struct json_writer *json, const struct model *model));

/* The handlers. */
void handle_account_credits(struct exchange *exchange);
void handle_account_ledger(struct exchange *exchange);
void handle_account_usage(struct exchange *exchange);
void handle_admin_account(struct exchange *exchange);
void handle_admin_account_change(struct exchange *exchange);
void handle_admin_account_create(struct exchange *exchange);
void handle_admin_accounts(struct exchange *exchange);
void handle_admin_callback(struct exchange *exchange);
void handle_admin_callback_replay(struct exchange *exchange);
void handle_admin_callbacks(struct exchange *exchange);
void handle_admin_changes(struct exchange *exchange);
void handle_admin_credits(struct exchange *exchange);
void handle_admin_groups(struct exchange *exchange);
void handle_admin_key_change(struct exchange *exchange);
void handle_admin_key_create(struct exchange *exchange);
void handle_admin_key_revoke(struct exchange *exchange);
void handle_admin_keys(struct exchange *exchange);
void handle_admin_ledger(struct exchange *exchange);
void handle_admin_usage(struct exchange *exchange);
void handle_admin_model(struct exchange *exchange);
void handle_admin_model_pause(struct exchange *exchange);
void handle_admin_model_resume(struct exchange *exchange);
void handle_admin_models(struct exchange *exchange);
void handle_admin_operator_key_create(struct exchange *exchange);
void handle_admin_operator_key_revoke(struct exchange *exchange);
void handle_admin_operator_keys(struct exchange *exchange);
void handle_admin_provider(struct exchange *exchange);
void handle_admin_provider_pause(struct exchange *exchange);
void handle_admin_provider_reset(struct exchange *exchange);
void handle_admin_provider_resume(struct exchange *exchange);
void handle_admin_providers(struct exchange *exchange);
void handle_admin_reload(struct exchange *exchange);
void handle_admin_settings(struct exchange *exchange);
void handle_admin_status(struct exchange *exchange);
void handle_admin_task(struct exchange *exchange);
void handle_admin_task_cancel(struct exchange *exchange);
void handle_admin_task_fail(struct exchange *exchange);
void handle_admin_task_refund(struct exchange *exchange);
void handle_admin_task_retry(struct exchange *exchange);
void handle_admin_tasks(struct exchange *exchange);
void handle_artifact(struct exchange *exchange);
void handle_callback(struct exchange *exchange);
void handle_callback_replay(struct exchange *exchange);
void handle_callback_secret(struct exchange *exchange);
void handle_callback_secret_revoke(struct exchange *exchange);
void handle_callback_secret_rotate(struct exchange *exchange);
void handle_callback_test(struct exchange *exchange);
void handle_callbacks(struct exchange *exchange);
void handle_chat_completions(struct exchange *exchange);
void handle_file(struct exchange *exchange);
void handle_file_base64(struct exchange *exchange);
void handle_file_content(struct exchange *exchange);
void handle_file_delete(struct exchange *exchange);
void handle_file_form(struct exchange *exchange);
void handle_file_list(struct exchange *exchange);
void handle_file_url(struct exchange *exchange);
void handle_docs(struct exchange *exchange);
void handle_health(struct exchange *exchange);
void handle_hook(struct exchange *exchange);
void handle_llm_async(struct exchange *exchange);
void handle_llm_generations(struct exchange *exchange);
void handle_llm_stream(struct exchange *exchange);
void handle_metrics(struct exchange *exchange);
void handle_minimax_voices(struct exchange *exchange);
void handle_models(struct exchange *exchange);
void handle_llm_models(struct exchange *exchange);
void handle_openapi(struct exchange *exchange);
void handle_pricing(struct exchange *exchange);
void handle_readiness(struct exchange *exchange);
void handle_submit_audio(struct exchange *exchange);
void handle_submit_document(struct exchange *exchange);
void handle_submit_image(struct exchange *exchange);
void handle_submit_video(struct exchange *exchange);
void handle_task_cancel(struct exchange *exchange);
void handle_task_events(struct exchange *exchange);
void handle_task_list(struct exchange *exchange);
void handle_task_query(struct exchange *exchange);
void handle_task_renew(struct exchange *exchange);
