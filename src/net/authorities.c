#include "net/authorities.h"

#include <stdlib.h>

const char *authorities_file(void) {
    const char *file = getenv("SSL_CERT_FILE");
    return file != NULL && file[0] != '\0' ? file : NULL;
}
