/* uthash's tables. Without memory for one the process aborts, as everywhere where a small thing finds none; by itself uthash
 * would leave by exit(3), from whatever thread, and clean up while the others still run. */
#pragma once

#include "base/memory.h"

#define uthash_fatal(message) mem_fail()
#include <uthash.h> /* IWYU pragma: export */
