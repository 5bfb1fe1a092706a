"""POST /v1/hooks/{token}: what a service that calls us hears, as far as no attempt is under way."""
import base64
import hashlib
import hmac
import json
import socket
import sqlite3

import pytest

from client import eventually

TASK = "task-unified-1757165031-uyujaw3d"


def secret_of(server):
    with sqlite3.connect(f"file:{next(server.data.glob('*.db'))}?mode=ro", uri=True) as database:
        return database.execute("SELECT value FROM meta WHERE name = 'secret'").fetchone()[0]


def address(server, account=1, number=1, task=TASK):
    """A URL as the server gives them to services."""
    content = f"{account}.{number}.{task}".encode()
    mac = hmac.new(secret_of(server), b"fennec webhook\n" + content, hashlib.sha256).digest()[:16]
    return "/v1/hooks/" + base64.urlsafe_b64encode(mac + content).decode().rstrip("=")


def outcomes(client):
    lines = client.get("/metrics").body.decode().splitlines()
    return {line.split('"')[1]: int(line.split()[-1]) for line in lines if line.startswith("fennec_hooks_total{")}


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/x-www-form-urlencoded", "nonsense", None])
@pytest.mark.parametrize("body", [b'{"status":"OK"}', b"", b"\xff\x00", b"a=b", b"{" * 1000])
def test_a_call_for_no_live_attempt_is_taken_and_ignored(server, anyone, kind, body):
    before = outcomes(anyone)
    response = anyone.post(address(server) + "?a=1", body, {"Content-Type": kind} if kind else {})
    assert (response.status, response.json()) == (200, {})
    assert outcomes(anyone)["ignored"] == before["ignored"] + 1


def test_addresses_that_we_did_not_make_are_nowhere(server, anyone):
    good = address(server)
    before = outcomes(anyone)
    bad = ["/v1/hooks/x", good[:-1], good + "A", good[:11] + ("A" if good[11] != "A" else "B") + good[12:],
           "/v1/hooks/" + "A" * 3000, "/v1/hooks/" + "a" * 60, good.replace("/v1/hooks/", "/v1/hooks/%20"), good + "%3D"]
    for path in bad:
        response = anyone.post(path, b"{}")
        assert response.status == 404 and response.error()["code"] == "route_not_found", path
    assert outcomes(anyone)["unknown"] == before["unknown"] + len(bad)


def test_only_post(server, anyone):
    for method in ("GET", "PUT", "DELETE"):
        response = anyone.request(method, address(server))
        assert response.status == 405 and response.headers["Allow"] == "POST, OPTIONS"


def announce(server, path, length):
    """The start of the answer when that many bytes are announced and none is sent."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode())
        return connection.recv(65536)


def test_a_body_has_a_limit(server, anyone):
    assert anyone.post(address(server), b"x" * (1 << 20)).status == 200
    assert announce(server, address(server), (1 << 20) + 1).startswith(b"HTTP/1.1 413 ")


def test_a_strangers_body_is_not_waited_for(server):
    assert announce(server, "/v1/hooks/x", 1000000).startswith(b"HTTP/1.1 404 ")


def test_headers_have_a_limit(server, anyone):
    response = anyone.post(address(server), b"{}", {f"X-{number}": "x" for number in range(130)})
    assert response.status == 431 and response.error()["code"] == "headers_too_large"


def test_addresses_are_not_logged(make_server):
    one = make_server('log = { format = "json", level = "debug" }')
    with one.client() as client:
        path = address(one)
        assert client.post(path, b'{"a-secret":"body"}', {"Webhook-Signature": "v1,a-secret-signature"}).status == 200
        assert client.get(path).status == 405
        assert client.post(path + "%zz", b"{}").status == 400
        assert client.post(path[:-1], b"{}").status == 404
    assert one.stop() == 0
    log = one.log.read_text()
    for word in (path[10:40], "a-secret"):
        assert word not in log
    paths = [json.loads(line).get("path") for line in log.splitlines()]
    assert paths.count("/v1/hooks/{token}") == 4


def test_a_server_that_stops_takes_none(make_server, gated, tmp_path):
    one = make_server(gated + "drain = 600")
    path, key, gate = address(one), one.key("someone", credits=10), tmp_path / "gate"
    with one.client(key) as client, one.client() as service:
        assert service.post(path, b"{}").status == 200
        task = client.submit("/v1/images/generations", {"model": "gated", "prompt": str(gate)})
        eventually(lambda: client.task(task["id"])["status"] == "processing")  # the stop waits for it
        one.process.terminate()
        while (response := service.post(path, b"{}")).status == 200:
            pass
        gate.touch()
        assert response.status == 503 and response.headers["Retry-After"]
        assert response.error()["code"] == "shutting_down"
