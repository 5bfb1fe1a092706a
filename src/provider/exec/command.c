/* Where the command of a local model lies: the configured directory, or beside the running binary. */
#include "provider/exec/command.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "config/config.h"

static bool name_is_plain(struct text name) {
    if (name.len == 0 || name.len > NAME_MAX || name.ptr[0] == '.') {
        return false;
    }
    return text_find(name, '/') == name.len;
}

static bool cannot_look_now(void) {
    return errno == EIO || errno == ENOMEM;
}

bool exec_is_executable(const char *path) {
    struct stat status;
    if (stat(path, &status) != 0) {
        return cannot_look_now();
    }
    return S_ISREG(status.st_mode) && (access(path, X_OK) == 0 || cannot_look_now());
}

static bool is_executable_file(const struct buffer *path) {
    return buffer_ok(path) && exec_is_executable(path->data);
}

/* The directory of the running binary; also right after the file was replaced by an upgrade. */
static bool put_binary_directory(struct buffer *path) {
    char link[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", link, sizeof(link) - 1);
    if (length <= 0) {
        return false;
    }
    while (length > 0 && link[length - 1] != '/') {
        length--;
    }
    buffer_put(path, (struct text){ link, (size_t)length });
    return true;
}

static bool find_beside_binary(const char *place, struct text name, struct buffer *path) {
    buffer_clear(path);
    if (!put_binary_directory(path)) {
        return false;
    }
    buffer_printf(path, "%s/%.*s", place, TEXT_ARG(name));
    return is_executable_file(path);
}

void exec_put_absolute(struct buffer *buf, const char *path) {
    char current[PATH_MAX];
    if (path[0] != '/' && getcwd(current, sizeof(current))) {
        buffer_printf(buf, "%s/", current);
    }
    buffer_put(buf, text_of(path));
}

static bool find_in_directory(const char *directory, struct text name, struct buffer *path) {
    buffer_clear(path);
    exec_put_absolute(path, directory);
    buffer_printf(path, "/%.*s", TEXT_ARG(name));
    return is_executable_file(path);
}

bool exec_find_command(const struct config *config, const char *name, struct buffer *path) {
    struct text text = text_of(name);
    buffer_clear(path);
    buffer_put(path, text);
    if (text_starts(text, TEXT("/"))) {
        return is_executable_file(path);
    }
    if (!name_is_plain(text)) {
        return false;
    }
    if (config->libexec) {
        return find_in_directory(config->libexec, text, path);
    }
    return find_beside_binary("../libexec/fennec", text, path) || find_beside_binary("../libexec", text, path);
}
