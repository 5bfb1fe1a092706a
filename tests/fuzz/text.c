/* Small texts with a form: ids, keys, dates, numbers, durations, file names, cells. What is taken is written the same way
 * again; what is made harmless stays as it is when it is made so once more.
 *
 *   the text */
#include "base/text.h"

#include <stdlib.h>

#include "base/crypto.h"
#include "base/csv.h"
#include "base/date.h"
#include "base/id.h"
#include "blob/file_name.h"
#include "chat/dialect/retry_delay.h"
#include "core/api_key.h"
#include "fuzz.h"

void fuzz_begin(void) {
}

void fuzz_seeds(void) {
    static const char *const seeds[] = {
        "task-unified-1764000000-abcd1234", "task-llm-1764000000-zzzzzzzz", "file-1764000000-abc123",
        "sk-live-0123456789012345678901234567890123456789012", "2026-02-28", "9999-12-31", "1970-01-01",
        "-9223372036854775808", "9223372036854775807", "6m30s", "1.5s", "250ms", "=HYPERLINK(\"x\")", "a,\"b\"\r\n",
        "../../a\\b.txt", " .hidden. ", "a\xe2\x80\xae" "gpj.exe", "\xc3\xa9\xf0\x9f\x98\x80", "\xed\xa0\x80",
        "aGVsbG8=", "-_-_", "00ff", NULL,
    };
    fuzz_seed_list("text", seeds);
}

static void ids(struct text t) {
    struct task_id task;
    struct file_id file;
    enum api_key_kind kind = API_KEY_LIVE;
    char prefix[API_KEY_PREFIX_SIZE], key[API_KEY_SIZE];
    if (task_id_parse(t, &task)) {
        fuzz_hold(text_equal(task_id_text(&task), t));
    }
    if (file_id_parse(t, &file)) {
        fuzz_hold(text_equal(file_id_text(&file), t) && file_id_created_s(&file) >= 0);
    }
    if (api_key_parse(t, &kind)) {
        fuzz_hold(t.len < sizeof(key));
        memcpy(key, t.ptr, t.len);
        key[t.len] = '\0';
        api_key_prefix(key, prefix);
        fuzz_hold(text_starts(t, text_of(prefix)) && strlen(prefix) < t.len / 2);
    }
}

static void numbers(struct text t) {
    int64_t number = 77, day = 77, again = 78;
    char written[32], date[DATE_SIZE];
    if (text_to_i64(t, &number)) {
        snprintf(written, sizeof(written), "%lld", (long long)number);
        fuzz_hold(text_to_i64(text_of(written), &again) && again == number);
    } else {
        fuzz_hold(number == 77);
    }
    if (date_parse(t, &day)) {
        date_format(day, date);
        fuzz_hold(text_equal(text_of(date), t), "%s", date);
    } else {
        fuzz_hold(day == 77);
    }
    int64_t duration_ms = chat_duration_ms(t);
    fuzz_hold(duration_ms >= 0 && duration_ms <= 86400000);
}

static void utf8(struct text t) {
    size_t at = 0, count = 0;
    while (at < t.len) {
        size_t length = text_utf8_length((struct text){ t.ptr + at, t.len - at });
        fuzz_hold(length <= 4 && at + length <= t.len);
        if (length == 0) {
            break;
        }
        at += length;
        count++;
    }
    fuzz_hold(text_is_utf8(t) == (at == t.len));
    fuzz_hold(at < t.len || text_characters(t) == count);
    for (size_t max = 0; max <= t.len && max < 16; max++) {
        struct text clip = text_clip(t, max);
        fuzz_hold(clip.len <= max && (at < t.len || (text_is_utf8(clip) && clip.len + 3 >= max)));
    }
}

static void names(struct text t) {
    char name[FILE_NAME_SIZE], again[FILE_NAME_SIZE];
    file_name_clean(t, name);
    fuzz_hold(text_is_utf8(text_of(name)) && strpbrk(name, "/\\") == NULL && name[0] != '.');
    for (const char *c = name; *c != '\0'; c++) {
        fuzz_hold((unsigned char)*c >= ' ' && *c != 127);
    }
    file_name_clean(text_of(name), again);
    fuzz_hold(strcmp(name, again) == 0, "\"%s\" and \"%s\"", name, again);
}

/* One cell: no formula, and its quotes are even in number, so that it ends where it should. */
static void cells(struct text t) {
    struct buffer buf;
    size_t quotes = 0;
    buffer_init(&buf, 1 << 20);
    csv_put_text(&buf, t);
    fuzz_hold(buffer_ok(&buf));
    struct text cell = buffer_text(&buf);
    for (size_t i = 0; i < cell.len; i++) {
        quotes += cell.ptr[i] == '"';
    }
    fuzz_hold(quotes % 2 == 0);
    size_t first = cell.len > 0 && cell.ptr[0] == '"';
    fuzz_hold(cell.len <= first || cell.ptr[first] == '\0' || strchr("=+-@\t\r", cell.ptr[first]) == NULL);
    bool breaks = memchr(t.ptr, ',', t.len) != NULL || memchr(t.ptr, '\n', t.len) != NULL;
    fuzz_hold(!breaks || first == 1);
    buffer_fini(&buf);
}

static void encodings(struct text t) {
    uint8_t bytes[8192], again[8192];
    char encoded[3 * sizeof(bytes)];
    size_t len = 0, again_len = 0;
    if (t.len > 4096) {
        return;
    }
    if (base64_decode(t, bytes, sizeof(bytes), &len)) {
        fuzz_hold(len <= base64_decoded_max(t.len));
        base64_encode(bytes, len, encoded);
        fuzz_hold(strlen(encoded) + 1 == base64_encoded_size(len));
        fuzz_hold(base64_decode(text_of(encoded), again, sizeof(again), &again_len) && again_len == len &&
                  memcmp(bytes, again, len) == 0);
    }
    if (t.len % 2 == 0 && hex_decode(t, bytes, t.len / 2)) {
        hex_encode(bytes, t.len / 2, encoded);
        fuzz_hold(text_equal_nocase(text_of(encoded), t));
    }
}

void fuzz_one(struct text input) {
    ids(input);
    numbers(input);
    utf8(input);
    names(input);
    cells(input);
    encodings(input);
}
