/* Why a call to a language model failed: what the engine has to know, and what a client of OpenAI's API is told. */
#pragma once

#include <stdint.h>

#include "core/failure.h"
#include "core/task.h"

struct chat_failure {
    enum task_error error;
    enum failure_scope scope;
    bool retryable;      /* a fresh attempt may help */
    int http_status;     /* what the service said; 0: under HTTP 200, or nothing came */
    int64_t delay_ms;    /* the service's own word on when to try again; 0: none */
    char message[512];   /* the service's words, cut; "": none. May repeat a key: whoever shows it hides secrets first */
    char type[64];       /* "invalid_request_error", …; "": none */
    char code[64];       /* "context_length_exceeded", …; "": none */
    char param[64];      /* the field that it names; "": none */
};
