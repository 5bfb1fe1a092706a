/* Reading settings from the Lua table on top of the stack: typed values, and the three lists (providers, groups, fetch). */
#pragma once

#include "base/arena.h"
#include "config/config.h"
#include "config/settings.h"

struct lua_State;

/* A config and the memory that its texts and lists lie in. */
struct config_home {
    struct config config;
    struct arena arena;
};

/* The value on top of the stack, or ERR_CONFIG with "name: what was expected". */
enum err reader_text(struct lua_State *lua, const char *name, struct text *ret, struct fault *fault) must_check;
enum err reader_number(struct lua_State *lua, const char *name, double min, double max, bool whole, double *ret,
                       struct fault *fault) must_check;
enum err reader_boolean(struct lua_State *lua, const char *name, bool *ret, struct fault *fault) must_check;

/* Every key of the table on top, and of its sections, must be known. */
enum err reader_check_names(struct lua_State *lua, const struct setting *rows, size_t count, const char *const *lists,
                            size_t list_count, struct fault *fault) must_check;

enum err reader_providers(struct config_home *home, struct lua_State *lua, struct fault *fault) must_check;
enum err reader_groups(struct config_home *home, struct lua_State *lua, struct fault *fault) must_check;
enum err reader_fetch(struct config_home *home, struct lua_State *lua, struct fault *fault) must_check;
/* The group "default" alone. */
void reader_default_groups(struct config_home *home);
void reader_put_help(struct buffer *buf);

/* The first line of the source in which `name` is given a value; 0 when there is none. */
unsigned reader_line_of(struct text source, struct text name);
