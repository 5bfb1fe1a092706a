"""The simulated fal speaks the real protocol: fal's own client takes it for the real thing. What that client never asks
for is asked for here by hand."""
import http.client
import json
import socket
import threading

import pytest

from clients import talk
from services import cdn, clock, fal, fal_webhook, files, service, wire

MODEL = "bytedance/seedance-2.0/text-to-video"
INPUT = {"prompt": "A paper boat"}


@pytest.fixture
def make_fal():
    made = []

    def make(steps=None, **options):
        made.append(fal.FalService(service.Script(steps), **options))
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture(scope="module")
def client():
    """Has fal's client do something; gives its value, or its error."""
    with talk.open_client("fal") as fals:
        yield lambda fal_service, command, key="fake-key", **argument: fals(fal_service.url, command, key, **argument)


def ask(fal_service, method, path, body=None, key="fake-key"):
    connection = http.client.HTTPConnection(fal_service.host, fal_service.port, timeout=30)
    connection.request(method, path, json.dumps(body) if body is not None else None,
                       {"Authorization": "Key " + key} if key else {})
    response = connection.getresponse()
    data = response.read()
    connection.close()
    return response.status, (json.loads(data) if "json" in response.getheader("Content-Type", "") else data)


def answers(service_, kind):
    """The status of each, once all are out: its client may have read one before the journal has it."""
    return [service_.journal.wait_over(entry).status for entry in service_.journal.of(kind)]


# -- fal's own client

@pytest.mark.parametrize("mode", ["polling", "streaming"])
def test_the_client_subscribes_until_the_result(client, make_fal, mode):
    service_ = make_fal({"poll": ["queued", "running", "completed"]})
    said = client(service_, "subscribe", model=MODEL, input=INPUT, mode=mode)["value"]
    job = next(iter(service_.jobs))
    assert said["result"]["data"] == {"video": {"url": f"{service_.url}/files/{job}.mp4", "content_type": "video/mp4",
                                                "file_name": "film.mp4"}, "seed": 42}
    assert said["result"]["requestId"] == job
    statuses = [update["status"] for update in said["updates"]]
    assert sorted(set(statuses), key=statuses.index) == ["IN_QUEUE", "IN_PROGRESS", "COMPLETED"], statuses
    assert all("queue_position" in u if u["status"] == "IN_QUEUE" else "logs" in u for u in said["updates"])


def test_the_client_submits_asks_and_fetches(client, make_fal):
    service_ = make_fal({"poll": ["queued 3", "running", "completed"]})
    job = client(service_, "submit", model=MODEL, input=INPUT, webhookUrl="http://127.0.0.1:1/hook?a=b")["value"]
    assert job["status"] == "IN_QUEUE" and job["queue_position"] == 0
    made = service_.jobs[job["request_id"]]
    assert (made.model, made.input, made.webhook) == (MODEL, INPUT, "http://127.0.0.1:1/hook?a=b")
    asked = {"model": MODEL, "requestId": job["request_id"]}
    early = client(service_, "result", **asked)["error"]
    assert (early["status"], early["body"]) == (400, {"detail": "Request is still in progress"})
    said = [client(service_, "status", **asked)["value"] for _ in range(3)]
    assert [one["status"] for one in said] == ["IN_QUEUE", "IN_PROGRESS", "COMPLETED"]
    assert said[0]["queue_position"] == 3 and said[1]["logs"][0]["message"] == "one step more"
    assert answers(service_, "poll") == [202, 202, 200]
    assert client(service_, "result", **asked)["value"]["data"]["seed"] == 42


@pytest.mark.parametrize("step, status, error", [
    ("queued 1", 200, None), ("running", 202, None), ("completed", 400, "ALREADY_COMPLETED"),
])
def test_the_client_cancels(client, make_fal, step, status, error):
    service_ = make_fal({"poll": [step]})
    job = client(service_, "submit", model=MODEL, input=INPUT)["value"]["request_id"]
    client(service_, "status", model=MODEL, requestId=job)
    said = client(service_, "cancel", model=MODEL, requestId=job)
    assert answers(service_, "cancel") == [status]
    assert (said["error"]["body"]["status"] if error else said["value"]) == (error or "cancelled")


def test_the_client_is_told_that_a_job_to_cancel_is_not_there(client, make_fal):
    said = client(make_fal(), "cancel", model=MODEL, requestId="no-such-job")["error"]
    assert (said["status"], said["body"]) == (404, {"status": "NOT_FOUND"})


def test_the_client_reads_a_models_own_error_from_the_result(client, make_fal):
    detail = [{"loc": ["body", "prompt"], "msg": "It was refused.", "type": "content_policy_violation"}]
    service_ = make_fal({"poll": ["completed"], "result": ["failed 422 " + json.dumps({"detail": detail})]})
    said = client(service_, "subscribe", model=MODEL, input=INPUT)["error"]
    assert (said["name"], said["status"], said["fieldErrors"]) == ("ValidationError", 422, detail)
    assert [job.ended for job in service_.jobs.values()] == ["failed"]


def test_the_client_is_refused_without_a_valid_key(client, make_fal):
    said = client(make_fal(), "submit", key="another-key", model=MODEL, input=INPUT)["error"]
    assert said["status"] == 401 and said["body"]["detail"].startswith("Cannot access application")


def test_the_client_tries_again_where_the_real_service_would_have_it_do_so(client, make_fal):
    service_ = make_fal({"submit": ["503", "accepted"], "poll": ["completed"]})
    assert client(service_, "subscribe", model=MODEL, input=INPUT)["value"]["result"]["data"]["seed"] == 42
    assert answers(service_, "submit") == [503, 200]


def test_the_client_uploads_and_reads_back(client, make_fal):
    service_ = make_fal()
    url = client(service_, "upload", text="hello", type="text/plain")["value"]
    assert ask(service_, "GET", url.removeprefix(service_.url), key=None) == (200, b"hello")


# -- by hand

def submitted(service_, model=MODEL, webhook=""):
    return ask(service_, "POST", f"/{model}{webhook}", INPUT)[1]


def test_jobs_are_found_below_the_app_and_below_the_full_name(make_fal):
    service_ = make_fal({"poll": ["completed"]})
    job = submitted(service_)
    assert job["status_url"] == f"{service_.url}/bytedance/seedance-2.0/requests/{job['request_id']}/status"
    for place in ("bytedance/seedance-2.0", MODEL):
        below = f"/{place}/requests/{job['request_id']}"
        assert ask(service_, "GET", below + "/status")[0] == 200
        assert ask(service_, "GET", below) == ask(service_, "GET", below + "/response")
    assert ask(service_, "GET", f"/bytedance/other/requests/{job['request_id']}/status") == (404, {"status": "NOT_FOUND"})


@pytest.mark.parametrize("size, kept_s", [(10, fal.KEPT_S), (fal.LARGE_BYTES, fal.KEPT_LARGE_S)])
def test_results_vanish_after_their_time(make_fal, size, kept_s):
    time = clock.Clock(3600)
    service_ = make_fal({"poll": ["completed"], "result": ["200 " + json.dumps({"text": "x" * size})]}, time=time)
    job = submitted(service_)
    path = job["response_url"].removeprefix(service_.url)
    assert ask(service_, "GET", path + "/status")[0] == 200
    ended_s = service_.jobs[job["request_id"]].ended_at
    while time.passed_s() <= ended_s + kept_s:
        status, _ = ask(service_, "GET", path)
        assert status == 200 or time.passed_s() > ended_s + kept_s
    assert ask(service_, "GET", path) == (404, {"detail": "Request not found"})


def test_completed_may_carry_an_error(make_fal):
    service_ = make_fal({"poll": ["completed runner_disconnected The runner died."]})
    status, body = ask(service_, "GET", submitted(service_)["status_url"].removeprefix(service_.url))
    assert (status, body["status"], body["error_type"], body["error"]) == (
        200, "COMPLETED", "runner_disconnected", "The runner died.")
    assert not next(iter(service_.jobs.values())).may_cost()


class Receiver(wire.HttpServer):
    """Takes webhooks."""

    def __init__(self):
        self.taken, self.came = [], threading.Semaphore(0)
        super().__init__()

    def handle(self, request):
        self.taken.append(request)
        self.came.release()
        return wire.Reply(204)


def test_webhooks_come_at_the_end_and_are_signed(make_fal):
    receiver = Receiver()
    service_ = make_fal(webhooks=1)
    job = submitted(service_, webhook="?fal_webhook=" + receiver.url + "/hook%3Fsecret%3Dyes")["request_id"]
    assert receiver.came.acquire(timeout=30)
    hook = receiver.taken[0]
    assert hook.target == "/hook?secret=yes" and hook.json()["status"] == "OK" and hook.json()["request_id"] == job
    assert hook.json()["payload"]["video"]["url"] == f"{service_.url}/files/{job}.mp4"
    sent = {name: hook.headers["x-fal-webhook-" + name] for name in ("request-id", "user-id", "timestamp", "signature")}
    assert sent["request-id"] == job
    assert sent["signature"] == fal_webhook.signature(fal_webhook.SEED, job, sent["user-id"], sent["timestamp"], hook.body)
    receiver.stop()


def test_a_signature_is_what_the_scheme_says():
    """A vector of the scheme, for the key whose seed is the bytes 0 to 31."""
    body = (b'{"request_id":"req-1","gateway_request_id":"req-1","status":"OK","payload":'
            b'{"video":{"url":"https://v3b.fal.media/files/b/x/y.mp4"}}}')
    assert fal_webhook.signature(fal_webhook.SEED, "req-1", "github|123", 1781080794, body) == (
        "21ab1392b49a84c0d221114397b1bda75427cf6d4622ce38b6c89490c704d127"
        "c9aebe2e3fa77b2aa13e5d1dbf4fb078301c906b862be4fa4b665182cdb7ee00")
    assert fal_webhook.key_set(fal_webhook.SEED)["keys"][0]["x"] == "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg"


# -- bad answers, as a client sees them

def fetched(answer_text, timeout=60):
    host = cdn.FileHost(service.Script({"file": [answer_text]}))
    connection = http.client.HTTPConnection(host.host, host.port, timeout=timeout)
    try:
        connection.request("GET", "/files/film.mp4")
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()
        host.stop()


@pytest.mark.parametrize("manner", ["", "chunked ", "early-close "])
def test_whole_answers(manner):
    status, headers, body = fetched(manner + "200 @mp4")
    assert (status, headers["Content-Type"], body) == (200, "video/mp4", files.MP4)
    assert ("Content-Length" in headers) == (manner == "")


def test_answers_with_headers_and_a_date():
    status, headers, body = fetched('429 Retry-After:date+3 X-Why:$nobody {"detail":"Too many"}')
    assert (status, headers["X-Why"], json.loads(body)) == (429, "$nobody", {"detail": "Too many"})
    assert headers["Retry-After"].endswith(" GMT")


def test_compressed_answers():
    _, headers, body = fetched("gzip 200 @mp4")
    assert headers["Content-Encoding"] == "gzip" and body[:2] == b"\x1f\x8b"


@pytest.mark.parametrize("answer, failure, timeout", [
    ("truncated 200 @mp4", http.client.IncompleteRead, 60), ("reset", ConnectionResetError, 60), ("silent", TimeoutError, 1),
])
def test_broken_answers(answer, failure, timeout):
    with pytest.raises(failure):
        fetched(answer, timeout)


def test_an_answer_whose_headers_never_end():
    host = cdn.FileHost(service.Script({"file": ["trickle"]}))
    with socket.create_connection((host.host, host.port), timeout=30) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: files\r\n\r\n")
        said = b"".join(connection.recv(1) for _ in range(5))
    host.stop()
    assert said == b"HTTP/"


def test_a_job_is_made_although_the_answer_is_lost(make_fal):
    service_ = make_fal({"submit": ["accepted as reset"]})
    with pytest.raises(ConnectionResetError):
        submitted(service_)
    assert len(service_.jobs) == 1
    entry = service_.journal.wait("submit", 1)
    assert entry.accepted and entry.status is None
