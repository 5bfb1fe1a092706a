/* The table of plain settings: one row each, from which parsing, defaults and help come. Constants, any thread. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum setting_kind {
    SETTING_TEXT,     /* const char *, NULL when empty */
    SETTING_LISTEN,   /* "HOST:PORT", into listen_host and listen_port */
    SETTING_URL,      /* const char *: http(s) URL without a slash at the end */
    SETTING_UNSIGNED, /* unsigned */
    SETTING_I64,      /* int64_t */
    SETTING_REAL,     /* double */
    SETTING_BOOLEAN,  /* bool */
    SETTING_LEVEL,    /* enum log_level */
    SETTING_FORMAT    /* enum log_format */
};

struct setting {
    const char *section; /* NULL: at the top of the file */
    const char *name;
    enum setting_kind kind;
    size_t offset;        /* in struct config */
    const char *fallback; /* the default, as it would be written */
    double min, max;      /* of numbers */
    const char *meaning;
};

extern const struct setting settings[];
extern const size_t setting_count;
