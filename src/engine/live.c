/* Records of open tasks and the table that finds them. */
#include "engine/live.h"

#include <assert.h>
#include <stdlib.h>

#include "base/lasting.h"
#include "base/memory.h"
#include "chat/failure.h"
#include "chat/stream.h"
#include "engine/call.h"

struct task_key task_key(int64_t account, const struct task_id *id) {
    struct task_key key = { .account = account };
    memcpy(key.id, id->string, strnlen(id->string, sizeof(key.id) - 1));
    return key;
}

struct task_id task_key_id(const struct task_key *key) {
    struct task_id id;
    memcpy(id.string, key->id, sizeof(id.string));
    return id;
}

static size_t live_size(size_t model_len, size_t group_len) {
    return sizeof(struct live_task) + model_len + group_len + 2;
}

struct live_task *live_new(const struct task_row *row) {
    assert(!task_state_final(row->state)); /* T1 */
    assert(row->model.len <= UINT8_MAX);
    struct live_task *task = lasting_new(live_size(row->model.len, row->group.len));

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
    memcpy(task->names, row->model.ptr, row->model.len);
    if (row->group.len > 0)
        memcpy(task->names + row->model.len + 1, row->group.ptr, row->group.len);
    return task;
}

void live_free(struct live_task *task) {
    chat_stream_unref(task->stream);
    call_free(task->call);
    free(task->failure);
    lasting_free(task, live_size(task->model_len, live_group(task).len));
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

void live_add(struct live_table *table, struct live_task *task) {
    HASH_ADD(hh, table->head, key, sizeof(task->key), task);
}

void live_remove(struct live_table *table, struct live_task *task) {
    HASH_DELETE(hh, table->head, task);
}

struct live_task *live_find(const struct live_table *table, const struct task_key *key) {
    struct live_task *task = NULL;
    HASH_FIND(hh, table->head, key, sizeof(*key), task);
    return task;
}
