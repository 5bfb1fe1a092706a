/* `model check` and `provider check`: the samples in Lua files, run and reported. */
#pragma once

#include "cli/command.h"

/* Runs the samples of every file named on the command line; EXIT_FAILED when one fails or a file is wrong. */
int check_files(const struct invocation *call);
