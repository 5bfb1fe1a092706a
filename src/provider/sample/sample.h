/* Small real files for test mode: what stands where a provider would have delivered its work. Pure, any thread.
 *
 * The same source gives the same bytes; another seed gives other bytes. */
#pragma once

#include <stdint.h>

#include "base/buffer.h"
#include "base/errors.h"

struct json_t;

/* What a source {"generate": kind, …} asks for, checked and brought into bounds. */
struct sample {
    unsigned width, height; /* pixels */
    double seconds;
    uint64_t seed;
    struct text label; /* valid UTF-8, may be empty */
};

/* Appends the file that {"generate": "image" | "audio" | "video" | "pdf" | "text", …} describes: a PNG in the asked proportions, 128 pixels a
 * side at most ("width", "height"); a WAV of two seconds at most ("seconds"); an MP4 of one second, whatever is asked; a "pdf" of
 * one page; a "text" of one line.
 * ERR_SCRIPT: an unknown kind, the mistake of a model file. ERR_NO_MEMORY: the buffer's maximum is too small. */
enum err sample_make(const struct json_t *generate, struct buffer *buf) must_check;

/* The kinds; failure is the buffer's. */
void sample_put_image(const struct sample *sample, struct buffer *buf);
void sample_put_audio(const struct sample *sample, struct buffer *buf);
void sample_put_video(const struct sample *sample, struct buffer *buf);
void sample_put_pdf(const struct sample *sample, struct buffer *buf);
void sample_put_text(const struct sample *sample, struct buffer *buf);

/* The next of a sequence that looks random and follows from *state alone (SplitMix64). */
uint64_t sample_next(uint64_t *state);
void sample_put_u32_big(struct buffer *buf, uint32_t number);
