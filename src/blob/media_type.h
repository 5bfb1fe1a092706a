/* What bytes are, told from the bytes: the few formats that pass through here. Pure, any thread. */
#pragma once

#include "base/text.h"
#include "core/task.h"

/* "image/png", "audio/wav", "video/mp4", "application/zip", "application/json", "text/plain", …;
 * "application/octet-stream" when unknown. `start` is the first 512 bytes, or all there is. Never NULL. */
const char *media_type_sniff(struct text start);
/* "png", "wav", "mp4", …; "bin" when unknown. */
const char *media_type_extension(const char *media_type);
/* Whether a result of this task type may have that media type (an image task must not yield a ZIP). */
bool media_type_fits(const char *media_type, enum task_type type);
