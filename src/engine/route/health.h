/* How providers, their keys and their routes fare, and so which of them may be used now.
 *
 *   provider ── keys    a breaker each (refused, no balance, too much at a time, out of reach), and slots of their own
 *            └─ routes  a breaker each, by the provider's name of the model: one broken model does not stop the others
 *
 * Kept by name and fingerprint over a reload. A provider without keys (a service on the own network) has one nameless
 * key. Providers of this machine are unknown here, and always well. Engine's thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/failure.h"
#include "core/task.h"

struct bridge;
struct config;
struct health;
struct key_slot;
struct uv_loop_s;

#define KEY_FINGERPRINT_SIZE 13

/* `changed(context)` is called, from the loop, when something has to cool down, works again, or may be tried again. */
struct health *health_new(struct uv_loop_s *loop, void (*changed)(void *context), void *context) must_check;
/* NULL is fine. The timer's memory goes once the loop has run its closing callbacks. */
void health_free(struct health *health);
/* The providers and keys that there are from now on; refused ones are tried again. Those that are gone stay until their
 * attempts have ended. What the settings do not say of a key's own room, the provider's adapter may. */
void health_configure(struct health *health, const struct config *config, const struct bridge *bridge);

/* Attempts that the provider's usable keys have room for, those that run included; 0: none is usable now. `limit` bounds
 * it. */
unsigned health_room(struct health *health, const char *provider, unsigned limit);
/* Milliseconds until an attempt at that route may begin, 0: now. */
int64_t health_wait_ms(struct health *health, const char *provider, const char *target);
/* What an operator must mend before the provider can be used at all: all keys are refused, or without balance.
 * TASK_ERROR_NONE: nothing, or waiting helps. */
enum task_error health_refusal(struct health *health, const char *provider);

/* The usable key with the least to do, taken for an attempt at the route; NULL when there is none now. */
struct key_slot *health_take(struct health *health, const char *provider, const char *target) must_check;
/* The key of that fingerprint, taken without asking how it fares, for an attempt that goes on; another one of the
 * provider's when it is gone (its fingerprint tells); NULL when there is none at all. */
struct key_slot *health_take_again(struct health *health, const char *provider, const char *fingerprint) must_check;
/* The attempt has ended. */
void health_give(struct health *health, struct key_slot *key);
/* The service took the job: key and route work. */
void health_worked(struct health *health, struct key_slot *key, const char *target);
/* The attempt failed. `error` is what a task is told that finds all keys so. True when something has to cool down now. */
bool health_failed(struct health *health, struct key_slot *key, const char *target, enum failure_scope scope,
                   enum task_error error, int64_t delay_ms);

/* Why an attempt with the key failed last, for operators; no secrets. */
void health_note(struct key_slot *key, const char *words);
/* The attempt ended and says nothing of how they fare. */
void health_unknown(struct health *health, struct key_slot *key, const char *target);

/* NULL for a provider without keys. Valid as long as the key is taken. */
const char *key_slot_secret(const struct key_slot *key);
/* Tells keys apart in store and timeline; "" for a provider without keys. */
const char *key_slot_fingerprint(const struct key_slot *key);
