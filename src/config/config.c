/* Loads settings: the table of plain ones, and the three that are lists. */
#include "config/config.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <lua.h>
#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/memory.h"
#include "config/reader.h"
#include "config/settings.h"
#include "script/script.h"

#define FILE_MAX (1 << 20)
#define MEMORY_MAX ((size_t)8 << 20)

/* ---- values into the struct ---- */

static enum err set_listen(struct config_home *home, struct text value, struct fault *fault) {
    size_t colon = value.len;
    while (colon > 0 && value.ptr[colon - 1] != ':')
        colon--;
    int64_t port;
    if (colon < 2 || !text_to_i64((struct text){ value.ptr + colon, value.len - colon }, &port) || port < 0 || port > 65535)
        return fault_set(fault, ERR_CONFIG, "listen: HOST:PORT is expected, such as \"127.0.0.1:8080\"; got \"%.*s\"",
                         (int)(value.len > 100 ? 100 : value.len), value.ptr);
    struct text host = { value.ptr, colon - 1 };
    if (text_starts(host, TEXT("[")) && text_ends(host, TEXT("]")))
        host = (struct text){ host.ptr + 1, host.len - 2 };
    home->config.listen_host = arena_string(&home->arena, host);
    home->config.listen_port = (unsigned)port;
    return home->config.listen_host ? OK : ERR_NO_MEMORY;
}

static enum err set_url(struct config_home *home, const char **target, struct text value, const char *name, struct fault *fault) {
    while (value.len && value.ptr[value.len - 1] == '/')
        value.len--;
    bool http = text_starts(value, TEXT("http://")) || text_starts(value, TEXT("https://"));
    bool clean = true;
    for (size_t i = 0; i < value.len; i++)
        clean &= (unsigned char)value.ptr[i] > ' ' && value.ptr[i] != '"' && value.ptr[i] != '\\' && value.ptr[i] != 0x7f;
    if (value.len && (!http || !clean || value.len > 1024))
        return fault_set(fault, ERR_CONFIG, "%s: an http(s) URL is expected; got \"%.*s\"", name,
                         (int)(value.len > 100 ? 100 : value.len), value.ptr);
    *target = value.len ? arena_string(&home->arena, value) : NULL;
    return OK;
}

static enum err set_word(const struct setting *setting, void *target, struct text value, struct fault *fault) {
    static const char *const LEVELS[] = { "debug", "info", "warning", "error" };
    static const char *const FORMATS[] = { "text", "json" };
    bool level = setting->kind == SETTING_LEVEL;
    for (unsigned i = 0; i < (level ? ARRAY_SIZE(LEVELS) : ARRAY_SIZE(FORMATS)); i++)
        if (text_equal(value, text_of(level ? LEVELS[i] : FORMATS[i]))) {
            if (level)
                *(enum log_level *)target = (enum log_level)i;
            else
                *(enum log_format *)target = (enum log_format)i;
            return OK;
        }
    return fault_set(fault, ERR_CONFIG, "%s.%s: %s is expected; got \"%.*s\"", setting->section, setting->name, setting->meaning,
                     (int)(value.len > 100 ? 100 : value.len), value.ptr);
}

static enum err set_text(struct config_home *home, const struct setting *setting, struct text value, struct fault *fault) {
    void *target = (char *)&home->config + setting->offset;
    switch (setting->kind) {
    case SETTING_LISTEN:
        return set_listen(home, value, fault);
    case SETTING_URL:
        return set_url(home, target, value, setting->name, fault);
    case SETTING_LEVEL:
    case SETTING_FORMAT:
        return set_word(setting, target, value, fault);
    default:
        assert(setting->kind == SETTING_TEXT);
        *(const char **)target = value.len ? arena_string(&home->arena, value) : NULL;
        return OK;
    }
}

static void set_number(struct config_home *home, const struct setting *setting, double value) {
    void *target = (char *)&home->config + setting->offset;
    if (setting->kind == SETTING_UNSIGNED)
        *(unsigned *)target = (unsigned)value;
    else if (setting->kind == SETTING_I64)
        *(int64_t *)target = (int64_t)value;
    else
        *(double *)target = value;
}

static bool is_number(enum setting_kind kind) {
    return kind == SETTING_UNSIGNED || kind == SETTING_I64 || kind == SETTING_REAL;
}

static void set_default(struct config_home *home, const struct setting *setting) {
    if (is_number(setting->kind))
        set_number(home, setting, strtod(setting->fallback, NULL));
    else if (setting->kind == SETTING_BOOLEAN)
        *(bool *)((char *)&home->config + setting->offset) = strcmp(setting->fallback, "true") == 0;
    else if (set_text(home, setting, text_of(setting->fallback), NULL))
        assert(!"a default that its own setting refuses");
}

/* ---- from Lua ---- */

/* The setting from the value on top of the stack. */
static enum err read_setting(struct config_home *home, lua_State *lua, const struct setting *setting, struct fault *fault) {
    char name[80];
    snprintf(name, sizeof name, "%s%s%s", setting->section ? setting->section : "", setting->section ? "." : "", setting->name);
    if (is_number(setting->kind)) {
        double value;
        enum err err = reader_number(lua, name, setting->min, setting->max, setting->kind != SETTING_REAL, &value, fault);
        if (!err)
            set_number(home, setting, value);
        return err;
    }
    if (setting->kind == SETTING_BOOLEAN)
        return reader_boolean(lua, name, (bool *)((char *)&home->config + setting->offset), fault);
    struct text value;
    enum err err = reader_text(lua, name, &value, fault);
    return err ? err : set_text(home, setting, value, fault);
}

/* Walks the file's table: plain settings by the table, the lists by their readers, the rest refused. */
static enum err read_all(struct config_home *home, lua_State *lua, struct fault *fault) {
    static const char *const LISTS[] = { "providers", "groups", "fetch" };
    enum err err = reader_check_names(lua, settings, setting_count, LISTS, ARRAY_SIZE(LISTS), fault);
    for (size_t i = 0; !err && i < setting_count; i++) {
        int top = lua_gettop(lua);
        lua_getfield(lua, -1, settings[i].section ? settings[i].section : settings[i].name);
        if (settings[i].section && lua_istable(lua, -1))
            lua_getfield(lua, -1, settings[i].name);
        if (!lua_isnil(lua, -1))
            err = read_setting(home, lua, &settings[i], fault);
        lua_settop(lua, top);
    }
    if (!err)
        err = reader_providers(home, lua, fault);
    if (!err)
        err = reader_groups(home, lua, fault);
    return err ? err : reader_fetch(home, lua, fault);
}

/* env "NAME": the environment variable, nil when it is unset or empty. */
static int lua_env(lua_State *lua) {
    if (!lua_isstring(lua, 1)) {
        lua_pushliteral(lua, "env: the name of an environment variable is expected, as in env \"FAL_KEY\"");
        return lua_error(lua);
    }
    const char *value = getenv(lua_tostring(lua, 1));
    if (value && value[0])
        lua_pushstring(lua, value);
    else
        lua_pushnil(lua);
    return 1;
}

static enum err read_file(const char *path, struct buffer *source, struct fault *fault) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        enum err err = fault_set(fault, ERR_CONFIG, "%s: the settings file cannot be read: %s", path,
                                 fd < 0 ? strerror(errno) : "it is not a file");
        if (fd >= 0)
            close(fd);
        return err;
    }
    ssize_t count = 1;
    while (count > 0 && buffer_reserve(source, 65536)) {
        count = read(fd, source->data + source->len, 65536);
        source->len += count > 0 ? (size_t)count : 0;
    }
    close(fd);
    if (count != 0 || !buffer_ok(source))
        return fault_set(fault, ERR_CONFIG, "%s: the settings file cannot be read, or is larger than 1 MiB", path);
    return OK;
}

/* Puts "file:line: " before the words, the line being where the name in the words is given its value. */
static void locate(const char *path, struct text source, struct fault *fault) {
    struct text words = text_of(fault->message), name = text_cut(&words, ':');
    while (text_find(name, '.') < name.len)
        text_cut(&name, '.');
    unsigned line = reader_line_of(source, name);
    char message[sizeof fault->message];
    if (line)
        snprintf(message, sizeof message, "%s:%u: %s", path, line, fault->message);
    else
        snprintf(message, sizeof message, "%s: %s", path, fault->message);
    memcpy(fault->message, message, sizeof message);
}

static enum err load_file(struct config_home *home, const char *path, struct fault *fault) {
    struct fault own = { 0 };
    if (!fault)
        fault = &own;
    struct buffer source;
    buffer_init(&source, FILE_MAX + 65536);
    struct script *script = NULL;
    enum err err = read_file(path, &source, fault);
    if (!err)
        err = script_new(NULL, &script);
    if (!err) {
        lua_State *lua = script_lua(script);
        lua_pushcfunction(lua, lua_env);
        lua_setglobal(lua, "env");
        err = script_run_settings(script, path, buffer_text(&source), fault) ? ERR_CONFIG : OK;
        if (!err && (err = read_all(home, lua, fault)))
            locate(path, buffer_text(&source), fault);
        fault->err = err ? ERR_CONFIG : OK;
    }
    script_free(script);
    buffer_fini(&source);
    return err;
}

enum err config_load(const char *path, struct config **ret, struct fault *fault) {
    struct config_home *home = mem_new(sizeof *home);
    arena_init(&home->arena, MEMORY_MAX);
    for (size_t i = 0; i < setting_count; i++)
        set_default(home, &settings[i]);
    reader_default_groups(home);
    enum err err = OK;
    if (path) {
        home->config.path = arena_string(&home->arena, text_of(path));
        err = load_file(home, path, fault);
    }
    if (err)
        config_free(&home->config);
    else
        *ret = &home->config;
    return err;
}

static struct config_home *home_of(struct config *config) {
    return container_of(config, struct config_home, config);
}

void config_free(struct config *config) {
    if (!config)
        return;
    arena_fini(&home_of(config)->arena);
    free(home_of(config));
}

enum err config_set_listen(struct config *config, struct text host_port, struct fault *fault) {
    return set_listen(home_of(config), host_port, fault);
}

void config_set_data(struct config *config, const char *directory) {
    config->data = arena_string(&home_of(config)->arena, text_of(directory));
}

const struct provider_config *config_provider(const struct config *config, struct text name) {
    for (unsigned i = 0; i < config->provider_count; i++)
        if (text_equal(name, text_of(config->providers[i].name)))
            return &config->providers[i];
    return NULL;
}

const struct group_config *config_group(const struct config *config, struct text name) {
    const struct group_config *fallback = NULL;
    for (unsigned i = 0; i < config->group_count; i++) {
        if (text_equal(name, text_of(config->groups[i].name)))
            return &config->groups[i];
        if (strcmp(config->groups[i].name, "default") == 0)
            fallback = &config->groups[i];
    }
    assert(fallback);
    return fallback;
}

const char *config_needs_restart(const struct config *old, const struct config *config) {
    if (strcmp(old->listen_host, config->listen_host) != 0 || old->listen_port != config->listen_port)
        return "listen";
    if (strcmp(old->data, config->data) != 0)
        return "data";
    if (old->http_threads != config->http_threads)
        return "http.threads";
    if (old->http_connections_max != config->http_connections_max)
        return "http.connections";
    if (old->http_connections_per_address_max != config->http_connections_per_address_max)
        return "http.connections_per_address";
    if (old->http_idle_s != config->http_idle_s)
        return "http.idle";
    if (old->http_request_s != config->http_request_s)
        return "http.request";
    return old->body_max != config->body_max ? "limits.body" : NULL;
}

void config_put_help(struct buffer *buf) {
    for (size_t i = 0; i < setting_count; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s%s%s", settings[i].section ? settings[i].section : "", settings[i].section ? "." : "",
                 settings[i].name);
        buffer_printf(buf, "%-29s %-16s %s\n", name, settings[i].fallback[0] ? settings[i].fallback : "none", settings[i].meaning);
    }
    reader_put_help(buf);
}
