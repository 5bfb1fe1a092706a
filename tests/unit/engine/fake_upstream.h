/* "upstream": a driver that holds every task until its service says more, by a question or of its own accord. The input
 * says what the service answers to a question:
 *
 *   {"says": 40, …}          its progress
 *   {"refresh": "told"}      at once (the default); "held": at upstream_answer(); "never"; "end": that the job is done, with
 *                            the input as its output; "fail": that it failed, and another attempt may help
 *
 * A webhook that is verified ends the job, and hears {"heard":true}; of any other a note is taken, no more. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "provider/driver.h"

extern const struct driver_ops fake_upstream;

/* Forgets what was noted. While no engine runs. */
void upstream_reset(void);
/* Questions asked so far, and webhooks told. */
unsigned upstream_questions(void);
unsigned upstream_hooks(void);
/* The last webhook, as JSON; whether it was verified. */
bool upstream_last_hook(char *ret, size_t size);
/* Answers all questions that are held. */
void upstream_answer(void);
/* Attempts that are held now. */
unsigned upstream_attempts(void);
