"""`submit`: durable submissions, each answered after its transaction is on disk."""
import contextlib
import pathlib
import statistics
import tempfile

from load import wrk
from processes import ROOT, cpu_seconds, create_key, spread, start_fennec
from queues import QUEUES, Queue
from table import Row

# Tasks stay queued: what is measured is acceptance, not the simulator.
CONFIG = """
simulator = { seconds = 3600 }
groups = { default = { price = 1.0, concurrency = 1, requests_per_minute = 0 } }
"""
CONNECTIONS = (1, 16, 64, 256)


@contextlib.contextmanager
def fennec(root):
    key = create_key(root, "--test")
    server, base = start_fennec(root, CONFIG)
    queue = Queue(base, [server.pid])
    queue.key = key
    try:
        yield queue
    finally:
        server.kill()
        server.wait()


TARGETS = {"fennec": fennec, **QUEUES}


def measure_target(target, connections, options):
    """A new store each time, and a second in which compilers get warm; CPU time is of all processes that take part, but
    not of the load."""
    with tempfile.TemporaryDirectory(dir=options.data) as folder, target(pathlib.Path(folder)) as queue:
        load = {"script": ROOT / "bench" / "submit.lua", "env": {"BENCH_KEY": queue.key}}
        wrk(queue.base, connections, 1, **load)
        before = sum(map(cpu_seconds, queue.pids))
        result = wrk(queue.base, connections, options.seconds, **load)
        result["cpu_us"] = (sum(map(cpu_seconds, queue.pids)) - before) * 1e6 / max(result["requests"], 1)
        return result


def measure_submit(options):
    rows = {}
    for connections in CONNECTIONS:
        rows[connections] = {name: [] for name in TARGETS}
        for _ in range(options.rounds):
            for name, target in TARGETS.items():
                rows[connections][name].append(measure_target(target, connections, options))
    return rows


def print_submit(submit):
    print("durable submission")
    for connections, targets in submit.items():
        for name, rounds in targets.items():
            print(f"  {connections:4} connections, {name:11}: {statistics.median(r['rate'] for r in rounds):7.0f}/s,"
                  f" p50 {statistics.median(r['p50'] for r in rounds):.2f} ms,"
                  f" p99 {statistics.median(r['p99'] for r in rounds):.2f} ms,"
                  f" {spread([r['cpu_us'] for r in rounds])} µs CPU each, errors {sum(r['errors'] for r in rounds)}")


def values(targets, figure):
    return {name: [r[figure] for r in rounds] for name, rounds in targets.items()}


def rows_submit(submit):
    rows = []
    for connections, targets in submit.items():
        goal = connections == 64
        what = f"durable submission, {connections} connection{'s' if connections > 1 else ''}"
        rows.append(Row(what, "per second", values(targets, "rate"), more=True, goal="at least 25,000" if goal else None,
                        met=lambda value, ratio: value >= 25000))
        rows.append(Row(f"{what}: p50", "ms", values(targets, "p50")))
        rows.append(Row(f"{what}: p99", "ms", values(targets, "p99"), goal="at most 10" if goal else None,
                        met=lambda value, ratio: value <= 10))
        rows.append(Row(f"{what}: CPU", "µs each", values(targets, "cpu_us")))
    return rows
