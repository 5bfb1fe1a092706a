"""kill -9 under load: every acknowledged task ends exactly once, every ledger sums, no blob is orphaned, no job at the paid
service is made twice.

A share of the tasks goes to fal, simulated, which lives on over the kills. Half of the kills come at any time; the others
when fal is at an exact step of an attempt: before and after its answer to a submission, at a question, at the result, at
the file. An operator's commands go on beside the kills.

CRASH_KILLS sets how often the server is killed (default 50). CRASH_SEED repeats a run's random moments. Every 50 kills a line
says how far it is, and what the run has taken of time, disk, descriptors and memory, to the descriptor CRASH_PROGRESS.
"""
import contextlib
import http.client
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import threading
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import aftermath as after  # noqa: E402
from bookkeeper import Bookkeeper  # noqa: E402
from ports import held_port  # noqa: E402
from services import fal, service  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
FENNEC = os.environ.get("FENNEC", "build/fennec")
KILLS = int(os.environ.get("CRASH_KILLS", "50"))
SEED = int(os.environ.get("CRASH_SEED", str(int(time.time()))))
SUBMITTERS = 12
LIFE_MAX = 160  # acknowledged tasks in one life, at most, before the kill
LIFE_TASKS = 2 * LIFE_MAX  # acknowledged in a life that waits for its end at fal, which has more to do with every life
LIFE_SECONDS = 10
CUT_OFF_MAX = 200  # attempts of a task
PROGRESS_EVERY = 50
DISK_MAX = 8 << 30  # of all that the run leaves; it grows with the tasks, some LIFE_MAX / 2 a life
DESCRIPTORS_MAX = 200  # of ours

REMOTE_SHARE = 0.15
AT_FAL = 100 # attempts at once, so no more can be cut off by one kill
# Where an attempt can be cut in two: between any of these and the next.
MOMENTS = [("at", "submit"), ("after", "submit"), ("at", "poll"), ("after", "poll"), ("at", "result"), ("after", "result"),
           ("at", "file"), ("after", "file")]

CONFIG = """
simulator = {{ seconds = 0.1 }}
groups = {{ default = {{ price = 1.5, concurrency = 2000, requests_per_minute = 0 }} }}
providers = {{ fal = {{ key = "fake-key", url = "{fal.url}", allow_private = true, poll_min = 0.1, concurrency = {at_fal} }} }}
fetch = {{ allow = {{ "{fal.host}:{fal.port}" }} }}
public_url = "http://127.0.0.1:{port}"
catalog = "{catalog}"
drain = 60
"""

REMOTE_MODEL = "seedance-2.0-fast-text-to-video"
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


class Weather(service.Script):
    """Most submissions make a job; now and then the service has no room, which makes none."""

    def __init__(self, generator):
        super().__init__()
        self.random = generator

    def next(self, kind, default):
        return "503" if kind == "submit" and self.random.random() < 0.03 else default


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
    """Submits as fast as the server answers, until a life's tasks are there, or told to stop or cut off; keeps what was
    acknowledged: of that what was meant to fail, since the store forgets the input of a task that has ended, and the prompt
    of what went to fal."""

    def __init__(self, port, keys, generator, stop, kept):
        super().__init__(daemon=True)
        self.port, self.keys, self.random, self.stop, self.kept = port, keys, generator, stop, kept
        self.most = len(kept.acknowledged) + LIFE_TASKS

    def choose(self):
        """The key to use, the path, the body."""
        chance = self.random.random()
        if chance < 0.01:
            return "live", *self.random.choice(LOCAL)
        if chance < 0.01 + REMOTE_SHARE:
            prompt = f"remote {self.random.getrandbits(64):016x}"
            return "live", "/v1/videos/generations", {"model": REMOTE_MODEL, "prompt": prompt, "duration": 4}
        return "test", *self.random.choice(SIMULATED)

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        while not self.stop.is_set():
            if len(self.kept.acknowledged) >= self.most:
                self.stop.wait()
                return
            key, path, body = self.choose()
            try:
                connection.request("POST", path, json.dumps(body), {
                    "Authorization": "Bearer " + self.keys[key], "Content-Type": "application/json"})
                response = connection.getresponse()
                answer = response.read()
                if response.status == 200:
                    self.kept.keep(json.loads(answer)["id"], body)
                elif response.status != 503:
                    self.kept.refused.append((response.status, answer))
            except (OSError, http.client.HTTPException, ValueError):
                if self.stop.is_set():
                    return
                connection.close()
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)


class Kept:
    """What clients know over all lives."""

    def __init__(self):
        self.acknowledged, self.doomed, self.prompts, self.refused = [], set(), {}, []

    def keep(self, task, body):
        if "fennec:error" in body.get("prompt", ""):
            self.doomed.add(task)
        if body.get("prompt", "").startswith("remote "):
            self.prompts[task] = body["prompt"]
        self.acknowledged.append(task)


def key(data, *options):
    done = subprocess.run([FENNEC, "key", "create", "--data", str(data), "--account", "crash", *options],
                          check=True, capture_output=True, text=True)
    return done.stdout.strip()


def eventually(condition, seconds, what, left=lambda: 0):
    """The time begins anew whenever there is less `left` than ever."""
    deadline, least = time.monotonic() + seconds, left()
    while not condition():
        if (now := left()) < least:
            deadline, least = time.monotonic() + seconds, now
        assert time.monotonic() < deadline, f"not within {seconds} s: {what()}"
        time.sleep(0.1)


def await_death(kept, count, more_seconds):
    """The random moment: after so many acknowledged tasks, and a little while in which more are under way."""
    deadline = time.monotonic() + LIFE_SECONDS
    while len(kept.acknowledged) < count and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(more_seconds)


def arm(simulated, server, generator):
    """Has fal kill the server at an exact step; gives an event that says it has."""
    when, kind = generator.choice(MOMENTS)
    struck = threading.Event()

    def strike(_entry):
        server.process.send_signal(signal.SIGKILL)
        struck.set()

    simulated.moments.add(when, kind, simulated.journal.count(kind) + generator.randrange(1, 5), strike)
    return struck


def live(server, simulated, keys, kept, generator):
    """One life, from its start to its kill."""
    stop = threading.Event()
    threads = [Submitter(server.port, keys, random.Random(generator.random()), stop, kept) for _ in range(SUBMITTERS)]
    struck = arm(simulated, server, generator) if generator.random() < 0.5 else None
    for thread in threads:
        thread.start()
    if struck:
        struck.wait(LIFE_SECONDS)
    else:
        await_death(kept, len(kept.acknowledged) + generator.randrange(LIFE_MAX), generator.uniform(0, 0.02))
    stop.set()
    server.kill()
    simulated.moments.acts.clear()
    for thread in threads:
        thread.join()
    return struck is not None and struck.is_set()


def disk_bytes(root):
    """What lies below; a file may go while we look."""
    taken = 0
    for directory, _, names in os.walk(root):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                taken += os.lstat(os.path.join(directory, name)).st_blocks * 512
    return taken


def resident_bytes():
    return int(open("/proc/self/statm", encoding="ascii").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Progress:
    """Tells how far the run is, and ends one that takes too much of the machine."""

    def __init__(self, root):
        self.root, self.began, self.before = root, time.monotonic(), 0
        number = os.environ.get("CRASH_PROGRESS")
        self.file = os.fdopen(os.dup(int(number)), "w") if number else sys.stdout

    def tell(self, kills, kept, simulated):
        took, self.before = time.monotonic() - self.began - self.before, time.monotonic() - self.began
        disk, descriptors = disk_bytes(self.root), len(os.listdir("/proc/self/fd"))
        log = (self.root / "server.log").stat().st_size
        print(f"   {kills} kills in {self.before:.0f} s (the last {took:.0f} s): {len(kept.acknowledged)} tasks, "
              f"{len(simulated.jobs)} jobs; {disk >> 20} MB on disk, {log >> 20} of them log; "
              f"here {resident_bytes() >> 20} MB, {descriptors} descriptors, {threading.active_count()} threads",
              file=self.file, flush=True)
        assert disk < DISK_MAX and descriptors < DESCRIPTORS_MAX


@pytest.fixture(scope="module")
def port():
    with held_port() as one:
        yield one


@pytest.fixture(scope="module")
def aftermath(tmp_path_factory, port):
    """The data directory after all the kills and a last life that brought everything to its end."""
    print(f"CRASH_SEED={SEED} CRASH_KILLS={KILLS}")
    root = tmp_path_factory.mktemp("crash")
    data, config, catalog = root / "data", root / "config.lua", root / "catalog"
    generator, kept, steps = random.Random(SEED), Kept(), 0
    simulated = fal.FalService(Weather(random.Random(generator.random())), webhooks=0.3)
    (catalog / "providers").mkdir(parents=True)
    adapter = (ROOT / "lua" / "providers" / "fal.lua").read_text()
    adapter = adapter.replace("https://rest.fal.ai", simulated.url).replace("poll_first = 1,", "poll_first = 0.1,")
    (catalog / "providers" / "fal.lua").write_text(adapter)
    # Over hundreds of lives a task can get older than its time: that is not what is tested here.
    (catalog / "models").mkdir()
    models = (ROOT / "lua" / "models" / "seedance.lua").read_text()
    assert "timeout = 1800" in models
    (catalog / "models" / "seedance.lua").write_text(models.replace("timeout = 1800", "timeout = 86400"))
    config.write_text(CONFIG.format(fal=simulated, port=port, catalog=catalog, at_fal=AT_FAL))
    keys = {"live": key(data, "--credits", "100000000"), "test": key(data, "--test")}
    progress = Progress(root)
    with Bookkeeper(FENNEC, data) as bookkeeper:
        for kills in range(1, KILLS + 1):
            steps += live(Server(data, config, port), simulated, keys, kept, generator)
            if kills % PROGRESS_EVERY == 0:
                progress.tell(kills, kept, simulated)
        server = Server(data, config, port)
        eventually(bookkeeper.has_worked, 60, lambda: bookkeeper.refusals)
    # A thousand lives leave more than ten minutes of work where they submit fast, and local models are slow.
    eventually(lambda: after.open_tasks(data) == 0, 180, lambda: f"{after.open_tasks(data)} tasks still open",
               lambda: after.open_tasks(data))
    eventually(lambda: not after.orphans(data), 180, lambda: f"orphaned blobs {list(after.orphans(data))[:5]}")
    code = server.stop()
    simulated.stop()
    yield {"data": data, "root": root, "acknowledged": kept.acknowledged, "doomed": kept.doomed, "refused": kept.refused,
           "prompts": kept.prompts, "fal": simulated, "bookkeeper": bookkeeper, "steps": steps, "code": code}


def test_the_last_life_ended_cleanly(aftermath):
    assert aftermath["code"] == 0
    assert aftermath["refused"] == []
    log = (aftermath["root"] / "server.log").read_text()
    assert "AddressSanitizer" not in log and "runtime error" not in log, log[-4000:]


def test_enough_was_at_stake(aftermath):
    print(f"{len(aftermath['acknowledged'])} tasks acknowledged over {KILLS} kills")
    assert len(aftermath["acknowledged"]) > 20 * KILLS
    assert len(set(aftermath["acknowledged"])) == len(aftermath["acknowledged"])
    print(f"{len(aftermath['prompts'])} of them at fal, {len(aftermath['fal'].jobs)} jobs; {aftermath['steps']} exact kills")
    assert len(aftermath["prompts"]) > 2 * KILLS and aftermath["steps"] > KILLS // 5


def test_every_acknowledged_task_is_final(aftermath):
    after.assert_acknowledged_tasks_are_final(aftermath["data"], aftermath["acknowledged"])


def test_every_task_ended_exactly_once(aftermath):
    after.assert_every_task_ended_once(aftermath["data"])


def cut_off_too_often(data):
    """A task that is cut off in every life may be what ends them, and is given up in the end (S3)."""
    cut_off = "SELECT task FROM attempt WHERE state = 3 GROUP BY task HAVING count(*) = ?"
    return {row[0] for row in after.rows(data, cut_off, CUT_OFF_MAX)}


def test_only_the_tasks_that_should_fail_failed(aftermath):
    rows = after.rows(aftermath["data"], "SELECT id, state, model, error FROM task")
    tasks = {row[0]: row for row in rows}
    assert aftermath["doomed"]
    acknowledged = [tasks[task] for task in aftermath["acknowledged"] if tasks[task][2] != REMOTE_MODEL]
    given_up = cut_off_too_often(aftermath["data"])
    print(f"{len(given_up)} tasks were given up after {CUT_OFF_MAX} lives")
    assert {tasks[task][1] for task in given_up} <= {3} and len(given_up) <= KILLS // 20
    assert [row for row in acknowledged if (row[1] == 3) != (row[0] in aftermath["doomed"] | given_up)] == []
    unheard = set(tasks) - set(aftermath["acknowledged"])  # accepted, but the kill came before the answer
    assert {tasks[task][3] for task in unheard - given_up if tasks[task][1] == 3} <= {"content_policy_violation", "submission_unknown"}


def remote_tasks(aftermath):
    """Id, state, error of every task at fal, and its attempts: number, state, the job's id."""
    data = aftermath["data"]
    rows = after.rows(data, "SELECT id, state, error FROM task WHERE model = ?", REMOTE_MODEL)
    tasks = {row[0]: (*row, []) for row in rows if row[0] in aftermath["prompts"]}
    for task, number, state, remote in after.rows(data, "SELECT task, number, state, remote FROM attempt ORDER BY task, number"):
        if task in tasks:
            tasks[task][3].append((number, state, remote))
    return tasks


def test_no_job_is_paid_twice(aftermath):
    after.assert_no_job_is_made_twice(aftermath["fal"])


def test_a_task_at_fal_fails_only_when_nobody_knows_of_its_job(aftermath):
    jobs, sent = after.jobs_by_prompt(aftermath["fal"]), {}
    for entry in aftermath["fal"].journal.of("submit"):
        sent.setdefault(entry.request.json()["prompt"], []).append(entry)
    unknown = 0
    for task, state, error, attempts in remote_tasks(aftermath).values():
        prompt, last = aftermath["prompts"][task], attempts[-1]
        assert (state, error) in ((2, ""), (3, "submission_unknown")), (task, state, error, attempts)
        refused = [entry for entry in sent.get(prompt, []) if entry.status == 503]
        assert len(sent.get(prompt, [])) <= len(attempts) and len(sent.get(prompt, [])) - len(refused) <= 1, (task, attempts)
        if state == 2:
            assert last[2] == jobs[prompt][0], (task, attempts)
        else:
            unknown += 1
            assert last[2] == "", (task, attempts)
    print(f"{unknown} tasks were cut off between submission and answer")
    assert unknown <= KILLS * AT_FAL


def test_what_fal_made_was_delivered_or_given_up(aftermath):
    """No job runs for nobody: its task has its film, or is the one that nobody could know of."""
    tasks = remote_tasks(aftermath)
    states = {aftermath["prompts"][task]: row[1:3] for task, row in tasks.items()}
    lost = [prompt for prompt in after.jobs_by_prompt(aftermath["fal"]) if prompt in states
            and states[prompt] not in ((2, ""), (3, "submission_unknown"))]
    assert lost == []


def test_no_input_is_left_of_a_task_that_ended(aftermath):
    after.assert_no_input_is_left(aftermath["data"])


def test_every_ledger_sums(aftermath):
    after.assert_ledgers_sum(aftermath["data"], FENNEC)


def test_what_the_command_line_booked_is_booked_once(aftermath):
    aftermath["bookkeeper"].assert_booked()


def test_every_claimed_blob_is_whole(aftermath):
    after.assert_blobs_are_whole(aftermath["data"])


def test_no_blob_is_orphaned_and_nothing_is_left_over(aftermath):
    after.assert_nothing_left_over(aftermath["data"])
