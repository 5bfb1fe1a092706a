/* Submissions against every model of the catalogue: what is refused names its field; what is accepted is complete, has a
 * price, and can be made into a request of each route, simulated, and become results.
 *
 *   the model's name
 *   the body, JSON */
#include <jansson.h>
#include <stdlib.h>

#include "base/json.h"
#include "catalog/catalog.h"
#include "catalog/llm.h"
#include "chat/dialect/dialect.h"
#include "chat/protocol/protocol.h"
#include "chat/tokens.h"
#include "fuzz.h"
#include "models.h"
#include "provider/bridge.h"

#define DEPTH_MAX 32      /* api/task/submit.c */
#define CHAT_DEPTH_MAX 64 /* api/chat/chat.c */
#define RATIO_ONE 1000000

static const struct chat_limits limits = { .messages_max = 100, .parts_max = 100 };

void fuzz_begin(void) {
    fuzz_bridge();
}

/* ---- seeds ---- */

static void seed_input(const struct model *model, size_t number, const json_t *input) {
    char name[128];
    snprintf(name, sizeof(name), "%s-%zu", model->name, number + 1);
    for (char *c = name; *c != '\0'; c++) {
        *c = *c == '/' || *c == '*' || *c == ':' ? '_' : *c;
    }
    fuzz_seed_json(name, model->name, input);
}

static bool is_accepted(const struct model *model, const json_t *input) {
    json_t *copy = json_deep_copy(input);
    bool accepted = model_validate(model, copy, NULL) == OK;
    json_decref(copy);
    return accepted;
}

/* Every model is reached: by its samples, of which at least one is accepted, or by a question. */
static void seed_model(const struct model *model) {
    json_t *samples = fuzz_model_samples(model), *sample;
    size_t i;
    unsigned accepted = 0;
    if (model->llm != NULL) {
        json_t *question = json_pack("{s:[{s:s, s:s}], s:b}", "messages", "role", "user", "content", "hello", "stream", 1);
        seed_input(model, 0, question);
        json_decref(question);
    }
    json_array_foreach(samples, i, sample) {
        const json_t *input = json_object_get(sample, "input");
        accepted += model->llm == NULL && is_accepted(model, input);
        seed_input(model, i, input);
    }
    fuzz_hold(model->llm != NULL || accepted > 0, "no sample of %s is accepted", model->name);
    json_decref(samples);
}

void fuzz_seeds(void) {
    static const char *const chats[] = {
        "deepseek-chat\n{\"prompt\":\"hello\",\"system_prompt\":\"be brief\",\"temperature\":0.5,\"max_tokens\":16}",
        "gemini-2.5-pro\n{\"prompt\":\"what is it?\",\"image_urls\":[\"https://example.com/a.png\","
        "\"data:image/png;base64,iVBORw0KGgo=\"],\"stream\":true}",
        "claude-sonnet-4-6\n{\"messages\":[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":[{\"type\":\"text\","
        "\"text\":\"t\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://example.com/a.png\",\"detail\":\"low\"}}]}"
        "],\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"type\":\"object\"}}}],"
        "\"tool_choice\":\"auto\",\"stream\":true,\"stream_options\":{\"include_usage\":true}}",
        "gemini-2.5-pro\n{\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":null,"
        "\"tool_calls\":[{\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"x\\\":1}\"}}]"
        "},{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"4\"}],\"response_format\":{\"type\":\"json_object\"},"
        "\"stop\":[\"x\"],\"n\":2,\"seed\":7,\"reasoning\":true}",
        "gemini-2.5-pro\n{\"prompt\":\"listen\",\"audio_url\":\"https://example.com/a.mp3\"}",
        "gemini-2.5-pro\n{\"prompt\":\"watch\",\"video_urls\":[\"https://example.com/a.mp4\"]}",
        NULL,
    };
    unsigned count;
    const struct model *const *models = catalog_models(bridge_catalog(fuzz_bridge()), &count);
    for (unsigned i = 0; i < count; i++) {
        seed_model(models[i]);
    }
    fuzz_seed_list("chat", chats);
}

/* ---- images, videos, sound, documents ---- */

static json_t *see_media(const char *path, const struct param *param, const char *value, void *context) {
    unsigned *count = context;
    fuzz_hold(path[0] != '\0' && param != NULL && value != NULL);
    ++*count;
    return NULL;
}

/* Every route's request, what the simulator would answer, and the results of that. */
static void run(const struct model *model, const json_t *input) {
    struct fault fault = { .err = OK };
    json_t *upstream = NULL, *output = NULL;
    struct model_results results;
    for (unsigned i = 0; i < model->route_count; i++) {
        fuzz_hold(bridge_input(fuzz_bridge(), &model->routes[i], input, &upstream, &fault) == OK, "%s to %s: %s",
                  model->name, model->routes[i].provider, fault.message);
        json_decref(upstream);
    }
    fuzz_hold(bridge_simulate(fuzz_bridge(), model, input, &output, &fault) == OK, "%s: %s", model->name, fault.message);
    fuzz_hold(bridge_results(fuzz_bridge(), model, input, output, &results, &fault) == OK, "%s: %s", model->name,
              fault.message);
    fuzz_hold(json_array_size(results.array) > 0 && results.artifact_count <= RESULTS_ARTIFACTS_MAX);
    model_results_fini(&results);
    json_decref(output);
}

static void accepted(const struct model *model, json_t *input) {
    int64_t price = -1, doubled = -1;
    unsigned media = 0;
    struct fault fault = { .err = OK };
    json_t *again = json_deep_copy(input);
    fuzz_hold(json_object_get(input, "model") == NULL);
    fuzz_hold(model_validate(model, again, &fault) == OK, "%s, once more: %s: %s", model->name, fault.param,
              fault.message);
    fuzz_hold(json_equal(again, input), "%s: defaults are no fixed point", model->name);
    json_decref(again);
    fuzz_hold_round_trip(input);
    fuzz_hold(model_price(model, input, RATIO_ONE, &price) == OK && price >= 0, "%s: %lld", model->name,
              (long long)price);
    fuzz_hold(model_price(model, input, 2 * RATIO_ONE, &doubled) == OK && doubled >= price);
    model_each_media(model, input, see_media, &media);
    run(model, input);
}

static void submit(const struct model *model, struct text body) {
    struct fault fault = { .err = OK };
    json_t *input = NULL;
    if (json_read_request(body, DEPTH_MAX, &input, &fault) != OK) {
        return;
    }
    enum err err = model_validate(model, input, &fault);
    if (err != OK) {
        fuzz_hold_field(err, &fault);
        fuzz_hold(err_info(err)->http_status == 422, "%s: %s", err_info(err)->name, fault.message);
    } else {
        accepted(model, input);
    }
    json_decref(input);
}

/* ---- language models ---- */

/* What is asked beforehand, with links that will be data URIs by then, and what came of the request. */
static void hold_agreement(const struct chat_dialect *dialect, const struct chat_call *call, enum err err,
                           const struct fault *fault) {
    struct fault asked = { .err = OK };
    enum err beforehand = dialect->check != NULL ? dialect->check(call, &asked) : OK;
    bool same = beforehand == err && strcmp(asked.param, fault->param) == 0;
    fuzz_hold(same || (dialect->needs_inline_media && err != OK), "%s: %s, %s and %s, %s", dialect->name,
              err_info(beforehand)->name, asked.param, err_info(err)->name, fault->param);
}

static void ask(const struct chat_dialect *dialect, const json_t *body, const struct chat_wishes *wishes) {
    struct chat_request request;
    struct fault fault = { .err = OK };
    const struct chat_call call = { .body = body, .model = "service/model:1", .stream = wishes->stream,
                                    .reasoning = wishes->reasoning, .id = "chatcmpl-1", .created_s = 1764000000 };
    enum err err = dialect->request(&call, &request, &fault);
    hold_agreement(dialect, &call, err, &fault);
    if (err != OK) {
        fuzz_hold_field(err, &fault);
        fuzz_hold(err_info(err)->http_status == 422, "%s: %s", err_info(err)->name, fault.message);
        chat_name_field(wishes, &fault);
        fuzz_hold_field(err, &fault);
        return;
    }
    json_t *value = NULL;
    fuzz_hold(buffer_ok(&request.path) && buffer_ok(&request.body) && request.path.data[0] == '/');
    fuzz_hold(json_read_object(buffer_text(&request.body), 128, &value, &fault) == OK, "%s: %s: %.*s", dialect->name,
              fault.message, TEXT_ARG(buffer_text(&request.body)));
    json_decref(value);
    chat_request_fini(&request);
}

static void converse(const struct model *model, struct text text,
                     enum err (*read)(const json_t *body, const struct chat_limits *limits, json_t **ret,
                                      struct chat_wishes *wishes, struct fault *fault)) {
    static const struct chat_dialect *const dialects[] = { &openai_dialect, &anthropic_dialect, &gemini_dialect,
                                                           &ollama_dialect };
    struct fault fault = { .err = OK };
    struct chat_wishes wishes = { .sync = false };
    json_t *body = NULL, *request = NULL;
    if (json_read_request(text, CHAT_DEPTH_MAX, &body, &fault) != OK) {
        return;
    }
    enum err err = read(body, &limits, &request, &wishes, &fault);
    if (err == OK) {
        fuzz_hold(json_is_array(json_object_get(request, "messages")));
        fuzz_hold(tokens_of_request(request) > 0);
        fuzz_hold(llm_output_tokens(model, request) > 0);
        err = llm_check(model, request, &fault);
        if (err != OK) {
            fuzz_hold_field(err, &fault);
            chat_name_field(&wishes, &fault);
        }
    }
    if (err != OK) {
        fuzz_hold_field(err, &fault);
        fuzz_hold(err_info(err)->http_status == 422, "%s: %s", err_info(err)->name, fault.message);
    }
    for (size_t i = 0; i < ARRAY_SIZE(dialects) && err == OK; i++) {
        ask(dialects[i], request, &wishes);
    }
    json_decref(request);
    json_decref(body);
}

void fuzz_one(struct text input) {
    const struct model *model = fuzz_model(fuzz_line(&input));
    if (model->llm == NULL) {
        submit(model, input);
    } else {
        converse(model, input, chat_read_submission);
        converse(model, input, chat_read_completion);
    }
}
