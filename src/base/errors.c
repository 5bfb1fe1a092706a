/* The table of errors, and how a failure gets its words. */
#include "base/errors.h"

#include <stdarg.h>

static const struct err_info infos[ERR_COUNT] = {
#define X(name, http, type, code, retry) [name] = { #name, http, type, code, retry },
    ERR_TABLE(X)
#undef X
};

const struct err_info *err_info(enum err err) {
    return &infos[(unsigned)err < ERR_COUNT ? err : ERR_INTERNAL];
}

/* Copies as much of the string as fits, whole characters only. What it quotes may be no UTF-8, as a piece of a script's
 * source in Lua's words is; what is said always is. */
static void put_clipped(char *ret, size_t size, const char *string) {
    struct text clipped = text_clip(text_of(string), size - 1);
    size_t len = 0;
    while (len < clipped.len) {
        size_t length = text_utf8_length((struct text){ clipped.ptr + len, clipped.len - len });
        if (length == 0) {
            ret[len++] = '?';
            continue;
        }
        memcpy(ret + len, clipped.ptr + len, length);
        len += length;
    }
    ret[len] = '\0';
}

/* The arguments may be parts of *fault itself ("while …: %s"), so all is put together before anything is written. */
static void printf_like(4, 0)
    fill(struct fault *fault, enum err err, const char *param, const char *format, va_list args) {
    if (fault == NULL) {
        return;
    }
    struct fault filled = { .err = err };
    char words[sizeof(filled.message) + 1]; /* one byte more shows whether the cut is inside a character */
    if (vsnprintf(words, sizeof(words), format, args) < 0) {
        words[0] = '\0';
    }
    put_clipped(filled.param, sizeof(filled.param), param);
    put_clipped(filled.message, sizeof(filled.message), words);
    *fault = filled;
}

enum err fault_set(struct fault *fault, enum err err, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fill(fault, err, "", format, args);
    va_end(args);
    return err;
}

enum err fault_set_param(struct fault *fault, enum err err, const char *param, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fill(fault, err, param, format, args);
    va_end(args);
    return err;
}
