/* Those that rest lie in a stack: most fetches go where the one before went, and the URL that a handle has is not set anew. */
#include "net/handles.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct handle *handle_new(void) {
    CURL *easy = curl_easy_init();
    if (easy == NULL) {
        return NULL;
    }
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
    handles->count = 0;
    handles->serve_again = curl_version_info(CURLVERSION_NOW)->version_num >= 0x080101;
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
