/* What a language model takes: its rules, as the word `llm` of the model language says them. Immutable. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/errors.h"
#include "base/text.h"

struct json_t;
struct model;

/* In the order in which capabilities are listed. */
#define LLM_INPUT_TABLE(X)                                 \
    X(LLM_TEXT, "text", "text")                            \
    X(LLM_VISION, "vision", "image_url")                   \
    X(LLM_VIDEO, "video", "video_url")                     \
    X(LLM_AUDIO, "audio", "audio_url")                     \
    X(LLM_FILE, "file", "file_url")

enum llm_input {
#define X(name, capability, part) name,
    LLM_INPUT_TABLE(X)
#undef X
    LLM_INPUT_COUNT
};
const char *llm_capability_name(enum llm_input input); /* "vision" */

/* What a submission of any model may have. */
#define LLM_PROMPT_MAX 100000        /* characters */
#define LLM_SYSTEM_PROMPT_MAX 10000  /* characters */
#define LLM_LINKS_MAX 10             /* of image_urls, of video_urls */
#define LLM_TEMPERATURE_MAX 2
#define LLM_CHOICES_MAX 128          /* `n` */
#define LLM_TOKENS_MAX 1000000000    /* max_tokens */

struct llm_rules {
    bool takes[LLM_INPUT_COUNT];
    unsigned most[LLM_INPUT_COUNT];   /* parts of that kind in one request; 0: no limit of its own */
    const char *const *audio_types;   /* media types that data URIs of sound may have, NULL at the end; NULL: any */
    bool max_tokens_required;
    int64_t max_tokens_min;           /* when given; 0: 1 */
    int64_t output_max;               /* tokens that the model writes at most: what is reserved without max_tokens */
    int64_t bytes_max;                /* of the whole request; 0: as the settings say */
};

/* Checks a request body (chat/protocol/protocol.h) against the model's rules: ERR_CAPABILITY, ERR_PART_TYPE, ERR_MODEL_RULE,
 * ERR_INVALID_PARAM with the field as param. Any thread. */
enum err llm_check(const struct model *model, const struct json_t *body, struct fault *fault) must_check;
/* The tokens that the answer may have: max_completion_tokens or max_tokens (times n), else the model's limit. */
int64_t llm_output_tokens(const struct model *model, const struct json_t *body);
/* What is asked for as `name`, in the service's words: the route's target, with its '*' being what the '*' of the
 * model's name stood for. `name` is one that catalog_find found the model by. Freed by the caller. */
char *llm_target(const struct model *model, const char *route_target, struct text name) must_check;
