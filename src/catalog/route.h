/* Compiling a model's routes; for this folder alone. */
#pragma once

struct lua_State;
struct model;

/* The table of routes is on top of the stack, and stays there. A mistake is a Lua error. */
void routes_compile(struct lua_State *lua, struct model *model);
