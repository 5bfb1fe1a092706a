/* Drivers that do what a task's input tells them:
 *
 *   {"do": "succeed", "progress": [10, 50], "results": […], "artifacts": […]}   the input itself is the output
 *   {"do": "fail", "error": "service_error", "retryable": true, "fails": 2}     fails that many times, then succeeds
 *   {"do": "hold"}                                                              until fake_release or a cancel
 *   {"do": "hold", "finishes": true}                                            a cancel comes too late: it succeeds
 *   {"do": "refuse"}                                                            does not start
 *
 * "local" is repeatable and can be cancelled, "remote" is neither, "files" needs files and a directory, "simulator" is as
 * local; "service" speaks for a service elsewhere: it gives headers for its own files, and takes its inputs in the form
 * that the input's "form" names; with "remote": "ID" the service has the job, and when it is asked once more the output is
 * the next of "renewed": [{…}]. What was started is noted in order. */
#pragma once

#include <stdbool.h>

#include "provider/driver.h"

extern const struct driver_ops *const fake_drivers[];

/* Forgets what was noted. While no engine runs. */
void fake_reset(void);
/* Number of attempts started so far, and the task of one of them. */
unsigned fake_started(void);
void fake_started_task(unsigned at, char *ret, size_t size);
/* The attempts that run now; the most at a time. */
unsigned fake_running(void);
unsigned fake_running_most(void);
/* What the last attempt of "service" had as its files: JSON text, freed by the caller; NULL: it had none. */
char *fake_last_values(void);
/* The host and port whose files "service" gives headers for. */
void fake_set_home(const char *host_port);
/* Lets `count` of the attempts that hold, or will, succeed; oldest first. */
void fake_release(unsigned count);
/* The text of the first file of the last attempt of "files"; its media type; empty when there was none. */
void fake_last_file(char *ret, size_t size, char *ret_type, size_t type_size);
