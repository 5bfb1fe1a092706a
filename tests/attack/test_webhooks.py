"""Webhooks that nobody sent, at a whole server: for each scheme of signatures, everything that is not the one good call is refused
and changes nothing, and the good one, sent after all of them, still counts. (Ed25519: tests/simulator/test_fal_webhooks.py.)"""
import base64
import hashlib
import hmac
import http.client
import json
import time

import pytest
from house import VIDEO, Server, eventually
from services import wire

SECRET, OTHER = "a-secret-of-24-bytes-or-more", "another-secret-of-24-bytes!!"
SCHEMES = {
    "standard": 'scheme = "standard"',
    "timestamped": 'scheme = "timestamped", header = "x-signature", version = "v1"',
    "keyed": 'scheme = "keyed", header = "x-webhook", member = "id"',
}
ADAPTER = """
local function step_of(body)
    return {{ id = body.id, status = body.state, output = body.state == "completed" and {{ said = body.said }} or nil }}
end
return {{
    url = "http://127.0.0.1:1", poll_first = 0.1, signature = {{ {signature} }},
    statuses = {{ processing = "processing", completed = "completed" }},
    auth = function(key) return {{ Authorization = key }} end,
    submit = function(task) return {{ post = "/submit", json = {{ url = task.callback_url }} }} end,
    accepted = function(reply) return step_of(reply.json) end,
    poll = function(job) return {{ get = "/poll" }} end, polled = function(reply) return step_of(reply.json) end,
    hook = function(event) return step_of(event.json) end,
}}
"""
MODEL = """model "said-by-{name}" {{ type = "video", summary = "x", estimated = 1, timeout = 600, price = per_call(1),
    params = {{ prompt = text{{ required }} }}, routes = {{ {name} = {{ target = "x" }} }},
    results = function(out) return {{ {{ said = out.said }} }} end }}
"""


class Service(wire.HttpServer):
    """Never says that a job is done: only a webhook can have told."""

    def __init__(self):
        self.url_given, self.asked = None, 0
        super().__init__()

    def handle(self, request):
        if request.path == "/submit":
            self.url_given = request.json()["url"]
        else:
            self.asked += 1
        return wire.Reply.of(200, {"id": "job-1", "state": "processing"})


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    service = Service()
    server = Server(tmp_path_factory.mktemp("hooks"), "", "".join(MODEL.format(name=name) for name in SCHEMES))
    (server.catalog / "providers").mkdir()
    for name, signature in SCHEMES.items():
        (server.catalog / "providers" / f"{name}.lua").write_text(ADAPTER.format(signature=signature))
    providers = ", ".join(f'{name} = {{ key = "k", url = "{service.url}", allow_private = true, hook_secret = "{SECRET}" }}'
                          for name in SCHEMES)
    server.configure(f'drain = 1 public_url = "http://{server.address}" providers = {{ {providers} }}')
    server.start()
    yield service, server, server.key("one", credits=100)
    server.close()
    service.stop()


def mac(secret, covered):
    return hmac.new(secret.encode(), covered, hashlib.sha256)


def signed(scheme, body, at=None, secret=SECRET, message="msg_1"):
    """The headers of a good call."""
    at = str(int(time.time()) if at is None else at)
    if scheme == "standard":
        signature = base64.b64encode(mac(secret, f"{message}.{at}.".encode() + body).digest()).decode()
        return [("webhook-id", message), ("webhook-timestamp", at), ("webhook-signature", "v1," + signature)]
    if scheme == "timestamped":
        return [("x-signature", f"t={at},v1={mac(secret, at.encode() + b'.' + body).hexdigest()}")]
    signature = base64.b64encode(mac(secret, json.loads(body)["id"].encode() + b"." + at.encode()).digest()).decode()
    return [("x-webhook-timestamp", at), ("x-webhook-signature", signature)]


def call(url, headers, body):
    host, path = url.removeprefix("http://").split("/", 1)
    connection = http.client.HTTPConnection(host, timeout=60)
    connection.putrequest("POST", "/" + path)
    for name, value in [*headers, ("Content-Type", "application/json"), ("Content-Length", str(len(body)))]:
        connection.putheader(name, value)
    connection.endheaders(body)
    status = connection.getresponse().status
    connection.close()
    return status


def flipped(text, at):
    """With another letter there; hexadecimal digits mean the same in either case."""
    return text[:at] + ("A" if text[at] not in "Aa" else "B") + text[at + 1:]


def forgeries(scheme, body):
    """What is wrong with each, its headers and its body."""
    now = int(time.time())
    good = signed(scheme, body, now)
    name, value = good[-1]
    yield "no headers", [], body
    yield "another secret", signed(scheme, body, secret=OTHER), body
    yield "an empty secret", signed(scheme, body, secret=""), body
    for apart in (-301, 400, -86400, 10 ** 10):  # what lies ahead comes nearer until it is judged
        yield f"{apart} s apart", signed(scheme, body, int(time.time()) + apart), body
    yield "a time that was not signed", [(n, v.replace(str(now), str(now - 1))) for n, v in good], body
    for at in (0, 3, len(value) // 2, len(value) - 3):
        yield f"a changed letter at {at}", good[:-1] + [(name, flipped(value, at))], body
    for kept in (0, 1, 4, len(value) - 4):
        yield f"{kept} letters of it", good[:-1] + [(name, value[:kept])], body
    yield "upper case", good[:-1] + [(name, value.upper().replace("V1", "v2"))], body
    yield "a forged one before it", good[:-1] + [(name, flipped(value, len(value) - 3)), (name, value)], body
    yield "an empty one before it", good[:-1] + [(name, ""), (name, value)], body
    if scheme != "keyed":  # which covers no more than the id
        yield "another body", good, body.replace(b"nobody", b"me")
        yield "a longer body", good, body + b" "
        yield "no body", good, b""
    else:
        yield "another job", good, body.replace(b"job-1", b"job-2")
        yield "no member", good, b"{}"


@pytest.mark.parametrize("scheme", SCHEMES)
def test_only_the_good_call_counts(world, scheme):
    service, server, key = world
    service.url_given, asked = None, service.asked
    with server.client(key) as client:
        task = client.submit(f"said-by-{scheme}", VIDEO, prompt="x")
        # Before its job is known and asked about, no word of its end would count.
        eventually(lambda: service.url_given is not None and service.asked > asked)
        body = json.dumps({"id": "job-1", "state": "completed", "said": "nobody knows"}).encode()
        tried = 0
        for what, headers, sent in forgeries(scheme, body):
            status = call(service.url_given, headers, sent)
            assert status == 401, (scheme, what, status)
            tried += 1
        assert tried >= 19 and client.status(task) == "processing"
        asked = service.asked
        assert call(service.url_given, signed(scheme, body), body) == 200
        if scheme == "keyed":  # its body is not covered, so the service is asked, and says otherwise
            while service.asked == asked:
                time.sleep(0.01)
            assert client.status(task) == "processing"
            assert client.request("POST", f"/v1/tasks/{task}/cancel").status in (200, 202)
        else:
            assert client.completed(task)["results"][0]["said"] == "nobody knows"
            other = body.replace(b"nobody knows", b"something else")
            assert call(service.url_given, signed(scheme, other), other) == 200  # late, and for nobody
            assert client.task(task)["results"][0]["said"] == "nobody knows"
