"""The whole life of tasks at a remote service, and what a hundred thousand that live at once cost.

The service is bench/upstream.c on loopback; its picture is another one for each task, so that each is stored and synced.
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

from processes import (ROOT, call, cpu_seconds, create_key, memory_bytes, spread, start_fennec, start_upstream, stop)

LIMIT_S = 180 # for anything that is waited for
CONNECTIONS = 64
RECOVERY_POLL_S = 10
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


def wait_for(look, pause_s=0.1):
    """What `look` returns once that is true."""
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(pause_s)
    raise SystemExit(f"nothing happened for {LIMIT_S} s")


class Bench:
    """A Fennec and its service, with a data directory of their own."""

    def __init__(self, options, job, poll_min):
        self.folder = tempfile.TemporaryDirectory(dir=options.data)
        self.root = pathlib.Path(self.folder.name)
        self.key = create_key(self.root, "--credits", "100000000")
        self.upstream, self.service = start_upstream(job)
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

    def times(self):
        """First acceptance and last end, Unix seconds, as the store has them."""
        with sqlite3.connect(f"file:{self.root}/data/fennec.db?mode=ro", uri=True) as store:
            first, last = store.execute("SELECT min(created_ms), max(finished_ms) FROM task").fetchone()
        return first / 1000, last / 1000


def bench_life(options):
    rounds = []
    for _ in range(options.rounds):
        with Bench(options, 200, 0) as bench:
            before = cpu_seconds(bench.server.pid), cpu_seconds(bench.upstream.pid)
            submit(bench.base, bench.key, options.tasks)
            end = wait_for(bench.ended)
            tasks = end["fennec_tasks_accepted_total"]
            first, last = bench.times()
            rounds.append({
                "tasks": tasks, "failed": end["fennec_tasks_failed_total"], "rate": tasks / (last - first),
                "cpu_us": (cpu_seconds(bench.server.pid) - before[0]) * 1e6 / tasks,
                "upstream_cpu_us": (cpu_seconds(bench.upstream.pid) - before[1]) * 1e6 / tasks,
                "store_jobs": end["fennec_store_jobs_total"] / tasks,
                "tasks_per_commit": tasks / end["fennec_store_commits_total"],
                "polls": counts(bench.service)["status_requests"] / tasks})
    return rounds


def settled_bytes(pid):
    """Its memory once that has stopped to change."""
    last, now = (0, 0), memory_bytes(pid)
    while abs(now[0] - last[0]) > 256 << 10:
        time.sleep(1)
        last, now = now, memory_bytes(pid)
    return now


def bench_memory(options):
    # Rare questions: what is measured is what waiting tasks cost, not what asking for them does.
    with Bench(options, "hold", 60) as bench:
        idle = settled_bytes(bench.server.pid)
        submit(bench.base, bench.key, options.live)
        live = wait_for(lambda: (now := figures(bench.base))["fennec_tasks_running"] >= options.live and now)
        tasks = live["fennec_tasks_running"]
        wait_for(lambda: counts(bench.service)["jobs"] >= tasks and counts(bench.service)["asked"] >= tasks)
        full = settled_bytes(bench.server.pid)
        stop(bench.server, signal.SIGKILL)
        call(bench.service + "/control/mark", body={})
        start = time.monotonic()
        bench.start(RECOVERY_POLL_S) # the questions after a start are spread over this time
        ready = time.monotonic() - start
        wait_for(lambda: counts(bench.service)["asked"] >= tasks)
        asked = time.monotonic() - start
        recovered = settled_bytes(bench.server.pid)
        jobs = counts(bench.service)["jobs"]
    return {"tasks": tasks, "idle_bytes": idle, "live_bytes": full, "per_task_bytes": (full[1] - idle[1]) / tasks,
            "recovered_per_task_bytes": (recovered[1] - idle[1]) / tasks,
            "recovered_bytes": recovered, "ready_s": ready, "asked_s": asked, "jobs_made": jobs}


def median(rounds, name):
    return statistics.median(each[name] for each in rounds)


def print_life(rounds):
    print(f"whole life: submission, two requests for the job, one for its file, settlement; about {rounds[0]['tasks']} tasks, "
          f"{CONNECTIONS} connections")
    print(f"  {spread([r['rate'] for r in rounds], 0)} tasks/s from the first acceptance to the last end, failed "
          f"{sum(r['failed'] for r in rounds)}")
    print(f"  fennec   {spread([r['cpu_us'] for r in rounds], 0)} µs CPU per task; store jobs per task "
          f"{median(rounds, 'store_jobs'):.2f}, tasks per commit {median(rounds, 'tasks_per_commit'):.1f}")
    print(f"  service  {spread([r['upstream_cpu_us'] for r in rounds], 0)} µs CPU per task, asked "
          f"{median(rounds, 'polls'):.2f} times about each")


def in_mib(pair):
    return f"{pair[0] / (1 << 20):.1f} MiB resident, {pair[1] / (1 << 20):.1f} of its own"


def print_memory(memory):
    print(f"memory, {memory['tasks']} live tasks at the service")
    print(f"  idle: {in_mib(memory['idle_bytes'])}")
    print(f"  with them: {in_mib(memory['live_bytes'])}, {memory['per_task_bytes']:.0f} bytes each")
    print(f"  after kill -9: {in_mib(memory['recovered_bytes'])}, {memory['recovered_per_task_bytes']:.0f} bytes each; ready in "
          f"{memory['ready_s']:.2f} s, all asked about again in {memory['asked_s']:.1f} s (spread over {RECOVERY_POLL_S}); jobs made "
          f"twice: {memory['jobs_made'] - memory['tasks']}")
