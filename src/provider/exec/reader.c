/* What a local command says on its standard output: a few words, everything else is noise that must do no harm. */
#include "provider/exec/reader.h"

#include <jansson.h>

#include "base/json.h"
#include "base/text.h"

#define RESULT_DEPTH_MAX 64

void exec_tail_add(struct exec_tail *tail, const char *bytes, size_t count) {
    if (count >= EXEC_TAIL_SIZE) {
        bytes += count - EXEC_TAIL_SIZE;
        count = EXEC_TAIL_SIZE;
    }
    size_t kept = tail->len < EXEC_TAIL_SIZE - count ? tail->len : EXEC_TAIL_SIZE - count;
    memmove(tail->bytes, tail->bytes + tail->len - kept, kept);
    memcpy(tail->bytes + kept, bytes, count);
    tail->len = kept + count;
}

void exec_reader_init(struct exec_reader *reader) {
    *reader = (struct exec_reader){ .progress = -1 };
    buffer_init(&reader->line, EXEC_LINE_MAX);
}

void exec_reader_fini(struct exec_reader *reader) {
    if (reader) {
        buffer_fini(&reader->line);
        json_decref(reader->result);
        reader->result = NULL;
    }
}

/* ---- lines ---- */

/* Words from a program are shown to people: one line of valid UTF-8, no control characters. */
static void put_words(char *ret, size_t size, struct text words) {
    size_t used = 0;
    words = text_trim(words);
    while (words.len > 0) {
        size_t length = text_utf8_length(words);
        bool plain = length > 1 || (length == 1 && (unsigned char)words.ptr[0] >= ' ' && words.ptr[0] != 0x7f);
        size_t taken = length > 0 ? length : 1;
        size_t put = plain ? length : 1;
        if (used + put >= size) {
            break;
        }
        memcpy(ret + used, plain ? words.ptr : "?", put);
        used += put;
        words.ptr += taken;
        words.len -= taken;
    }
    ret[used] = '\0';
}

static void take_progress(struct exec_reader *reader, struct text value) {
    int64_t percent;
    struct text whole = text_cut(&value, '.'); /* "12.5" is 12 */
    if (!text_to_i64(whole, &percent)) {
        return;
    }
    percent = percent < 0 ? 0 : percent > 100 ? 100 : percent;
    if (percent > reader->progress) {
        reader->progress = (int)percent;
    }
}

static void take_result(struct exec_reader *reader, struct text value) {
    struct fault fault = { 0 };
    reader->results++;
    if (reader->results > 1) {
        return;
    }
    json_t *result = NULL;
    if (json_read_object(value, RESULT_DEPTH_MAX, &result, &fault) != OK) {
        put_words(reader->result_fault, sizeof(reader->result_fault), text_of(fault.message));
        return;
    }
    reader->result = result;
}

static void take_error(struct exec_reader *reader, struct text value) {
    if (reader->error != TASK_ERROR_NONE) {
        return;
    }
    struct text code = text_cut(&value, ' ');
    if (!task_error_parse(code, &reader->error)) {
        reader->error = TASK_ERROR_GENERATION_FAILED; /* an error it was, whatever its name */
        exec_tail_add(&reader->tail, code.ptr, code.len);
        exec_tail_add(&reader->tail, ": unknown error code\n", 21);
    }
    put_words(reader->message, sizeof(reader->message), value);
}

static const struct {
    struct text word;
    void (*take)(struct exec_reader *reader, struct text value);
} line_kinds[] = {
    { { "progress ", 9 }, take_progress },
    { { "result ", 7 }, take_result },
    { { "error ", 6 }, take_error },
};

static void take_too_long_line(struct exec_reader *reader) {
    if (!text_starts(buffer_text(&reader->line), TEXT("result "))) {
        return;
    }
    reader->results++;
    snprintf(reader->result_fault, sizeof(reader->result_fault), "the line is longer than %zu bytes", EXEC_LINE_MAX);
}

static void take_line(struct exec_reader *reader) {
    struct text line = buffer_text(&reader->line);
    if (reader->line_too_long) {
        take_too_long_line(reader);
        return;
    }
    if (text_ends(line, TEXT("\r"))) {
        line.len--;
    }
    for (size_t i = 0; i < ARRAY_SIZE(line_kinds); i++) {
        if (text_starts(line, line_kinds[i].word)) {
            line.ptr += line_kinds[i].word.len;
            line.len -= line_kinds[i].word.len;
            line_kinds[i].take(reader, line);
            return;
        }
    }
    exec_tail_add(&reader->tail, line.ptr, line.len);
    exec_tail_add(&reader->tail, "\n", 1);
}

static void end_line(struct exec_reader *reader) {
    take_line(reader);
    buffer_clear(&reader->line);
    reader->line_too_long = false;
}

static void add_to_line(struct exec_reader *reader, struct text part) {
    size_t room = EXEC_LINE_MAX - reader->line.len;
    if (part.len > room) {
        reader->line_too_long = true;
        part.len = room;
    }
    buffer_put(&reader->line, part);
    if (!buffer_ok(&reader->line)) {
        reader->line_too_long = true; /* out of memory: the rest is dropped as well */
    }
}

bool exec_reader_feed(struct exec_reader *reader, const char *bytes, size_t count) {
    int before = reader->progress;
    struct text rest = { bytes, count };
    while (rest.len > 0) {
        size_t at = text_find(rest, '\n');
        add_to_line(reader, (struct text){ rest.ptr, at });
        if (at == rest.len) {
            break;
        }
        end_line(reader);
        rest.ptr += at + 1;
        rest.len -= at + 1;
    }
    return reader->progress > before;
}

void exec_reader_end(struct exec_reader *reader) {
    if (reader->line.len > 0) {
        end_line(reader);
    }
}
