/* Files of settings and of models, in Lua: taken, or refused with the file and the place; never more memory or time than a
 * script may have.
 *
 *   "settings", "models/x.lua" or "providers/x.lua"
 *   the source */
#include <jansson.h>
#include <lua.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/json.h"
#include "catalog/catalog.h"
#include "config/config.h"
#include "fuzz.h"
#include "provider/adapter.h"
#include "script/script.h"

static int file = -1;
static char path[64];

void fuzz_begin(void) {
    file = memfd_create("settings", MFD_CLOEXEC);
    fuzz_hold(file >= 0);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
}

void fuzz_seeds(void) {
    static const char *const seeds[] = {
        "settings\nlisten = \"127.0.0.1:8080\"\ndata = \"./data\"\npublic_url = \"https://media.example.com\"\n",
        "settings\nproviders = { fal = { key = env \"FAL_KEY\", url = \"https://queue.fal.run\", allow_private = false } }\n",
        "settings\ngroups = { default = { price = 1.0, concurrency = 50, requests_per_minute = 6000 } }\n",
        "settings\nfetch = { allow = { \"localhost:80\", \"[::1]:8080\" } }\ncallbacks = { allow_http = true }\n",
        "settings\nlisten = 5\n",
        "settings\nfor i = 1, 1e9 do end\n",
        "settings\nlocal t = {} while true do t[#t + 1] = string.rep(\"x\", 1e6) end\n",
        "models/x.lua\nmodel \"x\" { type = \"image\", params = { prompt = text { required, max = 50 }, "
        "n = integer { default = 1, min = 1, max = 4 }, size = choice { \"a\", \"b\", default = \"a\" } },\n"
        "price = per_call(5), routes = { simulator = {} }, results = function(out) return { { url = artifact(out.image) } } "
        "end, simulate = function(p) return {} end }\n",
        "models/x.lua\nprice \"x\" (per_second { by = { resolution = { [\"480p\"] = 2 } } })\n",
        "models/x.lua\nllm \"y/*\" { takes = { \"text\", \"vision\" }, routes = { openai = { target = \"*\" } }, "
        "price = per_token { input = 1, output = 2 } }\n",
        "models/x.lua\nstring.rep = nil\n",
        "providers/x.lua\nreturn { url = \"https://x.example\", submit = function(t) return { post = \"/\" } end, "
        "accepted = function(r) return { id = r.json.id } end, poll = function(j) return { get = \"/\" } end, "
        "polled = function(r) return { status = \"completed\", output = {} } end, statuses = { OK = \"completed\" } }\n",
        "providers/x.lua\nreturn { url = \"https://x.example\", chat = \"openai\", auth = function(k) return { A = k } end }\n",
        NULL,
    };
    fuzz_seed_list("file", seeds);
}

static void none_kept(const char *setting) {
    fuzz_hold(false, "%s is not what it is", setting);
}

static void read_settings(struct text source) {
    struct config *config = NULL;
    struct fault fault = { .err = OK };
    struct buffer json;
    struct setting_words words;
    fuzz_hold(ftruncate(file, 0) == 0);
    fuzz_hold(pwrite(file, source.ptr, source.len, 0) == (ssize_t)source.len);
    enum err err = config_load(path, &config, &fault);
    if (err != OK) {
        fuzz_hold_fault(err, &fault);
        fuzz_hold(err == ERR_CONFIG && text_starts(text_of(fault.message), text_of(path)), "%s", fault.message);
        return;
    }
    fuzz_hold(config->listen_port <= 65535 && config->group_count >= 1);
    config_keep(config, config, none_kept);
    for (size_t i = 0; config_describe(i, &words); i++) {
        json_t *value = NULL;
        buffer_init(&json, 1 << 22);
        if (config_put_value(config, i, &json)) {
            fuzz_hold(json_read_any(buffer_text(&json), 16, &value, &fault) == OK, "%s: %s: %.*s", words.name,
                      fault.message, TEXT_ARG(buffer_text(&json)));
            json_decref(value);
        }
        buffer_fini(&json);
    }
    config_free(config);
}

static void hold_catalog(const struct catalog *catalog) {
    unsigned count;
    const struct model *const *models = catalog_models(catalog, &count);
    for (unsigned i = 0; i < count; i++) {
        struct buffer buf;
        json_t *schema = model_schema(models[i]);
        fuzz_hold(models[i]->price != NULL && (models[i]->params != NULL) == (models[i]->llm == NULL));
        fuzz_hold_round_trip(schema);
        json_decref(schema);
        buffer_init(&buf, 1 << 20);
        model_put_price(models[i], &buf);
        fuzz_hold(buffer_ok(&buf));
        buffer_fini(&buf);
    }
}

static const struct script_limits limits = { .memory_max = 8 << 20, .instructions_max = 1000000 };

static void read_models(struct text source) {
    struct script *script = NULL;
    struct catalog *catalog = NULL;
    struct fault fault = { .err = OK };
    fuzz_hold(script_new(&limits, &script) == OK);
    fuzz_hold(catalog_begin(script, &fault) == OK, "%s", fault.message);
    enum err err = script_run(script, "models/x.lua", source, NULL, &fault);
    if (err == OK) {
        err = catalog_finish(script, &catalog, &fault);
    }
    if (err != OK) {
        fuzz_hold_fault(err, &fault);
        fuzz_hold(err == ERR_SCRIPT || err == ERR_NO_MEMORY, "%s: %s", err_info(err)->name, fault.message);
    } else {
        hold_catalog(catalog);
    }
    catalog_free(catalog);
    script_free(script);
}

static void read_provider(struct text source) {
    struct script *script = NULL;
    struct adapter *adapter = NULL;
    struct fault fault = { .err = OK };
    int count = 0;
    fuzz_hold(script_new(&limits, &script) == OK);
    enum err err = script_run(script, "providers/x.lua", source, &count, &fault);
    if (err == OK && count == 1 && lua_istable(script_lua(script), -1)) { /* else provider/bridge.c has refused it */
        err = adapter_load(script, "x", "providers/x.lua", source, &adapter, &fault);
    }
    if (err != OK) {
        fuzz_hold_fault(err, &fault);
    }
    adapter_free(adapter);
    script_free(script);
}

void fuzz_one(struct text input) {
    struct text what = fuzz_line(&input);
    if (text_equal(what, TEXT("settings"))) {
        read_settings(input);
    } else if (text_equal(what, TEXT("models/x.lua"))) {
        read_models(input);
    } else if (text_equal(what, TEXT("providers/x.lua"))) {
        read_provider(input);
    }
}
