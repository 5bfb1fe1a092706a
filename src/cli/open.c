/* Settings and store for a command. */
#include "cli/open.h"

#include <errno.h>
#include <unistd.h>

#include "config/config.h"
#include "provider/bridge.h"
#include "store/store.h"

#define SYSTEM_CONFIG "/etc/fennec/config.lua"

enum err open_config(const struct invocation *call, struct config **ret, struct fault *fault) {
    const char *path = call->config;
    if (call->data && !call->data[0])
        return fault_set(fault, ERR_CONFIG, "--data needs the name of a directory");
    if (!path && (access(SYSTEM_CONFIG, F_OK) == 0 || errno == EACCES)) /* one that may not be read is no missing one */
        path = SYSTEM_CONFIG;
    struct config *config;
    enum err err = config_load(path, &config, fault);
    if (err)
        return err;
    if (call->data)
        config_set_data(config, call->data);
    *ret = config;
    return OK;
}

enum err open_bridge(const struct invocation *call, struct config **ret_config, struct bridge **ret_bridge,
                     struct fault *fault) {
    struct config *config;
    enum err err = open_config(call, &config, fault);
    if (err)
        return err;
    err = bridge_open(config, ret_bridge, fault);
    if (err)
        config_free(config);
    else
        *ret_config = config;
    return err;
}

void open_warn_group(const struct invocation *call, const char *group) {
    struct config *config;
    if (!group || open_config(call, &config, NULL))
        return;
    if (!text_equal(text_of(config_group(config, text_of(group))->name), text_of(group)))
        fprintf(stderr, "The settings have no group %s: until they do, its prices and limits are those of `default`.\n",
                group);
    config_free(config);
}

enum err open_store(const struct invocation *call, struct store **ret, struct fault *fault) {
    struct config *config;
    enum err err = open_config(call, &config, fault);
    if (err)
        return err;
    struct store_options options = { .directory = config->data };
    err = store_open(&options, ret, fault);
    config_free(config);
    return err;
}
