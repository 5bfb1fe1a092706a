/* The rendered description of the API, as it was last asked for. Any thread. */
#pragma once

#include "base/compiler.h"

struct openapi;

/* Freed by openapi_free, which takes NULL. */
struct openapi *openapi_new(void) must_check;
void openapi_free(struct openapi *openapi);
