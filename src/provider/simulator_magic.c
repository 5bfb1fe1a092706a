/* Magic words in a test-mode task's texts. */
#include "provider/simulator_magic.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define PREFIX "fennec:"
#define SLOW_S 30.0
#define SLOW_MAX_S 3600.0
#define RATE_MAX 1e6
#define TOKENS_MAX 100000
#define VALUE_MAX 65

static void take_error(struct simulator_magic *magic, const char *value) {
    if (magic->error != TASK_ERROR_NONE) {
        return;
    }
    if (*value == '\0') {
        magic->error = TASK_ERROR_GENERATION_FAILED;
    } else if (!task_error_parse(text_of(value), &magic->error)) {
        magic->error = TASK_ERROR_INVALID_PARAMETERS;
        snprintf(magic->unknown_code, sizeof(magic->unknown_code), "%s", value);
    }
}

static void take_slow(struct simulator_magic *magic, const char *value) {
    if (magic->slow_s >= 0) {
        return;
    }
    char *end;
    double seconds = strtod(value, &end);
    if (end == value || !(seconds >= 0)) {
        seconds = SLOW_S;
    }
    magic->slow_s = seconds < SLOW_MAX_S ? seconds : SLOW_MAX_S;
}

static void take_never(struct simulator_magic *magic, const char *value) {
    (void)value;
    magic->never = true;
}

static void take_flaky(struct simulator_magic *magic, const char *value) {
    (void)value;
    magic->flaky = true;
}

static void take_rate(struct simulator_magic *magic, const char *value) {
    double rate = strtod(value, NULL);
    if (magic->rate <= 0 && rate > 0) {
        magic->rate = rate < RATE_MAX ? rate : RATE_MAX;
    }
}

static void take_tokens(struct simulator_magic *magic, const char *value) {
    int64_t tokens = 0;
    if (magic->tokens == 0 && text_to_i64(text_of(value), &tokens) && tokens > 0) {
        magic->tokens = tokens < TOKENS_MAX ? tokens : TOKENS_MAX;
    }
}

static void take_tool(struct simulator_magic *magic, const char *value) {
    if (magic->tool[0] == '\0') {
        snprintf(magic->tool, sizeof(magic->tool), "%s", value);
    }
}

static void take_reasoning(struct simulator_magic *magic, const char *value) {
    (void)value;
    magic->reasoning = true;
}

static void take_break(struct simulator_magic *magic, const char *value) {
    (void)value;
    magic->breaks = true;
}

static const struct {
    struct text name;
    void (*take)(struct simulator_magic *magic, const char *value);
} words[] = {
    { { "error", 5 }, take_error },
    { { "slow", 4 }, take_slow },
    { { "never", 5 }, take_never },
    { { "flaky", 5 }, take_flaky },
    { { "rate", 4 }, take_rate },
    { { "tokens", 6 }, take_tokens },
    { { "tool", 4 }, take_tool },
    { { "reasoning", 9 }, take_reasoning },
    { { "break", 5 }, take_break },
};

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || c == '_';
}

static bool is_value(char c) {
    return is_letter(c) || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
}

/* The run of bytes at the start of *rest that belong together; *rest moves behind it. */
static struct text take_run(struct text *rest, bool (*belongs)(char)) {
    struct text run = { rest->ptr, 0 };
    while (run.len < rest->len && belongs(rest->ptr[run.len])) {
        run.len++;
    }
    rest->ptr += run.len;
    rest->len -= run.len;
    return run;
}

/* `rest` is what follows the prefix. A full stop that ends the sentence is not part of a value. */
static void take_word(struct simulator_magic *magic, struct text rest) {
    struct text name = take_run(&rest, is_letter);
    struct text value = TEXT_NONE;
    if (text_starts(rest, TEXT("="))) {
        rest.ptr++;
        rest.len--;
        value = take_run(&rest, is_value);
    }
    while (text_ends(value, TEXT("."))) {
        value.len--;
    }
    char terminated[VALUE_MAX];
    snprintf(terminated, sizeof(terminated), "%.*s", TEXT_ARG(text_clip(value, VALUE_MAX - 1)));
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (text_equal(name, words[i].name)) {
            words[i].take(magic, terminated);
        }
    }
}

static void look_in_text(struct simulator_magic *magic, struct text text) {
    const size_t prefix = sizeof(PREFIX) - 1;
    const char *found;
    while ((found = memmem(text.ptr, text.len, PREFIX, prefix)) != NULL) {
        text.len -= (size_t)(found - text.ptr) + prefix;
        text.ptr = found + prefix;
        take_word(magic, text);
    }
}

/* The nesting is bounded by the reader of the request. */
static void look_in(struct simulator_magic *magic, json_t *value) {
    const char *key;
    json_t *member;
    size_t index;
    if (json_is_string(value)) {
        look_in_text(magic, (struct text){ json_string_value(value), json_string_length(value) });
    }
    json_object_foreach(value, key, member) {
        look_in(magic, member);
    }
    json_array_foreach(value, index, member) {
        look_in(magic, member);
    }
}

void simulator_magic_find(const struct json_t *input, struct simulator_magic *ret) {
    *ret = (struct simulator_magic){ .error = TASK_ERROR_NONE, .slow_s = -1 };
    look_in(ret, (json_t *)input);
}
