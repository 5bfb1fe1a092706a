/* The Lua files that make a catalogue: the embedded ones, those of a directory over them. Any thread. */
#pragma once

#include "base/errors.h"
#include "base/text.h"

#define BRIDGE_FILES_MAX 1024
#define BRIDGE_FILE_SIZE_MAX (1 << 20)

struct bridge_file {
    char *path;  /* "models/seedance.lua": what replaces what */
    char *name;  /* what errors call it */
    char *owned; /* the source when it was read from a file; NULL: embedded */
    struct text source;
};

struct bridge_files {
    struct bridge_file *items; /* sorted by path: models/, prices.lua, providers/ */
    unsigned count;
};

/* The embedded files; then, unless `directory` is NULL, its *.lua, models/ and providers/ over them. */
enum err bridge_files_gather(const char *directory, struct bridge_files *ret, struct fault *fault) must_check;
/* Reads the file `name` into the place `path`, replacing what is there. */
enum err bridge_files_read(struct bridge_files *files, const char *path, const char *name,
                           struct fault *fault) must_check;
/* NULL when there is none. */
const struct bridge_file *bridge_files_find(const struct bridge_files *files, const char *path);
void bridge_files_fini(struct bridge_files *files);
