/* Walks the table that a settings file made: in each section unknown names first, then every setting. */
#include "config/reader.h"

#include <ctype.h>
#include <lua.h>
#include <stddef.h>
#include <stdlib.h>

#include "config/setting.h"
#include "config/value.h"
#include "script/nearest.h"
#include "script/script.h"

#define NAMES_MAX 64     /* settings of one section, with the NULL at the end */
#define ENTRIES_MAX 1000 /* providers, groups */
#define ENTRY_NAME_MAX 64
#define SCOPE_SIZE 128
#define TTL_MAX_S (7 * 86400) /* of results, unless the settings say */

/* ---- words ---- */

/* The line on which `name` is first given a value; 0 when there is none to be found. */
static unsigned line_of(struct text source, const char *name) {
    size_t length = strlen(name);
    unsigned line = 1;
    bool comment = false;
    for (size_t i = 0; i + length < source.len; i++) {
        const char *at = source.ptr + i;
        if (*at == '\n') {
            line++;
            comment = false;
        } else if (at[0] == '-' && at[1] == '-') {
            comment = true;
        }
        bool starts_word = i == 0 || !(isalnum((unsigned char)at[-1]) || at[-1] == '_');
        if (comment || !starts_word || strncmp(at, name, length) != 0) {
            continue;
        }
        size_t next = i + length;
        while (next < source.len && source.ptr[next] != '\0' && strchr(" \t]\"'", source.ptr[next]) != NULL) {
            next++;
        }
        if (next < source.len && source.ptr[next] == '=') {
            return line;
        }
    }
    return 0;
}

/* "config.lua:3: WORDS" */
static enum err printf_like(3, 4) refuse(struct reader *reader, const char *name, const char *format, ...) {
    char words[640], place[16] = "";
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    unsigned line = line_of(reader->source, name);
    if (line > 0) {
        snprintf(place, sizeof(place), ":%u", line);
    }
    return fault_set(reader->fault, ERR_CONFIG, "%s%s: %s", reader->path, place, words);
}

static const char *top_type(const struct reader *reader) {
    return lua_typename(reader->lua, lua_type(reader->lua, -1));
}

static enum err refuse_value(struct reader *reader, const char *scope, const struct setting *setting, bool out_of_range) {
    if (out_of_range) {
        return refuse(reader, setting->name, "`%s%s` must be between %.15g and %.15g", scope, setting->name, setting->min,
                      setting->max);
    }
    if (lua_type(reader->lua, -1) == LUA_TSTRING && setting->kind != SETTING_KEYS) { /* keys are secrets */
        struct text clip = text_clip(text_of(lua_tostring(reader->lua, -1)), 80);
        return refuse(reader, setting->name, "`%s%s` must be %s, got \"%.*s\"", scope, setting->name,
                      setting_kind_words(setting->kind), TEXT_ARG(clip));
    }
    if (lua_type(reader->lua, -1) == LUA_TNUMBER && setting->kind != SETTING_KEYS) {
        return refuse(reader, setting->name, "`%s%s` must be %s, got %.15g", scope, setting->name,
                      setting_kind_words(setting->kind), lua_tonumber(reader->lua, -1));
    }
    return refuse(reader, setting->name, "`%s%s` must be %s, got a %s", scope, setting->name,
                  setting_kind_words(setting->kind), top_type(reader));
}

/* ---- one table of settings ---- */

/* The names that may stand in a section's table: its settings, and at the top the sections themselves. */
static void list_names(const char *section, const char *names[NAMES_MAX]) {
    unsigned count = 0;
    const char *last = "";
    for (size_t i = 0; i < setting_count; i++) {
        const struct setting *setting = &settings[i];
        if (strcmp(setting->section, section) == 0) {
            names[count++] = setting->name;
        } else if (section[0] == '\0' && strchr(setting->section, '.') == NULL && strcmp(setting->section, last) != 0) {
            names[count++] = last = setting->section;
        }
    }
    if (section[0] == '\0') {
        names[count++] = "groups";
        names[count++] = "providers";
    }
    names[count] = NULL;
}

static bool is_among(const char *name, const char *const *names) {
    while (*names != NULL && strcmp(name, *names) != 0) {
        names++;
    }
    return *names != NULL;
}

/* Complains of the first unknown name by the alphabet, so that it does not depend on the order of a Lua table. */
static enum err check_names(struct reader *reader, const char *scope, const char *section) {
    lua_State *lua = reader->lua;
    const char *names[NAMES_MAX];
    list_names(section, names);
    const char *unknown = NULL;
    for (lua_pushnil(lua); lua_next(lua, -2); lua_pop(lua, 1)) {
        if (lua_type(lua, -2) != LUA_TSTRING) {
            lua_pop(lua, 2);
            return refuse(reader, scope, "`%s`: settings have names", scope);
        }
        const char *name = lua_tostring(lua, -2);
        if (!is_among(name, names) && (unknown == NULL || strcmp(name, unknown) < 0)) {
            unknown = name; /* the table keeps it alive */
        }
    }
    if (unknown == NULL) {
        return OK;
    }
    const char *nearest = nearest_name(unknown, names);
    return nearest != NULL ? refuse(reader, unknown, "unknown setting `%s%.64s`; did you mean `%s`?", scope, unknown, nearest)
                           : refuse(reader, unknown, "unknown setting `%s%.64s`", scope, unknown);
}

/* Pushes the table's own value of that name; a metatable is not asked. */
static int push_raw(lua_State *lua, const char *name) {
    lua_pushstring(lua, name);
    return lua_rawget(lua, -2);
}

/* All settings of one section, from the table on top. */
static enum err read_table(struct reader *reader, const char *scope, const char *section, void *base) {
    enum err err = check_names(reader, scope, section);
    for (size_t i = 0; err == OK && i < setting_count; i++) {
        const struct setting *setting = &settings[i];
        if (strcmp(setting->section, section) != 0) {
            continue;
        }
        bool out_of_range;
        if (push_raw(reader->lua, setting->name) != LUA_TNIL &&
            !value_read(reader->lua, &reader->stored->arena, setting, base, &out_of_range)) {
            err = refuse_value(reader, scope, setting, out_of_range);
        }
        lua_pop(reader->lua, 1);
    }
    return err;
}

/* ---- sections of the config itself ---- */

static enum err check_table(struct reader *reader, const char *name) {
    return lua_istable(reader->lua, -1) ? OK : refuse(reader, name, "`%s` must be a table, got a %s", name, top_type(reader));
}

/* http = {…} and the like. */
static enum err read_sections(struct reader *reader) {
    const char *last = "";
    enum err err = OK;
    for (size_t i = 0; err == OK && i < setting_count; i++) {
        const char *section = settings[i].section;
        if (section[0] == '\0' || strchr(section, '.') != NULL || strcmp(section, last) == 0) {
            continue;
        }
        last = section;
        if (push_raw(reader->lua, section) != LUA_TNIL) {
            char scope[SCOPE_SIZE];
            snprintf(scope, sizeof(scope), "%s.", section);
            err = check_table(reader, section);
            if (err == OK) {
                err = read_table(reader, scope, section, &reader->stored->config);
            }
        }
        lua_pop(reader->lua, 1);
    }
    return err;
}

/* ---- providers and groups: tables of tables ---- */

/* What an array of entries is made of: structs that begin with their name. */
struct entries {
    const char *name;       /* "groups" */
    const char *section;    /* of the table of settings */
    const char *always;     /* the name of an entry that is there in any case; NULL: none */
    const void *template;   /* an entry of which nothing is said */
    size_t size;            /* of an entry */
};

_Static_assert(offsetof(struct group_config, name) == 0 && offsetof(struct provider_config, name) == 0, "name comes first");

static bool entry_name_valid(const char *name) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    size_t len = strlen(name);
    return len > 0 && len <= ENTRY_NAME_MAX && strspn(name, allowed) == len;
}

static int by_string(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* One key and its value, on top of the stack, into the list of names. */
static enum err add_entry_name(struct reader *reader, const struct entries *entries, const char **names, unsigned *count) {
    const char *name = lua_type(reader->lua, -2) == LUA_TSTRING ? lua_tostring(reader->lua, -2) : "";
    if (!entry_name_valid(name) || *count == ENTRIES_MAX) {
        return refuse(reader, entries->name, "`%s` must be a table of at most %d tables with names of 1 to %d letters, "
                      "digits, - and _", entries->name, ENTRIES_MAX, ENTRY_NAME_MAX);
    }
    if (!lua_istable(reader->lua, -1)) {
        return refuse(reader, name, "`%s.%s` must be a table, got a %s", entries->name, name, top_type(reader));
    }
    if (entries->always != NULL && strcmp(name, entries->always) == 0) {
        return OK; /* it is there already */
    }
    names[*count] = arena_string(&reader->stored->arena, text_of(name));
    return names[(*count)++] != NULL ? OK : fault_set(reader->fault, ERR_CONFIG, "%s: there is too much in it", reader->path);
}

/* The keys of the table on top, copied and sorted. */
static enum err list_entries(struct reader *reader, const struct entries *entries, const char ***ret, unsigned *ret_count) {
    lua_State *lua = reader->lua;
    unsigned count = 0;
    const char **names = arena_alloc(&reader->stored->arena, (ENTRIES_MAX + 1) * sizeof(*names));
    if (names == NULL) {
        return fault_set(reader->fault, ERR_CONFIG, "%s: there is too much in it", reader->path);
    }
    if (entries->always != NULL) {
        names[count++] = entries->always;
    }
    for (lua_pushnil(lua); lua_next(lua, -2); lua_pop(lua, 1)) {
        enum err err = add_entry_name(reader, entries, names, &count);
        if (err != OK) {
            lua_pop(lua, 2);
            return err;
        }
    }
    qsort(names, count, sizeof(*names), by_string);
    *ret = names;
    *ret_count = count;
    return OK;
}

/* Each entry starts as a copy of the template. */
static enum err read_entries(struct reader *reader, const struct entries *entries, const void **ret, unsigned *ret_count) {
    const char **names = NULL;
    unsigned count = 0;
    enum err err = list_entries(reader, entries, &names, &count);
    if (err != OK) {
        return err;
    }
    char *array = arena_alloc(&reader->stored->arena, (count + 1) * entries->size);
    if (array == NULL) {
        return fault_set(reader->fault, ERR_CONFIG, "%s: there is too much in it", reader->path);
    }
    for (unsigned i = 0; err == OK && i < count; i++) {
        char *entry = array + i * entries->size;
        memcpy(entry, entries->template, entries->size);
        memcpy(entry, &names[i], sizeof(names[i]));
        char scope[SCOPE_SIZE];
        snprintf(scope, sizeof(scope), "%s.%s.", entries->name, names[i]);
        if (push_raw(reader->lua, names[i]) == LUA_TTABLE) {
            err = read_table(reader, scope, entries->section, entry);
        }
        lua_pop(reader->lua, 1);
    }
    *ret = array;
    *ret_count = count;
    return err;
}

/* The value of each setting of a section that a file does not mention. */
static enum err set_fallbacks(struct reader *reader, const char *section, void *base) {
    for (size_t i = 0; i < setting_count; i++) {
        const struct setting *setting = &settings[i];
        if (setting->fallback == NULL || strcmp(setting->section, section) != 0) {
            continue;
        }
        char source[128];
        int count = 0;
        bool out_of_range;
        snprintf(source, sizeof(source), "return %s", setting->fallback);
        enum err err = script_run(reader->script, "defaults", text_of(source), &count, reader->fault);
        if (err == OK && !value_read(reader->lua, &reader->stored->arena, setting, base, &out_of_range)) {
            err = fault_set(reader->fault, ERR_INTERNAL, "the default of `%s` is not valid", setting->full_name);
        }
        lua_pop(reader->lua, count);
        if (err != OK) {
            return err;
        }
    }
    return OK;
}

/* Reads the list from the file's table, which is on top; an absent one counts as empty. */
static enum err read_list(struct reader *reader, const struct entries *entries, const void **ret, unsigned *ret_count) {
    if (push_raw(reader->lua, entries->name) == LUA_TNIL) {
        lua_pop(reader->lua, 1);
        lua_newtable(reader->lua);
    }
    enum err err = check_table(reader, entries->name);
    if (err == OK) {
        err = read_entries(reader, entries, ret, ret_count);
    }
    lua_pop(reader->lua, 1);
    return err;
}

static enum err read_groups(struct reader *reader) {
    struct group_config template = { 0 };
    const struct entries entries = { "groups", SECTION_GROUP, "default", &template, sizeof(template) };
    const void *groups = NULL;
    enum err err = set_fallbacks(reader, SECTION_GROUP, &template);
    if (err == OK) {
        err = read_list(reader, &entries, &groups, &reader->stored->config.group_count);
    }
    reader->stored->config.groups = groups;
    return err;
}

static enum err read_providers(struct reader *reader) {
    struct provider_config template = { 0 };
    const struct entries entries = { "providers", SECTION_PROVIDER, NULL, &template, sizeof(template) };
    const void *providers = NULL;
    enum err err = set_fallbacks(reader, SECTION_PROVIDER, &template);
    if (err == OK) {
        err = read_list(reader, &entries, &providers, &reader->stored->config.provider_count);
    }
    reader->stored->config.providers = providers;
    return err;
}

/* ---- the whole ---- */

enum err reader_set_defaults(struct reader *reader) {
    enum err err = OK;
    const char *last = NULL;
    for (size_t i = 0; err == OK && i < setting_count; i++) {
        const char *section = settings[i].section;
        if (strchr(section, '.') == NULL && (last == NULL || strcmp(section, last) != 0)) {
            err = set_fallbacks(reader, section, &reader->stored->config);
            last = section;
        }
    }
    return err;
}

/* What follows from one setting for another. */
static enum err relate(struct reader *reader) {
    struct config *config = &reader->stored->config;
    if (config->result_ttl_max_s == 0) {
        config->result_ttl_max_s = config->result_ttl_s > TTL_MAX_S ? config->result_ttl_s : TTL_MAX_S;
    }
    return config->result_ttl_max_s >= config->result_ttl_s
               ? OK
               : refuse(reader, "ttl_max", "`results.ttl_max` must not be less than `results.ttl`");
}

enum err reader_read_file(struct reader *reader) {
    enum err err = read_table(reader, "", "", &reader->stored->config);
    if (err == OK) {
        err = read_sections(reader);
    }
    if (err == OK) {
        err = relate(reader);
    }
    if (err == OK) {
        err = read_groups(reader);
    }
    return err == OK ? read_providers(reader) : err;
}
