"""Idempotency-Key: the same submission, sent again, makes no second task; whatever happens in between."""
import json
import threading

import pytest

from catalogue import IMAGE, PIXEL, VIDEO
from client import Client
from conftest import CONFIG

GENERATIONS, COMPLETIONS, TWIN = "/v1/llm/generations", "/v1/chat/completions", "/v1/llm_async/chat/completions"
CHAT = {"model": "gpt-5.5", "messages": [{"role": "user", "content": "hi"}]}
MEDIA = {"model": "seedance-2.0-text-to-video", "prompt": "a fox"}
SUBMISSIONS = [(VIDEO, MEDIA), (GENERATIONS, CHAT), (GENERATIONS, {**CHAT, "stream": True}), (TWIN, CHAT)]
IDS = ["media", "llm", "llm-stream", "twin"]
CALLS = [(COMPLETIONS, CHAT), (GENERATIONS, {**CHAT, "sync": True})]


def post(client, endpoint, body, key):
    return client.post(endpoint, body, {"Idempotency-Key": key})


@pytest.fixture
def count(server):
    """How many tasks a client's account has."""
    def tasks_of(client):
        client.credits()  # waits until calls are written, which is a moment after their answers
        return len(json.loads(server.cli("task", "list", "--account", client.account, "--limit", "1000", "--json")))
    return tasks_of


@pytest.fixture
def own(server, request):
    """A client of an account that nobody else has, and the account's name."""
    name = f"own{abs(hash(request.node.name)) % 10 ** 9}"
    with server.client(server.key(name, credits=1000)) as live, server.client(server.key(name, test=True)) as test:
        live.account = test.account = name
        live.test = test
        yield live


@pytest.mark.parametrize("endpoint, body", SUBMISSIONS, ids=IDS)
def test_the_same_again_is_the_same_task(own, count, endpoint, body):
    client = own.test
    first = post(client, endpoint, body, "one")
    assert first.status == 200 and "Idempotent-Replayed" not in first.headers, first
    client.finished(first.json()["id"])
    for _ in range(3):
        again = post(client, endpoint, body, "one")
        assert (again.status, again.body) == (200, first.body)
        assert again.headers["Idempotent-Replayed"] == "true"
    assert count(client) == 1
    assert post(client, endpoint, body, "two").json()["id"] != first.json()["id"]
    assert client.post(endpoint, body).json()["id"] != first.json()["id"]
    assert count(client) == 3


@pytest.mark.parametrize("endpoint, body", CALLS, ids=["completions", "sync"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_call_again_is_the_same_answer(own, count, endpoint, body, stream):
    client, body = own.test, {**body, "stream": stream, "stream_options": {"include_usage": True}}
    first = post(client, endpoint, body, "one")
    assert first.status == 200, first
    again = post(client, endpoint, body, "one")
    assert again.status == 200 and again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["X-Task-Id"] == first.headers["X-Task-Id"]
    client.finished(first.headers["X-Task-Id"])
    later = post(client, endpoint, body, "one")
    assert later.headers["X-Task-Id"] == first.headers["X-Task-Id"]
    if stream:
        assert {r.headers["Content-Type"] for r in (first, again, later)} == {"text/event-stream"}
        assert said(first) == said(again) == said(later) and said(first)[0]
    else:
        assert first.json() == again.json() == later.json()
    assert count(client) == 1


def said(response):
    """Content, finish reason, usage and the end of a stream."""
    lines = [line[6:] for line in response.body.decode().split("\n") if line.startswith("data: ")]
    assert lines[-1] == "[DONE]", lines
    chunks = [json.loads(line) for line in lines[:-1]]
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    return ("".join(choice["delta"].get("content") or "" for choice in choices),
            [c["finish_reason"] for c in choices if c.get("finish_reason")],
            [chunk["usage"] for chunk in chunks if chunk.get("usage")], {chunk["id"] for chunk in chunks})


@pytest.mark.parametrize("endpoint, body", SUBMISSIONS + CALLS, ids=IDS + ["completions", "sync"])
def test_something_else_under_the_same_key(own, count, endpoint, body):
    client = own.test
    assert post(client, endpoint, body, "one").status == 200
    others = [(endpoint, {**body, "model": "no-such-model"}), (endpoint, {**body, "more": 1}),
              (IMAGE, {"model": "local-image", "prompt": "x"}), ("/v1/audio/generations", {"model": "x"})]
    for other, other_body in others:
        response = post(client, other, other_body, "one")
        assert response.status == 409, response
        error = response.error()
        assert (error["type"], error["code"], error["param"]) == (
            "conflict_error", "idempotency_key_reused", "Idempotency-Key"), error
    assert count(client) == 1


def test_two_names_of_an_endpoint_are_two_endpoints(own):
    body = {"model": "local-speech", "prompt": "hello"}
    assert post(own.test, "/v1/audios/generations", body, "one").status == 200
    assert post(own.test, "/v1/audio/generations", body, "one").status == 409


def test_another_account_and_another_book_know_nothing_of_it(server, own):
    body = {"model": "local-image", "prompt": "x"}
    ids = [post(client, IMAGE, body, "one").json()["id"] for client in (own, own.test)]
    with server.client(server.key("stranger", test=True)) as stranger:
        response = post(stranger, IMAGE, {**body, "prompt": "other"}, "one")
        assert response.status == 200
        ids.append(response.json()["id"])
    assert len(set(ids)) == 3


def test_another_key_of_the_account_knows_it(server, own):
    first = post(own, IMAGE, {"model": "local-image", "prompt": "x"}, "one")
    with server.client(server.key(own.account)) as second:
        assert post(second, IMAGE, {"model": "local-image", "prompt": "x"}, "one").body == first.body


@pytest.mark.parametrize("key, status", [
    ("", 400), ("x" * 256, 400), ("a b", 400), ("\xe9", 400), ("x" * 255, 200), ("!", 200),
    ('"8e03978e-40d5-43dd-bc93-6894a57f9324"', 200), ("~{}", 200)])
def test_what_a_key_may_be(own, key, status):
    response = post(own.test, VIDEO, MEDIA, key)
    assert response.status == status, response
    if status != 200:
        error = response.error()
        assert (error["type"], error["param"]) == ("invalid_request_error", "Idempotency-Key"), error


@pytest.mark.parametrize("refused, good", [
    ((IMAGE, {"model": "local-image", "prompt": 5}), (IMAGE, {"model": "local-image", "prompt": "x"})),
    ((IMAGE, {"model": "phota-image", "prompt": "x"}), (IMAGE, {"model": "local-image", "prompt": "x"})),
    ((COMPLETIONS, {**CHAT, "messages": []}), (IMAGE, {"model": "local-image", "prompt": "x"})),
    ((IMAGE, {"model": "local-pbr-maps", "image_url": PIXEL, "maps": ["height"], "result_ttl": 0}),
     (IMAGE, {"model": "local-pbr-maps", "image_url": PIXEL, "maps": ["height"]})),
], ids=["value", "channel", "call", "option"])
def test_a_refusal_leaves_nothing(own, refused, good):
    for _ in range(2):
        assert post(own, *refused, "one").status == 422
    assert post(own, *good, "one").status == 200


def test_too_few_credits_leave_nothing(server):
    with server.client(server.key("poorer", credits=0)) as client:
        body = {"model": "local-image", "prompt": "x"}
        for _ in range(2):
            assert post(client, IMAGE, body, "one").status == 402
        server.cli("account", "credit", "poorer", "5")
        first = post(client, IMAGE, body, "one")
        assert first.status == 200
        left = client.credits()
        assert left < 5
        assert post(client, IMAGE, body, "one").body == first.body and client.credits() == left


def test_a_dry_run_has_no_key(own):
    body = {"model": "local-image", "prompt": "x"}
    assert post(own, IMAGE, {**body, "dry_run": True}, "one").json()["object"] == "estimate"
    first = post(own, IMAGE, body, "one")
    assert first.status == 200
    assert post(own, IMAGE, {**body, "dry_run": True}, "one").json()["object"] == "estimate"
    assert post(own, IMAGE, body, "one").body == first.body


@pytest.mark.parametrize("endpoint, body, live", [
    (IMAGE, {"model": "local-image", "prompt": "x", "image_size": {"width": 64, "height": 64}}, True),
    (GENERATIONS, {**CHAT, "stream": True}, False), (COMPLETIONS, CHAT, False)], ids=["media", "llm", "call"])
def test_fifty_at_one_time_make_one(server, own, count, endpoint, body, live):
    client = own if live else own.test
    start, answers = threading.Barrier(50), []

    def submit():
        with Client(server.address, client.key) as one:
            one.connection.connect()
            start.wait()
            answers.append(post(one, endpoint, body, "one"))

    threads = [threading.Thread(target=submit) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(answers) == 50 and {answer.status for answer in answers} == {200}, answers
    assert len({answer.body for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    task = answers[0].headers["X-Task-Id"] if endpoint == COMPLETIONS else answers[0].json()["id"]
    client.finished(task)
    assert count(client) == 1
    if live:
        assert client.credits() == 1000 - answers[0].json()["usage"]["credits_reserved"]


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_key_outlives_the_server(make_server, end):
    server = make_server(CONFIG)
    key = server.key("one", test=True)
    asked = [(VIDEO, MEDIA), (GENERATIONS, CHAT), (COMPLETIONS, CHAT)]
    with server.client(key) as client:
        first = [post(client, endpoint, body, f"key-{number}") for number, (endpoint, body) in enumerate(asked)]
        assert {answer.status for answer in first} == {200}
        client.credits()  # waits until the call is written, which is a moment after its answer
    if end == "kill":
        server.process.kill()
        server.process.wait()
        server.process.stdout.close()
    else:
        assert server.stop() == 0
    server.start()
    with server.client(key) as client:
        for number, (endpoint, body) in enumerate(asked):
            again = post(client, endpoint, body, f"key-{number}")
            assert (again.status, again.body) == (200, first[number].body)
            assert post(client, endpoint, {**body, "x": 1}, f"key-{number}").status == 409
    assert len(json.loads(server.cli("task", "list", "--account", "one", "--json"))) == 3
