/* The system's name of the user, where it has one. */
#include "cli/actor.h"

#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

struct text cli_actor(char buffer[CLI_ACTOR_SIZE]) {
    const struct passwd *user = getpwuid(getuid());
    if (user != NULL)
        snprintf(buffer, CLI_ACTOR_SIZE, "cli:%s", user->pw_name);
    else
        snprintf(buffer, CLI_ACTOR_SIZE, "cli:%lu", (unsigned long)getuid());
    return text_of(buffer);
}
