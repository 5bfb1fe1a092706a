/* Files inside texts: data URIs and base64 are taken as files exactly when they can be decoded, within the bound, and what
 * is decoded makes the same file when it is encoded again.
 *
 *   the text */
#include <stdlib.h>

#include "base/crypto.h"
#include "catalog/param.h"
#include "fuzz.h"
#include "net/data_uri.h"

#define BYTES_MAX 4096

void fuzz_begin(void) {
}

void fuzz_seeds(void) {
    static const char *const seeds[] = {
        "data:image/png;base64,iVBORw0KGgo=",
        "DATA:text/plain;charset=utf-8,a%20b%00c",
        "data:,",
        "data:;base64,QQ",
        "data:image/jpeg;name=\"a,b\";BASE64, QUJD RA==\n",
        "data:application/pdf;base64",
        "data:audio/wav;base64,-_-_",
        "data:x,%zz",
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
        "QUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJD",
        NULL,
    };
    fuzz_seed_list("file", seeds);
}

/* What was decoded, as a data URI of our own. */
static void hold_again(const struct data_uri *file) {
    size_t size = base64_encoded_size(file->len);
    static const char prefix[] = "data:x/y;base64,";
    char *uri = calloc(1, sizeof(prefix) + size);
    struct data_uri again;
    struct fault fault;
    memcpy(uri, prefix, sizeof(prefix) - 1);
    base64_encode((const uint8_t *)file->bytes, file->len, uri + sizeof(prefix) - 1);
    fuzz_hold(data_uri_decode(text_of(uri), BYTES_MAX, &again, &fault) == OK, "%s", fault.message);
    fuzz_hold(again.len == file->len && memcmp(again.bytes, file->bytes, file->len) == 0);
    fuzz_hold(text_equal(again.media_type, TEXT("x/y")));
    data_uri_fini(&again);
    free(uri);
}

static void hold_decoded(enum err err, struct data_uri *file, const struct fault *fault) {
    if (err != OK) {
        fuzz_hold_fault(err, fault);
        fuzz_hold(err == ERR_INVALID_URL || err == ERR_FILE_TOO_LARGE);
        fuzz_hold(file->len == 77);
        return;
    }
    fuzz_hold(file->len <= BYTES_MAX && file->bytes[file->len] == '\0');
    hold_again(file);
    data_uri_fini(file);
}

static bool has_white_space(struct text t) {
    for (size_t i = 0; i < t.len; i++) {
        if (t.ptr[i] == ' ' || (t.ptr[i] >= '\t' && t.ptr[i] <= '\r')) {
            return true;
        }
    }
    return false;
}

void fuzz_one(struct text input) {
    struct data_uri file = { .len = 77 };
    struct data_uri_parts parts;
    struct fault fault = { .err = OK };
    const char *why = NULL;

    enum err err = data_uri_decode(input, BYTES_MAX, &file, &fault);
    fuzz_hold(err != OK || data_uri_is(input));
    bool split = data_uri_split(input, &parts);
    fuzz_hold(split || err != OK);
    hold_decoded(err, &file, &fault);

    file = (struct data_uri){ .len = 77 };
    err = base64_decode_bare(input, BYTES_MAX, &file, &fault);
    bool decoded = err == OK || err == ERR_FILE_TOO_LARGE;
    if (media_base64_valid(input)) {
        fuzz_hold(decoded, "%s", fault.message);
    } else {
        fuzz_hold(err != OK || file.len == 0 || has_white_space(input));
    }
    fuzz_hold(!base64_is_bare(input) || decoded || !media_base64_valid(input));
    hold_decoded(err, &file, &fault);

    static const char *const kinds[] = { "image", "video", "audio", "file" };
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        bool valid = media_inline_valid(input, kinds[i], &why);
        fuzz_hold(valid || (why != NULL && why[0] != '\0'));
        fuzz_hold(!valid || base64_is_bare(input) || (split && parts.base64 && media_base64_valid(parts.data)));
    }
}
