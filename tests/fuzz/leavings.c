/* What a local command leaves when it ends: files by whatever names, links, pipes, trees, and what it said of them. A name
 * leads to a file of its directory or is refused, never through a link; of the end comes one outcome, in words.
 *
 *   how it ended, a letter (of `ends`), and perhaps a number
 *   what it leaves, a line each, up to an empty one: "f NAME" a file, "e NAME" an empty one, "g NAME" one too large, "p NAME"
 *   a pipe, "l NAME TO" a link, "d NAME" a directory, which the next lines are in, "u" one up
 *   its standard output; {W} stands for its directory */
#include "provider/exec/outcome.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/json.h"
#include "fuzz.h"
#include "place.h"
#include "provider/exec/files.h"

#define FILE_SIZE_MAX 1000
#define ENTRIES_MAX 60
#define DEPTH_MAX 24
#define TREE_DEPTH_MAX 16 /* deeper, a tree counts as too large */
#define SPACE TEXT("{W}")

static const struct {
    char letter;
    enum exec_end end;
} ends[] = {
    { 'x', EXEC_END_EXIT },   { 's', EXEC_END_SIGNAL }, { 'b', EXEC_END_START }, { 't', EXEC_END_TIMEOUT },
    { 'c', EXEC_END_CANCEL }, { 'r', EXEC_END_SPACE },  { 'g', EXEC_END_LOST },  { 'f', EXEC_END_FLOOD },
};
_Static_assert(ARRAY_SIZE(ends) == EXEC_END_COUNT, "a letter for each");

static char work[128];

/* Beside the work directory lies what is nobody's. */
void fuzz_begin(void) {
    char path[128];
    snprintf(work, sizeof(work), "%s/work", place());
    snprintf(path, sizeof(path), "%s/secret", place());
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    fuzz_hold(fd >= 0 && write(fd, "secret", 6) == 6 && close(fd) == 0, "%s", path);
}

void fuzz_seeds(void) {
    static const char *const seeds[] = {
        "x0\nf a.png\n\nprogress 50\nresult {\"file\":\"a.png\"}\n",
        "x0\nd out\nd b\nf c.wav\nu\nu\nf d\n\nresult {\"all\":[{\"file\":\"out/b/c.wav\"},{\"file\":\"d\"}],"
        "\"x\":{\"file\":\"d\"}}\n",
        "x0\nl a ../secret\nl b /etc/passwd\nl d out\nd out\nf f\n\nresult {\"x\":[{\"file\":\"a\"}]}\n",
        "x0\nl d out\nd out\nf f\n\nresult {\"file\":\"d/f\"}\n",
        "x0\np a\n\nresult {\"file\":\"a\"}\n",
        "x0\ng a\ne b\n\nresult {\"file\":\"a\"}\n",
        "x0\ne b\n\nresult {\"file\":\"b\"}\n",
        "x0\nf a\n\nresult {\"file\":\"../secret\"}\n",
        "x0\nf a\n\nresult {\"file\":\"{W}/a\"}\n",
        "x0\nf a\n\nresult {\"file\":\"./a\"}\n",
        "x0\nd a\nu\n\nresult {\"file\":\"a/\"}\n",
        "x0\nf a\n\nresult {\"file\":\"a\\u0000b\"}\n",
        "x0\nf a\n\nresult {\"file\":[\"a\"]}\n",
        "x0\nd d\nd d\nd d\nd d\nd d\nd d\nd d\nd d\nd d\nd d\nd d\nd d\nd d\nd d\nd d\nd d\nd d\nd d\n\nresult {}\n",
        "x1\n\nerror invalid_parameters no such voice\n",
        "x3\n\nhello\n",
        "x0\n\nresult {}\nresult {}\n",
        "x0\n\nresult [\n",
        "s9\n\n",
        "s25\n\n",
        "s24\n\n",
        "b13\n\n",
        "b11\n\n",
        "t\n\n",
        "c\n\n",
        "r\n\n",
        "g\n\n",
        "f\n\nprogress 1\n",
        NULL,
    };
    fuzz_seed_list("leavings", seeds);
}

/* ---- what it leaves ---- */

struct tree {
    int above[DEPTH_MAX + 1]; /* open directories, the last one is where it goes on */
    unsigned depth, deepest, entries;
    int64_t bytes;
};

static bool is_name(struct text name) {
    return name.len > 0 && name.len <= NAME_MAX && memchr(name.ptr, '/', name.len) == NULL &&
           memchr(name.ptr, '\0', name.len) == NULL && !text_equal(name, TEXT(".")) && !text_equal(name, TEXT(".."));
}

static bool make_file(struct tree *tree, const char *name, off_t size) {
    int fd = openat(tree->above[tree->depth], name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return false;
    }
    fuzz_hold(ftruncate(fd, size) == 0 && close(fd) == 0);
    tree->bytes += size;
    return true;
}

static bool make_directory(struct tree *tree, const char *name) {
    int here = tree->above[tree->depth];
    if (tree->depth == DEPTH_MAX || mkdirat(here, name, 0700) != 0) {
        return false;
    }
    tree->above[++tree->depth] = openat(here, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    fuzz_hold(tree->above[tree->depth] >= 0, "%s", name);
    tree->deepest = tree->depth > tree->deepest ? tree->depth : tree->deepest;
    return true;
}

static bool make_link(struct tree *tree, const char *name, struct text to) {
    char target[PATH_MAX];
    snprintf(target, sizeof(target), "%.*s", TEXT_ARG(to));
    return target[0] != '\0' && symlinkat(target, tree->above[tree->depth], name) == 0;
}

static void leave_one(struct tree *tree, struct text line) {
    char kind = line.len > 0 ? line.ptr[0] : '\0', name[NAME_MAX + 1];
    struct text words = line;
    text_cut(&words, ' ');
    struct text first = kind == 'l' ? text_cut(&words, ' ') : words;
    if (kind == 'u' && tree->depth > 0) {
        close(tree->above[tree->depth--]);
    }
    if (!is_name(first) || tree->entries == ENTRIES_MAX) {
        return;
    }
    snprintf(name, sizeof(name), "%.*s", TEXT_ARG(first));
    tree->entries += (kind == 'f' && make_file(tree, name, 5)) || (kind == 'e' && make_file(tree, name, 0)) ||
                     (kind == 'g' && make_file(tree, name, FILE_SIZE_MAX + 1)) ||
                     (kind == 'p' && mkfifoat(tree->above[tree->depth], name, 0600) == 0) ||
                     (kind == 'l' && make_link(tree, name, words)) || (kind == 'd' && make_directory(tree, name));
}

static void leave(struct tree *tree, struct text *input) {
    *tree = (struct tree){ .depth = 0 };
    fuzz_hold(mkdir(work, 0700) == 0, "%s", work);
    tree->above[0] = open(work, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    fuzz_hold(tree->above[0] >= 0);
    for (struct text line; input->len > 0 && (line = fuzz_line(input)).len > 0;) {
        leave_one(tree, line);
    }
    while (tree->depth > 0) {
        close(tree->above[tree->depth--]);
    }
}

/* ---- what has to be true ---- */

/* As exec_files_within says it, and as it was counted when it was made. */
static void hold_count(const struct tree *tree) {
    int64_t bytes = -1;
    bool deep = tree->deepest > TREE_DEPTH_MAX;
    fuzz_hold(exec_files_within(work, INT64_MAX, ENTRIES_MAX, &bytes) == !deep, "%u deep", tree->deepest);
    fuzz_hold(deep || bytes >= tree->bytes, "%lld of %lld", (long long)bytes, (long long)tree->bytes);
    fuzz_hold(tree->entries == 0 || !exec_files_within(work, INT64_MAX, tree->entries - 1, &bytes));
    fuzz_hold(tree->bytes == 0 || !exec_files_within(work, tree->bytes - 1, ENTRIES_MAX, &bytes));
}

/* Whether the system itself finds a file by that name without ever leaving the directory or following a link. */
static bool system_finds(const char *name, struct stat *ret) {
    const struct open_how how = { .flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC,
                                  .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
    int directory = open(work, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd = (int)syscall(SYS_openat2, directory, name, &how, sizeof(how));
    bool found = fd >= 0 && fstat(fd, ret) == 0 && S_ISREG(ret->st_mode);
    close(directory);
    if (fd >= 0) {
        close(fd);
    }
    return found;
}

static bool is_plain(const char *name) {
    struct text rest = text_of(name);
    bool plain = rest.len > 0 && !text_ends(rest, TEXT("/"));
    while (plain && rest.len > 0) {
        struct text part = text_cut(&rest, '/');
        plain = part.len > 0 && !text_equal(part, TEXT(".")) && !text_equal(part, TEXT(".."));
    }
    return plain;
}

static bool hold_name(const char *name) {
    struct stat there = { .st_size = 0 }, opened;
    struct fault fault = { .err = OK };
    int64_t size = -1;
    int fd = -1;
    bool found = is_plain(name) && system_finds(name, &there) && there.st_size > 0 && there.st_size <= FILE_SIZE_MAX;
    enum err err = exec_file_open(work, name, FILE_SIZE_MAX, &fd, &size, &fault);
    fuzz_hold((err == OK) == found, "\"%s\": %s", name, fault.message);
    if (err != OK) {
        fuzz_hold(err == ERR_FETCH && fd == -1 && size == -1);
        fuzz_hold_fault(err, &fault);
        return false;
    }
    fuzz_hold(fstat(fd, &opened) == 0 && opened.st_ino == there.st_ino && opened.st_dev == there.st_dev, "%s", name);
    fuzz_hold(size == opened.st_size);
    close(fd);
    return true;
}

/* Whether every file in it can be had. Within an object that names one nothing else is looked at. */
static bool hold_files(const json_t *value) {
    const json_t *file = json_object_get(value, "file");
    bool good = true;
    if (file != NULL) {
        return json_is_string(file) && hold_name(json_string_value(file));
    }
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)(uintptr_t)value, key, member) {
        good &= hold_files(member);
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        good &= hold_files(json_array_get(value, i));
    }
    return good;
}

static void hold_words(const struct outcome *outcome) {
    fuzz_hold(outcome->detail != NULL && outcome->detail[0] != '\0');
    fuzz_hold(outcome->message == NULL || text_is_utf8(text_of(outcome->message)), "%s", outcome->message);
    fuzz_hold(outcome->error == TASK_ERROR_NONE || task_error_code(outcome->error) != NULL);
}

static void judge(const struct exec_ending *ending) {
    struct buffer message, detail;
    struct outcome outcome;
    buffer_init(&message, 4096);
    buffer_init(&detail, 16384);
    exec_outcome_judge(ending, &message, &detail, &outcome);
    fuzz_hold(buffer_ok(&message) && buffer_ok(&detail));
    hold_words(&outcome);
    bool good = ending->end == EXEC_END_EXIT && ending->number == 0 && ending->reader->error == TASK_ERROR_NONE &&
                ending->reader->results == 1 && ending->reader->result != NULL && hold_files(ending->reader->result);
    fuzz_hold(good == (outcome.error == TASK_ERROR_NONE), "%s", outcome.message);
    fuzz_hold(good ? outcome.output == ending->reader->result && outcome.message == NULL : outcome.output == NULL);
    buffer_fini(&message);
    buffer_fini(&detail);
}

/* Its output, with the name of its directory where it is meant. */
static void listen(struct text output, struct exec_reader *reader) {
    struct buffer said;
    buffer_init(&said, (size_t)4 << 20);
    while (output.len > 0) {
        const char *mark = memmem(output.ptr, output.len, SPACE.ptr, SPACE.len);
        size_t before = mark != NULL ? (size_t)(mark - output.ptr) : output.len;
        size_t taken = mark != NULL ? before + SPACE.len : before;
        buffer_put(&said, (struct text){ output.ptr, before });
        buffer_put(&said, mark != NULL ? text_of(work) : TEXT(""));
        output = (struct text){ output.ptr + taken, output.len - taken };
    }
    fuzz_hold(buffer_ok(&said));
    exec_reader_init(reader);
    exec_reader_feed(reader, said.data, said.len);
    exec_reader_end(reader);
    buffer_fini(&said);
}

void fuzz_one(struct text input) {
    struct text how = fuzz_line(&input);
    struct tree tree;
    struct exec_reader reader;
    struct exec_tail errors = { .len = 0 };
    int64_t number = 0;
    leave(&tree, &input);
    hold_count(&tree);
    listen(input, &reader);
    exec_tail_add(&errors, input.ptr, input.len);
    bool numbered = how.len > 1 && text_to_i64((struct text){ how.ptr + 1, how.len - 1 }, &number);
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
        if (how.len > 0 && how.ptr[0] == ends[i].letter) {
            judge(&(struct exec_ending){ .end = ends[i].end, .number = numbered && number >= 0 && number < 256 ? (int)number : 0,
                                         .reader = &reader, .errors = &errors, .work_directory = work,
                                         .file_max = FILE_SIZE_MAX });
        }
    }
    exec_reader_fini(&reader);
    close(tree.above[0]);
    place_remove(work);
}
