/* Names of models, and the search for a wildcard that fits one.
 *
 * Wildcards are sorted by what stands before their '*'. All of those that a name begins with sort before it, and the
 * last one that sorts before it begins with them; so they are found by one binary search and a walk along `next`,
 * longest first. */
#include "catalog/name.h"

#include <stdlib.h>

#include "base/memory.h"
#include "catalog/builder.h"

static const bool is_letter[256] = { ['a' ... 'z'] = true, ['A' ... 'Z'] = true, ['0' ... '9'] = true };

/* Letters, digits and those others, and the first of them a letter or digit, as is the first after each '/': a name may
 * become part of a path. */
static bool name_of(struct text name, struct text others) {
    bool begins = true;
    for (size_t i = 0; i < name.len; i++) {
        bool letter = is_letter[(unsigned char)name.ptr[i]];
        if (!letter && (begins || text_find(others, name.ptr[i]) == others.len)) {
            return false;
        }
        begins = name.ptr[i] == '/';
    }
    return name.len > 0 && name.len <= MODEL_NAME_MAX && !begins;
}

bool name_plain(struct text name) {
    return name_of(name, TEXT(".-_"));
}

bool name_of_llm(struct text name) {
    return name_of(name, TEXT(".-_/:"));
}

bool name_wildcard(struct text name) {
    if (name.len == 0 || name.ptr[name.len - 1] != '*') {
        return false;
    }
    struct text prefix = { name.ptr, name.len - 1 };
    if (text_ends(prefix, TEXT("/"))) {
        prefix.len--;
    }
    return name.len == 1 || (name.len <= MODEL_NAME_MAX && name_of_llm(prefix));
}

static int compare(struct text a, struct text b) {
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common > 0 ? memcmp(a.ptr, b.ptr, common) : 0;
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int by_prefix(const void *a, const void *b) {
    return compare(((const struct wildcard *)a)->prefix, ((const struct wildcard *)b)->prefix);
}

void wildcards_make(struct catalog *catalog) {
    catalog->wildcards = mem_new_array(catalog->definition_count + 1, sizeof(*catalog->wildcards));
    for (unsigned i = 0; i < catalog->definition_count; i++) {
        struct text name = text_of(catalog->models[i]->name);
        if (model_is_wildcard(catalog->models[i])) {
            struct text prefix = { name.ptr, name.len - 1 };
            catalog->wildcards[catalog->wildcard_count++] = (struct wildcard){ prefix, catalog->models[i], -1 };
        }
    }
    qsort(catalog->wildcards, catalog->wildcard_count, sizeof(*catalog->wildcards), by_prefix);
    for (unsigned i = 1; i < catalog->wildcard_count; i++) {
        int at = (int)i - 1;
        while (at >= 0 && !text_starts(catalog->wildcards[i].prefix, catalog->wildcards[at].prefix)) {
            at = catalog->wildcards[at].next;
        }
        catalog->wildcards[i].next = at;
    }
}

const struct model *wildcards_find(const struct catalog *catalog, struct text name) {
    if (catalog->wildcard_count == 0 || !name_of_llm(name)) {
        return NULL;
    }
    unsigned low = 0, high = catalog->wildcard_count;
    while (low < high) { /* how many sort before the name */
        unsigned middle = (low + high) / 2;
        if (compare(catalog->wildcards[middle].prefix, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    int at = (int)low - 1;
    while (at >= 0 && !text_starts(name, catalog->wildcards[at].prefix)) {
        at = catalog->wildcards[at].next;
    }
    return at >= 0 ? catalog->wildcards[at].model : NULL;
}

bool model_is_wildcard(const struct model *model) {
    return text_ends(text_of(model->name), TEXT("*"));
}
