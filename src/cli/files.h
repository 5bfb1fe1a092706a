/* `model check` and `provider check`: the samples in Lua files, run and reported. */
#pragma once

#include "cli/command.h"

/* Runs the samples of every file named on the command line; EXIT_FAILED when one fails or a file is wrong. `folder`: where
 * in the catalogue a bare name has its file, "providers/"; NULL: names are paths. */
int check_files(const struct invocation *call, const char *folder);
