/* One call of a Lua function that the catalogue or an adapter kept: JSON in, Lua values out, protected as a whole.
 *
 * The engine's thread. */
#pragma once

#include <stdbool.h>

#include "base/errors.h"

struct json_t;
struct script;

#define LUA_CALL_ARGUMENTS_MAX 4
#define LUA_WHERE_SIZE 160

struct lua_call {
    int function; /* a reference; never LUA_NONE */
    const struct json_t *arguments[LUA_CALL_ARGUMENTS_MAX];
    unsigned argument_count;
    bool lazy; /* members of the arguments become Lua values when the function looks at them; only for lua_call_json */
    int results;
};

/* Leaves exactly call->results values on the stack; none on failure. Memory that runs out while the arguments are
 * built is an ordinary failure too. */
enum err lua_call_run(struct script *script, const struct lua_call *call, struct fault *fault) must_check;
/* The same for one result, as JSON (nil gives null). *ret is a new reference. */
enum err lua_call_json(struct script *script, const struct lua_call *call, struct json_t **ret,
                       struct fault *fault) must_check;
/* Where the function is defined, "models/seedance.lua:12", for complaints about what it returned. */
void lua_call_where(struct script *script, int function, char ret[LUA_WHERE_SIZE]);
