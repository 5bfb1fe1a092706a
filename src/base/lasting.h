/* Memory of small things that last and are many: what a task holds while it lives.
 *
 * They lie in pages of their own, side by side with others of their size: nothing is lost between them, and what
 * comes and goes around them leaves pages that the system can have back. Pages without any of them are given back,
 * but for one slab a size. Any thread. */
#pragma once

#include <stddef.h>

#include "base/compiler.h"
#include "base/text.h"

/* Zeroed; aborts when there is none, as mem_new. Sizes beyond LASTING_MAX come from the heap. */
#define LASTING_MAX ((size_t)1024)
void *lasting_new(size_t size) must_check;
/* A terminated copy. */
char *lasting_text(struct text t) must_check;
/* What the two above returned, and the size that was asked for; NULL is fine. */
void lasting_free(void *memory, size_t size);
void lasting_free_text(char *string);
/* Bytes of the pages that hold them now. */
size_t lasting_bytes(void);
