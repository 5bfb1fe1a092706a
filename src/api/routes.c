/* The table of routes: all that the API has. Each row is described by a file in openapi/ (description.h). */
#include "api/internal.h"
#include "core/answer.h"

#define HOOK_BODY_MAX (1 << 20)
#define CALLBACK_BODY_MAX (64 << 10)

static const struct http_route routes[] = {
    /* method, pattern, access, takes a body, handler, summary */
    { METHOD_GET, "/v1/tasks", ACCESS_KEY, false, handle_task_list, "List tasks, or query many at once" },
    { METHOD_GET, "/v1/tasks/{task_id}", ACCESS_KEY, false, handle_task_query, "Query a task's status and results" },
    { METHOD_GET, "/v1/tasks/{task_id}/events", ACCESS_KEY, false, handle_task_events, "Follow a task as it goes" },
    { METHOD_POST, "/v1/tasks/{task_id}/cancel", ACCESS_KEY, true, handle_task_cancel, "Cancel a task" },
    { METHOD_POST, "/v1/tasks/{task_id}/renew", ACCESS_KEY, true, handle_task_renew, "Keep a result's files longer" },

    { METHOD_POST, "/v1/images/generations", ACCESS_KEY, true, handle_submit_image, "Submit an image task" },
    { METHOD_POST, "/v1/videos/generations", ACCESS_KEY, true, handle_submit_video, "Submit a video task" },
    { METHOD_POST, "/v1/audios/generations", ACCESS_KEY, true, handle_submit_audio, "Submit an audio task" },
    { METHOD_POST, "/v1/audio/generations", ACCESS_KEY, true, handle_submit_audio, "Submit an audio task, by the older name" },
    { METHOD_POST, "/v1/run/generations", ACCESS_KEY, true, handle_submit_document, "Submit a document task" },

    { METHOD_POST, "/v1/llm/generations", ACCESS_KEY, true, handle_llm_generations, "Ask a language model" },
    { METHOD_GET, STREAM_PATH_PREFIX "{task_id}" STREAM_PATH_SUFFIX, ACCESS_KEY, false, handle_llm_stream,
      "Follow a language model's answer as it is written" },
    { METHOD_POST, "/v1/chat/completions", ACCESS_KEY, true, handle_chat_completions,
      "Ask a language model as OpenAI's clients do" },
    { METHOD_POST, "/v1/llm_async/chat/completions", ACCESS_KEY, true, handle_llm_async,
      "Ask as OpenAI's clients do, as a task" },
    { METHOD_GET, "/v1/llm_async/stream/{task_id}", ACCESS_KEY, false, handle_llm_stream,
      "Follow a language model's answer, by the older name" },

    { METHOD_POST, "/v1/files/upload/stream", ACCESS_KEY, true, handle_file_form, "Upload a file in a form",
      .streams_body = true },
    { METHOD_POST, "/v1/files/upload/base64", ACCESS_KEY, true, handle_file_base64, "Upload a file inside JSON" },
    { METHOD_POST, "/v1/files/upload/url", ACCESS_KEY, true, handle_file_url, "Have a file fetched from a URL" },
    { METHOD_GET, "/v1/files", ACCESS_KEY, false, handle_file_list, "List the account's files" },
    { METHOD_GET, "/v1/files/{file_id}", ACCESS_KEY, false, handle_file, "Show a file" },
    { METHOD_DELETE, "/v1/files/{file_id}", ACCESS_KEY, false, handle_file_delete, "Delete a file" },
    { METHOD_GET, "/v1/files/{file_id}/content/{name}", ACCESS_ANYONE, false, handle_file_content,
      "Download a file by its signed URL" },
    { METHOD_GET, "/v1/callbacks", ACCESS_KEY, false, handle_callbacks, "List the account's callbacks, newest first" },
    { METHOD_GET, "/v1/callbacks/secret", ACCESS_KEY, false, handle_callback_secret,
      "Show which secrets sign callbacks, without the secrets" },
    { METHOD_POST, "/v1/callbacks/secret/rotate", ACCESS_KEY, true, handle_callback_secret_rotate,
      "Make a new secret and show it once", .body_max = CALLBACK_BODY_MAX },
    { METHOD_POST, "/v1/callbacks/secret/revoke", ACCESS_KEY, true, handle_callback_secret_revoke,
      "End the secret before the current one at once", .body_max = CALLBACK_BODY_MAX },
    { METHOD_POST, "/v1/callbacks/test", ACCESS_KEY, true, handle_callback_test,
      "Send a signed test event and show what came of it", .body_max = CALLBACK_BODY_MAX },
    { METHOD_GET, "/v1/callbacks/{callback_id}", ACCESS_KEY, false, handle_callback, "Show a callback with its tries" },
    { METHOD_POST, "/v1/callbacks/{callback_id}/replay", ACCESS_KEY, true, handle_callback_replay,
      "Send a callback again", .body_max = CALLBACK_BODY_MAX },

    { METHOD_GET, "/v1/artifacts/{hash}/{name}", ACCESS_ANYONE, false, handle_artifact,
      "Download a result by its signed URL" },

    { METHOD_POST, HOOK_PATH_PREFIX "{token}", ACCESS_HOOK, true, handle_hook,
      "A provider's webhook, by the URL it was given", .body_max = HOOK_BODY_MAX, .secret_path = true },

    { METHOD_GET, "/v1/models", ACCESS_KEY, false, handle_models, "List the models" },
    { METHOD_GET, "/v1/configs/llm_generations_models", ACCESS_KEY, false, handle_llm_models,
      "List the language models and what each can read" },
    { METHOD_GET, "/v1/account/credits", ACCESS_KEY, false, handle_account_credits, "Show the account's credits" },
    { METHOD_GET, "/v1/account/usage", ACCESS_KEY, false, handle_account_usage,
      "Sum up what was used, by day, model and key" },
    { METHOD_GET, "/v1/account/ledger", ACCESS_KEY, false, handle_account_ledger, "Export the account's ledger" },
    { METHOD_GET, "/api/pricing", ACCESS_ANYONE, false, handle_pricing, "List the prices and the groups' ratios" },

    { METHOD_GET, "/v1/configs/minimax-preset-voice-id", ACCESS_KEY, false, handle_minimax_voices,
      "List MiniMax's preset voices" },
    { METHOD_GET, "/docs", ACCESS_ANYONE, false, handle_docs, "Read about the API" },
    { METHOD_GET, "/openapi.json", ACCESS_ANYONE, false, handle_openapi, "Describe the API (OpenAPI 3.1)" },

    { METHOD_GET, "/healthz", ACCESS_ANYONE, false, handle_health, "Whether the process answers" },
    { METHOD_GET, "/readyz", ACCESS_ANYONE, false, handle_readiness, "Whether it can do its work" },
    { METHOD_GET, "/metrics", ACCESS_ANYONE, false, handle_metrics, "Figures in the Prometheus text format" },
};

const struct http_route *api_routes(unsigned *ret_count) {
    *ret_count = ARRAY_SIZE(routes);
    return routes;
}
