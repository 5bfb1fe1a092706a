/* Targets of request lines: within their bounds, and what is decoded from them makes the same target when it is encoded
 * again. */
#include "http/target.h"

#include <stdlib.h>

#include "base/buffer.h"
#include "fuzz.h"

void fuzz_begin(void) {
}

void fuzz_seeds(void) {
    static const char *const seeds[] = {
        "/",
        "/v1/tasks/task-unified-1764000000-abcd1234?wait=30&sync_upstream=true",
        "/v1/tasks?limit=20&after=task-unified-1764000000-abcd1234&status=completed,failed&type=image",
        "/v1/artifacts/0123456789abcdef/a%20b.png?expires=1764000000&signature=AbC-_",
        "http://host:8080/v1/files?x=%e2%82%ac&y=a+b&&z",
        "HTTPS://host?x=1",
        "/a/../b",
        "/a//b",
        "/%2e%2E/a%2fb",
        "/a?x=1&x=2",
        "/a?x=%00",
        "/%ff",
        "/1/2/3/4/5/6/7/8/9",
        NULL,
    };
    fuzz_seed_list("target", seeds);
}

static void put_encoded(struct buffer *buf, struct text t) {
    for (size_t i = 0; i < t.len; i++) {
        buffer_printf(buf, "%%%02X", (unsigned char)t.ptr[i]);
    }
}

static void put_target(struct buffer *buf, const struct target *target) {
    for (unsigned i = 0; i < target->segment_count; i++) {
        buffer_put_char(buf, '/');
        put_encoded(buf, target->segments[i]);
    }
    if (target->segment_count == 0) {
        buffer_put_char(buf, '/');
    }
    for (unsigned i = 0; i < target->parameter_count; i++) {
        buffer_put_char(buf, i == 0 ? '?' : '&');
        put_encoded(buf, target->parameters[i].name);
        buffer_put_char(buf, '=');
        put_encoded(buf, target->parameters[i].value);
    }
}

static void hold_text(struct text t) {
    fuzz_hold(text_is_utf8(t));
    for (size_t i = 0; i < t.len; i++) {
        fuzz_hold((unsigned char)t.ptr[i] >= ' ' && t.ptr[i] != 127, "a control character");
    }
}

static void hold_segments(const struct target *target) {
    fuzz_hold(target->segment_count <= TARGET_SEGMENTS_MAX);
    for (unsigned i = 0; i < target->segment_count; i++) {
        struct text segment = target->segments[i];
        hold_text(segment);
        fuzz_hold(segment.len > 0 && !text_equal(segment, TEXT(".")) && !text_equal(segment, TEXT("..")));
    }
}

static void hold_parameters(const struct target *target) {
    fuzz_hold(target->parameter_count <= TARGET_PARAMETERS_MAX);
    for (unsigned i = 0; i < target->parameter_count; i++) {
        struct text found = TEXT_NONE;
        hold_text(target->parameters[i].name);
        hold_text(target->parameters[i].value);
        fuzz_hold(target_parameter(target, target->parameters[i].name, &found));
        fuzz_hold(found.ptr == target->parameters[i].value.ptr, "a name twice");
    }
}

static void again(const struct target *target) {
    struct arena arena;
    struct buffer buf;
    struct target second;
    struct fault fault;
    arena_init(&arena, 1 << 20);
    buffer_init(&buf, 1 << 20);
    put_target(&buf, target);
    if (buf.len <= TARGET_MAX) {
        fuzz_hold(target_parse(buffer_text(&buf), &arena, &second, &fault) == OK, "%s: %s", buf.data, fault.message);
        fuzz_hold(second.segment_count == target->segment_count && second.parameter_count == target->parameter_count);
        for (unsigned i = 0; i < target->segment_count; i++) {
            fuzz_hold(text_equal(second.segments[i], target->segments[i]));
        }
        for (unsigned i = 0; i < target->parameter_count; i++) {
            fuzz_hold(text_equal(second.parameters[i].name, target->parameters[i].name));
            fuzz_hold(text_equal(second.parameters[i].value, target->parameters[i].value));
        }
    }
    buffer_fini(&buf);
    arena_fini(&arena);
}

void fuzz_one(struct text input) {
    struct arena arena;
    struct target target;
    struct fault fault = { .err = OK };
    arena_init(&arena, 1 << 20);
    enum err err = target_parse(input, &arena, &target, &fault);
    if (err != OK) {
        fuzz_hold_fault(err, &fault);
    } else {
        fuzz_hold(input.len <= TARGET_MAX);
        hold_segments(&target);
        hold_parameters(&target);
        again(&target);
    }
    arena_fini(&arena);
}
