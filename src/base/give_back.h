/* Memory that nothing needs any more goes back to the system. */
#pragma once

/* What the heap keeps for later, and what glibc keeps for this thread, once it is much more than after the last time, or
 * when a time of much work is over; costs some milliseconds then, in which allocations wait. One thread, now and then. */
void give_back_heap(void);
/* What the start has taken and freed. Any thread; once, when all is up. */
void give_back_start(void);
