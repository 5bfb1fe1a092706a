/* Whose word is taken for the name of a TLS server, or of a proxy's, by the server and by the command line. */
#pragma once

#include <stdbool.h>

struct authorities {
    const char *file; /* NULL: curl's own choice */
    bool alone;       /* they are in one file, and curl has its choice of directory besides, which is left out */
};

/* The file that SSL_CERT_FILE names: PEM, trusted in place of the system's. NULL: the system's are meant. The environment's; any
 * thread. */
const char *authorities_file(void);
/* Asks libcurl what it was built with, which it writes down anew each time: not while another thread may ask, too. */
void authorities_find(struct authorities *ret);
/* For all that curl's easy handle asks from then on. */
void authorities_set(const struct authorities *authorities, void *easy);
