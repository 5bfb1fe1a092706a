"""Too much at a time: what cannot be taken is refused early, what costs little goes on, and afterwards all is well."""
import base64
import json
import os
import re
import select
import socket
import sqlite3
import struct
import time
import zlib

from client import PATIENCE_S, Raw, eventually
from conftest import PATIENT
from test_local_models import png

IMAGE = "/v1/images/generations"
FOREVER = {"model": "phota-image", "prompt": "fennec:never"}
MIB = 1 << 20


def early_answer(server, key, path, announced):
    """What is answered to a head that announces a body, of which nothing is sent."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as sock:
        sock.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
                     f"Content-Type: application/json\r\nContent-Length: {announced}\r\n\r\n".encode())
        answer = b""
        while piece := sock.recv(65536):
            answer += piece
    return answer.decode()


def shed(server):
    with server.client() as client:
        text = client.get("/metrics").body.decode()
    return int(re.search(r"^fennec_submissions_shed_total (\d+)$", text, re.M).group(1))


def test_beyond_the_open_tasks_a_submission_is_refused_before_its_body(make_server):
    server = make_server("limits = { open_tasks = 2 }\ngroups = { default = { requests_per_minute = 10 } }\n")
    key = server.key("studio", test=True)
    with server.client(key) as client, server.client() as nobody:
        began = time.monotonic()
        tasks = [client.submit(IMAGE, FOREVER)["id"] for _ in range(2)]
        for path in (IMAGE, "/v1/llm/generations", "/v1/chat/completions"):
            answer = early_answer(server, key, path, 3 * MIB)
            assert answer.startswith("HTTP/1.1 503 ") and "\r\nRetry-After: 1\r\n" in answer, answer
            assert json.loads(answer.split("\r\n\r\n", 1)[1])["error"]["code"] == "overloaded"
        assert shed(server) == 3
        # What costs little goes on, and the refused ones took nothing of the ten a minute: one comes back in six seconds.
        query = client.get(f"/v1/tasks/{tasks[0]}")
        assert query.status == 200 and 7 <= int(query.headers["RateLimit-Remaining"]) <= 7 + (time.monotonic() - began) / 6
        assert nobody.get("/healthz").status == 200
        assert client.post(f"/v1/tasks/{tasks[0]}/cancel").status == 200
        eventually(lambda: client.post(IMAGE, FOREVER).status == 200)
        for path in (IMAGE, "/v1/chat/completions"):
            assert early_answer(server, key, path, 3 * MIB).startswith("HTTP/1.1 503 ")


# ---- large bodies ----

def peak_bytes(server):
    status = open(f"/proc/{server.process.pid}/status", encoding="ascii").read()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) * 1024


def held_bytes(server):
    with server.client() as client:
        return int(re.search(r"^fennec_http_body_bytes (\d+)$", client.get("/metrics").body.decode(), re.M).group(1))


def noise(size):
    """A picture of so many bytes that nothing makes smaller, each another."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    picture = png(64, 64)
    return picture[:-12] + chunk(b"teXt", b"Comment\0" + os.urandom(size)) + picture[-12:]


class Slow:
    """A submission with a picture inside, of which the last byte is still to come."""

    def __init__(self, server, key, body):
        self.raw, self.last = Raw(server), body[-1:]
        self.raw.send(f"POST {IMAGE} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
                      f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body[:-1])

    def answered(self):
        return select.select([self.raw.socket], [], [], 0)[0] != []

    def finish(self):
        self.raw.send(self.last)
        with self.raw:
            return self.raw.response()


def test_large_bodies_at_a_time_do_not_take_more_memory_than_they_may(make_server, monkeypatch):
    """Bodies held are bounded by eight times limits.body: what comes in then is kept, stored and answered, all else is
    refused, and each is held at most as the body, as JSON and as what is stored."""
    monkeypatch.setenv("ASAN_OPTIONS", "quarantine_size_mb=1")
    server = make_server(PATIENT + 'limits = { body = "1 MiB" }\ngroups = { default = { requests_per_minute = 0 } }\n')
    key = server.key("studio", test=True)

    def body():
        picture = "data:image/png;base64," + base64.b64encode(noise(MIB // 2)).decode()
        return json.dumps({"model": "phota-image-edit", "prompt": "a hat", "image_urls": [picture]}).encode()

    with server.client(key) as client:
        assert client.post(IMAGE, body(), {"Content-Type": "application/json"}).status == 200
        before, most = peak_bytes(server), 8 * MIB
        slow, sent = [], 0
        for _ in range(20):
            slow.append(Slow(server, key, body()))
            sent += len(body()) - 1
            eventually(lambda: slow[-1].answered() or held_bytes(server) >= min(sent, most - MIB))
            assert held_bytes(server) <= most
        refused = eventually(lambda: len(found := [one for one in slow if one.answered()]) >= 3 and found)
        kept = [one for one in slow if one not in refused]
        assert client.get("/v1/models").status == 200 and client.get("/healthz").status == 200
        for one in refused:
            with one.raw:
                answer = one.raw.response()
            assert answer.status == 503 and answer.error()["code"] == "overloaded", answer
            assert answer.headers["Retry-After"] == "1"
        answers = [one.finish() for one in kept]  # the last of them may have been refused just now
        assert all(answer is None or answer.status in (200, 503) for answer in answers), answers
        answers = [answer for answer in answers if answer is not None and answer.status == 200]
        assert len(answers) >= 8
        assert peak_bytes(server) - before < 3 * most + 64 * MIB, (before, peak_bytes(server))
        # And all is well again.
        eventually(lambda: held_bytes(server) == 0)
        assert client.post(IMAGE, body(), {"Content-Type": "application/json"}).status == 200
        for answer in answers:
            assert client.finished(answer.json()["id"])["status"] == "completed"


def test_many_small_values_do_not_take_more_memory_than_a_large_body(make_server, monkeypatch):
    """Two bytes of JSON can be some hundred in memory."""
    monkeypatch.setenv("ASAN_OPTIONS", "quarantine_size_mb=1")
    server = make_server()
    body = b'{"model":"phota-image","prompt":[' + b"{}," * (8 * MIB // 3) + b"{}]}"
    with server.client(server.key("studio", test=True)) as client:
        client.submit(IMAGE, {"model": "phota-image", "prompt": "a fox"})
        before = peak_bytes(server)
        for path in (IMAGE, "/v1/chat/completions", "/v1/files/upload/base64"):
            answer = client.post(path, body, {"Content-Type": "application/json"})
            assert answer.status == 400 and answer.error()["code"] == "invalid_json", answer
            assert "more than 100000 values" in answer.error()["message"]
        assert peak_bytes(server) - before < 64 * MIB, (before, peak_bytes(server))


# ---- what waits for the disk ----

def test_a_store_that_is_held_up_refuses_and_recovers(make_server):
    """Another process keeps the database locked, longer than the writer waits."""
    server = make_server()
    with server.client(server.key("studio", test=True)) as client:
        first = client.submit(IMAGE, {"model": "phota-image", "prompt": "a fox"})["id"]
        client.finished(first)
        other = sqlite3.connect(next(server.data.glob("*.db")), isolation_level=None, timeout=PATIENCE_S)
        other.execute("BEGIN IMMEDIATE")
        answer = client.post(IMAGE, {"model": "phota-image", "prompt": "a fox"})
        assert answer.status == 503 and answer.error()["code"] == "storage_unavailable", answer
        assert answer.headers["Retry-After"] == "10"
        assert client.task(first)["status"] == "completed"
        other.execute("ROLLBACK")
        other.close()
        eventually(lambda: client.post(IMAGE, {"model": "phota-image", "prompt": "a fox"}).status == 200)
