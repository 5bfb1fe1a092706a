/* The word that was probably meant by one that is unknown. Pure, any thread. */
#pragma once

/* The name of the list (NULL at its end) that differs least from `name`, by two letters at most and by less than half of
 * it: letters added, dropped, changed or swapped. NULL when none is that near. */
const char *nearest_name(const char *name, const char *const *names);
