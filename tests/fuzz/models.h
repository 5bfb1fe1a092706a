/* The shipped catalogue and adapters, as a server without settings has them; for targets that need a model or an
 * adapter. */
#pragma once

#include "base/text.h"

struct bridge;
struct json_t;
struct model;

/* Opened once, and kept. */
struct bridge *fuzz_bridge(void);
/* The model of that name; of any other name some model, always the same one. */
const struct model *fuzz_model(struct text name);
/* The samples in the model's file, a list; a new reference, NULL: it has none. */
struct json_t *fuzz_model_samples(const struct model *model);
/* The first line and the value below it, as a seed. */
void fuzz_seed_json(const char *name, const char *line, const struct json_t *value);
