/* File names as clients give them, made harmless. Pure, any thread. */
#pragma once

#include "base/text.h"

#define FILE_NAME_SIZE 256 /* bytes, the NUL included */

/* The last part of a path of either kind, without control characters, those that turn the direction of writing, and blanks
 * and dots at its ends. A longer one loses its middle, so that the ending stays. What is not UTF-8, or nothing then, is
 * the empty text. */
void file_name_clean(struct text name, char ret[FILE_NAME_SIZE]);
