/* Readers of server-sent events and of lines. */
#include <stdlib.h>

#include "base/memory.h"
#include "chat/dialect/lines.h"
#include "trial.h"

/* ---- server-sent events ---- */

static enum err on_event(void *context, struct text name, struct text data) {
    struct buffer *seen = context;
    buffer_put(seen, name);
    buffer_put_char(seen, '|');
    for (size_t i = 0; i < data.len; i++) {
        buffer_put(seen, data.ptr[i] == '\n' ? TEXT("\\n") : (struct text){ data.ptr + i, 1 });
    }
    buffer_put_char(seen, ';');
    return text_equal(data, TEXT("stop")) ? ERR_CONFLICT : OK;
}

static void read_events(const struct text *pieces, size_t count, struct buffer *seen, void *context) {
    (void)context;
    struct event_reader reader;
    event_reader_init(&reader, on_event, seen);
    enum err err = OK;
    for (size_t i = 0; i < count && err == OK; i++) {
        err = event_reader_feed(&reader, pieces[i]);
    }
    if (err == OK) {
        err = event_reader_finish(&reader);
    }
    buffer_put(seen, err == OK ? TEXT("") : text_of(err_info(err)->name));
    event_reader_fini(&reader);
}

static void events_are_read_however_they_are_cut(void **state) {
    (void)state;
    static const struct {
        struct text bytes;
        const char *seen;
    } rows[] = {
        { TEXT(""), "" },
        { TEXT("data: a\n\ndata: b\n\n"), "|a;|b;" },
        { TEXT("data: a\r\n\r\ndata: b\r\n\r\n"), "|a;|b;" },
        { TEXT("data: a\r\rdata: b\r\r"), "|a;|b;" },
        { TEXT("data: a\n\rdata: b\r\n\ndata: c\r\r\n"), "|a;|b;|c;" },
        { TEXT("data:a\ndata: b\ndata:  c\n\n"), "|a\\nb\\n c;" },
        { TEXT("data\n\n"), "|;" },
        { TEXT("data:\ndata\n\n"), "|\\n;" },
        { TEXT("event: ping\n\ndata: a\n\n"), "|a;" },
        { TEXT("event: x\ndata: a\n\ndata: b\n\n"), "x|a;|b;" },
        { TEXT("event: x\nevent: yy\ndata: a\n\n"), "yy|a;" },
        { TEXT(": comment\n\n:\ndata: a\n: data: no\n\n"), "|a;" },
        { TEXT("id: 7\nretry: 10\nfoo\ndata: a\nDATA: b\n data: c\n\n"), "|a;" },
        { TEXT("\xEF\xBB\xBF"
               "data: a\n\n"),
          "|a;" },
        { TEXT("\xEF\xBB\xBF\n\xEF\xBB\xBF"
               "data: a\n\ndata: b\n\n"),
          "|b;" },
        { TEXT("\n\n\ndata: a\n\n\n\n"), "|a;" },
        { TEXT("data: a\n\ndata: b\n"), "|a;|b;" },
        { TEXT("data: a\n\ndata: b"), "|a;|b;" },
        { TEXT("data: a\ndata: b"), "|a\\nb;" },
        { TEXT("event: x"), "" },
        { TEXT("data: sp\xC3\xA4t \xF0\x9F\xA6\x8A\n\n"), "|sp\xC3\xA4t \xF0\x9F\xA6\x8A;" },
        { TEXT("data: a\n\ndata: stop\n\ndata: b\n\n"), "|a;|stop;ERR_CONFLICT" },
        { TEXT("data: stop"), "|stop;ERR_CONFLICT" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        trial_pieces(rows[i].bytes, rows[i].seen, read_events, NULL);
    }
}

struct place {
    const char *begin, *end;
    unsigned inside, copied;
};

static enum err on_place(void *context, struct text name, struct text data) {
    (void)name;
    struct place *place = context;
    bool inside = data.ptr >= place->begin && data.ptr + data.len <= place->end;
    *(inside ? &place->inside : &place->copied) += 1;
    return OK;
}

static void whole_events_are_handed_on_where_they_lie(void **state) {
    (void)state;
    static const char bytes[] = "data: one\n\n: ping\n\nevent: x\ndata: two\r\n\r\ndata: th";
    static const char more[] = "ree\n\ndata: four\n\n";
    struct place place = { .begin = bytes, .end = bytes + sizeof(bytes) };
    struct event_reader reader;
    event_reader_init(&reader, on_place, &place);
    assert_int_equal(event_reader_feed(&reader, text_of(bytes)), OK);
    assert_int_equal(place.inside, 2);
    place.begin = more;
    place.end = more + sizeof(more);
    assert_int_equal(event_reader_feed(&reader, text_of(more)), OK);
    assert_int_equal(place.inside, 3);
    assert_int_equal(place.copied, 1);
    event_reader_fini(&reader);
}

static enum err on_length(void *context, struct text name, struct text data) {
    (void)name;
    *(size_t *)context += data.len;
    return OK;
}

/* S3: the same bound, however the bytes come. */
static void an_event_has_a_bound(void **state) {
    (void)state;
    static const size_t steps[] = { SIZE_MAX, 65536, (size_t)1 << 20 };
    static const struct {
        const char *line;
        size_t letters, lines;
        enum err err;
    } rows[] = {
        { "data: ", CHAT_CHUNK_MAX - 6, 1, OK },          { "data: ", CHAT_CHUNK_MAX - 5, 1, ERR_TOO_LONG },
        { ": ", CHAT_CHUNK_MAX, 1, ERR_TOO_LONG },        { "data:", CHAT_CHUNK_MAX / 4 - 1, 4, OK },
        { "data:", CHAT_CHUNK_MAX / 4, 4, ERR_TOO_LONG }, { "event:", CHAT_CHUNK_MAX, 1, ERR_TOO_LONG },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows) * ARRAY_SIZE(steps); i++) {
        const size_t step = steps[i % ARRAY_SIZE(steps)], row = i / ARRAY_SIZE(steps);
        struct buffer scoped(buffer_fini) bytes;
        buffer_init(&bytes, 3 * CHAT_CHUNK_MAX);
        for (size_t line = 0; line < rows[row].lines; line++) {
            buffer_put(&bytes, text_of(rows[row].line));
            assert_true(buffer_reserve(&bytes, rows[row].letters));
            memset(bytes.data + bytes.len, 'x', rows[row].letters);
            bytes.len += rows[row].letters;
            buffer_put(&bytes, TEXT("\n"));
        }
        buffer_put(&bytes, TEXT("\n"));
        size_t length = 0;
        struct event_reader reader;
        event_reader_init(&reader, on_length, &length);
        enum err err = OK;
        for (size_t at = 0; at < bytes.len && err == OK; at += step < bytes.len ? step : bytes.len) {
            size_t left = bytes.len - at;
            err = event_reader_feed(&reader, (struct text){ bytes.data + at, left < step ? left : step });
        }
        assert_int_equal(err, rows[row].err);
        assert_int_equal(length, err == OK ? rows[row].letters * rows[row].lines + rows[row].lines - 1 : 0);
        event_reader_fini(&reader);
    }
}

/* ---- lines ---- */

static enum err on_line(void *context, struct text line) {
    buffer_put(context, line);
    buffer_put(context, TEXT(";"));
    return text_equal(line, TEXT("stop")) ? ERR_CONFLICT : OK;
}

static void read_lines(const struct text *pieces, size_t count, struct buffer *seen, void *context) {
    (void)context;
    struct line_reader reader;
    line_reader_init(&reader, on_line, seen);
    enum err err = OK;
    for (size_t i = 0; i < count && err == OK; i++) {
        err = line_reader_feed(&reader, pieces[i]);
    }
    if (err == OK) {
        err = line_reader_finish(&reader);
    }
    buffer_put(seen, err == OK ? TEXT("") : text_of(err_info(err)->name));
    line_reader_fini(&reader);
}

static void lines_are_read_however_they_are_cut(void **state) {
    (void)state;
    static const struct {
        struct text bytes;
        const char *seen;
    } rows[] = {
        { TEXT(""), "" },
        { TEXT("{\"a\":1}\n{\"b\":2}\n"), "{\"a\":1};{\"b\":2};" },
        { TEXT("{\"a\":1}\r\n\r\n\n{\"b\":2}"), "{\"a\":1};{\"b\":2};" },
        { TEXT(" \n\t{}  \n"), "{};" },
        { TEXT("sp\xC3\xA4t\n"), "sp\xC3\xA4t;" },
        { TEXT("a\nstop\nb\n"), "a;stop;ERR_CONFLICT" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        trial_pieces(rows[i].bytes, rows[i].seen, read_lines, NULL);
    }
}

static void a_line_has_a_bound(void **state) {
    (void)state;
    char *bytes = mem_new(CHAT_CHUNK_MAX + 2);
    memset(bytes, 'x', CHAT_CHUNK_MAX + 1);
    bytes[CHAT_CHUNK_MAX + 1] = '\n';
    struct buffer scoped(buffer_fini) seen;
    buffer_init(&seen, 2 * CHAT_CHUNK_MAX);
    for (int round = 0; round < 2; round++) {
        const struct text all = { bytes, CHAT_CHUNK_MAX + 2 };
        const struct text pieces[] = { { bytes, 100 }, { bytes + 100, all.len - 100 } };
        buffer_clear(&seen);
        read_lines(round ? pieces : &all, round ? 2 : 1, &seen, NULL);
        assert_string_equal(buffer_text(&seen).ptr, "ERR_TOO_LONG");
        const struct text fits = { bytes + 1, all.len - 1 };
        buffer_clear(&seen);
        read_lines(&fits, 1, &seen, NULL);
        assert_int_equal(seen.len, CHAT_CHUNK_MAX + 1);
    }
    free(bytes);
}

int test_lines(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_read_however_they_are_cut),
        cmocka_unit_test(whole_events_are_handed_on_where_they_lie),
        cmocka_unit_test(an_event_has_a_bound),
        cmocka_unit_test(lines_are_read_however_they_are_cut),
        cmocka_unit_test(a_line_has_a_bound),
    };
    return cmocka_run_group_tests_name("lines", tests, NULL, NULL);
}
