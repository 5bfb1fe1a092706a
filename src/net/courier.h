/* Fetches on a thread of their own: for what comes in large, since its many bytes, and what is done with each piece of them,
 * would hold up everything else on the loop of those who want it; and for what comes in numbers, since that loop has enough to
 * do with the replies. That loop is called home here.
 *
 * All functions are called at home, and `done` comes there; the sink alone runs on the courier's thread. */
#pragma once

#include <stdbool.h>

#include "base/errors.h"

struct courier;
struct errand;
struct fetch_options;
struct fetch_request;
struct fetch_result;
struct uv_loop_s;

/* Before the home loop runs. The thread begins with the first errand. ERR_IO: there is no descriptor for its loop. */
enum err courier_new(struct uv_loop_s *home, const struct fetch_options *options, struct courier **ret, struct fault *fault)
    must_check;
/* Replaces the exempt pairs, for the errands sent from now on, and soon for the redirects of those under way. */
void courier_allow(struct courier *courier, const char *const *pairs, unsigned count);
/* Ends the thread. Errands still under way are stopped, and done before this returns; none can be sent then (ERR_OVERLOADED).
 * The memory is in use until the home loop has run its closing callbacks. */
void courier_close(struct courier *courier);
/* After that. NULL is fine. */
void courier_free(struct courier *courier);

/* As fetch_start, but: the sink is called on the courier's thread; `done` gets NULL if the errand was stopped, and the sink is
 * not called any more by then. *ret is good until `done`. ERR_OVERLOADED also when the thread cannot be started. */
enum err courier_send(struct courier *courier, const struct fetch_request *request, struct errand **ret,
    struct fault *fault) must_check;
/* Its `done` comes soon, and never from within this. Stopping it again changes nothing. */
void errand_stop(struct errand *errand);
/* Asks whether the courier gets on, if it has anything to do. False: it has not answered the last time yet. */
bool courier_ping(struct courier *courier) must_check;
