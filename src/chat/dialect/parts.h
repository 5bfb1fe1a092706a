/* Messages of OpenAI's chat completions taken apart, for dialects that say them otherwise: the parts of their content,
 * and their tool calls. What is read points into the body, which outlives it. Pure, any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/errors.h"
#include "base/text.h"

struct json_t;

#define PART_PATH_MAX 160 /* bytes of a path such as messages[2].content[0].image_url.url */

enum part_kind { PART_TEXT, PART_IMAGE, PART_VIDEO, PART_AUDIO, PART_FILE };

struct part {
    enum part_kind kind;
    struct text words;                  /* of PART_TEXT; may be empty */
    struct text link;                   /* of the other kinds; empty: the bytes are in the request itself */
    struct text base64;                 /* those bytes */
    struct text media_type;             /* as claimed, or by the link's extension; empty: unknown */
    struct text name;                   /* a file's name; may be empty */
    const struct json_t *cache_control; /* NULL: none */
    char path[PART_PATH_MAX];           /* the field that holds the words, the link or the bytes */
};

/* "messages[2]", where faults of the message are. */
void message_path(size_t index, char ret[PART_PATH_MAX]);
/* Hands the parts of a message's content to `take`, in order: a text is one part, null or nothing is none. `path` is
 * the message's. Stops at the first failure: ERR_PART_TYPE for a part that no dialect knows, ERR_INVALID_TYPE and
 * ERR_INVALID_URL for one that is malformed, or what `take` returned. A part is valid during the call. */
enum err parts_read(const struct json_t *message, const char *path,
                    enum err (*take)(void *context, const struct part *part, struct fault *fault), void *context,
                    struct fault *fault) must_check;
/* ERR_PART_TYPE: the model does not take this part where it stands. */
enum err part_refuse(const struct part *part, struct fault *fault);
/* Says what is wrong with `field` (".role") of what is at `path`, and returns err. */
enum err field_refuse(enum err err, const char *path, const char *field, const char *words, struct fault *fault);
/* ERR_MODEL_RULE: the message at `path` has a role that is not known. */
enum err role_refuse(const char *path, struct fault *fault);

/* One of a message's tool_calls. */
struct tool_call {
    struct text id, name;
    struct json_t *arguments;   /* an object; a new reference */
    const struct json_t *extra; /* extra_content, where services leave words of their own; NULL: none */
};
/* Hands an assistant's tool calls to `take`, in order; none is fine. ERR_INVALID_PARAM when arguments are no JSON
 * object (empty ones are {}), ERR_MODEL_RULE for a call that is not one of a function. */
enum err tool_calls_read(const struct json_t *message, const char *path,
                         enum err (*take)(void *context, const struct tool_call *call, struct fault *fault),
                         void *context, struct fault *fault) must_check;
/* The function that a tool message answers: its own `name`, or that of the call with its tool_call_id in a message
 * before number `index`. Empty: there is none. */
struct text tool_call_name(const struct json_t *messages, size_t index);
