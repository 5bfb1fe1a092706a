/* Forms taken apart: well-formed ones however they are split, malformed ones, and the bounds. */
#include "http/multipart.h"

#include <stdlib.h>

#include "base/buffer.h"
#include "tests.h"

#define BOUNDARY "--x-7e"
#define TYPE "multipart/form-data; boundary=" BOUNDARY
#define HEAD "Content-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\n"

/* What was told, as text: "<name|file name>content;" */
struct heard {
    struct buffer words;
    enum err refuse; /* what `begin` says; OK */
};

static enum err begin(void *context, const struct multipart_part *part, struct fault *fault) {
    struct heard *heard = context;
    buffer_printf(&heard->words, "<%.*s|%.*s>", TEXT_ARG(part->name),
                  part->file_name.ptr != NULL ? (int)part->file_name.len : 4,
                  part->file_name.ptr != NULL ? part->file_name.ptr : "none");
    return heard->refuse == OK ? OK : fault_set(fault, heard->refuse, "refused");
}

static enum err bytes(void *context, struct text piece, struct fault *fault) {
    struct heard *heard = context;
    (void)fault;
    assert_true(piece.len > 0);
    buffer_put(&heard->words, piece);
    return OK;
}

static enum err end(void *context, struct fault *fault) {
    struct heard *heard = context;
    (void)fault;
    buffer_put_char(&heard->words, ';');
    return OK;
}

static const struct multipart_taker taker = { begin, bytes, end };

/* A copy of just so many bytes, so that a read behind them is seen. */
static enum err take_copy(struct multipart *multipart, struct text piece, struct fault *fault) {
    char *copy = malloc(piece.len > 0 ? piece.len : 1);
    memcpy(copy, piece.ptr, piece.len);
    enum err err = multipart_take(multipart, (struct text){ copy, piece.len }, fault);
    free(copy);
    return err;
}

/* In pieces of `step` bytes, the first of `first`. */
static enum err take_split(struct text body, size_t first, size_t step, struct heard *heard) {
    struct multipart *multipart;
    struct fault fault = { .err = OK };
    enum err err = multipart_new(TEXT(TYPE), 4, &taker, heard, &multipart, &fault);

    assert_int_equal(err, OK);
    buffer_clear(&heard->words);
    for (size_t at = 0, size = first; err == OK && at < body.len; at += size, size = step) {
        if (size > body.len - at)
            size = body.len - at;
        if (size > 0)
            err = take_copy(multipart, (struct text){ body.ptr + at, size }, &fault);
    }
    if (err == OK)
        err = multipart_finish(multipart, &fault);
    if (err != OK)
        assert_true(fault.message[0] != '\0');
    multipart_free(multipart);
    return err;
}

static void check(struct text body, const char *expected) {
    struct heard heard = { .refuse = OK };
    buffer_init(&heard.words, 1 << 20);
    for (size_t first = 0; first <= body.len; first++) {
        assert_int_equal(take_split(body, first, body.len, &heard), OK);
        assert_string_equal(heard.words.len > 0 ? heard.words.data : "", expected);
    }
    for (size_t step = 1; step <= 9; step++) {
        assert_int_equal(take_split(body, step, step, &heard), OK);
        assert_string_equal(heard.words.len > 0 ? heard.words.data : "", expected);
    }
    buffer_fini(&heard.words);
}

static void well_formed(void **state) {
    (void)state;
    check(TEXT("--" BOUNDARY "\r\n" HEAD "hello\r\n--" BOUNDARY "--\r\n"), "<file|a.txt>hello;");
    check(TEXT("--" BOUNDARY "\r\n" HEAD "hello\r\n--" BOUNDARY "--"), "<file|a.txt>hello;");
    check(TEXT("--" BOUNDARY "\r\n" HEAD "\r\n--" BOUNDARY "--\r\n"), "<file|a.txt>;");
    check(TEXT("--" BOUNDARY "--\r\n"), "");
    check(TEXT("--" BOUNDARY "\r\ncontent-disposition:form-data;name=a\r\nContent-Type: text/plain\r\nX-Own: y\r\n"
               "Content-Transfer-Encoding: binary\r\n\r\n1\r\n--" BOUNDARY "\r\n" HEAD "2\r\n--" BOUNDARY "--\r\n"),
          "<a|none>1;<file|a.txt>2;");
}

/* What looks like a delimiter for a while. */
static void content_like_delimiters(void **state) {
    (void)state;
    static const char *const contents[] = {
        "\r", "\n", "\r\n", "\r\r\n", "\r\n\r\n", "--" BOUNDARY, "\n--" BOUNDARY, "\r--" BOUNDARY, "\r\n--", "\r\n--\r\n--",
        "\r\n--" "--x-7", "\r\n--" "--x-7\r\n--" "--x-", "\r\n-\r\n--x", "a\r\n--" "--x-7f", "\r\n--" "--X-7e", "\r\n\r",
        "\r\n ------x-7e", "-\r\n-\r\n--\r\n---\r\n----\r\n----x",
    };
    for (size_t i = 0; i < ARRAY_SIZE(contents); i++) {
        char body[512], expected[256];
        int length = snprintf(body, sizeof body, "--" BOUNDARY "\r\n" HEAD "%s\r\n--" BOUNDARY "--\r\n", contents[i]);
        snprintf(expected, sizeof expected, "<file|a.txt>%s;", contents[i]);
        check((struct text){ body, (size_t)length }, expected);
    }
}

static void content_of_every_byte(void **state) {
    (void)state;
    struct heard heard = { .refuse = OK };
    struct buffer body, content;
    buffer_init(&heard.words, 1 << 20);
    buffer_init(&body, 1 << 20);
    buffer_init(&content, 1 << 20);
    for (unsigned i = 0; i < 512; i++)
        buffer_put_char(&content, (char)(i * 7));
    buffer_put(&body, TEXT("--" BOUNDARY "\r\n" HEAD));
    buffer_put(&body, buffer_text(&content));
    buffer_put(&body, TEXT("\r\n--" BOUNDARY "--\r\n"));
    for (size_t step = 1; step < 40; step++) {
        assert_int_equal(take_split(buffer_text(&body), step, step, &heard), OK);
        size_t head = strlen("<file|a.txt>");
        assert_int_equal(heard.words.len, head + content.len + 1);
        assert_memory_equal(heard.words.data + head, content.data, content.len);
    }
    buffer_fini(&heard.words);
    buffer_fini(&body);
    buffer_fini(&content);
}

static void names(void **state) {
    (void)state;
    static const struct {
        const char *disposition, *expected;
    } cases[] = {
        { "form-data; name=\"a\"", "<a|none>;" },
        { "form-data; name=\"a\"; filename=\"\"", "<a|>;" },
        { "Form-Data;NAME=a;FileName=b.png", "<a|b.png>;" },
        { "form-data; name=\"a;b\"; filename=\"x; y.png\"", "<a;b|x; y.png>;" },
        { "form-data; name=\"a\"; filename=\"say %22hi%22.txt\"", "<a|say \"hi\".txt>;" },
        { "form-data; name=\"a\"; filename=\"say \\\"hi\\\".txt\"", "<a|say \"hi\".txt>;" },
        { "form-data; name=\"a\"; filename=\"100%.txt\"", "<a|100%.txt>;" },
        { "form-data; name=\"a\"; filename=\"C:\\dir\\x.png\"", "<a|C:\\dir\\x.png>;" },
        { "form-data; name=\"a\"; filename=\"\xc3\xa9.png\"", "<a|\xc3\xa9.png>;" },
        { "form-data; name=\"a\"; filename*=utf-8''%C3%A9%20b.png", "<a|\xc3\xa9 b.png>;" },
        { "form-data; name=\"a\"; filename=\"e.png\"; filename*=UTF-8'de'%C3%A9.png", "<a|\xc3\xa9.png>;" },
        { "form-data; name=\"a\"; filename*=UTF-8''%C3%A9.png; filename=\"e.png\"", "<a|\xc3\xa9.png>;" },
        { "form-data; name=\"a\" ; other=1", "<a|none>;" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char body[512];
        print_message("%s\n", cases[i].disposition);
        int length = snprintf(body, sizeof body, "--" BOUNDARY "\r\nContent-Disposition: %s\r\n\r\n\r\n--" BOUNDARY "--",
                              cases[i].disposition);
        check((struct text){ body, (size_t)length }, cases[i].expected);
    }
}

static void malformed(void **state) {
    (void)state;
    static const struct text bodies[] = {
        TEXT(""),
        TEXT("--" BOUNDARY),
        TEXT("--" BOUNDARY "-"),
        TEXT("--" BOUNDARY "-x"),
        TEXT("--" BOUNDARY "\r"),
        TEXT("--" BOUNDARY "\rx"),
        TEXT("--" BOUNDARY " \r\n" HEAD "x\r\n--" BOUNDARY "--"),
        TEXT("--" BOUNDARY "\n" HEAD "x\r\n--" BOUNDARY "--"),
        TEXT("preamble\r\n--" BOUNDARY "--"),
        TEXT("\r\n--" BOUNDARY "--"),
        TEXT("--" BOUNDARY "x--"),
        TEXT("--" BOUNDARY "\r\n" HEAD "x"),
        TEXT("--" BOUNDARY "\r\n" HEAD "x\r\n"),
        TEXT("--" BOUNDARY "\r\n" HEAD "x\r\n--" BOUNDARY),
        TEXT("--" BOUNDARY "\r\n" HEAD "x\r\n--" BOUNDARY "--\r\nepilogue"),
        TEXT("--" BOUNDARY "\r\n" HEAD "x\r\n--" BOUNDARY "--\r\n\r\n"),
        TEXT("--" BOUNDARY "\r\n" HEAD "x\r\n--" BOUNDARY "--x"),
        TEXT("--" BOUNDARY "\r\n\r\nno header\r\n--" BOUNDARY "--"),
        TEXT("--" BOUNDARY "\r\nContent-Type: text/plain\r\n\r\nx\r\n--" BOUNDARY "--"),
        TEXT("--" BOUNDARY "\r\nContent-Disposition: attachment; name=\"a\"\r\n\r\nx\r\n--" BOUNDARY "--"),
        TEXT("--" BOUNDARY "\r\nContent-Disposition: form-data\r\n\r\nx\r\n--" BOUNDARY "--"),
        TEXT("--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"\"\r\n\r\nx\r\n--" BOUNDARY "--"),
        TEXT("--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"a\r\n\r\nx\r\n--" BOUNDARY "--"),
        TEXT("--" BOUNDARY "\r\nContent-Disposition: form-data; name=a; name=b\r\n\r\nx\r\n--" BOUNDARY "--"),
        TEXT("--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"a\" b\r\n\r\nx\r\n--" BOUNDARY "--"),
        TEXT("--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"a\xff\"\r\n\r\nx\r\n--" BOUNDARY "--"),
        TEXT("--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"a\0\"\r\n\r\nx\r\n--" BOUNDARY "--"),
        TEXT("--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"a\"; filename*=latin1''x\r\n\r\nx\r\n--" BOUNDARY "--"),
        TEXT("--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"a\"; filename*=utf-8''%4\r\n\r\nx\r\n--" BOUNDARY "--"),
        TEXT("--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"a\"; filename*=utf-8''%00\r\n\r\nx\r\n--" BOUNDARY "--"),
        TEXT("--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"a\"\r\n folded\r\n\r\nx\r\n--" BOUNDARY "--"),
        TEXT("--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"a\"\n\r\nx\r\n--" BOUNDARY "--"),
        TEXT("--" BOUNDARY "\r\nContent-Disposition : form-data; name=\"a\"\r\n\r\nx\r\n--" BOUNDARY "--"),
        TEXT("--" BOUNDARY "\r\nContent-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b\r\n\r\nx"
             "\r\n--" BOUNDARY "--"),
        TEXT("--" BOUNDARY "\r\nContent-Transfer-Encoding: base64\r\n" HEAD "x\r\n--" BOUNDARY "--"),
        TEXT("--" BOUNDARY "\r\nno colon\r\n" HEAD "x\r\n--" BOUNDARY "--"),
    };
    struct heard heard = { .refuse = OK };
    buffer_init(&heard.words, 1 << 20);
    for (size_t i = 0; i < ARRAY_SIZE(bodies); i++)
        for (size_t first = 0; first <= bodies[i].len; first++) {
            enum err err = take_split(bodies[i], first, bodies[i].len, &heard);
            if (err != ERR_INVALID_REQUEST)
                fail_msg("%.*s, split at %zu: %s", TEXT_ARG(bodies[i]), first, err_info(err)->name);
        }
    buffer_fini(&heard.words);
}

/* Every well-formed body that lost its end is refused, wherever it was cut. */
static void cut_short(void **state) {
    (void)state;
    struct text body = TEXT("--" BOUNDARY "\r\n" HEAD "he\r\n--llo\r\n--" BOUNDARY "--");
    struct heard heard = { .refuse = OK };
    buffer_init(&heard.words, 1 << 20);
    for (size_t length = 0; length < body.len; length++)
        assert_int_equal(take_split((struct text){ body.ptr, length }, length, 1, &heard), ERR_INVALID_REQUEST);
    buffer_fini(&heard.words);
}

static void bounds(void **state) {
    (void)state;
    struct heard heard = { .refuse = OK };
    struct buffer body;
    buffer_init(&heard.words, 1 << 20);
    buffer_init(&body, 1 << 20);

    for (int parts = 4; parts <= 5; parts++) { /* take_split allows four */
        buffer_clear(&body);
        for (int i = 0; i < parts; i++)
            buffer_put(&body, TEXT("--" BOUNDARY "\r\n" HEAD "x\r\n"));
        buffer_put(&body, TEXT("--" BOUNDARY "--"));
        assert_int_equal(take_split(buffer_text(&body), 1, 64, &heard), parts == 4 ? OK : ERR_INVALID_REQUEST);
    }
    for (size_t extra = 0; extra <= 1; extra++) { /* one line, many lines, one without an end */
        size_t room = MULTIPART_HEADERS_MAX - strlen(HEAD) - strlen("X: \r\n") + extra;
        buffer_clear(&body);
        buffer_put(&body, TEXT("--" BOUNDARY "\r\nX: "));
        for (size_t i = 0; i < room; i++)
            buffer_put_char(&body, 'x');
        buffer_put(&body, TEXT("\r\n" HEAD "x\r\n--" BOUNDARY "--"));
        assert_int_equal(take_split(buffer_text(&body), 1, 100, &heard), extra == 0 ? OK : ERR_INVALID_REQUEST);
    }
    buffer_clear(&body);
    buffer_put(&body, TEXT("--" BOUNDARY "\r\n"));
    for (size_t i = 0; i < MULTIPART_HEADERS_MAX; i++)
        buffer_put(&body, TEXT("X:\r\n"));
    assert_int_equal(take_split(buffer_text(&body), 1, 100, &heard), ERR_INVALID_REQUEST);

    for (size_t extra = 0; extra <= 1; extra++) {
        buffer_clear(&body);
        buffer_put(&body, TEXT("--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"a\"; filename=\""));
        for (size_t i = 0; i < MULTIPART_FILE_NAME_MAX + extra; i++)
            buffer_put_char(&body, 'x');
        buffer_put(&body, TEXT("\"\r\n\r\nx\r\n--" BOUNDARY "--"));
        assert_int_equal(take_split(buffer_text(&body), 1, 100, &heard), extra == 0 ? OK : ERR_INVALID_REQUEST);
    }
    buffer_fini(&heard.words);
    buffer_fini(&body);
}

static void a_refusal_ends_it(void **state) {
    (void)state;
    struct heard heard = { .refuse = ERR_UNKNOWN_FIELD };
    buffer_init(&heard.words, 1 << 20);
    assert_int_equal(take_split(TEXT("--" BOUNDARY "\r\n" HEAD "x\r\n--" BOUNDARY "--"), 1, 7, &heard),
                     ERR_UNKNOWN_FIELD);
    assert_string_equal(heard.words.data, "<file|a.txt>");
    buffer_fini(&heard.words);
}

static void content_types(void **state) {
    (void)state;
    static const struct {
        struct text type;
        bool well;
    } cases[] = {
        { TEXT("multipart/form-data; boundary=x"), true },
        { TEXT("Multipart/Form-Data;Boundary=\"a b\""), true },
        { TEXT("multipart/form-data; charset=utf-8; boundary=x"), true },
        { TEXT("multipart/form-data; boundary=1234567890123456789012345678901234567890123456789012345678901234567890"),
          true },
        { TEXT("multipart/form-data; boundary=12345678901234567890123456789012345678901234567890123456789012345678901"),
          false },
        { TEXT("multipart/form-data"), false },
        { TEXT("multipart/form-data; boundary="), false },
        { TEXT("multipart/form-data; boundary=\"\""), false },
        { TEXT("multipart/form-data; boundary=\"x"), false },
        { TEXT("multipart/form-data; boundary=\"x \""), false },
        { TEXT("multipart/form-data; boundary=x; boundary=y"), false },
        { TEXT("multipart/form-data; boundary=\"a\xc3\xa9\""), false },
        { TEXT("multipart/form-data boundary=x"), false },
        { TEXT("multipart/form-dataX; boundary=x"), false },
        { TEXT("multipart/mixed; boundary=x"), false },
        { TEXT("application/json"), false },
        { TEXT(""), false },
        { TEXT_NONE, false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct multipart *multipart = NULL;
        struct fault fault = { .err = OK };
        print_message("%.*s\n", TEXT_ARG(cases[i].type));
        enum err err = multipart_new(cases[i].type, 4, &taker, NULL, &multipart, &fault);
        assert_int_equal(err, cases[i].well ? OK : ERR_INVALID_CONTENT_TYPE);
        multipart_free(multipart);
    }
}

int run_multipart_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(well_formed), cmocka_unit_test(content_like_delimiters),
        cmocka_unit_test(content_of_every_byte), cmocka_unit_test(names), cmocka_unit_test(malformed),
        cmocka_unit_test(cut_short), cmocka_unit_test(bounds), cmocka_unit_test(a_refusal_ends_it),
        cmocka_unit_test(content_types),
    };
    return cmocka_run_group_tests_name("multipart", tests, NULL, NULL);
}
