/* How long an MP3 lasts. */
#pragma once

struct media_source;

/* Seconds; 0 when that cannot be told. A file with a VBR header says so itself; else its frames are counted, and if there
 * are too many for that, the rest is taken to be as the beginning. */
double media_mp3_seconds(struct media_source *source);
