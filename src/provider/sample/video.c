/* An MP4 for test mode: one second of H.264 kept in the binary (assets/make-sample.sh), and behind it a box that players
 * skip, with the seed and the label. */
#include "provider/sample/sample.h"

#define BOX_MAX 400

__asm__(".section .rodata\n"
        ".balign 16\n"
        ".global sample_mp4_begin, sample_mp4_end\n"
        ".hidden sample_mp4_begin, sample_mp4_end\n"
        "sample_mp4_begin:\n"
        ".incbin \"" SAMPLE_MP4 "\"\n"
        "sample_mp4_end:\n"
        ".byte 0\n"
        ".previous\n");
extern const char sample_mp4_begin[] __attribute__((visibility("hidden")));
extern const char sample_mp4_end[] __attribute__((visibility("hidden")));

void sample_put_video(const struct sample *sample, struct buffer *buf) {
    struct buffer scoped(buffer_fini) note;
    buffer_init(&note, BOX_MAX);
    buffer_printf(&note, "test mode, seed %llu; %.*s", (unsigned long long)sample->seed, TEXT_ARG(sample->label));
    buffer_put(buf, (struct text){ sample_mp4_begin, (size_t)(sample_mp4_end - sample_mp4_begin) });
    sample_put_u32_big(buf, (uint32_t)(note.len + 8));
    buffer_put(buf, TEXT("free"));
    buffer_put(buf, buffer_text(&note));
}
