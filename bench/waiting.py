"""`waiting`: ten thousand readers who wait for tasks, as queries with `wait` and as streams of events: what they cost, and whom they
delay."""
import http.client
import json
import pathlib
import resource
import selectors
import socket
import tempfile
import time

from processes import cpu_seconds, create_key, memory_bytes, spread, start_fennec, stop
from table import Row

CONFIG = """
drain = 1
http = { wait = 3600, connections = 30000 }
simulator = { seconds = 3600 }
groups = { default = { price = 1.0, concurrency = 1, requests_per_minute = 0, waiters = 100000 } }
"""
TASK = {"model": "seedance-2.0-text-to-video", "prompt": "bench"}
READERS_EACH = 10  # of one task
PATIENCE_S = 120


class Talk:
    """One connection of requests one after the other."""

    def __init__(self, address, key):
        self.connection = http.client.HTTPConnection(address, timeout=PATIENCE_S)
        self.headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def request(self, method, path, body=None):
        self.connection.request(method, path, None if body is None else json.dumps(body), self.headers)
        response = self.connection.getresponse()
        return response.status, response.read()

    def submit(self):
        return json.loads(self.request("POST", "/v1/videos/generations", TASK)[1])["id"]

    def cancel(self, task):
        status, _ = self.request("POST", f"/v1/tasks/{task}/cancel")
        assert status == 200, status


class Readers:
    """Sockets, each with one request under way; `end` is what stands in an answer once its task has ended."""

    def __init__(self, address, key, path, end):
        self.host, port = address.rsplit(":", 1)
        self.port, self.key, self.path, self.end = int(port), key, path, end
        self.poll, self.open, self.task_of = selectors.EpollSelector(), 0, {}

    def add(self, task):
        sock = socket.create_connection((self.host, self.port))
        sock.sendall(f"GET {self.path % task} HTTP/1.1\r\nHost: {self.host}\r\nAuthorization: Bearer {self.key}\r\n\r\n".encode())
        sock.setblocking(False)
        self.poll.register(sock, selectors.EVENT_READ, [task, b""])
        self.open += 1

    def ended(self, until_s):
        """Tasks whose readers heard of their end, with the time, until all have or time is over."""
        while self.open and time.monotonic() < until_s:
            for key, _ in self.poll.select(max(0, until_s - time.monotonic())):
                piece = key.fileobj.recv(65536)
                key.data[1] = (key.data[1] + piece)[-4096:]
                if piece and self.end not in key.data[1]:
                    continue
                self.poll.unregister(key.fileobj)
                key.fileobj.close()
                self.open -= 1
                assert piece, "a reader was dropped"
                yield key.data[0], time.monotonic()

    def drain(self, seconds):
        """Reads what comes of itself: heads of streams, first events."""
        for task, _ in self.ended(time.monotonic() + seconds):
            raise AssertionError(f"{task} has not ended")


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def latencies(talk, task, count):
    """Milliseconds: of a query, and of a durable submission."""
    queries, submissions = [], []
    for _ in range(count):
        begun = time.monotonic()
        talk.request("GET", f"/v1/tasks/{task}")
        asked = time.monotonic()
        talk.submit()
        queries.append((asked - begun) * 1000)
        submissions.append((time.monotonic() - asked) * 1000)
    return {name: {"p50": percentile(values, 0.5), "p99": percentile(values, 0.99)}
            for name, values in (("query", queries), ("submission", submissions))}


def measured(options, path, end):
    with tempfile.TemporaryDirectory(dir=options.data) as folder:
        root = pathlib.Path(folder)
        key = create_key(root, "--test")
        server, base = start_fennec(root, CONFIG)
        address = base.split("//")[1]
        try:
            talk = Talk(address, key)
            talk.submit()  # the one that runs; all others are queued
            other = talk.submit()
            tasks = [talk.submit() for _ in range(options.readers // READERS_EACH)]
            figures = {"alone": latencies(talk, other, 500)}
            before = memory_bytes(server.pid)
            readers = Readers(address, key, path, end)
            begun = time.monotonic()
            for number in range(len(tasks) * READERS_EACH):
                readers.add(tasks[number % len(tasks)])
                if number % 256 == 0:
                    readers.drain(0.001)
            readers.drain(1)
            figures |= {"readers": readers.open, "open_s": time.monotonic() - begun}
            busy = True
            while busy:  # streams that were opened last may still be written to for the first time
                cpu = cpu_seconds(server.pid)
                readers.drain(3)
                busy = cpu_seconds(server.pid) - cpu > 0.3
            after = memory_bytes(server.pid)
            figures["bytes"] = [more - less for less, more in zip(before, after)]
            cpu = cpu_seconds(server.pid)
            readers.drain(options.idle)
            figures["idle_cpu"] = (cpu_seconds(server.pid) - cpu) / options.idle
            figures["beside"] = latencies(talk, other, 500)
            heard, told = [], []
            for task in tasks[:100]:
                begun = time.monotonic()
                talk.cancel(task)
                told.append((time.monotonic() - begun) * 1000)
                for count, (ended, at) in enumerate(readers.ended(begun + PATIENCE_S), 1):
                    assert ended == task
                    heard.append((at - begun) * 1000)
                    if count == READERS_EACH:
                        break
            figures["heard"] = {"p50": percentile(heard, 0.5), "p99": percentile(heard, 0.99)}
            figures["told"] = {"p50": percentile(told, 0.5), "p99": percentile(told, 0.99)}
            rest, begun = readers.open, time.monotonic()
            stop_at = begun + PATIENCE_S
            server.terminate()
            figures["left"] = rest
            figures["stopped"] = leave(readers, stop_at) - begun
        finally:
            stop(server)
    return figures


def leave(readers, until_s):
    """When the last reader was answered, or cut, by the server's stop."""
    while readers.open and time.monotonic() < until_s:
        for key, _ in readers.poll.select(1):
            piece = key.fileobj.recv(65536)
            if piece and b'"status":"pending"' not in piece:
                continue
            readers.poll.unregister(key.fileobj)
            key.fileobj.close()
            readers.open -= 1
    assert readers.open == 0, "readers were left by the stop"
    return time.monotonic()


def measure_waiting(options):
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if most < options.readers + 1000:
        raise SystemExit(f"{options.readers} readers need more open files than {most}: ulimit -n")
    kinds = {"query with wait": ("/v1/tasks/%s?wait=3600", b'"status":"failed"'),
             "events": ("/v1/tasks/%s/events", b"event: done")}
    return {name: [measured(options, *kind) for _ in range(options.rounds)] for name, kind in kinds.items()}


def print_waiting(waiting):
    for name, rounds in waiting.items():
        print(f"waiting, {name}: {rounds[0]['readers']} readers")

        def over(get, digits=2):
            return spread([get(each) for each in rounds], digits)

        print(f"  resident {over(lambda r: r['bytes'][0] / 2**20, 0)} MiB more,"
              f" {over(lambda r: r['bytes'][0] / r['readers'] / 1024, 1)} KiB each; opened in {over(lambda r: r['open_s'], 1)} s")
        print(f"  while nothing happens {over(lambda r: r['idle_cpu'] * 100)} % of a core")
        for what in ("query", "submission"):
            for when, words in (("alone", "without readers"), ("beside", "beside them")):
                print(f"  another {what} {words}: p50 {over(lambda r: r[when][what]['p50'])} ms,"
                      f" p99 {over(lambda r: r[when][what]['p99'])} ms")
        print(f"  from a cancel to its own answer p50 {over(lambda r: r['told']['p50'])} ms, p99 {over(lambda r: r['told']['p99'])} ms;"
              f" to the answers of ten readers p50 {over(lambda r: r['heard']['p50'])} ms, p99 {over(lambda r: r['heard']['p99'])} ms")
        print(f"  {rounds[0]['left']} readers left at a stop in {over(lambda r: r['stopped'])} s")


def rows_kind(name, rounds):
    readers = f"{rounds[0]['readers']:,} readers, {name}"

    def row(what, unit, get, digits=2, **goal):
        return Row(f"{readers}{what}", unit, {"fennec": [get(each) for each in rounds]}, digits=digits, **goal)

    rows = [row("", "MiB resident more", lambda r: r["bytes"][0] / 2**20, goal="at most 150",
                met=lambda value, ratios: value * 2**20 <= 150e6),
            row(": while nothing happens", "% of a core", lambda r: r["idle_cpu"] * 100)]
    for share in ("p50", "p99"):
        for when, words in (("alone", "without them"), ("beside", "beside them")):
            rows.append(row(f": another query {words}, {share}", "ms", lambda r, w=when, s=share: r[w]["query"][s]))
    return rows + [row(f": a stop with {rounds[0]['left']:,} left, the drain of 1 s included", "s", lambda r: r["stopped"])]


def rows_waiting(waiting):
    return [row for name, rounds in waiting.items() for row in rows_kind(name, rounds)]
