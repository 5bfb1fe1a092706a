/* Parts of model_schema; for this folder alone. */
#pragma once

#include "base/compiler.h"

struct json_t;
struct model;

#define SCHEMA_DIALECT "https://json-schema.org/draft/2020-12/schema"

/* What a submission to the language model may say. */
struct json_t *schema_of_llm(const struct model *model) must_check;
