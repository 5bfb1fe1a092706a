/* Gathering Lua files: embedded, and from a directory over them. */
#include "provider/bridge_files.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "script/embedded.h"

static void file_fini(struct bridge_file *file) {
    free(file->path);
    free(file->name);
    free(file->owned);
}

void bridge_files_fini(struct bridge_files *files) {
    for (unsigned i = 0; i < files->count; i++) {
        file_fini(&files->items[i]);
    }
    free(files->items);
    *files = (struct bridge_files){ 0 };
}

/* Where `path` is or belongs. */
static unsigned place_of(const struct bridge_files *files, const char *path) {
    unsigned at = 0;
    while (at < files->count && strcmp(files->items[at].path, path) < 0) {
        at++;
    }
    return at;
}

const struct bridge_file *bridge_files_find(const struct bridge_files *files, const char *path) {
    unsigned at = place_of(files, path);
    return at < files->count && strcmp(files->items[at].path, path) == 0 ? &files->items[at] : NULL;
}

/* Takes file.owned in any case. */
static enum err put(struct bridge_files *files, struct bridge_file file, struct fault *fault) {
    unsigned at = place_of(files, file.path);
    if (at < files->count && strcmp(files->items[at].path, file.path) == 0) {
        file_fini(&files->items[at]);
    } else {
        if (files->count == BRIDGE_FILES_MAX) {
            enum err err =
                fault_set(fault, ERR_SCRIPT, "%s: more than %d catalogue files", file.name, BRIDGE_FILES_MAX);
            file_fini(&file);
            return err;
        }
        files->items = mem_grow(files->items, (files->count + 1) * sizeof(files->items[0]));
        memmove(&files->items[at + 1], &files->items[at], (files->count - at) * sizeof(files->items[0]));
        files->count++;
    }
    files->items[at] = file;
    return OK;
}

static void close_stream(FILE **stream) {
    if (*stream) {
        fclose(*stream);
    }
}

static enum err read_source(const char *name, struct buffer *source, struct fault *fault) {
    scoped(close_stream) FILE *stream = fopen(name, "re");
    if (!stream) {
        return fault_set(fault, ERR_SCRIPT, "%s: cannot be opened: %s", name, strerror(errno));
    }
    size_t count = 1;
    while (count > 0) {
        char chunk[8192];
        count = fread(chunk, 1, sizeof(chunk), stream);
        buffer_put(source, (struct text){ chunk, count });
    }
    if (ferror(stream)) {
        return fault_set(fault, ERR_SCRIPT, "%s: cannot be read", name);
    }
    if (!buffer_ok(source)) {
        return fault_set(fault, ERR_SCRIPT, "%s: larger than %d bytes", name, BRIDGE_FILE_SIZE_MAX);
    }
    return OK;
}

enum err bridge_files_read(struct bridge_files *files, const char *path, const char *name, struct fault *fault) {
    struct buffer source;
    buffer_init(&source, BRIDGE_FILE_SIZE_MAX);
    enum err err = read_source(name, &source, fault);
    if (err != OK) {
        buffer_fini(&source);
        return err;
    }
    struct text text = { source.len > 0 ? source.data : "", source.len };
    char *owned = source.len > 0 ? buffer_take(&source) : NULL;
    buffer_fini(&source); /* an empty file's has room already */
    return put(files, (struct bridge_file){ mem_string(path), mem_string(name), owned, text }, fault);
}

static int is_lua_file(const struct dirent *entry) {
    return entry->d_name[0] != '.' && text_ends(text_of(entry->d_name), TEXT(".lua"));
}

/* prefix: "", "models/" or "providers/". */
static enum err read_directory(struct bridge_files *files, const char *directory, const char *prefix,
                               struct fault *fault) {
    char place[PATH_MAX];
    if ((size_t)snprintf(place, sizeof(place), "%s/%s", directory, prefix) >= sizeof(place)) {
        return fault_set(fault, ERR_SCRIPT, "catalogue directory: the path is too long");
    }
    struct dirent **entries = NULL;
    int count = scandir(place, &entries, is_lua_file, alphasort);
    if (count < 0) {
        bool optional = errno == ENOENT && prefix[0] != '\0';
        return optional ? OK : fault_set(fault, ERR_SCRIPT, "catalogue directory %s: %s", place, strerror(errno));
    }
    enum err err = OK;
    for (int i = 0; i < count; i++) {
        char path[NAME_MAX + 16], name[PATH_MAX + NAME_MAX + 2];
        snprintf(path, sizeof(path), "%s%s", prefix, entries[i]->d_name);
        snprintf(name, sizeof(name), "%s/%s", directory, path);
        if (err == OK) {
            err = bridge_files_read(files, path, name, fault);
        }
        free(entries[i]);
    }
    free(entries);
    return err;
}

enum err bridge_files_gather(const char *directory, struct bridge_files *ret, struct fault *fault) {
    struct bridge_files files = { 0 };
    enum err err = OK;
    for (size_t i = 0; i < embedded_file_count && err == OK; i++) {
        const struct embedded_file *embedded = &embedded_files[i];
        char *path = mem_string(embedded->path);
        err = put(&files, (struct bridge_file){ path, mem_string(embedded->path), NULL, embedded->source }, fault);
    }
    const char *const prefixes[] = { "", "models/", "providers/" };
    for (size_t i = 0; directory && i < ARRAY_SIZE(prefixes) && err == OK; i++) {
        err = read_directory(&files, directory, prefixes[i], fault);
    }
    if (err != OK) {
        bridge_files_fini(&files);
        return err;
    }
    *ret = files;
    return OK;
}
