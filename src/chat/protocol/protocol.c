/* From a submission to OpenAI's request: which protocol it speaks, its fields checked, its message made. */
#include "chat/protocol/protocol.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "catalog/llm.h"
#include "chat/protocol/inside.h"

#define MEMBERS_MAX 128 /* of a submission */
#define NAME_MAX_CHARACTERS 200
#define TRANSCRIBE "Transcribe this recording word for word. Answer with nothing but the transcript."

/* The fields that decide, each with its protocol. */
static const struct {
    const char *field;
    enum chat_protocol protocol;
} starters[] = {
    { "messages", CHAT_CUSTOM },  { "image_urls", CHAT_VISION }, { "audio_url", CHAT_AUDIO },
    { "video_urls", CHAT_VIDEO }, { "prompt", CHAT_TEXT },
};

/* What is not part of the request that is made. */
static const char *const kept_back[] = { "messages",       "prompt",        "image_urls", "audio_url",
                                         "video_urls",     "system_prompt", "sync",       "stream",
                                         "stream_options" };

/* What some services take in the place of max_tokens, or of the model: what is priced must be what is asked for. */
static const char *const unpriced[] = { "n_predict", "num_predict", "max_new_tokens", "max_output_tokens", "models" };

/* OpenAI's parameters, which the protocols without messages may have too; anything else there is a slip of the pen. */
static const char *const passed_on[] = {
    "model", "reasoning", "temperature", "top_p", "top_k", "min_p", "n", "stop", "seed", "max_tokens",
    "max_completion_tokens", "frequency_penalty", "presence_penalty", "repetition_penalty", "logit_bias",
    "logprobs", "top_logprobs", "response_format", "reasoning_effort", "thinking", "tools", "tool_choice",
    "parallel_tool_calls", "modalities", "metadata", "user", "store", "service_tier", "verbosity",
    "web_search_options", "model_params", "prompt_cache_key", "safety_identifier"
};

static bool is_one_of(const char *name, const char *const *names, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* NULL when it is not there, or null. */
static const json_t *given(const json_t *body, const char *name) {
    const json_t *value = json_object_get(body, name);
    return json_is_null(value) ? NULL : value;
}

/* ---- shared fields ---- */

static enum err read_flag(const json_t *body, const char *name, bool *ret, struct fault *fault) {
    const json_t *value = given(body, name);
    if (value != NULL && !json_is_boolean(value)) {
        return fault_set_param(fault, ERR_INVALID_TYPE, name, "The field %s must be true or false.", name);
    }
    *ret = json_is_true(value);
    return OK;
}

static enum err check_count(const json_t *body, const char *name, int64_t most, struct fault *fault) {
    const json_t *value = given(body, name);
    if (value == NULL) {
        return OK;
    }
    if (!json_is_integer(value)) {
        return fault_set_param(fault, ERR_INVALID_TYPE, name, "The field %s must be a whole number.", name);
    }
    return json_integer_value(value) >= 1 && json_integer_value(value) <= most
               ? OK
               : fault_set_param(fault, ERR_INVALID_PARAM, name, "The field %s must be between 1 and %lld; got %lld.",
                                 name, (long long)most, (long long)json_integer_value(value));
}

static enum err check_temperature(const json_t *body, struct fault *fault) {
    const json_t *value = given(body, "temperature");
    if (value == NULL) {
        return OK;
    }
    if (!json_is_number(value)) {
        return fault_set_param(fault, ERR_INVALID_TYPE, "temperature", "The field temperature must be a number.");
    }
    double number = json_number_value(value);
    return number >= 0 && number <= LLM_TEMPERATURE_MAX
               ? OK
               : fault_set_param(fault, ERR_INVALID_PARAM, "temperature",
                                 "The field temperature must be between 0 and %d; got %g.", LLM_TEMPERATURE_MAX,
                                 number);
}

static enum err check_model(const json_t *body, struct fault *fault) {
    const json_t *model = given(body, "model");
    return model == NULL ? fault_set_param(fault, ERR_MISSING_FIELD, "model", "The field model is missing.")
                         : expect_text(model, "model", NAME_MAX_CHARACTERS, fault);
}

static enum err read_stream_options(const json_t *body, struct chat_wishes *wishes, struct fault *fault) {
    const json_t *options = given(body, "stream_options");
    if (options == NULL) {
        return OK;
    }
    if (!json_is_object(options)) {
        return fault_set_param(fault, ERR_INVALID_TYPE, "stream_options",
                               "The field stream_options must be an object.");
    }
    const json_t *usage = given(options, "include_usage");
    if (usage != NULL && !json_is_boolean(usage)) {
        return fault_set_param(fault, ERR_INVALID_TYPE, "stream_options.include_usage",
                               "The field stream_options.include_usage must be true or false.");
    }
    wishes->include_usage = json_is_true(usage);
    return OK;
}

/* Of all protocols, and of both endpoints. */
static enum err read_shared(const json_t *body, struct chat_wishes *wishes, struct fault *fault) {
    static const struct {
        const char *name;
        int64_t most;
    } counts[] = { { "max_tokens", LLM_TOKENS_MAX },
                   { "max_completion_tokens", LLM_TOKENS_MAX },
                   { "n", LLM_CHOICES_MAX } };
    if (json_object_size(body) > MEMBERS_MAX) {
        return fault_set(fault, ERR_INVALID_PARAM, "A request has at most %d fields.", MEMBERS_MAX);
    }
    for (size_t i = 0; i < ARRAY_SIZE(unpriced); i++) {
        if (given(body, unpriced[i]) != NULL) {
            return fault_set_param(fault, ERR_UNKNOWN_FIELD, unpriced[i],
                                   "The field %s is not known here; there are model and max_tokens.", unpriced[i]);
        }
    }
    enum err err = check_model(body, fault);
    if (err == OK) {
        err = read_flag(body, "sync", &wishes->sync, fault);
    }
    if (err == OK) {
        err = read_flag(body, "stream", &wishes->stream, fault);
    }
    if (err == OK) {
        err = read_stream_options(body, wishes, fault);
    }
    for (size_t i = 0; err == OK && i < ARRAY_SIZE(counts); i++) {
        err = check_count(body, counts[i].name, counts[i].most, fault);
    }
    return err == OK ? check_temperature(body, fault) : err;
}

/* Puts everything into *request that is neither read here nor null. `reasoning` passes only as something richer than
 * true. */
static enum err pass_on(const json_t *body, json_t *request, struct fault *fault) {
    const char *name;
    json_t *value;
    enum err err = OK;
    json_object_foreach ((json_t *)(uintptr_t)body, name, value) {
        bool flag = strcmp(name, "reasoning") == 0 && json_is_boolean(value);
        if (json_is_null(value) || flag || is_one_of(name, kept_back, ARRAY_SIZE(kept_back))) {
            continue;
        }
        if (strlen(name) > NAME_MAX_CHARACTERS) {
            return fault_set(fault, ERR_UNKNOWN_FIELD, "There is a field whose name is longer than %d bytes.",
                             NAME_MAX_CHARACTERS);
        }
        err = expect_shallow(value, name, fault);
        if (err != OK) {
            return err;
        }
        json_object_set(request, name, value);
    }
    return OK;
}

/* ---- the protocols without messages ---- */

static enum err choose_protocol(const json_t *body, enum chat_protocol *ret, struct fault *fault) {
    size_t first = ARRAY_SIZE(starters);
    for (size_t i = 0; i < ARRAY_SIZE(starters); i++) {
        if (given(body, starters[i].field) == NULL) {
            continue;
        }
        bool beside = starters[i].protocol == CHAT_TEXT && first < ARRAY_SIZE(starters) &&
                      starters[first].protocol != CHAT_CUSTOM;
        if (first < ARRAY_SIZE(starters) && !beside) {
            return fault_set_param(
                fault, ERR_INVALID_PARAM, starters[i].field,
                "The field %s cannot be sent together with %s: a request has one of messages, image_urls, "
                "audio_url and video_urls; several kinds go into messages.",
                starters[i].field, starters[first].field);
        }
        first = first < ARRAY_SIZE(starters) ? first : i;
    }
    if (first == ARRAY_SIZE(starters)) {
        return fault_set_param(fault, ERR_MISSING_FIELD, "prompt",
                               "The field prompt is missing; or else messages, image_urls, audio_url or video_urls.");
    }
    *ret = starters[first].protocol;
    return OK;
}

static enum err expect_known(const json_t *body, struct fault *fault) {
    const char *name;
    json_t *value;
    json_object_foreach ((json_t *)(uintptr_t)body, name, value) {
        if (!json_is_null(value) && !is_one_of(name, kept_back, ARRAY_SIZE(kept_back)) &&
            !is_one_of(name, passed_on, ARRAY_SIZE(passed_on))) {
            struct text clip = name[0] != '\0' ? text_clip(text_of(name), 64) : TEXT("\"\"");
            char path[80];
            snprintf(path, sizeof(path), "%.*s", TEXT_ARG(clip));
            return fault_set_param(fault, ERR_UNKNOWN_FIELD, path,
                                   "There is no field %s; other parameters of a service go beside messages.", path);
        }
    }
    return OK;
}

/* The message's content: the prompt, then what it is about. */
static enum err read_links(const json_t *links, const char *field, const char *type, const char *accept,
                           json_t *content, struct fault *fault) {
    enum err err = expect_list(links, field, LLM_LINKS_MAX, fault);
    for (size_t i = 0; err == OK && i < json_array_size(links); i++) {
        char path[32];
        snprintf(path, sizeof(path), "%s[%zu]", field, i);
        err = expect_link(json_array_get(links, i), path, accept, fault);
        if (err == OK) {
            json_array_append_new(content,
                                  json_pack("{s:s, s:{s:O}}", "type", type, type, "url", json_array_get(links, i)));
        }
    }
    return err;
}

static enum err read_media(const json_t *body, enum chat_protocol protocol, json_t *content, struct fault *fault) {
    if (protocol == CHAT_VISION) {
        return read_links(given(body, "image_urls"), "image_urls", "image_url", "image", content, fault);
    }
    if (protocol == CHAT_VIDEO) {
        return read_links(given(body, "video_urls"), "video_urls", "video_url", "video", content, fault);
    }
    const json_t *url = given(body, "audio_url");
    enum err err = expect_link(url, "audio_url", "audio", fault);
    if (err == OK) {
        json_array_append_new(content, json_pack("{s:s, s:{s:O}}", "type", "audio_url", "audio_url", "url", url));
    }
    return err;
}

/* Appends the message that the fields amount to. */
static enum err make_message(const json_t *body, enum chat_protocol protocol, json_t *messages, struct fault *fault) {
    const json_t *prompt = given(body, "prompt");
    if (prompt == NULL && protocol != CHAT_AUDIO) {
        return fault_set_param(fault, ERR_MISSING_FIELD, "prompt", "The field prompt is missing.");
    }
    enum err err = prompt != NULL ? expect_text(prompt, "prompt", LLM_PROMPT_MAX, fault) : OK;
    if (err == OK && protocol == CHAT_TEXT) {
        json_array_append_new(messages, json_pack("{s:s, s:O}", "role", "user", "content", prompt));
        return OK;
    }
    if (err != OK) {
        return err;
    }
    json_t *text = prompt != NULL ? json_incref((json_t *)(uintptr_t)prompt) : json_string(TRANSCRIBE);
    scoped(json_release) json_t *content = json_pack("[{s:s, s:o}]", "type", "text", "text", text);
    err = read_media(body, protocol, content, fault);
    if (err == OK) {
        json_array_append_new(messages, json_pack("{s:s, s:O}", "role", "user", "content", content));
    }
    return err;
}

/* ---- whole bodies ---- */

static enum err read_custom(const json_t *body, const struct chat_limits *limits, json_t *messages,
                            struct fault *fault) {
    json_t *read = NULL;
    enum err err = messages_read(given(body, "messages"), limits, &read, fault);
    if (err == OK) {
        json_array_extend(messages, read);
    }
    json_decref(read);
    return err;
}

static enum err read_system_prompt(const json_t *body, json_t *messages, struct chat_wishes *wishes,
                                   struct fault *fault) {
    const json_t *prompt = given(body, "system_prompt");
    if (prompt == NULL || (json_is_string(prompt) && json_string_length(prompt) == 0)) {
        return OK;
    }
    enum err err = expect_text(prompt, "system_prompt", LLM_SYSTEM_PROMPT_MAX, fault);
    if (err == OK) {
        json_array_append_new(messages, json_pack("{s:s, s:O}", "role", "system", "content", prompt));
        wishes->system_prompt = true;
    }
    return err;
}

static enum err finish(const json_t *body, json_t *messages, json_t **ret, struct fault *fault) {
    scoped(json_release) json_t *request = json_pack("{s:O}", "messages", messages);
    enum err err = pass_on(body, request, fault);
    if (err == OK) {
        *ret = json_incref(request);
    }
    return err;
}

enum err chat_read_submission(const struct json_t *submission, const struct chat_limits *limits, struct json_t **ret,
                              struct chat_wishes *ret_wishes, struct fault *fault) {
    struct chat_wishes wishes = { .protocol = CHAT_CUSTOM };
    scoped(json_release) json_t *messages = json_array();
    enum err err = read_shared(submission, &wishes, fault);
    if (err == OK) {
        err = read_flag(submission, "reasoning", &wishes.reasoning, fault);
    }
    if (err == OK) {
        err = choose_protocol(submission, &wishes.protocol, fault);
    }
    if (err == OK && wishes.protocol != CHAT_CUSTOM) {
        err = expect_known(submission, fault);
    }
    if (err == OK) {
        err = read_system_prompt(submission, messages, &wishes, fault);
    }
    if (err == OK) {
        err = wishes.protocol == CHAT_CUSTOM ? read_custom(submission, limits, messages, fault)
                                             : make_message(submission, wishes.protocol, messages, fault);
    }
    if (err == OK) {
        err = finish(submission, messages, ret, fault);
    }
    if (err == OK) {
        *ret_wishes = wishes;
    }
    return err;
}

/* Of the other endpoint, whose clients would wonder where they went. */
static enum err refuse_foreign(const json_t *body, struct fault *fault) {
    static const char *const foreign[] = { "prompt", "image_urls", "audio_url", "video_urls", "system_prompt" };
    for (size_t i = 0; i < ARRAY_SIZE(foreign); i++) {
        if (given(body, foreign[i]) != NULL) {
            return fault_set_param(fault, ERR_UNKNOWN_FIELD, foreign[i],
                                   "The field %s is for /v1/llm/generations; here everything goes into messages.",
                                   foreign[i]);
        }
    }
    return OK;
}

enum err chat_read_completion(const struct json_t *body, const struct chat_limits *limits, struct json_t **ret,
                              struct chat_wishes *ret_wishes, struct fault *fault) {
    struct chat_wishes wishes = { .protocol = CHAT_CUSTOM };
    scoped(json_release) json_t *messages = json_array();
    const json_t *reasoning = given(body, "reasoning");
    enum err err = read_shared(body, &wishes, fault);
    if (err == OK && json_is_object(reasoning)) {
        wishes.reasoning = true; /* some services' own form, which passes on */
    } else if (err == OK) {
        err = read_flag(body, "reasoning", &wishes.reasoning, fault);
    }
    if (err == OK) {
        err = refuse_foreign(body, fault);
    }
    if (err == OK && given(body, "messages") == NULL) {
        err = fault_set_param(fault, ERR_MISSING_FIELD, "messages", "The field messages is missing.");
    }
    if (err == OK) {
        err = read_custom(body, limits, messages, fault);
    }
    if (err == OK) {
        err = finish(body, messages, ret, fault);
    }
    if (err == OK) {
        *ret_wishes = wishes;
    }
    return err;
}
