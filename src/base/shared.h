/* Texts that many hold alike: one copy for all of them, which goes with the last one.
 *
 * Of a hundred thousand tasks most have the same model, the same group, and jobs that are named alike. Any thread. */
#pragma once

#include <stddef.h>

#include "base/compiler.h"
#include "base/text.h"

/* A terminated copy that others may hold as well, not to be written to; equal texts, NUL bytes included, are the same
 * pointer as long as anybody holds one. Lasting memory (base/lasting.h). */
const char *shared_text(struct text t) must_check;
/* Its length, in one step. */
size_t shared_length(const char *shared) must_check;
/* What shared_text returned, once for each time; NULL is fine. */
void shared_drop(const char *shared);
/* Different ones that are held now. */
size_t shared_count(void);
