/* A client of plain sockets. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "http/server.h"

/* Connected; the caller closes it. */
int dial(struct http_server *server);
void say(int fd, const char *words);
/* Both, with nothing between them that could take long. */
int dial_and_say(struct http_server *server, const char *words);
/* Reads until `last` was seen `times` times, or the connection's end. */
void hear(int fd, char *heard, size_t size, const char *last, int times);
/* Reads to the connection's end. */
bool has_ended(int fd);
/* Returns once the server has so many. */
void await_connections(struct http_server *server, unsigned count);
