/* What the statements model and llm have in common; for this folder alone. The name is the function's upvalue 1, and
 * the table its argument. Mistakes are Lua errors that begin with `word`. */
#pragma once

struct definition;
struct lua_State;
struct model;

/* Puts the name at index 1 and the table at index 2, whose names must be of `known` (NULL at the end). Reads the
 * summary. */
struct definition *definition_begin(struct lua_State *lua, const char *word, const char *const *known);
/* `estimated` and `timeout`, by the model's type when they are not said. */
void definition_read_seconds(struct lua_State *lua, const char *word, struct model *model);
void definition_read_routes(struct lua_State *lua, struct model *model);
/* A price in the model itself is for files that bring a model of their own; the statement `price` goes before it. */
void definition_read_price(struct lua_State *lua, const char *word, struct model *model);
/* Makes it one of the catalogue's. */
void definition_end(struct lua_State *lua, const char *word, struct definition *definition);
