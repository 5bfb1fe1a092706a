/* A service that says what a test tells it to: plain sockets on 127.0.0.1, a thread a connection.
 *
 * Each place ("POST /jobs", a prefix of the request's first line) has replies in a row, of which the last stays for
 * ever. All requests are remembered. A request to a place without replies is answered 599, which no adapter takes for
 * good. */
#pragma once

#include <stddef.h>

struct fake_service;

enum fake_end {
    FAKE_KEEP,  /* the connection stays open */
    FAKE_CLOSE, /* closed after the bytes */
    FAKE_RESET, /* reset after the bytes */
    FAKE_HOLD   /* nothing more comes until fake_release */
};

struct fake_service *fake_service_start(void);
void fake_service_stop(struct fake_service *service);
unsigned fake_service_port(const struct fake_service *service);

/* A whole reply with this body; `type` may be NULL: application/json. `headers` are lines that end with \r\n, or NULL.
 */
void fake_reply(struct fake_service *service, const char *place, int status, const char *headers, const char *body);
void fake_reply_typed(struct fake_service *service, const char *place, int status, const char *type, const void *body,
                      size_t len);
/* These bytes, whatever they are. */
void fake_bytes(struct fake_service *service, const char *place, const char *bytes, enum fake_end end);
/* All that are held go on: their connections close. */
void fake_release(struct fake_service *service);
/* A held reply that is whole when released. */
void fake_reply_held(struct fake_service *service, const char *place, int status, const char *body);

/* How many requests to the place came; any thread. */
unsigned fake_count(struct fake_service *service, const char *place);
/* The n-th of them (from 0), header and body; freed by the caller. */
char *fake_request(struct fake_service *service, const char *place, unsigned n);
/* The most that were under way at a time. */
unsigned fake_most(struct fake_service *service);
