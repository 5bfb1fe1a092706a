/* A parameter as compiled: what a value in a submission's body must be. Immutable once the catalogue is made. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/errors.h"
#include "base/text.h"

struct json_t;

enum param_kind {
    PARAM_TEXT,
    PARAM_CHOICE,
    PARAM_INTEGER,
    PARAM_NUMBER,
    PARAM_BOOLEAN,
    PARAM_URL,
    PARAM_LIST,
    PARAM_OBJECT,
    PARAM_EITHER,
    PARAM_ANYTHING,
    PARAM_KIND_COUNT
};

/* What a file behind a media parameter may be; 0 where there is no limit. */
struct media_limits {
    int64_t bytes_max;
    unsigned side_min, side_max; /* pixels: the shorter side has at least, the longer one at most */
    double ratio_max;            /* of the longer side to the shorter one */
    double seconds_min, seconds_max;
};

struct param {
    const char *name; /* as a field of an object; NULL: an item or an alternative */
    enum param_kind kind;
    bool required;
    bool nullable;
    bool has_min, has_max;
    double min, max;         /* of the number, the characters or the items; whole unless a number's */
    int64_t multiple;        /* integer: what it must be a multiple of; 0: anything */
    const char *accept;      /* url: image, video, audio, file */
    bool inline_data;        /* url: data URIs and bare base64 too */
    struct media_limits limits; /* url: of the file; checked wherever its bytes are at hand */
    struct json_t *fallback; /* the default; NULL: none */
    struct json_t *const *values; /* choice: what is allowed; integer and number: what is allowed besides the range */
    unsigned value_count;
    const struct param *parts; /* object: fields sorted by name; list: the item; either: the alternatives */
    unsigned part_count;
};

/* Limits of what a submission may hold besides those of its model. */
#define PARAM_URL_MAX 2048           /* characters of a URL */
#define PARAM_INLINE_MAX (64u << 20) /* characters of inline data; the body's own limit comes first */
#define PARAM_ANYTHING_MAX 65536     /* bytes of a passed-through object */
#define PARAM_ANYTHING_DEPTH 16

/* The field of an object parameter, NULL when there is none. Pure. */
const struct param *param_find(const struct param *object, struct text name);
/* "text", "integer", …: the word of the model language. Pure. */
const char *param_kind_name(enum param_kind kind);
/* Whether values are equal, 1 and 1.0 being the same number. Pure. */
bool param_same_value(const struct json_t *a, const struct json_t *b);

/* Checks `value` against the parameter; `path` is what messages and the fault's param call it. *ret_new becomes a new
 * reference when the value is to be replaced (5.0 by 5), else it stays as it is. Any thread. */
enum err param_check(const struct param *param, const char *path, struct json_t *value, struct json_t **ret_new,
                     struct fault *fault) must_check;
/* Checks an object's fields but fills no defaults in; then fills them in. */
enum err param_check_fields(const struct param *object, struct json_t *value, struct fault *fault) must_check;
void param_fill_defaults(const struct param *object, struct json_t *value);

/* The value as a message shows it: "a long te…", 5, a list. */
#define PARAM_BRIEF_SIZE 96
void param_brief(const struct json_t *value, char ret[PARAM_BRIEF_SIZE]);

/* "an image", "a video", "an audio file", "a file". Pure. */
const char *media_noun(const char *accept);
/* Whether the text is an http or https URL fit for fetching: at most PARAM_URL_MAX characters, a host, no user, no white
 * space or control characters. False: *ret_why says what is wrong. Pure. */
bool media_url_valid(struct text url, const char **ret_why) must_check;
/* Whether the text is base64, in either alphabet, and not empty. Pure. */
bool media_base64_valid(struct text data) must_check;
/* Whether the text is a data URI, or base64 alone, of what `accept` says. Pure. */
bool media_inline_valid(struct text data, const char *accept, const char **ret_why) must_check;
