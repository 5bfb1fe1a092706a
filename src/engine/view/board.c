/* A table in shards, one lock each, held for a look-up and a copy (the entries: board_entry.c).
 *
 * Who watches a task hangs on its entry. A change takes those it concerns off, under the lock, and tells them when
 * the lock is free again: ten thousand of them delay no reader. */
#include "engine/view/board.h"

#include <assert.h>
#include <stdlib.h>

#include "base/crypto.h"
#include "base/memory.h"
#include "engine/queue/queue.h"
#include "engine/view/board_inside.h"

#define FINAL_BYTES_MAX ((size_t)64 << 20)

struct board *board_new(size_t final_bytes_max) {
    struct board *board = mem_new_lines(1, sizeof(*board));
    board->shard_bytes_max = (final_bytes_max > 0 ? final_bytes_max : FINAL_BYTES_MAX) / SHARDS;
    for (size_t i = 0; i < SHARDS; i++) {
        shard_init(&board->shards[i]);
    }
    return board;
}

/* ---- who watches ---- */

static void take_watch(struct board_watch *watch, struct watch_list *told) {
    LIST_REMOVE(watch, link);
    watch->watching = false;
    LIST_INSERT_HEAD(told, watch, link);
}

/* To be told once the lock is free. */
static void take_watches(struct entry *entry, bool only_timeline, struct watch_list *told) {
    struct board_watch *watch = LIST_FIRST(&entry->watches);
    while (watch != NULL) {
        struct board_watch *next = LIST_NEXT(watch, link);
        if (watch->timeline || !only_timeline)
            take_watch(watch, told);
        watch = next;
    }
}

static void tell(struct watch_list *told) {
    struct board_watch *watch;
    while ((watch = LIST_FIRST(told)) != NULL) {
        LIST_REMOVE(watch, link);
        watch->changed(watch); /* from here on it may be gone */
    }
}

static void note_change(struct shard *shard, struct entry *entry, struct watch_list *told) {
    entry->version = entry->latest = ++shard->changes;
    take_watches(entry, false, told);
}

void board_free(struct board *board) {
    if (board == NULL)
        return;
    for (size_t i = 0; i < SHARDS; i++)
        shard_fini(&board->shards[i]);
    free(board);
}

struct answer answer_of_row(const struct task_row *row) {
    return (struct answer){
        .id = row->id,
        .type = row->type,
        .state = row->state,
        .error = row->error,
        .billing = row->billing,
        .progress = row->progress,
        .created_s = row->created_ms / 1000,
        .reserved = row->reserved,
        .charged = row->charged,
        .refunded = row->refunded,
        .model = row->model,
        .group = row->group,
        .results = row->results,
        .error_message = row->error_message,
        .can_cancel = !task_state_final(row->state),
        .streams = row->streams,
    };
}

void board_put(struct board *board, const struct task_row *row, int64_t estimated_s) {
    struct task_key key = task_key(row->account, &row->id);
    struct watch_list told = LIST_HEAD_INITIALIZER(told);
    unsigned hash;
    struct shard *shard = board_lock_shard(board, &key, &hash);
    struct entry *entry = shard_find_or_add(shard, &key, hash);

    assert(!entry->final || task_state_final(row->state)); /* T1 */
    if (!entry->final && (entry->state != row->state || entry->progress != row->progress || entry->known == NULL))
        note_change(shard, entry, &told);
    entry_set(entry, row, estimated_s);
    if (task_state_final(row->state))
        shard_count_final(board, shard, entry);
    pthread_mutex_unlock(&shard->mutex);
    tell(&told);
}

void board_set_place(struct board *board, const struct task_key *key, struct queue_gauge *gauge, uint64_t sequence) {
    unsigned hash;
    struct shard *shard = board_lock_shard(board, key, &hash);
    struct entry *entry = shard_find(shard, key, hash);
    if (entry != NULL && !entry->final)
        entry_set_gauge(entry, queue_gauge_ref(gauge), sequence);
    pthread_mutex_unlock(&shard->mutex);
}

void board_raise_progress(struct board *board, const struct task_key *key, int progress) {
    struct watch_list told = LIST_HEAD_INITIALIZER(told);
    unsigned hash;
    struct shard *shard = board_lock_shard(board, key, &hash);
    struct entry *entry = shard_find(shard, key, hash);
    if (entry != NULL && !entry->final && progress > entry->progress) {
        entry->progress = (uint8_t)progress;
        note_change(shard, entry, &told);
    }
    pthread_mutex_unlock(&shard->mutex);
    tell(&told);
}

void board_forget(struct board *board, const struct task_key *key) {
    struct watch_list told = LIST_HEAD_INITIALIZER(told);
    unsigned hash;
    struct shard *shard = board_lock_shard(board, key, &hash);
    struct entry *entry = shard_find(shard, key, hash);
    if (entry != NULL) {
        if (!entry->final)
            take_watches(entry, false, &told);
        shard_remove(shard, entry);
    }
    pthread_mutex_unlock(&shard->mutex);
    tell(&told);
}

void board_note(struct board *board, const struct task_key *key) {
    struct watch_list told = LIST_HEAD_INITIALIZER(told);
    unsigned hash;
    struct shard *shard = board_lock_shard(board, key, &hash);
    struct entry *entry = shard_find(shard, key, hash);
    if (entry != NULL) {
        entry->latest = ++shard->changes;
        if (!entry->final)
            take_watches(entry, true, &told);
    }
    pthread_mutex_unlock(&shard->mutex);
    tell(&told);
}

void board_close(struct board *board) {
    struct watch_list told = LIST_HEAD_INITIALIZER(told);
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *shard = &board->shards[i];
        pthread_mutex_lock(&shard->mutex);
        shard->closed = true;
        for (size_t bucket = 0; bucket < shard->bucket_count; bucket++) {
            for (struct entry *entry = shard->buckets[bucket]; entry != NULL; entry = entry->next) {
                if (!entry->final)
                    take_watches(entry, false, &told);
            }
        }
        pthread_mutex_unlock(&shard->mutex);
    }
    tell(&told);
}

bool board_look(struct board *board, const struct task_key *key, struct board_look *ret) {
    unsigned hash;
    struct shard *shard = board_lock_shard(board, key, &hash);
    const struct entry *entry = shard_find(shard, key, hash);
    if (entry != NULL)
        *ret = (struct board_look){
            .state = entry->state,
            .progress = entry->progress,
            .version = entry->version,
            .latest = entry->latest,
        };
    pthread_mutex_unlock(&shard->mutex);
    return entry != NULL;
}

bool board_watch(struct board *board, struct board_watch *watch, uint64_t seen) {
    unsigned hash;
    struct shard *shard = board_lock_shard(board, &watch->key, &hash);
    struct entry *entry = shard_find(shard, &watch->key, hash);
    assert(!watch->watching);
    if (entry != NULL && !entry->final && !shard->closed && seen == (watch->timeline ? entry->latest : entry->version)) {
        LIST_INSERT_HEAD(&entry->watches, watch, link);
        watch->watching = true;
    }
    bool watching = watch->watching;
    pthread_mutex_unlock(&shard->mutex);
    return watching;
}

bool board_unwatch(struct board *board, struct board_watch *watch) {
    unsigned hash;
    struct shard *shard = board_lock_shard(board, &watch->key, &hash);
    bool watching = watch->watching;
    if (watching)
        LIST_REMOVE(watch, link);
    watch->watching = false;
    pthread_mutex_unlock(&shard->mutex);
    return watching;
}

bool board_is_watched(struct board *board, const struct task_key *key) {
    unsigned hash;
    struct shard *shard = board_lock_shard(board, key, &hash);
    const struct entry *entry = shard_find(shard, key, hash);
    bool watched = entry != NULL && !entry->final && !LIST_EMPTY(&entry->watches);
    pthread_mutex_unlock(&shard->mutex);
    return watched;
}

/* Its place in the queue changes without telling. */
static void read_live(const struct entry *entry, struct text base, struct buffer *body, uint64_t *ret_tag) {
    struct answer answer = entry_answer(entry);
    size_t start = body->len;
    if (answer.state == TASK_PENDING && entry->gauge != NULL)
        answer.queue_position = queue_gauge_position(entry->gauge, entry->sequence);
    answer_put_task(body, &answer, base);
    *ret_tag = crypto_tag((struct text){ body->data + start, body->len - start });
}

/* Appends the answer of an entry, rendering it when that is needed; false when it cannot be told from here. */
static bool read_entry(struct board *board, struct shard *shard, struct entry *entry, struct text base,
                       struct buffer *body, uint64_t *ret_tag) {
    if (!entry->final) {
        read_live(entry, base, body, ret_tag);
        return true;
    }
    bool fresh = entry->rendering == NULL || !entry_fits(entry, base);
    if (fresh && (entry->known == NULL || !entry_render(entry, base))) {
        shard_remove(shard, entry);
        return false;
    }
    if (fresh)
        entry_drop_known(entry);
    buffer_put(body, (struct text){ entry->rendering->body, entry->rendering->len });
    *ret_tag = entry->rendering->tag;
    if (fresh)
        shard_count_final(board, shard, entry); /* may well remove it: the copy was made before */
    else if (!entry->touched) /* all threads read the entry, and as long as nobody writes, each from its own cache */
        entry->touched = true;
    return true;
}

bool board_read(struct board *board, const struct task_key *key, struct text base, struct buffer *body,
                uint64_t *ret_tag) {
    unsigned hash;
    struct shard *shard = board_lock_shard(board, key, &hash);
    struct entry *entry = shard_find(shard, key, hash);
    bool hit = entry != NULL && read_entry(board, shard, entry, base, body, ret_tag);
    if (hit)
        shard->hits++;
    else
        shard->misses++;
    pthread_mutex_unlock(&shard->mutex);
    return hit;
}

void board_keep(struct board *board, const struct task_row *row, struct text base, struct text body, uint64_t tag) {
    assert(task_state_final(row->state));
    if (body.len + sizeof(struct entry) > board->shard_bytes_max / 4)
        return;
    struct task_key key = task_key(row->account, &row->id);
    unsigned hash;
    struct shard *shard = board_lock_shard(board, &key, &hash);
    struct entry *entry = shard_find_or_add(shard, &key, hash);
    if (entry->rendering == NULL && entry->known == NULL) { /* new: what the board already shows is as good */
        entry_keep(entry, row, base, body, tag);
        shard_count_final(board, shard, entry);
    }
    pthread_mutex_unlock(&shard->mutex);
}

struct board_counts board_counts(struct board *board) {
    struct board_counts counts = { 0 };
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *shard = &board->shards[i];
        pthread_mutex_lock(&shard->mutex);
        counts.entries += shard->count;
        counts.hits += shard->hits;
        counts.misses += shard->misses;
        counts.final_bytes += shard->bytes;
        pthread_mutex_unlock(&shard->mutex);
    }
    return counts;
}
