/* Files that are part of the binary, as embed.sh makes tables of them. Constants, any thread. */
#pragma once

#include <stddef.h>

#include "base/text.h"

struct embedded_file {
    const char *path; /* "models/seedance.lua" */
    struct text source;
};

/* Everything below lua/ at build time, sorted by path. */
extern const struct embedded_file embedded_files[];
extern const size_t embedded_file_count;
