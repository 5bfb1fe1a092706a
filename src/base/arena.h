/* Memory that lives as long as one request or one attempt, freed in one stroke.
 *
 * Born with a maximum (S3); an allocation that would pass it returns NULL. One thread at a time. */
#pragma once

#include <stddef.h>

#include "base/text.h"

struct arena_block;
struct arena {
    struct arena_block *blocks;
    size_t used; /* bytes handed out */
    size_t max;
};

void arena_init(struct arena *arena, size_t max);
void arena_fini(struct arena *arena);
/* Makes room for so much at once, of an arena with nothing in it, whose maximum is no less. False: memory is out. */
bool arena_reserve(struct arena *arena, size_t size) must_check;

/* Zeroed, aligned for any type; NULL when the maximum is reached or memory is out. */
void *arena_alloc(struct arena *arena, size_t size) must_check;
/* A terminated copy; ptr is NULL on failure. */
struct text arena_text(struct arena *arena, struct text t);
char *arena_string(struct arena *arena, struct text t);
char *arena_printf(struct arena *arena, const char *format, ...) printf_like(2, 3);
