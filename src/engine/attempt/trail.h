/* What a driver tells on the way, written down: that the service has the job, and lines for the timeline.
 *
 * Engine's thread. */
#pragma once

struct attempt;

/* For attempt->taken: remote id and `kept` become durable (T3), with an event. */
void trail_taken(struct attempt *attempt, const char *remote, const char *kept);
/* For attempt->note. Beyond a bound they are left out. */
void trail_note(struct attempt *attempt, const char *kind, const char *data);
