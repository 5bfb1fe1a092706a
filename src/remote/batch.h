/* One question about many jobs, for services that have one: jobs of one key that are due within a short while share it.
 * For this folder alone; the engine's thread. */
#pragma once

#include <stdbool.h>

struct job;
struct service;

/* The job waits for the next shared question. False: the service has none. */
bool batch_join(struct job *job);
/* It does not wait any more; nothing happens when it does not. */
void batch_leave(struct job *job);
/* After all jobs have left. */
void batch_close(struct service *service);
