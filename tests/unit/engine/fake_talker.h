/* Language models' services gamma and delta, and their test mode, as far as the engine sees them. What an attempt does, its
 * request says for its key, else for its provider:
 *
 *   {"gamma": "ok"}         writes two chunks and completes
 *   "hold"                  writes as many chunks as talker_say has asked for, until talker_finish or a cancel
 *   "down"                  certainly made nothing: out of reach
 *   "busy"                  the same: too much at a time, for a minute
 *   "key"                   the same: the key is refused
 *   "bad"                   the same: what was asked for is wrong, in the service's words
 *   "lost"                  nobody knows
 *   "broken"                writes a chunk, and breaks off
 *
 * What was not said is "ok". "tokens" are the output's, else as many as there were chunks; "message" goes into the
 * completion's message. Every attempt is noted. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "provider/driver.h"

extern const struct driver_ops fake_talker;
extern const struct driver_ops fake_talker_simulator;

struct adapter;
/* gamma's and delta's; NULL for any other name. */
const struct adapter *talker_adapter(const char *name);

/* While no engine runs. */
void talker_reset(void);
/* The keys of all attempts so far, in order, joined by spaces; "-" for one without. */
void talker_keys(char *ret, size_t size);
unsigned talker_started(void);
/* Attempts that the driver has told the end of. */
unsigned talker_ended(void);
/* Whether the last attempt's model was to think. */
bool talker_last_reasons(void);
/* Those that hold, now and later, write chunks up to that number each. */
void talker_say(unsigned chunks);
/* Lets `count` of those that hold, or will, complete. */
void talker_finish(unsigned count);
