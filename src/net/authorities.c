/* Authorities that lie in one file curl reads once a day and multi handle, those of a directory for each connection anew, and
 * where it has both, both: Debian's take 45 ms of the processor each time, in which nobody else is served. */
#include "net/authorities.h"

#include <curl/curl.h>
#include <stdlib.h>

const char *authorities_file(void) {
    const char *file = getenv("SSL_CERT_FILE");
    return file != NULL && file[0] != '\0' ? file : NULL;
}

void authorities_find(struct authorities *ret) {
    ret->file = authorities_file();
    ret->alone = ret->file != NULL || curl_version_info(CURLVERSION_NOW)->cainfo != NULL;
}

void authorities_set(const struct authorities *authorities, void *easy) {
    if (authorities->file != NULL) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, authorities->file);
        curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO, authorities->file);
    }
    if (authorities->alone) {
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
        curl_easy_setopt(easy, CURLOPT_PROXY_CAPATH, NULL);
    }
}
