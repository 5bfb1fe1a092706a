/* Quotes and apostrophes where they are needed. */
#include "base/csv.h"

#include <string.h>

static bool holds_any(struct text value, const char *bytes) {
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] != '\0' && strchr(bytes, value.ptr[i]) != NULL) {
            return true;
        }
    }
    return false;
}

void csv_put_text(struct buffer *buf, struct text value) {
    bool formula = value.len > 0 && holds_any((struct text){ value.ptr, 1 }, "=+-@\t\r");
    if (!holds_any(value, "\",\r\n")) {
        buffer_put(buf, formula ? TEXT("'") : TEXT(""));
        buffer_put(buf, value);
        return;
    }
    buffer_put(buf, formula ? TEXT("\"'") : TEXT("\""));
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == '"') {
            buffer_put_char(buf, '"');
        }
        buffer_put_char(buf, value.ptr[i]);
    }
    buffer_put_char(buf, '"');
}

void csv_end_record(struct buffer *buf) {
    buffer_put(buf, TEXT("\r\n"));
}
