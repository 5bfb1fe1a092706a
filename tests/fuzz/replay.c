/* The main that runs the inputs to begin with, then those that are kept: replay [DIRECTORY|FILE…], each once. Directories
 * that are not there have nothing in them. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/buffer.h"
#include "base/crypto.h"
#include "fuzz.h"

#define INPUT_MAX ((size_t)1 << 20)

void fuzz_seed(const char *name, struct text input) {
    char *exact = fuzz_copy(input);
    printf("[ RUN      ] %s\n", name);
    fflush(stdout);
    fuzz_one((struct text){ exact, input.len });
    printf("[       OK ] %s\n", name);
    free(exact);
}

static int replay_file(const char *path) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return 1;
    }
    struct buffer bytes;
    buffer_init(&bytes, INPUT_MAX);
    size_t count;
    do {
        char piece[4096];
        count = fread(piece, 1, sizeof(piece), file);
        buffer_put(&bytes, (struct text){ piece, count });
    } while (count > 0);
    fclose(file);
    fuzz_hold(buffer_ok(&bytes), "%s is larger than an input may be", path);
    fuzz_seed(path, buffer_text(&bytes));
    buffer_fini(&bytes);
    return 0;
}

static int visible(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

static int replay(const char *path) {
    struct dirent **entries;
    struct stat status;
    if (stat(path, &status) != 0) {
        return errno == ENOENT ? 0 : 1;
    }
    if (!S_ISDIR(status.st_mode)) {
        return replay_file(path);
    }
    int count = scandir(path, &entries, visible, alphasort), failed = 0;
    if (count < 0) {
        perror(path);
        return 1;
    }
    for (int i = 0; i < count; i++) {
        char name[4096];
        snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name);
        failed |= replay_file(name);
        free(entries[i]);
    }
    free(entries);
    return failed;
}

int main(int argc, char **argv) {
    int failed = 0;
    fuzz_hold(crypto_init() == OK);
    fuzz_begin();
    fuzz_seeds();
    for (int i = 1; i < argc; i++) {
        failed |= replay(argv[i]);
    }
    return failed;
}
