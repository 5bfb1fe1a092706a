/* Remote providers alpha and beta, as far as the engine sees them: one driver, whose attempts do what the task's input says
 * for their key, else for their provider:
 *
 *   {"alpha": "ok"}         takes the job and completes it with the input as output
 *   "hold"                  takes the job and keeps it until service_release, or a resume in another life
 *   "fail"                  takes the job, which fails and may be tried again
 *   "down"                  certainly takes nothing: out of reach
 *   "busy"                  takes nothing the first time: too much at a time
 *   "key", "account"        takes nothing: the key is refused, its account is empty
 *   "unable"                takes nothing: it cannot be asked for that
 *   "bad"                   takes nothing: what was asked for is wrong
 *   "lost"                  nobody knows whether it took it
 *   "silent"                never answers; the next life cannot find out
 *
 * What was not said is "ok". Every submission is noted. */
#pragma once

#include <stddef.h>

#include "provider/driver.h"

extern const struct driver_ops fake_service;

struct adapter;
/* alpha's and beta's; NULL for any other name. */
const struct adapter *service_adapter(const char *name);

/* While no engine runs. */
void service_reset(void);
/* What their adapters say of a key's own room; 0: nothing. */
void service_set_key_concurrency(unsigned concurrency);
/* The keys of all submissions so far, in order, joined by spaces. */
void service_submissions(char *ret, size_t size);
unsigned service_submission_count(void);
/* Jobs gone on with. */
unsigned service_resumed(void);
/* From now on a job that the service has sleeps when it is let, and wants to be woken after so long; 0: none sleeps. */
void service_sleep_for(int64_t real_ms);
/* Jobs that sleep now, and that were woken so far. */
unsigned service_asleep(void);
unsigned service_woken(void);
/* Lets every job that is held complete, now and from now on. */
void service_release(void);
