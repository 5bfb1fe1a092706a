/* The catalogue's life: made while files run, completed with the prices, then looked up by any thread. */
#include "catalog/catalog.h"

#include <jansson.h>
#include <lua.h>
#include <stdlib.h>

#include "base/memory.h"
#include "catalog/builder.h"
#include "catalog/name.h"
#include "catalog/param.h"
#include "catalog/price.h"
#include "script/script.h"

#define ARENA_MAX ((size_t)64 << 20)

static int open_words(lua_State *lua) {
    struct catalog **slot = builder_open(lua);
    struct catalog *catalog = mem_new(sizeof(*catalog));
    arena_init(&catalog->arena, ARENA_MAX);
    catalog->values = json_array();
    catalog->definitions = mem_table(MODELS_MAX * sizeof(*catalog->definitions));
    catalog->prices = mem_table(MODELS_MAX * sizeof(*catalog->prices));
    *slot = catalog;
    param_words_open(lua);
    rule_words_open(lua);
    price_words_open(lua);
    model_words_open(lua);
    llm_words_open(lua);
    voices_words_open(lua);
    return 0;
}

enum err catalog_begin(struct script *script, struct fault *fault) {
    lua_pushcfunction(script_lua(script), open_words);
    return script_call(script, 0, 0, fault);
}

void catalog_free(struct catalog *catalog) {
    if (catalog == NULL) {
        return;
    }
    free(catalog->wildcards);
    free(catalog->models);
    mem_table_free(catalog->prices, MODELS_MAX * sizeof(*catalog->prices));
    mem_table_free(catalog->definitions, MODELS_MAX * sizeof(*catalog->definitions));
    json_decref(catalog->values);
    arena_fini(&catalog->arena);
    free(catalog);
}

static struct definition *find_definition(const struct catalog *catalog, const char *name) {
    for (unsigned i = 0; i < catalog->definition_count; i++) {
        if (strcmp(catalog->definitions[i]->model.name, name) == 0) {
            return catalog->definitions[i];
        }
    }
    return NULL;
}

/* A model is an llm's exactly when its price is by tokens, which are known only after they came. */
static enum err set_price(struct model *model, const char *where, const struct price_rule *price, struct fault *fault) {
    struct fault why;
    if ((price->billing == BILLING_PER_TOKEN) != (model->type == TASK_LLM)) {
        return fault_set(fault, ERR_SCRIPT, "%s: price of `%s`: per_token is for models of type llm, and nothing else is",
                         where, model->name);
    }
    if (price_fits(price, model->params, &why) != OK) {
        return fault_set(fault, ERR_SCRIPT, "%s: price of `%s`: %s", where, model->name, why.message);
    }
    model->price = price;
    return OK;
}

static enum err set_prices(struct catalog *catalog, struct fault *fault) {
    enum err err = OK;
    for (unsigned i = 0; err == OK && i < catalog->price_count; i++) {
        const struct price_entry *entry = &catalog->prices[i];
        struct definition *definition = find_definition(catalog, entry->model);
        err = definition != NULL ? set_price(&definition->model, entry->where, entry->price, fault)
                                 : fault_set(fault, ERR_SCRIPT, "%s: price: there is no model `%s`", entry->where, entry->model);
    }
    for (unsigned i = 0; err == OK && i < catalog->definition_count; i++) {
        struct definition *definition = catalog->definitions[i];
        const struct price_rule *price = definition->model.price;
        err = price != NULL ? set_price(&definition->model, definition->where, price, fault)
                            : fault_set(fault, ERR_SCRIPT, "%s: model `%s` has no price; price \"%s\" (…) gives it one",
                                        definition->where, definition->model.name, definition->model.name);
    }
    return err;
}

static int by_name(const void *a, const void *b) {
    return strcmp((*(const struct model *const *)a)->name, (*(const struct model *const *)b)->name);
}

enum err catalog_finish(struct script *script, struct catalog **ret, struct fault *fault) {
    struct catalog *catalog = builder_close(script_lua(script));
    if (catalog == NULL) {
        return fault_set(fault, ERR_SCRIPT, "the catalogue was not begun");
    }
    enum err err = set_prices(catalog, fault);
    if (err != OK) {
        catalog_free(catalog);
        return err;
    }
    catalog->models = mem_new_array(catalog->definition_count + 1, sizeof(struct model *));
    for (unsigned i = 0; i < catalog->definition_count; i++) {
        catalog->models[i] = &catalog->definitions[i]->model;
    }
    qsort(catalog->models, catalog->definition_count, sizeof(struct model *), by_name);
    wildcards_make(catalog);
    *ret = catalog;
    return OK;
}

const struct model *catalog_find(const struct catalog *catalog, struct text name) {
    unsigned low = 0, high = catalog->definition_count;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        struct text other = text_of(catalog->models[middle]->name);
        size_t common = name.len < other.len ? name.len : other.len;
        int order = common > 0 ? memcmp(name.ptr, other.ptr, common) : 0;
        if (order == 0 && name.len == other.len) {
            return catalog->models[middle];
        }
        if (order > 0 || (order == 0 && name.len > other.len)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return wildcards_find(catalog, name);
}

const struct model *const *catalog_models(const struct catalog *catalog, unsigned *ret_count) {
    *ret_count = catalog->definition_count;
    return catalog->models;
}
