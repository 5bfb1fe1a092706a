/* Finds the objects of a JSON array by their brackets; what is between them, a parser sees. */
#include "chat/dialect/objects.h"

#include "chat/dialect/dialect.h"

void object_reader_init(struct object_reader *reader, enum err (*read)(void *context, struct text object),
                        void *context) {
    *reader = (struct object_reader){ .read = read, .context = context };
    buffer_init(&reader->object, CHAT_CHUNK_MAX);
}

void object_reader_fini(struct object_reader *reader) {
    buffer_fini(&reader->object);
}

/* Takes one byte of an object. Whether it is the last. */
static bool step(struct object_reader *reader, char c) {
    if (reader->in_string) {
        bool plain = reader->escaped || (c != '\\' && c != '"');
        reader->in_string = plain || c == '\\';
        reader->escaped = !plain && c == '\\';
    } else if (c == '"') {
        reader->in_string = true;
    } else if (c == '{' || c == '[') {
        reader->depth++;
    } else if (c == '}' || c == ']') {
        reader->depth--;
    }
    return reader->depth == 0;
}

enum err object_reader_feed(struct object_reader *reader, struct text bytes) {
    size_t begin = 0; /* of what is not in `object` yet */
    for (size_t i = 0; i < bytes.len; i++) {
        char c = bytes.ptr[i];
        if (reader->depth == 0 && c != '{') {
            if (c == '\0' || strchr("[], \t\r\n", c) == NULL) {
                return ERR_INVALID_JSON;
            }
            begin = i + 1;
            continue;
        }
        if (!step(reader, c)) {
            continue;
        }
        buffer_put(&reader->object, (struct text){ bytes.ptr + begin, i + 1 - begin });
        begin = i + 1;
        enum err err =
            buffer_ok(&reader->object) ? reader->read(reader->context, buffer_text(&reader->object)) : ERR_TOO_LONG;
        buffer_clear(&reader->object);
        if (err != OK) {
            return err;
        }
    }
    buffer_put(&reader->object, (struct text){ bytes.ptr + begin, bytes.len - begin });
    return buffer_ok(&reader->object) ? OK : ERR_TOO_LONG;
}
