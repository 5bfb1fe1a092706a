/* Loading the settings, and looking things up in them. */
#include "config/config.h"

#include <assert.h>
#include <errno.h>
#include <lua.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/memory.h"
#include "config/reader.h"
#include "config/setting.h"
#include "script/script.h"

#define FILE_MAX ((size_t)1 << 20)
#define ARENA_MAX ((size_t)16 << 20)

static void close_file(FILE **file) {
    if (*file != NULL) {
        fclose(*file);
    }
}

static enum err read_file(const char *path, struct buffer *buf, struct fault *fault) {
    scoped(close_file) FILE *file = fopen(path, "rbe");
    if (file == NULL) {
        return fault_set(fault, ERR_CONFIG, "%s: %s", path, strerror(errno));
    }
    size_t count = 1;
    while (count > 0) {
        if (!buffer_reserve(buf, 4096)) {
            return fault_set(fault, ERR_CONFIG, "%s: larger than 1 MiB, which no settings file is", path);
        }
        count = fread(buf->data + buf->len, 1, 4096, file);
        buf->len += count;
    }
    return ferror(file) ? fault_set(fault, ERR_CONFIG, "%s: %s", path, strerror(errno)) : OK;
}

/* env "NAME": the variable's value, or nil. */
static int get_environment(lua_State *lua) {
    const char *value = lua_type(lua, 1) == LUA_TSTRING ? getenv(lua_tostring(lua, 1)) : NULL;
    if (value == NULL) {
        lua_pushnil(lua);
    } else {
        lua_pushstring(lua, value);
    }
    return 1;
}

/* Runs the file, which may be none, and reads what it set. */
static enum err load(struct reader *reader) {
    enum err err = reader_set_defaults(reader);
    if (err != OK) {
        return err;
    }
    lua_register(reader->lua, "env", get_environment);
    if (script_run_settings(reader->script, reader->path, reader->source, reader->fault) != OK) {
        if (reader->fault != NULL) {
            reader->fault->err = ERR_CONFIG;
        }
        return ERR_CONFIG;
    }
    return reader_read_file(reader);
}

static void free_script(struct script **script) {
    script_free(*script);
}

/* Settings are few; a file that needs more goes round in circles. */
static const struct script_limits limits = { .memory_max = 8 << 20 };

enum err config_load(const char *path, struct config **ret, struct fault *fault) {
    scoped(buffer_fini) struct buffer source;
    buffer_init(&source, FILE_MAX);
    enum err err = path != NULL ? read_file(path, &source, fault) : OK;
    if (err != OK) {
        return err;
    }
    scoped(free_script) struct script *script = NULL;
    err = script_new(&limits, &script);
    if (err != OK) {
        return fault_set(fault, err, "no memory to read the settings");
    }
    struct stored_config *stored = mem_new(sizeof(*stored));
    arena_init(&stored->arena, ARENA_MAX);
    struct reader reader = { script, script_lua(script), stored, path != NULL ? path : "defaults", buffer_text(&source), fault };
    err = load(&reader);
    if (err == OK && path != NULL) {
        stored->config.path = arena_string(&stored->arena, text_of(path));
    }
    if (err != OK) {
        config_free(&stored->config);
        return err;
    }
    *ret = &stored->config;
    return OK;
}

void config_free(struct config *config) {
    if (config == NULL) {
        return;
    }
    struct stored_config *stored = container_of(config, struct stored_config, config);
    arena_fini(&stored->arena);
    free(stored);
}

enum err config_set_listen(struct config *config, struct text host_port, struct fault *fault) {
    struct stored_config *stored = container_of(config, struct stored_config, config);
    if (!address_parse(host_port, &stored->arena, &config->listen_host, &config->listen_port)) {
        struct text clip = text_clip(host_port, 100);
        return fault_set(fault, ERR_CONFIG, "listen: HOST:PORT is expected, such as 127.0.0.1:8080; got \"%.*s\"",
                         TEXT_ARG(clip));
    }
    return OK;
}

void config_set_data(struct config *config, const char *directory) {
    struct stored_config *stored = container_of(config, struct stored_config, config);
    char *copy = arena_string(&stored->arena, text_of(directory));
    assert(copy != NULL); /* a path is short, the arena has room */
    config->data = copy;
}

void config_address(const struct config *config, char ret[CONFIG_ADDRESS_SIZE]) {
    bool brackets = strchr(config->listen_host, ':') != NULL;
    snprintf(ret, CONFIG_ADDRESS_SIZE, brackets ? "[%s]:%u" : "%s:%u", config->listen_host, config->listen_port);
}

const struct provider_config *config_provider(const struct config *config, struct text name) {
    for (unsigned i = 0; i < config->provider_count; i++) {
        if (text_equal(text_of(config->providers[i].name), name)) {
            return &config->providers[i];
        }
    }
    return NULL;
}

bool config_group_allows(const struct group_config *group, struct text model) {
    if (group->models == NULL) {
        return true;
    }
    for (unsigned i = 0; i < group->model_count; i++) {
        struct text pattern = text_of(group->models[i]);
        bool open_end = pattern.ptr[pattern.len - 1] == '*';
        struct text beginning = { pattern.ptr, pattern.len - open_end };
        if (open_end ? text_starts(model, beginning) : text_equal(model, pattern)) {
            return true;
        }
    }
    return false;
}

const struct group_config *config_group(const struct config *config, struct text name) {
    const struct group_config *standard = NULL;
    for (unsigned i = 0; i < config->group_count; i++) {
        const struct group_config *group = &config->groups[i];
        if (text_equal(text_of(group->name), name)) {
            return group;
        }
        if (strcmp(group->name, "default") == 0) {
            standard = group;
        }
    }
    assert(standard != NULL);
    return standard;
}
