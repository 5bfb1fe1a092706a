/* Where a redirect leads, and what of the request goes along. */
#include <curl/curl.h>
#include <stdlib.h>

#include "base/memory.h"
#include "net/fetch_inside.h"

static void free_parts(CURLU **parts) {
    curl_url_cleanup(*parts);
}

static void free_part(char **part) {
    curl_free(*part);
}

/* Where the redirect leads, freed by the caller; NULL when that is no URL. */
static char *redirect_target(const struct fetch *fetch) {
    CURLU *parts scoped(free_parts) = curl_url();
    char *location scoped(mem_free_pointer) = text_dup(hop_header(fetch, "location"));
    char *target scoped(free_part) = NULL;
    if (parts == NULL || curl_url_set(parts, CURLUPART_URL, fetch->url, 0) != CURLUE_OK ||
        curl_url_set(parts, CURLUPART_URL, location, CURLU_URLENCODE | CURLU_DISALLOW_USER) != CURLUE_OK ||
        curl_url_get(parts, CURLUPART_URL, &target, 0) != CURLUE_OK) {
        return NULL;
    }
    return mem_string(target);
}

/* A redirect answers a POST by "look there" (a GET follows), except 307 and 308: "ask there". */
static void become_get(struct fetch *fetch, int status) {
    bool changes = status == 303 ? strcmp(fetch->method, "HEAD") != 0
                                 : (status == 301 || status == 302) && strcmp(fetch->method, "POST") == 0;
    if (changes) {
        free(fetch->method);
        free(fetch->body);
        fetch->method = mem_string("GET");
        fetch->body = NULL;
    }
}

enum err redirect_take(struct fetch *fetch, const char **ret_reason) {
    char *target scoped(mem_free_pointer) = redirect_target(fetch);
    struct guard_url origin;
    if (fetch->redirects >= fetch->request.redirects_max) {
        fetch->hopeless = true;
        *ret_reason = "too many redirects";
        return ERR_FETCH;
    }
    if (target == NULL || guard_parse_url(text_of(target), &origin, NULL) != OK) {
        *ret_reason = "a redirect leads to a URL that is not allowed";
        return ERR_BLOCKED_ADDRESS;
    }
    become_get(fetch, hop_status(fetch));
    if (!guard_same_origin(&origin, &fetch->origin)) {
        if (fetch->body != NULL) {
            fetch->hopeless = true;
            *ret_reason = "a redirect would carry the request's body to another host";
            return ERR_FETCH;
        }
        fetch_go_abroad(fetch);
    }
    fetch->redirects++;
    fetch->origin = origin;
    free(fetch->url);
    fetch->url = target;
    target = NULL;
    return OK;
}
