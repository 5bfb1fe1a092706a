/* Test mode's files open in programs that know nothing of us, and follow from their seed. */
#include "provider/sample/sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/text.h"
#include "tests.h"

#define SAMPLE_MAX ((size_t)1 << 20)
#define SAID_SIZE 4096

static void make(const char *generate, struct buffer *buf) {
    json_t *json = json_loads(generate, 0, NULL);
    assert_non_null(json);
    buffer_init(buf, SAMPLE_MAX);
    assert_int_equal(sample_make(json, buf), OK);
    json_decref(json);
}

/* What a program says about the file; the command holds one %s for its name. */
static void ask_about(const struct buffer *file, const char *program, const char *arguments, char said[SAID_SIZE]) {
    char path[] = "/tmp/fennec-sample-XXXXXX", command[512];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, file->data, file->len), (ssize_t)file->len);
    close(fd);
    snprintf(command, sizeof(command), "PATH=/usr/bin:/bin %s %s %s 2>&1", program, arguments, path);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t length = fread(said, 1, SAID_SIZE - 1, pipe);
    said[length] = '\0';
    assert_int_equal(pclose(pipe), 0);
    unlink(path);
}

static bool installed(const char *path) {
    if (access(path, X_OK) == 0) {
        return true;
    }
    print_message("%s is not installed: not asked\n", path);
    return false;
}

static const struct {
    const char *generate;
    const char *path, *program, *arguments;
    const char *says;
} questions[] = {
    { "{\"generate\":\"image\"}", "/usr/bin/identify", "identify", "-format '%m %w %h'", "PNG 128 128" },
    { "{\"generate\":\"image\",\"width\":1920,\"height\":1080,\"seed\":5,\"label\":\"caf\\u00e9\"}", "/usr/bin/identify", "identify",
      "-format '%m %w %h'", "PNG 128 72" },
    { "{\"generate\":\"image\",\"width\":4096,\"height\":1,\"seed\":-1}", "/usr/bin/identify", "identify",
      "-format '%m %w %h'", "PNG 128 1" },
    { "{\"generate\":\"image\",\"width\":64,\"height\":100,\"seed\":1.5e300}", "/usr/bin/identify", "identify",
      "-format '%m %w %h'", "PNG 64 100" },
    { "{\"generate\":\"image\",\"width\":\"x\",\"height\":-4}", "/usr/bin/identify", "identify", "-format '%m %w %h'",
      "PNG 128 1" },
    { "{\"generate\":\"image\",\"width\":300,\"height\":200}", "/usr/bin/ffprobe", "ffprobe",
      "-v error -show_entries stream=codec_name,width,height -of csv=p=0", "png,128,85" },
    { "{\"generate\":\"audio\",\"seed\":3}", "/usr/bin/ffprobe", "ffprobe",
      "-v error -show_entries stream=codec_name,sample_rate,duration -of csv=p=0", "pcm_s16le,8000,1.000000" },
    { "{\"generate\":\"audio\",\"seconds\":60,\"seed\":3}", "/usr/bin/ffprobe", "ffprobe",
      "-v error -show_entries format=format_name,duration -of csv=p=0", "wav,2.000000" },
    { "{\"generate\":\"video\",\"seed\":12,\"seconds\":9}", "/usr/bin/ffprobe", "ffprobe",
      "-v error -show_entries stream=codec_name,width,height,pix_fmt,duration -of csv=p=0", "h264,64,64,yuv420p,1.000000" },
    { "{\"generate\":\"video\",\"seed\":12}", "/usr/bin/ffmpeg", "ffmpeg", "-v error -xerror -f null - -i", "" },
    { "{\"generate\":\"audio\",\"seed\":12}", "/usr/bin/ffmpeg", "ffmpeg", "-v error -xerror -f null - -i", "" },
    { "{\"generate\":\"pdf\",\"seed\":12,\"label\":\"a (b) caf\\u00e9\"}", "/usr/bin/pdftotext", "sh", "-c 'pdftotext \"$0\" -'",
      "Fennec test mode, seed 12. a (b) caf??" },
    { "{\"generate\":\"text\",\"seed\":12,\"label\":\"caf\\u00e9\"}", "/usr/bin/head", "head", "-n 1",
      "Fennec test mode, seed 12. caf\u00e9" },
};

static void other_programs_open_every_kind(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(questions); i++) {
        struct buffer scoped(buffer_fini) file;
        make(questions[i].generate, &file);
        if (!installed(questions[i].path)) {
            continue;
        }
        char said[SAID_SIZE];
        ask_about(&file, questions[i].program, questions[i].arguments, said);
        assert_string_equal(text_trim(text_of(said)).len > 0 ? strtok_r(said, "\n", &(char *){ NULL }) : "",
                            questions[i].says);
    }
}

static void a_seed_makes_the_bytes(void **state) {
    (void)state;
    static const char *const kinds[] = { "image", "audio", "video", "pdf", "text" };
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        char one[100], other[100];
        struct buffer scoped(buffer_fini) a, scoped(buffer_fini) b, scoped(buffer_fini) c;
        snprintf(one, sizeof(one), "{\"generate\":\"%s\",\"seed\":1,\"label\":\"x\"}", kinds[i]);
        snprintf(other, sizeof(other), "{\"generate\":\"%s\",\"seed\":2,\"label\":\"x\"}", kinds[i]);
        make(one, &a);
        make(one, &b);
        make(other, &c);
        assert_true(text_equal(buffer_text(&a), buffer_text(&b)));
        assert_false(text_equal(buffer_text(&a), buffer_text(&c)));
        assert_true(a.len < 40000);
    }
}

static void mistakes_are_told(void **state) {
    (void)state;
    static const char *const wrong[] = { "{}", "{\"generate\":\"smell\"}", "{\"generate\":7}" };
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct buffer scoped(buffer_fini) buf;
        buffer_init(&buf, SAMPLE_MAX);
        json_t *json = json_loads(wrong[i], 0, NULL);
        assert_int_equal(sample_make(json, &buf), ERR_SCRIPT);
        assert_int_equal(buf.len, 0);
        json_decref(json);
    }
    struct buffer scoped(buffer_fini) small;
    buffer_init(&small, 50);
    json_t *json = json_loads("{\"generate\":\"image\"}", 0, NULL);
    assert_int_equal(sample_make(json, &small), ERR_NO_MEMORY);
    json_decref(json);
}

int test_sample(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_programs_open_every_kind),
        cmocka_unit_test(a_seed_makes_the_bytes),
        cmocka_unit_test(mistakes_are_told),
    };
    return cmocka_run_group_tests_name("sample", tests, NULL, NULL);
}
