/* Columns into the fields of rows. */
#include "store/inside.h"

void store_column_string(const struct cursor *cursor, int column, char *ret, size_t size) {
    struct text text = text_clip(column_text(cursor, column), size - 1);
    memcpy(ret, text.ptr, text.len);
    ret[text.len] = '\0';
}
