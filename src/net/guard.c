/* Decides on addresses by two tables of ranges, and reads URLs with curl's own parser, so that what is checked is what
 * curl will ask for. */
#include "net/guard.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>

#define V4(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

/* IPv4 ranges that are not the public internet; the rest is. */
static const struct v4_range {
    uint32_t prefix;
    unsigned bits;
} v4_refused[] = {
    { V4(0, 0, 0, 0), 8 },         /* this network */
    { V4(10, 0, 0, 0), 8 },        /* private */
    { V4(100, 64, 0, 0), 10 },     /* carrier-grade NAT; a cloud's metadata */
    { V4(127, 0, 0, 0), 8 },       /* loopback */
    { V4(168, 63, 129, 16), 32 },  /* a cloud's host agent on a public address */
    { V4(169, 254, 0, 0), 16 },    /* link-local; metadata */
    { V4(172, 16, 0, 0), 12 },     /* private */
    { V4(192, 0, 0, 0), 24 },      /* protocol assignments; a cloud's metadata */
    { V4(192, 0, 2, 0), 24 },      /* documentation */
    { V4(192, 88, 99, 0), 24 },    /* relays of 6to4, abolished */
    { V4(192, 168, 0, 0), 16 },    /* private */
    { V4(198, 18, 0, 0), 15 },     /* benchmarks */
    { V4(198, 51, 100, 0), 24 },   /* documentation */
    { V4(203, 0, 113, 0), 24 },    /* documentation */
    { V4(224, 0, 0, 0), 4 },       /* multicast */
    { V4(240, 0, 0, 0), 4 },       /* reserved; broadcast */
};

/* What an IPv6 prefix means: refused, allowed, or a wrapping whose IPv4 addresses decide. */
enum v6_verdict { V6_REFUSED, V6_ALLOWED, V6_WRAPS_V4 };

/* The first range that holds the address decides; outside all of them it is refused. */
static const struct v6_range {
    uint8_t prefix[16];
    unsigned bits;
    enum v6_verdict verdict;
    unsigned at;          /* V6_WRAPS_V4: where the IPv4 address stands */
    unsigned inverted_at; /* and a second one, all bits inverted; 0: none */
} v6_ranges[] = {
    { { [10] = 0xff, 0xff }, 96, V6_WRAPS_V4, .at = 12 },                         /* ::ffff:0:0/96, IPv4-mapped */
    { { 0x00, 0x64, 0xff, 0x9b }, 96, V6_WRAPS_V4, .at = 12 },                    /* 64:ff9b::/96, NAT64 */
    { { 0x20, 0x01, 0x00, 0x00 }, 32, V6_WRAPS_V4, .at = 4, .inverted_at = 12 },  /* 2001::/32, Teredo */
    { { 0x20, 0x01, 0x00 }, 23, V6_REFUSED },                                     /* 2001::/23, protocols */
    { { 0x20, 0x01, 0x0d, 0xb8 }, 32, V6_REFUSED },                               /* documentation */
    { { 0x20, 0x02 }, 16, V6_WRAPS_V4, .at = 2 },                                 /* 6to4 */
    { { 0x3f, 0xff }, 20, V6_REFUSED },                                           /* documentation */
    { { 0x20 }, 3, V6_ALLOWED },                                                  /* 2000::/3, global unicast */
};

static bool v4_allowed(uint32_t address) {
    for (size_t i = 0; i < ARRAY_SIZE(v4_refused); i++) {
        if ((address ^ v4_refused[i].prefix) >> (32 - v4_refused[i].bits) == 0) {
            return false;
        }
    }
    return true;
}

static uint32_t v4_within(const uint8_t *bytes) {
    return V4(bytes[0], bytes[1], bytes[2], bytes[3]);
}

static bool v6_in_range(const uint8_t address[16], const struct v6_range *range) {
    unsigned whole = range->bits / 8, rest = range->bits % 8;
    if (memcmp(address, range->prefix, whole) != 0) {
        return false;
    }
    return rest == 0 || (address[whole] ^ range->prefix[whole]) >> (8 - rest) == 0;
}

/* The interface part of an ISATAP address, under any prefix, is 0:5efe (or 200:5efe) and an IPv4 address. */
static bool is_isatap(const uint8_t address[16]) {
    return (address[8] & ~0x02) == 0 && address[9] == 0 && address[10] == 0x5e && address[11] == 0xfe;
}

static bool v6_allowed(const uint8_t address[16]) {
    if (is_isatap(address) && !v4_allowed(v4_within(address + 12))) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_SIZE(v6_ranges); i++) {
        const struct v6_range *range = &v6_ranges[i];
        if (!v6_in_range(address, range)) {
            continue;
        }
        if (range->verdict != V6_WRAPS_V4) {
            return range->verdict == V6_ALLOWED;
        }
        return v4_allowed(v4_within(address + range->at)) &&
               (range->inverted_at == 0 || v4_allowed(~v4_within(address + range->inverted_at)));
    }
    return false;
}

bool guard_address_allowed(const struct sockaddr *address) {
    if (address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof v4);
        return v4_allowed(ntohl(v4.sin_addr.s_addr));
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, address, sizeof v6);
        return v6_allowed(v6.sin6_addr.s6_addr);
    }
    return false;
}

bool guard_address_text_allowed(const char *address) {
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, address, &v4) == 1) {
        return v4_allowed(ntohl(v4.s_addr));
    }
    return inet_pton(AF_INET6, address, &v6) == 1 && v6_allowed(v6.s6_addr);
}

static void free_parts(CURLU **parts) {
    curl_url_cleanup(*parts);
}

static void free_part(char **part) {
    curl_free(*part);
}

/* curl forgives white space, backslashes and missing slashes, which others who read the URL understand otherwise. */
static bool is_plainly_written(struct text url) {
    struct text rest = url;
    struct text scheme = text_cut(&rest, ':');
    for (size_t i = 0; i < url.len; i++) {
        unsigned char c = (unsigned char)url.ptr[i];
        if (c <= ' ' || c == 0x7f || c == '\\') {
            return false;
        }
    }
    return (text_equal_nocase(scheme, TEXT("http")) || text_equal_nocase(scheme, TEXT("https"))) &&
           text_starts(rest, TEXT("//")) && !text_starts(rest, TEXT("///"));
}

/* What other characters become depends on the machine's locale and on who resolves, and a percent sign that was encoded would
 * be decoded once more by whoever reads the URL that is made of the host; so there are none. */
static bool is_host(struct text t) {
    for (size_t i = 0; i < t.len; i++) {
        unsigned char c = (unsigned char)t.ptr[i];
        if (c <= ' ' || c >= 0x7f || c == '%') {
            return false;
        }
    }
    return t.len > 0 && t.len < GUARD_HOST_SIZE;
}

/* As its four numbers, which is what curl makes of every spelling but those that were percent-encoded. */
static void write_number_plainly(char host[GUARD_HOST_SIZE]) {
    struct in_addr v4;
    if (inet_aton(host, &v4) != 0) {
        (void)inet_ntop(AF_INET, &v4, host, GUARD_HOST_SIZE);
    }
}

/* CURLUE_OK with *ret_good, CURLUE_OUT_OF_MEMORY, or whatever it is that a URL of ours does not have. */
static CURLUcode parse_parts(CURLU *parts, struct guard_url *url, bool *ret_good) {
    char *host scoped(free_part) = NULL, *port scoped(free_part) = NULL, *scheme scoped(free_part) = NULL;
    char *zone scoped(free_part) = NULL;
    int64_t number;
    CURLUcode code = curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0);
    if (code == CURLUE_OK) {
        code = curl_url_get(parts, CURLUPART_HOST, &host, 0);
    }
    if (code == CURLUE_OK) {
        code = curl_url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
    }
    CURLUcode zoned = code == CURLUE_OK ? curl_url_get(parts, CURLUPART_ZONEID, &zone, 0) : code;
    *ret_good = code == CURLUE_OK && zoned != CURLUE_OK && is_host(text_of(host)) &&
                text_to_i64(text_of(port), &number) && number >= 1 && number <= 65535;
    if (*ret_good) {
        url->https = strcmp(scheme, "https") == 0;
        url->port = (unsigned)number;
        memcpy(url->host, host, strlen(host) + 1);
        write_number_plainly(url->host);
    }
    return zoned == CURLUE_OUT_OF_MEMORY ? zoned : code;
}

enum err guard_parse_url(struct text url, struct guard_url *ret, struct fault *fault) {
    if (url.len > GUARD_URL_MAX) {
        return fault_set(fault, ERR_TOO_LONG, "The URL must have at most %d characters.", GUARD_URL_MAX);
    }
    if (!is_plainly_written(url)) {
        return fault_set(fault, ERR_INVALID_URL,
            "The URL must begin with http:// or https:// and contain no spaces, backslashes or control characters.");
    }
    struct guard_url parsed = { 0 };
    char *terminated = text_dup(url);
    CURLU *parts scoped(free_parts) = curl_url();
    CURLUcode code = parts == NULL ? CURLUE_OUT_OF_MEMORY
                                   : curl_url_set(parts, CURLUPART_URL, terminated, CURLU_DISALLOW_USER);
    free(terminated);
    if (code == CURLUE_USER_NOT_ALLOWED) {
        return fault_set(fault, ERR_INVALID_URL, "The URL must not contain a user name or password.");
    }
    bool good = false;
    if (code == CURLUE_OK) {
        code = parse_parts(parts, &parsed, &good);
    }
    if (code == CURLUE_OUT_OF_MEMORY) {
        return fault_set(fault, ERR_NO_MEMORY, "There is no memory to read the URL; try again.");
    }
    if (!good) {
        return fault_set(fault, ERR_INVALID_URL, "The URL is not valid: %s.",
            code != CURLUE_OK ? curl_url_strerror(code) : "bad host (other scripts are written xn--) or port");
    }
    *ret = parsed;
    return OK;
}

/* Where scheme, host and port end, in a URL that was read: only these three end them, and no host is empty. */
static size_t start_length(struct text url) {
    size_t at = strlen("https://");
    while (at < url.len && url.ptr[at] != '/' && url.ptr[at] != '?' && url.ptr[at] != '#') {
        at++;
    }
    return at < url.len ? at : url.len;
}

static bool is_remembered(const struct guard_memo *memo, struct text url) {
    struct text start = { memo->start, memo->start_len };
    return start.len > 0 && url.len <= GUARD_URL_MAX && text_starts(url, start) && start_length(url) == start.len &&
           is_plainly_written(url);
}

enum err guard_parse_url_by(struct guard_memo *memo, struct text url, struct guard_url *ret, struct fault *fault) {
    if (is_remembered(memo, url)) {
        *ret = memo->url;
        return OK;
    }
    enum err err = guard_parse_url(url, ret, fault);
    size_t length = err == OK ? start_length(url) : 0;
    if (err == OK && length <= sizeof memo->start) {
        memcpy(memo->start, url.ptr, length);
        memo->start_len = length;
        memo->url = *ret;
    }
    return err;
}

bool guard_same_origin(const struct guard_url *a, const struct guard_url *b) {
    return a->https == b->https && a->port == b->port && text_equal_nocase(text_of(a->host), text_of(b->host));
}

bool guard_allow_has(const struct guard_allow *allow, const struct guard_url *url) {
    struct text host = text_of(url->host);
    for (unsigned i = 0; allow != NULL && i < allow->count; i++) {
        struct text pair = text_of(allow->pairs[i]);
        int64_t port;
        if (pair.len <= host.len || pair.ptr[host.len] != ':' ||
            !text_equal_nocase((struct text){ pair.ptr, host.len }, host)) {
            continue;
        }
        struct text digits = { pair.ptr + host.len + 1, pair.len - host.len - 1 };
        if (text_to_i64(digits, &port) && port == url->port) {
            return true;
        }
    }
    return false;
}

/* The host without brackets and without the dot that ends a full name. */
static void bare_host(const char *host, char ret[GUARD_HOST_SIZE]) {
    struct text bare = text_of(host);
    if (text_starts(bare, TEXT("[")) && text_ends(bare, TEXT("]"))) {
        bare = (struct text){ bare.ptr + 1, bare.len - 2 };
    }
    if (text_ends(bare, TEXT("."))) {
        bare.len--;
    }
    snprintf(ret, GUARD_HOST_SIZE, "%.*s", TEXT_ARG(bare));
}

static bool is_localhost(struct text name) {
    static const struct text suffix = TEXT(".localhost");
    if (name.len > suffix.len) {
        return text_equal_nocase((struct text){ name.ptr + name.len - suffix.len, suffix.len }, suffix);
    }
    return text_equal_nocase(name, TEXT("localhost"));
}

/* With a dot behind it, which is gone here, a number may still be spelled in any way. */
static bool is_inner_address(const char *host) {
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_aton(host, &v4) != 0) {
        return !v4_allowed(ntohl(v4.s_addr));
    }
    return inet_pton(AF_INET6, host, &v6) == 1 && !v6_allowed(v6.s6_addr);
}

enum err guard_check_url(struct text url, const struct guard_allow *allow, struct guard_url *ret, struct fault *fault) {
    struct guard_url parsed;
    enum err err = guard_parse_url(url, &parsed, fault);
    if (err != OK) {
        return err;
    }
    if (!guard_allow_has(allow, &parsed)) {
        char host[GUARD_HOST_SIZE];
        bare_host(parsed.host, host);
        if (is_localhost(text_of(host)) || is_inner_address(host)) {
            return fault_set(fault, ERR_BLOCKED_ADDRESS, "The URL must lead to a public address.");
        }
    }
    *ret = parsed;
    return OK;
}
