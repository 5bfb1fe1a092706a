"""A disk that is full at any byte: what was acknowledged is there, what is not durable is refused, and with room all goes on,
without a restart."""
import random

from faults import Client
from test_calls import ROUNDS, SEED, assert_well, sample

PLENTY = 1 << 40


def written_in_a_round(stage):
    stage.round()
    stage.control.set_bytes_left(PLENTY)
    stage.round()
    return PLENTY - stage.control.word(2)


def submit_until_refused(stage, client):
    """What was accepted before: each submission writes, so there comes an end."""
    tasks = []
    while len(tasks) < 500:
        task = stage.submit(client, "clip", "/v1/videos/generations", callback_url=stage.receiver.url("/back"))
        if task is None:
            return tasks
        tasks.append(task)
    raise AssertionError("the disk is never full")


def test_a_disk_that_is_full_at_any_byte(make_stage):
    generator = random.Random(SEED)
    print(f"FAULT_SEED={SEED}")
    stage = make_stage().start()
    size, accepted = written_in_a_round(stage), 0
    for left in [1] + sample(generator, size, max(3, ROUNDS)):
        stage.control.set_bytes_left(left - 1)
        with Client(stage.server, stage.key) as client, stage.told(f"a disk with {left - 1} bytes left"):
            tasks = submit_until_refused(stage, client)
            stage.look_around(client, client)
            stage.control.set_bytes_left(-1)
            for task in tasks:
                assert stage.final(client, task)["status"] == "completed"
            accepted += len(tasks)
        stage.round()
    print(f"{size} bytes a round; {accepted} accepted before the disk was full; statuses {stage.kept.statuses}")
    assert set(stage.kept.statuses) & {500, 503} and stage.deaths == []
    assert_well(stage)
    assert stage.failed() == []
