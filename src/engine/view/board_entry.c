/* Entries of the board and their table. Final ones stand in a clock: a read gives one a second chance, the hand
 * takes those that had none.
 *
 * There may be a hundred thousand live tasks, so an entry is small: what only some need is apart, and a live task's
 * answer is rendered at each read. What is known of a final entry is dropped once it was rendered, since the store
 * has it; another base is then a miss. */
#include "engine/view/board_inside.h"

#include <assert.h>
#include <stdlib.h>

#include "base/crypto.h"
#include "base/lasting.h"
#include "base/memory.h"
#include "engine/queue/queue.h"

#define BUCKETS_FIRST 16
#define BODY_MAX ((size_t)64 << 20)

/* ---- the table ---- */

struct shard *board_lock_shard(struct board *board, const struct task_key *key, unsigned *ret_hash) {
    unsigned hash = task_key_hash(key);
    struct shard *shard = &board->shards[(hash >> 27) % SHARDS]; /* the table itself uses the low bits */
    pthread_mutex_lock(&shard->mutex);
    *ret_hash = hash;
    return shard;
}

static struct entry **bucket_of(const struct shard *shard, unsigned hash) {
    return &shard->buckets[hash & (shard->bucket_count - 1)];
}

struct entry *shard_find(struct shard *shard, const struct task_key *key, unsigned hash) {
    struct entry *entry = *bucket_of(shard, hash);
    while (entry != NULL && (entry->hash != hash || memcmp(&entry->key, key, sizeof(*key)) != 0))
        entry = entry->next;
    return entry;
}

static void grow_table(struct shard *shard) {
    struct entry **old = shard->buckets;
    size_t count = shard->bucket_count;
    shard->bucket_count = 2 * count;
    shard->buckets = mem_new_array(shard->bucket_count, sizeof(*shard->buckets));
    for (size_t i = 0; i < count; i++) {
        while (old[i] != NULL) {
            struct entry *entry = old[i], **bucket = bucket_of(shard, entry->hash);
            old[i] = entry->next;
            entry->next = *bucket;
            *bucket = entry;
        }
    }
    free(old);
}

struct entry *shard_find_or_add(struct shard *shard, const struct task_key *key, unsigned hash) {
    struct entry *entry = shard_find(shard, key, hash);
    if (entry != NULL)
        return entry;
    if (shard->count == shard->bucket_count)
        grow_table(shard);
    entry = lasting_new(sizeof(*entry));
    entry->key = *key;
    entry->hash = hash;
    LIST_INIT(&entry->watches);
    entry->version = entry->latest = ++shard->changes;
    entry->next = *bucket_of(shard, hash);
    *bucket_of(shard, hash) = entry;
    shard->count++;
    return entry;
}

static void unlink_entry(struct shard *shard, struct entry *entry) {
    struct entry **at = bucket_of(shard, entry->hash);
    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
    shard->count--;
}

/* ---- entries ---- */

static size_t known_size(const struct known *known) {
    return offsetof(struct known, text) + known->model_len + known->group_len + known->results_len + known->message_len;
}

void entry_drop_known(struct entry *entry) {
    if (entry->known != NULL)
        lasting_free(entry->known, known_size(entry->known));
    entry->known = NULL;
}

static void entry_drop_rendering(struct entry *entry) {
    if (entry->rendering != NULL) {
        free(entry->rendering->body);
        free(entry->rendering->base);
        free(entry->rendering);
    }
    entry->rendering = NULL;
}

void entry_set_gauge(struct entry *entry, struct queue_gauge *gauge, uint64_t sequence) {
    queue_gauge_unref(entry->gauge);
    entry->gauge = gauge;
    entry->sequence = sequence;
}

static void uncount(struct shard *shard, struct entry *entry) {
    TAILQ_REMOVE(&shard->clock, entry, clock);
    shard->bytes -= entry->bytes;
}

void shard_remove(struct shard *shard, struct entry *entry) {
    if (entry->final) {
        uncount(shard, entry);
    } else {
        assert(LIST_EMPTY(&entry->watches)); /* they were taken */
        entry_set_gauge(entry, NULL, 0);
    }
    unlink_entry(shard, entry);
    entry_drop_rendering(entry);
    entry_drop_known(entry);
    lasting_free(entry, sizeof(*entry));
}

static size_t rendering_size(const struct rendering *rendering) {
    if (rendering == NULL)
        return 0;
    return sizeof(*rendering) + rendering->len + (rendering->base != NULL ? strlen(rendering->base) + 1 : 0);
}

void shard_count_final(struct board *board, struct shard *shard, struct entry *entry) {
    if (entry->final) {
        uncount(shard, entry);
    } else {
        assert(LIST_EMPTY(&entry->watches));
        entry_set_gauge(entry, NULL, 0);
    }
    entry->final = true;
    entry->touched = false;
    entry->bytes = sizeof(*entry) + rendering_size(entry->rendering);
    if (entry->known != NULL)
        entry->bytes += known_size(entry->known);
    TAILQ_INSERT_TAIL(&shard->clock, entry, clock);
    shard->bytes += entry->bytes;

    while (shard->bytes > board->shard_bytes_max) {
        struct entry *oldest = TAILQ_FIRST(&shard->clock);
        if (oldest->touched && oldest != TAILQ_LAST(&shard->clock, clock_head)) {
            oldest->touched = false;
            TAILQ_REMOVE(&shard->clock, oldest, clock);
            TAILQ_INSERT_TAIL(&shard->clock, oldest, clock);
        } else {
            shard_remove(shard, oldest);
        }
    }
}

static char *put_text(char *at, struct text text) {
    if (text.len > 0)
        memcpy(at, text.ptr, text.len);
    return at + text.len;
}

static struct text take_text(const char **at, size_t len) {
    struct text text = { *at, len };
    *at += len;
    return text;
}

/* One allocation holds all that is known. */
static struct known *known_new(const struct task_row *row, int64_t estimated_s) {
    const struct known sizes = {
        .created_s = (uint32_t)(row->created_ms / 1000),
        .reserved = row->reserved,
        .charged = row->charged,
        .refunded = row->refunded,
        .estimated_s = estimated_s > 0 ? (uint32_t)estimated_s : 0,
        .model_len = (uint8_t)row->model.len,
        .group_len = (uint8_t)row->group.len,
        .results_len = (uint32_t)row->results.len,
        .message_len = (uint32_t)row->error_message.len,
        .type = (uint8_t)row->type,
        .error = (uint8_t)row->error,
        .billing = (uint8_t)row->billing,
        .streams = row->streams,
    };
    struct known *known = lasting_new(known_size(&sizes));
    assert(row->model.len <= UINT8_MAX && row->group.len <= UINT8_MAX);
    memcpy(known, &sizes, offsetof(struct known, text));
    char *at = put_text(known->text, row->model);
    at = put_text(at, row->group);
    at = put_text(at, row->results);
    put_text(at, row->error_message);
    return known;
}

struct answer entry_answer(const struct entry *entry) {
    const struct known *known = entry->known;
    const char *at = known->text;
    struct answer answer = {
        .id = task_key_id(&entry->key),
        .type = known->type,
        .state = entry->state,
        .error = known->error,
        .billing = known->billing,
        .progress = entry->progress,
        .created_s = known->created_s,
        .reserved = known->reserved,
        .charged = known->charged,
        .refunded = known->refunded,
        .estimated_s = known->estimated_s,
        .can_cancel = !task_state_final(entry->state),
        .streams = known->streams,
    };
    answer.model = take_text(&at, known->model_len);
    answer.group = take_text(&at, known->group_len);
    answer.results = take_text(&at, known->results_len);
    answer.error_message = take_text(&at, known->message_len);
    return answer;
}

static bool depends_on_base(enum task_state state, struct text results) {
    return state == TASK_COMPLETED && text_find(results, ANSWER_BASE) < results.len;
}

bool entry_fits(const struct entry *entry, struct text base) {
    const struct rendering *rendering = entry->rendering;
    return rendering != NULL && (rendering->base == NULL || text_equal(text_of(rendering->base), base));
}

bool entry_render(struct entry *entry, struct text base) {
    const struct answer answer = entry_answer(entry);
    struct buffer buf;
    entry_drop_rendering(entry);
    buffer_init(&buf, BODY_MAX);
    answer_put_task(&buf, &answer, base);
    struct rendering rendering = { .len = buf.len };
    rendering.body = buffer_take(&buf);
    buffer_fini(&buf);
    if (rendering.body == NULL)
        return false;
    rendering.tag = crypto_tag((struct text){ rendering.body, rendering.len });
    if (depends_on_base(answer.state, answer.results))
        rendering.base = text_dup(base);
    entry->rendering = mem_new(sizeof(rendering));
    *entry->rendering = rendering;
    return true;
}

void entry_set(struct entry *entry, const struct task_row *row, int64_t estimated_s) {
    entry_drop_rendering(entry);
    entry_drop_known(entry);
    if (!entry->final)
        entry_set_gauge(entry, NULL, 0);
    entry->state = (uint8_t)row->state;
    entry->progress = (uint8_t)row->progress;
    entry->known = known_new(row, estimated_s);
}

void entry_keep(struct entry *entry, const struct task_row *row, struct text base, struct text body, uint64_t tag) {
    entry->state = (uint8_t)row->state;
    entry->progress = (uint8_t)row->progress;
    entry->rendering = mem_new(sizeof(*entry->rendering));
    *entry->rendering = (struct rendering){ .body = text_dup(body), .len = body.len, .tag = tag };
    if (depends_on_base(row->state, row->results))
        entry->rendering->base = text_dup(base);
}

/* ---- beginning and end ---- */

void shard_init(struct shard *shard) {
    pthread_mutex_init(&shard->mutex, NULL);
    TAILQ_INIT(&shard->clock);
    shard->bucket_count = BUCKETS_FIRST;
    shard->buckets = mem_new_array(shard->bucket_count, sizeof(*shard->buckets));
}

void shard_fini(struct shard *shard) {
    for (size_t bucket = 0; bucket < shard->bucket_count; bucket++) {
        while (shard->buckets[bucket] != NULL)
            shard_remove(shard, shard->buckets[bucket]);
    }
    free(shard->buckets);
    pthread_mutex_destroy(&shard->mutex);
}
