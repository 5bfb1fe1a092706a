/* Media files: what is measured in memory is what is measured of the file, within bounds, with a bounded number of reads;
 * what is told of the bytes is a known type. */
#include "blob/media_info.h"

#include <math.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buffer.h"
#include "blob/media_type.h"
#include "fuzz.h"
#include "provider/sample/sample.h"

static int file = -1;

void fuzz_begin(void) {
    file = memfd_create("media", MFD_CLOEXEC);
    fuzz_hold(file >= 0);
}

static void seed_samples(void) {
    struct buffer buf;
    struct sample sample = { .width = 3, .height = 2, .seconds = 0.01, .seed = 1 };
    buffer_init(&buf, 1 << 20);
    sample_put_image(&sample, &buf);
    fuzz_seed("png", buffer_text(&buf));
    buffer_clear(&buf);
    sample_put_audio(&sample, &buf);
    fuzz_seed("wav", text_clip(buffer_text(&buf), 256));
    buffer_clear(&buf);
    sample_put_video(&sample, &buf);
    fuzz_seed("mp4", buffer_text(&buf));
    buffer_clear(&buf);
    sample_put_pdf(&sample, &buf);
    fuzz_seed("pdf", buffer_text(&buf));
    buffer_fini(&buf);
}

void fuzz_seeds(void) {
    static const struct {
        const char *name;
        struct text bytes;
    } seeds[] = {
        { "gif", TEXT("GIF89a\3\0\2\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\3\0\2\0\0\2\3\x44\x02\5\0;") },
        { "jpeg", TEXT("\xff\xd8\xff\xe0\0\20JFIF\0\1\1\0\0\1\0\1\0\0\xff\xdb\0\4\1\2\xff\xff\xc0\0\21\10\0\2\0\3\3\1\21"
                       "\0\2\21\1\3\21\1\xff\xda\0\14\3\1\0\2\21\3\21\0?\0\xff\xd9") },
        { "webp-lossy", TEXT("RIFF\x20\0\0\0WEBPVP8 \x14\0\0\0\x30\1\0\x9d\1\x2a\3\0\2\0\0\0\0\0\0\0\0\0\0\0") },
        { "webp-lossless", TEXT("RIFF\x16\0\0\0WEBPVP8L\x0a\0\0\0\x2f\2\x40\0\0\0\0\0\0\0") },
        { "webp-extended", TEXT("RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\2\0\0\1\0\0") },
        { "mp3", TEXT("\xff\xfb\x90\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0Xing\0\0\0\1\0\0\1\0") },
        { "mp3-tag", TEXT("ID3\4\0\0\0\0\0\4abcd\xff\xfb\x90\0") },
        { "wav-64", TEXT("RF64\xff\xff\xff\xffWAVEds64\x1c\0\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                         "fmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x80\x3e\0\0\2\0\x10\0data\xff\xff\xff\xff") },
        { "mov", TEXT("\0\0\0\x14" "ftypqt  \0\0\2\0qt  \0\0\0\1moov\0\0\0\0\0\0\0\x18") },
        { "docx", TEXT("PK\3\4\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\5\0\0\0word/") },
        { "text", TEXT("<html>") },
        { "json", TEXT("{\"a\": 1}") },
        { "aac", TEXT("\xff\xf1\x50\x80\0\x1f\xfc") },
    };
    for (size_t i = 0; i < ARRAY_SIZE(seeds); i++) {
        fuzz_seed(seeds[i].name, seeds[i].bytes);
    }
    seed_samples();
}

static void hold_info(const struct media_info *info, struct text input) {
    fuzz_hold(info->bytes == (int64_t)input.len);
    fuzz_hold((info->width == 0) == (info->height == 0), "%u x %u", info->width, info->height);
    fuzz_hold(isfinite(info->seconds) && info->seconds >= 0, "%f", info->seconds);
}

static void hold_type(struct text input) {
    static const struct text names[] = { TEXT("a.docx"), TEXT("b.csv"), TEXT("c.html"), TEXT("d.svg"), TEXT("e") };
    const char *type = media_type_sniff((struct text){ input.ptr, input.len < 512 ? input.len : 512 });
    fuzz_hold(strchr(type, '/') != NULL && media_type_extension(type)[0] != '\0');
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const char *named = media_type_named(type, names[i]);
        fuzz_hold(strchr(named, '/') != NULL);
        fuzz_hold(strstr(named, "html") == NULL && strstr(named, "svg") == NULL, "%s is active", named);
    }
}

void fuzz_one(struct text input) {
    struct media_info info = media_info_of_bytes(input);
    hold_info(&info, input);
    hold_type(input);

    fuzz_hold(ftruncate(file, 0) == 0);
    fuzz_hold(pwrite(file, input.ptr, input.len, 0) == (ssize_t)input.len);
    struct media_info same = media_info_of_file(file);
    hold_info(&same, input);
    fuzz_hold(same.width == info.width && same.height == info.height && same.seconds == info.seconds);
}
