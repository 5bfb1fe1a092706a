/* Log lines: bounded, put together on the stack, written in one call. */
#include "base/log.h"

#include <stdatomic.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/json.h"

#define LINE_MAX_BYTES 4096
#define VALUE_MAX 1024 /* so that one long value leaves room for the fields after it */
#define TAIL_MAX 2     /* what closes a line: "}\n" */

static _Atomic int least_level = LOG_INFO;
static _Atomic int line_format = LOG_TEXT;

void log_setup(enum log_level least, enum log_format format) {
    atomic_store(&least_level, least);
    atomic_store(&line_format, format);
}

bool log_enabled(enum log_level level) {
    return (int)level >= atomic_load_explicit(&least_level, memory_order_relaxed);
}

static void put_json_text(struct buffer *line, struct text value) {
    struct json_writer json;
    json_begin(&json, line);
    json_text(&json, value);
}

/* Nothing in it that could be taken for the end of a value or of a line. */
static bool is_bare(struct text value, bool spaces) {
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = (uint8_t)value.ptr[i];
        if (c < ' ' || c == 0x7F || (!spaces && (c == ' ' || c == '"' || c == '=' || c == '\\'))) {
            return false;
        }
    }
    return value.len > 0 && text_is_utf8(value);
}

static void put_plain_message(struct buffer *line, struct text message) {
    if (is_bare(message, true)) {
        buffer_put(line, message);
    } else {
        put_json_text(line, message);
    }
}

static void put_plain_value(struct buffer *line, struct text value) {
    if (is_bare(value, false)) {
        buffer_put(line, value);
    } else {
        put_json_text(line, value);
    }
}

/* Puts the value after `before`; a value for which there is no room is cut, marked by an ellipsis, and one that cannot
 * even be cut is left out with its name. */
static void put_fitting(struct buffer *line, struct text before, struct text value,
                        void (*put)(struct buffer *line, struct text value)) {
    size_t start = line->len;
    for (size_t max = value.len < VALUE_MAX ? value.len : VALUE_MAX;; max = max * 3 / 4) {
        char shorter[VALUE_MAX + sizeof("…")];
        struct text shown = value;
        if (max < value.len) {
            struct text clipped = text_clip(value, max);
            memcpy(shorter, clipped.ptr, clipped.len);
            memcpy(shorter + clipped.len, "…", sizeof("…"));
            shown = (struct text){ shorter, clipped.len + sizeof("…") - 1 };
        }
        buffer_put(line, before);
        put(line, shown);
        if (buffer_ok(line)) {
            return;
        }
        line->failed = false;
        line->len = start;
        if (max == 0) {
            return;
        }
    }
}

static void put_number(struct buffer *line, struct text before, int64_t number) {
    size_t start = line->len;
    buffer_put(line, before);
    buffer_put_i64(line, number);
    if (!buffer_ok(line)) {
        line->failed = false;
        line->len = start;
    }
}

static void put_field(struct buffer *line, bool as_json, const struct log_field *field) {
    char before[64];
    int count = snprintf(before, sizeof(before), as_json ? ",\"%s\":" : " %s=", field->name);
    struct text name = { before, count < (int)sizeof(before) ? (size_t)count : sizeof(before) - 1 };
    if (field->kind == LOG_FIELD_I64) {
        put_number(line, name, field->number);
    } else {
        put_fitting(line, name, field->text, as_json ? put_json_text : put_plain_value);
    }
}

/* 2026-01-02T03:04:05.678Z info  task accepted task=task-llm-… note="two words" */
static void put_text_line(struct buffer *line, const char *time, const char *level, const char *message,
                          const struct log_field *fields, size_t count) {
    buffer_printf(line, "%s %-5s ", time, level);
    put_fitting(line, TEXT(""), text_of(message), put_plain_message);
    for (size_t i = 0; i < count; i++) {
        put_field(line, false, &fields[i]);
    }
}

/* {"time":"2026-01-02T03:04:05.678Z","level":"info","message":"task accepted","task":"task-llm-…"} */
static void put_json_line(struct buffer *line, const char *time, const char *level, const char *message,
                          const struct log_field *fields, size_t count) {
    buffer_printf(line, "{\"time\":\"%s\",\"level\":\"%s\"", time, level);
    put_fitting(line, TEXT(",\"message\":"), text_of(message), put_json_text);
    for (size_t i = 0; i < count; i++) {
        put_field(line, true, &fields[i]);
    }
}

void log_write(enum log_level level, const char *message, const struct log_field *fields, size_t count) {
    static const char *const level_names[] = { "debug", "info", "warn", "error" };
    /* A buffer over the stack: its maximum is its capacity, so it never asks for memory and is never freed. */
    char bytes[LINE_MAX_BYTES];
    struct buffer line = { .data = bytes, .capacity = sizeof(bytes), .max = sizeof(bytes) - 1 - TAIL_MAX };
    char time[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(clock_wall_ms(), time);

    bool as_json = atomic_load_explicit(&line_format, memory_order_relaxed) == LOG_JSON;
    (as_json ? put_json_line : put_text_line)(&line, time, level_names[level], message, fields, count);
    line.max += TAIL_MAX;
    buffer_put(&line, as_json ? TEXT("}\n") : TEXT("\n"));

    ssize_t written = write(STDERR_FILENO, line.data, line.len);
    (void)written; /* there is nowhere left to complain */
}
