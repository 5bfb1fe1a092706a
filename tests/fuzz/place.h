/* A directory of the process's own, in memory where there is such a place, gone at its end. */
#pragma once

/* Made with the first call; an absolute path. */
const char *place(void);
/* Removes the directory and all that is in it. */
void place_remove(const char *directory);
