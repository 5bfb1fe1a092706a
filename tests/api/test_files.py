"""Files that clients upload: in three ways, listed, downloaded, deleted, evicted, expired, and used as parameters."""
import base64
import hashlib
import http.client
import http.server
import json
import os
import re
import select
import socket
import subprocess
import threading
import time

import pytest

from catalogue import IMAGE, MODELS, VIDEO
from client import PATIENCE_S, Raw, Response, eventually
from conftest import CONFIG, PATIENT
from test_local_models import png

BOUNDARY = "----a-boundary-7e"
FILE_ID = re.compile(r"^file-[0-9]{10}-[a-z0-9]{6}$")
FORM = f"multipart/form-data; boundary={BOUNDARY}"


def part(name, content, file_name=None):
    content = content if isinstance(content, bytes) else content.encode()
    disposition = f'form-data; name="{name}"' + (f'; filename="{file_name}"' if file_name is not None else "")
    return f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n\r\n".encode() + content + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()


def form(*parts):
    return b"".join(parts) + END


def upload(client, content, name="a.bin", **fields):
    body = form(part("file", content, name), *(part(key, value) for key, value in fields.items()))
    return client.post("/v1/files/upload/stream", body, {"Content-Type": FORM})


def uploaded(client, content, name="a.bin", **fields):
    response = upload(client, content, name, **fields)
    assert response.status == 200, response
    return response.json()


def fetch(server, url, headers=None, method="GET"):
    """Without a key."""
    connection = http.client.HTTPConnection(server.address, timeout=PATIENCE_S)
    connection.request(method, url.split(server.address, 1)[1], headers=headers or {})
    answer = connection.getresponse()
    result = Response(answer.status, answer.headers, answer.read())
    connection.close()
    return result


def error_of(response, status, code, param=None):
    assert response.status == status, response
    error = response.error()
    assert (error["code"], error["param"]) == (code, param), error
    return error


def blobs_of(server):
    """Hashes of the stored blobs, and the names of half-written ones."""
    root = server.data / "blobs"
    stored = {path.parent.name + path.name for path in root.glob("??/*")}
    return stored, [path.name for path in (root / "tmp").iterdir()]


@pytest.fixture
def client(server, request):
    """An account that no other test has."""
    with server.client(server.key(request.node.name[:40].replace("[", "-").replace("]", ""), credits=1000)) as one:
        yield one


@pytest.fixture
def small(make_server):
    """A server with little room; `ttl` in seconds."""
    def make(storage='"100 KiB"', file='"64 KiB"', ttl=3600, more=""):
        return make_server(f'''simulator = {{ seconds = 0.2 }} limits = {{ file = {file} }} files = {{ ttl = {ttl} }}
            groups = {{ default = {{ requests_per_minute = 0, storage = {storage} }} }} {more}''')
    return make


# ---- forms ----

def test_the_answer_is_what_is_documented(server, client):
    content = bytes(range(256)) * 300
    before = int(time.time())
    file = uploaded(client, content, "notes of mine.bin")
    assert list(file) == ["id", "filename", "url", "size", "created"]
    assert FILE_ID.match(file["id"]) and file["id"].split("-")[1] == str(file["created"])
    assert before <= file["created"] <= time.time()
    assert file["filename"] == "notes of mine.bin" and file["size"] == len(content)
    response = fetch(server, file["url"])
    assert response.status == 200 and response.body == content
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert response.headers["Content-Disposition"].startswith('attachment; filename="notes_of_mine.bin"')
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response.headers["Content-Security-Policy"]
    expires = int(re.search(r"expires=([0-9]+)", file["url"]).group(1))
    assert abs(expires - file["created"] - 72 * 3600) <= 1


def test_ranges_and_conditions(server, client):
    content = os.urandom(1000)
    url = uploaded(client, content)["url"]
    etag = f'"{hashlib.sha256(content).hexdigest()}"'
    head = fetch(server, url, method="HEAD")
    assert head.status == 200 and head.body == b"" and head.headers["Content-Length"] == "1000"
    assert head.headers["ETag"] == etag
    response = fetch(server, url, {"Range": "bytes=10-19"})
    assert response.status == 206 and response.body == content[10:20]
    assert response.headers["Content-Range"] == "bytes 10-19/1000"
    assert fetch(server, url, {"Range": "bytes=10-19", "If-Range": '"other"'}).status == 200
    same = fetch(server, url, {"If-None-Match": etag})
    assert (same.status, same.body, same.headers["Content-Length"]) == (304, b"", "1000")
    error_of(fetch(server, url, {"Range": "bytes=1000-"}), 416, "range_not_satisfiable")


def test_curl_is_understood(server, client, tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(png(40, 30))
    run = subprocess.run(["curl", "-sS", "-H", f"Authorization: Bearer {client.key}", "-F", "auto_cleanup=false", "-F",
                          f"file=@{path}", "-F", "file_name=é \"quoted\".png",
                          f"http://{server.address}/v1/files/upload/stream"], capture_output=True, text=True, timeout=60)
    file = json.loads(run.stdout)
    assert file["filename"] == 'é "quoted".png' and file["size"] == path.stat().st_size
    response = fetch(server, file["url"])
    assert response.headers["Content-Type"] == "image/png"
    assert response.headers["Content-Disposition"].startswith("inline; ")
    assert response.headers["Content-Disposition"].endswith("filename*=UTF-8''%C3%A9%20%22quoted%22.png")


@pytest.mark.parametrize("chunked", [False, True])
def test_any_split_and_any_order(server, client, chunked):
    body = form(part("file_name", "b.txt"), part("file", b"x\r\n--" + BOUNDARY.encode()[:9] + b"\r\n", "a.txt"),
                part("auto_cleanup", "true"))
    with Raw(server) as raw:
        length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}"
        raw.send(f"POST /v1/files/upload/stream HTTP/1.1\r\nHost: {server.address}\r\nAuthorization: Bearer {client.key}\r\n"
                 f"Content-Type: {FORM}\r\n{length}\r\n\r\n")
        raw.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(len(body)):
            piece = body[i:i + 1]
            raw.send(b"1\r\n" + piece + b"\r\n" if chunked else piece)
        if chunked:
            raw.send(b"0\r\n\r\n")
        response = raw.response()
    assert response.status == 200, response
    file = response.json()
    assert file["filename"] == "b.txt"
    assert fetch(server, file["url"]).body == b"x\r\n--" + BOUNDARY.encode()[:9] + b"\r\n"


@pytest.mark.parametrize("sent, kept", [
    ("../../etc/passwd", "passwd"), ("C:\\temp\\x.png", "x.png"), ("..", "file.txt"), ("a\u202egnp.exe", "agnp.exe"),
    ("x" * 300 + ".txt", "x" * 251 + ".txt"), ("é" * 200 + ".md", "é" * 126 + ".md"), ("", "file.txt"), (" . a.txt. ", "a.txt"),
])
def test_names_are_made_harmless(client, sent, kept):
    assert uploaded(client, "words", sent)["filename"] == kept


@pytest.mark.parametrize("content, name, kind, shown", [
    ("<html><script>alert(1)</script></html>", "a.html", "text/plain", False),
    ("<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "a.svg", "text/plain", False),
    ("%PDF-1.7 ...", "a.pdf", "application/pdf", False),
    ("a,b\n1,2\n", "a.csv", "text/csv", False),
    ("PK\x03\x04xxxx", "a.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", False),
    ("# Title\n", "A.MD", "text/markdown", False),
    ("words", "a.png", "text/plain", False),
])
def test_nothing_active_is_ever_shown(server, client, content, name, kind, shown):
    response = fetch(server, uploaded(client, content, name)["url"])
    assert response.headers["Content-Type"] == kind
    assert response.headers["Content-Disposition"].startswith("inline" if shown else "attachment")


@pytest.mark.parametrize("body, status, code, param", [
    (form(), 422, "missing_field", "file"),
    (form(part("file_name", "a")), 422, "missing_field", "file"),
    (form(part("file", "", "a")), 422, "out_of_range", "file"),
    (form(part("file", "a", "a"), part("file", "b", "b")), 422, "not_allowed_value", "file"),
    (form(part("file", "a", "a"), part("purpose", "b")), 422, "unknown_field", "purpose"),
    (form(part("other", "a" * 100, "a")), 422, "unknown_field", "other"),
    (form(part("file", "a", "a"), part("auto_cleanup", "maybe")), 422, "not_allowed_value", "auto_cleanup"),
    (form(part("file", "a", "a"), part("file_name", "n" * 256)), 422, "too_long", "file_name"),
    (form(part("file", "a", "a"), part("file_name", "n" * 2000)), 422, "too_long", "file_name"),
    (form(part("file", "a", "a"), part("file_name", b"\xff")), 422, "invalid_param", "file_name"),
    (part("file", "a", "a"), 400, "invalid_request", None),
    (b"no form", 400, "invalid_request", None),
    (b"", 400, "invalid_request", None),
    (form(part("file", "a", "a")) + b"more", 400, "invalid_request", None),
])
def test_bad_forms(server, client, body, status, code, param):
    error_of(client.post("/v1/files/upload/stream", body, {"Content-Type": FORM}), status, code, param)
    assert client.get("/v1/files").json()["data"] == []


def test_other_content_types(client):
    for kind in ("application/json", "multipart/form-data", "multipart/form-data; boundary="):
        error_of(client.post("/v1/files/upload/stream", b"{}", {"Content-Type": kind}), 400, "invalid_content_type")


def test_a_key_is_asked_for_even_of_large_bodies(server):
    with server.client("sk-live-none") as stranger:
        response = upload(stranger, bytes(4 << 20))
    error_of(response, 401, "invalid_api_key")


# ---- bounds ----

@pytest.mark.parametrize("chunked", [False, True])
def test_too_large(small, chunked):
    server = small(storage='"10 MiB"')
    with server.client(server.key("one")) as client:
        assert upload(client, bytes(64 << 10)).status == 200
        error_of(upload(client, bytes((64 << 10) + 1)), 413, "file_too_large", "file")
        body = form(part("file", bytes(3 << 20), "a"))
        pieces = (body[i:i + 65536] for i in range(0, len(body), 65536))
        headers = {"Content-Type": FORM, **({} if chunked else {"Content-Length": str(len(body))})}
        response = client.request("POST", "/v1/files/upload/stream", pieces if chunked else body, headers)
        assert response.error()["type"] == "file_too_large_error"
        error_of(response, 413, "file_too_large", "file")
        assert len(client.get("/v1/files").json()["data"]) == 1
    eventually(lambda: blobs_of(server)[1] == [])


def test_a_large_file_is_nowhere_in_memory(small):
    size, piece = 300 << 20, os.urandom(1 << 20)
    server = small(storage='"1 GiB"', file='"512 MiB"')

    def peak():
        status = open(f"/proc/{server.process.pid}/status", encoding="ascii").read()
        return int(re.search(r"VmHWM:\s+([0-9]+) kB", status).group(1)) << 10

    with server.client(server.key("one")) as client:
        uploaded(client, piece)
        before, digest = peak(), hashlib.sha256()
        head = part("file", b"", "big.bin")[:-2]

        def pieces():
            yield head
            for _ in range(size // len(piece)):
                digest.update(piece)
                yield piece
            yield b"\r\n" + END

        length = len(head) + size + 2 + len(END)
        response = client.request("POST", "/v1/files/upload/stream", pieces(),
                                  {"Content-Type": FORM, "Content-Length": str(length)})
        assert response.status == 200, response
        grown = peak() - before
        assert grown < 32 << 20, f"{grown >> 20} MiB"
        tag = fetch(server, response.json()["url"], {"Range": "bytes=0-9"})
        assert tag.headers["ETag"] == f'"{digest.hexdigest()}"' and tag.body == piece[:10]


def test_a_client_that_goes_leaves_nothing(small):
    server = small(file='"10 MiB"')
    key = server.key("one")
    with Raw(server) as raw:
        raw.send(f"POST /v1/files/upload/stream HTTP/1.1\r\nHost: {server.address}\r\nAuthorization: Bearer {key}\r\n"
                 f"Content-Type: {FORM}\r\nContent-Length: 1000000\r\n\r\n")
        raw.send(part("file", os.urandom(300000), "a"))
        eventually(lambda: blobs_of(server)[1])
    eventually(lambda: blobs_of(server) == (set(), []))
    with server.client(key) as client:
        assert client.get("/v1/files").json()["data"] == []
        assert uploaded(client, b"again")["size"] == 5


# ---- space ----

def test_the_oldest_make_room(small):
    server = small()
    with server.client(server.key("one")) as client:
        first, second, third = (uploaded(client, os.urandom(30 << 10)) for _ in range(3))
        error_of(upload(client, os.urandom(20 << 10), auto_cleanup="false"), 403, "storage_full")
        assert fetch(server, first["url"]).status == 200
        fourth = uploaded(client, os.urandom(60 << 10))
        assert [file["id"] for file in client.get("/v1/files").json()["data"]] == [fourth["id"], third["id"]]
        for file in (first, second):
            error_of(client.get(f"/v1/files/{file['id']}"), 404, "file_not_found")
            error_of(fetch(server, file["url"]), 404, "file_not_found")
    with server.client(server.key("another")) as client:
        uploaded(client, bytes(60 << 10), auto_cleanup="false")  # an account's space is its own


def test_a_file_larger_than_all_the_space_evicts_nothing(small):
    server = small(storage='"40 KiB"')
    with server.client(server.key("one")) as client:
        file = uploaded(client, os.urandom(30 << 10))
        error_of(upload(client, os.urandom(50 << 10)), 413, "file_too_large")
        assert fetch(server, file["url"]).status == 200


def test_files_inside_requests_take_space(small):
    server = small(more=PATIENT)

    def submit(client, content):
        picture = "data:image/png;base64," + base64.b64encode(content).decode()
        return client.post(IMAGE, {"model": "phota-image-edit", "prompt": "fennec:never", "image_urls": [picture]})

    first, second, third = (png(64, 64) + os.urandom(40 << 10) for _ in range(3))
    with server.client(server.key("one", test=True)) as client:
        task = submit(client, first).json()["id"]
        assert [submit(client, second).status for _ in range(2)] == [200] * 2  # there once however many tasks have it
        before = client.credits()
        error_of(submit(client, third), 403, "storage_full")
        assert client.credits() == before
        uploaded(client, os.urandom(60 << 10), auto_cleanup="false")  # uploads have space of their own
        assert client.post(f"/v1/tasks/{task}/cancel").status == 200
        eventually(lambda: submit(client, third).status == 200)
    with server.client(server.key("another", test=True)) as client:
        assert submit(client, third).status == 200


@pytest.mark.parametrize("cleanup", ["true", "false"])
def test_many_at_once_never_take_more(small, cleanup):
    server = small()
    key, answers, together = server.key("one"), [], threading.Barrier(24)

    def one():
        with server.client(key) as client:
            content = os.urandom(30 << 10)
            together.wait()
            answers.append(upload(client, content, auto_cleanup=cleanup))
            sizes = [file["size"] for file in client.get("/v1/files?limit=100").json()["data"]]
            assert sum(sizes) <= 100 << 10, sizes

    threads = [threading.Thread(target=one) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statuses = sorted(answer.status for answer in answers)
    assert statuses == [200] * 24 if cleanup == "true" else [200] * 3 + [403] * 21
    with server.client(key) as client:
        assert len(client.get("/v1/files").json()["data"]) == 3


def test_what_made_room_leaves_the_disk(small, monkeypatch):
    monkeypatch.setenv("FENNEC_CLOCK_SPEED", "60")
    server = small(ttl=86400, more=PATIENT)
    with server.client(server.key("one")) as client:
        contents = [os.urandom(30 << 10) for _ in range(5)]
        files = [uploaded(client, content) for content in contents]
        client.request("DELETE", f"/v1/files/{files[4]['id']}")
        left = {hashlib.sha256(content).hexdigest() for content in contents[2:4]}
        eventually(lambda: blobs_of(server) == (left, []))


def test_expired_files_are_gone(small, monkeypatch):
    monkeypatch.setenv("FENNEC_CLOCK_SPEED", "60")
    server = small(ttl=360, more=PATIENT)
    with server.client(server.key("one")) as client:
        def fetched():
            """A file that was there; None when a busy machine has let its six seconds pass."""
            file = uploaded(client, os.urandom(60 << 10))
            return file if fetch(server, file["url"]).status == 200 else None

        def refusal(ask):
            return eventually(lambda: (lambda answer: answer if answer.status != 200 else None)(ask()))

        file = eventually(fetched)
        error_of(refusal(lambda: fetch(server, file["url"])), 410, "result_expired")
        # A link's end is told in whole seconds, the file's own comes up to one of them later.
        error_of(refusal(lambda: client.get(f"/v1/files/{file['id']}")), 404, "file_not_found")
        assert client.get("/v1/files").json()["data"] == []
        uploaded(client, os.urandom(60 << 10), auto_cleanup="false")  # their space is free, swept or not
        eventually(lambda: len(blobs_of(server)[0]) <= 1)


# ---- JSON ----

@pytest.mark.parametrize("data, content, name", [
    (base64.b64encode(b"hello").decode(), b"hello", "file.txt"),
    (base64.b64encode(b"hi").decode().rstrip("="), b"hi", "file.txt"),
    ("data:image/png;base64," + base64.b64encode(png(3, 3)).decode(), png(3, 3), "file.png"),
    ("data:,hello%20there", b"hello there", "file.txt"),
])
def test_base64(server, client, data, content, name):
    response = client.post("/v1/files/upload/base64", {"file_data": data, "auto_cleanup": False})
    assert response.status == 200, response
    file = response.json()
    assert list(file) == ["id", "filename", "url", "size", "created"] and file["filename"] == name
    assert fetch(server, file["url"]).body == content
    named = client.post("/v1/files/upload/base64", {"file_data": data, "file_name": "dir/own.x"}).json()
    assert named["filename"] == "own.x"


@pytest.mark.parametrize("body, code, param", [
    ({}, "missing_field", "file_data"),
    ({"file_data": 5}, "invalid_type", "file_data"),
    ({"file_data": ""}, "out_of_range", "file_data"),
    ({"file_data": "data:,"}, "out_of_range", "file_data"),
    ({"file_data": "not base64!"}, "invalid_param", "file_data"),
    ({"file_data": "data:image/png;base64,!"}, "invalid_param", "file_data"),
    ({"file_data": "aGk=", "file_name": 5}, "invalid_type", "file_name"),
    ({"file_data": "aGk=", "file_name": "n" * 256}, "too_long", "file_name"),
    ({"file_data": "aGk=", "auto_cleanup": "yes"}, "invalid_type", "auto_cleanup"),
    ({"file_data": "aGk=", "url": "https://example.com/"}, "unknown_field", "url"),
])
def test_bad_base64(client, body, code, param):
    error_of(client.post("/v1/files/upload/base64", body), 422, code, param)


def test_base64_too_large(small):
    server = small()
    with server.client(server.key("one")) as client:
        data = base64.b64encode(bytes((64 << 10) + 1)).decode()
        error_of(client.post("/v1/files/upload/base64", {"file_data": data}), 413, "file_too_large", "file_data")
        error_of(client.post("/v1/files/upload/base64", {"file_data": "data:;base64," + data}), 413, "file_too_large",
                 "file_data")


class Host:
    """A host of files: /ok, /empty, /404, /large, /moved, and /slow, which never ends."""

    leads_to = None

    def __init__(self):
        host = self
        self.slow_asked, self.slow_gone = threading.Event(), threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                if self.path == "/moved":
                    self.send_response(302)
                    self.send_header("Location", host.leads_to)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                if self.path == "/slow":
                    host.slow(self)
                    return
                body = {"/dir/ok.png?size=3": png(20, 10), "/large": bytes(200 << 10)}.get(self.path, b"")
                self.send_response(404 if self.path == "/404" else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def slow(self, handler):
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(b"x" * 100000)
        handler.wfile.flush()
        self.slow_asked.set()
        handler.connection.settimeout(PATIENCE_S)
        try:
            gone = handler.connection.recv(1) == b""
        except ConnectionResetError: # it had not read all of it
            gone = True
        if gone:
            self.slow_gone.set()


@pytest.fixture
def host():
    one = Host()
    yield one
    one.server.shutdown()
    one.server.server_close()


def test_url(small, host):
    server = small(more=f'fetch = {{ allow = {{ "{host.address}" }} }}')
    with server.client(server.key("one")) as client:
        def post(path, **more):
            return client.post("/v1/files/upload/url", {"url": f"http://{host.address}{path}", **more})
        file = post("/dir/ok.png?size=3").json()
        assert list(file) == ["id", "filename", "url", "size", "created"] and file["filename"] == "ok.png"
        assert fetch(server, file["url"]).body == png(20, 10)
        assert post("/dir/ok.png?size=3", file_name="fox.png").json()["filename"] == "fox.png"
        assert "404" in error_of(post("/404"), 422, "invalid_url", "url")["message"]
        error_of(post("/empty"), 422, "invalid_url", "url")
        error_of(post("/large"), 413, "file_too_large", "url")
        again = client.post("/v1/files/upload/url", {"url": file["url"]}).json()  # our own: no request to ourselves
        assert again["id"] != file["id"] and fetch(server, again["url"]).body == png(20, 10)
    eventually(lambda: blobs_of(server)[1] == [])


@pytest.mark.parametrize("url, param", [
    ("http://127.0.0.1:9/a.png", "url"), ("http://169.254.169.254/latest/meta-data", "url"), ("http://[::1]/a", "url"),
    ("http://localhost/a", "url"), ("file:///etc/passwd", "url"), ("ftp://example.com/a", "url"), ("a.png", "url"),
])
def test_the_guard_stands_before_urls(client, url, param):
    error_of(client.post("/v1/files/upload/url", {"url": url}), 422, "invalid_url", param)


def test_bad_url_bodies(client):
    error_of(client.post("/v1/files/upload/url", {}), 422, "missing_field", "url")
    error_of(client.post("/v1/files/upload/url", {"url": None}), 422, "invalid_type", "url")
    error_of(client.post("/v1/files/upload/url", {"url": "http://example.com/" + "a" * 9000}), 422, "too_long", "url")
    error_of(client.post("/v1/files/upload/url", b"{", {"Content-Type": "application/json"}), 400, "invalid_json")


def test_nothing_listens_there(small):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # nobody else gets the port meanwhile
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        server = small(more=f'fetch = {{ allow = {{ "{address}" }} }}')
        with server.client(server.key("one")) as client:
            error_of(client.post("/v1/files/upload/url", {"url": f"http://{address}/a"}), 422, "invalid_url", "url")


def test_a_client_that_goes_ends_the_fetch(small, host):
    server = small(file='"10 MiB"', more=f'fetch = {{ allow = {{ "{host.address}" }} }}')
    body = json.dumps({"url": f"http://{host.address}/slow"})
    with Raw(server) as raw:
        raw.send(f"POST /v1/files/upload/url HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.key('one')}\r\n"
                 f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}")
        assert host.slow_asked.wait(PATIENCE_S)
        assert not host.slow_gone.is_set()
    assert host.slow_gone.wait(PATIENCE_S)
    eventually(lambda: blobs_of(server) == (set(), []))


def test_a_stop_ends_the_fetch(small, host):
    server = small(file='"10 MiB"', more=f'fetch = {{ allow = {{ "{host.address}" }} }} drain = 1')
    answers = []

    def ask():
        with server.client(server.key("one")) as client:
            assert client.get("/v1/files").status == 200  # with it comes the description, which there is no time for later
            answers.append(client.post("/v1/files/upload/url", {"url": f"http://{host.address}/slow"}))

    thread = threading.Thread(target=ask)
    thread.start()
    assert host.slow_asked.wait(PATIENCE_S)
    assert server.stop() == 0
    thread.join()
    error_of(answers[0], 503, "shutting_down")
    assert blobs_of(server)[1] == []


def test_the_guard_stands_before_redirects(small, host):
    """Only that port is allowed: the address is checked anew at every step."""
    server = small(more=f'fetch = {{ allow = {{ "{host.address}" }} }}')
    with server.client(server.key("one")) as client:
        port = host.server.server_port
        for target in (f"http://127.0.0.1:{server.port}/healthz", "http://169.254.169.254/latest/meta-data",
                       f"http://[::1]:{port}/dir/ok.png?size=3", "file:///etc/passwd"):
            host.leads_to = target
            error_of(client.post("/v1/files/upload/url", {"url": f"http://{host.address}/moved"}), 422, "invalid_url", "url")
        host.leads_to = "/dir/ok.png?size=3"
        assert client.post("/v1/files/upload/url", {"url": f"http://{host.address}/moved"}).json()["size"] == len(png(20, 10))
    eventually(lambda: blobs_of(server)[1] == [])


# ---- how many at a time ----

def test_a_slow_account_does_not_hold_all_the_places(server):
    """Of seventy forms that never end sixty-four are taken."""
    key, other = server.key("slow-uploads"), server.key("quick-uploads")
    slow = []
    for _ in range(70):
        slow.append(Raw(server))
        slow[-1].send(f"POST /v1/files/upload/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
                      f"Content-Type: {FORM}\r\nContent-Length: {8 << 20}\r\n\r\n".encode() + part("file", "x", "x")[:-2])
    with server.client(key) as client, server.client(other) as quick:
        refused = eventually(lambda: (r := select.select([raw.socket for raw in slow], [], [], 0)[0])[5:] and r)
        for raw in [raw for raw in slow if raw.socket in refused]:
            answer = raw.response()
            assert error_of(answer, 429, "too_many_uploads")["type"] == "rate_limit_error"
            assert answer.headers["Retry-After"] == "1"
            slow.remove(raw)
            raw.__exit__()
        assert len(slow) == 64
        for way, body in (("base64", {"file_data": "eA=="}), ("url", {"url": "https://example.com/a"})):
            error_of(client.post(f"/v1/files/upload/{way}", body), 429, "too_many_uploads")
        assert client.get("/v1/files").status == 200
        uploaded(quick, "another's")
        slow.pop().__exit__()
        eventually(lambda: upload(client, "one more").status == 200)
        for raw in slow:
            raw.__exit__()


def test_a_download_goes_on_when_its_file_is_deleted(small):
    content = os.urandom(24 << 20)
    server = small(storage='"64 MiB"', file='"32 MiB"')
    with server.client(server.key("one")) as client:
        file = uploaded(client, content)
        path = file["url"].split(server.address, 1)[1]
        with Raw(server) as raw:
            raw.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
            assert raw.read_line() == b"HTTP/1.1 200 OK\r\n"
            assert client.request("DELETE", f"/v1/files/{file['id']}").status == 200
            assert fetch(server, file["url"]).status == 404
            eventually(lambda: blobs_of(server)[0] == set())
            length = int(http.client.parse_headers(raw.file)["Content-Length"])
            assert raw.file.read(length) == content


@pytest.mark.parametrize("body, message", [
    (b"p" * (3 << 20), "does not begin with its boundary"),
    (f"--{BOUNDARY}\r\n".encode() + b"X-A: b\r\n" * 400000, "header is too long"),
    (f"--{BOUNDARY}\r\nX-A: ".encode() + b"b" * (3 << 20), "header is too long"),
    (form(part("file", "a", "a")) + b"e" * (3 << 20), "something follows"),
    (form(*[part("file_name", "a")] * 30000), "more than once"),
    (form(*[part("q", "a")] * 30000), "no field q"),
])
def test_endless_forms_end_early(small, body, message):
    """In chunks, so that no length says it beforehand."""
    server = small(file='"10 MiB"')
    with server.client(server.key("one")) as client:
        pieces = (body[i:i + 65536] for i in range(0, len(body), 65536))
        answer = client.request("POST", "/v1/files/upload/stream", pieces, {"Content-Type": FORM})
        assert answer.status in (400, 422) and message in answer.error()["message"], answer
    eventually(lambda: blobs_of(server) == (set(), []))


# ---- an account's files ----

def test_the_list(server, client):
    ids = [uploaded(client, f"number {i}", f"{i}.txt")["id"] for i in range(7)]
    ids.reverse()
    whole = client.get("/v1/files").json()
    assert list(whole) == ["object", "data", "has_more", "next"] and whole["object"] == "list"
    assert [file["id"] for file in whole["data"]] == ids and whole["has_more"] is False and whole["next"] is None
    assert list(whole["data"][0]) == ["id", "filename", "url", "size", "created", "content_type", "expires"]
    assert fetch(server, whole["data"][0]["url"]).body == b"number 6"
    seen, after = [], ""
    for expected in (3, 3, 1):
        page = client.get(f"/v1/files?limit=3{after}").json()
        assert len(page["data"]) == expected and page["has_more"] == (expected == 3)
        seen += [file["id"] for file in page["data"]]
        after = f"&after={page['next']}"
        if seen == ids[:3]:
            client.request("DELETE", f"/v1/files/{ids[3]}")  # what is not the cursor's
            seen.append(ids[3])
            page = client.get(f"/v1/files?limit=3{after}").json()
            assert [file["id"] for file in page["data"]] == ids[4:7] and page["has_more"] is False
            break
    client.request("DELETE", f"/v1/files/{ids[4]}")  # the cursor itself: nothing is left out
    rest = [file["id"] for file in client.get(f"/v1/files?after={ids[4]}").json()["data"]]
    assert rest[-2:] == ids[5:]
    for query, code, param in (("limit=0", "out_of_range", "limit"), ("limit=101", "out_of_range", "limit"),
                               ("limit=x", "out_of_range", "limit"), ("after=x", "not_allowed_value", "after")):
        error_of(client.get(f"/v1/files?{query}"), 422, code, param)


def test_a_stranger_finds_nothing(server, client):
    file = uploaded(client, b"mine")
    with server.client(server.key("stranger-of-files")) as stranger:
        assert stranger.get("/v1/files").json()["data"] == []
        for answer in (stranger.get(f"/v1/files/{file['id']}"), stranger.get("/v1/files/file-1234567890-abcdef"),
                       stranger.get("/v1/files/x"), stranger.request("DELETE", f"/v1/files/{file['id']}")):
            error = error_of(answer, 404, "file_not_found")
            assert error["message"] == "There is no file with this id."
    assert client.get(f"/v1/files/{file['id']}").json()["filename"] == "a.bin"


def test_a_deleted_file_is_gone_whoever_has_its_bytes(server, client):
    first, second = uploaded(client, b"the same bytes"), uploaded(client, b"the same bytes")
    response = client.request("DELETE", f"/v1/files/{first['id']}")
    assert response.status == 200
    assert response.json() == {"id": first["id"], "object": "file", "deleted": True}
    error_of(fetch(server, first["url"]), 404, "file_not_found")
    error_of(client.request("DELETE", f"/v1/files/{first['id']}"), 404, "file_not_found")
    assert fetch(server, second["url"]).body == b"the same bytes"


def test_links_are_good_as_they_are_only(server, client):
    url, other = uploaded(client, b"a")["url"], uploaded(client, b"b")["url"]
    owner, signature = (re.search(f"{name}=.", url).group(0) for name in ("owner", "signature"))
    for change in ((owner, "owner=" + ("_" if owner[-1] != "_" else "A")), (r"expires=1", "expires=2"),
                   (signature, "signature=" + ("_" if signature[-1] != "_" else "A")),
                   (r"/content/", "/content/x"), (r"/file-[^/]*/", re.search(r"/file-[^/]*/", other).group(0))):
        changed = re.sub(change[0], change[1], url)
        assert changed != url
        error_of(fetch(server, changed), 404, "file_not_found")
    assert "account" not in url and fetch(server, url).status == 200


def test_files_outlive_a_restart(make_server):
    server = make_server(CONFIG)
    key = server.key("one")
    with server.client(key) as client:
        file = uploaded(client, b"to stay")
    assert server.stop() == 0
    server.start()
    with server.client(key) as client:
        assert client.get(f"/v1/files/{file['id']}").json()["size"] == 7
        path = file["url"][file["url"].index("/v1/"):]
        assert client.request("GET", path).body == b"to stay"


# ---- as parameters ----

FILM = {"model": "local-image-to-video", "duration": 1}


def test_a_file_is_a_parameter(server, client):
    """On whatever host; and for the task's whole life, even if it is deleted at once."""
    file = uploaded(client, png(160, 120), "fox.png")
    url = file["url"].replace(server.address, "files.example.com").replace("http:", "https:")
    task = client.submit(VIDEO, {**FILM, "image_url": url})
    client.request("DELETE", f"/v1/files/{file['id']}")
    task = client.finished(task["id"], 300)
    assert task["status"] == "completed", task
    assert client.download(task["results"][0]["url"]).headers["Content-Type"] == "video/mp4"
    error = error_of(client.post(VIDEO, {**FILM, "image_url": url}), 422, "invalid_url", "image_url")
    assert "no longer here" in error["message"]


def test_a_file_of_the_wrong_kind_is_no_parameter(client):
    file = uploaded(client, "words", "fox.png")
    error_of(client.post(VIDEO, {**FILM, "image_url": file["url"]}), 422, "invalid_url", "image_url")


def test_a_result_is_a_parameter(client):
    picture = client.completed(IMAGE, MODELS["local-image"].body("local-image"), 300)
    client.completed(VIDEO, {**FILM, "image_url": picture["results"][0]["url"]}, 300)


def test_test_keys_have_files(server):
    with server.client(server.key("tester-of-files", test=True)) as tester:
        urls = [uploaded(tester, png(300, 300), f"{i}.png")["url"] for i in range(2)]
        tester.completed(IMAGE, {"model": "phota-image-edit", "image_urls": urls, "prompt": "add a hat"})
        tester.request("DELETE", "/v1/files/" + urls[1].split("/")[5])
        error_of(tester.post(IMAGE, {"model": "phota-image-edit", "image_urls": urls, "prompt": "add a hat"}), 422,
                 "invalid_url", "image_urls[1]")


def test_an_expired_file_or_result_is_no_parameter(small):
    server = small(storage='"1 MiB"', file='"1 MiB"', ttl=1, more="results = { ttl = 1 }")
    with server.client(server.key("one", test=True)) as client:
        picture = client.completed(IMAGE, MODELS["phota-image"].body("phota-image"))
        urls = [picture["results"][0]["url"], uploaded(client, png(300, 300))["url"]]
        for url in urls:
            def refused():
                answer = client.post(VIDEO, {**FILM, "image_url": url, "dry_run": True})
                return answer if answer.status != 200 else None
            error_of(eventually(refused), 422, "invalid_url", "image_url")
