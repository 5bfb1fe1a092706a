/* Small blocks of the heap that a busy thread has freed and will want again.
 *
 * glibc keeps seven a size for each thread; an exchange with a service makes and frees hundreds of JSON values and Lua
 * tables, and for all the others it looks through its lists. Every block here is malloc's: who got one may free it as
 * any other, on any thread, and who has another may give it here. */
#pragma once

#include <stddef.h>

#include "base/compiler.h"

/* From here on this thread keeps what is given to handy_free, up to HANDY_SIZE_BYTES of each size and none that is larger
 * than HANDY_MAX; a thread that has not said so frees it. With sanitizers nothing is kept: they have to see it go. */
#define HANDY_MAX ((size_t)1032)
#define HANDY_MIN ((size_t)24)  /* what malloc's smallest block holds on 64-bit machines */
#define HANDY_STEP ((size_t)16) /* from one of its sizes to the next */
#define HANDY_SIZE_BYTES ((size_t)16 << 10)
void handy_begin(void);
/* Frees what this thread keeps; it goes on keeping. */
void handy_drop(void);
/* Frees it, and keeps nothing any more: before the thread ends. */
void handy_end(void);

/* As malloc(3), NULL when there is none. */
void *handy_new(size_t size) must_check;
/* As free(3). */
void handy_free(void *block);
