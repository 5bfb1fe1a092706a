/* Typed values from Lua, and the settings that are lists. */
#include "config/reader.h"

#include <ctype.h>
#include <lua.h>
#include <math.h>

#define LIST_MAX 256
#define KEYS_MAX 64

enum err reader_text(lua_State *lua, const char *name, struct text *ret, struct fault *fault) {
    if (lua_type(lua, -1) != LUA_TSTRING)
        return fault_set(fault, ERR_CONFIG, "%s: a text is expected, got a %s", name, lua_typename(lua, lua_type(lua, -1)));
    ret->ptr = lua_tolstring(lua, -1, &ret->len);
    if (memchr(ret->ptr, '\0', ret->len) || ret->len > 4096)
        return fault_set(fault, ERR_CONFIG, "%s: at most 4096 bytes without NUL are expected", name);
    return OK;
}

enum err reader_number(lua_State *lua, const char *name, double min, double max, bool whole, double *ret, struct fault *fault) {
    if (lua_type(lua, -1) != LUA_TNUMBER)
        return fault_set(fault, ERR_CONFIG, "%s: a number is expected, got a %s", name, lua_typename(lua, lua_type(lua, -1)));
    double value = lua_tonumber(lua, -1);
    if (!(value >= min && value <= max) || (whole && value != floor(value)))
        return fault_set(fault, ERR_CONFIG, "%s: a %snumber from %.14g to %.14g is expected, got %.14g", name,
                         whole ? "whole " : "", min, max, value);
    *ret = value;
    return OK;
}

enum err reader_boolean(lua_State *lua, const char *name, bool *ret, struct fault *fault) {
    if (!lua_isboolean(lua, -1))
        return fault_set(fault, ERR_CONFIG, "%s: true or false is expected, got a %s", name, lua_typename(lua, lua_type(lua, -1)));
    *ret = lua_toboolean(lua, -1);
    return OK;
}

/* ---- names ---- */

static bool section_known(const char *name, const struct setting *rows, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (rows[i].section && strcmp(rows[i].section, name) == 0)
            return true;
    return false;
}

static bool setting_known(const char *section, const char *name, const struct setting *rows, size_t count) {
    for (size_t i = 0; i < count; i++) {
        bool same_section = section ? rows[i].section && strcmp(rows[i].section, section) == 0 : !rows[i].section;
        if (same_section && strcmp(rows[i].name, name) == 0)
            return true;
    }
    return false;
}

/* How many letters from the start or the end two names share: enough to find a slip of the pen. */
static size_t likeness(const char *a, const char *b) {
    size_t start = 0, end = 0, a_len = strlen(a), b_len = strlen(b), shorter = a_len < b_len ? a_len : b_len;
    while (start < shorter && a[start] == b[start])
        start++;
    while (end < shorter - start && a[a_len - 1 - end] == b[b_len - 1 - end])
        end++;
    return start + end;
}

static enum err refuse_name(const char *section, const char *name, const struct setting *rows, size_t count, struct fault *fault) {
    const struct setting *best = NULL;
    size_t best_likeness = 0;
    for (size_t i = 0; i < count; i++) {
        size_t now = likeness(name, rows[i].name);
        if (now > best_likeness && now * 2 >= strlen(name)) {
            best_likeness = now;
            best = &rows[i];
        }
    }
    return fault_set(fault, ERR_CONFIG, "%s%s%s: unknown setting%s%s%s%s%s", section ? section : "", section ? "." : "", name,
                     best ? "; did you mean `" : "", best && best->section ? best->section : "",
                     best && best->section ? "." : "", best ? best->name : "", best ? "`?" : "");
}

static enum err check_section(lua_State *lua, const char *section, const struct setting *rows, size_t count, struct fault *fault) {
    if (!lua_istable(lua, -1))
        return fault_set(fault, ERR_CONFIG, "%s: a table is expected, got a %s", section, lua_typename(lua, lua_type(lua, -1)));
    for (lua_pushnil(lua); lua_next(lua, -2); lua_pop(lua, 1)) {
        if (lua_type(lua, -2) != LUA_TSTRING)
            return fault_set(fault, ERR_CONFIG, "%s: settings have names", section);
        if (!setting_known(section, lua_tostring(lua, -2), rows, count))
            return refuse_name(section, lua_tostring(lua, -2), rows, count, fault);
    }
    return OK;
}

enum err reader_check_names(lua_State *lua, const struct setting *rows, size_t count, const char *const *lists,
                            size_t list_count, struct fault *fault) {
    int top = lua_gettop(lua);
    enum err err = OK;
    for (lua_pushnil(lua); !err && lua_next(lua, top); lua_settop(lua, top + 1)) {
        const char *name = lua_tostring(lua, -2);
        bool known = setting_known(NULL, name, rows, count);
        for (size_t i = 0; i < list_count; i++)
            known |= strcmp(name, lists[i]) == 0;
        if (section_known(name, rows, count))
            err = check_section(lua, name, rows, count, fault);
        else if (!known)
            err = refuse_name(NULL, name, rows, count, fault);
    }
    lua_settop(lua, top);
    return err;
}

/* ---- lists ---- */

/* A field of the table on top is pushed; false (nothing pushed) when it is nil. */
static bool push_field(lua_State *lua, const char *name) {
    if (lua_getfield(lua, -1, name) != LUA_TNIL)
        return true;
    lua_pop(lua, 1);
    return false;
}

static enum err check_fields(lua_State *lua, const char *owner, const char *const *names, struct fault *fault) {
    if (!lua_istable(lua, -1))
        return fault_set(fault, ERR_CONFIG, "%s: a table is expected, got a %s", owner, lua_typename(lua, lua_type(lua, -1)));
    for (lua_pushnil(lua); lua_next(lua, -2); lua_pop(lua, 1)) {
        bool known = false;
        for (unsigned i = 0; names[i] && lua_type(lua, -2) == LUA_TSTRING; i++)
            known |= strcmp(lua_tostring(lua, -2), names[i]) == 0;
        if (!known)
            return fault_set(fault, ERR_CONFIG, "%s: unknown setting in it: `%s`", owner,
                             lua_type(lua, -2) == LUA_TSTRING ? lua_tostring(lua, -2) : "a list item");
    }
    return OK;
}

static enum err read_name(lua_State *lua, const char *list, struct arena *arena, const char **ret, struct fault *fault) {
    size_t len;
    const char *name = lua_type(lua, -2) == LUA_TSTRING ? lua_tolstring(lua, -2, &len) : NULL;
    if (!name || len == 0 || len > 64 || strlen(name) != len)
        return fault_set(fault, ERR_CONFIG, "%s: each entry needs a name of 1 to 64 bytes, as in %s = { name = { … } }", list, list);
    *ret = arena_string(arena, (struct text){ name, len });
    return *ret ? OK : ERR_NO_MEMORY;
}

/* One text, or a list of them, from the top of the stack. */
static enum err read_texts(lua_State *lua, const char *name, struct arena *arena, const char *const **ret, unsigned *ret_count,
                           struct fault *fault) {
    struct text value;
    if (!lua_istable(lua, -1)) {
        enum err err = reader_text(lua, name, &value, fault);
        const char **one = arena_alloc(arena, sizeof *one);
        if (err || !one)
            return err ? err : ERR_NO_MEMORY;
        *one = arena_string(arena, value);
        *ret = one;
        *ret_count = 1;
        return OK;
    }
    size_t count = lua_rawlen(lua, -1);
    if (count > KEYS_MAX)
        return fault_set(fault, ERR_CONFIG, "%s: at most %d are possible", name, KEYS_MAX);
    const char **list = arena_alloc(arena, (count + 1) * sizeof *list);
    for (size_t i = 0; list && i < count; i++) {
        lua_rawgeti(lua, -1, (lua_Integer)i + 1);
        enum err err = reader_text(lua, name, &value, fault);
        list[i] = err ? NULL : arena_string(arena, value);
        lua_pop(lua, 1);
        if (!list[i])
            return err ? err : ERR_NO_MEMORY;
    }
    *ret = list;
    *ret_count = (unsigned)count;
    return list ? OK : ERR_NO_MEMORY;
}

/* The provider whose table is on top of the stack. */
static enum err read_provider(struct config_home *home, lua_State *lua, struct provider_config *provider, struct fault *fault) {
    static const char *const FIELDS[] = { "key", "url", "allow_private", "concurrency", "poll_min", NULL };
    enum err err = check_fields(lua, provider->name, FIELDS, fault);
    if (!err && push_field(lua, "key")) {
        err = read_texts(lua, "key", &home->arena, &provider->keys, &provider->key_count, fault);
        lua_pop(lua, 1);
    }
    if (!err && push_field(lua, "url")) {
        struct text url;
        err = reader_text(lua, "url", &url, fault);
        if (!err && !text_starts(url, TEXT("http://")) && !text_starts(url, TEXT("https://")))
            err = fault_set(fault, ERR_CONFIG, "url: an http(s) URL is expected");
        provider->url = err ? NULL : arena_string(&home->arena, url);
        lua_pop(lua, 1);
    }
    if (!err && push_field(lua, "allow_private")) {
        err = reader_boolean(lua, "allow_private", &provider->allow_private, fault);
        lua_pop(lua, 1);
    }
    double number;
    if (!err && push_field(lua, "concurrency")) {
        if (!(err = reader_number(lua, "concurrency", 1, 1000000, true, &number, fault)))
            provider->concurrency = (unsigned)number;
        lua_pop(lua, 1);
    }
    if (!err && push_field(lua, "poll_min")) {
        err = reader_number(lua, "poll_min", 0, 3600, false, &provider->poll_min_s, fault);
        lua_pop(lua, 1);
    }
    return err;
}

/* A ratio in millionths, exactly. */
static enum err read_ratio(lua_State *lua, int64_t *ret_ppm, struct fault *fault) {
    double ratio;
    enum err err = reader_number(lua, "price", 0, 1000000, false, &ratio, fault);
    if (err)
        return err;
    double ppm = round(ratio * 1e6);
    if (fabs(ratio * 1e6 - ppm) > 1e-3)
        return fault_set(fault, ERR_CONFIG, "price: at most six decimals are possible");
    *ret_ppm = (int64_t)ppm;
    return OK;
}

/* The group whose table is on top of the stack. */
static enum err read_group(struct config_home *home, lua_State *lua, struct group_config *group, struct fault *fault) {
    (void)home;
    static const char *const FIELDS[] = { "price", "concurrency", "requests_per_minute", NULL };
    enum err err = check_fields(lua, group->name, FIELDS, fault);
    if (!err && push_field(lua, "price")) {
        err = read_ratio(lua, &group->price_ppm, fault);
        lua_pop(lua, 1);
    }
    double number;
    if (!err && push_field(lua, "concurrency")) {
        if (!(err = reader_number(lua, "concurrency", 1, 1000000, true, &number, fault)))
            group->concurrency = (unsigned)number;
        lua_pop(lua, 1);
    }
    if (!err && push_field(lua, "requests_per_minute")) {
        if (!(err = reader_number(lua, "requests_per_minute", 0, 1e9, true, &number, fault)))
            group->requests_per_minute = (int64_t)number;
        lua_pop(lua, 1);
    }
    return err;
}

static const struct group_config DEFAULT_GROUP = {
    .name = "default", .price_ppm = 1000000, .concurrency = 50, .requests_per_minute = 6000
};

void reader_default_groups(struct config_home *home) {
    home->config.groups = &DEFAULT_GROUP;
    home->config.group_count = 1;
}

/* Pushes the list's table; *ret_count is how many entries it has. Nothing is pushed, and 0, when it is absent. */
static enum err open_list(lua_State *lua, const char *name, unsigned *ret_count, struct fault *fault) {
    *ret_count = 0;
    if (!push_field(lua, name))
        return OK;
    if (!lua_istable(lua, -1))
        return fault_set(fault, ERR_CONFIG, "%s: a table is expected, got a %s", name, lua_typename(lua, lua_type(lua, -1)));
    for (lua_pushnil(lua); lua_next(lua, -2); lua_pop(lua, 1))
        ++*ret_count;
    if (*ret_count > LIST_MAX)
        return fault_set(fault, ERR_CONFIG, "%s: at most %d entries are possible", name, LIST_MAX);
    return OK;
}

enum err reader_providers(struct config_home *home, lua_State *lua, struct fault *fault) {
    int top = lua_gettop(lua);
    unsigned count;
    enum err err = open_list(lua, "providers", &count, fault);
    struct provider_config *providers = err || !count ? NULL : arena_alloc(&home->arena, count * sizeof *providers);
    unsigned i = 0;
    if (providers)
        for (lua_pushnil(lua); !err && lua_next(lua, top + 1); lua_settop(lua, top + 2), i++) {
            err = read_name(lua, "providers", &home->arena, &providers[i].name, fault);
            if (!err)
                err = read_provider(home, lua, &providers[i], fault);
        }
    lua_settop(lua, top);
    home->config.providers = providers;
    home->config.provider_count = i;
    return err;
}

enum err reader_groups(struct config_home *home, lua_State *lua, struct fault *fault) {
    int top = lua_gettop(lua);
    unsigned count;
    enum err err = open_list(lua, "groups", &count, fault);
    struct group_config *groups = err ? NULL : arena_alloc(&home->arena, (count + 1) * sizeof *groups);
    unsigned used = 0;
    bool has_default = false;
    if (groups && count)
        for (lua_pushnil(lua); !err && lua_next(lua, top + 1); lua_settop(lua, top + 2), used++) {
            groups[used] = DEFAULT_GROUP;
            err = read_name(lua, "groups", &home->arena, &groups[used].name, fault);
            if (!err)
                err = read_group(home, lua, &groups[used], fault);
            has_default |= !err && strcmp(groups[used].name, "default") == 0;
        }
    lua_settop(lua, top);
    if (err || !groups)
        return err ? err : ERR_NO_MEMORY;
    if (!has_default)
        groups[used++] = DEFAULT_GROUP;
    home->config.groups = groups;
    home->config.group_count = used;
    return OK;
}

enum err reader_fetch(struct config_home *home, lua_State *lua, struct fault *fault) {
    static const char *const FIELDS[] = { "allow", NULL };
    int top = lua_gettop(lua);
    enum err err = OK;
    if (push_field(lua, "fetch")) {
        err = check_fields(lua, "fetch", FIELDS, fault);
        if (!err && push_field(lua, "allow"))
            err = read_texts(lua, "allow", &home->arena, &home->config.fetch_allow, &home->config.fetch_allow_count, fault);
    }
    lua_settop(lua, top);
    return err;
}

void reader_put_help(struct buffer *buf) {
    buffer_put(buf, TEXT("groups.NAME.price             1.0              ratio of the catalogue's prices\n"
                         "groups.NAME.concurrency       50               running tasks of one account\n"
                         "groups.NAME.requests_per_minute 6000           of one account; 0: no limit\n"
                         "providers.NAME.key            none             a key or a list of keys; env \"NAME\" reads the environment\n"
                         "providers.NAME.url            its own          another base URL\n"
                         "providers.NAME.allow_private  false            whether that URL may be a private address\n"
                         "providers.NAME.concurrency    its own          running attempts\n"
                         "providers.NAME.poll_min       0                least seconds between two polls of a task\n"
                         "fetch.allow                   none             \"host:port\" pairs exempt from the address guard\n"));
}

unsigned reader_line_of(struct text source, struct text name) {
    for (unsigned line = 1; source.len; line++) {
        struct text rest = text_cut(&source, '\n');
        for (size_t i = 0; name.len && i + name.len <= rest.len; i++) {
            if (rest.ptr[i] == '-' && i + 1 < rest.len && rest.ptr[i + 1] == '-')
                break; /* a comment */
            bool starts = i == 0 || !(isalnum((unsigned char)rest.ptr[i - 1]) || rest.ptr[i - 1] == '_');
            if (!starts || memcmp(rest.ptr + i, name.ptr, name.len) != 0)
                continue;
            struct text after = text_trim((struct text){ rest.ptr + i + name.len, rest.len - i - name.len });
            if (text_starts(after, TEXT("=")) && !text_starts(after, TEXT("==")))
                return line;
        }
    }
    return 0;
}
