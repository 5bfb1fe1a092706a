/* Who uses the command line, for the record of changes. */
#pragma once

#include "base/text.h"

#define CLI_ACTOR_SIZE 128
/* "cli:" and the system's user, by name or number. */
struct text cli_actor(char buffer[CLI_ACTOR_SIZE]);
