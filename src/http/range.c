/* Reads "bytes=first-last", "bytes=first-" and "bytes=-suffix". */
#include "http/range.h"

/* Digits alone; numbers too large for 64 bits are simply very far away. */
static bool parse_number(struct text t, int64_t *ret) {
    int64_t number = 0;
    if (t.len == 0)
        return false;
    for (size_t i = 0; i < t.len; i++) {
        if (t.ptr[i] < '0' || t.ptr[i] > '9')
            return false;
        number = number > INT64_MAX / 10 - 1 ? INT64_MAX / 10 : number * 10 + (t.ptr[i] - '0');
    }
    *ret = number;
    return true;
}

static enum range_answer suffix_range(struct text suffix, int64_t size, int64_t *ret_first, int64_t *ret_last) {
    int64_t length;
    if (!parse_number(suffix, &length))
        return RANGE_WHOLE;
    if (length == 0 || size == 0)
        return RANGE_UNSATISFIABLE;
    *ret_first = length < size ? size - length : 0;
    *ret_last = size - 1;
    return RANGE_PART;
}

enum range_answer range_parse(struct text header, int64_t size, int64_t *ret_first, int64_t *ret_last) {
    struct text rest = text_trim(header);
    struct text unit = text_cut(&rest, '=');
    int64_t first, last = INT64_MAX;

    if (!text_equal_nocase(text_trim(unit), TEXT("bytes")) || text_find(rest, '-') == rest.len)
        return RANGE_WHOLE;
    struct text start = text_trim(text_cut(&rest, '-')), end = text_trim(rest);
    if (start.len == 0)
        return suffix_range(end, size, ret_first, ret_last);
    if (!parse_number(start, &first) || (end.len > 0 && !parse_number(end, &last)) || last < first)
        return RANGE_WHOLE;
    if (first >= size)
        return RANGE_UNSATISFIABLE;
    *ret_first = first;
    *ret_last = last < size ? last : size - 1;
    return RANGE_PART;
}
