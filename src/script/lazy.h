/* What the other files of this folder do with tables that are not wholly made; script.h has the rest. */
#pragma once

#include <stdbool.h>

#include "base/compiler.h"

struct json_t;
struct lua_State;

/* The metatable of these tables, to the registry. May raise an error of memory. */
void lazy_open(struct lua_State *lua);
/* Makes all of the table at the absolute index, if it is such a one. May raise an error of memory. */
void lazy_make(struct lua_State *lua, int index);
/* Copies what is not made of the table at the index to `object`; false when there is no memory. Raises nothing. */
bool lazy_put_rest(struct lua_State *lua, int index, struct json_t *object) must_check;
