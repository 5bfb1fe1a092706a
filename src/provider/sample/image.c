/* A PNG for test mode: soft clouds in 64 shades between two colours, all from the seed. Indexed colour keeps it small
 * and quick to compress. */
#include <zlib.h>

#include "provider/sample/sample.h"

#define SHADES 64
#define CELL 16 /* pixels between the points whose heights are random */
#define SIDE_MAX 128
#define POINTS (SIDE_MAX / CELL + 2)

static void put_chunk(struct buffer *buf, const char type[4], struct text data) {
    uLong crc = crc32(crc32(0, NULL, 0), (const Bytef *)type, 4);
    sample_put_u32_big(buf, (uint32_t)data.len);
    buffer_put(buf, (struct text){ type, 4 });
    buffer_put(buf, data);
    if (data.len > 0) {
        crc = crc32(crc, (const Bytef *)data.ptr, (uInt)data.len);
    }
    sample_put_u32_big(buf, (uint32_t)crc);
}

static void put_header(const struct sample *sample, struct buffer *buf) {
    struct buffer scoped(buffer_fini) header;
    buffer_init(&header, 13);
    sample_put_u32_big(&header, sample->width);
    sample_put_u32_big(&header, sample->height);
    buffer_put(&header, (struct text){ "\10\3\0\0\0", 5 }); /* 8 bits, palette, deflate, no interlace */
    put_chunk(buf, "IHDR", buffer_text(&header));
}

static void put_palette(uint64_t *state, struct buffer *buf) {
    char palette[SHADES * 3];
    uint64_t from = sample_next(state), to = sample_next(state);
    for (int shade = 0; shade < SHADES; shade++) {
        for (int channel = 0; channel < 3; channel++) {
            int a = (int)(from >> (8 * channel) & 0xff), b = (int)(to >> (8 * channel) & 0xff);
            palette[shade * 3 + channel] = (char)(a + (b - a) * shade / (SHADES - 1));
        }
    }
    put_chunk(buf, "PLTE", (struct text){ palette, sizeof(palette) });
}

static void put_title(struct text label, struct buffer *buf) {
    if (label.len == 0) {
        return;
    }
    struct buffer scoped(buffer_fini) title;
    buffer_init(&title, label.len + 16);
    buffer_put(&title, (struct text){ "Title\0\0\0\0\0", 10 }); /* not compressed, no language, no translation */
    buffer_put(&title, label);
    put_chunk(buf, "iTXt", buffer_text(&title));
}

/* Heights between four points of the grid, in 1/65536 of a shade. */
static unsigned shade_at(const uint16_t heights[POINTS][POINTS], unsigned x, unsigned y) {
    unsigned column = x / CELL, row = y / CELL, right = x % CELL, down = y % CELL;
    unsigned top = heights[row][column] * (CELL - right) + heights[row][column + 1] * right;
    unsigned bottom = heights[row + 1][column] * (CELL - right) + heights[row + 1][column + 1] * right;
    return (top * (CELL - down) + bottom * down) / (CELL * CELL);
}

static void put_pixels(const struct sample *sample, uint64_t *state, struct buffer *buf) {
    static const char row_filter_none = 0;
    uint16_t heights[POINTS][POINTS];
    for (size_t i = 0; i < POINTS * POINTS; i++) {
        heights[i / POINTS][i % POINTS] = (uint16_t)(sample_next(state) & 0xffff);
    }
    struct buffer scoped(buffer_fini) rows, scoped(buffer_fini) packed;
    buffer_init(&rows, (size_t)(SIDE_MAX + 1) * SIDE_MAX);
    for (unsigned y = 0; y < sample->height; y++) {
        buffer_put_char(&rows, row_filter_none);
        for (unsigned x = 0; x < sample->width; x++) {
            buffer_put_char(&rows, (char)(shade_at(heights, x, y) * SHADES >> 16));
        }
    }
    uLongf length = compressBound((uLong)rows.len);
    buffer_init(&packed, length);
    if (!buffer_reserve(&packed, length) ||
        compress2((Bytef *)packed.data, &length, (const Bytef *)rows.data, (uLong)rows.len, 1) != Z_OK) {
        buf->failed = true;
        return;
    }
    put_chunk(buf, "IDAT", (struct text){ packed.data, length });
}

void sample_put_image(const struct sample *sample, struct buffer *buf) {
    uint64_t state = sample->seed;
    buffer_put(buf, TEXT("\x89PNG\r\n\x1a\n"));
    put_header(sample, buf);
    put_title(sample->label, buf);
    put_palette(&state, buf);
    put_pixels(sample, &state, buf);
    put_chunk(buf, "IEND", TEXT_NONE);
}
