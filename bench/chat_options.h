/* What bench_chat_load is told to do, and the request that follows from it. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

#define LOAD_REQUEST_MAX (64u << 10)
#define LOAD_CONNECTIONS_MAX 60000u
#define LOAD_SECONDS_MAX 3600u

enum load_mode {
    WHOLE,  /* whole answers */
    STREAM, /* streams, one after the other on each connection */
    HOLD,   /* streams, one a connection, all at once */
};

struct load_options {
    enum load_mode mode;
    unsigned connections;
    unsigned seconds; /* how long requests begin; HOLD: how long it counts once all streams are open */
    uint64_t events;  /* a stream is whole with so many */
    struct sockaddr_in address;
    size_t request_size;
    char request[LOAD_REQUEST_MAX];
};

/* False: the usage was printed. */
bool load_options_read(int argc, char **argv, struct load_options *ret) must_check;
