/* Names and times as operators write them. */
#include "admin/name.h"

#include "store/rows.h"

bool admin_name_valid(struct text name) {
    if (name.len == 0 || name.len >= NAME_SIZE || !text_is_utf8(name))
        return false;
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.ptr[i] <= ' ' || name.ptr[i] == 0x7f)
            return false;
    return true;
}

bool admin_parse_duration(struct text word, int64_t *ret_ms) {
    static const struct {
        char unit;
        int64_t ms;
    } UNITS[] = { { 's', 1000 }, { 'm', 60000 }, { 'h', 3600000 }, { 'd', 86400000 } };
    int64_t count;
    if (word.len < 2 || !text_to_i64((struct text){ word.ptr, word.len - 1 }, &count) || count < 0 || count > 100000)
        return false;
    for (unsigned i = 0; i < ARRAY_SIZE(UNITS); i++)
        if (UNITS[i].unit == word.ptr[word.len - 1]) {
            *ret_ms = count * UNITS[i].ms;
            return true;
        }
    return false;
}
