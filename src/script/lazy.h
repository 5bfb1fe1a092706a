/* What the other files of this folder do with tables that are not wholly made; script.h has the rest. */
#pragma once

#include "base/compiler.h"

struct lua_State;

/* The metatable of these tables, to the registry. May raise an error of memory. */
void lazy_open(struct lua_State *lua);
/* Makes all of the table at the absolute index, if it is such a one. May raise an error of memory. */
void lazy_make(struct lua_State *lua, int index);
/* The first member that is not made of the table at the index, or the next one behind `at`, by its iterator in the object that
 * the table stands for; NULL: there is none. Raises nothing. */
void *lazy_next_rest(struct lua_State *lua, int index, void *at) must_check;
