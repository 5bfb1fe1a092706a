/* A real HTTP server for tests: plain sockets on 127.0.0.1, a thread a connection, one behaviour a path.
 *
 *   /ok  /status/N  /bytes/N  /error-bytes/N  /chunked/N  /truncated  /truncated-chunk  /reset  /garbage  /silent  /loop
 *   /redirect/CODE?TARGET  /redirect-body/CODE?TARGET  /big-headers  /folded (white space before the first header)
 *   /echo          the request as the body
 *   /announce/N    that Content-Length, ten bytes, then silence
 *   /promise/STATUS/LENGTH   that Content-Length, then silence
 *   /drip          one byte, then silence
 *   /trickle       a byte every tenth of a second
 *   /hints         an interim reply first
 *   /only-hints    and nothing more
 *   /beyond        a status of four digits
 *   /switches/N    101, and N bytes of whatever it has switched to
 *   /mortal        closes unanswered unless it is its connection's first request
 *   /dies          notes the body; closes unanswered if it is not its connection's first request
 *   /step          a piece for each server_step
 *   /farewell      an answer; after a server_step the head of a 408 that nobody asked for, after another its body and the end */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct server;

struct server *server_start(void);
/* Wakes all that are silent, and waits for every thread. */
void server_stop(struct server *server);
unsigned server_port(const struct server *server);
unsigned server_connections(struct server *server);
unsigned server_requests(struct server *server);
/* The bodies of the requests to /dies, "a;b;". */
void server_bodies(struct server *server, char *ret, size_t size);
/* One piece more of /step. */
void server_step(struct server *server);
/* Until so many readers of /step have closed their connections, or had a piece of their /farewell. */
void server_await_gone(struct server *server, unsigned count);
