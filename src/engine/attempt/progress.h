/* What a driver tells of an attempt's progress: it only ever rises, and is shown once it is durable. */
#pragma once

struct attempt;

/* For attempt->progress. Values that come while one is on its way to the store are left out but for the highest.
 * Engine's thread. */
void progress_report(struct attempt *attempt, int percent);
