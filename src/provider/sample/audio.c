/* A WAV for test mode: PCM, 16 bits, 8 kHz, one channel; four notes of a pentatonic scale chosen by the seed. */
#include <math.h>

#include "provider/sample/sample.h"

#define RATE 8000
#define NOTES 4
#define LOUDNESS 9000.0
#define COMMENT_MAX 48
#define PI 3.14159265358979323846

static void put_u16(struct buffer *buf, uint16_t number) {
    const char bytes[] = { (char)number, (char)(number >> 8) };
    buffer_put(buf, (struct text){ bytes, sizeof(bytes) });
}

static void put_u32(struct buffer *buf, uint32_t number) {
    put_u16(buf, (uint16_t)number);
    put_u16(buf, (uint16_t)(number >> 16));
}

static void put_format(struct buffer *buf) {
    buffer_put(buf, TEXT("fmt "));
    put_u32(buf, 16);
    put_u16(buf, 1); /* PCM */
    put_u16(buf, 1); /* channels */
    put_u32(buf, RATE);
    put_u32(buf, RATE * 2); /* bytes a second */
    put_u16(buf, 2);        /* bytes a frame */
    put_u16(buf, 16);       /* bits */
}

/* Starts and ends at silence, so that notes do not click. One sine by its recurrence: no call a sample. */
static void put_note(struct buffer *buf, double hertz, unsigned samples) {
    double step = 2 * PI * hertz / RATE, twice_cosine = 2 * cos(step);
    double before = sin(-step), now = 0;
    for (unsigned i = 0; i < samples; i++) {
        double fade = 4.0 * i * (samples - i) / ((double)samples * samples);
        put_u16(buf, (uint16_t)(int16_t)(now * fade * LOUDNESS));
        double next = twice_cosine * now - before;
        before = now;
        now = next;
    }
}

static void put_notes(const struct sample *sample, unsigned samples, struct buffer *buf) {
    static const double scale[] = { 261.63, 293.66, 329.63, 392.00, 440.00, 523.25, 587.33, 659.26 };
    uint64_t state = sample->seed;
    for (unsigned note = 0; note < NOTES; note++) {
        put_note(buf, scale[sample_next(&state) % ARRAY_SIZE(scale)], samples / NOTES);
    }
}

void sample_put_audio(const struct sample *sample, struct buffer *buf) {
    unsigned samples = (unsigned)(sample->seconds * RATE) / NOTES * NOTES;
    char comment[COMMENT_MAX] = { 0 }; /* all of it is written, zeros included */
    snprintf(comment, sizeof(comment), "test mode, seed %llu", (unsigned long long)sample->seed);
    buffer_put(buf, TEXT("RIFF"));
    put_u32(buf, 4 + (8 + 16) + (8 + 4 + 8 + COMMENT_MAX) + (8 + samples * 2));
    buffer_put(buf, TEXT("WAVE"));
    put_format(buf);
    buffer_put(buf, TEXT("LIST"));
    put_u32(buf, 4 + 8 + COMMENT_MAX);
    buffer_put(buf, TEXT("INFOICMT"));
    put_u32(buf, COMMENT_MAX);
    buffer_put(buf, (struct text){ comment, sizeof(comment) });
    buffer_put(buf, TEXT("data"));
    put_u32(buf, samples * 2);
    put_notes(sample, samples, buf);
}
