/* A table of those accounts that upload now. */
#include "api/file/upload_places.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/hash_table.h"
#include "base/memory.h"

struct holder {
    int64_t account;
    unsigned count;
    UT_hash_handle hh;
};

struct upload_places {
    pthread_mutex_t mutex;
    struct holder *table;
    unsigned count;
};

struct upload_places *upload_places_new(void) {
    struct upload_places *places = mem_new(sizeof *places);
    pthread_mutex_init(&places->mutex, NULL);
    return places;
}

void upload_places_free(struct upload_places *places) {
    if (places == NULL)
        return;
    assert(places->table == NULL && places->count == 0);
    pthread_mutex_destroy(&places->mutex);
    free(places);
}

static struct holder *find(struct upload_places *places, int64_t account) {
    struct holder *holder = NULL;
    HASH_FIND(hh, places->table, &account, sizeof account, holder);
    return holder;
}

static void add_one(struct upload_places *places, struct holder *holder, int64_t account) {
    if (holder == NULL) {
        holder = mem_new(sizeof *holder);
        holder->account = account;
        HASH_ADD(hh, places->table, account, sizeof holder->account, holder);
    }
    holder->count++;
    places->count++;
}

enum err upload_places_take(struct upload_places *places, int64_t account) {
    enum err err = OK;
    pthread_mutex_lock(&places->mutex);
    struct holder *holder = find(places, account);
    if (holder != NULL && holder->count >= UPLOADS_OF_ACCOUNT_MAX)
        err = ERR_TOO_MANY_UPLOADS;
    else if (places->count >= UPLOADS_MAX)
        err = ERR_OVERLOADED;
    else
        add_one(places, holder, account);
    pthread_mutex_unlock(&places->mutex);
    return err;
}

void upload_places_give(struct upload_places *places, int64_t account) {
    pthread_mutex_lock(&places->mutex);
    struct holder *holder = find(places, account);
    assert(holder != NULL && holder->count > 0 && places->count > 0);
    places->count--;
    if (--holder->count == 0) {
        HASH_DELETE(hh, places->table, holder);
        free(holder);
    }
    pthread_mutex_unlock(&places->mutex);
}
