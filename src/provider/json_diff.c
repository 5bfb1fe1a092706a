/* Comparing JSON values, with words for what differs. */
#include "provider/json_diff.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/json.h"

#define DIFFERENCES_MAX 5
#define SHOWN_MAX 160

struct diff {
    struct buffer *buf;
    struct buffer path;
    unsigned count;
};

static void put_value(struct buffer *buf, const json_t *value) {
    if (value == NULL) {
        buffer_put(buf, TEXT("nothing"));
        return;
    }
    char *rendered = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);
    struct text shown = text_clip(text_of(rendered), SHOWN_MAX);
    buffer_put(buf, shown);
    if (shown.len < text_of(rendered).len) {
        buffer_put(buf, TEXT("..."));
    }
    free(rendered);
}

static bool differ(struct diff *diff, const json_t *expected, const json_t *got) {
    if (diff->count++ < DIFFERENCES_MAX) {
        buffer_printf(diff->buf, "    %.*s: expected ", TEXT_ARG(buffer_text(&diff->path)));
        put_value(diff->buf, expected);
        buffer_put(diff->buf, TEXT(", got "));
        put_value(diff->buf, got);
        buffer_put_char(diff->buf, '\n');
    }
    return false;
}

static bool compare(struct diff *diff, const json_t *expected, const json_t *got);

/* Compares below one more step of the path. */
static bool compare_at(struct diff *diff, const char *key, size_t index, const json_t *expected, const json_t *got) {
    size_t before = diff->path.len;
    if (key) {
        buffer_printf(&diff->path, ".%s", key);
    } else {
        buffer_printf(&diff->path, "[%zu]", index);
    }
    bool equal = expected && got ? compare(diff, expected, got) : differ(diff, expected, got);
    diff->path.len = before < diff->path.len ? before : diff->path.len;
    return equal;
}

static bool compare_objects(struct diff *diff, const json_t *expected, const json_t *got) {
    bool equal = true;
    const char *key = NULL;
    json_t *member = NULL;
    json_object_foreach((json_t *)(uintptr_t)expected, key, member) {
        equal = compare_at(diff, key, 0, member, json_object_get(got, key)) && equal;
    }
    json_object_foreach((json_t *)(uintptr_t)got, key, member) {
        if (!json_object_get(expected, key)) {
            equal = compare_at(diff, key, 0, NULL, member) && equal;
        }
    }
    return equal;
}

static bool compare_arrays(struct diff *diff, const json_t *expected, const json_t *got) {
    bool equal = true;
    size_t expected_size = json_array_size(expected), got_size = json_array_size(got);
    for (size_t i = 0; i < expected_size || i < got_size; i++) {
        equal = compare_at(diff, NULL, i, json_array_get(expected, i), json_array_get(got, i)) && equal;
    }
    return equal;
}

static bool compare(struct diff *diff, const json_t *expected, const json_t *got) {
    if (json_is_object(expected) && json_is_object(got)) {
        return compare_objects(diff, expected, got);
    }
    if (json_is_array(expected) && json_is_array(got)) {
        return compare_arrays(diff, expected, got);
    }
    bool integers = json_is_integer(expected) && json_is_integer(got);
    bool numbers = json_is_number(expected) && json_is_number(got) && !integers;
    bool equal = numbers ? json_number_value(expected) == json_number_value(got) : json_equal(expected, got);
    return equal || differ(diff, expected, got);
}

bool json_diff(const char *name, const json_t *expected, const json_t *got, struct buffer *buf) {
    struct diff diff = { .buf = buf };
    buffer_init(&diff.path, 1024);
    buffer_put(&diff.path, text_of(name));
    bool equal = expected && got ? compare(&diff, expected, got) : differ(&diff, expected, got);
    if (diff.count > DIFFERENCES_MAX) {
        buffer_printf(buf, "    and %u more\n", diff.count - DIFFERENCES_MAX);
    }
    buffer_fini(&diff.path);
    return equal;
}
