/* Structured log lines on stderr: text for people, JSON for machines.
 *
 * A line is one event with named fields. Keys, signatures and prompts are never fields: the caller's duty,
 * held by a test that greps the log of the whole suite. Any thread; a line is written by one write(2). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };
enum log_format { LOG_TEXT, LOG_JSON };

void log_setup(enum log_level least, enum log_format format);
bool log_enabled(enum log_level level);

/* One named value of a line; build with the macros below. */
struct log_field {
    const char *name;
    enum { LOG_FIELD_TEXT, LOG_FIELD_I64 } kind;
    struct text text;
    int64_t number;
};
#define LOG_T(field_name, value) (struct log_field){ .name = (field_name), .kind = LOG_FIELD_TEXT, .text = (value) }
#define LOG_S(field_name, value) LOG_T(field_name, text_of(value))
#define LOG_I(field_name, value) (struct log_field){ .name = (field_name), .kind = LOG_FIELD_I64, .number = (value) }

/* log_event(LOG_INFO, "task accepted", LOG_T("task", id), LOG_I("bytes", n)); fields are optional. */
#define log_event(level, message, ...)                                                                  \
    do {                                                                                                \
        if (log_enabled(level)) {                                                                       \
            const struct log_field log_fields_[] = { LOG_I(NULL, 0), ##__VA_ARGS__ };                   \
            log_write(level, message, log_fields_ + 1, ARRAY_SIZE(log_fields_) - 1);                    \
        }                                                                                               \
    } while (0)

void log_write(enum log_level level, const char *message, const struct log_field *fields, size_t count);
