/* The address guard (S1): which URLs and addresses from outside may be asked for.
 *
 * A name says nothing about where it leads, so the decision is taken twice: on the URL, early and cheaply, and on the
 * address actually connected to, by the one who connects (net/fetch). Pure, any thread. */
#pragma once

#include <stdbool.h>

#include "base/errors.h"
#include "base/text.h"

struct sockaddr;

/* Whether a connection to that address may be made for somebody outside: a public unicast address, IPv4 or IPv6.
 * Private, loopback, link-local, carrier, multicast, reserved, documentation, benchmark and metadata addresses are not,
 * nor an IPv6 address that carries such an IPv4 address in it. Any other family is not. */
bool guard_address_allowed(const struct sockaddr *address);
/* The same for an address in text ("192.0.2.1", "2001:db8::1", no brackets); what is no address is not allowed. */
bool guard_address_text_allowed(const char *address);

#define GUARD_URL_MAX 2048
#define GUARD_HOST_SIZE 256
struct guard_url {
    bool https;
    unsigned port; /* the scheme's when the URL names none */
    char host[GUARD_HOST_SIZE]; /* as written, numbers in their usual form; an IPv6 address in brackets */
};

/* Reads a URL: http or https, a host in ASCII (international names as xn--), no user, no spaces or control characters,
 * at most GUARD_URL_MAX bytes. Else ERR_INVALID_URL (ERR_TOO_LONG), *ret untouched. */
enum err guard_parse_url(struct text url, struct guard_url *ret, struct fault *fault) must_check;

/* Up to the end of its host and port, the URL that was read last with this memo. Zero remembers none. */
struct guard_memo {
    char start[GUARD_HOST_SIZE + 16];
    size_t start_len;
    struct guard_url url;
};
/* guard_parse_url, which is quicker for a URL that begins as the last one did. One thread at a time a memo. */
enum err guard_parse_url_by(struct guard_memo *memo, struct text url, struct guard_url *ret, struct fault *fault)
    must_check;

/* Scheme, host and port are the same. */
bool guard_same_origin(const struct guard_url *a, const struct guard_url *b);

/* "host:port" pairs that are exempt: matched on the URL, never on what a name leads to; the port as a number. */
struct guard_allow {
    const char *const *pairs;
    unsigned count;
};
bool guard_allow_has(const struct guard_allow *allow, const struct guard_url *url);

/* The early check, for a URL in a request: guard_parse_url, and ERR_BLOCKED_ADDRESS for a host that is plainly local:
 * an address that is not allowed, or localhost. Names are resolved by nobody here. */
enum err guard_check_url(struct text url, const struct guard_allow *allow, struct guard_url *ret, struct fault *fault)
    must_check;
