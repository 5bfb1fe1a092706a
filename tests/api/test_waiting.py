"""?wait=, Prefer: wait=, ETag: a task query that answers when something has changed. Raw sockets where it matters."""
import json
import re
import threading

import pytest

from client import Raw, eventually

VIDEO = "/v1/videos/generations"
UNKNOWN = "task-unified-1757165031-uyujaw3d"

# A task takes an hour, or ends at once by magic words; one at a time, so that the second one waits. Who asks may wait for longer
# than a client of these tests has patience.
SLOW = """
drain = 1
http = { wait = 86400 }
simulator = { seconds = 3600 }
groups = { default = { price = 1.0, concurrency = 1, requests_per_minute = 0 } }
"""


def submit(client, prompt="a fox"):
    return client.submit(VIDEO, {"model": "seedance-2.0-text-to-video", "prompt": prompt})["id"]


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    from conftest import Server, assert_quiet
    one = Server(tmp_path_factory.mktemp("slow"), SLOW).start()
    yield one
    assert one.stop() == 0, one.log.read_text()[-8000:]
    assert_quiet(one)


@pytest.fixture
def pair(slow, request):
    """A client, a task of its that runs for an hour and one that is queued behind it; both end with the test."""
    name = re.sub("[^a-z]", "", request.node.name)[:40]
    with slow.client(slow.key(name, test=True)) as client:
        running, queued = submit(client), submit(client)
        eventually(lambda: client.task(running)["status"] == "processing")
        eventually(lambda: "queue_position" in client.task(queued)["task_info"])  # it is accepted first, queued then
        yield client, running, queued
        for task in (queued, running):
            client.post(f"/v1/tasks/{task}/cancel")


def waiting(server):
    """Requests that wait now."""
    with server.client() as client:
        text = client.get("/metrics").body.decode()
    return int(re.search(r"^fennec_http_requests_suspended (\d+)", text, re.M)[1])


class Asked(threading.Thread):
    """A request on a connection of its own, answered some day."""

    def __init__(self, server, key, path, headers=None):
        super().__init__()
        self.client, self.path, self.headers, self.response = server.client(key), path, headers, None
        self.start()

    def run(self):
        self.response = self.client.get(self.path, self.headers)

    def answer(self):
        self.join(60)
        assert not self.is_alive()
        self.client.connection.close()
        return self.response


def asked(server, key, path, headers=None, before=0):
    one = Asked(server, key, path, headers)
    eventually(lambda: waiting(server) > before)
    return one


def test_it_answers_when_the_status_changes(slow, pair):
    client, running, queued = pair
    one = asked(slow, client.key, f"/v1/tasks/{queued}?wait=3600")
    other = asked(slow, client.key, f"/v1/tasks/{running}?wait=3600", before=1)
    client.post(f"/v1/tasks/{queued}/cancel")
    assert one.answer().json()["error"]["code"] == "request_cancelled"
    assert waiting(slow) == 1, "a change of one task is none of another"
    client.post(f"/v1/tasks/{running}/cancel")
    assert other.answer().json()["status"] == "failed"
    assert waiting(slow) == 0


def test_it_answers_when_the_progress_changes(make_server):
    server = make_server("simulator = { seconds = 0.2 }")

    def answers_until(client, task, enough):
        """The task's answers, of which each comes with a change, until the last two are enough."""
        before, answer = None, client.task(task)
        while not enough(before, answer):
            before, answer = answer, client.get(f"/v1/tasks/{task}?wait=60").json()
            assert (answer["status"], answer["progress"]) != (before["status"], before["progress"]), "nothing had changed"
        return before, answer

    with server.client(server.key("someone", test=True)) as client:
        slow = submit(client, "fennec:slow=30")
        before, answer = answers_until(client, slow, lambda before, answer: before and before["status"] == answer["status"])
        assert answer["status"] == "processing" and answer["progress"] > before["progress"]
        client.post(f"/v1/tasks/{slow}/cancel")
        _, answer = answers_until(client, submit(client), lambda _, answer: answer["status"] in ("completed", "failed"))
        assert answer["status"] == "completed" and answer["results"]


def test_the_time_ends_it_and_the_connection_lives_on(slow, pair):
    client, running, queued = pair
    with Raw(slow) as raw:
        for path in (f"/v1/tasks/{queued}?wait=1", f"/v1/tasks/{running}?wait=1", f"/v1/tasks/{running}?wait=0"):
            raw.send(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {client.key}\r\n\r\n")
            answer = raw.response()
            assert answer.status == 200 and answer.json()["status"] in ("pending", "processing")
            assert answer.headers.get("Connection") is None


def test_a_final_task_is_answered_at_once(pair):
    """A wait for a task that can change no more would be longer than the client's patience."""
    client, _running, queued = pair
    client.post(f"/v1/tasks/{queued}/cancel")
    assert client.get(f"/v1/tasks/{queued}?wait=3600").json()["status"] == "failed"


@pytest.mark.parametrize("path, headers, applied", [
    ("", {"Prefer": "wait=1"}, "wait=1"),
    ("", {"Prefer": 'respond-async, WAIT="1"; x=y'}, "wait=1"),
    ("", {"Prefer": "a=\"b,wait=7\", wait = 1, wait=9"}, "wait=1"),
    ("?wait=0", {"Prefer": "wait=60"}, None),
    ("", {"Prefer": "wait=soon"}, None),
    ("", {"Prefer": "wait=-1"}, None),
    ("", {"Prefer": "wait"}, None),
    ("", {"Prefer": "await=60"}, None),
])
def test_the_preference(pair, path, headers, applied):
    client, running, _queued = pair
    answer = client.get(f"/v1/tasks/{running}{path}", headers)
    assert answer.status == 200
    assert answer.headers.get("Preference-Applied") == applied


def test_a_preference_that_is_too_long_is_clipped(slow, pair):
    client, _running, queued = pair
    one = asked(slow, client.key, f"/v1/tasks/{queued}", {"Prefer": "wait=99999"})
    client.post(f"/v1/tasks/{queued}/cancel")
    assert one.answer().headers["Preference-Applied"] == "wait=86400"


def test_a_second_line_of_preferences_counts(slow, pair):
    client, running, _queued = pair
    with Raw(slow) as raw:
        raw.send(f"GET /v1/tasks/{running} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {client.key}\r\n"
                 "Prefer: respond-async\r\nPrefer: wait=1\r\n\r\n")
        assert raw.response().headers["Preference-Applied"] == "wait=1"


@pytest.mark.parametrize("value, code", [("61", "out_of_range"), ("-1", "out_of_range"), ("x", "invalid_type"),
                                         ("", "invalid_type"), ("1.5", "invalid_type"), ("true", "invalid_type"),
                                         ("99999999999999999999", "invalid_type")])
def test_the_parameter_is_checked(tester, value, code):
    answer = tester.get(f"/v1/tasks/{UNKNOWN}?wait={value}")
    assert answer.status == 422
    assert (answer.error()["param"], answer.error()["code"]) == ("wait", code)


def test_the_bound_is_a_setting(make_server):
    server = make_server("http = { wait = 5 }")
    with server.client(server.key("someone", test=True)) as client:
        assert client.get(f"/v1/tasks/{UNKNOWN}?wait=6").status == 422
        assert client.get(f"/v1/tasks/{UNKNOWN}?wait=5").status == 404


def test_nobody_waits_for_another_accounts_task(slow, pair):
    _client, running, _queued = pair
    with slow.client(slow.key("stranger", test=True)) as stranger:
        theirs, nobodys = (stranger.get(f"/v1/tasks/{task}?wait=3600") for task in (running, UNKNOWN))
    assert (theirs.status, theirs.body) == (nobodys.status, nobodys.body) and theirs.status == 404


def test_a_client_that_goes_away_frees_its_place(slow, pair):
    client, running, _queued = pair
    with Raw(slow) as raw:
        raw.send(f"GET /v1/tasks/{running}?wait=3600 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {client.key}\r\n\r\n")
        eventually(lambda: waiting(slow) == 1)
    eventually(lambda: waiting(slow) == 0, patience_s=30)


def test_it_goes_with_sync_upstream(slow, pair):
    client, _running, queued = pair
    one = asked(slow, client.key, f"/v1/tasks/{queued}?wait=3600&sync_upstream=true")
    client.post(f"/v1/tasks/{queued}/cancel")
    assert one.answer().json()["status"] == "failed"


def test_an_account_has_so_many_places(make_server):
    """The place of one who leaves, or is answered, is free again; others are not touched, and neither are plain queries."""
    server = make_server(SLOW.replace("concurrency = 1", "waiters = 2, concurrency = 1"))
    with server.client(server.key("full", test=True)) as client, server.client(server.key("other", test=True)) as other:
        task, path = submit(client), "/v1/tasks/{}?wait=3600"
        eventually(lambda: client.task(task)["status"] == "processing")
        leaves = Raw(server)
        leaves.send(f"GET /v1/tasks/{task}/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {client.key}\r\n\r\n")
        assert b" 200 " in leaves.file.readline()
        stays = asked(server, client.key, path.format(task))
        for refused in (path.format(task), f"/v1/tasks/{task}/events"):
            answer = client.get(refused)
            assert answer.status == 429 and answer.headers["Retry-After"] == "1", answer
            assert answer.error()["code"] == "too_many_streams" and answer.error()["type"] == "rate_limit_error"
        assert client.get(f"/v1/tasks/{task}").status == 200
        assert client.get(f"/v1/tasks/{UNKNOWN}?wait=3600").status == 404, "what cannot be waited for needs no place"
        theirs = submit(other)
        eventually(lambda: other.task(theirs)["status"] == "processing")
        beside = asked(server, other.key, path.format(theirs), before=1)
        leaves.__exit__()
        eventually(lambda: client.get(f"/v1/tasks/{task}?wait=1").status == 200)
        assert client.get(f"/v1/tasks/{task}").status == 200  # on the same connection: the request before is over
        again = asked(server, client.key, path.format(task), before=2)
        assert client.get(path.format(task)).status == 429
        client.post(f"/v1/tasks/{task}/cancel")
        assert stays.answer().status == again.answer().status == 200
        assert client.get(path.format(task)).status == 200
        other.post(f"/v1/tasks/{theirs}/cancel")
        assert beside.answer().status == 200


def test_a_server_that_stops_answers_at_once(make_server):
    server = make_server(SLOW)
    key = server.key("someone", test=True)
    with server.client(key) as client:
        running, queued = submit(client), submit(client)
        eventually(lambda: client.task(running)["status"] == "processing")
    ones = []
    for task in (running, queued):
        ones.append(asked(server, key, f"/v1/tasks/{task}?wait=3600", before=len(ones)))
    assert server.stop() == 0
    answers = [one.answer() for one in ones]
    assert [answer.status for answer in answers] == [200, 200]
    assert [answer.json()["status"] for answer in answers] == ["processing", "pending"]
    assert [answer.headers["Connection"] for answer in answers] == ["close", "close"]


# ---- versions ----


def test_a_tag_is_the_bodys(slow, pair):
    client, running, queued = pair
    first, again, other = (client.get(f"/v1/tasks/{task}") for task in (running, running, queued))
    assert re.fullmatch(r'"[0-9a-f]{16}"', first.headers["ETag"])
    assert first.headers["ETag"] == again.headers["ETag"] != other.headers["ETag"]
    client.post(f"/v1/tasks/{running}/cancel")
    assert client.get(f"/v1/tasks/{running}").headers["ETag"] != first.headers["ETag"]


@pytest.mark.parametrize("header", ["%s", "W/%s", '"x", %s', '"x",W/%s , "y"', "*"])
def test_what_the_client_has_is_not_sent_again(slow, pair, header):
    client, running, _queued = pair
    tag = client.get(f"/v1/tasks/{running}").headers["ETag"]
    with Raw(slow) as raw:
        for _ in range(2):  # the connection lives on
            raw.send(f"GET /v1/tasks/{running} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {client.key}\r\n"
                     f"If-None-Match: {header.replace('%s', tag)}\r\n\r\n")
            answer = raw.response()
            assert (answer.status, answer.headers["ETag"], answer.body) == (304, tag, b"")


@pytest.mark.parametrize("header", ['"0000000000000000"', "x", ""])
def test_what_it_does_not_have_is_sent(pair, header):
    client, running, _queued = pair
    assert client.get(f"/v1/tasks/{running}", {"If-None-Match": header}).status == 200


def test_a_restart_keeps_the_tag(make_server):
    server = make_server('public_url = "https://media.example.com"\nsimulator = { seconds = 0 }')
    key = server.key("someone", test=True)
    with server.client(key) as client:
        task = client.finished(submit(client))["id"]
        tag = client.get(f"/v1/tasks/{task}").headers["ETag"]
    assert server.stop() == 0
    server.start()
    with server.client(key) as client:
        assert client.get(f"/v1/tasks/{task}", {"If-None-Match": tag}).status == 304
        assert client.get(f"/v1/tasks/{task}").headers["ETag"] == tag


def test_with_a_tag_it_waits_for_another_body(slow, pair):
    client, running, queued = pair
    tag = client.get(f"/v1/tasks/{queued}").headers["ETag"]
    assert client.get(f"/v1/tasks/{queued}?wait=3600", {"If-None-Match": '"0000000000000000"'}).status == 200, \
        "it has another one already"
    assert client.get(f"/v1/tasks/{queued}?wait=1", {"If-None-Match": tag}).status == 304
    one = asked(slow, client.key, f"/v1/tasks/{queued}?wait=3600", {"If-None-Match": tag})
    client.post(f"/v1/tasks/{queued}/cancel")
    answer = one.answer()
    assert answer.status == 200 and json.loads(answer.body)["status"] == "failed"
    assert answer.headers["ETag"] != tag
