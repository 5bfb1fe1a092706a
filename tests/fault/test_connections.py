"""Clients that connect and say nothing, half a request or half a body, that reset what they have sent, that lie about lengths or
send a hundred megabytes: others are served meanwhile, memory stays bounded, every descriptor comes back.

FAULT_CONNECTIONS sets how many there are of each kind (default 300)."""
import base64
import contextlib
import http.client
import json
import os
import pathlib
import resource
import shutil
import socket
import struct
import subprocess
import time

import pytest

from faults import FILE, MAKER, Client, after, eventually, file_model

CONNECTIONS = int(os.environ.get("FAULT_CONNECTIONS", "300"))
RESETS = min(CONNECTIONS // 10, 300)  # of each kind of request
MB = 1 << 20
SUBMISSION = json.dumps({"model": "clip", "prompt": "half of it"}).encode()
KINDS = {
    "nothing": b"",
    "half a request": b"POST /v1/videos/generations HTTP/1.1\r\nHost: x\r\nX-Half",
    "half a body": b"POST /v1/videos/generations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"
                   b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n" + SUBMISSION,
}


@pytest.fixture(scope="module", autouse=True)
def many_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def status_line(process, name):
    return next(int(line.split()[1]) for line in open(f"/proc/{process.pid}/status", encoding="ascii")
                if line.startswith(name + ":"))


def resident_bytes(process):
    return status_line(process, "VmRSS") * 1024


def descriptors(process):
    return len(os.listdir(f"/proc/{process.pid}/fd"))


def taken_connections(server):
    """How many connections to its port the system still has, those apart that only wait for their time to pass."""
    lines = [line.split() for line in open("/proc/net/tcp", encoding="ascii").readlines()[1:]]
    return sum(1 for line in lines if int(line[1].split(":")[1], 16) == server.port and line[3] in ("01", "08"))


def connected(stage, data):
    connection = socket.create_connection(("127.0.0.1", stage.server.port), timeout=60)
    connection.sendall(data)
    return connection


def assert_served(stage):
    """A task from its submission to its file, and what else there is."""
    for task in stage.round():
        assert after.states(stage.server.data)[task] == (after.COMPLETED, "")


def quick_stage(make_stage, **settings):
    http_settings = ", ".join(f"{name} = {value}" for name, value in settings.items())
    stage = make_stage(speed=1)
    stage.server.configure(stage.server.settings.replace("http = { idle = 86400, request = 86400 }",
                                                         f"http = {{ {http_settings} }}"))
    # What is measured here is the server's memory, not what AddressSanitizer keeps of what was freed, 256 MB.
    stage.server.environment["ASAN_OPTIONS"] += ":quarantine_size_mb=16"
    return stage.start()


@pytest.mark.parametrize("kind", KINDS)
def test_half_open_connections_cost_little_and_are_ended(make_stage, kind):
    stage = quick_stage(make_stage, idle=5, request=5)
    assert_served(stage)
    data = KINDS[kind].replace(b"%s", stage.key.encode())
    files, memory = descriptors(stage.server.process), resident_bytes(stage.server.process)
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(connected(stage, data)) for _ in range(CONNECTIONS)]
        assert_served(stage)
        grown = resident_bytes(stage.server.process) - memory
        print(f"{CONNECTIONS} connections with {kind}: {grown // CONNECTIONS} bytes each")
        assert grown < 64 * MB + CONNECTIONS * 40 * 1024
        # Each is ended by the server, with or without words.
        for connection in held:
            with contextlib.suppress(ConnectionResetError):
                while connection.recv(65536):
                    pass
    eventually(lambda: descriptors(stage.server.process) <= files + 4)
    assert_served(stage)
    stage.settle()


# What is sent before the reset, by what it asks for: method, path, body. `{}` is a number of its own in each.
HELLO = {"model": "chatty", "max_tokens": 50, "messages": [{"role": "user", "content": "reset {}."}]}
FORM = (b'--abc\r\nContent-Disposition: form-data; name="file"; filename="{}.png"\r\n\r\n' +
        base64.b64decode(FILE) + b"\r\n--abc--\r\n")
ASKED = {
    "submission": ("POST", "/v1/videos/generations", {"model": "clip", "prompt": "reset {}."}),
    "chat": ("POST", "/v1/chat/completions", HELLO),
    "streamed chat": ("POST", "/v1/chat/completions", {**HELLO, "stream": True}),
    "language task": ("POST", "/v1/llm/generations", HELLO),
    "waiting language task": ("POST", "/v1/llm/generations", {**HELLO, "sync": True}),
    "streamed language task": ("POST", "/v1/llm/generations", {**HELLO, "sync": True, "stream": True}),
    "upload as base64": ("POST", "/v1/files/upload/base64", {"file_data": FILE, "file_name": "{}.png"}),
    "upload by URL": ("POST", "/v1/files/upload/url", {"url": "{fal}/files/{}.mp4"}),
    "upload as a form": ("POST", "/v1/files/upload/stream", FORM),
    "events": ("GET", "/v1/tasks/{task}/events", None),
    "stream": ("GET", "/v1/llm/generations/{talk}/stream", None),
    "result": ("GET", "{result}", None),
}
MICRO, ANSWER_MICRO = 10 ** 6, 11 * 3 + 7 * 15  # the price of what the service says it has read and said
CHARGED = ("submission", "chat", "streamed chat", "language task", "waiting language task", "streamed language task")


def written(stage, kind, number, places, headers=""):
    """The request's bytes."""
    method, path, body = ASKED[kind]
    body = body if isinstance(body, bytes) else json.dumps(body).encode() if body else b""
    for name, value in {"{}": str(number), "{fal}": stage.fal.url, **places}.items():
        path, body = path.replace(name, value), body.replace(name.encode(), value.encode())
    content_type = "multipart/form-data; boundary=abc" if body.startswith(b"--abc") else "application/json"
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {stage.key}\r\n{headers}"
    return f"{head}Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def send_and_reset(stage, data, number):
    """Some at once, some when the request may just have been read, some when the answer begins."""
    connection = connected(stage, data)
    if number % 3 == 1:
        time.sleep(0.002)
    if number % 3 == 2:
        connection.recv(1)
    reset(connection)


def places_of(stage, client):
    """What can be read: a task that runs, a stream that was said, a result."""
    talk = client.request("POST", "/v1/llm/generations", {**HELLO, "stream": True}).json()["id"]
    stage.kept.acknowledged[talk] = "chatty"
    made = stage.submit(client, "maker", "/v1/images/generations")
    stage.final(client, talk)
    url = stage.final(client, made)["results"][0]["url"]
    return {"{task}": made, "{talk}": talk, "{result}": url.split(stage.server.address)[1]}


def test_connections_that_are_reset_after_their_request(make_stage):
    """Whether their tasks were accepted nobody was told: each has ended all the same, once, and was sent once."""
    stage = quick_stage(make_stage, idle=60, request=60)
    assert_served(stage)
    files = descriptors(stage.server.process)
    with Client(stage.server, stage.key) as client:
        places = places_of(stage, client)
    for start, kind in enumerate(ASKED):
        with stage.told(f"{kind}, and a reset"):
            for number in range(start * RESETS, (start + 1) * RESETS):
                send_and_reset(stage, written(stage, kind, number, places), number)
            assert_served(stage)
    eventually(lambda: taken_connections(stage.server) == 0)
    eventually(lambda: descriptors(stage.server.process) <= files + 4)
    stage.settle()
    sent = [len(stage.chat.calls_with(f'"reset {number}."')) for number in range(len(ASKED) * RESETS)]
    assert max(sent) == 1, "an answer was asked for twice"
    print(f"{len(after.states(stage.server.data))} tasks were accepted, {sum(sent)} answers asked for")


def charges(stage):
    """What each task took of the account, by the ledger."""
    return {task: -amount for task, amount in after.rows(
        stage.server.data, "SELECT task, sum(microcredits) FROM ledger WHERE task <> '' GROUP BY task")}


def repeated(stage, kind, number):
    """The task of a request that is cut off, cut off again, and then heard, twice."""
    request = written(stage, kind, number, {}, f"Idempotency-Key: reset-{number}\r\n")
    for again in range(3):
        send_and_reset(stage, request, number + again)
    answers = [whole_answer(stage, request) for _ in range(2)]
    assert {answer.status for answer in answers} == {200}, answers
    assert answers[1].getheader("Idempotent-Replayed") == "true"
    task, = {answer.getheader("X-Task-Id") or json.loads(answer.said)["id"] for answer in answers}
    stage.kept.acknowledged[task] = kind
    return task


def test_the_same_again_after_a_reset_is_the_same_task(make_stage):
    """Under its Idempotency-Key, however often the answer is cut off: made once, paid once."""
    stage = quick_stage(make_stage, idle=60, request=60)
    count = max(RESETS // 10, 3)
    tasks = {kind: {repeated(stage, kind, start * count + number) for number in range(count)}
             for start, kind in enumerate(CHARGED)}
    with Client(stage.server, stage.key) as client:
        for task in stage.kept.acknowledged:
            assert stage.final(client, task)["status"] == "completed"
    stage.settle()
    assert set(after.states(stage.server.data)) == set(stage.kept.acknowledged)
    paid = charges(stage)
    assert {kind: [paid[task] for task in tasks[kind]] for kind in CHARGED} == {
        kind: [5 * MICRO if kind == "submission" else ANSWER_MICRO] * count for kind in CHARGED}
    assert len(stage.fal.jobs) == count and stage.chat.journal.count("chat") == count * (len(CHARGED) - 1)


def whole_answer(stage, request):
    with connected(stage, request) as connection:
        response = http.client.HTTPResponse(connection, method="POST")
        response.begin()
        response.said = response.read()
        return response


# Method, path, whether a key is needed, the content type.
ROUTES = {
    "submission": ("POST", "/v1/videos/generations", True, "application/json"),
    "chat": ("POST", "/v1/chat/completions", True, "application/json"),
    "language task": ("POST", "/v1/llm/generations", True, "application/json"),
    "upload as base64": ("POST", "/v1/files/upload/base64", True, "application/json"),
    "upload by URL": ("POST", "/v1/files/upload/url", True, "application/json"),
    "cancel": ("POST", "/v1/tasks/task-unified-1757165031-uyujaw3d/cancel", True, "application/json"),
    "query": ("GET", "/v1/tasks/task-unified-1757165031-uyujaw3d", True, "application/json"),
    "webhook": ("POST", "/v1/hooks/none", False, "application/json"),
    "no route": ("POST", "/v1/nowhere", False, "application/json"),
    "no key": ("POST", "/v1/videos/generations", False, "application/json"),
    "form": ("POST", "/v1/files/upload/stream", True, "multipart/form-data; boundary=abc"),
}
FRAMINGS = ("length", "chunked", "shorter than its length")


def send_large(stage, route, framing):
    """How it was answered, and how much had been sent by then: it goes on sending until somebody stops it."""
    method, path, keyed, content_type = ROUTES[route]
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\n"
    head += f"Authorization: Bearer {stage.key}\r\n" if keyed else ""
    head += "Transfer-Encoding: chunked\r\n\r\n" if framing == "chunked" else f"Content-Length: {100 * MB}\r\n\r\n"
    sent = 0
    with connected(stage, head.encode()) as connection:
        piece = b"10000\r\n" + b" " * 65536 + b"\r\n" if framing == "chunked" else b" " * 65536
        most = 5 * 65536 if framing == "shorter than its length" else 100 * MB
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.settimeout(0)
            while sent < most:
                try:
                    sent += connection.send(piece[sent % len(piece):])
                except BlockingIOError:
                    connection.settimeout(60)
                    if select_readable(connection):
                        break
                    connection.settimeout(0)
        connection.settimeout(60)
        if sent >= most:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_WR)
        response = http.client.HTTPResponse(connection, method=method)
        try:
            response.begin()
            return response.status, sent, response.read()
        except (OSError, http.client.HTTPException):
            return None, sent, b""


def select_readable(connection):
    """Whether something has come, after a moment in which it may take more."""
    with contextlib.suppress(TimeoutError, BlockingIOError):
        connection.settimeout(0.05)
        return bool(connection.recv(1, socket.MSG_PEEK)) or True
    return False


def test_a_hundred_megabytes_are_refused_early_everywhere(make_stage):
    stage = quick_stage(make_stage, idle=20, request=20)
    assert_served(stage)
    memory, found = resident_bytes(stage.server.process), {}
    for framing in FRAMINGS:
        for route in ROUTES:
            status, sent, body = send_large(stage, route, framing)
            found[route, framing] = (status, sent)
            if body and status != 200:
                stage.check(type("Answer", (), {"status": status, "json": lambda self, b=body: json.loads(b),
                                                "headers": {"X-Request-Id": "-", "Retry-After": "1"}})(), route)
    print(found)
    assert {key: value for key, value in found.items() if value[0] not in (None, 400, 401, 404, 413, 422)} == {}
    refused = {key: value for key, value in found.items() if key[1] == "length" and key[0] != "form"}
    assert {key: value for key, value in refused.items() if value[0] not in (401, 404, 413)} == {}
    assert max(sent for _, sent in refused.values()) < 16 * MB
    grown = resident_bytes(stage.server.process) - memory
    print(f"grown by {grown // 1024} KiB")
    assert grown < 150 * MB
    assert_served(stage)
    stage.settle()


# What a slow client does, to which place, and how to see on the server's side that it is held up by it. slowhttptest has no
# option for headers: its content type ends with ours, and with the beginning of a form, whose file the rest is.
SIGNED, FORMS, SUBMISSIONS = "{file}", "/v1/files/upload/stream", "/v1/videos/generations"
SLOW = {
    "slow headers": (["-H"], "/v1/models", "open"), "slow body of nobody": (["-B"], "/v1/models", "open"),
    "slow upload": (["-B", "-s", "100000", "-f", "multipart/form-data; boundary=abc{key}\r\n\r\n--abc\r\n"
                     'Content-Disposition: form-data; name="file"; filename="a"\r\n\r\n'], FORMS, "uploads"),
    "slow submission": (["-B", "-s", "100000", "-f", "application/json{key}"], SUBMISSIONS, "bodies"),
    "ranges": (["-R", "-t", "GET", "-b", "500"], SIGNED, "open"),
    "slow read": (["-X", "-w", "1", "-y", "10", "-n", "1", "-z", "8"], SIGNED, "unread"),
}
LARGE = MAKER.replace("echo 'result", "head -c 8388608 /dev/zero >>out.png\necho 'result").replace("out.png", "out.bin")


def unread_connections(server):
    """How many have bytes on the way that nobody takes."""
    lines = [line.split() for line in open("/proc/net/tcp", encoding="ascii").readlines()[1:]]
    return sum(1 for line in lines if int(line[1].split(":")[1], 16) == server.port and int(line[4].split(":")[0], 16) > 0)


def files_without_names(server):
    """Blobs in the making."""
    links = pathlib.Path(f"/proc/{server.process.pid}/fd").iterdir()
    return sum(1 for link in links if str(server.data / "blobs") in link_target(link))


def link_target(link):
    with contextlib.suppress(OSError):
        return os.readlink(link)
    return ""


def held_up(stage, client):
    """What slow clients keep, by its name in SLOW."""
    numbers = {line.split()[0]: float(line.split()[1]) for line in client.get("/metrics").body.decode().splitlines()
               if not line.startswith("#")}
    return {"open": numbers["fennec_http_connections"] - 2, "bodies": numbers["fennec_http_body_bytes"],
            "uploads": files_without_names(stage.server), "unread": unread_connections(stage.server)}


@pytest.mark.skipif("FAULT_ROUNDS" not in os.environ or shutil.which("slowhttptest") is None,
                    reason="on demand, and slowhttptest must be installed: script/test faults-all")
@pytest.mark.parametrize("mode", SLOW)
def test_slowhttptest(make_stage, mode):
    stage = quick_stage(make_stage, idle=10, request=10)
    stage.server.command("large", LARGE)
    stage.server.models(file_model("large"), "large")
    assert stage.server.reload()
    assert_served(stage)
    options, path, held = SLOW[mode]
    slow = stage.server.key("slow", credits=1000)
    with Client(stage.server, stage.key) as client:
        large = stage.final(client, stage.submit(client, "large", "/v1/images/generations"))["results"][0]["url"]
        assert len(client.download(large).body) > 8 * MB
        place = large if path == SIGNED else f"http://{stage.server.address}{path}"
        options = [option.replace("{key}", f"\r\nAuthorization: Bearer {slow}") for option in options]
        files, memory = descriptors(stage.server.process), resident_bytes(stage.server.process)
        command = ["slowhttptest", *options, "-c", str(CONNECTIONS), "-r", "500", "-l", "8", "-i", "2", "-p", "5", "-u", place]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            rounds = most = 0
            while process.poll() is None:
                assert_served(stage)
                most = max(most, held_up(stage, client)[held])
                rounds += 1
            said = process.stdout.read()
        print(f"{mode}: {rounds} rounds of tasks beside {CONNECTIONS} connections, {most} {held}; {said[-300:]}")
        assert rounds > 0 and most > 0, "nobody was slow"
        eventually(lambda: descriptors(stage.server.process) <= files + 4)
        assert resident_bytes(stage.server.process) - memory < 64 * MB + CONNECTIONS * 40 * 1024
        assert client.get("/healthz").status == 200
    stage.settle()
