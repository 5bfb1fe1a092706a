/* curl's handles, which serve many requests, one after the other, where libcurl is sound in that: to make one and to set all
 * of it takes some microseconds. They share their TLS sessions, and whom they believe. All of one thread. */
#pragma once

#include <stdbool.h>

#include "net/authorities.h"

struct Curl_URL;

#define HANDLES_MAX 128 /* that rest, some 6 KiB each: as many as may end in one turn of the loop */

struct handle {
    void *easy; /* curl's */
    struct Curl_URL *parts;
    char *url; /* where it leads, which is what `parts` has; NULL: nowhere yet, or curl did not take it apart */
};

struct handles {
    struct handle *resting[HANDLES_MAX];
    unsigned count;
    bool serve_again; /* libcurl is sound in that */
    void *sessions;   /* curl's share, of TLS sessions; NULL: none was made yet */
    struct authorities authorities;
};

/* None rests. Reads the environment, and asks libcurl its version, which it writes down anew each time: not while another
 * thread may ask, too. */
void handles_init(struct handles *handles);
/* Frees all that rest. None is used any more, nor any connection that one of them made. */
void handles_fini(struct handles *handles);

/* A new one with nothing set but what all share; the caller's, to be freed or laid by. NULL: curl has no memory. */
struct handle *handle_new(struct handles *handles);
void handle_free(struct handle *handle);
/* From now on it leads to this URL, which is copied. One that curl does not take is its own to complain of, once it runs. */
void handle_lead(struct handle *handle, const char *url);

/* One that rested, with all that was ever set on it; the caller's. NULL: there is none. */
struct handle *handles_take(struct handles *handles);
/* For the next request, if there is room and this libcurl's handles may serve twice, else it is freed; curl must be done
 * with it. */
void handles_lay_by(struct handles *handles, struct handle *handle);
/* Frees all but so many. */
void handles_drop(struct handles *handles, unsigned left);
