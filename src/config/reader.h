/* From a Lua table of settings to the structs; for this folder alone. */
#pragma once

#include "base/arena.h"
#include "config/config.h"

struct lua_State;
struct script;

/* The config with the memory that everything in it lives in. */
struct stored_config {
    struct config config;
    struct arena arena;
};

struct reader {
    struct script *script;
    struct lua_State *lua;
    struct stored_config *stored;
    const char *path;    /* what errors call the file */
    struct text source;  /* the file's text, to find the line of a setting in it */
    struct fault *fault;
};

/* Defaults first, then what the file's table, on top of the Lua stack, says; the stack is left as it was. Nothing here
 * raises a Lua error. */
enum err reader_set_defaults(struct reader *reader) must_check;
enum err reader_read_file(struct reader *reader) must_check;

/* "HOST:PORT" or "[ADDRESS]:PORT" into a host (without brackets) of the arena and a port. */
bool address_parse(struct text t, struct arena *arena, const char **ret_host, unsigned *ret_port) must_check;
