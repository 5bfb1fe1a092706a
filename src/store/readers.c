/* The pool of connections for reading, and a statement that runs on one of them. */
#include "store/inside.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"

void store_readers_init(struct readers *readers) {
    pthread_mutex_init(&readers->mutex, NULL);
    pthread_cond_init(&readers->returned, NULL);
    SLIST_INIT(&readers->free);
    readers->open = 0;
}

static void close_reader(struct reader *reader) {
    reader->database->engine->close(reader->database);
    free(reader);
}

void store_readers_fini(struct readers *readers) {
    while (!SLIST_EMPTY(&readers->free)) {
        struct reader *reader = SLIST_FIRST(&readers->free);
        SLIST_REMOVE_HEAD(&readers->free, link);
        close_reader(reader);
        readers->open--;
    }
    assert(readers->open == 0);
    pthread_cond_destroy(&readers->returned);
    pthread_mutex_destroy(&readers->mutex);
}

void store_rest(struct store *store, bool all) {
    struct readers *readers = &store->readers;
    struct reader *reader;
    SLIST_HEAD(, reader) looked_at = SLIST_HEAD_INITIALIZER(looked_at), closed = SLIST_HEAD_INITIALIZER(closed);
    pthread_mutex_lock(&readers->mutex);
    while ((reader = SLIST_FIRST(&readers->free)) != NULL) {
        bool stays = !all && reader->reads >= READS_TO_STAY;
        SLIST_REMOVE_HEAD(&readers->free, link);
        reader->reads = 0;
        readers->open -= stays ? 0 : 1;
        if (stays)
            SLIST_INSERT_HEAD(&looked_at, reader, link);
        else
            SLIST_INSERT_HEAD(&closed, reader, link);
    }
    while ((reader = SLIST_FIRST(&looked_at)) != NULL) { /* in their order: what was used last is taken first */
        SLIST_REMOVE_HEAD(&looked_at, link);
        SLIST_INSERT_HEAD(&readers->free, reader, link);
    }
    pthread_cond_broadcast(&readers->returned);
    pthread_mutex_unlock(&readers->mutex);
    while ((reader = SLIST_FIRST(&closed)) != NULL) {
        SLIST_REMOVE_HEAD(&closed, link);
        close_reader(reader);
    }
}

/* A free reader, or NULL and the right to open one more. */
static struct reader *take_free(struct readers *readers) {
    pthread_mutex_lock(&readers->mutex);
    while (SLIST_EMPTY(&readers->free) && readers->open >= READERS_MAX) {
        pthread_cond_wait(&readers->returned, &readers->mutex);
    }
    struct reader *reader = SLIST_FIRST(&readers->free);
    if (reader != NULL) {
        SLIST_REMOVE_HEAD(&readers->free, link);
    } else {
        readers->open++;
    }
    pthread_mutex_unlock(&readers->mutex);
    return reader;
}

static void give_back(struct readers *readers, struct reader *reader) {
    pthread_mutex_lock(&readers->mutex);
    if (reader != NULL) {
        reader->reads++;
        SLIST_INSERT_HEAD(&readers->free, reader, link);
    } else {
        readers->open--;
    }
    pthread_cond_signal(&readers->returned);
    pthread_mutex_unlock(&readers->mutex);
}

static enum err take(struct store *store, struct reader **ret) {
    struct reader *reader = take_free(&store->readers);
    if (reader == NULL) {
        struct database *database;
        enum err err = store->engine->open(store->place.database, DATABASE_READS, &database, NULL);
        if (err != OK) {
            give_back(&store->readers, NULL);
            return err;
        }
        reader = mem_new(sizeof(*reader));
        reader->database = database;
    }
    *ret = reader;
    return OK;
}

enum err store_reading_start(struct reading *reading, struct store *store, enum sql id, const struct value *values,
                             size_t count) {
    enum err err = take(store, &reading->reader);
    if (err != OK) {
        return err;
    }
    reading->store = store;
    return store->engine->start(reading->reader->database, id, values, count, &reading->cursor);
}

enum err store_reading_next(struct reading *reading, bool *ret_row) {
    return reading->store->engine->next(&reading->cursor, ret_row);
}

enum err store_reading_only(struct reading *reading) {
    bool row;
    enum err err = store_reading_next(reading, &row);
    return err != OK ? err : row ? OK : ERR_NOT_FOUND;
}

enum err store_reading_explain(struct reading *reading, enum err err, struct fault *fault) {
    if (reading->reader == NULL) {
        return fault_set(fault, err, "The store cannot be opened for reading (%s).", err_info(err)->name);
    }
    return reading->store->engine->explain(reading->reader->database, err, fault);
}

void store_reading_end(struct reading *reading) {
    if (reading->cursor.handle != NULL) {
        reading->store->engine->finish(&reading->cursor);
    }
    if (reading->reader != NULL) {
        give_back(&reading->store->readers, reading->reader);
    }
    *reading = (struct reading){ 0 };
}
