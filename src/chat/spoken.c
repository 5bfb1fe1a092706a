/* Counting what a model has said. */
#include <jansson.h>

#include "chat/call.h"
#include "chat/tokens.h"

static int64_t count(const json_t *value) {
    return json_is_string(value) ? tokens_of_text((struct text){ json_string_value(value), json_string_length(value) })
                                 : 0;
}

static int64_t count_message(const json_t *message) {
    static const char *const members[] = { "content", "refusal", "reasoning_content", "reasoning" };
    int64_t tokens = 0;
    size_t i;
    json_t *call;
    for (i = 0; i < ARRAY_SIZE(members); i++) {
        tokens += count(json_object_get(message, members[i]));
    }
    json_array_foreach (json_object_get(message, "tool_calls"), i, call) {
        const json_t *function = json_object_get(call, "function");
        tokens += count(json_object_get(function, "name")) + count(json_object_get(function, "arguments"));
    }
    return tokens;
}

int64_t spoken_tokens(const json_t *value) {
    int64_t tokens = 0;
    size_t i;
    json_t *choice;
    json_array_foreach (json_object_get(value, "choices"), i, choice) {
        tokens += count_message(json_object_get(choice, "delta")) + count_message(json_object_get(choice, "message"));
    }
    return tokens;
}
