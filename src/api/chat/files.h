/* Our own URLs among the messages of a request to a language model. HTTP thread. */
#pragma once

#include "api/internal.h"

struct json_t;

/* Media parts whose URL is one of ours (api/file/own_file.h) get the file itself, as a data URI: so the model has what it was given,
 * whether or not its service can reach us, and even if the file is deleted while the task waits. What is more than fits
 * into a request stays a URL where the setting public_url says that others reach us, else it is ERR_FILE_TOO_LARGE.
 * ERR_INVALID_URL: its time is over, or the file was deleted. The fault's param is the part's path. */
enum err chat_take_files(struct api *api, const struct config *config, struct json_t *request,
                         struct fault *fault) must_check;
