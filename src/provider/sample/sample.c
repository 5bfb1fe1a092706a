/* Small real files for test mode: from the description to the kind. */
#include "provider/sample/sample.h"

#include <jansson.h>

#include "base/text.h"

#define SIDE_MAX 128
#define SECONDS_MAX 2.0
#define SECONDS_MIN 0.1
#define LABEL_MAX 200

uint64_t sample_next(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

void sample_put_u32_big(struct buffer *buf, uint32_t number) {
    const char bytes[] = { (char)(number >> 24), (char)(number >> 16), (char)(number >> 8), (char)number };
    buffer_put(buf, (struct text){ bytes, sizeof(bytes) });
}

static double number_of(const json_t *generate, const char *name, double fallback, double least, double most) {
    const json_t *value = json_object_get(generate, name);
    double number = json_is_number(value) ? json_number_value(value) : fallback;
    return number >= least ? (number <= most ? number : most) : least; /* not a number: least */
}

/* A seed that is no whole number still counts as what it is. */
static uint64_t seed_of(const json_t *value) {
    if (json_is_real(value)) {
        double number = json_real_value(value);
        return number > -9e18 && number < 9e18 ? (uint64_t)(int64_t)number : 0;
    }
    return (uint64_t)json_integer_value(value);
}

static void fit(struct sample *sample, double width, double height) {
    double longest = width > height ? width : height;
    double scale = longest > SIDE_MAX ? SIDE_MAX / longest : 1;
    sample->width = (unsigned)(width * scale + 0.5);
    sample->height = (unsigned)(height * scale + 0.5);
    sample->width += sample->width == 0;
    sample->height += sample->height == 0;
}

static const struct {
    const char *name;
    void (*put)(const struct sample *sample, struct buffer *buf);
} kinds[] = {
    { "image", sample_put_image },
    { "audio", sample_put_audio },
    { "video", sample_put_video },
    { "pdf", sample_put_pdf },
    { "text", sample_put_text },
};

enum err sample_make(const struct json_t *generate, struct buffer *buf) {
    const json_t *kind = json_object_get(generate, "generate");
    const json_t *label = json_object_get(generate, "label");
    struct sample sample = {
        .seconds = number_of(generate, "seconds", 1, SECONDS_MIN, SECONDS_MAX),
        .seed = seed_of(json_object_get(generate, "seed")),
        .label = { json_string_value(label), json_string_length(label) },
    };
    sample.label = text_clip(sample.label, LABEL_MAX);
    fit(&sample, number_of(generate, "width", SIDE_MAX, 1, 65536), number_of(generate, "height", SIDE_MAX, 1, 65536));
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (text_equal(text_of(json_string_value(kind)), text_of(kinds[i].name))) {
            kinds[i].put(&sample, buf);
            return buffer_ok(buf) ? OK : ERR_NO_MEMORY;
        }
    }
    return ERR_SCRIPT;
}
