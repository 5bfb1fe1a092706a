/* A table in shards, one lock each, held for a look-up and a copy. Final entries stand in a clock: a read gives one a
 * second chance, the hand takes those that had none.
 *
 * `answer` of a final entry is dropped once it was rendered, since the store has it; another base is then a miss.
 *
 * Who watches a task hangs on its entry. A change takes those it concerns off, under the lock, and tells them when the
 * lock is free again: ten thousand of them delay no reader. */
#include "engine/board.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "base/crypto.h"
#include "base/memory.h"
#include "engine/queue.h"

#define SHARDS 16
#define FINAL_BYTES_MAX ((size_t)64 << 20)
#define BODY_MAX ((size_t)64 << 20)

LIST_HEAD(watch_list, board_watch);

struct entry {
    UT_hash_handle hh;
    struct task_key key;
    struct answer answer;      /* its texts lie in `words` */
    char *words;               /* NULL: the answer is no longer known, only its rendering */
    char *body;                /* rendered, NULL: not yet */
    char *base;                /* what it was rendered for; NULL: the same for every base */
    struct queue_gauge *gauge; /* while it waits */
    uint64_t sequence;
    uint64_t version, latest;
    struct watch_list watches;
    uint64_t tag; /* of the body */
    size_t body_len;
    size_t bytes; /* counted in the shard, for final ones */
    bool final, touched;
    TAILQ_ENTRY(entry) clock;
};

struct shard {
    _Alignas(64) pthread_mutex_t mutex;
    struct entry *entries;
    TAILQ_HEAD(clock_head, entry) clock; /* final entries; the hand is at the front */
    size_t bytes;
    uint64_t changes; /* numbers the versions */
    bool closed;
    uint64_t hits, misses;
};

struct board {
    struct shard shards[SHARDS];
    size_t shard_bytes_max;
};

struct board *board_new(size_t final_bytes_max) {
    struct board *board = NULL;
    if (posix_memalign((void **)&board, _Alignof(struct board), sizeof(*board)) != 0)
        abort();
    memset(board, 0, sizeof(*board));
    board->shard_bytes_max = (final_bytes_max > 0 ? final_bytes_max : FINAL_BYTES_MAX) / SHARDS;
    for (size_t i = 0; i < SHARDS; i++) {
        pthread_mutex_init(&board->shards[i].mutex, NULL);
        TAILQ_INIT(&board->shards[i].clock);
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

/* ---- entries ---- */

static void drop_body(struct entry *entry) {
    free(entry->body);
    free(entry->base);
    entry->body = entry->base = NULL;
    entry->body_len = 0;
}

static void drop_words(struct entry *entry) {
    free(entry->words);
    entry->words = NULL;
}

static void uncount(struct shard *shard, struct entry *entry) {
    if (!entry->final)
        return;
    TAILQ_REMOVE(&shard->clock, entry, clock);
    shard->bytes -= entry->bytes;
    entry->final = false;
}

static void remove_entry(struct shard *shard, struct entry *entry) {
    assert(LIST_EMPTY(&entry->watches)); /* of a final one, or one whose watches were taken */
    uncount(shard, entry);
    HASH_DELETE(hh, shard->entries, entry);
    queue_gauge_unref(entry->gauge);
    drop_body(entry);
    drop_words(entry);
    free(entry);
}

void board_free(struct board *board) {
    if (board == NULL)
        return;
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *shard = &board->shards[i];
        while (shard->entries != NULL)
            remove_entry(shard, shard->entries); /* board_close came before */
        pthread_mutex_destroy(&shard->mutex);
    }
    free(board);
}

/* The lock is taken. */
static struct shard *lock_shard(struct board *board, const struct task_key *key, unsigned *ret_hash) {
    unsigned hash;
    HASH_VALUE(key, sizeof(*key), hash);
    struct shard *shard = &board->shards[(hash >> 27) % SHARDS]; /* the table itself uses the low bits */
    pthread_mutex_lock(&shard->mutex);
    *ret_hash = hash;
    return shard;
}

static struct entry *find_entry(struct shard *shard, const struct task_key *key, unsigned hash) {
    struct entry *entry = NULL;
    HASH_FIND_BYHASHVALUE(hh, shard->entries, key, sizeof(*key), hash, entry);
    return entry;
}

static struct entry *find_or_add(struct shard *shard, const struct task_key *key, unsigned hash) {
    struct entry *entry = find_entry(shard, key, hash);
    if (entry != NULL)
        return entry;
    entry = mem_new(sizeof(*entry));
    entry->key = *key;
    LIST_INIT(&entry->watches);
    entry->version = entry->latest = ++shard->changes;
    HASH_ADD_BYHASHVALUE(hh, shard->entries, key, sizeof(entry->key), hash, entry);
    return entry;
}

/* Counts what a final entry takes, and lets the hand go round until the shard is within its bound again (S3). */
static void count_final(struct board *board, struct shard *shard, struct entry *entry) {
    uncount(shard, entry);
    entry->bytes = sizeof(*entry) + entry->body_len + (entry->base != NULL ? strlen(entry->base) + 1 : 0);
    if (entry->words != NULL)
        entry->bytes += entry->answer.model.len + entry->answer.group.len + entry->answer.results.len +
                        entry->answer.error_message.len;
    entry->final = true;
    entry->touched = false;
    TAILQ_INSERT_TAIL(&shard->clock, entry, clock);
    shard->bytes += entry->bytes;

    while (shard->bytes > board->shard_bytes_max) {
        struct entry *oldest = TAILQ_FIRST(&shard->clock);
        if (oldest->touched && oldest != TAILQ_LAST(&shard->clock, clock_head)) {
            oldest->touched = false;
            TAILQ_REMOVE(&shard->clock, oldest, clock);
            TAILQ_INSERT_TAIL(&shard->clock, oldest, clock);
        } else {
            remove_entry(shard, oldest);
        }
    }
}

static char *copy_text(char *at, struct text *text) {
    if (text->len > 0)
        memcpy(at, text->ptr, text->len);
    text->ptr = at;
    return at + text->len;
}

/* One allocation holds all texts of the answer. */
static void own_words(struct entry *entry) {
    struct answer *answer = &entry->answer;
    char *words = mem_new(answer->model.len + answer->group.len + answer->results.len + answer->error_message.len + 1);
    char *at = copy_text(words, &answer->model);
    at = copy_text(at, &answer->group);
    at = copy_text(at, &answer->results);
    copy_text(at, &answer->error_message);
    entry->words = words;
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
    struct shard *shard = lock_shard(board, &key, &hash);
    struct entry *entry = find_or_add(shard, &key, hash);

    assert(!entry->final || task_state_final(row->state)); /* T1 */
    if (entry->answer.state != row->state || entry->answer.progress != row->progress || entry->words == NULL)
        note_change(shard, entry, &told);
    drop_body(entry);
    drop_words(entry);
    queue_gauge_unref(entry->gauge);
    entry->gauge = NULL;
    entry->answer = answer_of_row(row);
    entry->answer.estimated_s = estimated_s;
    own_words(entry);
    if (task_state_final(row->state))
        count_final(board, shard, entry);
    pthread_mutex_unlock(&shard->mutex);
    tell(&told);
}

void board_set_place(struct board *board, const struct task_key *key, struct queue_gauge *gauge, uint64_t sequence) {
    unsigned hash;
    struct shard *shard = lock_shard(board, key, &hash);
    struct entry *entry = find_entry(shard, key, hash);
    if (entry != NULL && !entry->final) {
        queue_gauge_unref(entry->gauge);
        entry->gauge = queue_gauge_ref(gauge);
        entry->sequence = sequence;
    }
    pthread_mutex_unlock(&shard->mutex);
}

void board_raise_progress(struct board *board, const struct task_key *key, int progress) {
    struct watch_list told = LIST_HEAD_INITIALIZER(told);
    unsigned hash;
    struct shard *shard = lock_shard(board, key, &hash);
    struct entry *entry = find_entry(shard, key, hash);
    if (entry != NULL && !entry->final && progress > entry->answer.progress) {
        entry->answer.progress = progress;
        drop_body(entry);
        note_change(shard, entry, &told);
    }
    pthread_mutex_unlock(&shard->mutex);
    tell(&told);
}

void board_forget(struct board *board, const struct task_key *key) {
    struct watch_list told = LIST_HEAD_INITIALIZER(told);
    unsigned hash;
    struct shard *shard = lock_shard(board, key, &hash);
    struct entry *entry = find_entry(shard, key, hash);
    if (entry != NULL) {
        take_watches(entry, false, &told);
        remove_entry(shard, entry);
    }
    pthread_mutex_unlock(&shard->mutex);
    tell(&told);
}

void board_note(struct board *board, const struct task_key *key) {
    struct watch_list told = LIST_HEAD_INITIALIZER(told);
    unsigned hash;
    struct shard *shard = lock_shard(board, key, &hash);
    struct entry *entry = find_entry(shard, key, hash);
    if (entry != NULL) {
        entry->latest = ++shard->changes;
        take_watches(entry, true, &told);
    }
    pthread_mutex_unlock(&shard->mutex);
    tell(&told);
}

void board_close(struct board *board) {
    struct watch_list told = LIST_HEAD_INITIALIZER(told);
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *shard = &board->shards[i];
        struct entry *entry, *next;
        pthread_mutex_lock(&shard->mutex);
        shard->closed = true;
        HASH_ITER(hh, shard->entries, entry, next)
            take_watches(entry, false, &told);
        pthread_mutex_unlock(&shard->mutex);
    }
    tell(&told);
}

bool board_look(struct board *board, const struct task_key *key, struct board_look *ret) {
    unsigned hash;
    struct shard *shard = lock_shard(board, key, &hash);
    const struct entry *entry = find_entry(shard, key, hash);
    if (entry != NULL)
        *ret = (struct board_look){
            .state = entry->answer.state,
            .progress = entry->answer.progress,
            .version = entry->version,
            .latest = entry->latest,
        };
    pthread_mutex_unlock(&shard->mutex);
    return entry != NULL;
}

bool board_watch(struct board *board, struct board_watch *watch, uint64_t seen) {
    unsigned hash;
    struct shard *shard = lock_shard(board, &watch->key, &hash);
    struct entry *entry = find_entry(shard, &watch->key, hash);
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
    struct shard *shard = lock_shard(board, &watch->key, &hash);
    bool watching = watch->watching;
    if (watching)
        LIST_REMOVE(watch, link);
    watch->watching = false;
    pthread_mutex_unlock(&shard->mutex);
    return watching;
}

static bool depends_on_base(const struct answer *answer) {
    return answer->state == TASK_COMPLETED && text_find(answer->results, ANSWER_BASE) < answer->results.len;
}

static bool fits_base(const struct entry *entry, struct text base) {
    return entry->base == NULL || text_equal(text_of(entry->base), base);
}

/* Renders into entry->body; false when memory or the bound of a body did not suffice. */
static bool render(struct entry *entry, struct text base) {
    struct buffer buf;
    drop_body(entry);
    buffer_init(&buf, BODY_MAX);
    answer_put_task(&buf, &entry->answer, base);
    entry->body_len = buf.len;
    entry->body = buffer_take(&buf);
    buffer_fini(&buf);
    if (entry->body == NULL) {
        entry->body_len = 0;
        return false;
    }
    entry->tag = crypto_tag((struct text){ entry->body, entry->body_len });
    if (depends_on_base(&entry->answer))
        entry->base = text_dup(base);
    return true;
}

/* Appends the answer of an entry, rendering it when that is needed; false when it cannot be told from here. */
static bool read_entry(struct board *board, struct shard *shard, struct entry *entry, struct text base,
                       struct buffer *body, uint64_t *ret_tag) {
    if (entry->answer.state == TASK_PENDING) { /* its place in the queue changes without telling */
        size_t start = body->len;
        if (entry->gauge != NULL)
            entry->answer.queue_position = queue_gauge_position(entry->gauge, entry->sequence);
        answer_put_task(body, &entry->answer, base);
        *ret_tag = crypto_tag((struct text){ body->data + start, body->len - start });
        return true;
    }
    if (entry->body == NULL || !fits_base(entry, base)) {
        if (entry->words == NULL || !render(entry, base)) {
            if (entry->final)
                remove_entry(shard, entry);
            return false;
        }
        if (entry->final)
            drop_words(entry);
    }
    buffer_put(body, (struct text){ entry->body, entry->body_len });
    *ret_tag = entry->tag;
    if (entry->final && entry->bytes < sizeof(*entry) + entry->body_len)
        count_final(board, shard, entry); /* may well remove it: the copy was made before */
    else
        entry->touched = true;
    return true;
}

bool board_read(struct board *board, const struct task_key *key, struct text base, struct buffer *body,
                uint64_t *ret_tag) {
    unsigned hash;
    struct shard *shard = lock_shard(board, key, &hash);
    struct entry *entry = find_entry(shard, key, hash);
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
    struct answer answer = answer_of_row(row);
    struct task_key key = task_key(row->account, &row->id);
    unsigned hash;
    struct shard *shard = lock_shard(board, &key, &hash);
    struct entry *entry = find_or_add(shard, &key, hash);
    if (entry->body == NULL && entry->words == NULL) { /* new: what the board already shows is as good */
        entry->answer = answer;
        entry->body = text_dup(body);
        entry->body_len = body.len;
        entry->tag = tag;
        if (depends_on_base(&answer))
            entry->base = text_dup(base);
        count_final(board, shard, entry);
    }
    pthread_mutex_unlock(&shard->mutex);
}

struct board_counts board_counts(struct board *board) {
    struct board_counts counts = { 0 };
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *shard = &board->shards[i];
        pthread_mutex_lock(&shard->mutex);
        counts.entries += HASH_COUNT(shard->entries);
        counts.hits += shard->hits;
        counts.misses += shard->misses;
        counts.final_bytes += shard->bytes;
        pthread_mutex_unlock(&shard->mutex);
    }
    return counts;
}
