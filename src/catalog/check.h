/* A check under way: the path it is at, and refusing a value in words; for this folder alone. */
#pragma once

#include "base/buffer.h"
#include "catalog/param.h"

struct check {
    struct fault *fault;
    size_t len;
    char path[sizeof(((struct fault *)0)->param)];
};

/* Appends to the path; what does not fit is cut. Returns the length to go back to. */
size_t check_enter(struct check *check, const char *format, ...) printf_like(2, 3);
/* The same with a field's name, after a dot where it is not the first: for every field of every submission. */
size_t check_enter_field(struct check *check, const char *name);
void check_leave(struct check *check, size_t len);

#define check_refuse(check, err, ...) fault_set_param((check)->fault, err, (check)->path, __VA_ARGS__)

/* What a value of the parameter is: "a text", "a whole number". */
const char *check_noun(const struct param *param);
enum err check_refuse_type(struct check *check, const struct param *param, const struct json_t *value);
enum err check_refuse_range(struct check *check, const struct param *param, const struct json_t *value);
/* The values that the parameter lists, separated by commas. */
void check_put_values(struct buffer *buf, const struct param *param);
