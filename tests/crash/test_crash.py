"""kill -9 under load: every acknowledged task ends exactly once, every ledger sums, no blob is orphaned.

CRASH_KILLS sets how often the server is killed (default 50). CRASH_SEED repeats a run's random moments.
"""
import hashlib
import http.client
import json
import os
import pathlib
import random
import signal
import sqlite3
import subprocess
import threading
import time

import pytest

FENNEC = os.environ.get("FENNEC", "build/fennec")
KILLS = int(os.environ.get("CRASH_KILLS", "50"))
SEED = int(os.environ.get("CRASH_SEED", str(int(time.time()))))
SUBMITTERS = 12
LIFE_MAX = 160  # acknowledged tasks in one life, at most, before the kill
LIFE_SECONDS = 10

CONFIG = """
simulator = { seconds = 0.3 }
groups = { default = { price = 1.5, concurrency = 2000, requests_per_minute = 0 } }
"""

LOCAL = [
    ("/v1/images/generations", {"model": "local-image", "prompt": "crash", "image_size": {"width": 64, "height": 64}}),
    ("/v1/audios/generations", {"model": "local-speech", "prompt": "Once more."}),
]
SIMULATED = [
    ("/v1/images/generations", {"model": "patina-pbr-maps", "image_url": "https://example.com/a.png",
                                "maps": ["normal", "height"]}),
    ("/v1/videos/generations", {"model": "seedance-2.0-text-to-video", "prompt": "a fox", "duration": 4}),
    ("/v1/audios/generations", {"model": "scribe-v2", "audio_url": "https://example.com/a.mp3"}),
    ("/v1/videos/generations", {"model": "seedance-2.0-text-to-video", "prompt": "fennec:error=content_policy_violation"}),
    ("/v1/videos/generations", {"model": "seedance-2.0-text-to-video", "prompt": "fennec:flaky"}),
]


class Server:
    """One life of the server process on a data directory."""

    def __init__(self, data, config, port=0):
        self.process = subprocess.Popen(
            [FENNEC, "serve", "--data", str(data), "--config", str(config), "--listen", f"127.0.0.1:{port}"],
            stdout=subprocess.PIPE, stderr=open(data.parent / "server.log", "ab"), text=True)
        line = self.process.stdout.readline()
        while line and not line.startswith("listening on "):
            line = self.process.stdout.readline()
        assert line, (data.parent / "server.log").read_text()[-4000:]
        self.port = int(line.strip().rsplit(":", 1)[1])

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=120)
        self.process.stdout.close()
        return code


class Submitter(threading.Thread):
    """Submits as fast as the server answers, until told to stop or cut off; keeps what was acknowledged, and of
    that what was meant to fail: the store forgets the input of a task that has ended."""

    def __init__(self, port, keys, generator, acknowledged, doomed, stop):
        super().__init__(daemon=True)
        self.port, self.keys, self.random = port, keys, generator
        self.acknowledged, self.doomed, self.stop, self.refused = acknowledged, doomed, stop, []

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        while not self.stop.is_set():
            live = self.random.random() < 0.01
            path, body = self.random.choice(LOCAL if live else SIMULATED)
            try:
                connection.request("POST", path, json.dumps(body), {
                    "Authorization": "Bearer " + self.keys["live" if live else "test"],
                    "Content-Type": "application/json"})
                response = connection.getresponse()
                answer = response.read()
                if response.status == 200:
                    task = json.loads(answer)["id"]
                    self.acknowledged.append(task)
                    if "fennec:error" in body.get("prompt", ""):
                        self.doomed.add(task)
                elif response.status != 503:
                    self.refused.append((response.status, answer))
            except (OSError, http.client.HTTPException, ValueError):
                if self.stop.is_set():
                    return
                connection.close()
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)


def key(data, *options):
    done = subprocess.run([FENNEC, "key", "create", "--data", str(data), "--account", "crash", *options],
                          check=True, capture_output=True, text=True)
    return done.stdout.strip()


def database(data):
    return sqlite3.connect(f"file:{data}/fennec.db?mode=ro", uri=True)


def eventually(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what()}"
        time.sleep(0.1)


def open_tasks(data):
    with database(data) as db:
        return db.execute("SELECT count(*) FROM task WHERE state < 2").fetchone()[0]


def blobs_on_disk(data):
    return {path.parent.name + path.name: path for path in (data / "blobs").glob("??/*")}


def claimed_blobs(data):
    with database(data) as db:
        return {row[0] for row in db.execute("SELECT DISTINCT hash FROM artifact")}


def orphans(data):
    return set(blobs_on_disk(data)) - claimed_blobs(data)


def await_death(acknowledged, count, more_seconds):
    """The random moment: after so many acknowledged tasks, and a little while in which more are under way."""
    deadline = time.monotonic() + LIFE_SECONDS
    while len(acknowledged) < count and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(more_seconds)


@pytest.fixture(scope="module")
def aftermath(tmp_path_factory):
    """The data directory after all the kills and a last life that brought everything to its end."""
    print(f"CRASH_SEED={SEED} CRASH_KILLS={KILLS}")
    root = tmp_path_factory.mktemp("crash")
    data, config = root / "data", root / "config.lua"
    config.write_text(CONFIG)
    keys = {"live": key(data, "--credits", "1000000"), "test": key(data, "--test")}
    generator, acknowledged, doomed, refused = random.Random(SEED), [], set(), []
    for _ in range(KILLS):
        server, stop = Server(data, config), threading.Event()
        threads = [Submitter(server.port, keys, random.Random(generator.random()), acknowledged, doomed, stop)
                   for _ in range(SUBMITTERS)]
        for thread in threads:
            thread.start()
        await_death(acknowledged, len(acknowledged) + generator.randrange(LIFE_MAX), generator.uniform(0, 0.02))
        stop.set()
        server.kill()
        for thread in threads:
            thread.join()
            refused += thread.refused
    server = Server(data, config)
    eventually(lambda: open_tasks(data) == 0, 600, lambda: f"{open_tasks(data)} tasks still open")
    eventually(lambda: not orphans(data), 180, lambda: f"orphaned blobs {list(orphans(data))[:5]}")
    code = server.stop()
    yield {"data": data, "root": root, "acknowledged": acknowledged, "doomed": doomed, "refused": refused,
           "code": code}


def test_the_last_life_ended_cleanly(aftermath):
    assert aftermath["code"] == 0
    assert aftermath["refused"] == []
    log = (aftermath["root"] / "server.log").read_text()
    assert "AddressSanitizer" not in log and "runtime error" not in log, log[-4000:]


def test_enough_was_at_stake(aftermath):
    print(f"{len(aftermath['acknowledged'])} tasks acknowledged over {KILLS} kills")
    assert len(aftermath["acknowledged"]) > 20 * KILLS
    assert len(set(aftermath["acknowledged"])) == len(aftermath["acknowledged"])


def test_every_acknowledged_task_is_final(aftermath):
    with database(aftermath["data"]) as db:
        states = dict(db.execute("SELECT id, state FROM task"))
    lost = [task for task in aftermath["acknowledged"] if task not in states]
    assert lost == []
    assert {states[task] for task in aftermath["acknowledged"]} <= {2, 3}


def test_every_task_ended_exactly_once(aftermath):
    with database(aftermath["data"]) as db:
        ends = dict(db.execute(
            "SELECT task, count(*) FROM event WHERE kind IN ('completed', 'failed', 'cancelled') GROUP BY task"))
        tasks = [row[0] for row in db.execute("SELECT id FROM task")]
    assert [task for task in tasks if ends.get(task) != 1] == []


def test_only_the_tasks_that_should_fail_failed(aftermath):
    with database(aftermath["data"]) as db:
        tasks = {row[0]: row for row in db.execute("SELECT id, state, model, error FROM task")}
    assert aftermath["doomed"]
    acknowledged = [tasks[task] for task in aftermath["acknowledged"]]
    assert [row for row in acknowledged if (row[1] == 3) != (row[0] in aftermath["doomed"])] == []
    unheard = set(tasks) - set(aftermath["acknowledged"])  # accepted, but the kill came before the answer
    assert {tasks[task][3] for task in unheard if tasks[task][1] == 3} <= {"content_policy_violation"}


def test_no_input_is_left_of_a_task_that_ended(aftermath):
    with database(aftermath["data"]) as db:
        assert db.execute("SELECT count(*) FROM task_input").fetchone()[0] == 0


def test_every_ledger_sums(aftermath):
    with database(aftermath["data"]) as db:
        books = db.execute("SELECT b.account, b.book, b.microcredits, (SELECT coalesce(sum(l.microcredits), 0) FROM ledger l"
                           " WHERE l.account = b.account AND l.book = b.book) FROM balance b").fetchall()
        assert books and all(balance == total for _, _, balance, total in books)
        tasks = db.execute("SELECT id, state, reserved, charged, refunded FROM task").fetchall()
        entries = {}
        for task, kind, amount in db.execute("SELECT task, kind, microcredits FROM ledger WHERE task <> ''"):
            entries.setdefault(task, []).append((kind, amount))
    for task, state, reserved, charged, refunded in tasks:
        assert reserved == charged + refunded, task
        assert charged == (reserved if state == 2 else 0), task
        assert sorted(kind for kind, _ in entries[task]) == sorted(set(kind for kind, _ in entries[task])), task
        assert sum(amount for _, amount in entries[task]) == -charged, task
    doctor = subprocess.run([FENNEC, "doctor", "--data", str(aftermath["data"]), "--json"], capture_output=True, text=True)
    findings = [row for row in json.loads(doctor.stdout) if row["what"] == "ledger"]
    assert [row["status"] for row in findings] == ["ok"]


def test_every_claimed_blob_is_whole(aftermath):
    stored = blobs_on_disk(aftermath["data"])
    for digest in claimed_blobs(aftermath["data"]):
        assert hashlib.sha256(stored[digest].read_bytes()).hexdigest() == digest


def test_no_blob_is_orphaned_and_nothing_is_left_over(aftermath):
    assert orphans(aftermath["data"]) == set()
    for folder in ("work", "blobs/tmp"):
        path = pathlib.Path(aftermath["data"]) / folder
        assert not path.exists() or list(path.iterdir()) == []
    running = subprocess.run(["pgrep", "-f", f"{aftermath['data']}/"], capture_output=True, text=True)
    assert running.stdout == ""
