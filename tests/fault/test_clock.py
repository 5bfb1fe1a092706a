"""The wall clock is set forward and back by hours and days, while tasks run and between two lives: nothing is lost, paid twice or
waits because of it, and what has a date ends with that date alone."""
import contextlib
import json
import re
import threading
import time

import pytest

import llm
from faults import FILE, Client, after, eventually
from services.receiver import status

HOUR_S, DAY_S = 3600, 86400
JUMPS = {"an hour back": -HOUR_S, "three days back": -3 * DAY_S, "ten years back": -3650 * DAY_S, "two hours on": 2 * HOUR_S}
DAYS_ON = (1, 40)


def busy_s(process):
    """Processor time that it has used."""
    fields = open(f"/proc/{process.pid}/stat", encoding="ascii").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def number(client, name):
    return [float(line.split()[1]) for line in client.get("/metrics").body.decode().splitlines()
            if line.startswith(name + " ")][0]


@pytest.mark.parametrize("name", JUMPS)
def test_tasks_that_run_while_the_clock_is_set_go_on(make_stage, name):
    stage = make_stage(run_s=60).start()
    with Client(stage.server, stage.key) as client, Client(stage.server, stage.test_key) as tester:
        before = stage.submit_all(client, tester)
        eventually(lambda: stage.fal.jobs)
        stage.set_clock(JUMPS[name])
        since = stage.submit_all(client, tester)
        for who, task in before + since:
            ended = stage.final(who, task)
            assert ended["status"] == "completed", ended
            assert who.download(ended["results"][0]["url"]).status == 200
        assert 0 <= number(client, "fennec_uptime_seconds") < HOUR_S
        busy, since_s = busy_s(stage.server.process), time.monotonic()
        eventually(lambda: time.monotonic() - since_s > 1)
        assert busy_s(stage.server.process) - busy < 0.7, "it is busy with nothing"
    assert not re.search(r" (ms|us|delay_ms)=-", stage.server.log_text())
    stage.settle()
    assert stage.failed() == []


def test_callbacks_are_not_held_up_by_a_clock_that_is_set_back(make_stage):
    """Their next try is dated: by a clock that has gone back, days ahead."""
    stage = make_stage().start()
    stage.receiver.behave["/back"] = status(500)
    with Client(stage.server, stage.key) as client:
        task = stage.submit(client, "clip", "/v1/videos/generations", callback_url=stage.receiver.url("/back"))
        assert stage.final(client, task)["status"] == "completed"
        stage.receiver.wait("/back", 2)
        stage.set_clock(-3 * DAY_S)
        tries = len(stage.receiver.at("/back"))
        stage.receiver.wait("/back", tries + 2)
        stage.receiver.behave.clear()
        eventually(lambda: after.rows(stage.server.data, "SELECT count(*) FROM callback WHERE state = 2")[0][0] == 1)
    stage.settle()


def test_a_start_after_the_clock_was_set_back(make_stage):
    """What the life before has dated lies in the future."""
    stage = make_stage(run_s=40).start()
    stage.receiver.behave["/back"] = status(500)
    with Client(stage.server, stage.key) as client, Client(stage.server, stage.test_key) as tester:
        early = stage.submit(client, "clip", "/v1/videos/generations", callback_url=stage.receiver.url("/back"))
        stage.final(client, early)
        stage.receiver.wait("/back", 1)
        tasks = stage.submit_all(client, tester)
        stage.taken(tasks[1][1])
        stage.server.kill()
        stage.set_clock(-3 * DAY_S)
        stage.receiver.behave.clear()
        stage.start()
        for who, task in tasks:
            assert stage.final(who, task)["status"] == "completed"
        eventually(lambda: after.rows(stage.server.data, "SELECT count(*) FROM callback WHERE state = 1")[0][0] == 0)
    stage.settle()
    assert stage.failed() == []


# -- what has a date

def talk(stage, client, words):
    """The id of a task of the language model, whose stream the test lets go on."""
    body = {"model": "chatty", "max_tokens": 50, "stream": True, **llm.said(words)}
    answer = stage.request(client, "POST", llm.GENERATIONS, body)
    assert answer.status == 200, answer
    stage.kept.acknowledged[answer.json()["id"]] = "chatty"
    return answer.json()["id"]


class Dated:
    """What a client has before the jump that ends some day: a result, a file, the chunks of a stream, an idempotency key, a key
    for half a day, a callback that has been delivered."""

    ORDER = {"model": "maker", "prompt": "once"}

    def __init__(self, stage, client):
        self.stage, self.client = stage, client
        self.brief = stage.server.cli("key", "create", "--account", "one", "--expires", "12h").strip()
        self.ordered = self.order()
        task = stage.submit(client, "clip", "/v1/videos/generations", callback_url=stage.receiver.url("/dated"))
        self.result = stage.final(client, task)["results"][0]["url"]
        stage.receiver.wait("/dated", 1)
        self.file = stage.request(client, "POST", "/v1/files/upload/base64", {"file_data": FILE, "file_name": "a.png"}).json()
        self.talk = talk(stage, client, "Before.")
        assert stage.final(client, self.talk)["status"] == "completed"
        assert self.statuses() == {"result": 200, "file": 200, "stream": 200, "key": 200}
        assert self.order() == self.ordered

    def order(self):
        """The id of the task under one and the same Idempotency-Key."""
        with llm.Stream(self.stage.server, "POST", "/v1/images/generations", self.ORDER,
                        {"Authorization": f"Bearer {self.client.key}", "Idempotency-Key": "once"}) as stream:
            assert stream.head().status == 200
            return json.loads(stream.body())["id"]

    def statuses(self):
        """How each is answered now."""
        with Client(self.stage.server, self.brief) as brief:
            return {"result": self.client.download(self.result).status, "key": brief.get("/v1/account/credits").status,
                    "file": self.client.get(self.file["url"].split(self.stage.server.address)[1]).status,
                    "stream": self.client.get(f"{llm.GENERATIONS}/{self.talk}/stream").status}

    def assert_ended(self, days):
        """All but the file has passed after a day, that as well after three, callbacks' rows after thirty."""
        passed = {"result": 410, "file": 410 if days > 3 else 200, "stream": 410, "key": 401}
        assert self.statuses() in (passed, {**passed, "file": 404 if days > 3 else 200})
        assert self.order() != self.ordered, "the key is free again"
        kept = "SELECT count(*) FROM callback WHERE url LIKE '%/dated'"
        eventually(lambda: after.rows(self.stage.server.data, kept)[0][0] == (days < 30))
        assert self.client.get(f"/v1/tasks/{self.talk}").json()["results"][0]["choices"][0]["message"]["content"]


class Waiting(threading.Thread):
    """A query that waits for hours for the task to change; and how it was answered."""

    def __init__(self, stage, task):
        super().__init__(daemon=True)
        self.stage, self.task, self.answer = stage, task, None
        self.start()

    def run(self):
        with Client(self.stage.server, self.stage.key) as client:
            while self.answer is None or self.answer["status"] not in ("completed", "failed"):
                before, self.answer = self.answer, client.get(f"/v1/tasks/{self.task}?wait=86000").json()
                assert self.answer != before, "it was answered and nothing had changed"

    def end(self):
        self.join(60)
        assert not self.is_alive()
        return self.answer


@pytest.mark.parametrize("days", DAYS_ON)
def test_days_go_by_at_once(make_stage, days):
    """With a service's job, a stream, its readers and those who wait under way."""
    stage = make_stage(run_s=60)
    stage.server.configure(stage.server.settings.replace("http = { ", "http = { wait = 86400, "))
    stage.start()
    held = llm.Held(stage.chat, "over the jump")
    with Client(stage.server, stage.key) as client:
        dated = Dated(stage, client)
        task = stage.submit(client, "clip", "/v1/videos/generations", callback_url=stage.receiver.url("/over"))
        stage.taken(task)
        spoken = talk(stage, client, held.words)
        held.upto(5)
        with reader(stage, f"{llm.GENERATIONS}/{spoken}/stream") as stream, reader(stage, f"/v1/tasks/{task}/events") as events:
            chunks = llm.read_until(stream, llm.PIECES[4])
            readers = number(client, "fennec_http_requests_suspended")
            waiting = [Waiting(stage, task), Waiting(stage, spoken)]
            eventually(lambda: number(client, "fennec_http_requests_suspended") >= readers + 2)
            stage.set_clock(days * DAY_S)
            dated.assert_ended(days)
            held.all()
            assert llm.content_of(chunks + stream.events()[:-1]) == llm.TEXT
            assert [event.name for event in events.events()][-1] == "done"
        assert {one.end()["status"] for one in waiting} == {"completed"}
        assert client.download(stage.final(client, task)["results"][0]["url"]).status == 200
        stage.receiver.wait("/over", 1)
    stage.settle()
    assert stage.failed() == []
    assert [len(stage.chat.calls_with(words)) for words in ("Before.", held.words)] == [1, 1]


def link_ends(url):
    """In seconds since 1970; a task that had ended before the jump may have outlived its link."""
    return int(re.search(r"[?&]expires=(\d+)", url)[1])


def reader(stage, path):
    return contextlib.closing(llm.Stream(stage.server, "GET", path, headers={"Authorization": f"Bearer {stage.key}"}))


@pytest.mark.parametrize("days", DAYS_ON)
def test_days_go_by_between_two_lives(make_stage, days):
    """A task that is older than its time limit by then has what its service has for it; a stream that was cut off has ended, and
    nobody pays for it; nothing was sent twice."""
    stage = make_stage(run_s=40).start()
    held = llm.Held(stage.chat, "over the jump")
    with Client(stage.server, stage.key) as client, Client(stage.server, stage.test_key) as tester:
        dated = Dated(stage, client)
        tasks = stage.submit_all(client, tester)
        stage.taken(tasks[1][1])
        spoken = talk(stage, client, held.words)
        held.upto(5)
        with reader(stage, f"{llm.GENERATIONS}/{spoken}/stream") as stream:
            llm.read_until(stream, llm.PIECES[4])
            stage.server.kill()
        held.all()
        stage.set_clock(days * DAY_S)
        stage.start()
        dated.assert_ended(days)
        for who, task in tasks:
            ended = stage.final(who, task)
            assert ended["status"] == "completed", ended
            url = ended["results"][0]["url"]
            assert who.download(url).status == (200 if link_ends(url) > time.time() + days * DAY_S else 410), ended
        usage = stage.final(client, spoken)["usage"]
        assert usage["credits_charged"] == 0 and usage["credits_refunded"] == usage["credits_reserved"], usage
    stage.settle()
    assert stage.failed() == [(spoken, "chatty", "submission_unknown")]
    assert [len(stage.chat.calls_with(words)) for words in ("Before.", held.words)] == [1, 1]
