"""What the measurements share: the servers they start and end, and what the system says of these."""
import json
import os
import pathlib
import re
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
FENNEC = ROOT / "build" / "fennec"
UPSTREAM = ROOT / "build" / "bench" / "bench_upstream"
BARE = ROOT / "build" / "bench" / "bench_bare"
TICK = os.sysconf("SC_CLK_TCK")


def listening(server, what, log=None):
    """Where a server that was just started listens."""
    for line in server.stdout:
        if line.startswith("listening on "):
            return line.split()[-1].strip()
    sys.exit(f"{what} did not start: " + (log.read_text()[-1000:] if log else ""))


def start_fennec(root, config):
    (root / "config.lua").write_text(config)
    log = root / "fennec.log"
    server = subprocess.Popen([FENNEC, "serve", "--config", root / "config.lua", "--data", root / "data", "--listen",
                               "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=open(log, "ab"), text=True)
    return server, listening(server, "fennec", log)


def start_upstream(job, picture_bytes=0):
    """`job`: how long one takes, in milliseconds, or "hold"; a picture has as many bytes at least."""
    server = subprocess.Popen([UPSTREAM, "0", str(job), str(picture_bytes)], stdout=subprocess.PIPE, text=True)
    return server, listening(server, "bench_upstream")


def start_bare(body):
    """The barest libmicrohttpd, with as many threads as Fennec's, that answers the body."""
    server = subprocess.Popen([BARE, str(os.cpu_count()), body], stdout=subprocess.PIPE, text=True)
    return server, listening(server, "bench_bare")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def stop(server, number=signal.SIGTERM):
    server.send_signal(number)
    server.wait()


def create_key(root, *options):
    return subprocess.run([FENNEC, "key", "create", "--data", root / "data", "--account", "bench", *options], check=True,
                          capture_output=True, text=True).stdout.strip()


def call(url, key="", body=None):
    request = urllib.request.Request(url, None if body is None else json.dumps(body).encode(),
                                     {"Authorization": "Bearer " + key, "Content-Type": "application/json"})
    with urllib.request.urlopen(request) as response:
        return response.read()


def cpu_seconds(pid):
    """CPU time of a process and its children that live."""
    total = 0
    children = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout.split()
    for each in [pid, *children]:
        fields = pathlib.Path(f"/proc/{each}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def memory_bytes(pid):
    """Resident memory, and what of it is the process's own: the rest are pages of files, which the system can drop."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return tuple(1024 * int(re.search(name + r":\s+(\d+)", status)[1]) for name in ("VmRSS", "RssAnon"))


def spread(values, digits=2):
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def machine_speed():
    """CPU milliseconds that one and the same computation takes, several times: what a machine that is shared gives just now."""
    taken = []
    for _ in range(5):
        begin = time.process_time()
        sum(number * number for number in range(1000000))
        taken.append((time.process_time() - begin) * 1000)
    return taken
