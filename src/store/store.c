/* Opens and closes the store: directory, schema, connections, writer. */
#include "store/store.h"

#include <stdlib.h>

#include "base/memory.h"
#include "store/inside.h"

/* The writer's connection, on a database that is up to date. */
static enum err open_database(struct store *store, struct database **ret, struct fault *fault) {
    struct database *database = NULL;
    enum err err = store->engine->open(store->place.database, DATABASE_WRITES, &database, fault);
    if (err != OK) {
        return err;
    }
    err = store_migrate(database, store->place.database, fault);
    if (err == OK) {
        err = store_read_secret(database, store->secret, fault);
    }
    if (err != OK) {
        store->engine->close(database);
        return err;
    }
    *ret = database;
    return OK;
}

enum err store_open(const struct store_options *options, struct store **ret, struct fault *fault) {
    struct store *store = mem_new(sizeof(*store));
    struct database *database = NULL;
    store->engine = &database_sqlite;
    enum err err = place_init(&store->place, options->directory, options->serve, fault);
    if (err != OK) {
        free(store);
        return err;
    }
    place_take_turn(&store->place);
    err = open_database(store, &database, fault);
    place_end_turn(&store->place);
    if (err == OK) {
        err = store_writer_start(store, database, options, fault);
    }
    if (err != OK) {
        place_fini(&store->place);
        free(store);
        return err;
    }
    store_readers_init(&store->readers);
    /* A process may have died between its commit and its sign of it. */
    atomic_fetch_add(store->place.generation, 1);
    *ret = store;
    return OK;
}

void store_close(struct store *store) {
    if (store == NULL) {
        return;
    }
    store_writer_stop(store);
    store_readers_fini(&store->readers);
    place_fini(&store->place);
    free(store);
}

uint64_t store_generation(struct store *store) {
    return atomic_load(store->place.generation);
}

const uint8_t *store_secret(struct store *store) {
    return store->secret;
}

enum err store_ping(struct store *store, struct fault *fault) {
    struct reading reading scoped(store_reading_end) = { 0 };
    enum err err = store_reading_start(&reading, store, SQL_PING, NO_VALUES);
    if (err == OK) {
        err = store_reading_only(&reading);
    }
    return err == OK ? OK : store_reading_explain(&reading, err, fault);
}
