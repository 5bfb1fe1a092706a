/* Those that rest lie in a stack: most fetches go where the one before went, and the URL that a handle has is not set anew.
 *
 * TLS sessions would lie in each handle, and die with it; with the session of one before, a connection's handshake costs half as
 * much. */
#include "net/handles.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* Without it there are none to be had, and that is all. */
static void *share_sessions(void) {
    CURLSH *share = curl_share_init();
    if (share != NULL && curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) != CURLSHE_OK) {
        curl_share_cleanup(share);
        share = NULL;
    }
    return share;
}

struct handle *handle_new(struct handles *handles) {
    CURL *easy = curl_easy_init();
    if (easy == NULL) {
        return NULL;
    }
    if (handles->sessions == NULL) {
        handles->sessions = share_sessions();
    }
    curl_easy_setopt(easy, CURLOPT_SHARE, handles->sessions);
    authorities_set(&handles->authorities, easy);
    struct handle *handle = mem_new(sizeof *handle);
    handle->easy = easy;
    return handle;
}

void handle_free(struct handle *handle) {
    if (handle == NULL) {
        return;
    }
    curl_easy_cleanup(handle->easy);
    curl_url_cleanup(handle->parts);
    free(handle->url);
    free(handle);
}

/* Taken apart here: of a text, curl would make another one by its printf, letter by letter, for each request. */
void handle_lead(struct handle *handle, const char *url) {
    if (handle->url != NULL && strcmp(handle->url, url) == 0) {
        return;
    }
    curl_url_cleanup(handle->parts); /* in one that has a URL, another would be read as a reference from there */
    handle->parts = curl_url();
    bool good = handle->parts != NULL &&
        curl_url_set(handle->parts, CURLUPART_URL, url, CURLU_DISALLOW_USER) == CURLUE_OK;
    free(handle->url);
    handle->url = good ? mem_string(url) : NULL;
    curl_easy_setopt(handle->easy, CURLOPT_URL, url);
    curl_easy_setopt(handle->easy, CURLOPT_CURLU, good ? handle->parts : NULL);
}

/* libcurl before 8.1.1 forgets the headers of a handle's last reply when it begins the next request, and still appends to the
 * last of them what comes with white space before any other: whoever answers so would write where nothing is any more. */
void handles_init(struct handles *handles) {
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
    *handles = (struct handles){ .serve_again = info->version_num >= 0x080101 };
    authorities_find(&handles->authorities);
}

void handles_fini(struct handles *handles) {
    handles_drop(handles, 0);
    curl_share_cleanup(handles->sessions);
}

struct handle *handles_take(struct handles *handles) {
    return handles->count > 0 ? handles->resting[--handles->count] : NULL;
}

void handles_lay_by(struct handles *handles, struct handle *handle) {
    if (handles->count < HANDLES_MAX && handles->serve_again) {
        handles->resting[handles->count++] = handle;
    } else {
        handle_free(handle);
    }
}

void handles_drop(struct handles *handles, unsigned left) {
    while (handles->count > left) {
        handle_free(handles->resting[--handles->count]);
    }
}
