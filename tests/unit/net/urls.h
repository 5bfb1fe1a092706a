/* The list of URLs from outside, tests/attack/urls.txt. */
#pragma once

#include "base/text.h"

enum url_verdict { URL_INSIDE, URL_MALFORMED, URL_LEADS_INSIDE, URL_PUBLIC, URL_VERDICT_COUNT };

struct listed_url {
    enum url_verdict verdict;
    struct text url;       /* ends with a NUL, and may hold others */
    const char *addresses; /* URL_LEADS_INSIDE: what its name leads to, with spaces between; else NULL */
};

/* All of them, read at the first call; fails the test when the list cannot be read. Theirs until the program ends. */
const struct listed_url *listed_urls(size_t *ret_count);
