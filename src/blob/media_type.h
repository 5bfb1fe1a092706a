/* What bytes are, told from the bytes: the few formats that pass through here. Pure, any thread. */
#pragma once

#include "base/text.h"
#include "core/task.h"

/* "image/png", "audio/wav", "video/mp4", "application/zip", "application/json", "text/plain", …;
 * "application/octet-stream" when unknown. `start` is the first MEDIA_SNIFF_SIZE bytes, or all there is; more is not looked
 * at. Never NULL. */
#define MEDIA_SNIFF_SIZE ((size_t)512)
const char *media_type_sniff(struct text start);
/* The same made finer by a file's name, where bytes alone do not tell: a ZIP that is called .docx, a text that is called
 * .csv. Nothing becomes active by it (a text never becomes HTML). Never NULL. */
const char *media_type_named(const char *sniffed, struct text name);
/* Whether a browser only ever shows or plays such a file: pictures, video and sound. */
bool media_type_is_passive(const char *media_type);
/* "png", "wav", "mp4", …; "bin" when unknown. */
const char *media_type_extension(const char *media_type);
/* Whether a result of this task type may have that media type (an image task must not yield a ZIP). */
bool media_type_fits(const char *media_type, enum task_type type);
