/* The life of a script: memory counted by its allocator, instructions by a hook, files and functions run under both. */
#include "script/script.h"

#include <assert.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "script/state.h"

#define MEMORY_MAX_DEFAULT ((size_t)64 << 20)
#define INSTRUCTIONS_MAX_DEFAULT 10000000
#define TIME_MAX_DEFAULT_MS 10000
#define HOOK_INTERVAL 1000 /* instructions between two looks at the budget */
#define FILLS_MAX 4        /* times that one call may fill all the memory that it may have */

static void count_instructions(lua_State *lua, lua_Debug *debug);

/* One instruction may fill megabytes, and let go of them again. At the end of the budget the next one is the last. */
static void charge_memory(struct script *script, size_t bytes) {
    int64_t instructions = (int64_t)(bytes / script->instruction_bytes);
    if (script->running == 0 || instructions == 0) {
        return;
    }
    script->instructions_left -= instructions;
    if (script->instructions_left < 0 && !script->hurries) {
        script->hurries = true;
        lua_sethook(script->lua, count_instructions, LUA_MASKCOUNT, 1); /* which may be done at any time */
    }
}

/* Lua's allocator. A NULL for growth makes Lua collect garbage, try again, and then raise a memory error. */
static void *allocate(void *context, void *old, size_t old_size, size_t size) {
    struct script *script = context;
    size_t before = old != NULL ? old_size : 0; /* for a new block, Lua passes its kind */
    if (size == 0) {
        free(old);
        script->memory_used -= before;
        return NULL;
    }
    bool over = size > before && script->memory_used - before + size > script->memory_max;
    if (over && script->running > 0) {
        return NULL;
    }
    if (size > before) {
        charge_memory(script, size - before);
    }
    void *block = mem_grow_library(old, size);
    if (block != NULL) {
        script->memory_used += size - before;
    }
    return block;
}

/* Pushes "file:line: " of the nearest Lua function that runs. */
static void push_where(lua_State *lua) {
    lua_Debug debug;
    int level = 0;
    while (lua_getstack(lua, level, &debug)) {
        lua_getinfo(lua, "l", &debug);
        if (debug.currentline > 0) {
            break;
        }
        level++;
    }
    luaL_where(lua, level);
}

static no_return void raise_too_long(lua_State *lua, struct script *script, int64_t max, const char *unit) {
    script->exhausted = EXHAUSTED_INSTRUCTIONS;
    push_where(lua);
    lua_pushfstring(lua, "this takes too long: more than %I %s", (LUAI_UACINT)max, unit);
    lua_concat(lua, 2);
    lua_error(lua);
    abort(); /* not reached: lua_error does not return */
}

/* One instruction may compare megabytes, and something that nobody thought of may run for long inside C. A short call is
 * not asked for its time at all. */
static bool is_over_time(struct script *script) {
    int64_t now_us = clock_thread_us();
    if (script->began_us == 0) {
        script->began_us = now_us;
    }
    return now_us - script->began_us > script->time_max_ms * 1000;
}

static void count_instructions(lua_State *lua, lua_Debug *debug) {
    (void)debug;
    struct script *script = script_of(lua);
    script->instructions_left -= HOOK_INTERVAL;
    if (script->running == 0) {
        return;
    }
    if (script->instructions_left < 0) {
        raise_too_long(lua, script, script->instructions_max, "instructions");
    }
    if (is_over_time(script)) {
        raise_too_long(lua, script, script->time_max_ms, "milliseconds");
    }
}

void script_charge(struct lua_State *lua, uint64_t instructions) {
    struct script *script = script_of(lua);
    if (script->running == 0) {
        return;
    }
    int64_t amount = instructions > INT64_MAX / 2 ? INT64_MAX / 2 : (int64_t)instructions;
    script->instructions_left -= amount;
    if (script->instructions_left < 0) {
        raise_too_long(lua, script, script->instructions_max, "instructions");
    }
}

/* Only a mistake of ours gets here: an error outside script_run and script_call. */
static int panic(lua_State *lua) {
    const char *words = lua_tostring(lua, -1);
    log_event(LOG_ERROR, "script error outside a call", LOG_S("message", words != NULL ? words : "no message"));
    return 0; /* Lua aborts */
}

enum err script_new(const struct script_limits *limits, struct script **ret) {
    struct script *script = mem_new(sizeof(*script));
    script->memory_max = limits != NULL && limits->memory_max > 0 ? limits->memory_max : MEMORY_MAX_DEFAULT;
    script->instructions_max =
        limits != NULL && limits->instructions_max > 0 ? limits->instructions_max : INSTRUCTIONS_MAX_DEFAULT;
    script->time_max_ms = limits != NULL && limits->time_max_ms > 0 ? limits->time_max_ms : TIME_MAX_DEFAULT_MS;
    script->instruction_bytes = FILLS_MAX * script->memory_max / (size_t)script->instructions_max + 1;
    script->lua = lua_newstate(allocate, script);
    if (script->lua == NULL) {
        free(script);
        return ERR_NO_MEMORY;
    }
    *(struct script **)lua_getextraspace(script->lua) = script;
    lua_atpanic(script->lua, panic);
    lua_pushcfunction(script->lua, sandbox_open);
    enum err err = script_call(script, 0, 0, NULL);
    if (err != OK) {
        script_free(script);
        return ERR_NO_MEMORY;
    }
    lua_sethook(script->lua, count_instructions, LUA_MASKCOUNT, HOOK_INTERVAL);
    *ret = script;
    return OK;
}

void script_free(struct script *script) {
    if (script == NULL) {
        return;
    }
    lua_close(script->lua);
    assert(script->memory_used == 0);
    free(script);
}

struct lua_State *script_lua(struct script *script) {
    return script->lua;
}

struct script *script_of(struct lua_State *lua) {
    return *(struct script **)lua_getextraspace(lua);
}

static void enter(struct script *script) {
    if (script->running++ == 0) {
        script->instructions_left = script->instructions_max;
        script->began_us = 0;
        script->exhausted = EXHAUSTED_NOT;
        if (script->hurries) {
            script->hurries = false;
            lua_sethook(script->lua, count_instructions, LUA_MASKCOUNT, HOOK_INTERVAL);
        }
    }
}

/* Lua's words begin with where they were said: with the end of a name that is long, and with none where what is nested too
 * deeply was not even read. */
static bool has_name(struct text words, struct text name) {
    bool begins = text_starts(words, name) && words.len > name.len && words.ptr[name.len] == ':';
    return begins || text_starts(words, TEXT("..."));
}

/* Takes the error value off the stack and turns it into a fault. */
static enum err take_error(struct script *script, int status, const char *name, struct fault *fault) {
    lua_State *lua = script->lua;
    const char *prefix = name != NULL ? name : "";
    const char *separator = name != NULL ? ": " : "";
    enum err err;
    if (status == LUA_ERRMEM || script->exhausted == EXHAUSTED_MEMORY) {
        script->exhausted = EXHAUSTED_MEMORY;
        err = fault_set(fault, ERR_SCRIPT, "%s%sthis needs too much memory: more than %zu bytes", prefix, separator,
                        script->memory_max);
    } else if (lua_type(lua, -1) == LUA_TSTRING) {
        const char *words = lua_tostring(lua, -1);
        bool named = name == NULL || has_name(text_of(words), text_of(name));
        err = fault_set(fault, ERR_SCRIPT, "%s%s%s", named ? "" : prefix, named ? "" : separator, words);
    } else {
        err = fault_set(fault, ERR_SCRIPT, "%s%serror() was called with a %s instead of words", prefix, separator,
                        luaL_typename(lua, -1));
    }
    lua_pop(lua, 1);
    return err;
}

enum err script_call(struct script *script, int arguments, int results, struct fault *fault) {
    enter(script);
    int status = lua_pcall(script->lua, arguments, results, 0);
    script->running--;
    return status == LUA_OK ? OK : take_error(script, status, NULL, fault);
}

/* Runs the chunk as script_run does, with the environment on top of the stack; takes it off. */
static enum err run_in(struct script *script, const char *name, struct text source, int results, struct fault *fault) {
    lua_State *lua = script->lua;
    const char *chunk_name = lua_pushfstring(lua, "@%s", name);
    enter(script);
    int status = luaL_loadbufferx(lua, source.ptr != NULL ? source.ptr : "", source.len, chunk_name, "t");
    if (status == LUA_OK) {
        lua_pushvalue(lua, -3);
        lua_setupvalue(lua, -2, 1);
        lua_rotate(lua, -3, 1); /* the chunk goes below what only it needs now */
        lua_pop(lua, 2);
        status = lua_pcall(lua, 0, results, 0);
    } else {
        lua_rotate(lua, -3, 1);
        lua_pop(lua, 2);
    }
    script->running--;
    return status == LUA_OK ? OK : take_error(script, status, name, fault);
}

enum err script_run(struct script *script, const char *name, struct text source, int *ret_count, struct fault *fault) {
    lua_State *lua = script->lua;
    int before = lua_gettop(lua);
    luaL_checkstack(lua, 8, NULL);
    sandbox_push_environment(lua);
    enum err err = run_in(script, name, source, ret_count != NULL ? LUA_MULTRET : 0, fault);
    if (err == OK && ret_count != NULL) {
        *ret_count = lua_gettop(lua) - before;
    }
    return err;
}

enum err script_run_settings(struct script *script, const char *name, struct text source, struct fault *fault) {
    lua_State *lua = script->lua;
    luaL_checkstack(lua, 8, NULL);
    sandbox_push_environment(lua);
    lua_pushvalue(lua, -1);
    enum err err = run_in(script, name, source, 0, fault);
    if (err != OK) {
        lua_pop(lua, 1);
    }
    return err;
}
