"""A disk that is full at any byte: what was acknowledged is there, what is not durable is refused, and with room all goes on,
without a restart."""
import random
import signal
import threading

from faults import FILE, NEVER, Client, eventually
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


def metric(client, name):
    return next(int(line.split()[1]) for line in client.get("/metrics").body.decode().splitlines() if line.startswith(name + " "))


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


def test_a_disk_that_hangs_at_the_stop(make_stage):
    """What was on its way to the store when its client was given up comes back to a server that is still there."""
    stage = make_stage().start()
    with Client(stage.server, stage.key) as client:
        task = stage.submit(client, "maker", "/v1/images/generations")
        assert stage.final(client, task)["status"] == "completed"
        upload = {"file_data": FILE, "file_name": "a.png"}
        file = stage.request(client, "POST", "/v1/files/upload/base64", upload).json()
        stage.control.hold_syncs(True)
        stage.control.arm("fsync", NEVER, 0)
        orders = [("POST", f"/v1/tasks/{task}/renew", {"result_ttl": 200000}), ("DELETE", f"/v1/files/{file['id']}"),
                  ("GET", "/v1/account/credits")]
        waiting = []
        for count, order in enumerate(orders, 1):
            asked = Client(stage.server, stage.key)
            waiting.append(threading.Thread(target=stage.request, args=(asked, *order)))
            waiting[-1].start()
            eventually(lambda: metric(client, "fennec_http_requests_suspended") == count)
            eventually(lambda: stage.control.seen("fsync") > 0)
    stage.server.process.send_signal(signal.SIGTERM)
    for one in waiting:
        one.join()
    stage.control.hold_syncs(False)
    assert stage.server.reap() == 0, stage.server.log_text()[-4000:]
    assert_well(stage)
