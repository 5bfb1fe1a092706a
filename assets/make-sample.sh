#!/bin/sh
# Makes sample.mp4, the video that test mode answers with: one second, H.264, 64 x 64, the index in front (faststart),
# nothing in it that changes from run to run. Needs Debian's ffmpeg; the result is committed, a build does not run this.
set -eu
cd "$(dirname "$0")"
/usr/bin/ffmpeg -hide_banner -loglevel error -y \
    -f lavfi -i "testsrc2=size=64x64:rate=12:duration=1" \
    -c:v libx264 -profile:v main -pix_fmt yuv420p -crf 34 -preset veryslow -threads 1 -g 12 \
    -movflags +faststart -fflags +bitexact -flags:v +bitexact -map_metadata -1 sample.mp4
ls -l sample.mp4
