/* Headers of requests and of replies: each reader gives what its contract says, and what it takes is of its form.
 *
 *   a letter that says which
 *   the header's value, then, where it is compared with something, another line */
#include "http/header.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "fuzz.h"
#include "http/range.h"
#include "net/retry_after.h"

#define DAY_MS 86400000

void fuzz_begin(void) {
}

void fuzz_seeds(void) {
    static const char *const seeds[] = {
        "c\napplication/json; charset=utf-8",
        "c\napplication/json;charset=\"UTF-8\" ; x=y",
        "c\ntext/plain",
        "e\n\"abc\", W/\"0123456789abcdef\"",
        "e\n*",
        "e\nW/\"0123456789abcdef\"",
        "p\nrespond-async, wait=30; foo=\"bar\", handling=lenient",
        "p\nWAIT = \"10\" , wait=20",
        "h\nlocalhost:8080",
        "h\n[2001:db8::1]:65535",
        "h\nmy_service.internal",
        "h\n192.0.2.1:0",
        "r\nbytes=0-499",
        "r\nbytes=-500",
        "r\nbytes=99999999999999999999-",
        "r\nbytes=1-2,4-5",
        "r\nbytes = 5 - 9",
        "a\n120",
        "a\n1.5",
        "a\nFri, 31 Dec 1999 23:59:59 GMT",
        "a\n 99999999999999999999 ",
        "a\n...",
        "n\nidempotency-key",
        NULL,
    };
    fuzz_seed_list("header", seeds);
}

static void content_type(struct text value) {
    if (content_type_is(value, TEXT("application/json"))) {
        fuzz_hold(value.len >= 16);
        struct text start = text_trim(value);
        start.len = start.len < 16 ? start.len : 16;
        fuzz_hold(text_equal_nocase(start, TEXT("application/json")));
        fuzz_hold(!content_type_is(value, TEXT("application/jso")) && !content_type_is(value, TEXT("application/json2")));
    }
}

/* A tag that a header names is found in the header, and behind others too. */
static void etag(struct text value) {
    static const struct text tag = TEXT("\"0123456789abcdef\"");
    struct buffer list;
    if (!etag_matches(value, tag)) {
        return;
    }
    fuzz_hold(text_equal(text_trim(value), TEXT("*")) || memmem(value.ptr, value.len, tag.ptr, tag.len) != NULL);
    buffer_init(&list, 1 << 20);
    buffer_put(&list, TEXT("W/\"x\", "));
    buffer_put(&list, tag);
    fuzz_hold(etag_matches(buffer_text(&list), tag));
    buffer_fini(&list);
}

static size_t count_of(struct text t, char byte) {
    size_t count = 0;
    for (size_t i = 0; i < t.len; i++) {
        count += t.ptr[i] == byte;
    }
    return count;
}

static void prefer(struct text value) {
    struct text found = TEXT_NONE;
    if (prefer_value(value, TEXT("wait"), &found)) {
        fuzz_hold(found.len == 0 || (found.ptr >= value.ptr && found.ptr + found.len <= value.ptr + value.len));
        fuzz_hold(count_of(value, '"') > 2 || found.len < 2 || found.ptr[0] != '"' || found.ptr[found.len - 1] != '"');
    } else {
        fuzz_hold(found.ptr == NULL);
    }
}

static void host(struct text value) {
    if (!host_is_valid(value)) {
        return;
    }
    fuzz_hold(value.len > 0);
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        fuzz_hold(isalnum(c) || (c != 0 && strchr("._-:[]", c) != NULL), "0x%02x", c);
    }
}

static void range(struct text value) {
    static const int64_t sizes[] = { 0, 1, 2, 500, 1000, INT64_MAX };
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        int64_t first = -1, last = -1;
        enum range_answer answer = range_parse(value, sizes[i], &first, &last);
        if (answer == RANGE_PART) {
            fuzz_hold(0 <= first && first <= last && last < sizes[i], "%lld-%lld of %lld", (long long)first,
                      (long long)last, (long long)sizes[i]);
        } else {
            fuzz_hold(first == -1 && last == -1);
        }
    }
}

static void retry_after(struct text value) {
    static const int64_t now_ms = 946684799000; /* the end of 1999 */
    int64_t wait_ms = retry_after_read_ms(value, now_ms), counted_ms = retry_after_read_ms_header(value);
    fuzz_hold(wait_ms >= 0 && wait_ms <= DAY_MS);
    fuzz_hold(counted_ms >= 0 && counted_ms <= DAY_MS);
    fuzz_hold(wait_ms == retry_after_read_ms(text_trim(value), now_ms));
}

static void name(struct text value) {
    enum http_header header = header_find(value);
    fuzz_hold(header <= HEADER_COUNT);
    if (header < HEADER_COUNT) {
        header_may_repeat(header);
    }
}

void fuzz_one(struct text input) {
    static const struct {
        const char *letter;
        void (*run)(struct text value);
    } readers[] = { { "c", content_type }, { "e", etag }, { "p", prefer }, { "h", host },
                    { "r", range },        { "a", retry_after }, { "n", name } };
    struct text which = fuzz_line(&input);
    char *copy = fuzz_copy(input);
    for (size_t i = 0; i < ARRAY_SIZE(readers); i++) {
        if (text_equal(which, text_of(readers[i].letter))) {
            readers[i].run((struct text){ copy, input.len });
        }
    }
    free(copy);
}
