/* Splits streams that come in pieces into server-sent events and into lines. */
#include "chat/dialect/lines.h"

#include "chat/dialect/dialect.h"

#define KEPT_MAX 65536 /* memory that a reader keeps once a line is done */

/* Empties it, and lets the memory of a large line go: the next one hardly ever is. */
static void let_go(struct buffer *buf) {
    if (buf->capacity > KEPT_MAX) {
        buffer_fini(buf);
    }
    buffer_clear(buf);
}

static struct text text_skip(struct text t, size_t count) {
    return (struct text){ t.ptr + count, t.len - count };
}

/* ---- server-sent events ---- */

/* One call of feed: what is left of the bytes, and the data line that still lies in them. */
struct pass {
    struct event_reader *reader;
    struct text rest;
    const char *lf;   /* the first LF of `rest`, or its end; NULL: not looked for yet */
    struct text held; /* a data line that `data` does not have yet; ptr NULL: none */
};

void event_reader_init(struct event_reader *reader,
                       enum err (*event)(void *context, struct text name, struct text data), void *context) {
    *reader = (struct event_reader){ .event = event, .context = context };
    buffer_init(&reader->line, CHAT_CHUNK_MAX);
    buffer_init(&reader->data, CHAT_CHUNK_MAX + 1); /* each of its lines ends with LF */
    buffer_init(&reader->name, CHAT_CHUNK_MAX);
}

void event_reader_fini(struct event_reader *reader) {
    buffer_fini(&reader->line);
    buffer_fini(&reader->data);
    buffer_fini(&reader->name);
}

/* The line in the bytes is copied, as it does not stand alone or the bytes go away. */
static enum err keep_held(struct pass *pass) {
    struct buffer *data = &pass->reader->data;
    if (pass->held.ptr) {
        buffer_put(data, pass->held);
        buffer_put_char(data, '\n');
        pass->held = TEXT_NONE;
    }
    return buffer_ok(data) ? OK : ERR_TOO_LONG;
}

static enum err put_data(struct pass *pass, struct text value) {
    enum err err = keep_held(pass);
    pass->held = (struct text){ value.ptr ? value.ptr : "", value.len };
    return err;
}

/* An event without any data line is none. */
static enum err dispatch(struct pass *pass) {
    struct event_reader *reader = pass->reader;
    enum err err = OK;
    if (reader->data.len > 0) {
        err = keep_held(pass);
        if (err == OK) {
            struct text lines = { reader->data.data, reader->data.len - 1 };
            err = reader->event(reader->context, buffer_text(&reader->name), lines);
        }
    } else if (pass->held.ptr) {
        err = reader->event(reader->context, buffer_text(&reader->name), pass->held);
    }
    pass->held = TEXT_NONE;
    let_go(&reader->data);
    buffer_clear(&reader->name);
    return err;
}

static enum err take_field(struct pass *pass, struct text name, struct text value) {
    struct event_reader *reader = pass->reader;
    if (text_equal(name, TEXT("data"))) {
        return put_data(pass, value);
    }
    if (text_equal(name, TEXT("event"))) {
        buffer_clear(&reader->name);
        buffer_put(&reader->name, value);
    }
    return buffer_ok(&reader->name) ? OK : ERR_TOO_LONG;
}

static enum err take_line(struct pass *pass, struct text line) {
    if (line.len > CHAT_CHUNK_MAX) {
        return ERR_TOO_LONG;
    }
    if (!pass->reader->begun) {
        pass->reader->begun = true;
        line = text_starts(line, TEXT("\xEF\xBB\xBF")) ? text_skip(line, 3) : line;
    }
    if (line.len == 0) {
        return dispatch(pass);
    }
    size_t colon = text_find(line, ':');
    struct text name = { line.ptr, colon };
    struct text value = { line.ptr + line.len, 0 };
    if (colon < line.len) {
        value = text_skip(line, colon + 1);
        value = text_starts(value, TEXT(" ")) ? text_skip(value, 1) : value;
    }
    return take_field(pass, name, value);
}

/* The line whose last bytes these are; the first ones may have come before. A line that was kept is gone with the next,
 * so its data is copied at once. */
static enum err take_end_of_line(struct pass *pass, struct text end) {
    struct buffer *line = &pass->reader->line;
    if (line->len == 0) {
        return take_line(pass, end);
    }
    buffer_put(line, end);
    enum err err = buffer_ok(line) ? take_line(pass, buffer_text(line)) : ERR_TOO_LONG;
    if (err == OK) {
        err = keep_held(pass);
    }
    let_go(line);
    return err;
}

/* Bytes before the first CR or LF, or all. LF is looked for once, however many CRs come before it. */
static size_t line_length(struct pass *pass) {
    struct text rest = pass->rest;
    if (pass->lf == NULL || pass->lf < rest.ptr) {
        pass->lf = rest.ptr + text_find(rest, '\n');
    }
    return text_find((struct text){ rest.ptr, (size_t)(pass->lf - rest.ptr) }, '\r');
}

static enum err take_bytes(struct pass *pass) {
    struct event_reader *reader = pass->reader;
    while (pass->rest.len > 0) {
        if (reader->after_cr && pass->rest.ptr[0] == '\n') {
            pass->rest = text_skip(pass->rest, 1);
            reader->after_cr = false;
            continue;
        }
        size_t length = line_length(pass);
        struct text part = { pass->rest.ptr, length };
        if (length == pass->rest.len) {
            reader->after_cr = false;
            buffer_put(&reader->line, part);
            return buffer_ok(&reader->line) ? OK : ERR_TOO_LONG;
        }
        reader->after_cr = pass->rest.ptr[length] == '\r';
        pass->rest = text_skip(pass->rest, length + 1);
        enum err err = take_end_of_line(pass, part);
        if (err != OK) {
            return err;
        }
    }
    return OK;
}

enum err event_reader_feed(struct event_reader *reader, struct text bytes) {
    struct pass pass = { .reader = reader, .rest = bytes };
    enum err err = take_bytes(&pass);
    return err == OK ? keep_held(&pass) : err;
}

enum err event_reader_finish(struct event_reader *reader) {
    struct pass pass = { .reader = reader };
    enum err err = reader->line.len > 0 ? take_end_of_line(&pass, TEXT_NONE) : OK;
    return err == OK ? dispatch(&pass) : err;
}

/* ---- lines ---- */

void line_reader_init(struct line_reader *reader, enum err (*read)(void *context, struct text line), void *context) {
    *reader = (struct line_reader){ .read = read, .context = context };
    buffer_init(&reader->line, CHAT_CHUNK_MAX);
}

void line_reader_fini(struct line_reader *reader) {
    buffer_fini(&reader->line);
}

static enum err read_line(struct line_reader *reader, struct text line) {
    if (line.len > CHAT_CHUNK_MAX) {
        return ERR_TOO_LONG;
    }
    line = text_trim(line);
    return line.len > 0 ? reader->read(reader->context, line) : OK;
}

static enum err read_kept_line(struct line_reader *reader, struct text end) {
    buffer_put(&reader->line, end);
    enum err err = buffer_ok(&reader->line) ? read_line(reader, buffer_text(&reader->line)) : ERR_TOO_LONG;
    let_go(&reader->line);
    return err;
}

enum err line_reader_feed(struct line_reader *reader, struct text bytes) {
    while (bytes.len > 0) {
        size_t length = text_find(bytes, '\n');
        struct text part = { bytes.ptr, length };
        if (length == bytes.len) {
            buffer_put(&reader->line, part);
            return buffer_ok(&reader->line) ? OK : ERR_TOO_LONG;
        }
        bytes = text_skip(bytes, length + 1);
        enum err err = reader->line.len > 0 ? read_kept_line(reader, part) : read_line(reader, part);
        if (err != OK) {
            return err;
        }
    }
    return OK;
}

enum err line_reader_finish(struct line_reader *reader) {
    return read_kept_line(reader, TEXT_NONE);
}
