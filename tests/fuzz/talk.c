/* Talks with services of language models, from the request to what the engine is told: whatever comes back, whole, in chunks,
 * or one in the place of the other, a talk ends once, with a completion and what it used or with a failure in words; the
 * key is in none of them, and what has been begun is not sent again (T3).
 *
 *   the dialect, and letters: s chunks are asked for, n two choices are, k its reader must keep up, p what was written counts
 *   when it is cancelled, g the server stops then, m a picture's link is in the request
 *   what the service says (server.h) */
#include <jansson.h>
#include <stdlib.h>

#include "catalog/catalog.h"
#include "chat/dialect/dialect.h"
#include "chat/stream.h"
#include "config/config.h"
#include "fuzz.h"
#include "models.h"
#include "net/fetch.h"
#include "provider/bridge.h"
#include "provider/driver.h"
#include "remote/read_json.h"
#include "server.h"

#define SECRET "not-a-real-key-0123456789"
#define INPUT_MAX 3000
#define LOG_MAX 2000 /* of a stream that must be kept up with */
#define SILENCE_MS 30 /* what has not ended by then is cancelled */
#define HTTP "HTTP/1.1 200 OK\r\n\r\n"

/* The dialects, each with a service of the catalogue that speaks it. */
static struct service {
    const char *dialect, *provider;
    const struct model *model;
    const struct route *route;
    char *name; /* what is asked for */
} services[] = {
    { .dialect = "openai", .provider = "openai" },
    { .dialect = "anthropic", .provider = "anthropic" },
    { .dialect = "gemini", .provider = "gemini" },
    { .dialect = "ollama", .provider = "ollama" },
};

static uv_loop_t loop;
static uv_timer_t silence;
static struct driver *driver;
static struct fetch_client *fetcher;

static void close_all(void) {
    chat_driver.destroy(driver);
    fetch_client_free(fetcher);
    uv_run(&loop, UV_RUN_NOWAIT);
    for (size_t i = 0; i < ARRAY_SIZE(services); i++) {
        free(services[i].name);
    }
}

/* A model of the service's, and a name that leads to it. */
static void find_model(struct service *service) {
    unsigned count;
    const struct model *const *models = catalog_models(bridge_catalog(fuzz_bridge()), &count);
    for (unsigned i = 0; i < count; i++) {
        for (unsigned k = 0; models[i]->llm != NULL && k < models[i]->route_count; k++) {
            if (strcmp(models[i]->routes[k].provider, service->provider) == 0) {
                service->model = models[i];
                service->route = &models[i]->routes[k];
            }
        }
    }
    fuzz_hold(service->model != NULL, "no model of %s", service->provider);
    service->name = strdup(service->model->name);
    for (char *c = service->name; *c != '\0'; c++) {
        *c = *c == '*' ? 'x' : *c;
    }
}

void fuzz_begin(void) {
    static char url[64];
    static struct provider_config providers[ARRAY_SIZE(services)];
    static struct config config = { .input_max = INPUT_MAX, .llm_idle_s = 60, .llm_duration_s = 600, .llm_connections_max = 8,
                                    .providers = providers, .provider_count = ARRAY_SIZE(providers) };
    fuzz_bridge();
    uv_loop_init(&loop);
    uv_timer_init(&loop, &silence);
    server_open(&loop);
    atexit(close_all);
    server_may_hold();
    snprintf(url, sizeof(url), "http://%s/v1", server_pairs()[0]);
    for (size_t i = 0; i < ARRAY_SIZE(services); i++) {
        find_model(&services[i]);
        providers[i] = (struct provider_config){ .name = services[i].provider, .url = url, .allow_private = true };
    }
    const struct fetch_options options = { .allow = server_pairs(), .allow_count = SERVER_PAIRS };
    fetcher = fetch_client_new(&loop, &options);
    const struct driver_host host = { .loop = &loop, .config = &config, .bridge = fuzz_bridge(), .fetcher = fetcher };
    driver = chat_driver.create(&host);
}

#define OPENAI_WHOLE                                                                                                    \
    "{\"id\":\"c\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"message\":{"      \
    "\"role\":\"assistant\",\"content\":\"x\",\"tool_calls\":[{\"id\":\"t\",\"type\":\"function\",\"function\":{\"name\":\"f\"," \
    "\"arguments\":\"{}\"}}]},\"finish_reason\":\"stop\"}]"
#define OPENAI_CHUNK                                                                                                    \
    "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,"       \
    "\"delta\":{\"role\":\"assistant\",\"content\":\"he\"},\"finish_reason\":null}]}\n\n"
#define OPENAI_LAST                                                                                                     \
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"

void fuzz_seeds(void) {
    static const char *const seeds[] = {
        "openai\n" HTTP OPENAI_WHOLE "}",
        "openai s\n" HTTP OPENAI_WHOLE ",\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2,\"total_tokens\":7,"
        "\"prompt_tokens_details\":{\"cached_tokens\":9}}}",
        "openai s\n" HTTP OPENAI_WHOLE "}",
        "openai s\n" HTTP OPENAI_CHUNK OPENAI_LAST,
        "openai sn\n" HTTP OPENAI_CHUNK OPENAI_LAST,
        "openai sp\n" HTTP OPENAI_CHUNK OPENAI_CHUNK "{H}",
        "openai s\n" HTTP OPENAI_CHUNK OPENAI_LAST "{H}",
        "openai s\n" HTTP OPENAI_CHUNK "{H}",
        "openai sg\n" HTTP OPENAI_CHUNK "{H}",
        "ollama m\nHTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{H}",
        "openai s\nHTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" OPENAI_CHUNK,
        "openai s\nHTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" OPENAI_CHUNK OPENAI_LAST,
        "openai sk\n" HTTP OPENAI_CHUNK OPENAI_CHUNK OPENAI_CHUNK OPENAI_CHUNK OPENAI_CHUNK OPENAI_CHUNK OPENAI_CHUNK
            OPENAI_CHUNK OPENAI_CHUNK OPENAI_CHUNK OPENAI_CHUNK OPENAI_CHUNK OPENAI_LAST,
        "openai s\n" HTTP "{\"error\":{\"message\":\"the key " SECRET " is used up\",\"type\":\"insufficient_quota\"}}",
        "openai s\n" HTTP "<html><title>no</title></html>",
        "openai s\n" HTTP OPENAI_CHUNK "data: {\"error\":{\"message\":\"" SECRET "\"}}\n\n",
        "openai\nHTTP/1.1 401 N\r\n\r\n{\"error\":{\"message\":\"Incorrect API key: " SECRET "\",\"code\":\"invalid_api_key\"}}",
        "openai\nHTTP/1.1 429 N\r\nretry-after-ms: 1500\r\nRetry-After: 2\r\n\r\n{\"error\":{\"message\":\"slow\"}}",
        "openai\nHTTP/1.1 302 F\r\nLocation: http://127.0.0.2:{P}/\r\n\r\n\n----\n" HTTP OPENAI_WHOLE "}",
        "openai\n" HTTP "{\"choices\":[]}",
        "openai\n",
        "anthropic\n" HTTP "{\"id\":\"m\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"c\",\"content\":["
        "{\"type\":\"text\",\"text\":\"x\"},{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{}}],"
        "\"stop_reason\":\"end_turn\"}",
        "anthropic s\n" HTTP "{\"id\":\"m\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"c\",\"content\":[{\"type\":"
        "\"text\",\"text\":\"x\"}],\"stop_reason\":\"max_tokens\",\"usage\":{\"input_tokens\":3,\"output_tokens\":5}}",
        "anthropic s\n" HTTP "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m1\",\"model\":\"c\","
        "\"usage\":{\"input_tokens\":3}}}\n\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{"
        "\"type\":\"text_delta\",\"text\":\"hi\"}}\n\n"
        "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{"
        "\"output_tokens\":9}}\n\ndata: {\"type\":\"message_stop\"}\n\n",
        "gemini\n" HTTP
        "{\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\"hi\"}]},\"finishReason\":\"STOP\"}]}",
        "gemini s\n" HTTP "[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hi\"}]},\"finishReason\":\"STOP\"}]}]",
        "gemini s\n" HTTP "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hi\"},{\"functionCall\":{\"name\":\"f\","
        "\"args\":{}}}]},\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":4}}\n\n",
        "gemini\n" HTTP "{\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}",
        "ollama\n" HTTP "{\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"content\":\"h\"},\"done\":true}",
        "ollama s\n" HTTP "{\"message\":{\"content\":\"h\"},\"done\":false}\n{\"message\":{\"content\":\"\"},\"done\":true,"
        "\"done_reason\":\"stop\",\"prompt_eval_count\":3,\"eval_count\":5}\n",
        "ollama sm\nHTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n\x1a\n\n----\n" HTTP
        "{\"message\":{\"content\":\"h\"},\"done\":true}\n",
        "ollama m\nHTTP/1.1 404 N\r\n\r\n",
        NULL,
    };
    fuzz_seed_list("talk", seeds);
}

/* ---- what is told ---- */

struct trial {
    struct attempt attempt;
    unsigned ends;
    bool stops;
};

static void hold_usage(const struct token_usage *usage) {
    fuzz_hold(usage->input >= 0 && usage->output >= 0 && usage->reasoning >= 0);
    fuzz_hold(usage->cached >= 0 && usage->cached <= usage->input, "%lld of %lld", (long long)usage->cached,
              (long long)usage->input);
}

/* What the completion says of it is what is charged. */
static void hold_said(const json_t *completion, const struct token_usage *usage) {
    const json_t *said = json_object_get(completion, "usage");
    if (usage->estimated) {
        fuzz_hold(json_integer_value(json_object_get(said, "prompt_tokens")) == usage->input);
        fuzz_hold(json_integer_value(json_object_get(said, "completion_tokens")) == usage->output);
    }
}

static void hold_success(const struct outcome *outcome) {
    struct fault fault = { .err = OK };
    json_t *completion = NULL;
    hold_usage(&outcome->tokens);
    fuzz_hold(text_is_utf8(outcome->completion));
    fuzz_hold(read_service_json(outcome->completion, &completion, &fault) == OK, "%s: %.*s", fault.message,
              TEXT_ARG(outcome->completion));
    fuzz_hold(json_is_array(json_object_get(completion, "choices")), "%.*s", TEXT_ARG(outcome->completion));
    hold_said(completion, &outcome->tokens);
    json_decref(completion);
}

static void hold_words(const char *words) {
    fuzz_hold(words == NULL || strstr(words, SECRET) == NULL, "%s", words);
    fuzz_hold(words == NULL || text_is_utf8(text_of(words)), "%s", words);
}

static void hold_failure(const struct attempt *attempt, const struct outcome *outcome) {
    const struct chat_failure *chat = outcome->chat;
    const char *const words[] = { outcome->message, outcome->detail, chat->message, chat->type, chat->code, chat->param };
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        hold_words(words[i]);
    }
    fuzz_hold(task_error_code(outcome->error) != NULL && outcome->scope < SCOPE_COUNT);
    fuzz_hold(outcome->delay_ms >= 0 && outcome->delay_ms <= 86400000, "%lld", (long long)outcome->delay_ms);
    fuzz_hold(!outcome->retryable || outcome->fate == JOB_NOT_MADE, "it would be made twice");
    fuzz_hold(chat_stream_count(attempt->stream) == 0 || outcome->fate == JOB_ENDED, "what was said cannot be unsaid");
}

static void done(struct attempt *attempt, const struct outcome *outcome) {
    container_of(attempt, struct trial, attempt)->ends++;
    if (outcome->error == TASK_ERROR_NONE) {
        hold_success(outcome);
    } else {
        hold_failure(attempt, outcome);
    }
}

/* What its reader is shown: the bytes of a service that speaks as we do are its own. */
static void hold_chunks(const struct attempt *attempt) {
    struct buffer lines;
    uint64_t count = 0;
    buffer_init(&lines, 2 * CHAT_ANSWER_MAX);
    chat_stream_put_lines(attempt->stream, &lines);
    fuzz_hold(buffer_ok(&lines));
    for (struct text rest = buffer_text(&lines); rest.len > 0; count++) {
        json_t *chunk = NULL;
        struct text line = fuzz_line(&rest);
        fuzz_hold(read_service_json(line, &chunk, NULL) == OK && json_is_object(chunk), "%.*s", TEXT_ARG(line));
        json_decref(chunk);
    }
    fuzz_hold(count == chat_stream_count(attempt->stream) && (attempt->streams || count == 0));
    buffer_fini(&lines);
}

/* ---- a talk ---- */

static void asked(struct text head, bool abroad, unsigned number) {
    (void)number;
    fuzz_hold(!abroad && memmem(head.ptr, head.len, "\r\n\r\n", 4) != NULL);
}

static bool has(struct text letters, char letter) {
    return text_find(letters, letter) < letters.len;
}

static json_t *body_of(const struct service *service, struct text letters) {
    char url[64];
    snprintf(url, sizeof(url), "http://%s/a.png", server_pairs()[0]);
    json_t *parts = json_pack("[{s:s,s:s}]", "type", "text", "text", "hello");
    if (has(letters, 'm')) {
        json_array_append_new(parts, json_pack("{s:s,s:{s:s}}", "type", "image_url", "image_url", "url", url));
    }
    json_t *body = json_pack("{s:s,s:[{s:s,s:o}]}", "model", service->name, "messages", "role", "user", "content", parts);
    if (has(letters, 'n')) {
        json_object_set_new(body, "n", json_integer(2));
    }
    return body;
}

static void silent(uv_timer_t *timer) {
    struct trial *trial = timer->data;
    if (trial->ends == 0) {
        (trial->stops ? chat_driver.leave : chat_driver.cancel)(driver, &trial->attempt);
    }
}

static void run(struct trial *trial) {
    struct fault fault = { .err = OK };
    uv_timer_start(&silence, silent, SILENCE_MS, 0);
    silence.data = trial;
    fuzz_hold(chat_driver.start(driver, &trial->attempt, &fault) == OK, "%s", fault.message);
    while (trial->ends == 0) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    uv_timer_stop(&silence);
    server_rest();
    fuzz_hold(trial->ends == 1 && trial->attempt.driver_data == NULL);
}

void fuzz_one(struct text input) {
    struct text letters = fuzz_line(&input), dialect = text_cut(&letters, ' ');
    for (size_t i = 0; i < ARRAY_SIZE(services); i++) {
        const struct service *service = &services[i];
        if (!text_equal(dialect, text_of(service->dialect))) {
            continue;
        }
        json_t *body = body_of(service, letters);
        struct trial trial = { .attempt = { .task = "task-llm-1-abcdefgh", .number = 1, .model = service->model,
                                            .route = service->route, .provider = service->provider, .input = body,
                                            .timeout_ms = 600000, .key = SECRET, .streams = has(letters, 's'),
                                            .must_keep_up = has(letters, 'k'), .keeps_partial = has(letters, 'p'),
                                            .done = done },
                               .stops = has(letters, 'g') };
        trial.attempt.stream =
            chat_stream_new(&(struct chat_stream_options){ .bytes_max = has(letters, 'k') ? LOG_MAX : 0 });
        server_say(input, asked);
        run(&trial);
        hold_chunks(&trial.attempt);
        chat_stream_unref(trial.attempt.stream);
        json_decref(body);
    }
}
