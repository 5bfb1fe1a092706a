"""What a stranger writes stays what it is: no line of a header or a log of its own, no path out of its folder, no request inside
another, no link but the one that was signed."""
import hashlib
import http.client
import json
import re
import socket
import urllib.parse

import pytest
from conftest import SETTINGS
from house import IMAGE
from services.receiver import Receiver

PNG = bytes.fromhex("89504e470d0a1a0a0000000d4948445200000001000000010804000000b51c0c020000000b4944415478da63640000000600023081d02f"
                    "0000000049454e44ae426082")
HOSTILE = ["a\r\nX-Injected: 1", "a\nX-Injected: 1", "a\r\n\r\n<html>", "a\r\n X-Injected: 1", "a\0b", "a\"; filename=\"x.html",
           "../../../etc/passwd", "..\\..\\x", "/etc/passwd", "a\u2028b", "\u202egnp.exe", "x" * 4000, "a\x7fb", "%0d%0aX-Injected:%201", ";a=b", "CON"]


def exchange(house, data, count=1):
    """Raw bytes, and the answers to them until the server closes or so many have come."""
    with socket.create_connection(("127.0.0.1", house.port), timeout=60) as connection:
        connection.sendall(data)
        return [answer for answer in answers(connection, count) if answer is not None]


def answers(connection, count):
    for _ in range(count):
        response = http.client.HTTPResponse(connection)
        try:
            response.begin()
        except (http.client.HTTPException, OSError):
            return
        yield response.status, response.headers, response.read()


def upload(client, key, name, body=PNG):
    form = (b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" + name + b"\"\r\nContent-Type: image/png\r\n\r\n" +
            body + b"\r\n--b--\r\n")
    head = (f"POST /v1/files/upload/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: multipart/form-data; "
            f"boundary=b\r\nContent-Length: {len(form)}\r\n\r\n")
    (answer,) = exchange(client.server, head.encode() + form)
    return answer


def assert_plain(headers):
    """None but our own headers, each in one line and no longer than it may be."""
    assert "X-Injected" not in headers
    for name, value in headers.items():
        assert re.fullmatch(r"[\x20-\x7e]{0,4096}", value), (name, value)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_name_stays_in_its_header(house, client, key, name):
    answer = client.request("POST", "/v1/files/upload/base64", {"file_data": "data:image/png;base64,iVBORw0KGgo=", "file_name": name})
    assert answer.status in (200, 400, 422), answer
    assert_plain(answer.headers)
    urls = [answer.json()["url"]] if answer.status == 200 else []
    status, headers, body = upload(client, key, name.encode())
    assert status in (200, 400, 413, 422), body
    assert_plain(headers)
    urls += [json.loads(body)["url"]] if status == 200 else []
    for url in urls:
        path = "/" + url.split("/", 3)[3]
        (got,) = exchange(house, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert got[0] == 200, got
        assert_plain(got[1])
        disposition = got[1]["Content-Disposition"]
        assert re.fullmatch(r"(inline|attachment); filename=\"[\w.-]{1,255}\"(; filename\*=UTF-8''[\w.%-]+)?", disposition), disposition


@pytest.mark.parametrize("line", [b"X-Request-Id: a\r\n b", b"X-Request-Id: a\tb", b"X-Request-Id: a\x00b", b"X-Request-Id: \r\n\tX-Injected: 1",
                                  b"X-Request-Id: " + b"a" * 3000, b"X-Request-Id: a\xc2\x85b", b"X-Request-Id: a\x0bX-Injected: 1",
                                  b"Idempotency-Key: a\r\n X-Injected: 1", b"Origin: http://a\r\n X-Injected: 1", b"X-Request-Id: a%0d%0aX-Injected:1"])
def test_a_header_is_not_answered_with_what_it_brought(house, line):
    for status, headers, _ in exchange(house, b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + line + b"\r\n\r\n"):
        assert status in (200, 400, 431)
        assert_plain(headers)
        assert re.fullmatch(r"[\w.-]{1,64}", headers.get("X-Request-Id", "req-x"))


@pytest.mark.parametrize("host", [b"x\r\n X-Injected: 1", b"x\x00y", b"x\x0bX-Injected", b"a@b", b"x/../y", b"x?y", b"x\"y", b"<script>"])
def test_a_host_makes_no_link(house, key, host):
    """Links to results begin with the request's host, so it must be one."""
    for status, headers, body in exchange(house, b"GET /v1/files HTTP/1.1\r\nHost: " + host + b"\r\nAuthorization: Bearer " + key.encode() + b"\r\n\r\n"):
        assert status == 400 and b"X-Injected" not in body
        assert_plain(headers)


# -- callbacks and upstream requests

def test_a_callback_has_the_headers_that_we_wrote(make_server):
    receiver = Receiver()
    server = make_server(SETTINGS + f'callbacks = {{ allow_http = true }} fetch = {{ allow = {{ "{receiver.pair}" }} }}').start()
    with server.client(server.key("one", test=True)) as client:
        for number, words in enumerate(("?a=%0d%0aX-Injected:1", "?a=b%00c", "?" + "a" * 1500)):
            client.submit("phota-image", prompt="x\r\nX-Injected: 1\r\n\r\n", callback_url=receiver.url(f"/{number}") + words)
            for request in receiver.wait(f"/{number}" + words):  # more than one where the first was not answered in time
                assert set(request.headers) <= {"host", "user-agent", "accept", "accept-encoding", "content-type",
                                                "content-length", "webhook-id", "webhook-timestamp",
                                                "webhook-signature"}, request.headers
                json.loads(request.body)
        for bad in ("\r\nX-Injected: 1", "\n", "\t", " x", "\0"):
            answer = client.try_submit("phota-image", prompt="x", callback_url=receiver.url("/bad") + bad)
            assert answer.status in (400, 422), answer
    receiver.close()


# -- logs

def test_a_log_line_is_one_line(make_server):
    for form in ("json", "text"):
        server = make_server(SETTINGS + f'log = {{ format = "{form}", level = "debug" }}').start()
        with server.client(server.key("one\u2028two", test=True)) as client:
            client.try_submit("no-such\nmodel\r\n2026-01-01T00:00:00Z error forged", prompt="a\n2026-01-01T00:00:00Z error forged")
            client.submit("phota-image", prompt="a\n2026-01-01T00:00:00Z error forged\x1b[2J")
            for target in ("/v1/x%0a2026-01-01T00:00:00Z%20error%20forged", "/v1/tasks/%1b[2J", "/v1/\x1b[2J", "/v1/x\nforged", "/" + "x" * 7000):
                exchange(server, f"GET {target} HTTP/1.1\r\nHost: x\r\nUser-Agent: a\x1b[2J forged\r\n\r\n".encode("latin-1"))
        server.stop()
        for line in server.log_text().splitlines():
            assert re.fullmatch(r"[^\x00-\x1f\x7f\u2028]*", line), line
            if form == "json" and not line.startswith("{"):
                assert False, line
            assert not re.match(r"2026-01-01T00:00:00Z", line), line


# -- paths

@pytest.mark.parametrize("path", [
    "/v1/artifacts/../../../etc/passwd", "/v1/artifacts/{h}/../../../etc/passwd", "/v1/artifacts/%2e%2e/%2e%2e/x", "/v1/artifacts/{h}/..%2f..%2fx",
    "/v1/artifacts/{h}/%2e%2e%2f%2e%2e%2fetc%2fpasswd?expires=9999999999&signature=" + "A" * 43, "/v1/artifacts/{h}/x%00.png", "/v1/files/../x",
    "/v1/files/file-x/content/../../x", "/v1/files/..%2f..%2fx", "/docs/../../etc/passwd", "/docs/%2e%2e/x", "/docs/..%5c..%5cx", "/docs//etc/passwd",
    "/openapi.json/../x", "/v1/tasks/..%2f..%2fx", "/v1/hooks/..%2fx", "/%2e%2e/%2e%2e/etc/passwd", "/..;/x", "/v1/artifacts/{h}/x;/../../y",
])
def test_a_path_leads_nowhere_else(house, key, path):
    path = path.replace("{h}", hashlib.sha256(b"x").hexdigest())
    for status, headers, body in exchange(house, f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n".encode()):
        assert status in (400, 404), (status, body)
        assert b"root:" not in body and "X-Injected" not in headers


# -- requests inside requests

INNER = b"GET /v1/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


@pytest.mark.parametrize("headers, body", [
    (b"Content-Length: 4\r\n" + CHUNKED, b"0\r\n\r\n" + INNER), (CHUNKED + b"Content-Length: 4\r\n", b"0\r\n\r\n" + INNER),
    (b"Content-Length: 0\r\nContent-Length: %d\r\n" % len(INNER), INNER), (b"Content-Length: %d\r\nContent-Length: 0\r\n" % len(INNER), INNER),
    (b"Content-Length: 0, %d\r\n" % len(INNER), INNER), (b"Content-Length : %d\r\n" % len(INNER), INNER),
    (b"Content-Length: +%d\r\n" % len(INNER), INNER), (b"Content-Length: 0x%x\r\n" % len(INNER), INNER),
    (b"Transfer-Encoding : chunked\r\nContent-Length: 4\r\n", b"0\r\n\r\n" + INNER), (b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n" + INNER),
    (b"Transfer-Encoding:\x0bchunked\r\nContent-Length: 5\r\n", b"0\r\n\r\n" + INNER), (b"Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n" + INNER),
    (b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + INNER), (b"X: y\r\n Transfer-Encoding: chunked\r\n", b"0\r\n\r\n" + INNER),
    (b"Transfer-Encoding\r\n : chunked\r\n", b"0\r\n\r\n" + INNER), (CHUNKED, b"0x0\r\n\r\n" + INNER), (CHUNKED, b"-1\r\n\r\n" + INNER),
    (CHUNKED, b"+0\r\n\r\n" + INNER), (CHUNKED, b"10000000000000000\r\n\r\n" + INNER), (CHUNKED, b" 0\r\n\r\n" + INNER),
    (CHUNKED, b"1\r\nab\r\n0\r\n\r\n" + INNER), (CHUNKED, b"2\r\n{}0\r\n\r\n" + INNER),
])
def test_no_request_hides_in_another(house, key, headers, body):
    """What is doubtful is refused and the connection closed, so that what follows is read by nobody."""
    data = b"POST " + IMAGE.encode() + b" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + key.encode() + b"\r\nContent-Type: application/json\r\n"
    before = house.log_text().count("/v1/smuggled")
    got = exchange(house, data + headers + b"\r\n" + body, 3)
    assert len(got) <= 1 and all(status in (400, 413, 501) for status, _, _ in got), got
    assert house.log_text().count("/v1/smuggled") == before


# -- signed links

@pytest.fixture(scope="module")
def link(house, key):
    """The path and query of a result that is there."""
    with house.client(house.key("maker", test=True)) as client:
        task = client.completed(client.submit("phota-image", prompt="x"))
        return "/" + task["results"][0]["url"].split("/", 3)[3]


def fetch(house, target, method="GET", headers=""):
    (answer,) = exchange(house, f"{method} {target} HTTP/1.1\r\nHost: x\r\n{headers}\r\n".encode("latin-1"))
    return answer


def test_each_bit_of_a_link_counts(house, link):
    assert fetch(house, link)[0] == 200
    connection, tried = http.client.HTTPConnection(house.address, timeout=60), 0
    for at in range(len("/v1/artifacts/"), len(link)):
        for bit in range(7):
            other = chr(ord(link[at]) ^ 1 << bit)
            if other.isprintable() and other not in ' "<>\\^`{|}#':
                connection.request("GET", link[:at] + other + link[at + 1:])
                response = connection.getresponse()
                assert response.status in (400, 404) and b"PNG" not in response.read(), (at, other)
                tried += 1
    assert tried > 500
    connection.close()


def test_a_link_has_one_spelling(house, link):
    path, query = link.split("?")
    expires, signature = (one.split("=")[1] for one in query.split("&"))
    name = path.rsplit("/", 1)[1]
    for target in (f"{path}?signature={signature}&expires={expires}", f"{link}&x=1", f"{path}?x=1&{query}", f"{link}&expires={expires}",
                   f"{path}?expires=0{expires}&signature={signature}", f"{path}?expires={int(expires) + 1}&signature={signature}", f"{path}?{query}=",
                   f"{path}?expires=%3{expires[0]}{expires[1:]}&signature={signature}", f"{path}?EXPIRES={expires}&signature={signature}", path,
                   f"{path}/?{query}", f"{path}/../{name}?{query}", f"{path.upper()}?{query}", path.replace("/v1/", "/v1//") + "?" + query,
                   path.replace("artifacts", "%61rtifacts") + "x?" + query, f"{path}%00?{query}", f"{path}%20?{query}", f"{path};a?{query}"):
        assert fetch(house, target)[0] in (400, 404), target
    encoded = "".join(f"%{ord(c):02x}" for c in name)
    # an encoded name is the same path (RFC 3986 section 6.2.2.2), and no more
    assert fetch(house, f"{path[:-len(name)]}{encoded}?{query}")[0] in (200, 400, 404)


def test_a_link_is_for_reading(house, link):
    for method in ("POST", "PUT", "DELETE", "PATCH", "TRACE", "get", "PROPFIND"):
        assert fetch(house, link, method, "Content-Length: 0\r\n")[0] == 405, method
    for header in ("Range: bytes=0-0\r\n", "Range: bytes=-1\r\n", "X-HTTP-Method-Override: DELETE\r\n", "If-None-Match: *\r\n"):
        changed = link[:-1] + ("A" if link[-1] != "A" else "B")
        status, headers, body = fetch(house, changed, "GET", header)
        assert status == 404 and b"PNG" not in body and "ETag" not in headers, (header, status)
    assert fetch(house, link)[0] == 200


def test_the_link_of_one_file_opens_no_other(house, key, link):
    with house.client(house.key("other", test=True)) as client:
        task = client.completed(client.submit("phota-image", prompt="another"))
    other = "/" + task["results"][0]["url"].split("/", 3)[3]
    (path, query), (other_path, other_query) = link.split("?"), other.split("?")
    assert path != other_path
    assert fetch(house, f"{path}?{other_query}")[0] == fetch(house, f"{other_path}?{query}")[0] == 404
    quoted = urllib.parse.quote(other_path.split("/")[3])
    assert fetch(house, path.replace(path.split("/")[3], quoted) + "?" + query)[0] == 404
