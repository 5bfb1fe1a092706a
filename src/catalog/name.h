/* Names of models: which there may be, and finding a model by one, through a '*' where there is no other; for this
 * folder alone. */
#pragma once

#include "base/text.h"

struct catalog;
struct model;

#define MODEL_NAME_MAX 100 /* bytes, of a definition's name and of one that is asked for */

/* "seedance-2.0": letters, digits, dots, dashes and _. Pure. */
bool name_plain(struct text name);
/* Of a language model: such names with '/' and ':' between them, "deepseek/deepseek-chat:free". Pure. */
bool name_of_llm(struct text name);
/* The same with a '*' at its end, as in ollama's "ollama/" and '*', or a '*' alone. Pure. */
bool name_wildcard(struct text name);

/* A name with '*' at its end, without it. */
struct wildcard {
    struct text prefix;
    const struct model *model;
    int next; /* the longest of the others that this one begins with; -1: none */
};
/* Gathers the wildcards of catalog->models, which is sorted by name. */
void wildcards_make(struct catalog *catalog);
/* The longest wildcard that the name, which must be one of a language model, begins with and goes on after; NULL: none.
 * Pure, any thread. */
const struct model *wildcards_find(const struct catalog *catalog, struct text name);
