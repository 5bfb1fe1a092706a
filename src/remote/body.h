/* A request's body as bytes: JSON, a form, parts with files in them, or text. The engine's thread. */
#pragma once

#include "base/buffer.h"
#include "base/errors.h"

struct adapter_request;
struct attempt;

#define BODY_TYPE_SIZE 128

/* Appends the body to `buf`, whose maximum is the bound; its Content-Type goes to ret_type. Files of parts are the
 * attempt's (NULL: it has none). ERR_SCRIPT for a file that it has not, ERR_IO for one that cannot be read,
 * ERR_REQUEST_TOO_LARGE. */
enum err body_render(const struct adapter_request *request, const struct attempt *attempt, struct buffer *buf,
                     char ret_type[BODY_TYPE_SIZE], struct fault *fault) must_check;
