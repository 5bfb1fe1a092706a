/* A catalogue, a bridge and a configuration without Lua: what the engine asks of them, from constants.
 *
 * The input of every model says what its driver is to do (fake_driver.h); the "results" of its output name artifact N as
 * "@N", and "artifacts" lists the sources. */
#pragma once

#include "config/config.h"
#include "engine/setup.h"

/* Models: "image" (local: repeatable, can be cancelled), "remote" (neither), "quick" (local, one second), "files" (needs
 * files and a directory), "upstream" (fake_upstream.h), "chat" and "chat-both" (fake_talker.h),
 * "gone" (only in a catalogue that is made with it), "audio". */
struct setup *fake_setup(const char *directory, const struct config *limits);

/* How "upstream" signs its webhooks, JSON; NULL: not at all. While no engine runs. */
void fake_signature(const char *signature);
