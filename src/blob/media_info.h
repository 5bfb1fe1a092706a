/* What can be measured of a media file without decoding it: the pixels of a picture or video, the seconds of what plays.
 *
 * Files come from anybody, so every read is bounded, and what does not add up is simply not known. Pure but for reading
 * the descriptor, any thread. */
#pragma once

#include <stdint.h>

#include "base/errors.h"
#include "base/text.h"

struct media_limits; /* catalog/param.h */

struct media_info {
    int64_t bytes;
    unsigned width, height; /* PNG, JPEG, GIF, WebP, MP4 and its kin; 0: not known */
    double seconds;         /* WAV, MP3, MP4 and its kin; 0: not known */
};

struct media_info media_info_of_bytes(struct text bytes);
/* A regular file, read from its start on; its position stays. */
struct media_info media_info_of_file(int fd);

/* The seconds of what plays as services count them: a begun one is whole, but the frame or two that stand over begin none.
 * 0: not known. */
int64_t media_info_begun_seconds(const struct media_info *info);

/* ERR_OUT_OF_RANGE with a sentence that begins with `noun` ("The file") when the file is certainly outside of the limits;
 * what is not known is within. The fault's param is `path`. */
enum err media_info_check(const struct media_info *info, const struct media_limits *limits, const char *path,
                          struct fault *fault) must_check;
