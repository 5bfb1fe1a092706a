"""Requests that are none, almost one, too long, too slow: each gets a clear answer, and the server goes on."""
import http.client
import json
import threading
import time

import pytest

from catalogue import IMAGE
from client import Raw, eventually

SLOW_CONFIG = """
simulator = { seconds = 0 }
groups = { default = { price = 1.0, concurrency = 50, requests_per_minute = 0 } }
http = { idle = 2, request = 2 }
"""


@pytest.fixture
def raw(server):
    with Raw(server) as one:
        yield one


@pytest.fixture(autouse=True)
def the_server_goes_on(server):
    yield
    with server.client() as client:
        assert client.get("/healthz").status == 200


def post(key, body=b"{}", extra=""):
    return (f"POST {IMAGE} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"
            f"{extra}Content-Length: {len(body)}\r\n\r\n").encode() + body


# ---- methods ----

@pytest.mark.parametrize("method, path, allow", [
    ("POST", "/v1/tasks/x", "GET, HEAD, OPTIONS"), ("DELETE", "/v1/tasks/x", "GET, HEAD, OPTIONS"),
    ("GET", IMAGE, "POST, OPTIONS"), ("HEAD", IMAGE, "POST, OPTIONS"), ("PUT", "/healthz", "GET, HEAD, OPTIONS"),
    ("PATCH", "/v1/models", "GET, HEAD, OPTIONS"), ("BREW", "/v1/models", "GET, HEAD, OPTIONS"),
    ("get", "/healthz", "GET, HEAD, OPTIONS"), ("TRACE", "/healthz", "GET, HEAD, OPTIONS"),
])
def test_wrong_methods(raw, method, path, allow):
    raw.send(f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n")
    response = raw.response(method)
    assert response.status == 405
    assert response.headers["Allow"] == allow
    if method != "HEAD":
        error = response.error()
        assert (error["type"], error["code"]) == ("invalid_request_error", "method_not_allowed")


def test_options(raw):
    raw.send(f"OPTIONS {IMAGE} HTTP/1.1\r\nHost: x\r\n\r\n")
    response = raw.response()
    assert (response.status, response.headers["Allow"]) == (204, "POST, OPTIONS")


def test_options_of_the_server(raw):
    raw.send("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n")
    response = raw.response()
    assert (response.status, response.headers["Allow"]) == (204, "GET, HEAD, POST, PATCH, DELETE, OPTIONS")


def test_connect_is_refused(raw):
    raw.send("CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n")
    assert raw.response().status == 400


# ---- paths ----

@pytest.mark.parametrize("path", [
    "/", "/v1", "/v1/", "/v1/tasks/", "/v1/tasks//", "//v1/tasks/x", "/v1/tasks/x/y", "/V1/tasks/x", "/v1/./tasks/x",
    "/v1/tasks/../tasks/x", "/v1/tasks/%2e%2e", "/v1/tasks/a%2fb", "/v1/tasks/x/", "/favicon.ico", "/%2e%2e/%2e%2e/etc/passwd",
    "/" + "a/" * 500, "/" + "a" * 7000,
])
def test_unknown_paths_are_404(raw, path):
    raw.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
    response = raw.response()
    assert response.status == 404
    error = response.error()
    assert (error["type"], error["code"]) == ("not_found", "route_not_found")


@pytest.mark.parametrize("path", [
    "/v1/tasks/%", "/v1/tasks/%4", "/v1/tasks/%zz", "/v1/tasks/%00", "/v1/tasks/a%00b", "/v1/tasks/%0d%0aX:1", "/v1/tasks/%7f",
    "/v1/tasks/%ff", "/v1/tasks/%c0%af", "/v1/tasks/%ed%a0%80", "/v1/tasks/\xe9", "/v1/tasks/a b", "/v1/tasks/a\\b", "/v1/tasks/a|b",
    "/v1/tasks/<x>", '/v1/tasks/"', "/v1/tasks/x#y", "/v1/tasks/x\x01", "/v1/tasks/x\x7f", "/healthz?a=%", "/healthz?a=%f",
    "/healthz?%zz=1", "/healthz?a=1&a=2", "/healthz?a=%00", "/healthz?a=%ff", "/healthz?" + "&".join(f"a{i}=1" for i in range(30)),
    "*", "v1/tasks/x", "/healthz\x00x",
])
def test_malformed_targets_are_400(raw, path):
    raw.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
    response = raw.response()
    assert response.status == 400
    assert response.error()["code"] == "invalid_request"


def test_the_absolute_form(raw):
    raw.send("GET http://anything:99/healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert raw.response().status == 200


# ---- lengths ----

def test_a_long_url_is_431(raw):
    raw.send("GET /" + "a" * 7500 + " HTTP/1.1\r\nHost: x\r\n\r\n")
    response = raw.response()
    assert (response.status, response.error()["code"]) == (431, "headers_too_large")


def test_a_header_section_may_have_8_kilobytes(raw):
    """In one header, or as many as browsers send, and more."""
    for count in (1, 38):
        head = "GET /healthz HTTP/1.1\r\nHost: x\r\n" + "X-Header: a\r\n" * (count - 1) + "X: "
        raw.send(head + "a" * (8192 - len(head) - 4) + "\r\n\r\n")
        response = raw.response()
        assert (response.status, response.json()["status"]) == (200, "ok")


def test_cookies_may_have_4_kilobytes(raw):
    """libmicrohttpd has a copy of them."""
    cookies = "; ".join(f"cookie{number}={'v' * 260}" for number in range(15))
    assert len(cookies) > 4000
    raw.send(f"GET /healthz HTTP/1.1\r\nHost: x\r\nCookie: {cookies}\r\n\r\n")
    assert raw.response().status == 200


@pytest.mark.parametrize("section", [
    "X-Header: a\r\n" * 42 + "X: " + "a" * 7600 + "\r\n", "X: a\r\n" * 152, "Cookie: " + "a=b; " * 100 + "c=" + "d" * 2000 + "\r\n",
], ids=("large", "many headers", "many cookies"))
def test_headers_that_leave_no_room_for_an_answer_are_431(raw, section):
    """Before anything is done, or libmicrohttpd would find that out when the answer is there."""
    raw.send("POST /v1/images/generations HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n" + section + "\r\n{}")
    response = raw.response()
    assert (response.status, response.error()["code"]) == (431, "headers_too_large")
    assert raw.closed()


def test_a_large_header_section_is_431(raw):
    raw.send("GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + "a" * 8200 + "\r\n\r\n")
    response = raw.response()
    assert (response.status, response.error()["code"]) == (431, "headers_too_large")
    assert raw.closed()


@pytest.mark.parametrize("request_bytes, statuses", [
    ("GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + "a" * 100000 + "\r\n\r\n", (431,)),
    ("GET /healthz HTTP/1.1\r\nHost: x\r\n" + "X: a\r\n" * 20000 + "\r\n", (431,)),
    ("GET /" + "a" * 100000 + " HTTP/1.1\r\nHost: x\r\n\r\n", (414, 431)),
    ("GET /healthz?" + "a=1&" * 20000 + " HTTP/1.1\r\nHost: x\r\n\r\n", (414, 431)),
    ("GET /healthz HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", (400,)),
    ("GET /healthz HTTP/2.0\r\nHost: x\r\n\r\n", (505,)),
    ("GET /healthz HTTP/0.9\r\nHost: x\r\n\r\n", (400, 505)),
    ("GET /healthz HTTX/1.1\r\nHost: x\r\n\r\n", (400,)),
    ("GET /healthz\r\n\r\n", (400,)),
    (f"POST {IMAGE} HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", (400,)),
    (f"POST {IMAGE} HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", (400,)),
    (f"POST {IMAGE} HTTP/1.1\r\nHost: x\r\nContent-Length: 1e3\r\n\r\n", (400,)),
    (f"POST {IMAGE} HTTP/1.1\r\nHost: x\r\nContent-Length: {'9' * 50}\r\n\r\n", (413,)),
])
def test_what_the_parser_refuses_is_a_clean_4xx(raw, request_bytes, statuses):
    """These are not JSON: libmicrohttpd answers before it hands us anything."""
    raw.send(request_bytes)
    assert raw.response().status in statuses
    assert raw.closed()


@pytest.mark.parametrize("request_bytes", [
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "HELLO\r\n\r\n", "\x01\x02\x03\x04\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
])
def test_another_protocol_is_ended(raw, request_bytes):
    raw.send(request_bytes)
    response = raw.response()
    assert response is None or 400 <= response.status < 600
    assert raw.closed()


# ---- framing ----

@pytest.mark.parametrize("headers", [
    "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n",
    "Content-Length: 2\r\nContent-Length: 3\r\n", "Content-Length: 2\r\nContent-Length: 2\r\n",
    "Transfer-Encoding: gzip\r\n", "Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding: identity\r\n",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
])
def test_doubtful_framing_is_refused_and_closed(raw, test_key, headers):
    raw.send(f"POST {IMAGE} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {test_key}\r\n{headers}\r\n{{}}")
    response = raw.response()
    assert response.status == 400
    assert response.error()["code"] == "invalid_request"
    assert raw.closed()


@pytest.mark.parametrize("host", ["", "Host: a\r\nHost: b\r\n"])
def test_one_host_header_it_must_be(raw, host):
    raw.send(f"GET /healthz HTTP/1.1\r\n{host}\r\n")
    response = raw.response()
    assert response.status == 400
    assert response.error()["code"] == "invalid_request"


@pytest.mark.parametrize("host", [
    "", "[", "..", "-", ":80", "a:b:c", "evil.example:99999", "evil.example:0", "user@evil.example", "a/b", "a b", "a,b", "::1", "1.2.3.456",
])
def test_a_host_that_is_none(raw, host):
    raw.send(f"GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    response = raw.response()
    assert response.status == 400
    assert response.error()["code"] == "invalid_request"
    assert "Host" in response.error()["message"]


@pytest.mark.parametrize("bad", ["a.example:80800", "a.example:", "a.example:8080x", "a.example:8080,b", "-.example:8080", ""])
def test_each_host_of_a_connection_is_looked_at(raw, bad):
    long = ".".join(["x" * 60] * 3)
    for host in ["a.example:8080", "a.example:808", "a.example:8080", long, long + ":1", "a.example:8080", bad]:
        raw.send(f"GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n")
        assert raw.response().status == (400 if host == bad else 200), host


@pytest.mark.parametrize("target, host", [
    ("http://named.example:99/{path}", "named.example:99"), ("HTTP://[::1]/{path}", "[::1]"), ("/{path}", "x:1"),
])
def test_the_targets_authority_takes_the_place_of_host(raw, server, test_key, target, host):
    with server.client(test_key) as client:
        task = client.completed(IMAGE, {"model": "phota-image", "prompt": "x"})
    raw.send(f"GET {target.format(path='v1/tasks/' + task['id'])} HTTP/1.1\r\nHost: x:1\r\nAuthorization: Bearer {test_key}\r\n\r\n")
    response = raw.response()
    assert response.status == 200
    assert f'"http://{host}/v1/artifacts/' in response.body.decode(), response.body


@pytest.mark.parametrize("target", ["http:///healthz", "http://user@x/healthz", "http://x:0/healthz", "http://", "http://[/healthz"])
def test_an_authority_that_is_none(raw, target):
    raw.send(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n")
    assert raw.response().error()["code"] == "invalid_request"


def test_http_1_0_needs_no_host(raw):
    raw.send("GET /healthz HTTP/1.0\r\n\r\n")
    assert raw.response().status == 200
    assert raw.closed()


def test_http_1_0_has_no_chunks(raw, test_key):
    raw.send(f"POST {IMAGE} HTTP/1.0\r\nAuthorization: Bearer {test_key}\r\nContent-Type: application/json\r\n"
             "Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")
    response = raw.response()
    assert response.status == 400
    assert response.error()["code"] == "invalid_request"
    assert raw.closed()


# ---- bodies ----

def test_a_body_over_the_limit_is_refused_before_it_is_read(raw, test_key):
    raw.send(f"POST {IMAGE} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {test_key}\r\nContent-Type: application/json\r\n"
             f"Content-Length: {10 ** 11}\r\n\r\n")
    response = raw.response()
    error = response.error()
    assert (response.status, error["type"], error["code"]) == (413, "request_too_large_error", "request_too_large")
    assert raw.closed()


def test_a_body_over_the_limit_is_refused_before_100_continue(raw, test_key):
    raw.send(f"POST {IMAGE} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {test_key}\r\nExpect: 100-continue\r\n"
             f"Content-Length: {10 ** 11}\r\n\r\n")
    assert raw.response().status == 413
    assert raw.closed()


def test_a_chunked_body_over_the_limit_is_cut_off(make_server):
    one = make_server("limits = { body = 65536 }")
    key = one.key("someone", test=True)
    with Raw(one) as raw:
        raw.send(f"POST {IMAGE} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"
                 "Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(64):
            if not raw.send(b"1000\r\n" + b"x" * 4096 + b"\r\n"):
                break
        response = raw.response()
        assert response.status == 413
        assert response.error()["code"] == "request_too_large"
        assert raw.closed()


def test_expect_100_continue(raw, test_key):
    body = json.dumps({"model": "phota-image", "prompt": "x"}).encode()
    raw.send(post(test_key, body, "Expect: 100-continue\r\n")[:-len(body)])
    assert raw.response().status == 100
    raw.send(body)
    assert raw.response().status == 200


def test_a_chunked_body(raw, test_key):
    body = json.dumps({"model": "phota-image", "prompt": "x"}).encode()
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(body[i:i + 7]), body[i:i + 7]) for i in range(0, len(body), 7)) + b"0\r\n\r\n"
    raw.send(f"POST {IMAGE} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {test_key}\r\nContent-Type: application/json\r\n"
             "Transfer-Encoding: chunked\r\n\r\n".encode() + chunks)
    assert raw.response().status == 200


@pytest.mark.parametrize("chunk", [b"zz\r\nabc", b"-1\r\n", b"\r\n\r\n", b"5\r\nabcdefgh\r\n", b"f" * 30 + b"\r\n"])
def test_malformed_chunks(raw, test_key, chunk):
    raw.send(f"POST {IMAGE} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {test_key}\r\nContent-Type: application/json\r\n"
             "Transfer-Encoding: chunked\r\n\r\n".encode() + chunk)
    assert raw.response().status in (400, 413)
    assert raw.closed()


def test_a_get_with_a_body_is_answered_and_the_connection_kept(raw):
    raw.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhelloGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert raw.response().status == 200
    assert raw.response().status == 200


def test_a_get_with_a_large_body_is_refused(raw):
    raw.send("GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
    assert raw.response().status == 413
    assert raw.closed()


def test_a_body_that_ends_early(raw, test_key):
    raw.send(post(test_key, b'{"model":"phota-image"}')[:-5])
    raw.socket.shutdown(1)
    response = raw.response()
    assert response is None or response.status >= 400


# ---- connections ----

def test_keep_alive(raw, test_key):
    for _ in range(50):
        raw.send(post(test_key))
        assert raw.response().status == 422
    raw.send("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert raw.response().headers["Connection"] == "close"
    assert raw.closed()


def test_pipelining(raw, test_key):
    """Answers come in the order of the requests, also when one waits for its commit."""
    good = post(test_key, json.dumps({"model": "phota-image", "prompt": "x"}).encode())
    get = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    raw.send((good + get + post(test_key)) * 10)
    for _ in range(10):
        assert raw.response().json()["object"] == "image.generation.task"
        assert raw.response().json() == {"status": "ok"}
        assert raw.response().status == 422


def test_an_error_keeps_the_connection(raw):
    for path, status in (("/nowhere", 404), ("/v1/tasks/%", 400), ("/v1/models", 401), ("/healthz", 200)):
        raw.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
        assert raw.response().status == status


def test_a_client_that_leaves_while_its_task_is_made(server, test_key):
    before = None
    with server.client(test_key) as client:
        metrics = client.get("/metrics").body.decode()
        before = int(next(line for line in metrics.splitlines() if line.startswith("fennec_tasks_accepted_total")).split()[1])
    for _ in range(20):
        with Raw(server) as raw:
            raw.send(post(test_key, json.dumps({"model": "phota-image", "prompt": "x"}).encode()))

    def accepted():
        with server.client() as client:
            metrics = client.get("/metrics").body.decode()
            line = next(line for line in metrics.splitlines() if line.startswith("fennec_tasks_accepted_total"))
            return int(line.split()[1]) > before
    assert eventually(accepted)


@pytest.mark.parametrize("given, kept", [
    ("abc", True), ("A.b_c-1", True), ("x" * 64, True), ("x" * 65, False), ("a b", False), ("a/b", False), ("\xe9", False), ("", False),
])
def test_request_ids(anyone, given, kept):
    response = anyone.get("/healthz", {"X-Request-Id": given})
    answered = response.headers["X-Request-Id"]
    assert (answered == given) if kept else answered.startswith("req-")


def test_request_ids_differ(anyone):
    ids = {anyone.get("/healthz").headers["X-Request-Id"] for _ in range(20)}
    assert len(ids) == 20


def test_slow_and_half_open_clients_are_ended(make_server):
    """None of them can hold its place: silent, stuck in the headers, stuck in the body, one byte at a time."""
    one = make_server(SLOW_CONFIG)
    key = one.key("someone", test=True)
    starts = ["", "GET /healthz HT", "GET /healthz HTTP/1.1\r\nHost: x\r\nX: ", post(key, b"{}")[:-1].decode()]
    sockets = [Raw(one) for _ in starts]
    dripping = Raw(one)
    dripping.send("GET /healthz HTTP/1.1\r\nHost: x\r\nX: ")
    ended = threading.Event()

    def drip():
        while dripping.send("x"):
            time.sleep(0.1)  # the pace of a slow client
        ended.set()

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    for raw, start in zip(sockets, starts):
        raw.send(start)
    for raw in sockets:
        assert raw.closed()
        raw.__exit__()
    assert ended.wait(60)
    dripping.__exit__()

    def alone():
        """On a connection of its own, which ends as the others do when the machine is slow."""
        try:
            with one.client() as client:
                return "\nfennec_http_connections 1\n" in client.get("/metrics").body.decode()
        except (OSError, http.client.HTTPException):
            return False
    eventually(alone)


def test_more_connections_than_allowed(make_server):
    one = make_server("http = { connections = 4 }")
    with one.client() as client:
        client.get("/healthz")
        # The client asked for the description as well, on a connection that takes a place until the server sees its end.
        eventually(lambda: "\nfennec_http_connections 1\n" in client.get("/metrics").body.decode())
        held = [Raw(one) for _ in range(3)]
        eventually(lambda: "\nfennec_http_connections 4\n" in client.get("/metrics").body.decode())
        with Raw(one) as raw:
            response = raw.response()
            assert response.status == 503
            assert response.headers["Retry-After"] == "1"
            assert response.error()["code"] == "overloaded"
        for raw in held:
            raw.__exit__()
        eventually(lambda: "\nfennec_http_connections 1\n" in client.get("/metrics").body.decode())
        with one.client() as other:
            assert other.get("/healthz").status == 200


def test_random_bytes(server):
    import random
    generator = random.Random(20260101)
    base = b"POST /v1/images/generations?x=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nTransfer-Encoding: chunked\r\n\r\n0123456789"
    sockets = []
    for _ in range(300):
        mutated = bytearray(base)
        for _ in range(generator.randrange(1, 8)):
            mutated[generator.randrange(len(mutated))] = generator.randrange(256)
        sockets.append(Raw(server))
        sockets[-1].send(bytes(mutated))
        sockets[-1].socket.shutdown(1)
    for raw in sockets:
        assert raw.closed()
        raw.__exit__()
    with server.client() as client:
        assert client.get("/healthz").status == 200


# ---- what libmicrohttpd would take ----

@pytest.mark.parametrize("query, status", [
    ("&" * 4000, 200), ("&".join(f"a{i}=" for i in range(600)), 400), ("a=1&b=2", 200),
])
def test_many_parameters_are_answered(raw, query, status):
    raw.send(f"GET /healthz?{query} HTTP/1.1\r\nHost: x\r\n\r\n")
    assert raw.response().status == status


@pytest.mark.parametrize("header", ["Content-Length : 5", "X\t: x", "X(: x"])
def test_names_that_no_header_can_have(raw, header):
    raw.send(f"GET /healthz HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\nhello")
    response = raw.response()
    assert response.status == 400
    assert response.error()["code"] == "invalid_request"


@pytest.mark.parametrize("lines", [
    "Authorization: Bearer {key}\0x\r\n", "X: y\rAuthorization: Bearer {key}\r\n", "X: y\nAuthorization: Bearer {key}\r\n",
    "Authorization: Bearer {key}\r\n : x\r\n", "Authorization: Bearer {key}\r\n: x\r\n", "Authorization: Bearer {key}\r\nX: \0\r\n",
])
def test_what_a_proxy_would_read_otherwise(raw, test_key, lines):
    raw.send(f"GET /v1/models HTTP/1.1\r\nHost: x\r\n{lines.format(key=test_key)}\r\n")
    response = raw.response()
    assert response.status == 400
    assert response.error()["code"] == "invalid_request"
    assert raw.closed()
