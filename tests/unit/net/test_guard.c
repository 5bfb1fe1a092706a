/* The guard's decisions (S1): refused and allowed addresses, their edges, URLs, exempt pairs. */
#include "tests.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "base/buffer.h"
#include "net/guard.h"
#include "urls.h"

static const char *const public_addresses[] = {
    "1.0.0.0", "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "93.184.216.34", "100.63.255.255", "100.128.0.0",
    "126.255.255.255", "128.0.0.0", "168.63.129.15", "168.63.129.17", "169.253.255.255", "169.255.0.0",
    "172.15.255.255", "172.32.0.0", "191.255.255.255", "192.0.1.0", "192.0.3.0", "192.88.98.255", "192.88.100.0",
    "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "198.51.99.255", "198.51.101.0",
    "203.0.112.255", "203.0.114.0", "223.255.255.255",
    "2000::1", "2001:200::1", "2001:4860:4860::8888", "2001:db7:ffff::1", "2001:db9::1", "2003::1",
    "2400:cb00:2048:1::c629:d7a2", "2606:4700:4700::1111", "2620:fe::fe", "2a00:1450:4001:81b::200e", "3ffe::1",
    "3fff:1000::1", "3fff:ffff::1", "::ffff:8.8.8.8", "::ffff:93.184.216.34", "64:ff9b::8.8.8.8",
    "64:ff9b::5db8:d822", "2002:808:808::1", "2002:5db8:d822::1", "2001:0:808:808::f7f7:f7f7",
    "2606:4700::5efe:8.8.8.8",
};

static void public_addresses_are_allowed(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(public_addresses); i++) {
        struct sockaddr_in v4 = { .sin_family = AF_INET };
        struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
        const struct sockaddr *address = (const struct sockaddr *)&v4;
        if (inet_pton(AF_INET, public_addresses[i], &v4.sin_addr) != 1) {
            assert_int_equal(inet_pton(AF_INET6, public_addresses[i], &v6.sin6_addr), 1);
            address = (const struct sockaddr *)&v6;
        }
        if (!guard_address_allowed(address) || !guard_address_text_allowed(public_addresses[i])) {
            fail_msg("%s is refused", public_addresses[i]);
        }
    }
}

static void other_families_and_words_are_refused(void **state) {
    (void)state;
    static const char *const words[] = { "", "localhost", "127.1", "8.8.8", "8.8.8.8 ", "8.8.8.8/8", "::g", "[::1]",
        "2606:4700::1%eth0" };
    struct sockaddr_un local = { .sun_family = AF_UNIX };
    struct sockaddr none = { .sa_family = AF_UNSPEC };
    assert_false(guard_address_allowed((const struct sockaddr *)&local));
    assert_false(guard_address_allowed(&none));
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        assert_false(guard_address_text_allowed(words[i]));
    }
}

/* Every /16 of IPv4 against the list of ranges written down a second time, as whole words. */
static void the_sweep_of_ipv4_agrees_with_the_registry(void **state) {
    (void)state;
    static const struct {
        uint32_t first, last;
    } special[] = {
        { 0x00000000, 0x00ffffff }, { 0x0a000000, 0x0affffff }, { 0x64400000, 0x647fffff }, { 0x7f000000, 0x7fffffff },
        { 0xa83f8110, 0xa83f8110 }, { 0xa9fe0000, 0xa9feffff }, { 0xac100000, 0xac1fffff }, { 0xc0000000, 0xc00000ff },
        { 0xc0000200, 0xc00002ff }, { 0xc0586300, 0xc05863ff }, { 0xc0a80000, 0xc0a8ffff }, { 0xc6120000, 0xc613ffff },
        { 0xc6336400, 0xc63364ff }, { 0xcb007100, 0xcb0071ff }, { 0xe0000000, 0xffffffff },
    };
    for (uint64_t address = 0; address <= UINT32_MAX; address += 0x3fff) {
        struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl((uint32_t)address) };
        bool refused = false;
        for (size_t i = 0; i < ARRAY_SIZE(special); i++) {
            refused = refused || (address >= special[i].first && address <= special[i].last);
        }
        if (guard_address_allowed((struct sockaddr *)&v4) == refused) {
            fail_msg("%08x", (unsigned)address);
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(special); i++) {
        struct sockaddr_in first = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(special[i].first) };
        struct sockaddr_in last = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(special[i].last) };
        assert_false(guard_address_allowed((struct sockaddr *)&first));
        assert_false(guard_address_allowed((struct sockaddr *)&last));
    }
}

static const char *written(const struct listed_url *listed) {
    return listed->url.ptr;
}

/* A URL's spelling is undone by curl's parser, so what is local is known before anything is resolved. */
static void the_list_is_judged(void **state) {
    (void)state;
    size_t count, found[URL_VERDICT_COUNT] = { 0 };
    const struct listed_url *listed = listed_urls(&count);
    static const enum err wanted[] = { ERR_BLOCKED_ADDRESS, ERR_INVALID_URL, OK, OK };
    for (size_t i = 0; i < count; i++) {
        struct guard_url url = { .port = 12345 };
        struct fault fault = { 0 };
        enum err err = guard_check_url(listed[i].url, NULL, &url, &fault);
        if (err != wanted[listed[i].verdict] || (err != OK && (fault.message[0] == '\0' || url.port != 12345))) {
            fail_msg("'%s' gives %s", written(&listed[i]), err_info(err)->name);
        }
        found[listed[i].verdict]++;
    }
    assert_true(found[URL_INSIDE] >= 200 && found[URL_MALFORMED] >= 100 && found[URL_PUBLIC] >= 30);
}

static void urls_are_read(void **state) {
    (void)state;
    static const struct {
        const char *url, *host;
        unsigned port;
        bool https;
    } cases[] = {
        { "http://example.com", "example.com", 80, false },
        { "https://example.com", "example.com", 443, true },
        { "HTTPS://Example.COM/", "Example.COM", 443, true },
        { "http://example.com:8080/a/b?c=d#e", "example.com", 8080, false },
        { "https://example.com?x", "example.com", 443, true },
        { "https://example.com./", "example.com.", 443, true },
        { "https://sub.domain.example.com:65535/", "sub.domain.example.com", 65535, true },
        { "http://8.8.8.8/", "8.8.8.8", 80, false },
        { "http://134744072/", "8.8.8.8", 80, false },
        { "http://0x08080808/", "8.8.8.8", 80, false },
        { "http://%3134744072/", "8.8.8.8", 80, false },
        { "http://%38.8.%38.8:81/", "8.8.8.8", 81, false },
        { "http://[2606:4700:4700::1111]:444/", "[2606:4700:4700::1111]", 444, false },
        { "http://example.com/a@b:c", "example.com", 80, false },
        { "http://example.com/%20%00", "example.com", 80, false },
        { "http://example.com/b\xc3\xbc" "cher?b\xc3\xbc", "example.com", 80, false },
        { "http://xn--bcher-kva.example/", "xn--bcher-kva.example", 80, false },
        { "http://a_b.example/", "a_b.example", 80, false },
        { "http://localhost.example.com/", "localhost.example.com", 80, false },
        { "http://notlocalhost/", "notlocalhost", 80, false },
        { "http://127.0.0.1.example.com/", "127.0.0.1.example.com", 80, false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct guard_url url;
        struct fault fault = { 0 };
        if (guard_check_url(text_of(cases[i].url), NULL, &url, &fault) != OK) {
            fail_msg("%s: %s", cases[i].url, fault.message);
        }
        assert_string_equal(url.host, cases[i].host);
        assert_int_equal(url.port, cases[i].port);
        assert_int_equal(url.https, cases[i].https);
    }
}

static void the_length_has_a_bound(void **state) {
    (void)state;
    char url[GUARD_URL_MAX + 2];
    struct guard_url parsed;
    memset(url, 'a', sizeof url);
    memcpy(url, "http://example.com/", 19);
    assert_int_equal(guard_check_url((struct text){ url, GUARD_URL_MAX }, NULL, &parsed, NULL), OK);
    assert_int_equal(guard_check_url((struct text){ url, GUARD_URL_MAX + 1 }, NULL, &parsed, NULL), ERR_TOO_LONG);
    memset(url, 'h', 600);
    memcpy(url, "http://", 7);
    memcpy(url + 600, "/", 2);
    assert_int_equal(guard_check_url(text_of(url), NULL, &parsed, NULL), ERR_INVALID_URL);
}

static void exempt_pairs_match_host_and_port(void **state) {
    (void)state;
    static const char *const pairs[] = { "localhost:8080", "127.0.0.1:9000", "[::1]:9001", "files.internal:443",
                                         "padded:08080" };
    const struct guard_allow allow = { pairs, ARRAY_SIZE(pairs) };
    static const struct {
        const char *url;
        bool exempt;
    } cases[] = {
        { "http://localhost:8080/x", true },      { "http://LOCALHOST:8080/x", true },
        { "https://localhost:8080/", true },      { "http://localhost:8081/", false },
        { "http://localhost/", false },           { "http://127.0.0.1:9000/", true },
        { "http://127.1:9000/", true },           { "http://127.0.0.1:8080/", false },
        { "http://127.0.0.1:900/", false },       { "http://127.0.0.1:90000/", false },
        { "http://[::1]:9001/", true },           { "http://[::1]:9000/", false },
        { "https://files.internal/", true },      { "http://files.internal/", false },
        { "http://files.internal:443/", true },   { "http://x.files.internal:443/", false },
        { "http://localhost.:8080/", false },     { "http://x.localhost:8080/", false },
        { "http://local:8080/", false },          { "http://localhosts:8080/", false },
        { "http://padded:8080/", true },          { "http://padded:80/", false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct guard_url url;
        bool parsed = guard_parse_url(text_of(cases[i].url), &url, NULL) == OK;
        if ((parsed && guard_allow_has(&allow, &url)) != cases[i].exempt) {
            fail_msg("%s", cases[i].url);
        }
    }
    struct guard_url url;
    assert_int_equal(guard_check_url(TEXT("http://127.0.0.1:9000/"), &allow, &url, NULL), OK);
    assert_int_equal(guard_check_url(TEXT("http://127.0.0.1:9002/"), &allow, &url, NULL), ERR_BLOCKED_ADDRESS);
    assert_int_equal(guard_check_url(TEXT("http://user@127.0.0.1:9000/"), &allow, &url, NULL), ERR_INVALID_URL);
}

/* A memo makes it quicker, and nothing else: every URL after every other one. */
static void a_memo_changes_nothing(void **state) {
    (void)state;
    static const char *const urls[] = {
        "http://a.example", "http://a.example/", "http://a.example/x?y#z", "http://a.example?x", "http://a.example#x",
        "http://a.example@evil.example/", "http://a.example:80@evil.example/", "http://a.example:80/x",
        "http://a.example:8080/x", "http://a.example:80", "http://a.example.evil.example/", "http://a.examplex/",
        "http://a.example\\@evil.example/", "http://a.example/ x", "http://a.example/\x01", "HTTP://A.example/",
        "https://a.example/", "https://a.example:443/@b", "http://[2001:db8::1]/", "http://[2001:db8::1]:81/",
        "http://0x7f.1/", "http://127.0.0.1/", "http://", "http:///x", "http://?x", "ftp://a.example/", "",
    };
    for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
        for (size_t j = 0; j < ARRAY_SIZE(urls); j++) {
            struct guard_memo memo = { .start_len = 0 };
            struct guard_url first = { .port = 0 }, plain = { .port = 0 }, by_memo = { .port = 0 };
            (void)!guard_parse_url_by(&memo, text_of(urls[i]), &first, NULL);
            enum err err = guard_parse_url(text_of(urls[j]), &plain, NULL);
            if (guard_parse_url_by(&memo, text_of(urls[j]), &by_memo, NULL) != err) {
                fail_msg("%s after %s", urls[j], urls[i]);
            }
            assert_string_equal(by_memo.host, plain.host);
            assert_int_equal(by_memo.port, plain.port);
            assert_int_equal(by_memo.https, plain.https);
        }
    }
    char large[GUARD_URL_MAX + 2] = "http://a.example/";
    struct guard_memo memo = { .start_len = 0 };
    struct guard_url url;
    assert_int_equal(guard_parse_url_by(&memo, text_of(large), &url, NULL), OK);
    memset(large + strlen(large), 'x', sizeof(large) - 1 - strlen(large));
    assert_int_equal(guard_parse_url_by(&memo, text_of(large), &url, NULL), ERR_TOO_LONG);
}

int run_guard_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(public_addresses_are_allowed),
        cmocka_unit_test(other_families_and_words_are_refused),
        cmocka_unit_test(the_sweep_of_ipv4_agrees_with_the_registry),
        cmocka_unit_test(the_list_is_judged),
        cmocka_unit_test(urls_are_read),
        cmocka_unit_test(the_length_has_a_bound),
        cmocka_unit_test(exempt_pairs_match_host_and_port),
        cmocka_unit_test(a_memo_changes_nothing),
    };
    return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}
