/* Looking at settings beside the catalogue that they lead to. */
#include "provider/doubts.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "catalog/catalog.h"
#include "config/config.h"
#include "net/authorities.h"
#include "provider/adapter.h"
#include "provider/bridge.h"

struct telling {
    const struct bridge *bridge;
    void (*each)(const struct doubt *doubt, void *context);
    void *context;
};

static void printf_like(4, 5)
    tell(const struct telling *telling, const char *what, bool grave, const char *format, ...) {
    struct doubt doubt = { .what = what, .grave = grave };
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(doubt.words, sizeof(doubt.words), format, arguments);
    va_end(arguments);
    telling->each(&doubt, telling->context);
}

static void look_at_provider(const struct telling *telling, const struct provider_config *provider) {
    const struct adapter *adapter = bridge_adapter(telling->bridge, provider->name);
    if (!bridge_has_provider(telling->bridge, provider->name))
        tell(telling, provider->name, true, "configured, but it has no adapter: there is no providers/%s.lua", provider->name);
    else if (adapter != NULL && provider->key_count == 0 && adapter_has(adapter, ADAPTER_AUTH))
        tell(telling, provider->name, false, "configured without a key");
}

static void look_at_authorities(const struct telling *telling) {
    const char *file = authorities_file();
    struct stat info;
    if (file == NULL)
        return;
    bool good = stat(file, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0 && access(file, R_OK) == 0;
    if (!good)
        tell(telling, "SSL_CERT_FILE", true, "no https service can be asked: %.128s is no file with something to read", file);
}

/* A name with a '*' at its end stands for all that begin so, in a group and in the catalogue. */
static bool meets(struct text wanted, struct text name) {
    bool any = text_ends(name, TEXT("*"));
    struct text beginning = { wanted.ptr, wanted.len - 1 }, prefix = { name.ptr, name.len - any };
    return text_starts(prefix, beginning) || (any && text_starts(beginning, prefix));
}

static bool is_a_model(const struct catalog *catalog, struct text wanted) {
    unsigned count;
    const struct model *const *models = catalog_models(catalog, &count);
    if (!text_ends(wanted, TEXT("*")))
        return catalog_find(catalog, wanted) != NULL;
    for (unsigned i = 0; i < count; i++)
        if (meets(wanted, text_of(models[i]->name)))
            return true;
    return false;
}

static void look_at_group(const struct telling *telling, const struct group_config *group) {
    char what[96];
    snprintf(what, sizeof(what), "groups.%s.models", group->name);
    for (unsigned i = 0; i < group->model_count; i++)
        if (!is_a_model(bridge_catalog(telling->bridge), text_of(group->models[i])))
            tell(telling, what, false, "there is no model `%s`", group->models[i]);
}

void doubts_tell(const struct config *config, const struct bridge *bridge,
                 void (*each)(const struct doubt *doubt, void *context), void *context) {
    const struct telling telling = { bridge, each, context };
    struct stat info;
    look_at_authorities(&telling);
    if (config->libexec != NULL && (stat(config->libexec, &info) != 0 || !S_ISDIR(info.st_mode)))
        tell(&telling, "libexec", false, "there is no directory %s", config->libexec);
    for (unsigned i = 0; i < config->provider_count; i++)
        look_at_provider(&telling, &config->providers[i]);
    for (unsigned i = 0; i < config->group_count; i++)
        look_at_group(&telling, &config->groups[i]);
}
