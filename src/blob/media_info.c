/* Reads the headers of the usual formats. A file is a window of bytes at offsets; READS_MAX bounds what a hostile one can
 * make us do, and numbers are checked before they are added. */
#include "blob/media_info.h"

#include <errno.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blob/media_mp3.h"
#include "blob/media_source.h"
#include "catalog/param.h"

#define PIXELS_MAX 1000000u /* a side beyond this is no picture's */
#define SECONDS_MAX 1e7
#define SECONDS_SLACK 0.1 /* whole frames, and what an encoder puts before the first */
#define JPEG_SEGMENTS_MAX 1000
#define CHUNKS_MAX 1000
#define BOXES_MAX 2000
#define TRACKS_DEPTH 3

bool media_source_read(struct media_source *source, int64_t at, void *ret, size_t count) {
    if (at < 0 || at > source->size || (int64_t)count > source->size - at || source->reads_left == 0)
        return false;
    source->reads_left--;
    if (source->fd < 0) {
        memcpy(ret, source->bytes + at, count);
        return true;
    }
    for (size_t got = 0; got < count;) {
        ssize_t more = pread(source->fd, (char *)ret + got, count - got, (off_t)(at + (int64_t)got));
        if (more <= 0 && !(more < 0 && errno == EINTR))
            return false;
        got += more > 0 ? (size_t)more : 0;
    }
    return true;
}

static void set_sides(struct media_info *info, uint32_t width, uint32_t height) {
    if (width > 0 && height > 0 && width <= PIXELS_MAX && height <= PIXELS_MAX) {
        info->width = width;
        info->height = height;
    }
}

static void set_seconds(struct media_info *info, double seconds) {
    if (seconds > 0 && seconds <= SECONDS_MAX)
        info->seconds = seconds;
}

/* ---- pictures ---- */

static void read_png(struct media_source *source, struct media_info *info) {
    uint8_t head[16]; /* the first chunk's length and name, width, height */
    if (media_source_read(source, 8, head, sizeof(head)) && memcmp(head + 4, "IHDR", 4) == 0)
        set_sides(info, be32(head + 8), be32(head + 12));
}

static void read_gif(struct media_source *source, struct media_info *info) {
    uint8_t sides[4];
    if (media_source_read(source, 6, sides, sizeof(sides)))
        set_sides(info, le16(sides), le16(sides + 2));
}

/* The three kinds of a WebP's first chunk each say the sides in their own way (RFC 9649). */
static void read_webp(struct media_source *source, struct media_info *info) {
    uint8_t head[18]; /* from the chunk's name on */
    if (!media_source_read(source, 12, head, sizeof(head)))
        return;
    const uint8_t *data = head + 8;
    if (memcmp(head, "VP8X", 4) == 0) {
        set_sides(info, le24(data + 4) + 1, le24(data + 7) + 1);
    } else if (memcmp(head, "VP8L", 4) == 0 && data[0] == 0x2f) {
        uint32_t bits = le32(data + 1);
        set_sides(info, (bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1);
    } else if (memcmp(head, "VP8 ", 4) == 0 && memcmp(data + 3, "\x9d\x01\x2a", 3) == 0) {
        set_sides(info, le16(data + 6) & 0x3fff, le16(data + 8) & 0x3fff);
    }
}

static bool is_start_of_frame(uint8_t marker) {
    return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

/* From segment to segment to the first frame header. */
static void read_jpeg(struct media_source *source, struct media_info *info) {
    int64_t at = 2;
    for (unsigned i = 0; i < JPEG_SEGMENTS_MAX; i++) {
        uint8_t head[9];
        if (!media_source_read(source, at, head, 4) || head[0] != 0xff)
            return;
        if (head[1] == 0xff) { /* fill */
            at++;
        } else if (is_start_of_frame(head[1])) {
            if (media_source_read(source, at, head, sizeof(head)))
                set_sides(info, be16(head + 7), be16(head + 5));
            return;
        } else if (head[1] == 0x01 || (head[1] >= 0xd0 && head[1] <= 0xd8)) { /* without a length */
            at += 2;
        } else if (head[1] >= 0xd9 && head[1] <= 0xda) { /* the end, or a scan without a frame */
            return;
        } else {
            at += 2 + be16(head + 2);
        }
    }
}

/* ---- WAV ---- */

#define LENGTH_UNKNOWN 0xffffffffu /* written by those who stream, or with the true one in a ds64 chunk */

static void read_wav(struct media_source *source, struct media_info *info) {
    uint32_t bytes_per_second = 0;
    int64_t at = 12, long_length = 0;
    for (unsigned i = 0; i < CHUNKS_MAX; i++) {
        uint8_t head[8], fields[16];
        if (!media_source_read(source, at, head, sizeof(head)))
            return;
        int64_t length = le32(head + 4), left = source->size - at - 8;
        if (memcmp(head, "ds64", 4) == 0 && media_source_read(source, at + 8, fields, sizeof(fields))) {
            uint64_t value = le64(fields + 8);
            long_length = value <= INT64_MAX ? (int64_t)value : 0;
        } else if (memcmp(head, "fmt ", 4) == 0 && media_source_read(source, at + 8, fields, sizeof(fields))) {
            bytes_per_second = le32(fields + 8);
        } else if (memcmp(head, "data", 4) == 0) {
            if (length == LENGTH_UNKNOWN || length == 0)
                length = long_length > 0 ? long_length : left;
            length = length < left ? length : left;
            if (bytes_per_second > 0)
                set_seconds(info, (double)length / bytes_per_second);
            return;
        }
        at += 8 + length + length % 2;
    }
}

/* ---- ISO base media (MP4, MOV, M4A) ---- */

struct box {
    int64_t at, end; /* of the content */
    char type[4];
};

static bool read_box(struct media_source *source, int64_t at, int64_t end, struct box *ret) {
    uint8_t head[16];
    if (at > end - 8 || !media_source_read(source, at, head, 8))
        return false;
    int64_t size = be32(head), header = 8;
    memcpy(ret->type, head + 4, sizeof(ret->type));
    if (size == 1) {
        if (!media_source_read(source, at, head, sizeof(head)) || be64(head + 8) > INT64_MAX)
            return false;
        size = (int64_t)be64(head + 8);
        header = 16;
    } else if (size == 0) {
        size = end - at; /* up to the end */
    }
    if (size < header || size > end - at)
        return false;
    ret->at = at + header;
    ret->end = at + size;
    return true;
}

static bool is_box(const struct box *box, const char *type) {
    return memcmp(box->type, type, sizeof(box->type)) == 0;
}

/* mvhd: scale and length of the presentation; a fragmented file has its length in mehd, if anywhere. */
static void read_movie_header(struct media_source *source, const struct box *box, struct media_info *info,
                              uint32_t *ret_scale) {
    uint8_t fields[32];
    if (!media_source_read(source, box->at, fields, sizeof(fields)) || box->end - box->at < 32)
        return;
    bool is_long = fields[0] == 1;
    uint32_t scale = be32(fields + (is_long ? 20 : 12));
    uint64_t length = is_long ? be64(fields + 24) : be32(fields + 16);
    bool unknown = length == (is_long ? UINT64_MAX : UINT32_MAX);
    if (scale > 0 && !unknown)
        set_seconds(info, (double)length / scale);
    *ret_scale = scale;
}

static void read_fragments_header(struct media_source *source, const struct box *box, struct media_info *info,
                                  uint32_t scale) {
    uint8_t fields[12];
    bool is_long = media_source_read(source, box->at, fields, 1) && fields[0] == 1;
    size_t size = is_long ? 12 : 8;
    if (scale == 0 || box->end - box->at < (int64_t)size || !media_source_read(source, box->at, fields, size))
        return;
    set_seconds(info, (double)(is_long ? be64(fields + 4) : be32(fields + 4)) / scale);
}

/* tkhd ends with the sides as 16.16 numbers; those of the largest track count. */
static void read_track_header(struct media_source *source, const struct box *box, struct media_info *info) {
    uint8_t sides[8];
    if (box->end - box->at < 84 || !media_source_read(source, box->end - 8, sides, sizeof(sides)))
        return;
    uint32_t width = be32(sides) >> 16, height = be32(sides + 4) >> 16;
    if ((uint64_t)width * height > (uint64_t)info->width * info->height)
        set_sides(info, width, height);
}

struct movie {
    struct media_source *source;
    struct media_info *info;
    uint32_t scale;
    unsigned boxes_left;
};

static void read_boxes(struct movie *movie, int64_t at, int64_t end, unsigned depth) {
    struct box box;
    while (movie->boxes_left > 0 && read_box(movie->source, at, end, &box)) {
        movie->boxes_left--;
        if (is_box(&box, "mvhd"))
            read_movie_header(movie->source, &box, movie->info, &movie->scale);
        else if (is_box(&box, "mehd"))
            read_fragments_header(movie->source, &box, movie->info, movie->scale);
        else if (is_box(&box, "tkhd"))
            read_track_header(movie->source, &box, movie->info);
        else if (depth > 0 && (is_box(&box, "moov") || is_box(&box, "trak") || is_box(&box, "mvex")))
            read_boxes(movie, box.at, box.end, depth - 1);
        at = box.end;
    }
}

static void read_movie(struct media_source *source, struct media_info *info) {
    struct movie movie = { .source = source, .info = info, .boxes_left = BOXES_MAX };
    read_boxes(&movie, 0, source->size, TRACKS_DEPTH);
}

static void read_mp3(struct media_source *source, struct media_info *info) {
    set_seconds(info, media_mp3_seconds(source));
}

/* ---- which is it ---- */

static const struct format {
    size_t at;
    struct text magic;
    size_t form_at;
    struct text form;
    void (*read)(struct media_source *source, struct media_info *info);
} formats[] = {
    { 0, TEXT("\x89PNG\r\n\x1a\n"), 0, TEXT(""), read_png },
    { 0, TEXT("GIF8"), 0, TEXT(""), read_gif },
    { 0, TEXT("RIFF"), 8, TEXT("WEBP"), read_webp },
    { 0, TEXT("\xff\xd8\xff"), 0, TEXT(""), read_jpeg },
    { 0, TEXT("RIFF"), 8, TEXT("WAVE"), read_wav },
    { 0, TEXT("RF64"), 8, TEXT("WAVE"), read_wav },
    { 4, TEXT("ftyp"), 0, TEXT(""), read_movie },
    { 4, TEXT("moov"), 0, TEXT(""), read_movie },
    { 4, TEXT("mdat"), 0, TEXT(""), read_movie },
    { 4, TEXT("wide"), 0, TEXT(""), read_movie },
    { 0, TEXT("ID3"), 0, TEXT(""), read_mp3 },
    { 0, TEXT("\xff"), 0, TEXT(""), read_mp3 }, /* a frame's first byte; the reader looks closer */
};

static struct media_info measure(struct media_source *source) {
    struct media_info info = { .bytes = source->size };
    uint8_t start[12];
    if (!media_source_read(source, 0, start, sizeof(start)))
        return info;
    for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
        const struct format *format = &formats[i];
        if (memcmp(start + format->at, format->magic.ptr, format->magic.len) == 0 &&
            memcmp(start + format->form_at, format->form.ptr, format->form.len) == 0) {
            format->read(source, &info);
            break;
        }
    }
    return info;
}

struct media_info media_info_of_bytes(struct text bytes) {
    struct media_source source = { .fd = -1, .bytes = bytes.ptr, .size = (int64_t)bytes.len, .reads_left = READS_MAX };
    return measure(&source);
}

struct media_info media_info_of_file(int fd) {
    struct stat status;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
        return (struct media_info){ 0 };
    struct media_source source = { .fd = fd, .size = status.st_size, .reads_left = READS_MAX };
    return measure(&source);
}

int64_t media_info_begun_seconds(const struct media_info *info) {
    if (!(info->seconds > 0 && info->seconds <= SECONDS_MAX))
        return 0;
    double begun = ceil(info->seconds - SECONDS_SLACK);
    return begun > 1 ? (int64_t)begun : 1;
}

/* ---- limits ---- */

static enum err check_sides(const struct media_info *info, const struct media_limits *limits, const char *path,
                            struct fault *fault) {
    unsigned shorter = info->width < info->height ? info->width : info->height;
    unsigned longer = info->width < info->height ? info->height : info->width;
    if (shorter == 0)
        return OK;
    if (limits->side_min > 0 && shorter < limits->side_min)
        return fault_set_param(fault, ERR_OUT_OF_RANGE, path,
                               "The file must have at least %u pixels a side; it has %u x %u.", limits->side_min,
                               info->width, info->height);
    if (limits->side_max > 0 && longer > limits->side_max)
        return fault_set_param(fault, ERR_OUT_OF_RANGE, path,
                               "The file must have at most %u pixels a side; it has %u x %u.", limits->side_max,
                               info->width, info->height);
    if (limits->ratio_max > 0 && longer > limits->ratio_max * shorter)
        return fault_set_param(fault, ERR_OUT_OF_RANGE, path,
                               "One side of the file must be at most %g times the other; it has %u x %u.",
                               limits->ratio_max, info->width, info->height);
    return OK;
}

static enum err check_seconds(const struct media_info *info, const struct media_limits *limits, const char *path,
                              struct fault *fault) {
    if (!(info->seconds > 0))
        return OK;
    if (limits->seconds_min > 0 && info->seconds < limits->seconds_min - SECONDS_SLACK)
        return fault_set_param(fault, ERR_OUT_OF_RANGE, path, "The file must last at least %g seconds; it lasts %.2f.",
                               limits->seconds_min, info->seconds);
    if (limits->seconds_max > 0 && info->seconds > limits->seconds_max + SECONDS_SLACK)
        return fault_set_param(fault, ERR_OUT_OF_RANGE, path, "The file must last at most %g seconds; it lasts %.2f.",
                               limits->seconds_max, info->seconds);
    return OK;
}

enum err media_info_check(const struct media_info *info, const struct media_limits *limits, const char *path,
                          struct fault *fault) {
    if (limits->bytes_max > 0 && info->bytes > limits->bytes_max)
        return fault_set_param(fault, ERR_OUT_OF_RANGE, path, "The file must have at most %lld bytes; it has %lld.",
                               (long long)limits->bytes_max, (long long)info->bytes);
    enum err err = check_sides(info, limits, path, fault);
    return err != OK ? err : check_seconds(info, limits, path, fault);
}
