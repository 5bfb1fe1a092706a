"""`submit`: durable submissions, each answered after its transaction is on disk."""
import pathlib
import statistics
import tempfile

from load import measured
from processes import ROOT, create_key, spread, start_fennec
from table import Row

# Tasks stay queued: what is measured is acceptance, not the simulator.
CONFIG = """
simulator = { seconds = 3600 }
groups = { default = { price = 1.0, concurrency = 1, requests_per_minute = 0 } }
"""
CONNECTIONS = (1, 16, 64, 256)


def measure_submit(options):
    rows = {}
    for connections in CONNECTIONS:
        rows[connections] = []
        for _ in range(options.rounds):
            with tempfile.TemporaryDirectory(dir=options.data) as folder:
                root = pathlib.Path(folder)
                key = create_key(root, "--test")
                server, base = start_fennec(root, CONFIG)
                rows[connections].append(measured(server.pid, base, connections, options.seconds,
                                                  script=ROOT / "bench" / "submit.lua", env={"BENCH_KEY": key}))
                server.kill()
                server.wait()
    return rows


def print_submit(submit):
    print("durable submission")
    for connections, rounds in submit.items():
        print(f"  {connections:4} connections: {statistics.median(r['rate'] for r in rounds):.0f}/s,"
              f" p50 {statistics.median(r['p50'] for r in rounds):.2f} ms, p99 {statistics.median(r['p99'] for r in rounds):.2f} ms,"
              f" {spread([r['cpu_us'] for r in rounds])} µs CPU each, errors {sum(r['errors'] for r in rounds)}")


def rows_submit(submit):
    goal = {64: ("at least 25,000", lambda value, ratio: value >= 25000)}
    rows = []
    for connections, rounds in submit.items():
        text, met = goal.get(connections, (None, None))
        what = f"durable submission, {connections} connection{'s' if connections > 1 else ''}"
        rows.append(Row(what, "per second", {"fennec": [r["rate"] for r in rounds]}, more=True, goal=text, met=met))
        rows.append(Row(f"{what}: p99", "ms", {"fennec": [r["p99"] for r in rounds]},
                        goal="at most 10" if connections == 64 else None, met=lambda value, ratio: value <= 10))
        rows.append(Row(f"{what}: CPU", "µs each", {"fennec": [r["cpu_us"] for r in rounds]}))
    return rows
