/* What fuzz targets have in common: taking inputs apart, and saying what did not hold. */
#include "fuzz.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/memory.h"

void fuzz_broken(const char *file, int line, const char *condition, const char *format, ...) {
    va_list arguments;
    fprintf(stderr, "%s:%d: does not hold: %s", file, line, condition);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    abort();
}

void fuzz_seed_list(const char *name, const char *const *inputs) {
    for (unsigned i = 0; inputs[i] != NULL; i++) {
        char numbered[128];
        snprintf(numbered, sizeof(numbered), "%s-%u", name, i + 1);
        fuzz_seed(numbered, text_of(inputs[i]));
    }
}

struct text fuzz_line(struct text *input) {
    return text_cut(input, '\n');
}

uint8_t fuzz_byte(struct text *input) {
    if (input->len == 0) {
        return 0;
    }
    uint8_t byte = (uint8_t)input->ptr[0];
    input->ptr++;
    input->len--;
    return byte;
}

char *fuzz_copy(struct text t) {
    char *copy = mem_new(t.len > 0 ? t.len : 1);
    if (t.len > 0) {
        memcpy(copy, t.ptr, t.len);
    }
    return copy;
}

struct text fuzz_cut(struct fuzz_cuts *cuts, struct text *rest) {
    size_t size = rest->len;
    if (cuts->sizes.len > 0) {
        size = (uint8_t)cuts->sizes.ptr[cuts->next++ % cuts->sizes.len] % 64 + 1;
    }
    if (size > rest->len) {
        size = rest->len;
    }
    struct text piece = { rest->ptr, size };
    rest->ptr += size;
    rest->len -= size;
    return piece;
}

void fuzz_hold_fault(enum err err, const struct fault *fault) {
    fuzz_hold(err != OK);
    fuzz_hold(fault->err == err, "%s is returned, %s is said", err_info(err)->name, err_info(fault->err)->name);
    fuzz_hold(fault->message[0] != '\0', "%s", err_info(err)->name);
    fuzz_hold(text_is_utf8(text_of(fault->message)), "\"%s\"", fault->message);
    fuzz_hold(text_is_utf8(text_of(fault->param)), "\"%s\"", fault->param);
}

void fuzz_hold_field(enum err err, const struct fault *fault) {
    fuzz_hold_fault(err, fault);
    fuzz_hold(fault->param[0] != '\0', "%s: %s", err_info(err)->name, fault->message);
}

void fuzz_hold_round_trip(const json_t *value) {
    char *text = json_render(value);
    struct fault fault = { .err = OK };
    json_t *again = NULL;
    fuzz_hold(text != NULL);
    fuzz_hold(json_read_any(text_of(text), 1 << 20, &again, &fault) == OK, "%s: %s", fault.message, text);
    fuzz_hold(json_equal(value, again), "%s", text);
    json_decref(again);
    free(text);
}
