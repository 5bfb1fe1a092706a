/* Whether a route can be taken on this machine with this configuration, and in words what is missing when not. */
#include "provider/driver.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "catalog/catalog.h"
#include "config/config.h"
#include "net/guard.h"
#include "provider/adapter.h"
#include "provider/bridge.h"
#include "provider/exec/command.h"

/* Where programs lie when the environment says nothing. */
#define PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static bool on_path(const char *program) {
    if (strchr(program, '/'))
        return program[0] == '/' && exec_is_executable(program);
    const char *path = getenv("PATH");
    struct text rest = text_of(path && *path ? path : PATH_DEFAULT);
    while (rest.len > 0) {
        struct text directory = text_cut(&rest, ':');
        char full[PATH_MAX];
        int len = snprintf(full, sizeof(full), "%.*s/%s", TEXT_ARG(directory), program);
        if (directory.len > 0 && len > 0 && (size_t)len < sizeof(full) && exec_is_executable(full))
            return true;
    }
    return false;
}

static bool exec_available(const struct route *route, const struct config *config, struct fault *why) {
    scoped(buffer_fini) struct buffer path;
    buffer_init(&path, PATH_MAX);
    if (!exec_find_command(config, route->target, &path)) {
        (void)fault_set(why, ERR_NO_COMPATIBLE_CHANNEL,
                        "its command %s is not installed: there is no executable file %.*s", route->target,
                        TEXT_ARG(buffer_text(&path)));
        return false;
    }
    for (unsigned i = 0; i < route->program_count; i++) {
        if (on_path(route->programs[i]))
            continue;
        if (route->package)
            (void)fault_set(why, ERR_NO_COMPATIBLE_CHANNEL,
                            "its program %s is missing: install %s (apt-get install %s)", route->programs[i],
                            route->package, route->package);
        else
            (void)fault_set(why, ERR_NO_COMPATIBLE_CHANNEL, "its program %s is not on the PATH", route->programs[i]);
        return false;
    }
    return true;
}

/* FAL_KEY of fal: the name that the example in our words gives the variable. */
static void key_variable(const char *provider, char *ret, size_t size) {
    size_t len = 0;
    for (; provider[len] && len + sizeof("_KEY") < size; len++)
        ret[len] = isalnum((unsigned char)provider[len]) ? (char)toupper((unsigned char)provider[len]) : '_';
    memcpy(ret + len, "_KEY", sizeof("_KEY"));
}

/* The setting as a configuration file says it: providers.fal, providers["openai-videos"]. */
static void setting_of(const char *provider, char *ret, size_t size) {
    bool plain = strchr(provider, '-') == NULL; /* else Lua takes it only as a text */
    snprintf(ret, size, "providers%s%s%s", plain ? "." : "[\"", provider, plain ? "" : "\"]");
}

static bool is_private(const struct config *config, const char *url) {
    const struct guard_allow allow = { config->fetch_allow, config->fetch_allow_count };
    struct guard_url parsed;
    return guard_check_url(text_of(url), &allow, &parsed, NULL) == ERR_BLOCKED_ADDRESS;
}

static void tell_unconfigured(const struct adapter *adapter, struct fault *why) {
    char variable[64], setting[128];
    setting_of(adapter->name, setting, sizeof(setting));
    key_variable(adapter->name, variable, sizeof(variable));
    if (adapter_has(adapter, ADAPTER_AUTH))
        (void)fault_set(why, ERR_NO_COMPATIBLE_CHANNEL,
                        "provider %s is not configured: set %s.key, for example from the environment variable %s",
                        adapter->name, setting, variable);
    else
        (void)fault_set(why, ERR_NO_COMPATIBLE_CHANNEL,
                        "provider %s is not configured: set %s = { url = \"%s\", allow_private = true }, with the "
                        "address of its server",
                        adapter->name, setting, adapter->url);
}

bool route_available(const struct route *route, const struct config *config, const struct bridge *bridge,
                     struct fault *why) {
    if (strcmp(route->provider, exec_driver.name) == 0)
        return exec_available(route, config, why);
    const struct adapter *adapter = bridge_adapter(bridge, route->provider);
    if (!adapter) {
        (void)fault_set(why, ERR_NO_COMPATIBLE_CHANNEL, "provider %s has no adapter: there is no providers/%s.lua",
                        route->provider, route->provider);
        return false;
    }
    const struct provider_config *provider = config_provider(config, text_of(route->provider));
    if (!provider || (provider->key_count == 0 && adapter_has(adapter, ADAPTER_AUTH))) {
        tell_unconfigured(adapter, why);
        return false;
    }
    const char *url = provider->url != NULL ? provider->url : adapter->url;
    bool meant = provider->url != NULL && provider->allow_private; /* the operator's word for this very address (S1) */
    if (adapter->chat != NULL && !meant && is_private(config, url)) {
        char setting[128];
        setting_of(adapter->name, setting, sizeof(setting));
        (void)fault_set(why, ERR_NO_COMPATIBLE_CHANNEL,
                        "provider %s is at a private address: set %s = { url = \"%s\", allow_private = true }",
                        adapter->name, setting, url);
        return false;
    }
    return true;
}

enum input_form route_input_form(const struct route *route, const struct adapter *adapter) {
    const char *form = adapter != NULL && adapter->inputs != NULL ? adapter->inputs : "links";
    static const struct {
        const char *name;
        enum input_form form;
    } forms[] = { { "inline", INPUT_INLINE }, { "either", INPUT_EITHER }, { "files", INPUT_FILES } };
    form = route != NULL && route->inputs != NULL ? route->inputs : form;
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
        if (strcmp(form, forms[i].name) == 0)
            return forms[i].form;
    return INPUT_LINKS;
}

bool route_takes_files(const struct route *route, const struct config *config, const struct bridge *bridge) {
    const struct adapter *adapter = bridge_adapter(bridge, route->provider);
    return adapter == NULL || config->public_url != NULL || route_input_form(route, adapter) != INPUT_LINKS;
}
