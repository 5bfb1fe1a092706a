/* Whose word is taken for the name of a TLS server, here and by the command line. */
#pragma once

/* The file that SSL_CERT_FILE names, as curl(1) and OpenSSL take it: PEM, trusted in place of the system's. NULL: the system's are
 * meant. The environment's; any thread. */
const char *authorities_file(void);
