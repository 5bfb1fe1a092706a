/* One setting's value: from the top of the Lua stack into its place; for this folder alone. */
#pragma once

#include "base/arena.h"
#include "config/setting.h"

struct lua_State;

/* False: the value has the wrong type or form; or, when *ret_out_of_range, only the wrong size. `base` is the struct that
 * setting->offset counts in. The stack is left as it was. */
bool value_read(struct lua_State *lua, struct arena *arena, const struct setting *setting, void *base,
                bool *ret_out_of_range) must_check;
