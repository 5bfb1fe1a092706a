/* Where the readers of media headers get their bytes: memory or a descriptor, bounded in what may be read. Any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct media_source {
    int fd; /* -1: bytes in memory */
    const char *bytes;
    int64_t size;
    unsigned reads_left;
};

#define READS_MAX 70000 /* above what an honest file of an hour needs */

/* False when not all of it is there, or too much was read already; *ret may then be written in part. */
bool media_source_read(struct media_source *source, int64_t at, void *ret, size_t count);

static inline uint32_t be16(const uint8_t *at) {
    return (uint32_t)at[0] << 8 | at[1];
}

static inline uint32_t be32(const uint8_t *at) {
    return be16(at) << 16 | be16(at + 2);
}

static inline uint64_t be64(const uint8_t *at) {
    return (uint64_t)be32(at) << 32 | be32(at + 4);
}

static inline uint32_t le16(const uint8_t *at) {
    return (uint32_t)at[1] << 8 | at[0];
}

static inline uint32_t le24(const uint8_t *at) {
    return (uint32_t)at[2] << 16 | le16(at);
}

static inline uint32_t le32(const uint8_t *at) {
    return le16(at + 2) << 16 | le16(at);
}

static inline uint64_t le64(const uint8_t *at) {
    return (uint64_t)le32(at + 4) << 32 | le32(at);
}
