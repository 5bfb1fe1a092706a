/* What an HTTP thread has at hand, so that requests on several threads need not share it: the keys it looked up lately,
 * the setup in force, and paper to write an answer on. */
#pragma once

#include "base/compiler.h"

struct api;
struct auth_cache;
struct buffer;
struct desk;
struct setup;
struct setup_share;

/* For http_options. Calls may outlive the desk; to free NULL is fine. */
void *desk_new(void *api) must_check;
void desk_free(void *desk);

/* The desk's own. */
struct auth_cache *desk_auth_cache(struct desk *desk) must_check;
/* An empty buffer for a task's answer, with whatever memory its last user left; until the handler returns. The desk's thread. */
struct buffer *desk_paper(struct desk *desk) must_check;
/* The setup in force, for one request; ended by setup_share_unref. The desk's thread. */
struct setup_share *desk_setup(struct desk *desk) must_check;

/* A reference to a setup that one thread's requests share: the setup's own counter would go from one thread's cache to
 * the other's twice a request. */
struct setup *setup_share_get(const struct setup_share *share) must_check;
/* Any thread; NULL is fine. */
void setup_share_unref(struct setup_share *share);
