/* Loading an adapter: every member of its table checked against one list, then kept in C. */
#include "provider/adapter.h"

#include <assert.h>
#include <ctype.h>
#include <jansson.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/memory.h"
#include "catalog/catalog.h"
#include "net/webhook.h"
#include "provider/lua_call.h"
#include "script/script.h"

enum member_kind { MEMBER_FUNCTION, MEMBER_TEXT, MEMBER_URL, MEMBER_NUMBER, MEMBER_TEXTS, MEMBER_PAIRS, MEMBER_JSON };

struct member {
    const char *name;
    enum member_kind kind;
    bool required;
    size_t offset; /* in struct adapter; of a function: its adapter_call */
    size_t count_offset;
};

#define AT(member) offsetof(struct adapter, member)
static const struct member members[] = {
    { "auth", MEMBER_FUNCTION, false, ADAPTER_AUTH, 0 },
    { "submit", MEMBER_FUNCTION, true, ADAPTER_SUBMIT, 0 },
    { "accepted", MEMBER_FUNCTION, true, ADAPTER_ACCEPTED, 0 },
    { "poll", MEMBER_FUNCTION, false, ADAPTER_POLL, 0 },
    { "polled", MEMBER_FUNCTION, false, ADAPTER_POLLED, 0 },
    { "output", MEMBER_FUNCTION, false, ADAPTER_OUTPUT, 0 },
    { "cancel", MEMBER_FUNCTION, false, ADAPTER_CANCEL, 0 },
    { "cancelled", MEMBER_FUNCTION, false, ADAPTER_CANCELLED, 0 },
    { "lookup", MEMBER_FUNCTION, false, ADAPTER_LOOKUP, 0 },
    { "found", MEMBER_FUNCTION, false, ADAPTER_FOUND, 0 },
    { "poll_many", MEMBER_FUNCTION, false, ADAPTER_POLL_MANY, 0 },
    { "polled_many", MEMBER_FUNCTION, false, ADAPTER_POLLED_MANY, 0 },
    { "hook", MEMBER_FUNCTION, false, ADAPTER_HOOK, 0 },
    { "failure", MEMBER_FUNCTION, false, ADAPTER_FAILURE, 0 },
    { "url", MEMBER_URL, true, AT(url), 0 },
    { "backup", MEMBER_URL, false, AT(backup), 0 },
    { "urls", MEMBER_PAIRS, false, AT(urls), AT(url_count) },
    { "hosts", MEMBER_TEXTS, false, AT(hosts), AT(host_count) },
    { "statuses", MEMBER_PAIRS, false, AT(statuses), AT(status_count) },
    { "idempotency", MEMBER_TEXT, false, AT(idempotency), 0 },
    { "inputs", MEMBER_TEXT, false, AT(inputs), 0 },
    { "chat", MEMBER_TEXT, false, AT(chat), 0 },
    { "signature", MEMBER_JSON, false, AT(signature), 0 },
    { "progress_max", MEMBER_NUMBER, false, AT(progress_max), 0 },
    { "concurrency", MEMBER_NUMBER, false, AT(concurrency), 0 },
    { "key_concurrency", MEMBER_NUMBER, false, AT(key_concurrency), 0 },
    { "poll_first", MEMBER_NUMBER, false, AT(poll_first_s), 0 },
    { "poll_min", MEMBER_NUMBER, false, AT(poll_min_s), 0 },
    { "poll_factor", MEMBER_NUMBER, false, AT(poll_factor), 0 },
    { "poll_max", MEMBER_NUMBER, false, AT(poll_max_s), 0 },
    { "poll_many_max", MEMBER_NUMBER, false, AT(poll_many_max), 0 },
    { "timeout", MEMBER_NUMBER, false, AT(timeout_s), 0 },
    { "samples", MEMBER_JSON, false, AT(samples), 0 },
};

/* Functions that make no sense one without the other. */
static const struct {
    enum adapter_call one, other;
} companions[] = {
    { ADAPTER_POLL, ADAPTER_POLLED },  { ADAPTER_POLLED, ADAPTER_POLL }, { ADAPTER_LOOKUP, ADAPTER_FOUND },
    { ADAPTER_FOUND, ADAPTER_LOOKUP }, { ADAPTER_CANCEL, ADAPTER_POLL },
    { ADAPTER_CANCELLED, ADAPTER_CANCEL }, { ADAPTER_POLL_MANY, ADAPTER_POLLED_MANY },
    { ADAPTER_POLLED_MANY, ADAPTER_POLL_MANY }, { ADAPTER_POLL_MANY, ADAPTER_POLL },
};

/* Members that say nothing without a function. */
static const struct {
    const char *member;
    enum adapter_call call;
} servants[] = {
    { "poll_first", ADAPTER_POLL },   { "poll_min", ADAPTER_POLL },     { "poll_factor", ADAPTER_POLL },
    { "poll_max", ADAPTER_POLL },     { "progress_max", ADAPTER_POLL }, { "poll_many_max", ADAPTER_POLL_MANY },
    { "signature", ADAPTER_HOOK },
};

/* All that an adapter of language models may say: the dialect does the rest (chat/dialect/dialect.h). */
static const char *const chat_members[] = { "chat",        "auth",            "url",     "hosts",
                                            "concurrency", "key_concurrency", "timeout", "samples" };
static const char *const chat_dialects[] = { "openai", "anthropic", "gemini", "ollama" };

/* Calls to a language model that run at a time, where neither the adapter nor the configuration says how many: each is
 * a connection that mostly waits, and the accounts have limits of their own. */
#define CHAT_CONCURRENCY 10000

struct loading {
    struct adapter *adapter;
    struct text source;
};

/* The line on which `name =` stands first; 1 when nowhere. */
static int line_of(struct text source, const char *name) {
    struct text rest = source;
    size_t len = strlen(name);
    for (int line = 1; rest.len > 0; line++) {
        struct text t = text_trim(text_cut(&rest, '\n'));
        if (text_starts(t, (struct text){ name, len }) && t.len > len && !isalnum((unsigned char)t.ptr[len]) &&
            t.ptr[len] != '_') {
            return line;
        }
    }
    return 1;
}

static no_return void complain(lua_State *lua, const struct loading *loading, const char *name, const char *words) {
    luaL_error(lua, "%s:%d: %s", loading->adapter->file, line_of(loading->source, name), words);
    abort(); /* not reached */
}

static bool is_http_url(const char *url) {
    struct text t = text_of(url);
    size_t scheme = text_starts(t, TEXT("https://")) ? 8 : text_starts(t, TEXT("http://")) ? 7 : 0;
    return scheme > 0 && t.len > scheme && t.len <= 2048 && t.ptr[t.len - 1] != '/';
}

static void take_texts(lua_State *lua, const struct loading *loading, const struct member *member) {
    char ***list = (char ***)((char *)loading->adapter + member->offset);
    unsigned *count = (unsigned *)((char *)loading->adapter + member->count_offset);
    lua_Integer length = luaL_len(lua, -1);
    if (length > ADAPTER_LIST_MAX) {
        complain(lua, loading, member->name, "this list is too long");
    }
    *list = mem_new_array(ADAPTER_LIST_MAX, sizeof(**list));
    for (lua_Integer i = 1; i <= length; i++) {
        if (lua_rawgeti(lua, -1, i) != LUA_TSTRING) {
            complain(lua, loading, member->name, lua_pushfstring(lua, "%s must be a list of texts", member->name));
        }
        (*list)[(*count)++] = mem_string(lua_tostring(lua, -1));
        lua_pop(lua, 1);
    }
}

static void take_pairs(lua_State *lua, const struct loading *loading, const struct member *member) {
    struct adapter_pair **list = (struct adapter_pair **)((char *)loading->adapter + member->offset);
    unsigned *count = (unsigned *)((char *)loading->adapter + member->count_offset);
    *list = mem_new_array(ADAPTER_LIST_MAX, sizeof(**list));
    lua_pushnil(lua);
    while (lua_next(lua, -2)) {
        if (lua_type(lua, -2) != LUA_TSTRING || lua_type(lua, -1) != LUA_TSTRING || *count == ADAPTER_LIST_MAX) {
            complain(
                lua, loading, member->name,
                lua_pushfstring(lua, "%s must be a table of at most %d texts by name", member->name, ADAPTER_LIST_MAX));
        }
        (*list)[(*count)++] =
            (struct adapter_pair){ mem_string(lua_tostring(lua, -2)), mem_string(lua_tostring(lua, -1)) };
        lua_pop(lua, 1);
    }
}

static void take_json(lua_State *lua, const struct loading *loading, const struct member *member) {
    struct fault fault = { 0 };
    json_t **place = (json_t **)((char *)loading->adapter + member->offset);
    if (script_to_json(lua, -1, place, &fault) != OK) {
        complain(lua, loading, member->name, lua_pushfstring(lua, "%s: %s", member->name, fault.message));
    }
}

static void expect_type(lua_State *lua, const struct loading *loading, const struct member *member, int type) {
    if (lua_type(lua, -1) != type) {
        complain(lua, loading, member->name,
                 lua_pushfstring(lua, "%s must be a %s, not a %s", member->name, lua_typename(lua, type),
                                 luaL_typename(lua, -1)));
    }
}

/* The member's value is on top of the stack and stays there. */
static void take_member(lua_State *lua, const struct loading *loading, const struct member *member) {
    static const int types[] = { LUA_TFUNCTION, LUA_TSTRING, LUA_TSTRING, LUA_TNUMBER,
                                 LUA_TTABLE,    LUA_TTABLE,  LUA_TTABLE };
    expect_type(lua, loading, member, types[member->kind]);
    char *place = (char *)loading->adapter + member->offset;
    switch (member->kind) {
    case MEMBER_FUNCTION:
        lua_pushvalue(lua, -1);
        loading->adapter->functions[member->offset] = luaL_ref(lua, LUA_REGISTRYINDEX);
        break;
    case MEMBER_URL:
        if (!is_http_url(lua_tostring(lua, -1))) {
            complain(lua, loading, member->name,
                     lua_pushfstring(lua, "%s must begin with https:// or http:// and not end in a slash",
                                     member->name));
        }
        *(char **)place = mem_string(lua_tostring(lua, -1));
        break;
    case MEMBER_TEXT:
        *(char **)place = mem_string(lua_tostring(lua, -1));
        break;
    case MEMBER_NUMBER:
        if (!(lua_tonumber(lua, -1) > 0 && lua_tonumber(lua, -1) <= 1e6)) {
            complain(lua, loading, member->name,
                     lua_pushfstring(lua, "%s must be over 0 and at most 1000000", member->name));
        }
        /* cppcheck-suppress invalidPointerCast ; the table says what lies at the place */
        *(double *)place = lua_tonumber(lua, -1);
        break;
    case MEMBER_TEXTS:
        take_texts(lua, loading, member);
        break;
    case MEMBER_PAIRS:
        take_pairs(lua, loading, member);
        break;
    case MEMBER_JSON:
        take_json(lua, loading, member);
        break;
    }
}

static const struct member *find_member(const char *name) {
    for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
        if (strcmp(members[i].name, name) == 0) {
            return &members[i];
        }
    }
    return NULL;
}

static bool is_one_of(const char *word, const char *const *words, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(word, words[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void check_values(lua_State *lua, const struct loading *loading) {
    static const char *const inputs[] = { "links", "inline", "either", "files" };
    const struct adapter *adapter = loading->adapter;
    for (unsigned i = 0; i < adapter->url_count; i++) {
        if (!is_http_url(adapter->urls[i].value)) {
            complain(lua, loading, "urls", "each of urls must begin with https:// or http:// and not end in a slash");
        }
    }
    for (unsigned i = 0; i < adapter->status_count; i++) {
        enum task_state state;
        if (!task_state_parse(text_of(adapter->statuses[i].value), &state)) {
            complain(lua, loading, "statuses",
                     lua_pushfstring(lua, "%s must become pending, processing, completed or failed",
                                     adapter->statuses[i].name));
        }
    }
    for (unsigned i = 0; i < adapter->host_count; i++) {
        const char *host = adapter->hosts[i];
        if (!*host || strpbrk(host, "/:@ ") || strchr(host + 1, '*') ||
            (host[0] == '*' && (host[1] != '.' || !strchr(host + 2, '.')))) {
            complain(lua, loading, "hosts", lua_pushfstring(lua, "%s is neither a host nor *.host.name", host));
        }
    }
    struct webhook_rule rule;
    struct fault fault = { .err = OK };
    if (adapter->signature && webhook_rule_read(adapter->signature, &rule, &fault) != OK) {
        complain(lua, loading, "signature", lua_pushstring(lua, fault.message));
    }
    if (adapter->progress_max != 1 && adapter->progress_max != 100) {
        complain(lua, loading, "progress_max", "progress_max must be 1 or 100");
    }
    if (adapter->poll_factor != 0 && (adapter->poll_factor < 1 || adapter->poll_factor > 10)) {
        complain(lua, loading, "poll_factor", "poll_factor must be from 1 to 10");
    }
    if (adapter->poll_max_s > 0 && adapter->poll_max_s < adapter->poll_min_s) {
        complain(lua, loading, "poll_max", "poll_max must not be less than poll_min");
    }
    if (adapter->inputs && !is_one_of(adapter->inputs, inputs, ARRAY_SIZE(inputs))) {
        complain(lua, loading, "inputs", "inputs must be links, inline, either or files");
    }
    if (adapter->samples && !json_is_array(adapter->samples)) {
        complain(lua, loading, "samples", "samples must be a list of tables");
    }
}

static void check_companions(lua_State *lua, const struct loading *loading) {
    for (size_t i = 0; i < ARRAY_SIZE(companions); i++) {
        if (adapter_has(loading->adapter, companions[i].one) && !adapter_has(loading->adapter, companions[i].other)) {
            complain(lua, loading, adapter_call_name(companions[i].one),
                     lua_pushfstring(lua, "%s needs %s as well", adapter_call_name(companions[i].one),
                                     adapter_call_name(companions[i].other)));
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(servants); i++) {
        if (!adapter_has(loading->adapter, servants[i].call) && lua_getfield(lua, 1, servants[i].member) != LUA_TNIL) {
            complain(lua, loading, servants[i].member,
                     lua_pushfstring(lua, "%s needs %s as well", servants[i].member,
                                     adapter_call_name(servants[i].call)));
        }
    }
}

/* Of a provider of language models. */
static void check_chat(lua_State *lua, const struct loading *loading) {
    if (!is_one_of(loading->adapter->chat, chat_dialects, ARRAY_SIZE(chat_dialects))) {
        complain(lua, loading, "chat", "chat must be openai, anthropic, gemini or ollama");
    }
    for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
        if (!is_one_of(members[i].name, chat_members, ARRAY_SIZE(chat_members)) &&
            lua_getfield(lua, 1, members[i].name) != LUA_TNIL) {
            complain(lua, loading, members[i].name,
                     lua_pushfstring(lua, "%s is for jobs; beside chat there is no place for it", members[i].name));
        }
        lua_settop(lua, 2);
    }
    if (loading->adapter->url == NULL) {
        complain(lua, loading, "return", "the adapter has no url");
    }
    check_values(lua, loading);
    if (loading->adapter->concurrency == 0) {
        loading->adapter->concurrency = CHAT_CONCURRENCY;
    }
}

/* adapter_load's work, where Lua may raise. Arguments: the table, the loading. */
static int load_protected(lua_State *lua) {
    const struct loading *loading = lua_touserdata(lua, 2);
    lua_pushnil(lua);
    while (lua_next(lua, 1)) {
        const struct member *member = lua_type(lua, -2) == LUA_TSTRING ? find_member(lua_tostring(lua, -2)) : NULL;
        if (member == NULL) {
            const char *name = luaL_tolstring(lua, -2, NULL);
            complain(lua, loading, name, lua_pushfstring(lua, "an adapter has no member %s", name));
        }
        take_member(lua, loading, member);
        lua_pop(lua, 1);
    }
    if (loading->adapter->chat != NULL) {
        check_chat(lua, loading);
        return 0;
    }
    for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
        if (members[i].required && lua_getfield(lua, 1, members[i].name) == LUA_TNIL) {
            complain(lua, loading, "return", lua_pushfstring(lua, "the adapter has no %s", members[i].name));
        }
    }
    check_values(lua, loading);
    check_companions(lua, loading);
    return 0;
}

enum err adapter_load(struct script *script, const char *name, const char *file, struct text source,
                      struct adapter **ret, struct fault *fault) {
    lua_State *lua = script_lua(script);
    assert(lua_istable(lua, -1));
    struct adapter *adapter = mem_new(sizeof(*adapter));
    adapter->name = mem_string(name);
    adapter->file = mem_string(file);
    adapter->script = script;
    adapter->progress_max = 100;
    for (size_t i = 0; i < ADAPTER_CALL_COUNT; i++) {
        adapter->functions[i] = LUA_NONE;
    }
    struct loading loading = { adapter, source };
    lua_pushcfunction(lua, load_protected);
    lua_insert(lua, -2);
    lua_pushlightuserdata(lua, &loading);
    enum err err = script_call(script, 2, 0, fault);
    if (err != OK) {
        adapter_free(adapter);
        return err;
    }
    *ret = adapter;
    return OK;
}

static void free_pairs(struct adapter_pair *pairs, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        free(pairs[i].name);
        free(pairs[i].value);
    }
    free(pairs);
}

void adapter_free(struct adapter *adapter) {
    if (adapter == NULL) {
        return;
    }
    for (size_t i = 0; i < ADAPTER_CALL_COUNT; i++) {
        if (adapter->functions[i] != LUA_NONE) {
            luaL_unref(script_lua(adapter->script), LUA_REGISTRYINDEX, adapter->functions[i]);
        }
    }
    free_pairs(adapter->urls, adapter->url_count);
    free_pairs(adapter->statuses, adapter->status_count);
    for (unsigned i = 0; i < adapter->host_count; i++) {
        free(adapter->hosts[i]);
    }
    free(adapter->hosts);
    free(adapter->name);
    free(adapter->file);
    free(adapter->url);
    free(adapter->backup);
    free(adapter->idempotency);
    free(adapter->inputs);
    free(adapter->chat);
    json_decref(adapter->signature);
    json_decref(adapter->samples);
    free(adapter);
}
