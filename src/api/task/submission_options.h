/* What a client may say beside the task itself, in the body of every submission: callback_url, result_ttl, dry_run.
 *
 * They are no model's parameters, so they are taken off the body before a model sees it. HTTP thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/errors.h"
#include "base/text.h"

struct config;
struct exchange;
struct json_t;
struct submission;

#define FIELD_CALLBACK_URL "callback_url"
#define FIELD_RESULT_TTL "result_ttl"
#define FIELD_DRY_RUN "dry_run"

struct submission_options {
    struct json_t *callback_url; /* a JSON text, checked, with a reference; NULL: nobody is called back */
    struct text callback_base;   /* lives as long as the exchange and its setup */
    int64_t result_ttl_s;        /* 0: as the settings say */
    bool dry_run;
};

/* Whether a body asks for the price alone. */
bool submission_is_dry(const struct json_t *body);
/* Checks the fields and takes them off `body`; null counts as not there. Else a 422 that names the field:
 * ERR_INVALID_TYPE; ERR_TOO_LONG, ERR_INVALID_URL or ERR_BLOCKED_ADDRESS of callback_url; ERR_OUT_OF_RANGE of result_ttl;
 * then *ret is untouched. */
enum err submission_options_take(struct exchange *exchange, const struct config *config, struct json_t *body,
                                 struct submission_options *ret, struct fault *fault) must_check;
/* result_ttl of a body, which stays there; *ret is untouched when there is none. The errors are those of above. */
enum err result_ttl_read(const struct config *config, const struct json_t *body, int64_t *ret,
                         struct fault *fault) must_check;
/* For a request whose client waits for the answer itself: ERR_UNKNOWN_FIELD when it says what only a task can keep. */
enum err submission_options_expect_call(const struct submission_options *options, struct fault *fault) must_check;
/* Fills in what the engine goes by; texts are borrowed. */
void submission_options_apply(const struct submission_options *options, struct submission *submission);
/* Zeroed ones are fine. */
void submission_options_fini(struct submission_options *options);
