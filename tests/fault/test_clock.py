"""The wall clock is set forward and back by hours and days while tasks run: nothing is lost, expires or waits because of it."""
import re
import time

import pytest

from faults import Client, after, eventually
from services.receiver import status

HOUR_S, DAY_S = 3600, 86400
JUMPS = {"an hour back": -HOUR_S, "three days back": -3 * DAY_S, "ten years back": -3650 * DAY_S, "two hours on": 2 * HOUR_S}


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
        eventually(lambda: len(stage.fal.jobs) == 2)
        stage.server.kill()
        stage.set_clock(-3 * DAY_S)
        stage.receiver.behave.clear()
        stage.start()
        for who, task in tasks:
            assert stage.final(who, task)["status"] == "completed"
        eventually(lambda: after.rows(stage.server.data, "SELECT count(*) FROM callback WHERE state = 1")[0][0] == 0)
    stage.settle()
    assert stage.failed() == []
