/* Records of open tasks and the table that finds them. */
#include "engine/task/live.h"

#include <assert.h>
#include <stdlib.h>

#include "base/lasting.h"
#include "base/memory.h"
#include "base/shared.h"
#include "chat/dialect/failure.h"
#include "chat/stream.h"
#include "engine/task/call.h"

#define NAMES_MAX ((size_t)2 * (UINT8_MAX + 1))
#define BUCKETS_FIRST ((size_t)64)

struct task_key task_key(int64_t account, const struct task_id *id) {
    struct task_key key = { .account = account };
    memcpy(key.id, id->string, strnlen(id->string, sizeof(key.id) - 1));
    return key;
}

unsigned task_key_hash(const struct task_key *key) {
    uint64_t words[sizeof(*key) / sizeof(uint64_t)], mixed = 0;
    memcpy(words, key, sizeof(words));
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        mixed = ((mixed << 23 | mixed >> 41) ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15);
    return (unsigned)(mixed >> 32);
}

struct task_id task_key_id(const struct task_key *key) {
    struct task_id id;
    memcpy(id.string, key->id, sizeof(id.string));
    return id;
}

static const char *share_names(struct text model, struct text group) {
    char names[NAMES_MAX] = { 0 };
    assert(model.len <= UINT8_MAX && group.len <= UINT8_MAX);
    memcpy(names, model.ptr, model.len);
    if (group.len > 0)
        memcpy(names + model.len + 1, group.ptr, group.len);
    return shared_text((struct text){ names, model.len + group.len + 2 });
}

struct live_task *live_new(const struct task_row *row) {
    assert(!task_state_final(row->state)); /* T1 */
    struct live_task *task = lasting_new(sizeof(*task));

    task->key = task_key(row->account, &row->id);
    task->key_id = row->key;
    task->created_ms = row->created_ms;
    task->started_ms = row->started_ms;
    task->reserved = row->reserved;
    task->book = (uint8_t)row->book;
    task->type = (uint8_t)row->type;
    task->state = (uint8_t)row->state;
    task->billing = (uint8_t)row->billing;
    task->progress = (uint8_t)row->progress;
    task->streams = row->streams;
    task->calls_back = row->calls_back;
    task->result_ttl_s = (uint32_t)row->result_ttl_s;
    task->phase = LIVE_NEW;
    task->model_len = (uint8_t)row->model.len;
    task->names = share_names(row->model, row->group);
    return task;
}

void live_free(struct live_task *task) {
    chat_stream_unref(task->stream);
    call_free(task->call);
    free(task->failure);
    shared_drop(task->names);
    lasting_free(task, sizeof(*task));
}

void live_set_failure(struct live_task *task, const struct chat_failure *failure) {
    free(task->failure);
    task->failure = NULL;
    if (failure == NULL)
        return;
    task->failure = mem_new(sizeof(*task->failure));
    *task->failure = *failure;
}

struct text live_model(const struct live_task *task) {
    return (struct text){ task->names, task->model_len };
}

struct text live_group(const struct live_task *task) {
    return text_of(task->names + task->model_len + 1);
}

struct text live_id(const struct live_task *task) {
    return text_of(task->key.id);
}

struct task_row live_row(const struct live_task *task) {
    return (struct task_row){
        .account = task->key.account,
        .id = task_key_id(&task->key),
        .key = task->key_id,
        .book = task->book,
        .type = task->type,
        .state = task->state,
        .progress = task->progress,
        .billing = task->billing,
        .created_ms = task->created_ms,
        .started_ms = task->started_ms,
        .reserved = task->reserved,
        .streams = task->streams && task->call == NULL, /* a call's is its client's alone */
        .calls_back = task->calls_back,
        .result_ttl_s = task->result_ttl_s,
        .model = live_model(task),
        .group = live_group(task),
    };
}

/* ---- the table ---- */

static struct live_task **bucket_of(const struct live_table *table, const struct task_key *key) {
    return &table->buckets[task_key_hash(key) & (table->bucket_count - 1)];
}

static void chain(struct live_table *table, struct live_task *task) {
    struct live_task **bucket = bucket_of(table, &task->key);
    task->chained = *bucket;
    *bucket = task;
}

static void resize(struct live_table *table, size_t bucket_count) {
    struct live_task *task;
    free(table->buckets);
    table->buckets = mem_new_array(bucket_count, sizeof(struct live_task *));
    table->bucket_count = bucket_count;
    TAILQ_FOREACH(task, &table->tasks, all)
        chain(table, task);
}

void live_init(struct live_table *table) {
    *table = (struct live_table){ 0 };
    TAILQ_INIT(&table->tasks);
    resize(table, BUCKETS_FIRST);
}

void live_fini(struct live_table *table) {
    assert(table->count == 0);
    free(table->buckets);
}

void live_add(struct live_table *table, struct live_task *task) {
    if (table->count == table->bucket_count)
        resize(table, 2 * table->bucket_count);
    chain(table, task);
    TAILQ_INSERT_TAIL(&table->tasks, task, all);
    table->count++;
}

void live_remove(struct live_table *table, struct live_task *task) {
    struct live_task **at = bucket_of(table, &task->key);
    while (*at != task)
        at = &(*at)->chained;
    *at = task->chained;
    TAILQ_REMOVE(&table->tasks, task, all);
    table->count--;
    if (table->bucket_count > BUCKETS_FIRST && table->count < table->bucket_count / 4)
        resize(table, table->bucket_count / 2);
}

struct live_task *live_find(const struct live_table *table, const struct task_key *key) {
    struct live_task *task = *bucket_of(table, key);
    while (task != NULL && memcmp(&task->key, key, sizeof(*key)) != 0)
        task = task->chained;
    return task;
}
