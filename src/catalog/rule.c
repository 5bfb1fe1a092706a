/* Rules between parameters: the words that make them, and checking an input against them. */
#include "catalog/rule.h"

#include <jansson.h>
#include <lauxlib.h>
#include <lua.h>

#include "base/buffer.h"
#include "catalog/builder.h"
#include "catalog/param.h"

#define NAME_LENGTH_MAX 64

struct word {
    const char *name;
    unsigned names_min, names_max;
    const char *options[3];
};

#define ANY 64
static const struct word words[RULE_KIND_COUNT] = {
    [RULE_EXACTLY_ONE] = { "exactly_one", 2, ANY, { NULL } },
    [RULE_AT_MOST_ONE] = { "at_most_one", 2, ANY, { NULL } },
    [RULE_AT_LEAST_ONE] = { "at_least_one", 2, ANY, { NULL } },
    [RULE_REQUIRES] = { "requires", 2, 2, { NULL } },
    [RULE_REQUIRES_ANY] = { "requires_any", 2, ANY, { NULL } },
    [RULE_TOTAL] = { "total", 1, ANY, { "max" } },
    [RULE_NOT_WITH] = { "not_with", 1, 1, { "when" } },
    [RULE_ONLY] = { "only", 1, 1, { "when" } },
    [RULE_LACKS] = { "lacks", 1, ANY, { NULL } },
};

const char *rule_kind_name(enum rule_kind kind) {
    return words[kind].name;
}

/* ---- checking ---- */

/* A list without items gives nothing, no more than null does. */
static bool present(const json_t *input, const char *name) {
    const json_t *value = json_object_get(input, name);
    return value != NULL && !json_is_null(value) && !(json_is_array(value) && json_array_size(value) == 0);
}

/* The value given, else the default, else NULL. */
static const json_t *effective(const struct param *params, const json_t *input, const char *name) {
    const json_t *value = json_object_get(input, name);
    const struct param *param = param_find(params, text_of(name));
    return value != NULL ? value : param != NULL ? param->fallback : NULL;
}

/* "`a`, `b` or `c`" */
static void put_names(struct buffer *buf, const char *const *names, unsigned count, const char *last) {
    for (unsigned i = 0; i < count; i++) {
        buffer_printf(buf, "%s`%s`", i == 0 ? "" : i + 1 == count ? last : ", ", names[i]);
    }
}

static enum err printf_like(6, 7) refuse(struct fault *fault, enum err err, const char *param, const struct param_rule *rule,
                                         const char *last, const char *format, ...) {
    scoped(buffer_fini) struct buffer names;
    buffer_init(&names, 8192);
    put_names(&names, rule->names, rule->name_count, last);
    char words_after[256];
    va_list args;
    va_start(args, format);
    vsnprintf(words_after, sizeof(words_after), format, args);
    va_end(args);
    return fault_set_param(fault, err, param, "%s %s", names.data != NULL ? names.data : "", words_after);
}

static enum err check_one_of(const struct param_rule *rule, const struct param *params, const json_t *input,
                             struct fault *fault) {
    (void)params;
    unsigned count = 0;
    const char *second = NULL;
    for (unsigned i = 0; i < rule->name_count; i++) {
        if (present(input, rule->names[i]) && ++count == 2) {
            second = rule->names[i];
        }
    }
    if (count == 0 && rule->kind != RULE_AT_MOST_ONE) {
        return refuse(fault, ERR_MISSING_FIELD, rule->names[0], rule, " or ", "is required");
    }
    if (count > 1 && rule->kind != RULE_AT_LEAST_ONE) {
        return refuse(fault, ERR_NOT_ALLOWED_VALUE, second, rule, " and ", "exclude each other; only one of them can be given");
    }
    return OK;
}

static enum err check_requires(const struct param_rule *rule, const struct param *params, const json_t *input,
                               struct fault *fault) {
    (void)params;
    if (!present(input, rule->names[0])) {
        return OK;
    }
    for (unsigned i = 1; i < rule->name_count; i++) {
        if (present(input, rule->names[i])) {
            return OK;
        }
    }
    struct param_rule others = { .names = rule->names + 1, .name_count = rule->name_count - 1 };
    return refuse(fault, ERR_MISSING_FIELD, rule->names[1], &others, " or ", "is required when `%s` is given",
                  rule->names[0]);
}

static enum err check_total(const struct param_rule *rule, const struct param *params, const json_t *input,
                            struct fault *fault) {
    (void)params;
    int64_t total = 0;
    const char *passing = NULL;
    for (unsigned i = 0; i < rule->name_count; i++) {
        const json_t *value = json_object_get(input, rule->names[i]);
        total += json_is_array(value) ? (int64_t)json_array_size(value) : present(input, rule->names[i]);
        if (total > rule->max && passing == NULL) {
            passing = rule->names[i];
        }
    }
    return passing == NULL ? OK
                           : refuse(fault, ERR_OUT_OF_RANGE, passing, rule, " and ",
                                    "must have at most %lld items together; got %lld", (long long)rule->max,
                                    (long long)total);
}

static bool holds(const struct param_rule *rule, const struct param *params, const json_t *input) {
    for (unsigned i = 0; i < rule->when_count; i++) {
        const json_t *value = effective(params, input, rule->when[i].name);
        if (value == NULL || !param_same_value(value, rule->when[i].value)) {
            return false;
        }
    }
    return true;
}

/* "`mode` is "fast"" */
static void put_when(struct buffer *buf, const struct param_rule *rule) {
    for (unsigned i = 0; i < rule->when_count; i++) {
        char brief[PARAM_BRIEF_SIZE];
        param_brief(rule->when[i].value, brief);
        buffer_printf(buf, "%s`%s` is %s", i == 0 ? "" : " and ", rule->when[i].name, brief);
    }
}

static enum err check_not_with(const struct param_rule *rule, const struct param *params, const json_t *input,
                               struct fault *fault) {
    if (!present(input, rule->names[0]) || !holds(rule, params, input)) {
        return OK;
    }
    scoped(buffer_fini) struct buffer when;
    buffer_init(&when, 8192);
    put_when(&when, rule);
    return fault_set_param(fault, ERR_NOT_ALLOWED_VALUE, rule->names[0], "`%s` is not allowed when %s", rule->names[0],
                           when.data);
}

static enum err check_only(const struct param_rule *rule, const struct param *params, const json_t *input,
                           struct fault *fault) {
    const json_t *value = effective(params, input, rule->names[0]);
    if (value == NULL || json_is_null(value) || !holds(rule, params, input)) {
        return OK;
    }
    scoped(buffer_fini) struct buffer allowed;
    buffer_init(&allowed, 8192);
    for (unsigned i = 0; i < rule->value_count; i++) {
        if (param_same_value(rule->values[i], value)) {
            return OK;
        }
        char brief[PARAM_BRIEF_SIZE];
        param_brief(rule->values[i], brief);
        buffer_printf(&allowed, "%s%s", i == 0 ? "" : ", ", brief);
    }
    buffer_put(&allowed, TEXT(" when "));
    put_when(&allowed, rule);
    char got[PARAM_BRIEF_SIZE];
    param_brief(value, got);
    return fault_set_param(fault, ERR_NOT_ALLOWED_VALUE, rule->names[0], "`%s` must be one of %s; got %s", rule->names[0],
                           allowed.data, got);
}

static enum err check_lacks(const struct param_rule *rule, json_t *input, struct fault *fault) {
    for (unsigned i = 0; i < rule->name_count; i++) {
        const char *name = rule->names[i];
        const json_t *value = json_object_get(input, name);
        if (value != NULL && !json_is_null(value)) {
            return fault_set_param(fault, ERR_UNSUPPORTED_OPTIONS, name,
                                   "`%s` is an option that others of this family have, and this model has not", name);
        }
        json_object_del(input, name);
    }
    return OK;
}

enum err rules_check_lacks(const struct param_rule *rules, unsigned count, struct json_t *input, struct fault *fault) {
    enum err err = OK;
    for (unsigned i = 0; err == OK && i < count; i++) {
        if (rules[i].kind == RULE_LACKS) {
            err = check_lacks(&rules[i], input, fault);
        }
    }
    return err;
}

enum err rules_check(const struct param_rule *rules, unsigned count, const struct param *params,
                     const struct json_t *input, struct fault *fault) {
    static enum err (*const checks[RULE_KIND_COUNT])(const struct param_rule *, const struct param *, const json_t *,
                                                     struct fault *) = {
        [RULE_EXACTLY_ONE] = check_one_of, [RULE_AT_MOST_ONE] = check_one_of,    [RULE_AT_LEAST_ONE] = check_one_of,
        [RULE_REQUIRES] = check_requires,  [RULE_REQUIRES_ANY] = check_requires, [RULE_TOTAL] = check_total,
        [RULE_NOT_WITH] = check_not_with,  [RULE_ONLY] = check_only,
        [RULE_LACKS] = NULL, /* was looked at before the fields */
    };
    enum err err = OK;
    for (unsigned i = 0; err == OK && i < count; i++) {
        if (checks[rules[i].kind] != NULL) {
            err = checks[rules[i].kind](&rules[i], params, input, fault);
        }
    }
    return err;
}

/* ---- whether a rule fits its model ---- */

static enum err value_fits(const struct param *params, const char *name, struct json_t *value, struct fault *fault) {
    const struct param *param = param_find(params, text_of(name));
    if (param == NULL) {
        return fault_set(fault, ERR_SCRIPT, "there is no parameter `%s`", name);
    }
    json_t *replacement = NULL;
    enum err err = param_check(param, name, value, &replacement, fault);
    json_decref(replacement);
    return err;
}

enum err rule_fits(const struct param_rule *rule, const struct param *params, struct fault *fault) {
    for (unsigned i = 0; i < rule->name_count; i++) {
        bool found = param_find(params, text_of(rule->names[i])) != NULL;
        if (found == (rule->kind == RULE_LACKS)) {
            return fault_set(fault, ERR_SCRIPT, "there is %s parameter `%s`", found ? "a" : "no", rule->names[i]);
        }
    }
    enum err err = OK;
    for (unsigned i = 0; err == OK && i < rule->value_count; i++) {
        err = value_fits(params, rule->names[0], rule->values[i], fault);
    }
    for (unsigned i = 0; err == OK && i < rule->when_count; i++) {
        err = value_fits(params, rule->when[i].name, rule->when[i].value, fault);
    }
    return err;
}

/* ---- the words ---- */

static void read_names(lua_State *lua, const struct word *word, struct param_rule *rule, size_t count) {
    const char **names = builder_array(lua, count, sizeof(*names));
    for (size_t i = 0; i < count; i++) {
        if (lua_rawgeti(lua, 1, (lua_Integer)i + 1) != LUA_TSTRING) {
            luaL_error(lua, "%s: the name of a parameter is expected in place %d, got a %s", word->name, (int)i + 1,
                       luaL_typename(lua, -1));
        }
        names[i] = builder_string(lua, -1);
        lua_pop(lua, 1);
    }
    if (count < word->names_min || count > word->names_max) {
        luaL_error(lua, "%s: the names of %s%d parameter%s are expected, got %d", word->name,
                   word->names_min == word->names_max ? "" : "at least ", (int)word->names_min,
                   word->names_min == 1 ? "" : "s", (int)count);
    }
    rule->names = names;
    rule->name_count = (unsigned)count;
}

/* only{ "name", { values }, when = … } */
static void read_values(lua_State *lua, const struct word *word, struct param_rule *rule) {
    if (lua_rawgeti(lua, 1, 2) != LUA_TTABLE || lua_rawlen(lua, 2) == 0) {
        luaL_error(lua, "%s: a list of allowed values is expected in place 2", word->name);
    }
    size_t count = lua_rawlen(lua, 2);
    struct json_t **values = builder_array(lua, count, sizeof(struct json_t *));
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(lua, 2, (lua_Integer)i + 1);
        values[i] = builder_json(lua, -1, word->name, "value");
        lua_pop(lua, 1);
    }
    lua_pop(lua, 1);
    rule->values = values;
    rule->value_count = (unsigned)count;
}

static void read_when(lua_State *lua, const struct word *word, struct param_rule *rule) {
    if (lua_getfield(lua, 1, "when") != LUA_TTABLE) {
        luaL_error(lua, "%s: `when` must be a table such as { mode = \"fast\" }, got a %s", word->name,
                   luaL_typename(lua, -1));
    }
    unsigned count = 0;
    for (lua_pushnil(lua); lua_next(lua, 2); lua_pop(lua, 1)) {
        count++;
    }
    struct rule_condition *when = builder_array(lua, count, sizeof(*when));
    for (lua_pushnil(lua); lua_next(lua, 2); lua_pop(lua, 1)) {
        if (lua_type(lua, -2) != LUA_TSTRING) {
            luaL_error(lua, "%s: `when` must be a table such as { mode = \"fast\" }", word->name);
        }
        when[rule->when_count].name = builder_string(lua, -2);
        when[rule->when_count++].value = builder_json(lua, -1, word->name, "when");
    }
    if (count == 0) {
        luaL_error(lua, "%s: `when` is empty", word->name);
    }
    lua_pop(lua, 1);
    rule->when = when;
}

static int make_rule(lua_State *lua) {
    enum rule_kind kind = (enum rule_kind)lua_tointeger(lua, lua_upvalueindex(1));
    const struct word *word = &words[kind];
    options_expect_table(lua, word->name, 1);
    lua_settop(lua, 1);
    options_check_names(lua, word->name, 1, word->options);
    struct param_rule *rule = builder_alloc(lua, sizeof(*rule));
    rule->kind = kind;
    size_t count = lua_rawlen(lua, 1);
    if (kind == RULE_ONLY) {
        read_values(lua, word, rule);
        count = count > 2 ? count : 1;
    }
    read_names(lua, word, rule, count);
    if (kind == RULE_TOTAL && !options_integer(lua, word->name, 1, "max", 0, INT32_MAX, &rule->max)) {
        luaL_error(lua, "total: `max` is missing");
    }
    if (kind == RULE_NOT_WITH || kind == RULE_ONLY) {
        read_when(lua, word, rule);
    }
    builder_push(lua, BUILT_RULE, rule);
    return 1;
}

void rule_words_open(lua_State *lua) {
    for (int kind = 0; kind < RULE_KIND_COUNT; kind++) {
        lua_pushinteger(lua, kind);
        lua_pushcclosure(lua, make_rule, 1);
        lua_setglobal(lua, words[kind].name);
    }
}
