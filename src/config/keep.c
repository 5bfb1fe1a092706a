/* What a reload does not change. */
#include <assert.h>
#include <stddef.h>

#include "config/config.h"
#include "config/reader.h"
#include "config/setting.h"

static bool same_text(const char *a, const char *b) {
    return text_equal(text_of(a), text_of(b));
}

static bool same(const struct setting *setting, const struct config *a, const struct config *b) {
    const void *first = (const char *)a + setting->offset, *second = (const char *)b + setting->offset;
    switch (setting->kind) {
    case SETTING_ADDRESS:
        return same_text(a->listen_host, b->listen_host) && a->listen_port == b->listen_port;
    case SETTING_COUNT:
        return *(const unsigned *)first == *(const unsigned *)second;
    case SETTING_BYTES:
        return *(const int64_t *)first == *(const int64_t *)second;
    default:
        return same_text(*(const char *const *)first, *(const char *const *)second);
    }
}

static char *copied(struct config *config, const char *text) {
    char *copy = arena_string(&container_of(config, struct stored_config, config)->arena, text_of(text));
    assert(copy != NULL); /* few and short, the arena has room */
    return copy;
}

static void keep(const struct setting *setting, struct config *config, const struct config *in_force) {
    void *mine = (char *)config + setting->offset;
    const void *theirs = (const char *)in_force + setting->offset;
    switch (setting->kind) {
    case SETTING_ADDRESS:
        config->listen_host = copied(config, in_force->listen_host);
        config->listen_port = in_force->listen_port;
        break;
    case SETTING_COUNT:
        *(unsigned *)mine = *(const unsigned *)theirs;
        break;
    case SETTING_BYTES:
        *(int64_t *)mine = *(const int64_t *)theirs;
        break;
    default:
        *(const char **)mine = copied(config, *(const char *const *)theirs);
        break;
    }
}

void config_keep(struct config *config, const struct config *in_force, void (*kept)(const char *setting)) {
    for (size_t i = 0; i < setting_count; i++) {
        if (settings[i].needs_restart && !same(&settings[i], config, in_force)) {
            keep(&settings[i], config, in_force);
            kept(settings[i].full_name);
        }
    }
}
