/* What fuzz targets are made of. A target is one file: it defines the functions below, and states with fuzz_hold what has
 * to be true of any input whatever. Two mains take it: libFuzzer's, which makes inputs up (libfuzzer.c), and a small one
 * of ours, which runs those to begin with and those that are kept (replay.c). One thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/errors.h"
#include "base/text.h"

struct json_t;

/* ---- defined by the target ---- */

/* Before the first input: what all of them need. It stays until the end of the process. */
void fuzz_begin(void);
/* Calls fuzz_seed for each input to begin with: what the fuzzing starts from, and what the replay runs first. After
 * fuzz_begin. */
void fuzz_seeds(void);
/* One input, of any bytes, in memory of exactly its size. Nothing may be left of it afterwards. */
void fuzz_one(struct text input);

/* ---- for targets ---- */

/* An input to begin with; the name is one of a file. Within fuzz_seeds. */
void fuzz_seed(const char *name, struct text input);
/* Several of a family, ended by NULL: "name-1", "name-2", …. */
void fuzz_seed_list(const char *name, const char *const *inputs);

/* Ends the process, saying what did not hold, unless it does. */
#define fuzz_hold(condition, ...)                                       \
    do {                                                                \
        if (!(condition))                                               \
            fuzz_broken(__FILE__, __LINE__, #condition, " " __VA_ARGS__); \
    } while (0)
no_return void fuzz_broken(const char *file, int line, const char *condition, const char *format, ...)
    printf_like(4, 5);

/* Takes the first line off the input, without its end. */
struct text fuzz_line(struct text *input);
/* Takes a byte off the input; 0 at its end. */
uint8_t fuzz_byte(struct text *input);

/* A copy of just so many bytes, so that a read behind them is seen; the caller frees it, also that of no bytes. */
char *fuzz_copy(struct text t) must_check;

/* Where an input is cut, as its first line says: each character is the size of a piece, over and over. */
struct fuzz_cuts {
    struct text sizes;
    size_t next;
};
/* The next piece of *rest, at least a byte of it where there is one. An empty line cuts nowhere. */
struct text fuzz_cut(struct fuzz_cuts *cuts, struct text *rest);

/* What has to be true of every refusal: `fault` says the error that was returned, in a sentence of UTF-8. */
void fuzz_hold_fault(enum err err, const struct fault *fault);
/* The same, and it names a field. */
void fuzz_hold_field(enum err err, const struct fault *fault);
/* Rendered and read again it is the same value. */
void fuzz_hold_round_trip(const struct json_t *value);
