/* Streams that run, in a table; and those that have ended, made again of what the store has. */
#include "engine/view/streams.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash_table.h"
#include "base/memory.h"
#include "chat/stream.h"
#include "engine/state.h"
#include "engine/task/holds.h"

#define STORED_MAX ((size_t)96 << 20)

struct entry {
    struct task_key key;
    struct chat_stream *stream;
    UT_hash_handle hh;
};

struct streams {
    pthread_mutex_t mutex;
    struct entry *table;
};

struct streams *streams_new(void) {
    struct streams *streams = mem_new(sizeof(*streams));
    pthread_mutex_init(&streams->mutex, NULL);
    return streams;
}

void streams_free(struct streams *streams) {
    struct entry *entry, *next;
    if (streams == NULL)
        return;
    HASH_ITER(hh, streams->table, entry, next) { /* of tasks that are left to the next start */
        HASH_DELETE(hh, streams->table, entry);
        chat_stream_unref(entry->stream);
        free(entry);
    }
    pthread_mutex_destroy(&streams->mutex);
    free(streams);
}

void streams_begin(struct streams *streams, struct live_task *task) {
    if (task->type != TASK_LLM)
        return;
    task->stream = chat_stream_new(&(struct chat_stream_options){ 0 });
    if (!task->streams)
        return;
    struct entry *entry = mem_new(sizeof(*entry));
    entry->key = task->key;
    entry->stream = chat_stream_ref(task->stream);
    pthread_mutex_lock(&streams->mutex);
    HASH_ADD(hh, streams->table, key, sizeof(entry->key), entry);
    pthread_mutex_unlock(&streams->mutex);
}

void streams_remove(struct streams *streams, const struct task_key *key) {
    struct entry *entry = NULL;
    pthread_mutex_lock(&streams->mutex);
    HASH_FIND(hh, streams->table, key, sizeof(*key), entry);
    if (entry != NULL)
        HASH_DELETE(hh, streams->table, entry);
    pthread_mutex_unlock(&streams->mutex);
    if (entry == NULL)
        return;
    chat_stream_unref(entry->stream);
    free(entry);
}

/* With a reference for the caller; NULL: not there. */
static struct chat_stream *find(struct streams *streams, const struct task_key *key) {
    struct entry *entry = NULL;
    pthread_mutex_lock(&streams->mutex);
    HASH_FIND(hh, streams->table, key, sizeof(*key), entry);
    struct chat_stream *stream = entry != NULL ? chat_stream_ref(entry->stream) : NULL;
    pthread_mutex_unlock(&streams->mutex);
    return stream;
}

/* ---- streams that have ended ---- */

static struct chat_stream *failed_stream(const struct task_row *row, struct text chunks) {
    struct chat_failure failure = { .error = row->error };
    struct chat_stream *stream = chat_stream_new(&(struct chat_stream_options){ 0 });
    while (chunks.len > 0)
        if (chat_stream_add(stream, text_cut(&chunks, '\n')) != OK)
            break; /* it cannot be: it was within the bounds when it was made */
    snprintf(failure.message, sizeof(failure.message), "%.*s", TEXT_ARG(row->error_message));
    chat_stream_fail(stream, &failure);
    return stream;
}

static enum err read_ended(struct engine *engine, const struct task_row *row, struct arena *arena,
                           struct chat_stream **ret) {
    int64_t now_ms = clock_wall_ms();
    struct text chunks = TEXT_NONE;
    enum err err = store_find_stream(engine->store, row->account, &row->id, now_ms, arena, &chunks);
    if (err != OK)
        return err == ERR_NOT_FOUND ? ERR_STREAM_EXPIRED : err;
    *ret = row->state == TASK_COMPLETED ? chat_stream_of_lines(chunks) : failed_stream(row, chunks);
    return OK;
}

static enum err find_ended(struct engine *engine, const struct task_key *key, const struct task_id *id,
                           struct arena *arena, struct chat_stream **ret) {
    struct task_row row;
    enum err err = store_find_task(engine->store, key->account, id, arena, &row);
    if (err == ERR_NOT_FOUND)
        return ERR_TASK_NOT_FOUND;
    if (err == OK && !row.streams)
        return ERR_STREAM_NOT_FOUND;
    if (err == OK && !task_state_final(row.state)) /* its end is a moment away, or the server's is */
        return ERR_SHUTTING_DOWN;
    return err == OK ? read_ended(engine, &row, arena, ret) : err;
}

enum err engine_stream(struct engine *engine, int64_t account, const struct task_id *id, struct chat_stream **ret) {
    struct task_key key = task_key(account, id);
    struct chat_stream *running = find(engine->streams, &key);
    struct arena arena;
    if (running != NULL) {
        *ret = running;
        return OK;
    }
    arena_init(&arena, STORED_MAX);
    enum err err = find_ended(engine, &key, id, &arena, ret);
    arena_fini(&arena);
    return err;
}

enum err engine_reader_begin(struct engine *engine, int64_t account, unsigned most) {
    return holds_take_reader(engine->holds, account, most);
}

void engine_reader_end(struct engine *engine, int64_t account) {
    holds_give_reader(engine->holds, account);
}
