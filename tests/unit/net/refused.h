/* URLs that must never be fetched for somebody outside; shared by the tests of the guard and of the client. */
#pragma once

#include <stddef.h>

extern const char *const refused_urls[];   /* lead to an address that is not public */
extern const size_t refused_url_count;
extern const char *const malformed_urls[]; /* are no URLs that we take */
extern const size_t malformed_url_count;
