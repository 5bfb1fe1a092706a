/* The word voices: voices "minimax" { "Wise_Woman", … }: names that a service knows without their being made, for clients
 * that let people choose. */
#include "catalog/voices.h"

#include <lauxlib.h>
#include <lua.h>

#include "catalog/builder.h"
#include "catalog/name.h"

/* The second half; the owner's name is upvalue 1. */
static int define_voices(lua_State *lua) {
    struct catalog *catalog = builder_of(lua);
    options_expect_table(lua, "voices", 1);
    if (catalog->voices_count == VOICE_LISTS_MAX)
        luaL_error(lua, "voices: there are more than %d lists", VOICE_LISTS_MAX);
    lua_pushvalue(lua, lua_upvalueindex(1));
    struct voices *voices = &catalog->voices[catalog->voices_count];
    voices->owner = builder_string(lua, -1);
    lua_pop(lua, 1);
    if (catalog_voices(catalog, text_of(voices->owner)) != NULL)
        luaL_error(lua, "voices: those of `%s` are said already", voices->owner);
    voices->names = options_strings(lua, "voices", 1, &voices->count);
    catalog->voices_count++;
    return 0;
}

static int begin_voices(lua_State *lua) {
    size_t len = 0;
    const char *owner = lua_type(lua, 1) == LUA_TSTRING ? lua_tolstring(lua, 1, &len) : "";
    if (!name_plain((struct text){ owner, len }))
        luaL_error(lua, "voices: the name of who has them is expected, as letters, digits, dots, dashes and _");
    lua_settop(lua, 1);
    lua_pushcclosure(lua, define_voices, 1);
    return 1;
}

void voices_words_open(struct lua_State *lua) {
    lua_pushcfunction(lua, begin_voices);
    lua_setglobal(lua, "voices");
}

const struct voices *catalog_voices(const struct catalog *catalog, struct text owner) {
    for (unsigned i = 0; i < catalog->voices_count; i++)
        if (text_equal(text_of(catalog->voices[i].owner), owner))
            return &catalog->voices[i];
    return NULL;
}
