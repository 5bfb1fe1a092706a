/* The table of settings for people. */
#include <stddef.h>

#include "base/json.h"
#include "config/config.h"
#include "config/setting.h"

#define NAME_WIDTH 34
#define DEFAULT_WIDTH 18

static const char *type_words(enum setting_kind kind) {
    static const char *const words[SETTING_KIND_COUNT] = {
        [SETTING_TEXT] = "text",    [SETTING_ADDRESS] = "host:port", [SETTING_URL] = "URL",        [SETTING_BOOLEAN] = "true/false",
        [SETTING_COUNT] = "number", [SETTING_AMOUNT] = "number",     [SETTING_BYTES] = "bytes",    [SETTING_REAL] = "number",
        [SETTING_RATIO] = "number", [SETTING_LEVEL] = "level",       [SETTING_FORMAT] = "text/json", [SETTING_KEYS] = "text or list",
        [SETTING_MODELS] = "list",  [SETTING_ADDRESSES] = "list",
    };
    return words[kind];
}

bool config_describe(size_t i, struct setting_words *ret) {
    if (i >= setting_count) {
        return false;
    }
    const struct setting *setting = &settings[i];
    *ret = (struct setting_words){ .name = setting->full_name, .type = type_words(setting->kind),
                                   .fallback = setting->fallback, .meaning = setting->meaning,
                                   .needs_restart = setting->needs_restart };
    return true;
}

static void put_addresses(struct json_writer *json, const struct config *config) {
    json_array_begin(json);
    for (unsigned i = 0; i < config->fetch_allow_count; i++)
        json_text(json, text_of(config->fetch_allow[i]));
    json_array_end(json);
}

static void put_value(struct json_writer *json, const struct config *config, const struct setting *setting) {
    static const char *const levels[] = { "debug", "info", "warning", "error" };
    const void *place = (const char *)config + setting->offset;
    char number[32];
    switch (setting->kind) {
    case SETTING_TEXT:
    case SETTING_URL:
        json_string_or_null(json, *(const char *const *)place);
        return;
    case SETTING_BOOLEAN:
        json_bool(json, *(const bool *)place);
        return;
    case SETTING_COUNT:
        json_i64(json, *(const unsigned *)place);
        return;
    case SETTING_AMOUNT:
    case SETTING_BYTES:
    case SETTING_RATIO:
        json_i64(json, *(const int64_t *)place);
        return;
    case SETTING_REAL:
        snprintf(number, sizeof(number), "%g", *(const double *)place);
        json_raw(json, text_of(number));
        return;
    case SETTING_LEVEL:
        json_text(json, text_of(levels[config->log_level]));
        return;
    case SETTING_FORMAT:
        json_text(json, config->log_format == LOG_JSON ? TEXT("json") : TEXT("text"));
        return;
    case SETTING_ADDRESSES:
        put_addresses(json, config);
        return;
    default: /* keys are nobody's to see */
        json_null_value(json);
        return;
    }
}

bool config_put_value(const struct config *config, size_t i, struct buffer *buf) {
    const struct setting *setting = &settings[i];
    struct json_writer json;
    char address[CONFIG_ADDRESS_SIZE];
    if (text_starts(text_of(setting->section), TEXT("providers.")) || text_starts(text_of(setting->section), TEXT("groups.")))
        return false;
    json_begin(&json, buf);
    if (setting->kind != SETTING_ADDRESS) {
        put_value(&json, config, setting);
        return true;
    }
    config_address(config, address);
    json_text(&json, text_of(address));
    return true;
}

void config_put_help(struct buffer *buf) {
    struct setting_words words;
    for (size_t i = 0; config_describe(i, &words); i++) {
        buffer_printf(buf, "%-*s %-12s %-*s %s\n", NAME_WIDTH, words.name, words.type, DEFAULT_WIDTH,
                      words.fallback != NULL ? words.fallback : "-", words.meaning);
    }
}
