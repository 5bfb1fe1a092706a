/* What the endpoints of files have in common. All on the HTTP thread. */
#pragma once

#include "api/internal.h"
#include "engine/file/upload.h"

struct json_writer;
struct json_t;

/* An upload, and what its endpoint goes by; the `work` of its call. */
struct file_work {
    struct exchange *exchange;
    struct upload upload;
    enum err err; /* of the upload */
    char *url;
    void *form; /* of the endpoint that takes forms, freed by free_form */
    void (*free_form)(void *form);
};

/* Takes one of the places for uploads: ERR_TOO_MANY_UPLOADS, ERR_OVERLOADED when there is none. The work is attached to the call, which gives
 * the place back. */
enum err file_begin(struct exchange *exchange, struct file_work **ret, struct fault *fault) must_check;
/* Reads what is given beside the file. ERR_TOO_LONG, ERR_INVALID_PARAM. */
enum err file_take_name(struct file_work *work, struct text name, struct fault *fault) must_check;
/* Hands it to the engine, and answers with the file once that is durable. */
void file_store(struct file_work *work);

/* A file as it is answered; `more`: with its type and when it goes. */
void file_put(struct json_writer *json, struct exchange *exchange, struct text base, const struct file_row *file,
              bool more);
/* The id in the path; ERR_FILE_NOT_FOUND when it is none. */
enum err file_id_of(struct exchange *exchange, struct file_id *ret, struct fault *fault) must_check;
