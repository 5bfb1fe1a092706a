/* An HTTP server within this process that says what an input says, at two addresses of this machine, and a wall around the
 * process: nothing else can be reached from it, and no name is resolved. For targets whose inputs are replies.
 *
 * What it says is a text, connection by connection, parted by lines "----"; {P} stands for its port. One that finds no part
 * left is closed without a word, as each is behind its last one. For a target that ends by itself what takes too long, a part may
 * end with {H}: its connection stays open. It lives on a loop of the target's. */
#pragma once

#include <stdbool.h>

#include <uv.h>

#include "base/buffer.h"
#include "base/text.h"

/* Listens, at 127.0.0.1 and "abroad" at 127.0.0.2, until the end of the process; it does not keep the loop alive. */
void server_open(uv_loop_t *loop);
unsigned server_port(void);
/* The two as "host:port", exempt from the guard (S1). */
const char *const *server_pairs(void);
#define SERVER_PAIRS 2

/* From now on {H} means that. */
void server_may_hold(void);
/* From now on it says this, which is the caller's and stays. `asked` is told of each request's head, the first with number
 * 0, before it is answered. */
void server_say(struct text script, void (*asked)(struct text head, bool abroad, unsigned number));
/* Turns the loop until no connection is open, nor one that was made just now. */
void server_rest(void);
/* Appends the text with the port in it. */
void server_put(struct buffer *buf, struct text text);
