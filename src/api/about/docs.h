/* The documentation page, put together once. Any thread. */
#pragma once

#include "base/compiler.h"

struct docs;

/* Freed by docs_free, which takes NULL. */
struct docs *docs_new(void) must_check;
void docs_free(struct docs *docs);
