/* Pixels and seconds from headers: every format, files that lie, and files that were shot at. */
#include "tests.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/compiler.h"
#include "blob/media_info.h"
#include "catalog/param.h"

#define BYTES(literal) literal, sizeof(literal) - 1

#define PNG "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x02\x80\0\0\x01\xe0\x08\x02\0\0\0"
#define GIF "GIF89a\x40\x01\xf0\0\x80\0\0"
#define WEBP_LOSSY "RIFF\x30\0\0\0WEBPVP8 \x24\0\0\0\x10\x01\0\x9d\x01\x2a\x58\x02\x90\x01\0\0\0\0"
#define WEBP_LOSSLESS "RIFF\x30\0\0\0WEBPVP8L\x24\0\0\0\x2f\x57\xc2\x63\0\0\0\0\0\0\0\0\0"
#define WEBP_EXTENDED "RIFF\x30\0\0\0WEBPVP8X\x0a\0\0\0\x10\0\0\0\x57\x02\0\x8f\x01\0\0\0"
#define JPEG_APP "\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0"
#define JPEG JPEG_APP "\xff\xff\xfe\0\x05" "abc\xff\xc4\0\x04xx\xff\xc2\0\x11\x08\x04\x38\x07\x80\x03\x01\x22\0\x02\x11\x01"
/* 8000 samples a second of 2 bytes, and four bytes of them */
#define WAV_FMT "RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0"
#define WAV WAV_FMT "LIST\x03\0\0\0abc\0" "data\x04\0\0\0\x01\x02\x03\x04"

static const struct {
    const char *name, *bytes;
    size_t len;
    unsigned width, height;
    double seconds;
} cases[] = {
    { "png", BYTES(PNG), 640, 480, 0 },
    { "gif", BYTES(GIF), 320, 240, 0 },
    { "webp, lossy", BYTES(WEBP_LOSSY), 600, 400, 0 },
    { "webp, lossless", BYTES(WEBP_LOSSLESS), 600, 400, 0 },
    { "webp, extended", BYTES(WEBP_EXTENDED), 600, 400, 0 },
    { "jpeg", BYTES(JPEG), 1920, 1080, 0 },
    { "wav", BYTES(WAV), 0, 0, 4.0 / 16000 },
    { "wav of a stream", BYTES(WAV_FMT "data\xff\xff\xff\xff" "1234567890123456"), 0, 0, 16.0 / 16000 },
    { "wav that claims more than it has", BYTES(WAV_FMT "data\0\0\0\x70" "1234567890123456"), 0, 0, 16.0 / 16000 },
    /* nothing to be known */
    { "empty", "", 0, 0, 0, 0 },
    { "text", BYTES("only a few words"), 0, 0, 0 },
    { "png, cut", PNG, 20, 0, 0, 0 },
    { "png without a header", BYTES("\x89PNG\r\n\x1a\n\0\0\0\rIDAT\0\0\x02\x80\0\0\x01\xe0\x08\x02"), 0, 0, 0 },
    { "png of no width", BYTES("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\0\0\0\x01\xe0\x08\x02"), 0, 0, 0 },
    { "png beyond reason", BYTES("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\xff\xff\xff\xff\0\0\x01\xe0\x08\x02"), 0, 0, 0 },
    { "jpeg without a frame", BYTES(JPEG_APP "\xff\xda\0\x08\x01\x01\0\0\x3f\0"), 0, 0, 0 },
    { "jpeg that ends", BYTES(JPEG_APP "\xff\xd9\xff\xc2\0\x11\x08\x04\x38\x07\x80\x03\x01\x22\0"), 0, 0, 0 },
    { "wav without a format", BYTES("RIFF\0\0\0\0WAVEdata\x04\0\0\0" "1234"), 0, 0, 0 },
    { "wav of no rate", BYTES("RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\0\0\0\0\0\0\0\0\x02\0\x10\0data\x04\0\0\0" "1234"),
      0, 0, 0 },
};

static int file_of(struct text bytes) {
    int fd = memfd_create("media", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes.ptr, bytes.len), (ssize_t)bytes.len);
    return fd;
}

/* From memory, which is exactly as large, and from a file. */
static struct media_info measure(struct text bytes) {
    char *exact = malloc(bytes.len > 0 ? bytes.len : 1);
    assert_non_null(exact);
    memcpy(exact, bytes.ptr, bytes.len);
    struct media_info info = media_info_of_bytes((struct text){ exact, bytes.len });
    free(exact);
    int fd = file_of(bytes);
    struct media_info same = media_info_of_file(fd);
    close(fd);
    assert_int_equal(info.width, same.width);
    assert_int_equal(info.height, same.height);
    assert_true(info.seconds == same.seconds && info.bytes == same.bytes);
    return info;
}

static void pictures_and_sounds_are_measured(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct media_info info = measure((struct text){ cases[i].bytes, cases[i].len });
        double off = info.seconds - cases[i].seconds;
        if (info.width != cases[i].width || info.height != cases[i].height || off > 1e-9 || off < -1e-9)
            fail_msg("%s: %u x %u, %g s", cases[i].name, info.width, info.height, info.seconds);
        assert_int_equal(info.bytes, cases[i].len);
    }
}

/* ---- MP4 ---- */

static void put_u32(struct buffer *buf, uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8)
        buffer_put_char(buf, (char)(value >> shift & 0xff));
}

static void put_zeros(struct buffer *buf, size_t count) {
    while (count-- > 0)
        buffer_put_char(buf, '\0');
}

static void put_box(struct buffer *buf, const char *type, const struct buffer *content) {
    put_u32(buf, (uint32_t)(content->len + 8));
    buffer_put(buf, text_of(type));
    buffer_put(buf, buffer_text(content));
}

static void put_movie_header(struct buffer *buf, bool is_long, uint32_t scale, uint32_t length) {
    struct buffer content scoped(buffer_fini);
    buffer_init(&content, 1000);
    put_u32(&content, is_long ? 0x01000000 : 0);
    put_zeros(&content, is_long ? 16 : 8);
    put_u32(&content, scale);
    if (is_long)
        put_u32(&content, length == UINT32_MAX ? UINT32_MAX : 0);
    put_u32(&content, length);
    put_zeros(&content, 80);
    put_box(buf, "mvhd", &content);
}

static void put_track(struct buffer *buf, uint32_t width, uint32_t height) {
    struct buffer content scoped(buffer_fini), track scoped(buffer_fini);
    buffer_init(&content, 1000);
    buffer_init(&track, 1000);
    put_zeros(&content, 76);
    put_u32(&content, width << 16);
    put_u32(&content, height << 16);
    put_box(&track, "tkhd", &content);
    put_box(buf, "trak", &track);
}

/* A film as cameras write it: type, bytes, and at the end what they are. */
static void make_movie(struct buffer *buf, bool is_long, uint32_t scale, uint32_t length) {
    struct buffer content scoped(buffer_fini);
    buffer_init(buf, 10000);
    buffer_init(&content, 10000);
    buffer_put(buf, TEXT("\0\0\0\x14" "ftypisom\0\0\x02\0isom"));
    put_u32(buf, 1); /* a long size */
    buffer_put(buf, TEXT("mdat\0\0\0\0\0\0\0\x14" "1234"));
    put_movie_header(&content, is_long, scale, length);
    put_track(&content, 0, 0); /* sound */
    put_track(&content, 1280, 720);
    put_track(&content, 160, 90); /* a small picture beside it */
    put_box(buf, "moov", &content);
}

static void films_are_measured(void **state) {
    (void)state;
    static const struct {
        bool is_long;
        uint32_t scale, length;
        double seconds;
    } films[] = {
        { false, 600, 3000, 5 }, { true, 1000, 12345, 12.345 }, { false, 0, 3000, 0 }, { false, 600, 0, 0 },
        { false, 600, UINT32_MAX, 0 }, { true, 600, UINT32_MAX, 0 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(films); i++) {
        struct buffer film scoped(buffer_fini);
        make_movie(&film, films[i].is_long, films[i].scale, films[i].length);
        struct media_info info = measure(buffer_text(&film));
        assert_int_equal(info.width, 1280);
        assert_int_equal(info.height, 720);
        assert_true(info.seconds == films[i].seconds);
    }
}

static void a_film_in_fragments_tells_its_length_elsewhere(void **state) {
    (void)state;
    struct buffer film scoped(buffer_fini), content scoped(buffer_fini), extends scoped(buffer_fini),
        header scoped(buffer_fini);
    buffer_init(&film, 1000);
    buffer_init(&content, 1000);
    buffer_init(&extends, 1000);
    buffer_init(&header, 1000);
    buffer_put(&film, TEXT("\0\0\0\x10" "ftypiso5\0\0\0\0"));
    put_movie_header(&content, false, 1000, 0);
    put_u32(&header, 0);
    put_u32(&header, 2500);
    put_box(&extends, "mehd", &header);
    put_box(&content, "mvex", &extends);
    put_box(&film, "moov", &content);
    assert_true(measure(buffer_text(&film)).seconds == 2.5);
}

/* Boxes in boxes in boxes, and a million of them side by side, end. */
static void nesting_and_numbers_are_bounded(void **state) {
    (void)state;
    size_t size = 4 << 20;
    char *bytes = malloc(size);
    assert_non_null(bytes);
    for (size_t i = 0; i + 8 <= size; i += 8)
        memcpy(bytes + i, "\0\0\0\0moov", 8); /* each up to the end */
    memcpy(bytes, "\0\0\0\x08" "ftyp", 8);
    assert_true(media_info_of_bytes((struct text){ bytes, size }).seconds == 0);
    for (size_t i = 8; i + 8 <= size; i += 8)
        memcpy(bytes + i, "\0\0\0\x08" "free", 8);
    assert_true(media_info_of_bytes((struct text){ bytes, size }).seconds == 0);
    memset(bytes, 0xff, size); /* fill bytes of a JPEG without an end */
    memcpy(bytes, "\xff\xd8", 2);
    assert_int_equal(media_info_of_bytes((struct text){ bytes, size }).width, 0);
    free(bytes);
}

/* ---- MP3 ---- */

#define FRAME_SIZE 417 /* 128 kbit/s at 44100: 1152 samples */

static void put_frames(struct buffer *buf, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        buffer_put(buf, TEXT("\xff\xfb\x90\x64"));
        put_zeros(buf, FRAME_SIZE - 4);
    }
}

static double mp3_seconds(const char *before, size_t before_len, unsigned frames, const char *after, size_t after_len) {
    struct buffer sound scoped(buffer_fini);
    buffer_init(&sound, 1 << 26);
    buffer_put(&sound, (struct text){ before, before_len });
    put_frames(&sound, frames);
    buffer_put(&sound, (struct text){ after, after_len });
    return measure(buffer_text(&sound)).seconds;
}

static bool near(double a, double b) {
    return a - b < 0.001 && b - a < 0.001;
}

static void the_frames_of_an_mp3_are_counted(void **state) {
    (void)state;
    double one = 1152.0 / 44100;
    assert_true(near(mp3_seconds("", 0, 100, "", 0), 100 * one));
    assert_true(near(mp3_seconds(BYTES("ID3\x04\0\0\0\0\0\x03" "abc"), 50, "TAG", 3), 50 * one));
    assert_true(near(mp3_seconds("", 0, 100000, "", 0), 100000 * one)); /* more than are walked */
    assert_true(mp3_seconds(BYTES("ID3\x04\0\0\xff\xff\xff\xff"), 50, "", 0) == 0);
    static char noise[200000];
    assert_true(mp3_seconds("", 0, 3, noise, sizeof(noise)) == 0); /* where the rest leads nobody knows */
}

static void a_variable_rate_tells_its_frames(void **state) {
    (void)state;
    struct buffer sound scoped(buffer_fini);
    buffer_init(&sound, 1 << 20);
    buffer_put(&sound, TEXT("\xff\xfb\x90\x64"));
    put_zeros(&sound, 32);
    buffer_put(&sound, TEXT("Xing\0\0\0\x01\0\0\0\x50"));
    put_zeros(&sound, FRAME_SIZE - 48);
    put_frames(&sound, 20);
    assert_true(near(measure(buffer_text(&sound)).seconds, 80 * 1152.0 / 44100));
    memcpy(sound.data + 44, "\x7f\xff\xff\xff", 4); /* more frames than the file has bytes: a lie */
    assert_true(near(measure(buffer_text(&sound)).seconds, 21 * 1152.0 / 44100));
}

/* ---- shooting ---- */

static uint64_t dice = 0x9e3779b97f4a7c15u;

static unsigned throw_dice(unsigned below) {
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return (unsigned)(dice % below);
}

/* A few bytes become others, and sometimes the end is missing. What comes out is of no matter; that it comes, is. */
static void shoot_at(struct text whole) {
    static const unsigned char favourites[] = { 0x00, 0x01, 0x7f, 0x80, 0xff, 0xfe, 0xc0, 0xda };
    for (unsigned round = 0; round < 20000; round++) {
        size_t len = throw_dice(4) == 0 ? throw_dice((unsigned)whole.len + 1) : whole.len;
        char *bytes = malloc(len > 0 ? len : 1);
        assert_non_null(bytes);
        memcpy(bytes, whole.ptr, len);
        for (unsigned shots = 1 + throw_dice(8); shots > 0 && len > 0; shots--)
            bytes[throw_dice((unsigned)len)] =
                (char)(throw_dice(2) ? favourites[throw_dice(sizeof(favourites))] : throw_dice(256));
        struct media_info info = media_info_of_bytes((struct text){ bytes, len });
        assert_true(info.width <= 1000000 && info.height <= 1000000);
        assert_true(info.seconds >= 0 && info.seconds <= 1e7);
        assert_true((info.width == 0) == (info.height == 0));
        free(bytes);
    }
}

static void damaged_files_do_no_harm(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        if (cases[i].len > 0)
            shoot_at((struct text){ cases[i].bytes, cases[i].len });
    struct buffer film scoped(buffer_fini), sound scoped(buffer_fini);
    make_movie(&film, false, 600, 3000);
    shoot_at(buffer_text(&film));
    buffer_init(&sound, 1 << 20);
    put_frames(&sound, 5);
    shoot_at(buffer_text(&sound));
}

static void a_directory_is_no_file(void **state) {
    (void)state;
    int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(media_info_of_file(fd).bytes, 0);
    close(fd);
}

/* ---- limits ---- */

static void limits_refuse_what_is_outside_and_known(void **state) {
    (void)state;
    static const struct {
        struct media_info info;
        struct media_limits limits;
        const char *words; /* NULL: it is within */
    } tries[] = {
        { { 100, 0, 0, 0 }, { .bytes_max = 100 }, NULL },
        { { 101, 0, 0, 0 }, { .bytes_max = 100 }, "The file must have at most 100 bytes; it has 101." },
        { { 1, 300, 400, 0 }, { .side_min = 300, .side_max = 400, .ratio_max = 4.0 / 3 }, NULL },
        { { 1, 299, 400, 0 }, { .side_min = 300 }, "The file must have at least 300 pixels a side; it has 299 x 400." },
        { { 1, 400, 299, 0 }, { .side_min = 300 }, "The file must have at least 300 pixels a side; it has 400 x 299." },
        { { 1, 299, 401, 0 }, { .side_max = 400 }, "The file must have at most 400 pixels a side; it has 299 x 401." },
        { { 1, 251, 100, 0 }, { .ratio_max = 2.5 }, "One side of the file must be at most 2.5 times the other; it has 251 x 100." },
        { { 1, 100, 251, 0 }, { .ratio_max = 2.5 }, "One side of the file must be at most 2.5 times the other; it has 100 x 251." },
        { { 1, 0, 0, 0 }, { .side_min = 300, .side_max = 400, .ratio_max = 2, .seconds_min = 1, .seconds_max = 2 }, NULL },
        { { 1, 0, 0, 1.5 }, { .seconds_min = 1.5, .seconds_max = 1.5 }, NULL },
        { { 1, 0, 0, 15.07 }, { .seconds_min = 15.1, .seconds_max = 15 }, NULL }, /* a frame more or less */
        { { 1, 0, 0, 1.5 }, { .seconds_min = 2 }, "The file must last at least 2 seconds; it lasts 1.50." },
        { { 1, 0, 0, 15.2 }, { .seconds_max = 15 }, "The file must last at most 15 seconds; it lasts 15.20." },
    };
    for (size_t i = 0; i < ARRAY_SIZE(tries); i++) {
        struct fault fault = { 0 };
        enum err err = media_info_check(&tries[i].info, &tries[i].limits, "image_urls[2]", &fault);
        assert_int_equal(err, tries[i].words != NULL ? ERR_OUT_OF_RANGE : OK);
        if (tries[i].words != NULL) {
            assert_string_equal(fault.message, tries[i].words);
            assert_string_equal(fault.param, "image_urls[2]");
        }
    }
}

static void begun_seconds_are_whole_but_for_a_frame(void **state) {
    (void)state;
    static const struct {
        double seconds;
        int64_t begun;
    } rows[] = { { 0, 0 },     { -1, 0 },    { 1e300, 0 }, { 0.01, 1 },  { 1, 1 },     { 4.4, 5 },
                 { 4.96, 5 },  { 5, 5 },     { 5.04, 5 },  { 5.09, 5 },  { 5.25, 6 },  { 15.06, 15 } };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_int_equal(media_info_begun_seconds(&(struct media_info){ .seconds = rows[i].seconds }), rows[i].begun);
}

int run_media_info_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_and_sounds_are_measured),
        cmocka_unit_test(films_are_measured),
        cmocka_unit_test(a_film_in_fragments_tells_its_length_elsewhere),
        cmocka_unit_test(nesting_and_numbers_are_bounded),
        cmocka_unit_test(the_frames_of_an_mp3_are_counted),
        cmocka_unit_test(a_variable_rate_tells_its_frames),
        cmocka_unit_test(damaged_files_do_no_harm),
        cmocka_unit_test(a_directory_is_no_file),
        cmocka_unit_test(limits_refuse_what_is_outside_and_known),
        cmocka_unit_test(begun_seconds_are_whole_but_for_a_frame),
    };
    return cmocka_run_group_tests_name("media_info", tests, NULL, NULL);
}
