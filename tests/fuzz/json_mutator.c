/* libFuzzer's mutator for inputs that are a line and a JSON value: mostly changes the value where it stands in its tree,
 * so that what comes out is JSON again; else bytes, as usual. */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

#define DEPTH_MAX 40

static unsigned below(unsigned *state, size_t bound) {
    *state = *state * 1664525u + 1013904223u;
    return bound > 0 ? (unsigned)((*state >> 8) % bound) : 0;
}

static json_t *odd_text(unsigned *state) {
    static const char *const texts[] = { "", "a", "0", "-1", "null", "true", "https://example.com/a.png", "data:,",
        "data:image/png;base64,iVBORw0KGgo=", "\x01", "é😀", "http://127.0.0.1/", "completed", "failed", "auto", "[]",
        "{}", "1e999", "%s%n", "..", "2026-01-01T00:00:00Z", "4294967296", "file", "text", "user", "assistant" };
    if (below(state, 8) == 0) {
        char text[300];
        memset(text, 'x', sizeof(text));
        return json_stringn(text, below(state, sizeof(text)));
    }
    return json_string(texts[below(state, ARRAY_SIZE(texts))]);
}

static json_t *odd_value(unsigned *state) {
    static const json_int_t integers[] = { 0, 1, -1, 2, 5, 100, 255, 65536, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN };
    static const double reals[] = { 0.5, -0.0, 1e300, 1e-300, 0.1, 1.0, 5.0, 9007199254740993.0 };
    switch (below(state, 9)) {
    case 0: return json_null();
    case 1: return json_boolean(below(state, 2));
    case 2: return json_integer(integers[below(state, ARRAY_SIZE(integers))]);
    case 3: return json_real(reals[below(state, ARRAY_SIZE(reals))]);
    case 4: return json_integer((json_int_t)below(state, 64));
    case 5: return json_object();
    case 6: return json_array();
    default: return odd_text(state);
    }
}

/* The text's own bytes changed; NULL when it is no JSON text any more. */
static json_t *change_text(const json_t *value) {
    size_t length = json_string_length(value), room = length + 32;
    uint8_t *bytes = malloc(room);
    memcpy(bytes, json_string_value(value), length);
    length = LLVMFuzzerMutate(bytes, length, room);
    json_t *changed = json_stringn((char *)bytes, length);
    free(bytes);
    return changed;
}

static json_t *change_leaf(const json_t *value, unsigned *state) {
    if (json_is_string(value) && below(state, 3) > 0) {
        json_t *changed = change_text(value);
        if (changed != NULL) {
            return changed;
        }
    }
    if (json_is_integer(value) && below(state, 2) == 0) {
        return json_integer((json_int_t)((uint64_t)json_integer_value(value) + below(state, 5) - 2));
    }
    return below(state, 6) == 0 ? json_pack("[o]", json_copy((json_t *)(uintptr_t)value)) : odd_value(state);
}

static const char *some_key(json_t *object, unsigned *state) {
    unsigned at = below(state, json_object_size(object));
    void *iterator = json_object_iter(object);
    while (at-- > 0 && iterator != NULL) {
        iterator = json_object_iter_next(object, iterator);
    }
    return json_object_iter_key(iterator);
}

static json_t *change(json_t *value, unsigned *state, unsigned depth);

static void change_object(json_t *object, unsigned *state, unsigned depth) {
    const char *key = some_key(object, state);
    json_t *member = json_object_get(object, key);
    unsigned what = below(state, 12);
    if (what == 0) {
        json_object_del(object, key);
    } else if (what == 1) {
        json_object_set_new(object, "unexpected", odd_value(state));
    } else if (what == 2) { /* another member's value */
        const char *other = some_key(object, state);
        json_object_set_new(object, key, json_deep_copy(json_object_get(object, other)));
    } else {
        json_object_set_new(object, key, change(json_deep_copy(member), state, depth + 1));
    }
}

static void change_array(json_t *array, unsigned *state, unsigned depth) {
    size_t at = below(state, json_array_size(array));
    unsigned what = below(state, 10);
    if (what == 0) {
        json_array_remove(array, at);
    } else if (what == 1) {
        json_array_append_new(array, json_deep_copy(json_array_get(array, at)));
    } else if (what == 2) {
        json_array_insert_new(array, at, odd_value(state));
    } else {
        json_array_set_new(array, at, change(json_deep_copy(json_array_get(array, at)), state, depth + 1));
    }
}

/* Takes the value's reference, gives one. */
static json_t *change(json_t *value, unsigned *state, unsigned depth) {
    bool whole = depth == DEPTH_MAX || (depth > 0 && below(state, 8) == 0);
    if (!whole && json_object_size(value) > 0) {
        change_object(value, state, depth);
        return value;
    }
    if (!whole && json_array_size(value) > 0) {
        change_array(value, state, depth);
        return value;
    }
    json_t *changed = change_leaf(value, state);
    json_decref(value);
    return changed;
}

/* The bytes before `start` changed; what is behind them follows. */
static size_t change_head(uint8_t *data, size_t start, size_t size, size_t max_size) {
    size_t tail = size - start;
    uint8_t *copy = malloc(tail + 1);
    memcpy(copy, data + start, tail);
    size_t changed = LLVMFuzzerMutate(data, start, max_size - tail);
    memcpy(data + changed, copy, tail);
    free(copy);
    return changed + tail;
}

/* Where the value begins: behind the first line, or of a request behind the empty one. */
static json_t *find_value(const uint8_t *data, size_t size, size_t *ret_start) {
    const uint8_t *first = memchr(data, '\n', size), *empty = memmem(data, size, "\n\n", 2);
    const uint8_t *const starts[] = { first != NULL ? first + 1 : NULL, empty != NULL ? empty + 2 : NULL };
    json_t *value = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(starts) && value == NULL; i++) {
        if (starts[i] != NULL) {
            *ret_start = (size_t)(starts[i] - data);
            value = json_loadb((const char *)starts[i], size - *ret_start, JSON_DECODE_ANY, NULL);
        }
    }
    return value;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed) {
    unsigned state = seed;
    size_t start = 0;
    if (below(&state, 8) == 0) {
        return LLVMFuzzerMutate(data, size, max_size);
    }
    json_t *value = find_value(data, size, &start);
    if (value == NULL) {
        return LLVMFuzzerMutate(data, size, max_size);
    }
    if (start > 1 && data[start - 2] == '\n' && below(&state, 2) == 0) { /* a request: what is above matters as much */
        json_decref(value);
        return change_head(data, start, size, max_size);
    }
    for (unsigned times = below(&state, 3) + 1; times > 0; times--) {
        value = change(value, &state, 0);
    }
    size_t written = json_dumpb(value, (char *)data + start, max_size - start, JSON_COMPACT | JSON_ENCODE_ANY);
    json_decref(value);
    return written > 0 && written <= max_size - start ? start + written : LLVMFuzzerMutate(data, size, max_size);
}
