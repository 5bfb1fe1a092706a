/* Walks the frames of MPEG audio, layers II and III (ISO 11172-3, 13818-3). */
#include "blob/media_mp3.h"

#include <string.h>

#include "blob/media_source.h"

#define FRAMES_MAX 65536u
#define TAG_MAX 65536 /* behind the last frame */

struct frame {
    unsigned bytes, samples, rate;
    unsigned side_info; /* between header and VBR header */
};

/* kbit/s by MPEG version (1, or 2 and 2.5) and layer (II, III) */
static const uint16_t bitrates[2][2][15] = {
    { { 0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384 },
      { 0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320 } },
    { { 0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160 },
      { 0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160 } },
};
static const uint16_t rates[3] = { 44100, 48000, 32000 };

static bool read_frame(struct media_source *source, int64_t at, struct frame *ret) {
    uint8_t head[4];
    if (!media_source_read(source, at, head, sizeof(head)) || head[0] != 0xff || (head[1] & 0xe0) != 0xe0)
        return false;
    unsigned version = head[1] >> 3 & 3, layer = head[1] >> 1 & 3; /* version 3: 1, 2: 2, 0: 2.5; layer 2: II, 1: III */
    unsigned bitrate = head[2] >> 4, rate = head[2] >> 2 & 3, padding = head[2] >> 1 & 1, mono = head[3] >> 6 == 3;
    if (version == 1 || layer == 0 || layer == 3 || bitrate == 0 || bitrate == 15 || rate == 3)
        return false;
    bool first = version == 3, third = layer == 1;
    unsigned halved = first ? 1 : version == 2 ? 2 : 4;
    ret->rate = rates[rate] / halved;
    ret->samples = third && !first ? 576 : 1152;
    ret->bytes = ret->samples / 8 * 1000 * bitrates[!first][third][bitrate] / ret->rate + padding;
    ret->side_info = first ? (mono ? 17 : 32) : (mono ? 9 : 17);
    return ret->bytes > 4;
}

/* The number of frames that a Xing, Info or VBRI header tells; 0: there is none. */
static uint32_t told_frames(struct media_source *source, int64_t at, const struct frame *frame) {
    uint8_t head[18];
    if (media_source_read(source, at + 4 + frame->side_info, head, 12) &&
        (memcmp(head, "Xing", 4) == 0 || memcmp(head, "Info", 4) == 0))
        return (be32(head + 4) & 1) != 0 ? be32(head + 8) : 0;
    if (media_source_read(source, at + 4 + 32, head, sizeof(head)) && memcmp(head, "VBRI", 4) == 0)
        return be32(head + 14);
    return 0;
}

/* Behind an ID3v2 tag, whose length has seven bits a byte. */
static int64_t skip_tag(struct media_source *source) {
    uint8_t head[10];
    if (!media_source_read(source, 0, head, sizeof(head)) || memcmp(head, "ID3", 3) != 0)
        return 0;
    for (int i = 6; i < 10; i++)
        if (head[i] > 0x7f)
            return 0;
    int64_t length = (int64_t)head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9];
    return 10 + length + ((head[5] & 0x10) != 0 ? 10 : 0); /* a footer repeats the header */
}

double media_mp3_seconds(struct media_source *source) {
    struct frame frame;
    int64_t start = skip_tag(source), at = start;
    double seconds = 0;

    if (!read_frame(source, at, &frame))
        return 0;
    uint32_t told = told_frames(source, at, &frame);
    /* no more frames than bytes for them: a told number that is a lie is not believed */
    if (told > 0 && (int64_t)told <= (source->size - start) / 24)
        return (double)told * frame.samples / frame.rate;
    for (unsigned i = 0; i < FRAMES_MAX; i++) {
        seconds += (double)frame.samples / frame.rate;
        at += frame.bytes;
        if (!read_frame(source, at, &frame)) /* the end, perhaps a tag's; amid the file nobody knows what follows */
            return source->size - at <= TAG_MAX ? seconds : 0;
    }
    return seconds * (double)(source->size - start) / (double)(at - start);
}
