/* Edit distance over short names. */
#include "script/nearest.h"

#include <stddef.h>

#include "base/compiler.h"

/* Edit distance, given up above 2: letters added, dropped, changed or swapped. */
static unsigned distance(const char *a, const char *b, unsigned limit) {
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    if (*a == '\0' && *b == '\0') {
        return 0;
    }
    if (limit == 0) {
        return 1;
    }
    unsigned best = limit;
    unsigned tries[4] = { limit, limit, limit, limit };
    if (*a != '\0' && *b != '\0') {
        tries[0] = distance(a + 1, b + 1, limit - 1);
    }
    if (*a != '\0') {
        tries[1] = distance(a + 1, b, limit - 1);
    }
    if (*b != '\0') {
        tries[2] = distance(a, b + 1, limit - 1);
    }
    if (*a != '\0' && *b != '\0' && a[1] == *b && *a == b[1]) {
        tries[3] = distance(a + 2, b + 2, limit - 1);
    }
    for (size_t i = 0; i < ARRAY_SIZE(tries); i++) {
        best = tries[i] < best ? tries[i] : best;
    }
    return 1 + best;
}

const char *nearest_name(const char *name, const char *const *names) {
    const char *nearest = NULL;
    unsigned least = 3;
    for (; *names != NULL; names++) {
        unsigned now = distance(name, *names, 2);
        if (now < least && now * 2 <= strlen(*names)) {
            least = now;
            nearest = *names;
        }
    }
    return nearest;
}
