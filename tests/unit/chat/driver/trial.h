/* What the tests of the drivers for language models share: a loop with everything on it, a fake service, attempts and
 * what became of them. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <uv.h>

#include "base/buffer.h"
#include "catalog/catalog.h"
#include "chat/dialect/failure.h"
#include "chat/stream.h"
#include "config/config.h"
#include "core/failure.h"
#include "fake_service.h"
#include "provider/driver.h"

int test_whole(void);
int test_streamed(void);
int test_failures(void);
int test_stopping(void);
int test_media(void);
int test_simulator(void);

#define TRIAL_KEY "fake-key-0123456789"
#define CHAT "POST /v1/chat/completions "

/* A catalogue of one adapter, and a driver. */
struct house {
    uv_loop_t loop;
    struct fake_service *service;
    struct fetch_client *fetcher; /* for media; may fetch from the fake service where house_open says so */
    struct config config;
    struct provider_config provider;
    struct bridge *bridge;
    const struct driver_ops *ops;
    struct driver *driver;
    struct model model;
    struct route route;
    char directory[64];
    char url[64];
    char address[32];
};

/* The adapter speaks `dialect`, at the fake service; its media may be fetched from there, too. */
void house_open(struct house *house, const char *dialect);
/* The same with the driver for test mode. */
void house_open_test_mode(struct house *house);
/* The same as house_open at another URL (NULL: the fake service's), with private addresses allowed or not, for the
 * service and for media. */
void house_open_at(struct house *house, const char *dialect, const char *url, bool allow_private);
void house_close(struct house *house);
/* Turns the loop until it is true; fails the test after a long while. */
void house_await(struct house *house, bool (*condition)(void *context), void *context);
/* Turns the loop until so many requests came to the place. */
void house_await_count(struct house *house, const char *place, unsigned count);
/* A stream's head and these bytes. */
void house_stream(struct house *house, const char *place, const char *events, enum fake_end end);

/* One attempt and what became of it. */
struct trial {
    struct attempt attempt;
    struct house *house;
    struct json_t *input;
    unsigned done;
    struct outcome outcome; /* texts copied below */
    struct chat_failure failure;
    char message[600], detail[3000];
    struct buffer completion;
};

/* `body` is the request; `streams`: with a stream. */
void trial_init(struct trial *trial, struct house *house, const char *body, bool streams);
void trial_start(struct trial *trial);
void trial_await_done(struct trial *trial);
void trial_await_chunks(struct trial *trial, uint64_t count);
/* start, done, and the outcome's error must be this. */
void trial_run(struct trial *trial, enum task_error error);
/* The chunks, a line each; freed by the caller. */
char *trial_chunks(const struct trial *trial);
/* The completion, parsed; a new reference. */
struct json_t *trial_completion(const struct trial *trial);
void trial_fini(struct trial *trial);

#define HELLO "{\"model\":\"a-model\",\"messages\":[{\"role\":\"user\",\"content\":\"Say hello to the desert.\"}]}"
