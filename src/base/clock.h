/* Time, through one door, so that tests can turn the clock.
 *
 * Wall time dates what people see and what is stored; monotonic time measures and sets timers. Any thread. */
#pragma once

#include <stdint.h>
#include <time.h>

/* Milliseconds since 1970-01-01 UTC. */
int64_t clock_wall_ms(void);
/* The part of the system's second that is over, whatever tests do to time: for what only has to differ. */
int64_t clock_system_fraction_ns(void);
/* Milliseconds since some fixed moment; never goes back. */
int64_t clock_monotonic_ms(void);
int64_t clock_monotonic_ns(void);
/* The same at a quarter of the cost, but for the last few milliseconds, by which it is behind: for limits of seconds.
 */
int64_t clock_monotonic_coarse_ms(void);

/* Real milliseconds to wait until `ms` of our time have gone by; at least 1 for more than 0. For timers of the loop. */
uint64_t clock_timer_ms(int64_t ms);

/* The moment, on the system's monotonic clock, so many real milliseconds from now: for pthread_cond_timedwait(3). */
struct timespec clock_real_moment_in_ms(int64_t real_ms);

/* The system's monotonic clock itself: for what a test's fast or standing time must not stretch. */
int64_t clock_real_ns(void);

/* Processor time that the calling thread has used, in microseconds; a matter of the machine, as the one above. */
int64_t clock_thread_us(void);

/* How much of our time goes by in `real_ms` real milliseconds: for limits on what other machines do. */
int64_t clock_from_real_ms(int64_t real_ms);

/* For tests: a real second lasts `factor` seconds (at least 1) on both clocks, so that hours pass in seconds. Wall time does
 * so since the moment `since_wall_ms` (0: now): lives that name the same one agree on the time. Once, before other
 * threads read the time. */
void clock_set_speed(int64_t factor, int64_t since_wall_ms);

/* For tests: from now on both clocks stand still and are moved by hand; wall time starts at `wall_ms`. */
void clock_freeze(int64_t wall_ms);
void clock_advance(int64_t ms);
void clock_unfreeze(void);

/* "2026-01-02T03:04:05.678Z" (RFC 3339), terminated. */
#define CLOCK_RFC3339_SIZE 25
void clock_format_rfc3339(int64_t wall_ms, char ret[CLOCK_RFC3339_SIZE]);
