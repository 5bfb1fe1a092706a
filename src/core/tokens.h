/* What a language model has read and written, in its own tokens. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct token_usage {
    int64_t input;  /* all that it read, the cached ones included */
    int64_t output; /* all that it wrote, its reasoning included */
    int64_t cached; /* of the input: read from the service's cache */
    int64_t reasoning; /* of the output; told, not priced */
    bool estimated; /* the service did not say, so it was counted here */
};
