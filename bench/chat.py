"""`chat`: chat completions through gateways, against the service itself: what a gateway adds in time, takes in CPU time, and holds in
memory for streams that are open at once.

The service is bench/chat_upstream.c and the load bench/chat_load.c, both on loopback. Each competitor is asked in turn within
every round; what the load and the service take is counted apart from the gateway.
"""
import json
import os
import pathlib
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import typing
import urllib.error
import urllib.request

from life import wait_for
from nginx import start_nginx
from npm import npm_folder
from processes import ROOT, call, cpu_seconds, create_key, free_port, listening, memory_bytes, spread, start_fennec, stop
from table import Row

BUILD = ROOT / "build" / "bench"
FILES = 65536 # open files that a gateway with all its streams may need
LOAD_LIMIT_S = 240 # beyond its seconds; it ends itself before
WARM_S = 5 # a program that compiles as it runs has to come up to speed
CROWD = 64 # connections
TURN_S = 1 # of answers at once: short, so that what else the machine does meets all who take part
PASSING = """
upstream service { server %s; keepalive 256; keepalive_requests 100000000; }
proxy_http_version 1.1;
proxy_set_header Connection "";
proxy_buffering off;
"""
TRUSTING = """
proxy_ssl_verify on;
proxy_ssl_trusted_certificate %s;
proxy_ssl_name service;
"""


class Case(typing.NamedTuple):
    """One kind of answer: a whole one has as many words, and takes as long, as a stream of such events would."""
    mode: str
    connections: int
    events: int
    interval_ms: int
    title: str

    def turn_seconds(self, seconds):
        """How long a target's turn is, of the seconds that it has in a round."""
        return TURN_S if self.mode == "whole" and self.interval_ms == 0 else seconds


CASES = {
    "whole_1": Case("whole", 1, 100, 0, "whole answers at once, 1 connection"),
    "whole_64": Case("whole", CROWD, 100, 0, "whole answers at once, 64 connections: as many as it can"),
    "slow_64": Case("whole", CROWD, 100, 4, "whole answers that take the service 400 ms, 64 connections"),
    "stream_1": Case("stream", 1, 5, 1, "streams of 5 events 1 ms apart, 1 connection"),
    "stream_64": Case("stream", CROWD, 20, 25, "streams of 20 events 25 ms apart, 64 connections"),
    "flood_64": Case("stream", CROWD, 100, 0, "streams of 100 events without a pause, 64 connections: as many as it can"),
}
CONFIG = """
catalog = "%(catalog)s"
groups = { default = { price = 1.0, streams = 100000, concurrency = 100000, requests_per_minute = 0 } }
http = { connections = 100000 }
llm = { connections = 100000 }
providers = { openai = { key = "fake-key", url = "%(upstream)s/v1", allow_private = true, concurrency = 100000 } }
"""
MODEL = """
llm "bench/*" { routes = { openai = { target = "*" } }, price = per_token{ input = 1, output = 2 } }
"""


class Service:
    """The simulated service, which all of them ask."""

    def __init__(self):
        self.process = subprocess.Popen([BUILD / "bench_chat_upstream", "0"], stdout=subprocess.PIPE, text=True)
        self.base = listening(self.process, "bench_chat_upstream")

    def cpu_seconds(self):
        return cpu_seconds(self.process.pid)

    def counts(self):
        return json.loads(call(self.base + "/control/counts"))


class Target:
    """Where completions are asked for. `server` is None where no gateway is between."""

    holds = True # takes part where streams are open at once
    end = signal.SIGKILL

    def __init__(self, name, base, headers, server=None, close=None):
        self.name = name
        self.url, self.headers, self.server = base + "/v1/chat/completions", headers, server
        self.close_more = close or (lambda: None)

    def cpu_seconds(self):
        return cpu_seconds(self.server.pid) if self.server else 0.0

    def memory_bytes(self):
        return memory_bytes(self.server.pid) if self.server else (0, 0)

    def close(self):
        if self.server:
            stop(self.server, self.end)
        self.close_more()


# ---- the competitors ----

def direct_target(upstream, _options):
    return Target("direct", upstream, [])


def fennec_target(upstream, options):
    folder = tempfile.TemporaryDirectory(dir=options.data)
    root = pathlib.Path(folder.name)
    catalog = root / "catalog" / "models"
    catalog.mkdir(parents=True)
    (catalog / "bench.lua").write_text(MODEL)
    key = create_key(root, "--credits", "100000000")
    server, base = start_fennec(root, CONFIG % {"catalog": root / "catalog", "upstream": upstream})
    return Target("fennec", base, [f"Authorization: Bearer {key}"], server, folder.cleanup)


def portkey_folder():
    return npm_folder("portkey") / "node_modules" / "@portkey-ai" / "gateway"


def portkey_target(upstream, _options):
    # The program that `npx @portkey-ai/gateway` runs. It trusts 127.0.0.1 as a custom host unless it is told otherwise.
    program = portkey_folder() / "build" / "start-server.js"
    environment = {name: value for name, value in os.environ.items() if name != "TRUSTED_CUSTOM_HOSTS"}
    base = f"http://127.0.0.1:{(port := free_port())}"
    server = subprocess.Popen(["node", program, f"--port={port}", "--headless"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              env={**environment, "NODE_ENV": "production"})
    wait_for(lambda: server.poll() is not None or answers(base), 0.05)
    if server.poll() is not None:
        raise SystemExit(f"portkey ended with {server.returncode}")
    return Target("portkey", base, ["x-portkey-provider: openai", f"x-portkey-custom-host: {upstream}/v1",
                                    "Authorization: Bearer fake-key"], server)


def nginx_target(upstream, options):
    """Passes on what it gets, and looks at nothing: as little as there can be between the two."""
    folder = tempfile.TemporaryDirectory(dir=options.data)
    scheme, _, place = upstream.partition("://")
    trust = TRUSTING % os.environ["SSL_CERT_FILE"] if scheme == "https" else ""
    server, base = start_nginx(pathlib.Path(folder.name), f"location / {{ proxy_pass {scheme}://service; }}",
                               PASSING % place + trust)
    target = Target("nginx", base, [], server, folder.cleanup)
    target.holds = False # its memory is its workers'
    target.end = signal.SIGTERM # else these go on
    return target


def answers(base):
    try:
        return call(base + "/")
    except (urllib.error.URLError, ConnectionError):
        return False


TARGETS = {"direct": direct_target, "fennec": fennec_target, "portkey": portkey_target, "nginx": nginx_target}


def versions(names):
    """Of the programs that take part."""
    ret = {}
    if "portkey" in names:
        ret["portkey"] = json.loads((portkey_folder() / "package.json").read_text())["version"]
        ret["node"] = subprocess.run(["node", "--version"], check=True, capture_output=True, text=True).stdout.strip()
    return ret


# ---- the load ----

def body(case):
    request = {"model": f"bench/{case.events}x{case.interval_ms}", "stream": case.mode != "whole",
               "messages": [{"role": "system", "content": "You are a fennec. Answer in one short paragraph."},
                            {"role": "user", "content": "What does the desert sound like at dawn?"}]}
    if case.mode != "whole":
        request["stream_options"] = {"include_usage": True}
    return json.dumps(request)


def load(target, case, seconds, heard=lambda figures: None):
    """What the load says at its end; `heard` gets every line as it comes."""
    command = [BUILD / "bench_chat_load", "--mode", case.mode, "--connections", str(case.connections), "--seconds", str(seconds),
               "--events", str(case.events), "--body", body(case)]
    for header in target.headers:
        command += ["--header", header]
    figures = None
    with subprocess.Popen([*command, target.url], stdout=subprocess.PIPE, text=True) as process:
        guard = threading.Timer(seconds + LOAD_LIMIT_S, process.kill)
        guard.start()
        try:
            for line in process.stdout:
                figures = json.loads(line)
                heard(figures)
        finally:
            guard.cancel()
    if process.returncode != 0:
        raise SystemExit(f"bench_chat_load ended with {process.returncode}")
    if figures["failed"]:
        print(f"{case.title}, {target.name}: {figures['failed']} failed; the first: {figures['failure']}", file=sys.stderr)
    return figures


def measured(target, service, case, seconds):
    """One turn's figures. CPU time is of the gateway alone, for a request or an event; the others' beside it."""
    connections, before = service.counts()["connections"], (target.cpu_seconds(), service.cpu_seconds())
    figures = load(target, case, seconds)
    after = target.cpu_seconds(), service.cpu_seconds()
    count = max(figures["requests"] if case.mode == "whole" else figures["events"], 1)
    return {**{name: figures[name] for name in ("requests", "failed", "events", "latency_us", "first_us", "delay_us")},
            "rate": count / figures["elapsed_s"], "cpu_us": (after[0] - before[0]) * 1e6 / count,
            "service_cpu_us": (after[1] - before[1]) * 1e6 / count, "load_cpu_us": figures["cpu_us"] / count,
            "connections": service.counts()["connections"] - connections - 1} # less the one that asks


def bench_hold(target, service, options):
    """So many streams at once, each slow: none lost, memory, CPU time per event once all are open."""
    case = Case("hold", options.streams, max(options.hold * 1000 // options.every, 1), options.every, "streams at once")
    load(target, CASES["stream_64"], WARM_S)
    idle, marks = target.memory_bytes(), {}
    watched = MostMemory(target)

    def heard(figures):
        marks[figures["what"]] = figures, target.cpu_seconds(), service.cpu_seconds(), target.memory_bytes()

    with watched:
        end = load(target, case, options.seconds, heard)
    ret = {"streams": options.streams, "interval_ms": options.every, "hold_s": options.hold,
           "whole": end["requests"], "failed": end["failed"], "events": end["events"],
           "expected_events": options.streams * case.events, "most_open": end["most_open"], "idle_bytes": idle,
           "most_bytes": watched.most, "first_us": end["first_us"], "delay_us": end["delay_us"]}
    if "open" in marks and "steady" in marks:
        (first, cpu, service_cpu, _), (last, cpu_end, service_end, held) = marks["open"], marks["steady"]
        events = max(last["events"] - first["events"], 1)
        ret |= {"open_s": first["since_start_s"], "held_bytes": held,
                "per_stream_bytes": (held[0] - idle[0]) / options.streams,
                "event_rate": events / (last["since_start_s"] - first["since_start_s"]),
                "cpu_us": (cpu_end - cpu) * 1e6 / events, "service_cpu_us": (service_end - service_cpu) * 1e6 / events}
    return ret


class MostMemory:
    """The most resident memory that a target had while this was open, looked at every 50 ms."""

    def __init__(self, target):
        self.target, self.most, self.over = target, 0, threading.Event()
        self.thread = threading.Thread(target=self.look)

    def look(self):
        while True:
            self.most = max(self.most, self.target.memory_bytes()[0])
            if self.over.wait(0.05):
                return

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


# ---- the part ----

def raise_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, FILES), max(hard, FILES)))
    except ValueError: # only root may raise the second
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def measure_chat(options):
    raise_files()
    names = ["direct", *options.gateways]
    ret = {"versions": versions(names), "held": {}, **{kind: {name: [] for name in names} for kind in CASES}}
    service = Service()
    targets = {}
    try:
        for name in names:
            targets[name] = TARGETS[name](service.base, options)
            load(targets[name], CASES["whole_64"], WARM_S)
            load(targets[name], CASES["flood_64"], WARM_S)
        for number in range(options.rounds):
            for kind, case in CASES.items():
                lasts = case.turn_seconds(options.seconds)
                for turn in range(options.seconds // lasts):
                    for place in range(len(names)):
                        name = names[(number + turn + place) % len(names)]
                        ret[kind][name].append(measured(targets[name], service, case, lasts))
        for name in names: # each anew: memory that earlier loads left is not the streams'
            holds = targets[name].holds
            targets.pop(name).close()
            if not holds:
                continue
            targets[name] = TARGETS[name](service.base, options)
            ret["held"][name] = bench_hold(targets[name], service, options)
        ret["service"] = service.counts()
    finally:
        for target in targets.values():
            target.close()
        stop(service.process)
    return ret


# ---- tables ----

def values(rounds, *path):
    for name in path:
        rounds = [each[name] for each in rounds]
    return rounds


def added(rounds, direct, *path):
    """Through the gateway less directly, turn by turn."""
    return [through - straight for through, straight in zip(values(rounds, *path), values(direct, *path))]


def print_case(case, result):
    print(case.title)
    unit, measure, until = ("request", "latency_us", "answer") if case.mode == "whole" else ("event", "first_us", "first event")
    for name, rounds in result.items():
        def column(measure, digits=0):
            return spread(values(rounds, *measure), digits)

        print(f"  {name:8} {until} after p50 {column((measure, 'p50'))} µs, p99 {column((measure, 'p99'))} µs"
              + ("" if name == "direct" else f"; added p50 {spread(added(rounds, result['direct'], measure, 'p50'), 0)} µs, "
                 f"p99 {spread(added(rounds, result['direct'], measure, 'p99'), 0)} µs"))
        if case.mode != "whole" and case.interval_ms > 0:
            print(f"           an event under way p50 {column(('delay_us', 'p50'))} µs, p99 {column(('delay_us', 'p99'))} µs")
        print(f"           {column(('rate',))} {unit}s/s, failed {sum(values(rounds, 'failed'))}; CPU per {unit}: "
              + ("" if name == "direct" else f"gateway {column(('cpu_us',), 1)} µs, ")
              + f"service {column(('service_cpu_us',), 1)} µs, load {column(('load_cpu_us',), 1)} µs; connections made to the service "
              f"{sum(values(rounds, 'connections'))}")


def in_mib(size):
    return f"{size / (1 << 20):.1f} MiB"


def print_held(held):
    direct = held["direct"]
    print(f"{direct['streams']} streams at once, an event every {direct['interval_ms']} ms, {direct['hold_s']} s each")
    for name, figures in held.items():
        print(f"  {name:8} whole streams {figures['whole']}, failed {figures['failed']}, most open {figures['most_open']}; events "
              f"{figures['events']} of {figures['expected_events']}; first event p50 {figures['first_us']['p50'] / 1000:.1f} ms, "
              f"p99 {figures['first_us']['p99'] / 1000:.1f} ms; an event under way p50 {figures['delay_us']['p50'] / 1000:.2f} ms, "
              f"p99 {figures['delay_us']['p99'] / 1000:.2f} ms")
        if name == "direct":
            continue
        memory = f"           resident: idle {in_mib(figures['idle_bytes'][0])}, at most {in_mib(figures['most_bytes'])}"
        if "held_bytes" not in figures:
            print(memory + "; they were never all open at once, or not for as long as it counts")
        else:
            print(memory + f", once all are open {in_mib(figures['held_bytes'][0])} ({figures['per_stream_bytes'] / 1024:.1f} KiB "
                  f"each); open in {figures['open_s']:.1f} s, then {figures['event_rate']:.0f} events/s at {figures['cpu_us']:.1f} "
                  f"µs CPU each")


def print_chat(result):
    print("chat completions" + "".join(f", {name} {version}" for name, version in result["versions"].items()))
    for kind, case in CASES.items():
        print_case(case, result[kind])
    print_held(result["held"])


def rows_chat(result):
    """Latencies are what a gateway adds to the service alone, turn by turn."""
    names = [name for name in result["whole_1"] if name != "direct"]

    def row(kind, what, unit, get, **more):
        return Row(f"chat, {CASES[kind].title}: {what}", unit, {name: get(result[kind][name], result[kind]["direct"]) for name in names}, **more)

    def latency(*path):
        return lambda rounds, direct: added(rounds, direct, *path)

    def plain(*path):
        return lambda rounds, direct: values(rounds, *path)

    rows = [row("whole_1", "added p50", "µs", latency("latency_us", "p50")),
            row("whole_1", "added p99", "µs", latency("latency_us", "p99"), goal="at most 150", met=lambda value, ratios: value <= 150),
            row("whole_64", "answers", "per second", plain("rate"), more=True, goal="at least 15,000",
                met=lambda value, ratios: value >= 15000),
            row("whole_64", "CPU", "µs each", plain("cpu_us")),
            row("stream_1", "first event, added p50", "µs", latency("first_us", "p50")),
            row("stream_64", "first event, added p50", "µs", latency("first_us", "p50")),
            row("stream_64", "an event under way, added p99", "µs", latency("delay_us", "p99")),
            row("stream_64", "CPU", "µs per event", plain("cpu_us")),
            row("flood_64", "events", "per second", plain("rate"), more=True),
            row("flood_64", "CPU", "µs per event", plain("cpu_us"))]
    return rows + rows_held(result["held"], [name for name in result["held"] if name != "direct"])


def rows_held(held, names):
    """One value each: the streams were opened once. A gateway that did not have all of them open has only its most."""
    title = f"chat, {held['direct']['streams']:,} streams at once"

    def figures(name, divisor):
        return {each: [held[each][name] / divisor] if name in held[each] else [] for each in names}

    return [Row(f"{title}: resident at most", "MiB", figures("most_bytes", 2**20)),
            Row(f"{title}: resident, once all are open", "KiB each", figures("per_stream_bytes", 1024)),
            Row(f"{title}: CPU, once all are open", "µs per event", figures("cpu_us", 1)),
            Row(f"{title}: streams that were whole", "", figures("whole", 1), more=True, digits=0)]
