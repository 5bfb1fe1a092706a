/* What the files of this folder know of a script; nobody else in src includes it. */
#pragma once

#include "script/script.h"

/* A limit that a call has hit; pcall cannot catch it. */
enum exhausted { EXHAUSTED_NOT, EXHAUSTED_INSTRUCTIONS, EXHAUSTED_MEMORY };

/* A table that stands for an object during a call. */
#define LAZIES_MAX 8
#define LAZY_MADE_MAX 8
struct lazy {
    const void *table; /* wholly made, it has lost its metatable */
    const struct json_t *object;
    const void *made[LAZY_MADE_MAX]; /* its iterators of the members that were asked for */
    unsigned made_count;
};

struct script {
    struct lua_State *lua;
    size_t memory_used;
    size_t memory_max;
    int64_t instructions_left; /* of the outermost running call */
    int64_t instructions_max;
    int64_t time_max_ms;
    int64_t began_us; /* the thread's processor time when the hook first looked; 0: not yet in this call */
    size_t instruction_bytes; /* of new memory that count as one instruction */
    unsigned running; /* calls from C under way, one inside the other */
    enum exhausted exhausted;
    struct lazy lazies[LAZIES_MAX];
    unsigned lazy_count;
    bool hurries; /* the hook looks at each instruction, since memory has used the budget up */
};

/* Makes what scripts may see: the globals table is emptied and filled anew. A Lua function, to be called protected. */
int sandbox_open(struct lua_State *lua);
/* Pushes a new environment for a file: its own names first, then the globals, else an error. */
void sandbox_push_environment(struct lua_State *lua);
/* Replaces the function `name` of the table on top by `wrapper`, which has the original as its upvalue 1. */
void sandbox_wrap(struct lua_State *lua, const char *name, int (*wrapper)(struct lua_State *));
/* For a wrapper: calls the original with all arguments; returns how many values it gave, which are all that is on the stack. */
int sandbox_call_original(struct lua_State *lua);
/* Makes those functions charge the budget that a library, whose table is on top, runs for long. */
void charges_open(struct lua_State *lua, const char *library);
/* Replaces the functions over patterns in the string library, whose table is on top. */
void string_words_open(struct lua_State *lua);
/* The function array{…}, and the value null, as globals. */
void value_open(struct lua_State *lua);
/* Whether the value at the index has the metatable that the registry keeps under the key. */
bool value_has_metatable(struct lua_State *lua, int index, const void *key);
