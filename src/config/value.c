/* Reading values of settings, one function a kind. */
#include "config/value.h"

#include <ctype.h>
#include <lua.h>
#include <math.h>
#include <stdlib.h>

#include "config/reader.h"

#define TEXT_MAX 4096
#define LIST_MAX 1000

struct place {
    lua_State *lua;
    struct arena *arena;
    const struct setting *setting;
    char *base;
    bool *out_of_range;
};

static void *target(const struct place *place) {
    return place->base + place->setting->offset;
}

/* The text on top; empty, too long or with a NUL in it counts as none. */
static struct text top_text(const struct place *place) {
    if (lua_type(place->lua, -1) != LUA_TSTRING) {
        return TEXT_NONE;
    }
    size_t len;
    const char *bytes = lua_tolstring(place->lua, -1, &len);
    bool fits = len > 0 && len <= TEXT_MAX && memchr(bytes, '\0', len) == NULL;
    return fits ? (struct text){ bytes, len } : TEXT_NONE;
}

static bool copy_text(const struct place *place, struct text t, const char **ret) {
    char *copy = t.len > 0 ? arena_string(place->arena, t) : NULL;
    if (copy == NULL) {
        return false;
    }
    *ret = copy;
    return true;
}

static bool read_text(const struct place *place) {
    return copy_text(place, top_text(place), target(place));
}

bool address_parse(struct text t, struct arena *arena, const char **ret_host, unsigned *ret_port) {
    size_t colon = t.len;
    while (colon > 0 && t.ptr[colon - 1] != ':') {
        colon--;
    }
    int64_t port;
    if (colon < 2 || !text_to_i64((struct text){ t.ptr + colon, t.len - colon }, &port) || port < 0 || port > 65535) {
        return false;
    }
    struct text host = { t.ptr, colon - 1 };
    bool bracketed = host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
    if (bracketed) {
        host = (struct text){ host.ptr + 1, host.len - 2 };
    }
    for (size_t i = 0; i < host.len; i++) {
        unsigned char c = (unsigned char)host.ptr[i];
        if (!(isalnum(c) || c == '.' || c == '-' || c == '_' || (bracketed && (c == ':' || c == '%')))) {
            return false;
        }
    }
    char *copy = arena_string(arena, host);
    if (copy == NULL) {
        return false;
    }
    *ret_host = copy;
    *ret_port = (unsigned)port;
    return true;
}

static bool read_address(const struct place *place) {
    struct config *config = (struct config *)place->base;
    return address_parse(top_text(place), place->arena, &config->listen_host, &config->listen_port);
}

/* Without a slash at the end, so that a path can follow. */
static bool read_url(const struct place *place) {
    struct text url = top_text(place);
    size_t scheme = text_starts(url, TEXT("http://")) ? 7 : text_starts(url, TEXT("https://")) ? 8 : 0;
    while (url.len > 0 && url.ptr[url.len - 1] == '/') {
        url.len--;
    }
    for (size_t i = 0; i < url.len; i++) {
        unsigned char c = (unsigned char)url.ptr[i];
        if (c <= ' ' || c == '"' || c == '\\' || c == '?' || c == '#' || c == '@' || c >= 0x7F) {
            return false;
        }
    }
    return scheme > 0 && url.len > scheme && url.ptr[scheme] != '/' && copy_text(place, url, target(place));
}

static bool read_boolean(const struct place *place) {
    if (!lua_isboolean(place->lua, -1)) {
        return false;
    }
    *(bool *)target(place) = lua_toboolean(place->lua, -1);
    return true;
}

/* A whole number within the setting's bounds. */
static bool top_whole(const struct place *place, int64_t *ret) {
    int whole = 0;
    lua_Integer value = lua_type(place->lua, -1) == LUA_TNUMBER ? lua_tointegerx(place->lua, -1, &whole) : 0;
    if (!whole) {
        return false;
    }
    if ((double)value < place->setting->min || (double)value > place->setting->max) {
        *place->out_of_range = true;
        return false;
    }
    *ret = value;
    return true;
}

static bool read_count(const struct place *place) {
    int64_t value;
    if (!top_whole(place, &value)) {
        return false;
    }
    *(unsigned *)target(place) = (unsigned)value;
    return true;
}

static bool read_amount(const struct place *place) {
    return top_whole(place, target(place));
}

/* "32 MiB" as a number. */
static bool parse_bytes(struct text t, double *ret) {
    static const struct {
        const char *unit;
        double bytes;
    } units[] = { { "KiB", 1024.0 }, { "MiB", 1048576.0 }, { "GiB", 1073741824.0 }, { "TiB", 1099511627776.0 } };
    struct text number = text_cut(&t, ' ');
    int64_t count;
    if (!text_to_i64(number, &count) || count < 0) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
        if (text_equal(text_trim(t), text_of(units[i].unit))) {
            *ret = (double)count * units[i].bytes;
            return true;
        }
    }
    return false;
}

static bool read_bytes(const struct place *place) {
    if (lua_type(place->lua, -1) != LUA_TSTRING) {
        return top_whole(place, target(place));
    }
    double bytes;
    if (!parse_bytes(top_text(place), &bytes)) {
        return false;
    }
    if (bytes < place->setting->min || bytes > place->setting->max) {
        *place->out_of_range = true;
        return false;
    }
    *(int64_t *)target(place) = (int64_t)bytes;
    return true;
}

static bool top_real(const struct place *place, double *ret) {
    if (lua_type(place->lua, -1) != LUA_TNUMBER) {
        return false;
    }
    double value = lua_tonumber(place->lua, -1);
    if (!(value >= place->setting->min && value <= place->setting->max)) {
        *place->out_of_range = true;
        return false;
    }
    *ret = value;
    return true;
}

static bool read_real(const struct place *place) {
    return top_real(place, target(place));
}

static bool read_ratio(const struct place *place) {
    double value;
    if (!top_real(place, &value)) {
        return false;
    }
    char digits[40];
    snprintf(digits, sizeof(digits), "%.6f", value);
    if (strtod(digits, NULL) != value) {
        return false;
    }
    *(int64_t *)target(place) = llround(value * 1e6);
    return true;
}

/* The position of the text on top in a list of words; -1 when it is none of them. */
static int find_word(const struct place *place, const char *const *words, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (text_equal(top_text(place), text_of(words[i]))) {
            return (int)i;
        }
    }
    return -1;
}

static bool read_level(const struct place *place) {
    static const char *const words[] = { "debug", "info", "warning", "error" };
    int found = find_word(place, words, ARRAY_SIZE(words));
    if (found >= 0) {
        *(enum log_level *)target(place) = (enum log_level)found;
    }
    return found >= 0;
}

static bool read_format(const struct place *place) {
    static const char *const words[] = { "text", "json" };
    int found = find_word(place, words, ARRAY_SIZE(words));
    if (found >= 0) {
        *(enum log_format *)target(place) = (enum log_format)found;
    }
    return found >= 0;
}

/* A list of texts; holes, as env makes them, are nothing. */
static bool read_list(const struct place *place, bool (*valid)(struct text, struct arena *), const char *const **ret,
                      unsigned *ret_count) {
    lua_State *lua = place->lua;
    const char **list = NULL;
    unsigned count = 0;
    for (int pass = 0; pass < 2; pass++) {
        if (pass == 1) {
            list = arena_alloc(place->arena, (count + 1) * sizeof(*list));
            if (list == NULL) {
                return false;
            }
            count = 0;
        }
        for (lua_pushnil(lua); lua_next(lua, -2); lua_pop(lua, 1)) {
            struct text element = top_text(place);
            bool fits = lua_isinteger(lua, -2) && element.len > 0 && count < LIST_MAX && valid(element, place->arena) &&
                        (list == NULL || copy_text(place, element, &list[count]));
            if (!fits) {
                lua_pop(lua, 2);
                return false;
            }
            count++;
        }
    }
    *ret = list;
    *ret_count = count;
    return true;
}

static bool any_text(struct text t, struct arena *arena) {
    (void)arena;
    for (size_t i = 0; i < t.len; i++) {
        if ((unsigned char)t.ptr[i] < ' ' || t.ptr[i] == 0x7F) {
            return false; /* it would break the header that it goes into */
        }
    }
    return true;
}

/* How a SETTING_KEYS lies in its struct. */
struct secrets {
    const char *const *texts;
    unsigned count;
};
_Static_assert(offsetof(struct provider_config, key_count) - offsetof(struct provider_config, keys) ==
                       offsetof(struct secrets, count) &&
                   offsetof(struct provider_config, hook_secret_count) - offsetof(struct provider_config, hook_secrets) ==
                       offsetof(struct secrets, count),
               "the count lies behind the pointer");

static bool read_keys(const struct place *place) {
    struct secrets *secrets = (struct secrets *)((char *)place->base + place->setting->offset);
    if (lua_istable(place->lua, -1)) {
        return read_list(place, any_text, &secrets->texts, &secrets->count);
    }
    if (lua_type(place->lua, -1) == LUA_TSTRING && lua_rawlen(place->lua, -1) == 0) {
        return true; /* an empty environment variable is no key */
    }
    const char **keys = arena_alloc(place->arena, sizeof(*keys));
    struct text key = top_text(place);
    if (keys == NULL || !any_text(key, place->arena) || !copy_text(place, key, keys)) {
        return false;
    }
    secrets->texts = keys;
    secrets->count = 1;
    return true;
}

static bool is_model_pattern(struct text t, struct arena *arena) {
    size_t star = text_find(t, '*');
    return star + 1 >= t.len && any_text(t, arena);
}

static bool read_models(const struct place *place) {
    struct group_config *group = (struct group_config *)place->base;
    return lua_istable(place->lua, -1) && read_list(place, is_model_pattern, &group->models, &group->model_count);
}

static bool valid_address(struct text t, struct arena *arena) {
    const char *host;
    unsigned port;
    return address_parse(t, arena, &host, &port) && port > 0;
}

static bool read_addresses(const struct place *place) {
    struct config *config = (struct config *)place->base;
    return lua_istable(place->lua, -1) &&
           read_list(place, valid_address, &config->fetch_allow, &config->fetch_allow_count);
}

bool value_read(struct lua_State *lua, struct arena *arena, const struct setting *setting, void *base,
                bool *ret_out_of_range) {
    static bool (*const readers[SETTING_KIND_COUNT])(const struct place *) = {
        [SETTING_TEXT] = read_text,       [SETTING_ADDRESS] = read_address, [SETTING_URL] = read_url,
        [SETTING_BOOLEAN] = read_boolean, [SETTING_COUNT] = read_count,     [SETTING_AMOUNT] = read_amount,
        [SETTING_BYTES] = read_bytes,     [SETTING_REAL] = read_real,       [SETTING_RATIO] = read_ratio,
        [SETTING_LEVEL] = read_level,     [SETTING_FORMAT] = read_format,   [SETTING_KEYS] = read_keys,
        [SETTING_MODELS] = read_models,   [SETTING_ADDRESSES] = read_addresses,
    };
    *ret_out_of_range = false;
    struct place place = { lua, arena, setting, base, ret_out_of_range };
    return readers[setting->kind](&place);
}
