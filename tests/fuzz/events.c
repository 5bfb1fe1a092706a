/* What comes over a stream of a service, server-sent events and lines of JSON: the same wherever it is cut.
 *
 *   where to cut it (fuzz.h)
 *   the stream */
#include <stdlib.h>

#include "base/buffer.h"
#include "chat/dialect/lines.h"
#include "fuzz.h"

void fuzz_begin(void) {
}

void fuzz_seeds(void) {
    static const char *const seeds[] = {
        "\ndata: {\"a\":1}\n\ndata: [DONE]\n\n",
        "A\nevent: message_start\ndata: {\"a\":\ndata: 1}\n\n: comment\n\nid: 1\nretry: 5\ndata\n\n",
        "B\ndata:a\r\ndata:b\r\n\r\nevent:x\rdata:c\r\rdata: d",
        "@\n\xef\xbb\xbf" "data: x\n\n",
        "\n{\"a\":1}\n\n{\"b\":2}\r\n{\"c\":3}",
        "C\n:\n\n\n\nevent\n\ndata: \n\n",
        NULL,
    };
    fuzz_seed_list("stream", seeds);
}

static enum err on_event(void *context, struct text name, struct text data) {
    struct buffer *seen = context;
    fuzz_hold(memchr(name.ptr != NULL ? name.ptr : "", '\n', name.len) == NULL);
    buffer_put(seen, name);
    buffer_put_char(seen, '\1');
    buffer_put(seen, data);
    buffer_put_char(seen, '\2');
    return OK;
}

static enum err on_line(void *context, struct text line) {
    struct buffer *seen = context;
    fuzz_hold(line.len > 0);
    fuzz_hold(memchr(line.ptr, '\n', line.len) == NULL);
    buffer_put(seen, line);
    buffer_put_char(seen, '\2');
    return OK;
}

static void read_events(struct text bytes, struct fuzz_cuts cuts, struct buffer *seen) {
    struct event_reader reader;
    enum err err = OK;
    event_reader_init(&reader, on_event, seen);
    while (err == OK && bytes.len > 0) {
        struct text piece = fuzz_cut(&cuts, &bytes);
        char *copy = fuzz_copy(piece);
        err = event_reader_feed(&reader, (struct text){ copy, piece.len });
        free(copy);
    }
    fuzz_hold(err == OK && event_reader_finish(&reader) == OK);
    event_reader_fini(&reader);
}

static void read_lines(struct text bytes, struct fuzz_cuts cuts, struct buffer *seen) {
    struct line_reader reader;
    enum err err = OK;
    line_reader_init(&reader, on_line, seen);
    while (err == OK && bytes.len > 0) {
        struct text piece = fuzz_cut(&cuts, &bytes);
        char *copy = fuzz_copy(piece);
        err = line_reader_feed(&reader, (struct text){ copy, piece.len });
        free(copy);
    }
    fuzz_hold(err == OK && line_reader_finish(&reader) == OK);
    line_reader_fini(&reader);
}

static void hold_same(struct text bytes, struct text sizes,
                      void (*read)(struct text bytes, struct fuzz_cuts cuts, struct buffer *seen)) {
    struct buffer whole, cut;
    buffer_init(&whole, 1 << 24);
    buffer_init(&cut, 1 << 24);
    read(bytes, (struct fuzz_cuts){ TEXT_NONE, 0 }, &whole);
    read(bytes, (struct fuzz_cuts){ sizes, 0 }, &cut);
    fuzz_hold(text_equal(buffer_text(&whole), buffer_text(&cut)), "\n%.*s\n%.*s", TEXT_ARG(buffer_text(&whole)),
              TEXT_ARG(buffer_text(&cut)));
    buffer_clear(&cut);
    read(bytes, (struct fuzz_cuts){ TEXT("?"), 0 }, &cut);
    fuzz_hold(text_equal(buffer_text(&whole), buffer_text(&cut)));
    buffer_fini(&cut);
    buffer_fini(&whole);
}

void fuzz_one(struct text input) {
    struct text sizes = fuzz_line(&input);
    hold_same(input, sizes, read_events);
    hold_same(input, sizes, read_lines);
}
