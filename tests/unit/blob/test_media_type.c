/* What first bytes are told to be: every row of the table, the special rules, and near misses. */
#include "tests.h"

#include "blob/media_type.h"

#define OCTETS "application/octet-stream"

static const struct {
    struct text start;
    const char *type;
} samples[] = {
    { TEXT("\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), "image/png" },
    { TEXT("\xff\xd8\xff\xe0\0\x10JFIF"), "image/jpeg" },
    { TEXT("\xff\xd8\xff\xdb"), "image/jpeg" },
    { TEXT("GIF87a\1\0"), "image/gif" },
    { TEXT("GIF89a\1\0"), "image/gif" },
    { TEXT("RIFF\x24\0\0\0WEBPVP8 "), "image/webp" },
    { TEXT("BM\x46\0\0\0\0\0\0\0\x36\0"), "image/bmp" },
    { TEXT("II*\0\x08\0\0\0"), "image/tiff" },
    { TEXT("MM\0*\0\0\0\x08"), "image/tiff" },
    { TEXT("\0\0\0\x1c" "ftypavif\0\0\0\0avifmif1"), "image/avif" },
    { TEXT("\0\0\0\x1c" "ftypavis\0\0\0\0avif"), "image/avif" },
    { TEXT("\0\0\0\x18" "ftypheic\0\0\0\0mif1heic"), "image/heic" },
    { TEXT("\0\0\0\x18" "ftypmif1\0\0\0\0mif1heic"), "image/heic" },
    { TEXT("\0\0\0\x18" "ftypmif1\0\0\0\0mif1avif"), "image/avif" },
    { TEXT("\0\0\0\x14" "ftypmif1\0\0\0\0mif1avif"), "image/heic" }, /* the brand lies outside its box */
    { TEXT("\0\0\0\x18" "ftypisom\0\0\2\0isomiso2"), "video/mp4" },
    { TEXT("\0\0\0\x18" "ftypmp42\0\0\0\0mp42"), "video/mp4" },
    { TEXT("\0\0\0\x14" "ftypqt  \0\0\0\0qt  "), "video/quicktime" },
    { TEXT("\0\0\0\x08wide\0\0\1\0mdat"), "video/quicktime" },
    { TEXT("\0\0\1\0moov\0\0\0\x6cmvhd"), "video/quicktime" },
    { TEXT("\0\0\0\x1c" "ftypM4A \0\0\0\0M4A mp42"), "audio/mp4" },
    { TEXT("\x1a\x45\xdf\xa3\x9f\x42\x86\x81\1\x42\xf7\x81\1\x42\x82\x84webm\x42\x87"), "video/webm" },
    { TEXT("\x1a\x45\xdf\xa3\xa3\x42\x86\x81\1\x42\x82\x88matroska"), "video/x-matroska" },
    { TEXT("RIFF\xff\xff\xff\xff" "AVI LIST"), "video/x-msvideo" },
    { TEXT("\0\0\x01\xba\x44\0"), "video/mpeg" },
    { TEXT("RIFF\x24\0\0\0WAVEfmt "), "audio/wav" },
    { TEXT("RF64\xff\xff\xff\xffWAVEds64"), "audio/wav" },
    { TEXT("FORM\0\0\1\0AIFFCOMM"), "audio/aiff" },
    { TEXT("ID3\4\0\0\0\0\0\0"), "audio/mpeg" },
    { TEXT("\xff\xfb\x90\x64\0\0"), "audio/mpeg" },
    { TEXT("\xff\xf3\x48\xc4\0\0"), "audio/mpeg" },
    { TEXT("\xff\xe3\x18\xc4"), "audio/mpeg" },
    { TEXT("\xff\xfd\x90\x04"), "audio/mpeg" },
    { TEXT("OggS\0\2\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\1\x13OpusHead"), "audio/ogg" },
    { TEXT("OggS\0\2\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\1\x2a\x80theora"), "video/ogg" },
    { TEXT("fLaC\0\0\0\x22"), "audio/flac" },
    { TEXT("\xff\xf1\x50\x80\2\x1f"), "audio/aac" },
    { TEXT("\xff\xf9\x50\x80\2\x1f"), "audio/aac" },
    { TEXT("PK\3\4\x14\0"), "application/zip" },
    { TEXT("PK\5\6\0\0\0\0"), "application/zip" },
    { TEXT("PK\3\4\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x8\0\0\0mimetypeapplication/epub+zip"), "application/epub+zip" },
    { TEXT("PK\3\4\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x11\0\0\0word/document.xml"),
      "application/vnd.openxmlformats-officedocument.wordprocessingml.document" },
    { TEXT("%PDF-1.7\n"), "application/pdf" },
    { TEXT("{\"a\":1}"), "application/json" },
    { TEXT(" \r\n\t{ \"a\" : 1 }"), "application/json" },
    { TEXT("{}"), "application/json" },
    { TEXT("[]"), "application/json" },
    { TEXT("[ -1.5, 2]"), "application/json" },
    { TEXT("[true]"), "application/json" },
    { TEXT("\xef\xbb\xbf[{\"a\":1}]"), "application/json" },
    { TEXT("[music] a song begins"), "text/plain" },
    { TEXT("{braces} in a sentence"), "text/plain" },
    { TEXT("plain words\n"), "text/plain" },
    { TEXT("gr\xc3\xbc\xc3\x9f dich\n"), "text/plain" },
    { TEXT("cut in a letter \xe2\x82"), "text/plain" },
    { TEXT("cut in a letter \xf0\x9f\x98"), "text/plain" },
    { TEXT("<svg xmlns=\"http://www.w3.org/2000/svg\"/>"), "text/plain" }, /* never served as something that runs */
    { TEXT("<!DOCTYPE html><script>"), "text/plain" },
    { TEXT("BM is the start of a sentence"), "text/plain" },
    { TEXT("RIFF is a container"), "text/plain" },
    { TEXT("WEBPWEBPWEBP"), "text/plain" },
    { TEXT("PK"), "text/plain" },
    { TEXT("not utf-8 \xe2\x82 inside"), OCTETS },
    { TEXT("a continuation at the end \xc3\xbc\x80"), OCTETS },
    { TEXT("\xff\xfe" "u\0t\0f\0"), OCTETS },
    { TEXT("\xff\xf1\xfc\x80"), OCTETS }, /* ADTS with a reserved sampling rate */
    { TEXT("\xff\xfb\xf0\x64"), OCTETS }, /* MP3 with a forbidden bit rate */
    { TEXT("\xff\xfb\x9c\x64"), OCTETS }, /* MP3 with a reserved sampling rate */
    { TEXT("\xff\xeb\x90\x64"), OCTETS }, /* reserved MPEG version */
    { TEXT("\xff\xfb"), OCTETS },
    { TEXT("\x89PN"), OCTETS },
    { TEXT("\x89PNG\n\x1a\n"), OCTETS },
    { TEXT("a\0b"), OCTETS },
    { TEXT("\x1b[31mred"), OCTETS },
    { TEXT("\x7f" "ELF\2\1\1"), OCTETS },
    { TEXT(""), OCTETS },
};

static void every_sample_is_recognised(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
        const char *type = media_type_sniff(samples[i].start);
        if (strcmp(type, samples[i].type) != 0) {
            fail_msg("sample %zu is %s, not %s", i, type, samples[i].type);
        }
    }
}

/* A window cut anywhere must not read past its end (the sanitizers watch) nor be NULL. */
static void every_cut_of_every_sample_is_answered(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
        for (size_t len = 0; len <= samples[i].start.len; len++) {
            char *exact = text_dup((struct text){ samples[i].start.ptr, len });
            assert_non_null(media_type_sniff((struct text){ exact, len }));
            free(exact);
        }
    }
}

static void every_type_has_an_extension_but_the_unknown(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
        assert_int_equal(strcmp(media_type_extension(samples[i].type), "bin") == 0,
            strcmp(samples[i].type, OCTETS) == 0);
    }
    assert_string_equal(media_type_extension("image/png"), "png");
    assert_string_equal(media_type_extension("audio/mpeg"), "mp3");
    assert_string_equal(media_type_extension("video/quicktime"), "mov");
    assert_string_equal(media_type_extension("image/pngx"), "bin");
    assert_string_equal(media_type_extension(""), "bin");
}

static void types_fit_tasks(void **state) {
    (void)state;
    static const struct {
        const char *media;
        bool image, video, audio, llm, document;
    } rows[] = {
        { "image/png", true, false, false, false, true },
        { "image/gif", true, true, false, false, true },
        { "video/mp4", false, true, true, false, false },
        { "video/webm", false, true, true, false, false },
        { "video/quicktime", false, true, false, false, false },
        { "audio/wav", false, false, true, false, false },
        { "application/zip", false, false, false, false, true },
        { "application/pdf", false, false, false, false, true },
        { "application/json", false, false, false, true, true },
        { "text/plain", false, false, false, true, true },
        { OCTETS, false, false, false, false, false },
        { "imagepng", false, false, false, false, false },
        { "", false, false, false, false, false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_int_equal(media_type_fits(rows[i].media, TASK_IMAGE), rows[i].image);
        assert_int_equal(media_type_fits(rows[i].media, TASK_VIDEO), rows[i].video);
        assert_int_equal(media_type_fits(rows[i].media, TASK_AUDIO), rows[i].audio);
        assert_int_equal(media_type_fits(rows[i].media, TASK_LLM), rows[i].llm);
        assert_int_equal(media_type_fits(rows[i].media, TASK_DOCUMENT), rows[i].document);
    }
}

int run_media_type_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sample_is_recognised),
        cmocka_unit_test(every_cut_of_every_sample_is_answered),
        cmocka_unit_test(every_type_has_an_extension_but_the_unknown),
        cmocka_unit_test(types_fit_tasks),
    };
    return cmocka_run_group_tests_name("media_type", tests, NULL, NULL);
}
