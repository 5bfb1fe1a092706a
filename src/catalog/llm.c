/* A language model's rules, held against a request. */
#include "catalog/llm.h"

#include <assert.h>
#include <jansson.h>

#include "base/buffer.h"
#include "base/inline_file.h"
#include "base/json.h"
#include "catalog/catalog.h"

#define TARGET_MAX 1024

static const struct {
    const char *capability, *part;
} inputs[LLM_INPUT_COUNT] = {
#define X(name, capability, part) [name] = { capability, part },
    LLM_INPUT_TABLE(X)
#undef X
};

/* For people. */
static const char *const nouns[LLM_INPUT_COUNT] = {
    [LLM_TEXT] = "text", [LLM_VISION] = "images", [LLM_VIDEO] = "videos", [LLM_AUDIO] = "sound", [LLM_FILE] = "files",
};

const char *llm_capability_name(enum llm_input input) {
    return inputs[input].capability;
}

/* What a content part of that type is: "image_url", and "input_audio" and "file" as OpenAI has them. False: nothing
 * known. */
static bool part_input(struct text type, enum llm_input *ret) {
    static const struct {
        const char *type;
        enum llm_input input;
    } others[] = { { "input_audio", LLM_AUDIO }, { "file", LLM_FILE }, { "refusal", LLM_TEXT } };
    for (unsigned i = 0; i < LLM_INPUT_COUNT; i++) {
        if (text_equal(type, text_of(inputs[i].part))) {
            *ret = (enum llm_input)i;
            return true;
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        if (text_equal(type, text_of(others[i].type))) {
            *ret = others[i].input;
            return true;
        }
    }
    return false;
}

/* A request under way: which model's, and what was found so far. */
struct checking {
    const struct model *model;
    unsigned counts[LLM_INPUT_COUNT];
    char path[80]; /* of the part */
    struct fault *fault;
};

/* ---- parts ---- */

/* "text, images and files" */
static void put_taken(struct buffer *buf, const struct llm_rules *rules) {
    unsigned left = 0;
    for (unsigned i = 0; i < LLM_INPUT_COUNT; i++) {
        left += rules->takes[i];
    }
    for (unsigned i = 0; i < LLM_INPUT_COUNT; i++) {
        if (rules->takes[i]) {
            left--;
            buffer_printf(buf, "%s%s", nouns[i], left > 1 ? ", " : left == 1 ? " and " : "");
        }
    }
}

static enum err refuse_capability(const struct checking *checking, enum llm_input input) {
    scoped(buffer_fini) struct buffer taken;
    buffer_init(&taken, 256);
    put_taken(&taken, checking->model->llm);
    return fault_set_param(checking->fault, ERR_CAPABILITY, checking->path, "The model %s takes %.*s, and no %s.",
                           checking->model->name, TEXT_ARG(buffer_text(&taken)), nouns[input]);
}

/* "audio/wav" of a data: URI or of OpenAI's input_audio; empty for a link, whose type nobody knows yet. */
static struct text sound_type(const json_t *part, char *room, size_t size) {
    const json_t *link = json_object_get(json_object_get(part, "audio_url"), "url");
    struct data_uri_parts split;
    if (json_is_string(link)) {
        struct text data = json_text_of(link);
        return data_uri_is(data) && data_uri_split(data, &split) ? split.media_type : TEXT_NONE;
    }
    const char *format = json_string_value(json_object_get(json_object_get(part, "input_audio"), "format"));
    if (format == NULL) {
        return TEXT_NONE;
    }
    snprintf(room, size, "audio/%s", strcmp(format, "mp3") == 0 ? "mpeg" : format);
    return text_of(room);
}

static enum err check_sound(const struct checking *checking, const json_t *part) {
    const char *const *allowed = checking->model->llm->audio_types;
    char room[64];
    struct text type = sound_type(part, room, sizeof(room));
    if (allowed == NULL || type.len == 0) {
        return OK;
    }
    scoped(buffer_fini) struct buffer list;
    buffer_init(&list, 2048);
    for (size_t i = 0; allowed[i] != NULL; i++) {
        if (text_equal_nocase(type, text_of(allowed[i]))) {
            return OK;
        }
        buffer_printf(&list, "%s%s", i == 0 ? "" : ", ", allowed[i]);
    }
    return fault_set_param(checking->fault, ERR_MODEL_RULE, checking->path,
                           "The model %s takes inline sound as %.*s, not as %.*s.", checking->model->name,
                           TEXT_ARG(buffer_text(&list)), TEXT_ARG(text_clip(type, 60)));
}

static enum err check_part(struct checking *checking, const json_t *part) {
    const struct llm_rules *rules = checking->model->llm;
    const json_t *type = json_object_get(part, "type");
    struct text name = json_text_of(type);
    enum llm_input input;
    if (!part_input(name, &input)) {
        return fault_set_param(checking->fault, ERR_PART_TYPE, checking->path,
                               "There are no content parts of type %.*s.", TEXT_ARG(text_clip(name, 40)));
    }
    if (!rules->takes[input]) {
        return refuse_capability(checking, input);
    }
    checking->counts[input]++;
    if (rules->most[input] > 0 && checking->counts[input] > rules->most[input]) {
        return fault_set_param(checking->fault, ERR_MODEL_RULE, checking->path,
                               "The model %s takes at most %u part%s of type %s in one request.", checking->model->name,
                               rules->most[input], rules->most[input] == 1 ? "" : "s", inputs[input].part);
    }
    return input == LLM_AUDIO ? check_sound(checking, part) : OK;
}

static enum err check_parts(struct checking *checking, const json_t *messages) {
    enum err err = OK;
    for (size_t i = 0; i < json_array_size(messages) && err == OK; i++) {
        const json_t *content = json_object_get(json_array_get(messages, i), "content");
        for (size_t j = 0; j < json_array_size(content) && err == OK; j++) {
            snprintf(checking->path, sizeof(checking->path), "messages[%zu].content[%zu]", i, j);
            err = check_part(checking, json_array_get(content, j));
        }
    }
    return err;
}

/* ---- the whole ---- */

/* The limit that the client set; its name, NULL when there is none. Of two the larger one: services differ in which
 * they keep to, and the other would be a way to pay for less than what is written. */
static const char *find_limit(const json_t *body, int64_t *ret) {
    static const char *const names[] = { "max_completion_tokens", "max_tokens" };
    const char *name = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const json_t *limit = json_object_get(body, names[i]);
        if (json_is_integer(limit) && (name == NULL || json_integer_value(limit) > *ret)) {
            *ret = json_integer_value(limit);
            name = names[i];
        }
    }
    return name;
}

static enum err check_max_tokens(const struct model *model, const json_t *body, struct fault *fault) {
    const struct llm_rules *rules = model->llm;
    int64_t limit = 0, least = rules->max_tokens_min > 0 ? rules->max_tokens_min : 1;
    const char *name = find_limit(body, &limit);
    if (name == NULL) {
        return !rules->max_tokens_required ? OK
                                           : fault_set_param(fault, ERR_INVALID_PARAM, "max_tokens",
                                                             "The model %s requires max_tokens.", model->name);
    }
    return limit >= least
               ? OK
               : fault_set_param(fault, ERR_INVALID_PARAM, name, "%s must be at least %lld for the model %s.", name,
                                 (long long)least, model->name);
}

static enum err check_size(const struct model *model, const json_t *body, struct fault *fault) {
    int64_t most = model->llm->bytes_max;
    if (most == 0 || json_dumpb(body, NULL, 0, JSON_COMPACT) <= (size_t)most) {
        return OK;
    }
    return fault_set_param(fault, ERR_MODEL_RULE, "messages",
                           "A request to the model %s has at most %lld bytes, files in it included.", model->name,
                           (long long)most);
}

enum err llm_check(const struct model *model, const struct json_t *body, struct fault *fault) {
    assert(model->llm != NULL);
    struct checking checking = { .model = model, .fault = fault };
    enum err err = check_parts(&checking, json_object_get(body, "messages"));
    if (err == OK) {
        err = check_max_tokens(model, body, fault);
    }
    return err == OK ? check_size(model, body, fault) : err;
}

int64_t llm_output_tokens(const struct model *model, const struct json_t *body) {
    int64_t tokens = model->llm->output_max, choices = json_integer_value(json_object_get(body, "n")), product;
    (void)find_limit(body, &tokens);
    if (choices <= 1) {
        return tokens;
    }
    return __builtin_mul_overflow(tokens, choices, &product) ? INT64_MAX : product;
}

char *llm_target(const struct model *model, const char *route_target, struct text name) {
    struct text target = text_of(route_target), pattern = text_of(model->name);
    size_t star = text_find(target, '*');
    if (star == target.len || !text_ends(pattern, TEXT("*"))) {
        return text_dup(target);
    }
    struct text prefix = { pattern.ptr, pattern.len - 1 };
    assert(text_starts(name, prefix));
    struct buffer buf;
    buffer_init(&buf, TARGET_MAX);
    buffer_put(&buf, (struct text){ target.ptr, star });
    buffer_put(&buf, (struct text){ name.ptr + prefix.len, name.len - prefix.len });
    buffer_put(&buf, (struct text){ target.ptr + star + 1, target.len - star - 1 });
    char *ret = text_dup(buffer_text(&buf));
    buffer_fini(&buf);
    return ret;
}
