/* JSON from clients and from services: read within its bounds, rendered as it was, and the two readers agree;
 * so does what finds members without reading. */
#include <jansson.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/json_pick.h"
#include "fuzz.h"
#include "remote/read_json.h"

#define DEPTH_MAX 8

void fuzz_begin(void) {
}

void fuzz_seeds(void) {
    static const char *const seeds[] = {
        "{\"model\":\"m\",\"n\":1,\"seed\":-9223372036854775808,\"s\":0.5,\"t\":true,\"f\":false,\"z\":null}",
        "[[[[[[[[1]]]]]]]]",
        "[[[[[[[[[1]]]]]]]]]",
        "{\"a\":\"\\u00e9\\ud83d\\ude00\\n\\\\\",\"b\":[{},[],\"\"]}",
        "{\"a\":1,\"a\":2}",
        "{\"id\":18446744073709551616,\"x\":1e400,\"y\":\"\\u0000\"}",
        " [1e-3, 1E5, -0, -0.0, 12345678901234567890] ",
        "\"text\"",
        "{\"a\":\"\xff\"}",
        NULL,
    };
    fuzz_seed_list("json", seeds);
}

static unsigned depth_of(const json_t *value) {
    unsigned deepest = 0;
    const char *key;
    json_t *item;
    size_t i;
    if (!json_is_object(value) && !json_is_array(value)) {
        return 0;
    }
    json_object_foreach((json_t *)value, key, item) {
        unsigned depth = depth_of(item);
        deepest = depth > deepest ? depth : deepest;
    }
    json_array_foreach(value, i, item) {
        unsigned depth = depth_of(item);
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest + 1;
}

/* What a client's text becomes in an answer: valid JSON, whatever the bytes; unchanged when they are UTF-8. */
static void written(struct text input) {
    struct buffer buf;
    struct json_writer json;
    json_t *value = NULL;
    struct fault fault;
    buffer_init(&buf, 1 << 24);
    json_begin(&json, &buf);
    json_text(&json, input);
    fuzz_hold(buffer_ok(&buf));
    if (memchr(input.ptr, 0, input.len) == NULL) {
        fuzz_hold(json_read_any(buffer_text(&buf), 1, &value, &fault) == OK, "%s", fault.message);
        fuzz_hold(!text_is_utf8(input) || text_equal(json_text_of(value), input));
        json_decref(value);
    }
    buffer_fini(&buf);
}

/* However it was read, jansson alone reads the same. */
static void same(struct text input, const json_t *value) {
    json_t *again = json_loadb(input.ptr, input.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
    fuzz_hold(json_equal(value, again));
    json_decref(again);
}

/* Names that occur twice are the reader's doubt alone. */
static void picked(struct text input) {
    static const struct text names[] = { TEXT("a"), TEXT("id"), TEXT("model") };
    struct text found[ARRAY_SIZE(names)];
    if (!json_pick(input, names, ARRAY_SIZE(names), found)) {
        return;
    }
    json_t *value = json_loadb(input.ptr, input.len, 0, NULL);
    fuzz_hold(json_is_object(value));
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        json_t *member = json_object_getn(value, names[i].ptr, names[i].len), *again = NULL;
        if (found[i].ptr != NULL) {
            again = json_loadb(found[i].ptr, found[i].len, JSON_DECODE_ANY, NULL);
        }
        fuzz_hold(member != NULL ? json_equal(member, again) : again == NULL);
        json_decref(again);
    }
    json_decref(value);
}

void fuzz_one(struct text input) {
    struct fault fault = { .err = OK };
    json_t *value = NULL, *object = NULL, *service = NULL;

    enum err err = json_read_any(input, DEPTH_MAX, &value, &fault);
    if (err != OK) {
        fuzz_hold_fault(err, &fault);
        fuzz_hold(value == NULL);
    } else {
        fuzz_hold(depth_of(value) <= DEPTH_MAX);
        fuzz_hold_round_trip(value);
        same(input, value);
    }
    err = json_read_request(input, DEPTH_MAX, &object, &fault);
    fuzz_hold((err == OK) == (value != NULL && json_is_object(value)));
    if (err != OK) {
        fuzz_hold_fault(err, &fault);
    } else {
        fuzz_hold(json_equal(value, object));
    }
    err = read_service_json(input, &service, &fault);
    if (err == OK) {
        fuzz_hold_round_trip(service);
        fuzz_hold(value == NULL || json_equal(value, service));
    } else {
        fuzz_hold_fault(err, &fault);
        fuzz_hold(value == NULL);
    }
    json_decref(service);
    json_decref(object);
    json_decref(value);
    picked(input);
    written(input);
}
