/* Cleans file names: what is left may be shown, and put into a header or a path. */
#include "blob/file_name.h"

#include <string.h>

#define ENDING_MAX 16 /* bytes of ".ext" that a name which is too long keeps */

/* C0, DEL, C1; and the marks that make "exe.png" of "gnp.exe". `at` is the start of a character. */
static bool is_unseen(struct text name, size_t at) {
    unsigned char first = (unsigned char)name.ptr[at];
    unsigned char second = at + 1 < name.len ? (unsigned char)name.ptr[at + 1] : 0;
    unsigned char third = at + 2 < name.len ? (unsigned char)name.ptr[at + 2] : 0;
    if (first < ' ' || first == 0x7f || (first == 0xc2 && second < 0xa0))
        return true;
    return first == 0xe2 && ((second == 0x80 && (third == 0x8e || third == 0x8f || (third >= 0xaa && third <= 0xae))) ||
                             (second == 0x81 && third >= 0xa6 && third <= 0xa9));
}

static size_t character_length(char c) {
    unsigned char first = (unsigned char)c;
    return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

static bool is_inside(char c) {
    return ((unsigned char)c & 0xc0) == 0x80;
}

static struct text last_part(struct text name) {
    for (size_t i = name.len; i > 0; i--)
        if (name.ptr[i - 1] == '/' || name.ptr[i - 1] == '\\')
            return (struct text){ name.ptr + i, name.len - i };
    return name;
}

static bool is_end(char c) {
    return c == ' ' || c == '.';
}

static struct text without_ends(struct text name) {
    while (name.len > 0 && is_end(name.ptr[0]))
        name = (struct text){ name.ptr + 1, name.len - 1 };
    while (name.len > 0 && is_end(name.ptr[name.len - 1]))
        name.len--;
    return name;
}

/* Where the ending begins; the name's length when it has none, or a long one. */
static size_t ending_at(struct text name) {
    for (size_t i = name.len; i > 0 && name.len - i < ENDING_MAX; i--)
        if (name.ptr[i - 1] == '.')
            return i - 1;
    return name.len;
}

/* As much of the beginning as leaves room for the ending, cut between characters. */
static size_t shorten(char *name, size_t length) {
    size_t ending = ending_at((struct text){ name, length }), ending_length = length - ending;
    size_t kept = FILE_NAME_SIZE - 1 - ending_length;
    while (kept > 0 && is_inside(name[kept]))
        kept--;
    memmove(name + kept, name + ending, ending_length);
    return without_ends((struct text){ name, kept + ending_length }).len; /* which begins with none */
}

void file_name_clean(struct text name, char ret[FILE_NAME_SIZE]) {
    char seen[4 * FILE_NAME_SIZE];
    size_t length = 0;

    ret[0] = '\0';
    name = last_part(name);
    if (!text_is_utf8(name))
        return;
    for (size_t i = 0; i < name.len;) {
        size_t count = character_length(name.ptr[i]);
        if (!is_unseen(name, i) && length + count <= sizeof seen) {
            memcpy(seen + length, name.ptr + i, count);
            length += count;
        }
        i += count;
    }
    struct text rest = without_ends((struct text){ seen, length });
    memmove(seen, rest.ptr, rest.len);
    length = rest.len >= FILE_NAME_SIZE ? shorten(seen, rest.len) : rest.len;
    memcpy(ret, seen, length);
    ret[length] = '\0';
}
