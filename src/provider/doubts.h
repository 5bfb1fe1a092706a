/* What valid settings say that leads nowhere: a provider without an adapter or without its key, a model of a group that no
 * catalogue has, a directory or a file that is not there. None of it keeps a server from starting. */
#pragma once

#include <stdbool.h>

struct bridge;
struct config;

struct doubt {
    const char *what; /* a provider's name, or a setting's: "fal", "groups.gold.models" */
    bool grave;       /* it can only be a mistake */
    char words[256];  /* without secrets */
};

/* Tells `each` of every one, in the order of the settings. Reads the file system; any thread. */
void doubts_tell(const struct config *config, const struct bridge *bridge,
                 void (*each)(const struct doubt *doubt, void *context), void *context);
