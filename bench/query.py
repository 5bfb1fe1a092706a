"""`query`: GET /v1/tasks/{id} with a key, against nginx and the barest libmicrohttpd that answer the same bytes, with a thousand,
a million, ten million tasks in the store; start, recovery and memory with a million.

Hot: sixteen tasks of one account, asked for again and again. Cold: 300,000 tasks of all accounts in a random order, far more
than the server keeps rendered, so that each answer is read from the database; that lies in the system's page cache.
"""
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import tempfile
import time

import life
from filled import filled_store
from load import measured
from nginx import start_nginx
from processes import ROOT, create_key, memory_bytes, spread, start_bare, start_fennec, start_upstream, stop
from table import Row

LIVE = 10000
WARM_UP = 20000 # queries before each cold turn that is measured
HOT = 16
TURN_S = 1 # of hot queries: short, so that what else the machine does meets all who take part
CONNECTIONS = 64
OTHERS = ("nginx", "libmicrohttpd")
CONFIG = """
groups = { default = { price = 1.0, concurrency = 50, requests_per_minute = 0 } }
"""
ANSWERS = """
default_type application/json;
location / { return 200 '%s'; }
location /unchanged { add_header ETag '"0123456789abcdef"'; return 304; }
"""


def sizes(options):
    return [size for size in (1000, 1000000, 10000000) if size <= options.tasks_stored]


def copy_store(tasks, root):
    """The store is the server's to change; a copy's pages are all in the page cache, as far as that goes."""
    root.mkdir()
    shutil.copytree(filled_store(tasks) / "data", root / "data")
    shutil.copy(filled_store(tasks) / "sample", root / "sample")


def write_hot_sample(root):
    """The first lines of the sample that are of one account."""
    lines = (root / "sample").read_text().splitlines()
    key = statistics.mode(line.split()[1] for line in lines[:5000])
    (root / "hot").write_text("\n".join([line for line in lines if line.split()[1] == key][:HOT]) + "\n")
    return len(lines)


class Stored:
    """A Fennec whose store has so many tasks."""

    def __init__(self, tasks, root):
        self.tasks, self.root = tasks, root
        copy_store(tasks, root)
        self.sample_size = write_hot_sample(root)
        self.server, self.base = start_fennec(root, CONFIG)
        self.skip = 0
        self.warm_up()

    def warm_up(self):
        """A map of a file is made page by page as these are read, which takes far longer than to read them again; and a server
        that has not read for some seconds lets its maps go."""
        environment = {**os.environ, **self.environment("cold"), "BENCH_COUNT": str(WARM_UP)}
        subprocess.run(["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{life.LIMIT_S}s", "-s", ROOT / "bench" / "query.lua", self.base],
                       check=True, env=environment, capture_output=True)
        self.go_on(WARM_UP)

    def environment(self, kind):
        if kind == "hot":
            return {"BENCH_SAMPLE": str(self.root / "hot")}
        return {"BENCH_SAMPLE": str(self.root / "sample"), "BENCH_SKIP": str(self.skip)}

    def go_on(self, answered):
        """What comes next is asked for behind what was asked for, so that no answer is still kept."""
        self.skip = (self.skip + answered + CONNECTIONS) % self.sample_size


def body_of(stored):
    task, key = (stored.root / "hot").read_text().split()[:2]
    request = subprocess.run(["curl", "-s", "-D", "-", "-H", f"Authorization: Bearer {key}", f"{stored.base}/v1/tasks/{task}"],
                             check=True, capture_output=True).stdout.decode()
    head, body = request.split("\r\n\r\n", 1)
    tag = next(line.split(": ", 1)[1] for line in head.split("\r\n") if line.lower().startswith("etag: "))
    json.loads(body)
    return task, key, body, tag


class Others:
    """Those that answer the bytes of one of Fennec's answers."""

    def __init__(self, root, body):
        self.all = {"libmicrohttpd": start_bare(body)}
        try:
            self.all["nginx"] = start_nginx(root, ANSWERS % body.replace("'", "\\'"))
        except BaseException:
            self.stop()
            raise

    def measure(self, case, path, *arguments, **options):
        for name, (server, address) in self.all.items():
            case[name].append(measured(server.pid, address + path, *arguments, **options))

    def stop(self):
        for server, _ in self.all.values():
            stop(server)


def measure_reads(options, stores, others, answer):
    script = ROOT / "bench" / "query.lua"
    task, key, _, tag = answer
    names = [f"{stored.tasks} {kind}" for stored in stores for kind in ("hot", "cold")]
    reads = {name: {server: [] for server in ("fennec", *OTHERS)} for name in (*names, "unchanged")}
    headers = [f"Authorization: Bearer {key}", f"If-None-Match: {tag}"]

    def ask(stored, kind, seconds):
        case, load = reads[f"{stored.tasks} {kind}"], {"script": script, "env": stored.environment(kind)}
        case["fennec"].append(measured(stored.server.pid, stored.base, CONNECTIONS, seconds, **load))
        others.measure(case, "", CONNECTIONS, seconds, **load)
        return case["fennec"][-1]["requests"]

    for _ in range(options.rounds):
        for _ in range(options.seconds // TURN_S):
            for stored in stores:
                ask(stored, "hot", TURN_S)
            case = reads["unchanged"]
            case["fennec"].append(measured(stores[0].server.pid, f"{stores[0].base}/v1/tasks/{task}", CONNECTIONS, TURN_S,
                                           headers=headers))
            others.measure(case, "/unchanged", CONNECTIONS, TURN_S, headers=headers)
        for stored in stores:
            stored.warm_up()
            stored.go_on(ask(stored, "cold", options.seconds))
    return reads


def measure_starts(options, stored):
    """Stops and starts the server."""
    starts = []
    for _ in range(options.rounds):
        stop(stored.server)
        begin = time.monotonic()
        stored.server, stored.base = start_fennec(stored.root, CONFIG)
        starts.append(time.monotonic() - begin)
    return starts


def all_asked(stored, service):
    """How many tasks there are, once the service was asked about each: those under way when the submitters stopped, too."""
    asked, accepted = life.counts(service)["asked"], life.figures(stored.base)["fennec_tasks_accepted_total"]
    return accepted if accepted >= LIVE and asked >= accepted else None


def measure_recovery(options, stored):
    """kill -9 while some of the tasks live at a service, which has been asked about each."""
    stop(stored.server)
    upstream, service = start_upstream("hold")
    config = life.CONFIG % {"upstream": service, "poll_min": 5}
    key = create_key(stored.root, "--credits", "100000000")
    stored.server, stored.base = start_fennec(stored.root, config)
    try:
        life.submit(stored.base, key, LIVE)
        live = life.wait_for(lambda: all_asked(stored, service))
        ready = []
        for _ in range(options.rounds):
            stop(stored.server, signal.SIGKILL)
            begin = time.monotonic()
            stored.server, stored.base = start_fennec(stored.root, config)
            ready.append(time.monotonic() - begin)
            life.wait_for(lambda: life.figures(stored.base)["fennec_tasks_running"] == live)
        return ready
    finally:
        stop(upstream)


def measure_query(options):
    stores = []
    with tempfile.TemporaryDirectory(dir=options.data) as folder:
        root = pathlib.Path(folder)
        others = None
        try:
            for tasks in sizes(options):
                stores.append(Stored(tasks, root / str(tasks)))
            before = {stored.tasks: memory_bytes(stored.server.pid) for stored in stores}
            answer = body_of(stores[0])
            others = Others(root, answer[2])
            reads = measure_reads(options, stores, others, answer)
            after = {stored.tasks: memory_bytes(stored.server.pid) for stored in stores}
            starts = {stored.tasks: measure_starts(options, stored) for stored in stores}
            recovery = {stored.tasks: measure_recovery(options, stored) for stored in stores if stored.tasks == 1000000}
        finally:
            for stored in stores:
                stop(stored.server, signal.SIGKILL)
            if others:
                others.stop()
    return {"bytes": len(answer[2]), "stored": [stored.tasks for stored in stores], "reads": reads, "starts": starts,
            "recovery": recovery, "idle_bytes": before, "read_bytes": after}


# ---- what it says ----

def cpu(rounds):
    return [each["cpu_us"] for each in rounds]


def growths(query, kind, smaller=0):
    """CPU time of a query in the largest store over that in a smaller one, turn by turn."""
    first, last = query["stored"][smaller], query["stored"][-1]
    pairs = zip(cpu(query["reads"][f"{last} {kind}"]["fennec"]), cpu(query["reads"][f"{first} {kind}"]["fennec"]))
    return [large / small for large, small in pairs]


def mib(size):
    return size / 2**20


def print_query(query):
    print(f"task query, {query['bytes']} bytes, 64 connections")
    for name, case in query["reads"].items():
        ratios = {other: [theirs / ours for ours, theirs in zip(cpu(case["fennec"]), cpu(case[other]))] for other in OTHERS}
        errors = sum(each["errors"] for rounds in case.values() for each in rounds)
        print(f"  {name:14} " + ", ".join(f"{server} {spread(cpu(rounds))}" for server, rounds in case.items())
              + " µs CPU per request; requests per CPU-second, "
              + ", ".join(f"fennec / {other}: {spread(ratio)}" for other, ratio in ratios.items())
              + f"; {statistics.median(each['rate'] for each in case['fennec']):.0f} requests/s; errors {errors}")
    if len(query["stored"]) > 1:
        for kind in ("hot", "cold"):
            print(f"  {kind}, {query['stored'][-1]:,} tasks over {query['stored'][0]:,}: {spread(growths(query, kind))}")
    for tasks in query["stored"]:
        idle, read = query["idle_bytes"][tasks], query["read_bytes"][tasks]
        print(f"  {tasks:,} tasks: starts in {spread(query['starts'][tasks])} s; resident {mib(idle[0]):.1f} MiB, of its own "
              f"{mib(idle[1]):.1f}; after the reads {mib(read[0]):.1f} and {mib(read[1]):.1f}")
    for tasks, ready in query["recovery"].items():
        print(f"  {tasks:,} tasks, {LIVE:,} of them live: ready {spread(ready)} s after kill -9")


def read_rows(query):
    for name, case in query["reads"].items():
        values = {server: cpu(rounds) for server, rounds in case.items()}
        goal = {}
        if name.endswith(" hot"):
            goal = {"goal": "at least 0.9 of nginx", "met": lambda value, ratios: ratios["nginx"] >= 0.9}
        stored = name.split()[0]
        what = f"{int(stored):,} tasks stored, {name.split()[1]}" if stored.isdigit() else "unchanged (304)"
        yield Row(f"task query with a key, {what}", "µs CPU per request", values, **goal)


def growth_rows(query):
    goal = {"goal": "at most 1.2", "met": lambda value, ratios: value <= 1.2}

    def row(kind, smaller, what="", **goal):
        return Row(f"task query, {kind}: CPU with {query['stored'][-1]:,} tasks over {query['stored'][smaller]:,}{what}", "times",
                   {"fennec": growths(query, kind, smaller)}, **goal)

    if len(query["stored"]) > 1:
        yield row("hot", 0, **goal)
        yield row("cold", 0, ", of which all answers are kept")
    if len(query["stored"]) > 2: # each answer is read from the database, of either
        yield row("cold", 1, **goal)


def rows_query(query):
    rows = [*read_rows(query), *growth_rows(query)]
    for tasks in query["stored"]:
        rows.append(Row(f"start with {tasks:,} tasks stored", "s", {"fennec": query["starts"][tasks]}))
    for tasks, ready in query["recovery"].items():
        rows.append(Row(f"ready after `kill -9`, {tasks:,} tasks stored, {LIVE:,} of them live", "s", {"fennec": ready}))
    for tasks in query["stored"]:
        size = query["read_bytes"][tasks]
        rows.append(Row(f"memory after the reads, {tasks:,} tasks stored: of its own", "MiB", {"fennec": [mib(size[1])]}))
    return rows
