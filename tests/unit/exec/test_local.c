/* The shipped commands, run for real through the driver: their files open in other programs, and hostile texts and files
 * stay data. */
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/buffer.h"
#include "config/config.h"
#include "provider/sample/sample.h"
#include "tests.h"
#include "trial.h"

#define FILE_MAX (64 << 20)
#define SAID_SIZE 4096

static struct config config = { .libexec = TEST_LIBEXEC, .artifact_max = FILE_MAX };

/* ---- help ---- */

static bool installed(const char *const *programs) {
    for (; *programs; programs++) {
        char path[PATH_MAX];
        snprintf(path, sizeof(path), "/usr/bin/%s", *programs);
        if (access(path, X_OK) != 0) {
            print_message("%s is not installed: not run\n", *programs);
            return false;
        }
    }
    return true;
}

static const char *const SPEECH[] = { "espeak-ng", "ffprobe", NULL };
static const char *const TRANSCRIBE[] = { "espeak-ng", "pocketsphinx_continuous", "ffmpeg", NULL };
static const char *const IMAGE[] = { "convert", "identify", NULL };
static const char *const VIDEO[] = { "ffmpeg", "ffprobe", NULL };

/* What a program says about a file in the trial's directory, its first line. */
static void ask_about(const struct trial *trial, const char *file, const char *question, char said[SAID_SIZE]) {
    char command[PATH_MAX + 512];
    snprintf(command, sizeof(command), "cd %s && PATH=/usr/bin:/bin %s %s 2>&1", trial->directory, question, file);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t length = fread(said, 1, SAID_SIZE - 1, pipe);
    said[length] = '\0';
    said[strcspn(said, "\n")] = '\0';
    assert_int_equal(pclose(pipe), 0);
}

#define PICTURE "identify -format '%m %w %h'"
#define SOUND "ffprobe -v error -show_entries stream=codec_name,channels -of csv=p=0"
#define FILM "ffprobe -v error -show_entries stream=codec_name,width,height,pix_fmt,duration -of csv=p=0"

static const char *file_of(const json_t *object) {
    return json_string_value(json_object_get(object, "file"));
}

struct input_file {
    char path[96];
    struct attempt_file file;
};

static void write_input(struct input_file *input, const char *param, const char *bytes, size_t len) {
    snprintf(input->path, sizeof(input->path), "/tmp/fennec-input-XXXXXX");
    int fd = mkstemp(input->path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), (ssize_t)len);
    close(fd);
    input->file = (struct attempt_file){ param, input->path, "application/octet-stream" };
}

static void put_sample(const char *generate, struct buffer *buf) {
    json_t *json = json_loads(generate, 0, NULL);
    buffer_init(buf, 1 << 20);
    assert_int_equal(sample_make(json, buf), OK);
    json_decref(json);
}

/* A picture in a format that ImageMagick can write, under a name that says nothing of it. */
static void write_picture(struct input_file *input, const char *format) {
    struct buffer scoped(buffer_fini) png;
    char command[256];
    put_sample("{\"generate\":\"image\",\"width\":101,\"height\":67,\"seed\":9}", &png);
    write_input(input, "image_url", png.data, png.len);
    snprintf(command, sizeof(command), "/usr/bin/convert png:%s %s:%s", input->path, format, input->path);
    assert_int_equal(system(command), 0);
}

static const char *const FORMATS[] = { "png", "jpeg", "webp" };

static void run(struct trial *trial, const char *command, json_t *job, const struct input_file *input) {
    trial_init(trial, command, job);
    trial->files = input ? &input->file : NULL;
    trial->file_count = input ? 1 : 0;
    trial_run(trial, 1, &config);
    if (trial->outcome.error != TASK_ERROR_NONE) {
        print_message("  %s: %s\n", trial->message, trial->detail);
    }
}

/* ---- speech ---- */

static const struct {
    const char *prompt, *voice;
    double speed;
    enum task_error error;
    const char *words; /* in the message; NULL: any */
} speeches[] = {
    { "Good morning. This is the first sentence! And the second?", "en", 1, TASK_ERROR_NONE },
    { "Guten Morgen.", "de", 1.5, TASK_ERROR_NONE },
    { "-w /tmp/fennec-must-not-exist.wav", "en-gb", 1, TASK_ERROR_NONE },
    { "--help", "en", 2, TASK_ERROR_NONE },
    { "-f/etc/hostname\n-v de\n'\"`$(id)`\"'; | & > x", "en-us", 0.5, TASK_ERROR_NONE },
    { "[[h@l'oU]] \001100s \033[31m <audio src=\"/etc/hostname\"/> @/etc/hostname", "en", 1, TASK_ERROR_NONE },
    { "\xe4\xbd\xa0\xe5\xa5\xbd\xe3\x80\x82 caf\xc3\xa9 \xf0\x9f\x98\x80", "en", 1, TASK_ERROR_NONE },
    { " \n\t ", "en", 1, TASK_ERROR_INVALID_PARAMETERS, "nothing to speak" },
    { "Hello", "xx-nobody", 1, TASK_ERROR_INVALID_PARAMETERS },
    { "Hello", "--help", 1, TASK_ERROR_INVALID_PARAMETERS },
    { "Hello", "../../etc/passwd", 1, TASK_ERROR_INVALID_PARAMETERS },
    { "Hello", "en", 3, TASK_ERROR_INVALID_PARAMETERS },
};

static void speech_is_spoken_whatever_the_text(void **state) {
    (void)state;
    if (!installed(SPEECH)) {
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(speeches); i++) {
        struct trial trial;
        char said[SAID_SIZE];
        json_t *job = json_pack("{s:s, s:s, s:f}", "prompt", speeches[i].prompt, "voice", speeches[i].voice, "speed",
                                speeches[i].speed);
        run(&trial, "local-speech", job, NULL);
        assert_int_equal(trial.outcome.error, speeches[i].error);
        assert_true(speeches[i].words == NULL || strstr(trial.message, speeches[i].words) != NULL);
        assert_false(trial.outcome.retryable);
        if (trial.output) {
            assert_int_equal(trial.progress_last, 100);
            assert_string_equal(file_of(json_object_get(trial.output, "audio")), "speech.wav");
            ask_about(&trial, "speech.wav", SOUND, said);
            assert_string_equal(said, "pcm_s16le,1");
        }
        trial_fini(&trial);
    }
    assert_int_equal(access("/tmp/fennec-must-not-exist.wav", F_OK), -1);
}

/* ---- transcription ---- */

static void check_words(const json_t *output) {
    json_t *words = json_object_get(output, "words");
    struct buffer scoped(buffer_fini) joined;
    buffer_init(&joined, 4096);
    double last = 0;
    size_t index;
    json_t *word;
    assert_true(json_array_size(words) >= 3);
    json_array_foreach(words, index, word) {
        const char *type = json_string_value(json_object_get(word, "type"));
        double start = json_number_value(json_object_get(word, "start")), end = json_number_value(json_object_get(word, "end"));
        assert_string_equal(type, index % 2 == 0 ? "word" : "spacing");
        assert_true(start >= last && end >= start);
        last = end;
        buffer_put(&joined, text_of(json_string_value(json_object_get(word, "text"))));
    }
    assert_string_equal(joined.data, json_string_value(json_object_get(output, "text")));
}

static void words_have_their_real_times(void **state) {
    (void)state;
    if (!installed(TRANSCRIBE)) {
        return;
    }
    /* Two seconds of silence, then speech: the first word cannot start before. */
    struct trial spoken, trial;
    char said[SAID_SIZE];
    run(&spoken, "local-speech", json_pack("{s:s}", "prompt", "one two three four five"), NULL);
    ask_about(&spoken, "late.ogg", "ffmpeg -v error -i speech.wav -af adelay=2000 -y", said);
    struct input_file input = { .file = { "audio_url", input.path, "audio/ogg" } };
    snprintf(input.path, sizeof(input.path), "%s/late.ogg", spoken.directory);
    run(&trial, "local-transcribe", json_pack("{s:s}", "audio_url", "https://example.com/late.ogg"), &input);
    for (unsigned tries = 1; trial.progress_count < 2 && tries < 5; tries++) { /* all its lines were read at once */
        trial_fini(&trial);
        run(&trial, "local-transcribe", json_pack("{s:s}", "audio_url", "https://example.com/late.ogg"), &input);
    }
    assert_int_equal(trial.outcome.error, TASK_ERROR_NONE);
    assert_string_equal(json_string_value(json_object_get(trial.output, "language_code")), "en");
    check_words(trial.output);
    json_t *first = json_array_get(json_object_get(trial.output, "words"), 0);
    double start = json_number_value(json_object_get(first, "start"));
    assert_true(start > 1.7 && start < 2.6);
    assert_true(trial.progress_count >= 2);
    trial_fini(&trial);
    trial_fini(&spoken);
}

static void what_is_no_sound_is_refused(void **state) {
    (void)state;
    static const char *const contents[] = {
        "not a sound",
        "#EXTM3U\n#EXTINF:1,\n/etc/hostname\n",
        "ffconcat version 1.0\nfile /etc/hostname\n",
        "RIFF\xff\xff\xff\xffWAVEfmt ",
    };
    if (!installed(TRANSCRIBE)) {
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(contents); i++) {
        struct trial trial;
        struct input_file input;
        write_input(&input, "audio_url", contents[i], strlen(contents[i]));
        run(&trial, "local-transcribe", json_pack("{s:s}", "audio_url", "x"), &input);
        assert_int_equal(trial.outcome.error, TASK_ERROR_INVALID_PARAMETERS);
        trial_fini(&trial);
        unlink(input.path);
    }
}

/* ---- pictures ---- */

static const struct {
    const char *job;
    const char *says; /* NULL: refused */
} pictures[] = {
    { "{\"prompt\":\"blue marble\"}", "PNG 512 512" },
    { "{\"prompt\":\"stone\",\"image_size\":\"landscape_16_9\",\"seed\":4294967295}", "PNG 1024 576" },
    { "{\"prompt\":\"oak\",\"image_size\":{\"width\":64,\"height\":300},\"seed\":0}", "PNG 64 300" },
    { "{\"prompt\":\"-write /tmp/fennec-must-not-exist.png\",\"image_size\":{\"width\":64,\"height\":64}}", "PNG 64 64" },
    { "{\"prompt\":\"@/etc/passwd\",\"image_size\":{\"width\":64,\"height\":64}}", "PNG 64 64" },
    { "{\"prompt\":\"label:@/etc/passwd msl:x | id \\n ' \\\" $(id) )\",\"image_size\":{\"width\":64,\"height\":64}}", "PNG 64 64" },
    { "{\"prompt\":\"\",\"image_size\":{\"width\":64,\"height\":64}}", "PNG 64 64" },
    { "{\"prompt\":\"x\",\"image_size\":\"64x64 -write /tmp/x\"}", NULL },
    { "{\"prompt\":\"x\",\"image_size\":{\"width\":100000,\"height\":64}}", NULL },
    { "{\"prompt\":\"x\",\"image_size\":{\"width\":\"64\",\"height\":64}}", NULL },
    { "{\"prompt\":\"x\",\"seed\":\"-1\"}", NULL },
    { "{\"prompt\":7}", NULL },
};

static void pictures_are_drawn_whatever_the_prompt(void **state) {
    (void)state;
    if (!installed(IMAGE)) {
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(pictures); i++) {
        struct trial trial;
        char said[SAID_SIZE];
        run(&trial, "local-image", json_loads(pictures[i].job, 0, NULL), NULL);
        assert_int_equal(trial.outcome.error, pictures[i].says ? TASK_ERROR_NONE : TASK_ERROR_INVALID_PARAMETERS);
        if (trial.output) {
            assert_true(json_is_integer(json_object_get(trial.output, "seed")));
            ask_about(&trial, file_of(json_object_get(trial.output, "image")), PICTURE, said);
            assert_string_equal(said, pictures[i].says);
        }
        trial_fini(&trial);
    }
    assert_int_equal(access("/tmp/fennec-must-not-exist.png", F_OK), -1);
}

static void hash_of_picture(const char *job, char said[SAID_SIZE]) {
    struct trial trial;
    run(&trial, "local-image", json_loads(job, 0, NULL), NULL);
    assert_int_equal(trial.outcome.error, TASK_ERROR_NONE);
    ask_about(&trial, "image.png", "sha256sum", said);
    trial_fini(&trial);
}

static void the_same_inputs_draw_the_same_bytes(void **state) {
    (void)state;
    if (!installed(IMAGE)) {
        return;
    }
    char first[SAID_SIZE], again[SAID_SIZE], other[SAID_SIZE];
    hash_of_picture("{\"prompt\":\"green water\",\"seed\":5}", first);
    hash_of_picture("{\"prompt\":\"green water\",\"seed\":5}", again);
    hash_of_picture("{\"prompt\":\"green water\",\"seed\":6}", other);
    assert_string_equal(first, again);
    assert_string_not_equal(first, other);
}

/* ---- pictures in ---- */

static const char *const ORDER[] = { "normal", "basecolor", "height", "metalness", "roughness" };

static void check_maps(const struct trial *trial) {
    char said[SAID_SIZE];
    json_t *maps = json_object_get(trial->output, "maps");
    assert_int_equal(json_array_size(maps), ARRAY_SIZE(ORDER));
    for (size_t i = 0; i < ARRAY_SIZE(ORDER); i++) {
        json_t *map = json_array_get(maps, i);
        assert_string_equal(json_string_value(json_object_get(map, "map_type")), ORDER[i]);
        ask_about(trial, file_of(map), PICTURE, said);
        assert_string_equal(said, "PNG 101 67");
    }
}

static void maps_come_in_the_order_asked(void **state) {
    (void)state;
    if (!installed(IMAGE)) {
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(FORMATS); i++) {
        struct trial trial;
        struct input_file input;
        write_picture(&input, FORMATS[i]);
        json_t *job = json_pack("{s:[s, s, s, s, s, s]}", "maps", ORDER[0], ORDER[1], ORDER[2], ORDER[3], ORDER[4], ORDER[0]);
        run(&trial, "local-pbr-maps", job, &input);
        assert_int_equal(trial.outcome.error, TASK_ERROR_NONE);
        check_maps(&trial);
        trial_fini(&trial);
        unlink(input.path);
    }
}

static void a_film_has_the_asked_length(void **state) {
    (void)state;
    if (!installed(VIDEO)) {
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(FORMATS); i++) {
        struct trial trial;
        struct input_file input;
        char said[SAID_SIZE];
        write_picture(&input, FORMATS[i]);
        run(&trial, "local-image-to-video", json_pack("{s:f, s:f}", "duration", 1.2, "zoom", 1.5), &input);
        assert_int_equal(trial.outcome.error, TASK_ERROR_NONE);
        ask_about(&trial, file_of(json_object_get(trial.output, "video")), FILM, said);
        assert_string_equal(said, "h264,102,68,yuv420p,1.200000");
        trial_fini(&trial);
        unlink(input.path);
    }
}

static void what_is_no_picture_is_refused(void **state) {
    (void)state;
    static const char *const commands[] = { "local-pbr-maps", "local-image-to-video" };
    static const char *const contents[] = {
        "",
        "push graphic-context\nimage over 0,0 0,0 'label:@/etc/hostname'\n",
        "<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/hostname'/></svg>",
        "\x89PNG\r\n\x1a\n cut short",
        "\xff\xd8\xff not a JPEG",
        "RIFF....WEBP not a WebP",
        "GIF89a",
    };
    if (!installed(IMAGE) || !installed(VIDEO)) {
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(contents) * ARRAY_SIZE(commands); i++) {
        const char *content = contents[i / ARRAY_SIZE(commands)];
        struct trial trial;
        struct input_file input;
        write_input(&input, "image_url", content, strlen(content));
        run(&trial, commands[i % ARRAY_SIZE(commands)], json_pack("{s:[s]}", "maps", "height"), &input);
        assert_int_equal(trial.outcome.error, TASK_ERROR_IMAGE_PROCESSING);
        trial_fini(&trial);
        unlink(input.path);
    }
}

int test_local(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(speech_is_spoken_whatever_the_text),
        cmocka_unit_test(words_have_their_real_times),
        cmocka_unit_test(what_is_no_sound_is_refused),
        cmocka_unit_test(pictures_are_drawn_whatever_the_prompt),
        cmocka_unit_test(the_same_inputs_draw_the_same_bytes),
        cmocka_unit_test(maps_come_in_the_order_asked),
        cmocka_unit_test(a_film_has_the_asked_length),
        cmocka_unit_test(what_is_no_picture_is_refused),
    };
    return cmocka_run_group_tests_name("shipped commands", tests, NULL, NULL);
}
