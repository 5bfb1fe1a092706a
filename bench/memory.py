"""`memory`: what the server takes idle, and with a hundred thousand tasks that live at once; kill -9 and recovery with these."""
import signal
import time

from life import Bench, counts, figures, submit, wait_for
from processes import call, memory_bytes, stop
from table import Row

POLL_S = 60
QUIET_S = 12  # the server gives back what it has no more use for every five seconds


def settled_bytes(pid):
    """Its memory once that has not changed for a while."""
    first, quiet = memory_bytes(pid), 0
    while quiet < QUIET_S:
        time.sleep(1)
        now = memory_bytes(pid)
        quiet = quiet + 1 if abs(now[0] - first[0]) <= 512 << 10 else 0
        first = first if quiet else now
    return memory_bytes(pid)


def measure_memory(options):
    # Rare questions: what is measured is what waiting tasks cost, not what asking for them does.
    with Bench(options, "hold", POLL_S) as bench:
        idle = settled_bytes(bench.server.pid)
        submit(bench.base, bench.key, options.live)
        live = wait_for(lambda: (now := figures(bench.base))["fennec_tasks_running"] >= options.live
                        and now["fennec_tasks_running"] == now["fennec_tasks_accepted_total"] and now,
                        progress=lambda: figures(bench.base)["fennec_tasks_running"])
        tasks = live["fennec_tasks_running"]
        wait_for(lambda: counts(bench.service)["jobs"] >= tasks and counts(bench.service)["asked"] >= tasks,
                 progress=lambda: [counts(bench.service)[name] for name in ("jobs", "asked")])
        full = settled_bytes(bench.server.pid)
        stop(bench.server, signal.SIGKILL)
        tasks = bench.stored()
        call(bench.service + "/control/mark", body={})
        start = time.monotonic()
        bench.start(POLL_S) # the questions after a start are spread over this time
        ready = time.monotonic() - start
        wait_for(lambda: counts(bench.service)["asked"] >= tasks, progress=lambda: [counts(bench.service)[name] for name in ("jobs", "asked")])
        asked = time.monotonic() - start
        recovered = settled_bytes(bench.server.pid)
        jobs = counts(bench.service)["jobs"]
    return {"tasks": tasks, "idle_bytes": idle, "live_bytes": full, "per_task_bytes": (full[1] - idle[1]) / tasks,
            "recovered_per_task_bytes": (recovered[1] - idle[1]) / tasks,
            "recovered_bytes": recovered, "ready_s": ready, "asked_s": asked, "jobs_made": jobs}


def in_mib(pair):
    return f"{pair[0] / (1 << 20):.1f} MiB resident, {pair[1] / (1 << 20):.1f} of its own"


def print_memory(memory):
    print(f"memory, {memory['tasks']} live tasks at the service")
    print(f"  idle: {in_mib(memory['idle_bytes'])}")
    print(f"  with them: {in_mib(memory['live_bytes'])}, {memory['per_task_bytes']:.0f} bytes each")
    print(f"  after kill -9: {in_mib(memory['recovered_bytes'])}, {memory['recovered_per_task_bytes']:.0f} bytes each; ready in "
          f"{memory['ready_s']:.2f} s, all asked about again in {memory['asked_s']:.1f} s (spread over {POLL_S}); jobs made "
          f"twice: {memory['jobs_made'] - memory['tasks']}")


def rows_memory(memory):
    def mib(size):
        return {"fennec": [size / 2**20]}

    tasks = f"{memory['tasks']:,} live tasks"
    return [Row("memory, idle", "MiB resident", mib(memory["idle_bytes"][0]), goal="at most 15",
                met=lambda value, ratios: value * 2**20 <= 15e6),
            Row(f"memory, {tasks}", "MiB resident", mib(memory["live_bytes"][0]), goal="at most 100",
                met=lambda value, ratios: value * 2**20 <= 100e6),
            Row(f"memory, {tasks}", "bytes each of its own", {"fennec": [memory["per_task_bytes"]]}, digits=0),
            Row(f"memory, {tasks}, after `kill -9`", "MiB resident", mib(memory["recovered_bytes"][0]), goal="at most 100",
                met=lambda value, ratios: value * 2**20 <= 100e6),
            Row(f"{tasks}, after `kill -9`: ready", "s", {"fennec": [memory["ready_s"]]}),
            Row(f"{tasks}, after `kill -9`: jobs made twice", "", {"fennec": [memory["jobs_made"] - memory["tasks"]]},
                goal="none", met=lambda value, ratios: value == 0, digits=0)]
