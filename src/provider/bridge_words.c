/* The words that the bridge adds to a script: artifact for results, sample and hash for simulations, encodings and
 * signatures for adapters. Pure functions; a wrong argument is a Lua error at the caller's line. */
#include <assert.h>
#include <jansson.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/memory.h"
#include "provider/bridge_internal.h"
#include "script/script.h"

#define ENCODE_MAX ((size_t)16 << 20)
#define HASHED_MAX ((size_t)1 << 20)
#define SAMPLE_SIDE_MAX 4096
#define SAMPLE_SECONDS_MAX 60

static struct text check_text(lua_State *lua, int index) {
    struct text t = TEXT_NONE;
    t.ptr = luaL_checklstring(lua, index, &t.len);
    luaL_argcheck(lua, t.len <= ENCODE_MAX, index, "too long");
    return t;
}

/* ---- artifact ---- */

/* A string is a URL; a table must say where its bytes are, and may say `auth = true`: the URL wants the provider's own
 * headers. A new reference, or NULL with the words in *fault. */
static json_t *artifact_source(lua_State *lua, struct fault *fault) {
    static const char *const places[] = { "url", "file", "generate", "base64", "hex" };
    if (lua_type(lua, 1) == LUA_TSTRING) {
        json_t *source = lua_rawlen(lua, 1) > 0 ? json_pack("{s:s}", "url", lua_tostring(lua, 1)) : NULL;
        if (source == NULL) {
            (void)fault_set(fault, ERR_SCRIPT, "artifact: the URL is empty or no text");
        }
        return source;
    }
    if (!lua_istable(lua, 1)) {
        (void)fault_set(fault, ERR_SCRIPT, "artifact: a URL or a file is expected, the output has %s",
                        lua_isnoneornil(lua, 1) || script_is_null(lua, 1) ? "none here" : luaL_typename(lua, 1));
        return NULL;
    }
    json_t *source = NULL;
    if (script_to_json(lua, 1, &source, fault) != OK) {
        return NULL;
    }
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        const char *value = json_string_value(json_object_get(source, places[i]));
        if (value && *value) {
            return source;
        }
    }
    json_decref(source);
    (void)fault_set(fault, ERR_SCRIPT, "artifact: the table has none of url, file, base64, hex");
    return NULL;
}

static int word_artifact(lua_State *lua) {
    struct bridge *bridge = lua_touserdata(lua, lua_upvalueindex(1));
    struct model_results *results = bridge->collecting;
    if (results == NULL) {
        return luaL_error(lua, "artifact is only for results functions");
    }
    if (results->artifact_count == RESULTS_ARTIFACTS_MAX) {
        return luaL_error(lua, "more than %d artifacts", RESULTS_ARTIFACTS_MAX);
    }
    struct fault fault = { 0 };
    json_t *source = artifact_source(lua, &fault);
    if (source == NULL) {
        return luaL_error(lua, "%s", fault.message);
    }
    results->artifacts[results->artifact_count++].source = source;
    lua_pushfstring(lua, "%s%d", results->token, (int)results->artifact_count - 1);
    return 1;
}

/* ---- samples ---- */

/* The member as a number in range; `fallback` when it is not there. */
static lua_Number sample_number(lua_State *lua, const char *name, lua_Number fallback, lua_Number max) {
    lua_Number number = fallback;
    if (lua_getfield(lua, 1, name) != LUA_TNIL) {
        int is_number = 0;
        number = lua_tonumberx(lua, -1, &is_number);
        if (!is_number || !(number >= 0)) {
            luaL_error(lua, "sample: %s must be a number from 0", name);
        }
    }
    lua_pop(lua, 1);
    return number < max ? number : max;
}

static void sample_members(lua_State *lua, const char *const *allowed) {
    luaL_checktype(lua, 1, LUA_TTABLE);
    lua_pushnil(lua);
    while (lua_next(lua, 1)) {
        bool known = false;
        for (size_t i = 0; allowed[i] && lua_type(lua, -2) == LUA_TSTRING; i++) {
            known = known || strcmp(lua_tostring(lua, -2), allowed[i]) == 0;
        }
        if (!known) {
            luaL_error(lua, "sample: unknown member %s", luaL_tolstring(lua, -2, NULL));
        }
        lua_pop(lua, 1);
    }
}

static void set_text(lua_State *lua, const char *name, const char *value) {
    lua_pushstring(lua, value);
    lua_setfield(lua, -2, name);
}

static void set_integer(lua_State *lua, const char *name, lua_Number value) {
    lua_pushinteger(lua, (lua_Integer)value);
    lua_setfield(lua, -2, name);
}

/* sample.image{ width=, height=, seed=, label= }: a picture that the simulator makes. */
static int word_sample_image(lua_State *lua) {
    static const char *const members[] = { "width", "height", "seed", "label", NULL };
    sample_members(lua, members);
    lua_Number width = sample_number(lua, "width", 512, SAMPLE_SIDE_MAX);
    lua_Number height = sample_number(lua, "height", 512, SAMPLE_SIDE_MAX);
    lua_Number seed = sample_number(lua, "seed", 0, UINT32_MAX);
    lua_getfield(lua, 1, "label");
    const char *label = luaL_optstring(lua, -1, "");
    lua_newtable(lua);
    set_text(lua, "generate", "image");
    set_text(lua, "content_type", "image/png");
    set_text(lua, "label", label);
    set_integer(lua, "width", width < 1 ? 1 : width);
    set_integer(lua, "height", height < 1 ? 1 : height);
    set_integer(lua, "seed", seed);
    return 1;
}

static int sample_of_time(lua_State *lua, const char *kind, const char *content_type) {
    static const char *const members[] = { "seconds", "seed", NULL };
    sample_members(lua, members);
    lua_Number seconds = sample_number(lua, "seconds", 2, SAMPLE_SECONDS_MAX);
    lua_Number seed = sample_number(lua, "seed", 0, UINT32_MAX);
    lua_newtable(lua);
    set_text(lua, "generate", kind);
    set_text(lua, "content_type", content_type);
    lua_pushnumber(lua, seconds);
    lua_setfield(lua, -2, "seconds");
    set_integer(lua, "seed", seed);
    return 1;
}

/* sample.audio{ seconds=, seed= }, sample.video{ seconds=, seed= } */
static int word_sample_audio(lua_State *lua) {
    return sample_of_time(lua, "audio", "audio/wav");
}

static int word_sample_video(lua_State *lua) {
    return sample_of_time(lua, "video", "video/mp4");
}

/* sample.pdf{ seed=, label= }, sample.text{ seed=, label= } */
static int sample_of_words(lua_State *lua, const char *kind, const char *content_type) {
    static const char *const members[] = { "seed", "label", NULL };
    sample_members(lua, members);
    lua_Number seed = sample_number(lua, "seed", 0, UINT32_MAX);
    lua_getfield(lua, 1, "label");
    const char *label = luaL_optstring(lua, -1, "");
    lua_newtable(lua);
    set_text(lua, "generate", kind);
    set_text(lua, "content_type", content_type);
    set_text(lua, "label", label);
    set_integer(lua, "seed", seed);
    return 1;
}

static int word_sample_pdf(lua_State *lua) {
    return sample_of_words(lua, "pdf", "application/pdf");
}

static int word_sample_text(lua_State *lua) {
    return sample_of_words(lua, "text", "text/plain");
}

/* hash(text): an integer from 0 to 2^31 - 1 that follows from the text's first megabyte, the same on every machine. */
static int word_hash(lua_State *lua) {
    uint8_t digest[SHA256_SIZE];
    struct text t = TEXT_NONE;
    t.ptr = luaL_checklstring(lua, 1, &t.len);
    t.len = t.len < HASHED_MAX ? t.len : HASHED_MAX;
    crypto_sha256(t, digest);
    lua_pushinteger(lua, (digest[0] & 0x7f) << 24 | digest[1] << 16 | digest[2] << 8 | digest[3]);
    return 1;
}

/* ---- encodings and signatures ---- */

static int word_base64(lua_State *lua) {
    struct text t = check_text(lua, 1);
    luaL_Buffer buf;
    char *out = luaL_buffinitsize(lua, &buf, base64_encoded_size(t.len));
    base64_encode((const uint8_t *)t.ptr, t.len, out);
    luaL_pushresultsize(&buf, base64_encoded_size(t.len) - 1);
    return 1;
}

/* unbase64(text): either alphabet; nil when it is not base64. */
static int word_unbase64(lua_State *lua) {
    struct text t = check_text(lua, 1);
    size_t max = base64_decoded_max(t.len), len = 0;
    luaL_Buffer buf;
    char *out = luaL_buffinitsize(lua, &buf, max + 1);
    if (base64_decode(t, (uint8_t *)out, max, &len)) {
        luaL_pushresultsize(&buf, len);
    } else {
        luaL_pushresultsize(&buf, 0);
        lua_pushnil(lua);
    }
    return 1;
}

static int word_hex(lua_State *lua) {
    struct text t = check_text(lua, 1);
    luaL_Buffer buf;
    char *out = luaL_buffinitsize(lua, &buf, 2 * t.len + 1);
    hex_encode((const uint8_t *)t.ptr, t.len, out);
    luaL_pushresultsize(&buf, 2 * t.len);
    return 1;
}

/* unhex(text): nil when it is not hexadecimal. */
static int word_unhex(lua_State *lua) {
    struct text t = check_text(lua, 1);
    luaL_Buffer buf;
    char *out = luaL_buffinitsize(lua, &buf, t.len / 2 + 1);
    if (t.len % 2 == 0 && hex_decode(t, (uint8_t *)out, t.len / 2)) {
        luaL_pushresultsize(&buf, t.len / 2);
    } else {
        luaL_pushresultsize(&buf, 0);
        lua_pushnil(lua);
    }
    return 1;
}

/* sha256(text), hmac_sha256(key, text): 32 raw bytes. */
static int word_sha256(lua_State *lua) {
    uint8_t digest[SHA256_SIZE];
    crypto_sha256(check_text(lua, 1), digest);
    lua_pushlstring(lua, (const char *)digest, sizeof(digest));
    return 1;
}

static int word_hmac_sha256(lua_State *lua) {
    uint8_t digest[SHA256_SIZE];
    crypto_hmac_sha256(check_text(lua, 1), check_text(lua, 2), digest);
    lua_pushlstring(lua, (const char *)digest, sizeof(digest));
    return 1;
}

/* url_encode(text): everything but the unreserved characters of RFC 3986. */
static int word_url_encode(lua_State *lua) {
    static const char digits[] = "0123456789ABCDEF";
    struct text t = check_text(lua, 1);
    luaL_Buffer buf;
    luaL_buffinit(lua, &buf);
    for (size_t i = 0; i < t.len; i++) {
        unsigned char c = (unsigned char)t.ptr[i];
        bool plain =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("-._~", c));
        if (plain) {
            luaL_addchar(&buf, (char)c);
        } else {
            luaL_addchar(&buf, '%');
            luaL_addchar(&buf, digits[c >> 4]);
            luaL_addchar(&buf, digits[c & 15]);
        }
    }
    luaL_pushresult(&buf);
    return 1;
}

/* Keeps a C value for the garbage collector, should Lua run out of memory half-way. */
struct holder {
    json_t *value;
    char *text;
};
#define HOLDER "bridge.holder"

static void holder_clear(struct holder *holder) {
    json_decref(holder->value);
    free(holder->text);
    *holder = (struct holder){ 0 };
}

static int holder_collect(lua_State *lua) {
    holder_clear(luaL_checkudata(lua, 1, HOLDER));
    return 0;
}

static struct holder *push_holder(lua_State *lua) {
    struct holder *holder = lua_newuserdatauv(lua, sizeof(*holder), 0);
    *holder = (struct holder){ 0 };
    luaL_setmetatable(lua, HOLDER);
    return holder;
}

/* The value at the absolute `index` as compact JSON with sorted keys, on the stack. */
static void push_json_text(lua_State *lua, int index) {
    struct holder *holder = push_holder(lua);
    struct fault fault = { 0 };
    if (script_to_json(lua, index, &holder->value, &fault) != OK) {
        luaL_error(lua, "not JSON: %s", fault.message);
    }
    holder->text = json_dumps(holder->value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    if (holder->text == NULL) {
        luaL_error(lua, "not JSON");
    }
    lua_pushstring(lua, holder->text);
    holder_clear(holder);
    lua_remove(lua, -2);
}

/* to_json(value): compact, keys sorted, so that the same value is always the same text. */
static int word_to_json(lua_State *lua) {
    luaL_checkany(lua, 1);
    push_json_text(lua, 1);
    return 1;
}

/* from_json(text): nil when it is not JSON. */
static int word_from_json(lua_State *lua) {
    struct text body = check_text(lua, 1);
    struct holder *holder = push_holder(lua);
    struct fault fault;
    if (json_read_any(body, 64, &holder->value, &fault) != OK) {
        lua_pushnil(lua);
        return 1;
    }
    script_push_json(lua, holder->value);
    holder_clear(holder);
    return 1;
}

static void push_base64url(lua_State *lua, struct text t) {
    luaL_Buffer buf;
    char *out = luaL_buffinitsize(lua, &buf, base64_encoded_size(t.len));
    base64url_encode((const uint8_t *)t.ptr, t.len, out);
    luaL_pushresultsize(&buf, strlen(out));
}

/* hs256_jwt(claims, key): a JSON Web Token signed with HMAC-SHA256. Claims are a table, or JSON text for those who want
 * them in an order of their own. */
static int word_hs256_jwt(lua_State *lua) {
    bool is_text = lua_type(lua, 1) == LUA_TSTRING;
    luaL_argcheck(lua, is_text || lua_istable(lua, 1), 1, "a table or JSON text expected");
    struct text key = check_text(lua, 2);
    push_base64url(lua, TEXT("{\"alg\":\"HS256\",\"typ\":\"JWT\"}"));
    lua_pushliteral(lua, ".");
    if (is_text) {
        push_base64url(lua, check_text(lua, 1));
    } else {
        push_json_text(lua, 1);
        push_base64url(lua, text_of(lua_tostring(lua, -1)));
        lua_remove(lua, -2);
    }
    lua_concat(lua, 3);
    uint8_t digest[SHA256_SIZE];
    crypto_hmac_sha256(key, text_of(lua_tostring(lua, -1)), digest);
    lua_pushliteral(lua, ".");
    push_base64url(lua, (struct text){ (const char *)digest, sizeof(digest) });
    lua_concat(lua, 3);
    return 1;
}

/* ---- registering ---- */

static int register_words(lua_State *lua) {
    static const luaL_Reg words[] = {
        { "hash", word_hash },
        { "base64", word_base64 },
        { "unbase64", word_unbase64 },
        { "hex", word_hex },
        { "unhex", word_unhex },
        { "sha256", word_sha256 },
        { "hmac_sha256", word_hmac_sha256 },
        { "url_encode", word_url_encode },
        { "from_json", word_from_json },
        { "to_json", word_to_json },
        { "hs256_jwt", word_hs256_jwt },
    };
    static const luaL_Reg samples[] = {
        { "image", word_sample_image },
        { "audio", word_sample_audio },
        { "video", word_sample_video },
        { "pdf", word_sample_pdf },
        { "text", word_sample_text },
        { NULL, NULL },
    };
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        lua_pushcfunction(lua, words[i].func);
        lua_setglobal(lua, words[i].name);
    }
    lua_pushvalue(lua, 1);
    lua_pushcclosure(lua, word_artifact, 1);
    lua_setglobal(lua, "artifact");
    luaL_newlib(lua, samples);
    lua_setglobal(lua, "sample");
    luaL_newmetatable(lua, HOLDER);
    lua_pushcfunction(lua, holder_collect);
    lua_setfield(lua, -2, "__gc");
    return 0;
}

enum err bridge_words_register(struct bridge *bridge, struct fault *fault) {
    lua_State *lua = script_lua(bridge->script);
    lua_pushcfunction(lua, register_words);
    lua_pushlightuserdata(lua, bridge);
    return script_call(bridge->script, 1, 0, fault);
}
