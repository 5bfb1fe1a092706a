/* The address guard (S1): a URL that it takes is the same URL to the library that connects, its host is no local one, and
 * what is an address in whatever spelling is judged as one.
 *
 *   the URL */
#include "net/guard.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <curl/curl.h>
#include <netdb.h>
#include <stdlib.h>

#include "catalog/param.h"
#include "fuzz.h"

void fuzz_begin(void) {
    fuzz_hold(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
}

void fuzz_seeds(void) {
    static const char *const seeds[] = {
        "https://example.com/a?b#c",
        "http://EXAMPLE.com:8080",
        "http://192.0.2.1/",
        "http://8.8.8.8:65535/x",
        "http://127.1/",
        "http://0x7f000001/",
        "http://017700000001/",
        "http://2130706433/",
        "http://[::1]:80/",
        "http://[::ffff:10.0.0.1]/",
        "http://[2001:4860:4860::8888]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[fe80::1%25eth0]/",
        "http://localhost./",
        "http://a.LOCALHOST",
        "http://169.254.169.254/latest/meta-data",
        "http://user:password@example.com/",
        "https:///example.com",
        "http://example.com\\@evil/",
        "http://1.1.1.1 &@2.2.2.2# @3.3.3.3/",
        "http://xn--bcher-kva.example/",
        "http://127.0.0.1.",
        "ftp://example.com/",
        "http://example.com:0/",
        "http://%6c%6fcalhost/",
        NULL,
    };
    fuzz_seed_list("url", seeds);
}

/* The same, or the same number: curl leaves one as it was percent-encoded. */
static bool is_same_host(const char *host, const char *other) {
    struct in_addr one, two;
    return strcmp(host, other) == 0 ||
           (inet_aton(host, &one) != 0 && inet_aton(other, &two) != 0 && one.s_addr == two.s_addr);
}

/* What curl makes of the host, by itself. */
static void hold_same_host(struct text url, const struct guard_url *parsed) {
    char *copy = text_dup(url), *host = NULL, *port = NULL, *scheme = NULL, *user = NULL;
    CURLU *parts = curl_url();
    fuzz_hold(parts != NULL);
    fuzz_hold(curl_url_set(parts, CURLUPART_URL, copy, 0) == CURLUE_OK, "%s", copy);
    fuzz_hold(curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK);
    fuzz_hold(curl_url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK);
    fuzz_hold(curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK);
    fuzz_hold(curl_url_get(parts, CURLUPART_USER, &user, 0) != CURLUE_OK, "a user: %s", copy);
    fuzz_hold(is_same_host(host, parsed->host) && atoi(port) == (int)parsed->port, "%s and %s", host, parsed->host);
    fuzz_hold((strcmp(scheme, "https") == 0) == parsed->https);
    curl_free(scheme);
    curl_free(port);
    curl_free(host);
    curl_url_cleanup(parts);
    free(copy);
}

/* Written again from its parts it is the same. */
static void hold_canonical(const struct guard_url *parsed) {
    char url[GUARD_HOST_SIZE + 32];
    struct guard_url again;
    snprintf(url, sizeof(url), "%s://%s:%u/", parsed->https ? "https" : "http", parsed->host, parsed->port);
    fuzz_hold(guard_parse_url(text_of(url), &again, NULL) == OK, "%s", url);
    fuzz_hold(guard_same_origin(parsed, &again), "%s and %s", parsed->host, again.host);
}

/* The system's own reading of the host as a number, without asking anybody: what it would connect to. */
static void hold_public(const struct guard_url *parsed) {
    struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM }, *found = NULL;
    char host[GUARD_HOST_SIZE];
    struct text bare = text_of(parsed->host);
    if (text_starts(bare, TEXT("["))) {
        bare = (struct text){ bare.ptr + 1, bare.len - 2 };
    }
    snprintf(host, sizeof(host), "%.*s", TEXT_ARG(bare));
    if (getaddrinfo(host, NULL, &hints, &found) != 0) {
        return;
    }
    for (const struct addrinfo *each = found; each != NULL; each = each->ai_next) {
        fuzz_hold(guard_address_allowed(each->ai_addr), "%s is taken", parsed->host);
    }
    freeaddrinfo(found);
}

void fuzz_one(struct text input) {
    struct guard_url parsed = { .port = 77 }, checked = { .port = 77 };
    struct fault fault = { .err = OK };
    const char *why = NULL;

    enum err err = guard_parse_url(input, &parsed, &fault);
    if (err != OK) {
        fuzz_hold_fault(err, &fault);
        fuzz_hold(parsed.port == 77);
    } else {
        fuzz_hold(input.len <= GUARD_URL_MAX);
        fuzz_hold(parsed.port >= 1 && parsed.port <= 65535 && parsed.host[0] != '\0');
        hold_same_host(input, &parsed);
        hold_canonical(&parsed);
    }
    enum err check = guard_check_url(input, NULL, &checked, &fault);
    if (check != OK) {
        fuzz_hold_fault(check, &fault);
        fuzz_hold(err == OK ? check == ERR_BLOCKED_ADDRESS : check == err);
    } else {
        fuzz_hold(err == OK && guard_same_origin(&parsed, &checked));
        hold_public(&checked);
    }
    if (!media_url_valid(input, &why)) {
        fuzz_hold(why != NULL && why[0] != '\0');
    }
}
