/* A catalogue in the making, and the helpers of the words that make it; for this folder alone.
 *
 * The words are C functions called from Lua: mistakes are Lua errors, which carry file and line. */
#pragma once

#include <stdint.h>

#include "base/arena.h"
#include "catalog/catalog.h"
#include "catalog/voices.h"

struct lua_State;
struct param;
struct param_rule;
struct price_rule;
struct wildcard;

/* A model or a price as written, and where. */
struct definition {
    struct model model;
    const char *where; /* "lua/models/seedance.lua:12" */
};
struct price_entry {
    const char *model;
    const char *where;
    const struct price_rule *price;
};

struct catalog {
    struct arena arena;
    struct json_t *values; /* a JSON array that keeps every default and choice alive */
    struct definition **definitions; /* in the order written */
    unsigned definition_count;
    struct price_entry *prices;
    unsigned price_count;
    const struct model **models; /* sorted by name */
    struct voices voices[VOICE_LISTS_MAX];
    unsigned voices_count;
    struct wildcard *wildcards;  /* catalog/name.h */
    unsigned wildcard_count;
};

#define MODELS_MAX 4096

/* Makes room for a catalogue in the script: the caller fills *slot. What was not taken away by builder_close is freed with
 * the script. */
struct catalog **builder_open(struct lua_State *lua);
/* NULL when there is none. */
struct catalog *builder_close(struct lua_State *lua);
/* The catalogue in the making of this script; a Lua error when it is complete already. */
struct catalog *builder_of(struct lua_State *lua);
/* Zeroed memory that lives as long as the catalogue; a Lua error when there is none. */
void *builder_alloc(struct lua_State *lua, size_t size);
void *builder_array(struct lua_State *lua, size_t count, size_t size);
/* A copy of the string at `index`, which must be one. */
const char *builder_string(struct lua_State *lua, int index);
/* "file:line" of the Lua code that called the running word. */
const char *builder_where(struct lua_State *lua);
/* The value at `index` as JSON, kept by the catalogue; a Lua error that begins with `word` when it has no JSON form. */
struct json_t *builder_json(struct lua_State *lua, int index, const char *word, const char *option);

/* Values that words hand to each other: a pointer in a userdata of that type, told apart by their metatables. */
#define BUILT_PARAM "fennec.param"
#define BUILT_RULE "fennec.rule"
#define BUILT_PRICE "fennec.price"
void builder_push(struct lua_State *lua, const char *type, const void *value);
/* NULL when the value at `index` is not of that type. */
const void *builder_get(struct lua_State *lua, int index, const char *type);

/* ---- reading a word's table; errors are "word: …" ---- */

/* The table is at index 1, and a word is all that may be said wrong about it. */
void options_expect_table(struct lua_State *lua, const char *word, int index);
/* Every key that is text must be one of `known` (NULL at the end), every other one a position. */
void options_check_names(struct lua_State *lua, const char *word, int index, const char *const *known);
/* False: not there. A wrong type or a value outside the bounds is an error. */
bool options_number(struct lua_State *lua, const char *word, int index, const char *option, double least, double most,
                    double *ret);
bool options_integer(struct lua_State *lua, const char *word, int index, const char *option, int64_t least,
                     int64_t most, int64_t *ret);
bool options_boolean(struct lua_State *lua, const char *word, int index, const char *option, bool fallback);
/* A size in words: "30 MB", "30 MiB". */
bool options_bytes(struct lua_State *lua, const char *word, int index, const char *option, int64_t *ret);
/* NULL: not there. A copy of 1 to `max` bytes. */
const char *options_string(struct lua_State *lua, const char *word, int index, const char *option, size_t max);
/* The list at `option` (0: the table itself) as strings. */
const char *const *options_strings(struct lua_State *lua, const char *word, int index, unsigned *ret_count);

/* Each registers its words as globals. */
void param_words_open(struct lua_State *lua);
void rule_words_open(struct lua_State *lua);
void price_words_open(struct lua_State *lua);
void model_words_open(struct lua_State *lua);
void llm_words_open(struct lua_State *lua);
void voices_words_open(struct lua_State *lua);

/* Compiles the table of fields at `index` into an object parameter. */
void param_compile_fields(struct lua_State *lua, const char *word, int index, struct param *ret);
