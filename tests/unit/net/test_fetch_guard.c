/* S1 on real connections: whatever the spelling and whichever redirect leads there, nothing reaches a forbidden
 * address. */
#include "tests.h"

#include <netdb.h>

#include "client.h"
#include "names.h"
#include "net/guard.h"
#include "urls.h"

static const struct fetch_request outside = { .redirects_max = 5 };
static const struct fetch_request trusted = { .trust = FETCH_TRUSTED, .redirects_max = 5 };

static void not_called(void *context, const struct fetch_result *result) {
    (void)context, (void)result;
    fail();
}

/* Neither by its spelling nor by what its name leads to. */
static void nothing_of_the_list_is_reached(void **state) {
    struct fixture *fixture = *state;
    size_t count;
    const struct listed_url *listed = listed_urls(&count);
    for (size_t i = 0; i < count; i++) {
        struct fetch_request request = outside;
        struct guard_url url;
        struct fault fault;
        if (listed[i].verdict == URL_PUBLIC) { /* nobody of the internet is asked for a test */
            continue;
        }
        if (listed[i].verdict == URL_MALFORMED) {
            request.url = listed[i].url;
            request.done = not_called;
            assert_int_equal(fetch_start(fixture->client, &request, NULL, &fault), ERR_INVALID_URL);
            continue;
        }
        if (listed[i].addresses != NULL) {
            assert_int_equal(guard_parse_url(listed[i].url, &url, NULL), OK);
            names_lead(url.host, listed[i].addresses, 0, NULL);
        }
        struct reply *reply = get(fixture, outside, listed[i].url.ptr);
        /* of what ends with a dot some resolvers know nothing */
        const char *url_text = listed[i].url.ptr;
        bool unknown =
            reply->err == ERR_FETCH && (strstr(url_text, "./") != NULL || strstr(url_text, ".:") != NULL);
        if ((reply->err != ERR_BLOCKED_ADDRESS && !unknown) || reply->sent || reply->http_status != 0) {
            fail_msg("%s: %s %s", listed[i].url.ptr, err_info(reply->err)->name, reply->detail);
        }
        free_reply(reply);
        names_forget();
    }
    assert_int_equal(fetch_client_pending(fixture->client), 0);
}

/* A server is really listening there, so a hole would show as a connection. */
static void nothing_arrives_at_a_listening_loopback(void **state) {
    struct fixture *fixture = *state;
    static const char *const hosts[] = { "localhost", "LOCALHOST", "x.localhost", "127.0.0.2", "0.0.0.0",
        "0", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::]", "%6cocalhost" };
    for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
        char url[128];
        snprintf(url, sizeof url, "http://%s:{S}/ok", hosts[i]);
        struct reply *reply = get(fixture, outside, url);
        if (reply->err != ERR_BLOCKED_ADDRESS) {
            fail_msg("%s: %s %s", url, err_info(reply->err)->name, reply->detail);
        }
        free_reply(reply);
    }
    assert_int_equal(server_connections(fixture->server), 0);
}

static void an_exempt_pair_is_reached_by_its_own_name_only(void **state) {
    struct fixture *fixture = *state;
    static const struct {
        const char *url;
        enum err err;
    } cases[] = {
        { "http://127.0.0.1:{S}/ok", OK },
        { "http://127.1:{S}/ok", OK }, /* the same host, in its usual form */
        { "http://2130706433:{S}/ok", OK },
        { "http://localhost:{S}/ok", ERR_BLOCKED_ADDRESS },
        { "http://127.0.0.1:1/ok", ERR_BLOCKED_ADDRESS },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct reply *reply = get(fixture, outside, cases[i].url);
        assert_int_equal(reply->err, cases[i].err);
        free_reply(reply);
    }
    fetch_client_allow(fixture->client, NULL, 0);
    struct reply *reply = get(fixture, outside, "http://127.0.0.1:{S}/ok");
    assert_int_equal(reply->err, ERR_BLOCKED_ADDRESS); /* over the connection that is kept from before, too */
    free_reply(reply);
}

static void a_trusted_request_reaches_private_addresses(void **state) {
    struct fixture *fixture = *state;
    struct reply *reply = get(fixture, trusted, "http://localhost:{S}/ok");
    assert_int_equal(reply->err, OK);
    assert_string_equal(reply->body, "hello");
    free_reply(reply);
}

/* The trusted connection is kept; one from outside must not ride on it. */
static void a_kept_connection_is_judged_again(void **state) {
    struct fixture *fixture = *state;
    struct reply *reply = get(fixture, trusted, "http://localhost:{S}/ok");
    assert_int_equal(reply->err, OK);
    free_reply(reply);
    reply = get(fixture, outside, "http://localhost:{S}/ok");
    assert_int_equal(reply->err, ERR_BLOCKED_ADDRESS);
    assert_false(reply->sent);
    free_reply(reply);
    assert_int_equal(server_requests(fixture->server), 1);
}

static void redirects_are_judged_one_by_one(void **state) {
    struct fixture *fixture = *state;
    static const char *const targets[] = {
        "http://localhost:{O}/ok", "http://127.0.0.1:1/", "http://127.0.0.2:{O}/ok", "http://169.254.169.254/",
        "http://[::1]:{O}/ok", "http://[::ffff:127.0.0.1]:{O}/ok", "http://10.0.0.1/", "//localhost:{O}/ok",
        "//169.254.169.254/", "https://192.168.0.1/", "http://0/", "http://017700000001:1/",
        "file:///etc/passwd", "FILE:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1:{O}/_x",
        "dict://127.0.0.1:{O}/x", "data:text/plain,x", "http://user:secret@127.0.0.1:{O}/ok",
        "http://user@example.com/", "http://127.0.0.1:0/", "http://127.0.0.1:{O}0000/",
        "http://[fe80::1%25lo]:{O}/ok",
    };
    static const int codes[] = { 301, 302, 303, 307, 308 };
    for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
        char url[256];
        snprintf(url, sizeof url, "http://127.0.0.1:{S}/redirect%s/%d?%s", i % 2 ? "-body" : "",
            codes[i % ARRAY_SIZE(codes)], targets[i]);
        struct reply *reply = get(fixture, i % 3 ? outside : trusted, url);
        if (reply->err != ERR_BLOCKED_ADDRESS) {
            fail_msg("%s: %s %s", url, err_info(reply->err)->name, reply->detail);
        }
        free_reply(reply);
    }
    assert_int_equal(server_connections(fixture->other), 0);
}

static void a_second_redirect_is_judged_too(void **state) {
    struct fixture *fixture = *state;
    struct reply *reply = get(fixture, outside,
        "http://127.0.0.1:{S}/redirect/302?http://127.0.0.1:{S}/redirect/302?http://localhost:{O}/ok");
    assert_int_equal(reply->err, ERR_BLOCKED_ADDRESS);
    assert_int_equal(reply->redirects, 2);
    assert_int_equal(server_connections(fixture->other), 0);
    free_reply(reply);
}

/* Names say nothing; what they lead to decides, each time a connection is made. */
static void a_name_that_leads_inside_is_refused(void **state) {
    struct fixture *fixture = *state;
    static const char *const insides[] = {
        "127.0.0.1", "127.8.8.8", "10.0.0.7", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "0.0.0.0", "255.255.255.255", "224.0.0.1", "::1", "::", "fe80::1", "fec0::1", "fd00::1", "::ffff:127.0.0.1",
        "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:7f00:1::1", "2001:0:7f00:1::1", "ff02::1",
        "127.0.0.1 ::1 10.0.0.1",
    };
    for (size_t i = 0; i < ARRAY_SIZE(insides); i++) {
        names_lead("metadata.example", insides[i], 0, NULL);
        struct reply *reply = get(fixture, outside, "http://metadata.example:{S}/ok");
        if (reply->err != ERR_BLOCKED_ADDRESS || reply->sent)
            fail_msg("%s: %s %s", insides[i], err_info(reply->err)->name, reply->detail);
        free_reply(reply);
        reply = get(fixture, outside, "http://127.0.0.1:{S}/redirect/302?http://metadata.example:{S}/ok");
        if (reply->err != ERR_BLOCKED_ADDRESS || reply->redirects != 1)
            fail_msg("%s: %s %s", insides[i], err_info(reply->err)->name, reply->detail);
        free_reply(reply);
    }
    assert_int_equal(server_requests(fixture->server), ARRAY_SIZE(insides)); /* the redirects alone */
    names_forget();
}

/* The name leads to a public address whenever somebody looks first, and inside when the connection is made. */
static void a_name_that_changes_its_mind_is_refused(void **state) {
    struct fixture *fixture = *state;
    struct addrinfo *looked = NULL;
    struct guard_url url;
    names_lead("rebinding.example", "93.184.216.34", 1, "127.0.0.1");
    assert_int_equal(guard_check_url(TEXT("http://rebinding.example/"), NULL, &url, NULL), OK);
    assert_int_equal(getaddrinfo("rebinding.example", NULL, NULL, &looked), 0);
    assert_true(guard_address_allowed(looked->ai_addr));
    freeaddrinfo(looked);
    struct reply *reply = get(fixture, outside, "http://rebinding.example:{S}/ok");
    assert_int_equal(names_asked("rebinding.example"), 2);
    assert_int_equal(reply->err, ERR_BLOCKED_ADDRESS);
    assert_false(reply->sent);
    free_reply(reply);
    assert_int_equal(server_connections(fixture->server), 0);
    names_forget();
}

/* A trusted request may go there by that name, and keeps the connection; one from outside gets nothing of it. */
static void a_name_that_was_trusted_is_judged_again(void **state) {
    struct fixture *fixture = *state;
    names_lead("beside.example", "127.0.0.1", 0, NULL);
    struct reply *reply = get(fixture, trusted, "http://beside.example:{S}/ok");
    assert_int_equal(reply->err, OK);
    free_reply(reply);
    reply = get(fixture, outside, "http://beside.example:{S}/ok");
    assert_int_equal(reply->err, ERR_BLOCKED_ADDRESS);
    free_reply(reply);
    assert_int_equal(server_requests(fixture->server), 1);
    names_forget();
}

/* The client looks when it is made. */
static int set_up_with_a_proxy(void **state) {
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    return fixture_set_up(state);
}

static int tear_down_the_proxy(void **state) {
    unsetenv("http_proxy");
    return fixture_tear_down(state);
}

static void the_environments_proxy_is_not_for_outside(void **state) {
    struct fixture *fixture = *state;
    struct reply *reply = get(fixture, outside, "http://127.0.0.1:{S}/ok");
    assert_int_equal(reply->err, OK);
    free_reply(reply);
    reply = get(fixture, trusted, "http://127.0.0.1:{S}/redirect/302?http://127.0.0.1:{O}/ok");
    assert_int_equal(reply->err, ERR_FETCH); /* the trusted one did ask the proxy, which is not there */
    assert_false(reply->sent);
    free_reply(reply);
}

int run_fetch_guard_tests(void) {
#define WITH_SERVERS(test) cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        WITH_SERVERS(nothing_of_the_list_is_reached),
        WITH_SERVERS(nothing_arrives_at_a_listening_loopback),
        WITH_SERVERS(an_exempt_pair_is_reached_by_its_own_name_only),
        WITH_SERVERS(a_trusted_request_reaches_private_addresses),
        WITH_SERVERS(a_kept_connection_is_judged_again),
        WITH_SERVERS(redirects_are_judged_one_by_one),
        WITH_SERVERS(a_second_redirect_is_judged_too),
        WITH_SERVERS(a_name_that_leads_inside_is_refused),
        WITH_SERVERS(a_name_that_changes_its_mind_is_refused),
        WITH_SERVERS(a_name_that_was_trusted_is_judged_again),
        cmocka_unit_test_setup_teardown(the_environments_proxy_is_not_for_outside, set_up_with_a_proxy, tear_down_the_proxy),
    };
    return cmocka_run_group_tests_name("fetch_guard", tests, NULL, NULL);
}
