/* SQLite writes a page of its log in two calls, and a transaction has some twenty pages. Here what follows on what was
 * written last is gathered, and goes to the file in one call at the transaction's last page, when the log is synced, read or
 * measured, or when there is much of it. Everything else about files is SQLite's own, or file_layer.c's.
 *
 * A page that is gathered gives way to other threads (store/give_way.h).
 *
 * Order and durability are as before: a sync first writes what is gathered, and SQLite tells others of a transaction's pages
 * only when the last of them is written. When writing fails, whatever made it necessary says so in the write's place, and the
 * transaction fails.
 *
 * The system tells once that a sync failed, and takes for written by the next one what it could not write. So no sync succeeds
 * here from then on until log_file_mend has written it all again, as long as the system still has it in memory: a transaction
 * would be told durable behind a gap, where nobody finds it after a power loss. */
#include "store/log_file.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "store/file_layer.h"
#include "store/give_way.h"

#define NAME "fennec"
#define PAGE_MIN 512 /* what is shorter is a head, of the log or of a page that follows */
#define PAGE_HEAD 24 /* SQLite's "WAL-mode File Format": bytes 4 to 7 are 0 before all pages but the last of a transaction */
#define GATHERED_MAX (120 * 1024) /* SQLite's own layer takes less than 128 KiB in one call */

struct log_file {
    sqlite3_file base;
    char *gathered; /* NULL: nothing was written yet */
    int count;
    bool last; /* the page that comes now ends a transaction */
    sqlite3_int64 offset; /* of the first byte gathered */
    sqlite3_int64 end;    /* of the page that came last */
    sqlite3_int64 from, to; /* written since a sync succeeded: within these bounds; both 0: nothing */
    bool unsure;            /* of that: a sync failed */
    sqlite3_file real[];  /* SQLite's own, of the size that it says */
};

static sqlite3_vfs *below; /* SQLite's own file layer */

static struct log_file *log_of(sqlite3_file *file) {
    return container_of(file, struct log_file, base);
}

static int write_now(struct log_file *file, const void *bytes, int count, sqlite3_int64 offset) {
    sqlite3_int64 end = offset + count;
    file->from = file->to == 0 || offset < file->from ? offset : file->from;
    file->to = end > file->to ? end : file->to;
    return file->real->pMethods->xWrite(file->real, bytes, count, offset);
}

/* Writes what is gathered; nothing is gathered then, whatever becomes of it. */
static int flush(struct log_file *file) {
    int count = file->count;
    file->count = 0;
    return count == 0 ? SQLITE_OK : write_now(file, file->gathered, count, file->offset);
}

static bool is_before_the_last(const unsigned char *head, int count) {
    return count == PAGE_HEAD && (head[4] | head[5] | head[6] | head[7]) != 0;
}

static int write_bytes(sqlite3_file *base, const void *bytes, int count, sqlite3_int64 offset) {
    struct log_file *file = log_of(base);
    bool follows = file->count > 0 && offset == file->offset + file->count && count <= GATHERED_MAX - file->count;
    int code = follows ? SQLITE_OK : flush(file);
    if (code != SQLITE_OK) {
        return code;
    }
    if (file->gathered == NULL && (file->gathered = malloc(GATHERED_MAX)) == NULL) {
        return SQLITE_IOERR_NOMEM;
    }
    if (count > GATHERED_MAX) {
        return write_now(file, bytes, count, offset);
    }
    if (file->count == 0) {
        file->offset = offset;
    }
    memcpy(file->gathered + file->count, bytes, (size_t)count);
    file->count += count;
    if (count < PAGE_MIN) {
        file->last = is_before_the_last(bytes, count);
        /* Where pages came out of the cache early, heads of pages that are there are written anew, the last one's at the end. */
        return file->last && offset < file->end ? flush(file) : SQLITE_OK;
    }
    file->end = offset + count;
    give_way_after_step();
    return file->last ? flush(file) : SQLITE_OK;
}

static int read_bytes(sqlite3_file *base, void *bytes, int count, sqlite3_int64 offset) {
    struct log_file *file = log_of(base);
    int code = flush(file);
    return code != SQLITE_OK ? code : file->real->pMethods->xRead(file->real, bytes, count, offset);
}

static int sync_now(struct log_file *file, int flags) {
    int code = file->real->pMethods->xSync(file->real, flags);
    file->unsure = code != SQLITE_OK;
    if (code == SQLITE_OK) {
        file->from = file->to = 0;
    }
    return code;
}

static int sync_all(sqlite3_file *base, int flags) {
    struct log_file *file = log_of(base);
    int code = flush(file);
    file->unsure |= code != SQLITE_OK;
    return code != SQLITE_OK ? code : file->unsure ? SQLITE_IOERR_FSYNC : sync_now(file, flags);
}

/* Through the memory for what is gathered, of which there is some: there was a write. */
static int write_again(struct log_file *file) {
    sqlite3_int64 size;
    int code = file->real->pMethods->xFileSize(file->real, &size);
    sqlite3_int64 end = code == SQLITE_OK && size < file->to ? size : file->to; /* it may have been cut */
    for (sqlite3_int64 at = file->from; at < end && code == SQLITE_OK; at += GATHERED_MAX) {
        int count = end - at < GATHERED_MAX ? (int)(end - at) : GATHERED_MAX;
        code = file->real->pMethods->xRead(file->real, file->gathered, count, at);
        if (code == SQLITE_OK) {
            code = file->real->pMethods->xWrite(file->real, file->gathered, count, at);
        }
    }
    return code;
}

static int cut(sqlite3_file *base, sqlite3_int64 size) {
    struct log_file *file = log_of(base);
    int code = flush(file);
    return code != SQLITE_OK ? code : file->real->pMethods->xTruncate(file->real, size);
}

static int measure(sqlite3_file *base, sqlite3_int64 *ret_size) {
    struct log_file *file = log_of(base);
    int code = flush(file);
    return code != SQLITE_OK ? code : file->real->pMethods->xFileSize(file->real, ret_size);
}

static int close_file(sqlite3_file *base) {
    struct log_file *file = log_of(base);
    int code = flush(file);
    free(file->gathered);
    int closed = file->real->pMethods->xClose(file->real);
    return code != SQLITE_OK ? code : closed;
}

static int lock(sqlite3_file *base, int level) {
    struct log_file *file = log_of(base);
    return file->real->pMethods->xLock(file->real, level);
}

static int unlock(sqlite3_file *base, int level) {
    struct log_file *file = log_of(base);
    return file->real->pMethods->xUnlock(file->real, level);
}

static int is_reserved(sqlite3_file *base, int *ret) {
    struct log_file *file = log_of(base);
    return file->real->pMethods->xCheckReservedLock(file->real, ret);
}

static int control(sqlite3_file *base, int operation, void *argument) {
    struct log_file *file = log_of(base);
    return file->real->pMethods->xFileControl(file->real, operation, argument);
}

static int sector_size(sqlite3_file *base) {
    struct log_file *file = log_of(base);
    return file->real->pMethods->xSectorSize(file->real);
}

static int characteristics(sqlite3_file *base) {
    struct log_file *file = log_of(base);
    return file->real->pMethods->xDeviceCharacteristics(file->real);
}

static const sqlite3_io_methods methods = {
    .iVersion = 1, /* no shared memory and no mapping: those are the database's, not its log's */
    .xClose = close_file,
    .xRead = read_bytes,
    .xWrite = write_bytes,
    .xTruncate = cut,
    .xSync = sync_all,
    .xFileSize = measure,
    .xLock = lock,
    .xUnlock = unlock,
    .xCheckReservedLock = is_reserved,
    .xFileControl = control,
    .xSectorSize = sector_size,
    .xDeviceCharacteristics = characteristics,
};

bool log_file_owes(sqlite3_file *base) {
    return base->pMethods == &methods && log_of(base)->to != 0;
}

int log_file_mend(sqlite3_file *base) {
    struct log_file *file = log_of(base);
    if (base->pMethods != &methods || !file->unsure) {
        return SQLITE_OK;
    }
    int code = flush(file);
    if (code == SQLITE_OK) {
        code = write_again(file);
    }
    return code == SQLITE_OK ? sync_now(file, SQLITE_SYNC_NORMAL) : code;
}

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags, int *ret_flags) {
    (void)vfs;
    if ((flags & SQLITE_OPEN_WAL) == 0) {
        int opened = below->xOpen(below, name, base, flags, ret_flags);
        if ((flags & SQLITE_OPEN_MAIN_DB) != 0 && opened == SQLITE_OK) {
            file_layer_unlocks_surely(base, (struct file_methods *)(void *)((char *)base + below->szOsFile));
        }
        return opened;
    }
    struct log_file *file = log_of(base);
    *file = (struct log_file){ .base.pMethods = NULL };
    int code = below->xOpen(below, name, file->real, flags, ret_flags);
    if (file->real->pMethods != NULL) { /* also after a failure, SQLite's own rule: then it is closed */
        file->base.pMethods = &methods;
    }
    return code;
}

const char *log_file_register(void) {
    static sqlite3_vfs layer;
    size_t more = sizeof(struct log_file) > sizeof(struct file_methods) ? sizeof(struct log_file) : sizeof(struct file_methods);
    below = file_layer_register(&layer, NAME, more, open_file);
    return below != NULL ? NAME : NULL;
}
