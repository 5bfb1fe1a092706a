/* Drives a curl multi handle by a libuv loop: sockets by uv_poll, curl's one timer by uv_timer, or within a round of the loop where it
 * is for now. Loop thread only. */
#pragma once

#include <stdbool.h>

#include "base/errors.h"

struct curl_loop;
struct uv_loop_s;

/* `finished` is called for each transfer that ended, with its easy handle already taken off the multi handle and curl's
 * result code; it runs outside of curl, so it may start and stop transfers. `settled` follows each round of
 * work, and each curl_loop_wake. */
struct curl_loop_events {
    void (*finished)(void *context, void *easy, int code);
    void (*settled)(void *context);
    void (*paused)(void *context); /* after curl_loop_pause; outside of curl as well */
    void *context;
};
/* The first one in the process begins curl and OpenSSL. ERR_NO_MEMORY, ERR_IO (no socket). */
enum err curl_loop_new(struct uv_loop_s *loop, unsigned connections_kept, const struct curl_loop_events *events,
    struct curl_loop **ret, struct fault *fault) must_check;
/* All transfers must be off. The memory goes once the loop has run the closing callbacks. NULL is fine. */
void curl_loop_free(struct curl_loop *loop);

/* Not while curl_loop_inside(). */
enum err curl_loop_add(struct curl_loop *loop, void *easy) must_check;
void curl_loop_remove(struct curl_loop *loop, void *easy);
/* Whether curl is calling us right now, so that its multi handle must be left alone. */
bool curl_loop_inside(const struct curl_loop *loop);
/* A socket was opened for a transfer. From within curl. */
void curl_loop_opened(struct curl_loop *loop, int socket);
/* Asks for `settled` soon. */
void curl_loop_wake(struct curl_loop *loop);
/* Asks for `paused` after that time, unless that was done already. */
void curl_loop_pause(struct curl_loop *loop, unsigned ms);
