/* The inside of the board: its entries, and the table in shards that finds them. For board*.c only; under the
 * shard's lock. */
#pragma once

#include <pthread.h>

#include "base/memory.h"
#include "engine/view/board.h"

#define SHARDS 16

LIST_HEAD(watch_list, board_watch);

/* What an answer says beside state and progress; its texts follow one another. */
struct known {
    int64_t reserved, charged, refunded;
    uint32_t created_s, estimated_s;
    uint32_t results_len, message_len;
    uint8_t model_len, group_len; /* names have 255 bytes at most: engine/task/live.h */
    uint8_t type, error, billing;
    bool streams;
    char text[];
};

/* A final task's body. */
struct rendering {
    char *body;
    char *base; /* what it was rendered for; NULL: the same for every base */
    size_t len;
    uint64_t tag;
};

struct entry {
    struct entry *next; /* of its bucket */
    uint32_t hash;
    uint8_t state, progress;
    bool final, touched;
    struct task_key key;
    struct known *known;         /* NULL: no longer, only its rendering */
    struct rendering *rendering; /* NULL: not yet */
    uint64_t version, latest;
    union {
        struct {
            struct queue_gauge *gauge; /* while it waits */
            uint64_t sequence;
            struct watch_list watches;
        }; /* of a live one */
        struct {
            TAILQ_ENTRY(entry) clock;
            size_t bytes; /* counted in the shard */
        }; /* of a final one */
    };
};

struct shard {
    _Alignas(CACHE_LINE) pthread_mutex_t mutex;
    uint64_t hits, misses; /* written by each read: so in the mutex's cache line, which has to come anyway */
    struct entry **buckets;
    size_t bucket_count, count;              /* a power of 2; entries */
    TAILQ_HEAD(clock_head, entry) clock; /* final entries; the hand is at the front */
    size_t bytes;
    uint64_t changes; /* numbers the versions */
    bool closed;
};

struct board {
    struct shard shards[SHARDS];
    size_t shard_bytes_max;
};

/* An empty table. fini frees all entries, of which nobody watches any. */
void shard_init(struct shard *shard);
void shard_fini(struct shard *shard);
/* The task's shard; its lock is taken. */
struct shard *board_lock_shard(struct board *board, const struct task_key *key, unsigned *ret_hash) must_check;
struct entry *shard_find(struct shard *shard, const struct task_key *key, unsigned hash) must_check;
struct entry *shard_find_or_add(struct shard *shard, const struct task_key *key, unsigned hash) must_check;
/* Frees it; nobody watches it. */
void shard_remove(struct shard *shard, struct entry *entry);
/* Makes it final, nobody watches it; counts what it takes, and lets the hand go round until the shard is within its
 * bound again (S3): it may be gone after that. */
void shard_count_final(struct board *board, struct shard *shard, struct entry *entry);

/* It shows the row from now on; texts are copied. */
void entry_set(struct entry *entry, const struct task_row *row, int64_t estimated_s);
/* It shows a final row by its body for `base`; copied. */
void entry_keep(struct entry *entry, const struct task_row *row, struct text base, struct text body, uint64_t tag);
/* A live one: where it waits; takes over the reference. */
void entry_set_gauge(struct entry *entry, struct queue_gauge *gauge, uint64_t sequence);
/* Its texts point into the entry, of which all is known. */
struct answer entry_answer(const struct entry *entry) must_check;
/* Renders a final entry's body; false when memory or the bound of a body did not suffice. */
bool entry_render(struct entry *entry, struct text base) must_check;
/* Whether there is a body, and it is for that base. */
bool entry_fits(const struct entry *entry, struct text base) must_check;
void entry_drop_known(struct entry *entry);
