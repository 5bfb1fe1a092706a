/* The names of failures' scopes. */
#include "core/failure.h"

#include <assert.h>

static const char *const names[SCOPE_COUNT] = {
#define X(name, text) [name] = text,
    FAILURE_SCOPE_TABLE(X)
#undef X
};

const char *failure_scope_name(enum failure_scope scope) {
    assert((unsigned)scope < SCOPE_COUNT);
    return names[scope];
}

bool failure_scope_parse(struct text name, enum failure_scope *ret) {
    for (unsigned i = 0; i < SCOPE_COUNT; i++) {
        if (text_equal(name, text_of(names[i]))) {
            *ret = i;
            return true;
        }
    }
    return false;
}
