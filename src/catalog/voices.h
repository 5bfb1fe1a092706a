/* Lists of preset voices, as the word voices says them. Immutable once the catalogue is made. */
#pragma once

#include "base/text.h"

struct catalog;

#define VOICE_LISTS_MAX 32

struct voices {
    const char *owner; /* "minimax" */
    const char *const *names;
    unsigned count;
};

/* NULL when the catalogue has none of theirs. Pure, any thread. */
const struct voices *catalog_voices(const struct catalog *catalog, struct text owner);
