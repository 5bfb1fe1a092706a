"""`life`: tasks at a remote service, from submission to settlement.

The service is bench/upstream.c on loopback; its picture is another one for each task, so that each is stored. It is a small
one, which comes into the database, and then one that is a file of its own, and synced as such.
"""
import json
import os
import pathlib
import re
import signal
import sqlite3
import statistics
import subprocess
import tempfile
import time

from processes import ROOT, call, cpu_seconds, create_key, spread, start_fennec, start_upstream, stop
from table import Row

LIMIT_S = 180 # in which something must happen, whatever is waited for
CONNECTIONS = 64
LARGE = 64 << 10 # bytes of a picture that has a file of its own, by results.small as it comes
LARGE_SHARE = 4  # a quarter of the tasks
CONFIG = """
groups = { default = { price = 1.0, concurrency = 1000000, requests_per_minute = 0 } }
providers = { fal = { key = "fake-key", url = "%(upstream)s", allow_private = true, concurrency = 1000000,
                      poll_min = %(poll_min)s } }
"""


def submit(base, key, count):
    """Submits `count` tasks, and those under way on other connections at that moment."""
    script = ROOT / "bench" / "submit.lua"
    environment = {**os.environ, "BENCH_KEY": key, "BENCH_COUNT": str(count), "BENCH_PATH": "/v1/images/generations",
                   "BENCH_BODY": '{"model":"phota-image","prompt":"a fennec at dawn, sand in its fur","resolution":"1K"}'}
    subprocess.run(["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{LIMIT_S}s", "-s", script, base], check=True, env=environment,
                   capture_output=True)


def figures(base):
    return {name: int(value) for name, value in re.findall(r"^(\w+) (\d+)$", call(base + "/metrics").decode(), re.M)}


def counts(upstream):
    return json.loads(call(upstream + "/control/counts"))


def wait_for(look, pause_s=0.1, progress=lambda: None):
    """What `look` returns once that is true; the limit begins anew whenever what `progress` returns has changed."""
    last, end = None, time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        if (now := progress()) != last:
            last, end = now, time.monotonic() + LIMIT_S
        time.sleep(pause_s)
    raise SystemExit(f"nothing happened for {LIMIT_S} s")


class Bench:
    """A Fennec and its service, with a data directory of their own."""

    def __init__(self, options, job, poll_min, picture_bytes=0):
        self.folder = tempfile.TemporaryDirectory(dir=options.data)
        self.root = pathlib.Path(self.folder.name)
        self.key = create_key(self.root, "--credits", "100000000")
        self.upstream, self.service = start_upstream(job, picture_bytes)
        self.start(poll_min)

    def start(self, poll_min):
        self.server, self.base = start_fennec(self.root, CONFIG % {"upstream": self.service, "poll_min": poll_min})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        stop(self.server, signal.SIGKILL)
        stop(self.upstream)
        self.folder.cleanup()

    def ended(self):
        now = figures(self.base)
        return now if now["fennec_tasks_completed_total"] + now["fennec_tasks_failed_total"] \
            == now["fennec_tasks_accepted_total"] else None

    def stored(self):
        """The number of tasks that the store has."""
        with sqlite3.connect(f"file:{self.root}/data/fennec.db?mode=ro", uri=True) as store:
            return store.execute("SELECT count(*) FROM task").fetchone()[0]

    def times(self):
        """First acceptance and last end, Unix seconds, as the store has them."""
        with sqlite3.connect(f"file:{self.root}/data/fennec.db?mode=ro", uri=True) as store:
            first, last = store.execute("SELECT min(created_ms), max(finished_ms) FROM task").fetchone()
        return first / 1000, last / 1000


def measure_round(options, count, picture_bytes):
    with Bench(options, 200, 0, picture_bytes) as bench:
        before = cpu_seconds(bench.server.pid), cpu_seconds(bench.upstream.pid)
        submit(bench.base, bench.key, count)
        end = wait_for(bench.ended)
        tasks = end["fennec_tasks_accepted_total"]
        first, last = bench.times()
        return {"tasks": tasks, "failed": end["fennec_tasks_failed_total"], "rate": tasks / (last - first),
                "cpu_us": (cpu_seconds(bench.server.pid) - before[0]) * 1e6 / tasks,
                "upstream_cpu_us": (cpu_seconds(bench.upstream.pid) - before[1]) * 1e6 / tasks,
                "store_jobs": end["fennec_store_jobs_total"] / tasks,
                "tasks_per_commit": tasks / end["fennec_store_commits_total"],
                "polls": counts(bench.service)["status_requests"] / tasks}


def measure_life(options):
    small, large = [], []
    for _ in range(options.rounds):
        small.append(measure_round(options, options.tasks, 0))
        large.append(measure_round(options, options.tasks // LARGE_SHARE, LARGE))
    return {"small": small, "large": large}


def median(rounds, name):
    return statistics.median(each[name] for each in rounds)


def print_rounds(rounds, files):
    print(f"whole life: submission, two requests for the job, one for its file, settlement; about {rounds[0]['tasks']} tasks, "
          f"{CONNECTIONS} connections, {files}")
    print(f"  {spread([r['rate'] for r in rounds], 0)} tasks/s from the first acceptance to the last end, failed "
          f"{sum(r['failed'] for r in rounds)}")
    print(f"  fennec   {spread([r['cpu_us'] for r in rounds], 0)} µs CPU per task; store jobs per task "
          f"{median(rounds, 'store_jobs'):.2f}, tasks per commit {median(rounds, 'tasks_per_commit'):.1f}")
    print(f"  service  {spread([r['upstream_cpu_us'] for r in rounds], 0)} µs CPU per task, asked "
          f"{median(rounds, 'polls'):.2f} times about each")


def print_life(measured):
    print_rounds(measured["small"], "small files")
    print_rounds(measured["large"], f"files of {LARGE >> 10} KiB")


def rows_life(measured):
    what, large = f"whole life, {CONNECTIONS} connections", f"the same with files of {LARGE >> 10} KiB"
    return [Row(what, "tasks per second", {"fennec": [r["rate"] for r in measured["small"]]}, more=True, goal="at least 3,000",
                met=lambda value, ratios: value >= 3000),
            Row(f"{what}: CPU", "µs each", {"fennec": [r["cpu_us"] for r in measured["small"]]}),
            Row(large, "tasks per second", {"fennec": [r["rate"] for r in measured["large"]]}, more=True),
            Row(f"{large}: CPU", "µs each", {"fennec": [r["cpu_us"] for r in measured["large"]]})]
