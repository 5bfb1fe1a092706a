/* The table of all settings: the only truth for their names, defaults, bounds and meaning; for this folder alone. */
#pragma once

#include <stddef.h>

#include "config/config.h"

enum setting_kind {
    SETTING_TEXT,
    SETTING_ADDRESS,   /* "HOST:PORT" into listen_host and listen_port */
    SETTING_URL,
    SETTING_BOOLEAN,
    SETTING_COUNT,     /* unsigned */
    SETTING_AMOUNT,    /* int64_t */
    SETTING_BYTES,     /* int64_t; a number or "32 MiB" */
    SETTING_REAL,      /* double */
    SETTING_RATIO,     /* int64_t, millionths */
    SETTING_LEVEL,
    SETTING_FORMAT,
    SETTING_KEYS,      /* one text or a list of them, into a pointer and the count behind it */
    SETTING_MODELS,    /* a list of names and beginnings of names, into models of a group */
    SETTING_ADDRESSES, /* a list of "HOST:PORT" into fetch_allow */
    SETTING_KIND_COUNT
};

struct setting {
    const char *section;  /* "", "http", "providers.NAME" */
    const char *name;
    const char *full_name; /* "http.idle" */
    enum setting_kind kind;
    size_t offset;        /* in struct config, provider_config or group_config, as the section says */
    double min, max;      /* of numbers */
    const char *fallback; /* as a file would write it; NULL: none */
    bool needs_restart;
    const char *meaning;
};

#define SECTION_PROVIDER "providers.NAME"
#define SECTION_GROUP "groups.NAME"

extern const struct setting settings[];
extern const size_t setting_count;

/* What a value of this kind is, for people: "a number of bytes, or a text such as \"32 MiB\"". */
const char *setting_kind_words(enum setting_kind kind);
