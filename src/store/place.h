/* The directory of the embedded database: its files, who serves it, the generation, whose turn it is to write. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/errors.h"

struct place {
    char *database; /* path of the database file */
    int server_fd;  /* server.lock, held while this process serves; -1: it does not */
    int turn_fd;    /* turn.lock */
    int generation_fd;
    _Atomic uint64_t *generation; /* mapped: the same eight bytes in every process */
};

/* Makes the directory (0700) and the files (0600) where they are missing, and checks that they can be written. */
enum err place_init(struct place *place, const char *directory, bool serve, struct fault *fault) must_check;
void place_fini(struct place *place);

/* The turn is taken around opening and around the start of each transaction. While one process waits for the database's
 * lock, it holds the turn, so that a busy process cannot keep starting transactions past it. Waits a bounded time and
 * then goes on without; a comfort, not a protection. Any thread, one at a time. */
void place_take_turn(struct place *place);
void place_end_turn(struct place *place);
