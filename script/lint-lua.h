/* What Lua's headers do not say: these do not return. The analysers read this in front of each file, so that they do not go
 * on behind an error with what it has just refused. */
#if __has_include(<lua.h>) /* only some folders are compiled with Lua's headers at hand */
#include <lauxlib.h>
#include <lua.h>

__attribute__((noreturn)) int lua_error(lua_State *lua);
__attribute__((noreturn)) int luaL_error(lua_State *lua, const char *format, ...);
__attribute__((noreturn)) int luaL_argerror(lua_State *lua, int argument, const char *reason);
__attribute__((noreturn)) int luaL_typeerror(lua_State *lua, int argument, const char *type);
#endif
