/* The catalogue: every model's parameters, price, routes, compiled from Lua into immutable structures.
 *
 * HTTP threads use these and never touch Lua; the functions of a model (results, simulate, a route's input) stay in the
 * script and are called by the bridge on the engine's thread through the references kept here. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/errors.h"
#include "core/money.h"
#include "core/task.h"

struct catalog;
struct script;
struct json_t;
struct buffer;
struct llm_rules;  /* catalog/llm.h */
struct token_usage;
struct param;      /* catalog/param.h */
struct param_rule; /* catalog/rule.h */
struct price_rule; /* catalog/price.h */

#define LUA_NONE (-1) /* no function there */

struct route {
    const char *provider; /* "fal", "exec" */
    const char *target;   /* the provider's own name of the model; exec: the command's name; "" when unused */
    const char *package;  /* exec: Debian packages the command needs, for people; NULL: none */
    const char *const *programs; /* exec: programs the command runs (route field `programs`, a list), looked for on PATH */
    unsigned program_count;
    const char *inputs;   /* how it wants its files, "links", "inline", "either" or "files"; NULL: as the adapter says */
    int lua_route;        /* reference to the route's table: what an adapter sees as task.route */
    int lua_input;        /* input(p) -> what the upstream gets; LUA_NONE: the parameters as they are */
    unsigned priority;    /* lower first; in the order written when equal */
    unsigned weight;
};

struct model {
    const char *name;
    const char *summary;
    const char *file; /* where it was defined, "models/seedance.lua" */
    enum task_type type;
    const struct param *params; /* an object parameter whose fields are the model's; NULL: a language model */
    const struct param_rule *rules;
    unsigned rule_count;
    const struct price_rule *price;
    const struct llm_rules *llm; /* of a language model; NULL: it is none */
    unsigned estimated_s;
    unsigned timeout_s; /* of one attempt's whole life */
    const struct route *routes;
    unsigned route_count;
    int lua_results; /* LUA_NONE, as the next two: a language model */
    int lua_simulate;
    int lua_samples;
};

/* Makes the words of the model language (model, text, integer, …, per_call, …) known in the script. Files run afterwards add models. */
enum err catalog_begin(struct script *script, struct fault *fault) must_check;
/* Takes what the files defined. Every model has a price, results and sane limits, or ERR_SCRIPT says which file and line
 * does not. The script must outlive the catalogue's Lua references. *ret is freed by catalog_free. */
enum err catalog_finish(struct script *script, struct catalog **ret, struct fault *fault) must_check;
void catalog_free(struct catalog *catalog);

/* The model of that name, else the one whose name with a '*' at the end ("local-*") fits it best: the longest; NULL
 * when there is none. Pure, any thread. */
const struct model *catalog_find(const struct catalog *catalog, struct text name);
/* Sorted by name. */
const struct model *const *catalog_models(const struct catalog *catalog, unsigned *ret_count);

/* Whether its name ends with a '*', and so is none to ask for. Pure. */
bool model_is_wildcard(const struct model *model);

/* Not for language models (catalog/llm.h). Checks a submission's body against the model and completes it in place:
 * `model` is removed, defaults are filled in. The fault's param is the exact path (voice_setting.speed,
 * image_urls[2]). Any thread. */
enum err model_validate(const struct model *model, struct json_t *body, struct fault *fault) must_check;

/* The price of a validated input in microcredits, times the group's ratio. Any thread. */
enum err model_price(const struct model *model, const struct json_t *input, int64_t ratio_ppm, int64_t *ret) must_check;
/* The same for `units_milli` units that were really delivered (seconds, images), in thousandths. */
enum err model_price_units(const struct model *model, const struct json_t *input, int64_t units_milli, int64_t ratio_ppm,
                           int64_t *ret) must_check;
/* What tokens cost. The cached ones of the input have their own price, and are not counted twice. ERR_OUT_OF_RANGE. */
enum err model_price_tokens(const struct model *model, const struct token_usage *tokens, int64_t ratio_ppm,
                            int64_t *ret) must_check;
enum billing_rule model_billing(const struct model *model);
/* The price as a phrase for people: "2 credits per second at 480p, 5 at 720p". */
void model_put_price(const struct model *model, struct buffer *buf);
/* The parameters for people and for the API description: a JSON Schema object. */
struct json_t *model_schema(const struct model *model) must_check;

/* Calls `each` for every media URL in a validated input, with its path, its parameter (catalog/param.h: what kind of file,
 * within which limits) and the string value; `each` may return a replacement (a new reference) or NULL to leave it. */
void model_each_media(const struct model *model, struct json_t *input,
                      struct json_t *(*each)(const char *path, const struct param *param, const char *value,
                                             void *context),
                      void *context);
