"""Too much at a time: what cannot be taken is refused early, what costs little goes on, and afterwards all is well."""
import json
import re
import socket
import threading

from client import Client, eventually

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
        tasks = [client.submit(IMAGE, FOREVER)["id"] for _ in range(2)]
        for path in (IMAGE, "/v1/llm/generations", "/v1/chat/completions"):
            answer = early_answer(server, key, path, 3 * MIB)
            assert answer.startswith("HTTP/1.1 503 ") and "\r\nRetry-After: 1\r\n" in answer, answer
            assert json.loads(answer.split("\r\n\r\n", 1)[1])["error"]["code"] == "overloaded"
        assert shed(server) == 3
        # What costs little goes on, and the refused ones took nothing of the ten a minute.
        query = client.get(f"/v1/tasks/{tasks[0]}")
        assert query.status == 200 and query.headers["RateLimit-Remaining"] == "7"
        assert nobody.get("/healthz").status == 200
        assert client.post(f"/v1/tasks/{tasks[0]}/cancel").status == 200
        eventually(lambda: client.post(IMAGE, FOREVER).status == 200)
        for path in (IMAGE, "/v1/chat/completions"):
            assert early_answer(server, key, path, 3 * MIB).startswith("HTTP/1.1 503 ")


def peak_bytes(server):
    status = open(f"/proc/{server.process.pid}/status").read()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) * 1024


def hammer(server, key, body, times, statuses):
    for _ in range(times):
        with Client(server.address, key) as client:
            try:
                statuses.append(client.post("/v1/llm/generations", body, {"Content-Type": "application/json"}).status)
            except OSError:  # cut off in the middle of the body, the answer lost with the connection
                statuses.append(0)


def test_large_bodies_at_a_time_do_not_take_more_memory_than_they_may(make_server, monkeypatch):
    """Bodies held are bounded by eight times limits.body; each is held at most as the body, as JSON and as what is stored."""
    monkeypatch.setenv("ASAN_OPTIONS", "quarantine_size_mb=1")
    server = make_server('limits = { body = "4 MiB" }\ngroups = { default = { requests_per_minute = 0 } }\n')
    key = server.key("studio", test=True)
    body = json.dumps({"model": "no-such-model", "messages": [{"role": "user", "content": "x" * (2 * MIB)}]})
    before = peak_bytes(server)
    statuses = []
    threads = [threading.Thread(target=hammer, args=(server, key, body, 4, statuses)) for _ in range(64)]
    for thread in threads:
        thread.start()
    with server.client(key) as client:  # what costs little goes on
        while any(thread.is_alive() for thread in threads):
            assert client.get("/v1/models").status == 200 and client.get("/healthz").status == 200
    for thread in threads:
        thread.join()
    assert len(statuses) == 256 and set(statuses) <= {422, 503, 0} and 422 in statuses
    assert peak_bytes(server) - before < 3 * 8 * 4 * MIB + 64 * MIB, (before, peak_bytes(server))
    with server.client(key) as client:
        assert client.post(IMAGE, FOREVER).status == 200
        text = client.get("/metrics").body.decode()
        assert re.search(r"^fennec_http_body_bytes (\d+)$", text, re.M)
