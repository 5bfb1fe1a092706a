"""GET /v1/tasks/{id}/events over raw sockets: what is told, in which order, and that nothing is lost or told twice."""
import json
import re

import pytest

from client import Raw, eventually

VIDEO = "/v1/videos/generations"
UNKNOWN = "task-unified-1757165031-uyujaw3d"
SLOW = """
drain = 1
simulator = { seconds = 3600 }
groups = { default = { price = 1.0, concurrency = 1, requests_per_minute = 0 } }
"""
STEADY = 'public_url = "https://media.example.com"\ndrain = 1\nsimulator = { seconds = 0.5 }'


class Stream:
    """One reader; iterating gives (id, name, data)."""

    def __init__(self, server, key, task, last=None, query=""):
        self.raw = Raw(server)
        header = "" if last is None else f"Last-Event-ID: {last}\r\n"
        self.raw.send(f"GET /v1/tasks/{task}/events{query} HTTP/1.1\r\nHost: {server.address}\r\nAuthorization: Bearer {key}\r\n{header}\r\n")
        self.status = int(self.raw.file.readline().split()[1])
        self.headers = {}
        while (line := self.raw.file.readline().strip()):
            name, value = line.decode().split(": ", 1)
            self.headers[name.lower()] = value
        self.rest, self.whole, self.comments = "", False, 0

    def chunk(self):
        """The next piece of the body; None at the end. `whole`: the end was said, and not the connection cut."""
        size = self.raw.file.readline().strip()
        if not size:
            return None
        data = self.raw.file.read(int(size, 16) + 2)[:-2]
        self.whole = int(size, 16) == 0
        return None if self.whole else data.decode()

    def __iter__(self):
        while True:
            while "\n\n" not in self.rest:
                piece = self.chunk()
                if piece is None:
                    assert self.rest == "", "an event was cut"
                    return
                self.rest += piece
            block, self.rest = self.rest.split("\n\n", 1)
            if block.startswith(":"):
                self.comments += 1
                continue
            fields = dict(line.split(": ", 1) for line in block.split("\n"))
            assert list(fields) == ["id", "event", "data"], block
            yield fields["id"], fields["event"], json.loads(fields["data"])

    def close(self):
        self.raw.__exit__()


def submit(client, prompt="a fox"):
    return client.submit(VIDEO, {"model": "seedance-2.0-text-to-video", "prompt": prompt})["id"]


@pytest.fixture
def someone(server):
    key = server.key("follower", test=True)
    with server.client(key) as client:
        yield client


def read(server, client, task, last=None):
    stream = Stream(server, client.key, task, last)
    assert stream.status == 200
    events = list(stream)
    assert stream.whole, "the stream was cut"
    stream.close()
    return events


def test_from_acceptance_to_the_end(server, someone):
    task = submit(someone)
    stream = Stream(server, someone.key, task)
    assert stream.headers["content-type"] == "text/event-stream" and stream.headers["cache-control"] == "no-cache"
    events = list(stream)
    assert stream.whole
    names = [name for _, name, _ in events]
    assert names[:2] == ["state", "state"] and names[-1] == "done" and set(names[2:-1]) <= {"progress"}
    first, second = events[0][2], events[1][2]
    assert list(first) == ["status", "progress", "kind", "at"]
    assert (first["status"], first["progress"], first["kind"]) == ("pending", 0, "accepted")
    assert (second["status"], second["kind"]) == ("processing", "dispatched")
    assert abs(first["at"] - int(task.split("-")[2])) <= 1
    rising = [data["progress"] for _, name, data in events if name == "progress"]
    assert rising == sorted(set(rising))
    assert events[-1][2] == someone.task(task)
    ids = [tuple(map(int, one.split("."))) for one, _, _ in events]
    assert ids == sorted(set(ids))
    # A kept connection: the next request is answered on it.
    stream.raw.send(f"GET /v1/tasks/{task} HTTP/1.1\r\nHost: {server.address}\r\nAuthorization: Bearer {someone.key}\r\n\r\n")
    assert stream.raw.response().status == 200
    stream.close()


def test_progress_is_told_as_it_grows(make_server):
    """Of a task that takes as long as it takes to hear of three steps."""
    server = make_server("drain = 1\nsimulator = { seconds = 60 }")
    with server.client(server.key("patient", test=True)) as client:
        task = submit(client)
        stream = Stream(server, client.key, task)
        told = []
        for _, name, data in stream:
            if name == "progress":
                assert data["status"] == "processing" and list(data) == ["status", "progress"]
                told.append(data["progress"])
            if len(told) == 3:
                break
        assert told == sorted(set(told)) and client.task(task)["progress"] >= told[-1] > 0
        client.post(f"/v1/tasks/{task}/cancel")
        stream.close()


def test_a_final_task_is_replayed(server, someone):
    task = submit(someone)
    body = someone.finished(task)
    events = read(server, someone, task)
    assert [(name, data.get("kind")) for _, name, data in events] == [
        ("state", "accepted"), ("state", "dispatched"), ("done", None)]
    assert events[-1][2] == body and events[-1][0].endswith(".100")


def test_who_comes_back_at_any_event_has_the_rest(server, someone):
    task = submit(someone)
    events = read(server, someone, task)
    for place, (last, _, _) in enumerate(events[:-1]):
        again = read(server, someone, task, last)
        assert again[-1] == events[-1]
        told = [event for event in events[place + 1:] if event[1] == "state"]
        assert [one[2]["kind"] for one in again if one[1] == "state"] == [one[2]["kind"] for one in told]
    assert Stream(server, someone.key, task, events[-1][0]).status == 204, "there is nothing more to come for"
    assert Stream(server, someone.key, task, None, f"?after={events[-1][0]}").status == 204


def test_the_place_by_parameter(server, someone):
    task = submit(someone)
    someone.finished(task)
    stream = Stream(server, someone.key, task, None, "?after=1.0")
    assert [data.get("kind") for _, _, data in stream] == ["dispatched", None]
    stream = Stream(server, someone.key, task, "2", "?after=0")
    assert [name for _, name, _ in stream] == ["done"], "the header goes before the parameter"


@pytest.mark.parametrize("last", ["x", "-1", "1.x", "1.", "1.101", "1.-1", "99", "99999999999", "1.2.3"])
def test_a_place_that_is_none(server, someone, last):
    task = submit(someone)
    answer = someone.get(f"/v1/tasks/{task}/events", {"Last-Event-ID": last})
    assert (answer.status, answer.error()["param"]) == (422, "Last-Event-ID")
    answer = someone.get(f"/v1/tasks/{task}/events?after={last}")
    assert (answer.status, answer.error()["param"]) == (422, "after")


def test_a_cancel_ends_it(make_server):
    server = make_server(SLOW)
    with server.client(server.key("someone", test=True)) as client:
        running, queued = submit(client), submit(client)
        eventually(lambda: client.task(running)["status"] == "processing")
        stream = Stream(server, client.key, queued)
        events = iter(stream)
        assert next(events)[2]["status"] == "pending"
        client.post(f"/v1/tasks/{queued}/cancel")
        _, name, data = next(events)
        assert name == "done" and data["error"]["code"] == "request_cancelled" and data == client.task(queued)
        assert list(events) == [] and stream.whole


def test_many_read_the_same(server, someone):
    task = submit(someone)
    streams = [Stream(server, someone.key, task) for _ in range(20)]
    told = [list(stream) for stream in streams]
    assert all(stream.whole for stream in streams)
    assert {json.dumps(events[-1]) for events in told} == {json.dumps(told[0][-1])}
    assert all([data.get("kind") for _, name, data in events if name != "progress"] ==
               ["accepted", "dispatched", None] for events in told)


def test_over_a_restart(make_server):
    """The attempt is made again: who comes back hears of it, and of nothing twice."""
    server = make_server(SLOW)
    key = server.key("someone", test=True)
    with server.client(key) as client:
        task = submit(client)
        eventually(lambda: client.task(task)["status"] == "processing")
    stream = Stream(server, key, task)
    events = iter(stream)
    told = [next(events), next(events)]
    assert [data["kind"] for _, _, data in told] == ["accepted", "dispatched"]
    server.process.kill()
    server.process.wait()
    server.process.stdout.close()
    server.process = None
    server.config.write_text(SLOW.replace("3600", "0.3"))
    server.start()
    last = told[-1][0]
    with server.client(key) as client:
        rest = [event for event in read(server, client, task, last) if event[1] != "progress"]
        assert [data.get("kind") for _, _, data in rest] == ["recovered", "dispatched", None]
        assert rest[-1][2]["status"] == "completed"
        sequences = [int(one.split(".")[0]) for one, _, _ in told + rest]
        assert sequences == [1, 2, 3, 4, 5]


def test_a_server_that_stops_cuts_it_for_those_who_come_again(make_server):
    server = make_server(SLOW)
    key = server.key("someone", test=True)
    with server.client(key) as client:
        task = submit(client)
        eventually(lambda: client.task(task)["status"] == "processing")
    stream = Stream(server, key, task)
    events = iter(stream)
    next(events), next(events)
    assert server.stop() == 0
    assert [name for _, name, _ in events] == [] and not stream.whole, "nobody may take this for the end"


def test_what_is_for_operators_is_not_told(server, someone):
    task = submit(someone, "fail:service_error")
    text = json.dumps(read(server, someone, task))
    timeline = json.loads(server.cli("task", "show", task, "--json"))
    assert "simulator" in json.dumps(timeline)
    for word in ("simulator", "provider", "credential", "target", "attempt"):
        assert word not in text, word


def test_another_accounts_task_is_none(server, someone, tester):
    task = submit(tester)
    theirs, nobodys = (someone.get(f"/v1/tasks/{one}/events") for one in (task, UNKNOWN))
    assert (theirs.status, theirs.body) == (nobodys.status, nobodys.body) and theirs.status == 404
    answer = someone.get("/v1/tasks/x/events")
    assert (answer.status, answer.error()["code"]) == (400, "invalid_task_id")


def test_a_reader_that_goes_away_frees_its_place(make_server):
    server = make_server(SLOW)
    with server.client(server.key("someone", test=True)) as client:
        task = submit(client)

        def open_streams():
            return int(re.search(r"^fennec_http_connections (\d+)", client.get("/metrics").body.decode(), re.M)[1])

        stream = Stream(server, client.key, task)
        next(iter(stream))
        eventually(lambda: open_streams() == 2)
        stream.close()
        eventually(lambda: open_streams() == 1, patience_s=30)


def test_head_and_http_1_0(server, someone):
    task = submit(someone)
    body = someone.finished(task)
    head = someone.request("HEAD", f"/v1/tasks/{task}/events")
    assert head.status == 200 and head.headers["Content-Type"] == "text/event-stream" and head.body == b""
    with Raw(server) as raw:
        raw.send(f"GET /v1/tasks/{task}/events HTTP/1.0\r\nAuthorization: Bearer {someone.key}\r\nHost: {server.address}\r\n\r\n")
        text = raw.file.read().decode()
    assert json.loads(text.rsplit("data: ", 1)[1]) == body
