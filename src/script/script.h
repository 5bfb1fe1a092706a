/* A sandboxed Lua 5.4 state: no I/O, a memory limit, an instruction budget a call, errors that name file and line.
 *
 * Configuration, catalogue and adapters are Lua files; they see string (without dump), table, math (without random),
 * utf8 and the harmless basics (assert error ipairs next pairs select tonumber tostring type pcall), nothing that
 * reads, writes or loads; the libraries cannot be changed. A name that was never defined is an error, not nil.
 * Each file has an environment of its own: what it assigns, no other file sees. One thread at a time a script. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/errors.h"
#include "base/text.h"

struct script;
struct lua_State;
struct json_t;

struct script_limits {
    size_t memory_max;        /* bytes; 0: 64 MiB */
    /* VM instructions a call from C; 0: 10 million. New memory counts among them: four times memory_max are all; so does
     * long work inside C. */
    int64_t instructions_max;
    int64_t time_max_ms; /* of the processor, for what no instruction tells; 0: 10 s */
};

enum err script_new(const struct script_limits *limits, struct script **ret) must_check;
void script_free(struct script *script);
/* The state, for those who register functions in it: lua_setglobal makes a name known to every file. What C does in it
 * outside script_run and script_call is not held to the memory limit, so it cannot fail for it; the next call can. */
struct lua_State *script_lua(struct script *script);
/* The reverse, inside a C function called from Lua. */
struct script *script_of(struct lua_State *lua);

/* Runs a file's source; `name` ("lua/models/fal.lua") is what errors call it. Values it returns are left on the stack,
 * *ret_count of them (NULL: dropped). ERR_SCRIPT with "file:line: what was expected". */
enum err script_run(struct script *script, const char *name, struct text source, int *ret_count, struct fault *fault) must_check;
/* As script_run, and leaves on the stack one table instead: the names that the file assigned. */
enum err script_run_settings(struct script *script, const char *name, struct text source, struct fault *fault) must_check;
/* lua_pcall with the budget: function and `arguments` are on the stack, exactly `results` are left on success, nothing
 * on failure. A call inside a call shares the outer one's budget. */
enum err script_call(struct script *script, int arguments, int results, struct fault *fault) must_check;
/* Takes from the running call's budget, in a C function that does long work; raises a Lua error when it is used up. */
void script_charge(struct lua_State *lua, uint64_t instructions);

/* JSON to Lua and back. null is the value `null` (a light userdata that Lua code compares with `== null`); an integer
 * stays an integer; a table made by array{…} is an array even when empty, any other empty table is an object.
 * Depth over 64, a key that is no text, a function, a number that is not finite, more than JSON_VALUES_MAX values or more
 * text than memory_max, where a table that stands in two places counts twice: ERR_SCRIPT. */
void script_push_json(struct lua_State *lua, const struct json_t *value);
/* The same, but lists and objects that an object has as members become tables when a script looks at them. The value must
 * live, and not change, until script_end_lazies is given the number that script_lazies told before; the table loses what
 * nobody has looked at by then. May raise an error of memory, as script_push_json. */
void script_push_lazy(struct lua_State *lua, const struct json_t *value);
unsigned script_lazies(const struct script *script);
void script_end_lazies(struct script *script, unsigned count);
enum err script_to_json(struct lua_State *lua, int index, struct json_t **ret, struct fault *fault) must_check;
void script_push_null(struct lua_State *lua);
bool script_is_null(struct lua_State *lua, int index);
/* Marks the table on top of the stack as an array, as array{…} does. */
void script_mark_array(struct lua_State *lua);
