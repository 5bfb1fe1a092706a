/* What the tests of the driver for services share: a loop with everything on it, a fake service, attempts and what
 * became of them. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <uv.h>

#include "catalog/catalog.h"
#include "config/config.h"
#include "core/failure.h"
#include "fake_service.h"
#include "provider/driver.h"

int test_plan(void);
int test_read_json(void);
int test_submit(void);
int test_requests(void);
int test_poll(void);
int test_cancel(void);
int test_resume(void);
int test_hook(void);
int test_batch(void);
int test_reply_file(void);

#define TRIAL_KEY "fake-key-0123456789"
#define TRIAL_SUBMISSION "0123456789abcdef0123456789abcdef"

/* A catalogue of one adapter, and the driver that speaks for it. */
struct house {
    uv_loop_t loop;
    struct fake_service *service;
    struct courier *courier;
    struct config config;
    struct provider_config provider;
    struct bridge *bridge;
    struct driver *driver;
    struct model model;
    struct route route;
    char directory[64];
    char url[64];
};

/* `adapter` are the members of its table, @URL@ in it is the fake service; `url` is the operator's and leads to the
 * fake service. */
void house_open(struct house *house, const char *adapter);
/* The same, and the operator's URL leads elsewhere (NULL: there is none); private addresses are allowed or not. */
void house_open_at(struct house *house, const char *adapter, const char *url, bool allow_private);
void house_close(struct house *house);
/* Files of binary replies in its directory, whole or not. */
unsigned house_reply_files(const struct house *house);
/* Turns the loop until it is true; fails the test after a long while. */
void house_await(struct house *house, bool (*condition)(void *context), void *context);
/* Turns the loop until the place was asked so often. */
void house_await_count(struct house *house, const char *place, unsigned count);
/* Some turns of the loop, a short real time, for what must not happen. */
void house_linger(struct house *house, unsigned ms);

/* One attempt and all that was told of it. */
struct trial {
    struct attempt attempt;
    struct house *house;
    struct json_t *input;
    char remote[600], kept[4096];
    unsigned taken, done, refreshed, progressed, notes, directories;
    unsigned no_directory; /* so many times */
    int progress;
    char last_note[64], note_data[512];
    struct outcome outcome; /* texts and output copied below */
    char message[1200], detail[2200];
    struct json_t *output;
};

void trial_init(struct trial *trial, struct house *house);
/* Starts it, or fails the test. */
void trial_start(struct trial *trial);
void trial_await_done(struct trial *trial);
void trial_await_taken(struct trial *trial);
void trial_fini(struct trial *trial);
/* start, done, and the outcome's error must be this. */
void trial_run(struct trial *trial, enum task_error error);
/* The output as JSON text; freed by the caller. */
char *trial_output(const struct trial *trial);

/* A house with one attempt. */
struct scene {
    struct house house;
    struct trial trial;
};
struct scene *scene_open(const char *adapter);
void scene_close(struct scene *scene);
/* fake_reply without further headers. */
void scene_reply(struct scene *scene, const char *place, int status, const char *body);
unsigned scene_count(struct scene *scene, const char *place);
