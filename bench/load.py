"""What sends requests with wrk, and what the server's CPU time for these was."""
import os
import re
import socket
import subprocess

from processes import cpu_seconds


def wrk(url, connections, seconds, headers=(), script=None, env=None):
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"]
    for header in headers:
        command += ["-H", header]
    if script:
        command += ["-s", str(script)]
    text = subprocess.run([*command, url], capture_output=True, text=True, check=True, env={**os.environ, **(env or {})}).stdout
    requests = int(re.search(r"(\d+) requests in", text)[1])
    errors = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    unit = {"us": 0.001, "ms": 1.0, "s": 1000.0}
    latency = {p: float(v) * unit[u] for p, v, u in re.findall(r"(50|99)(?:\.\d+)?%\s+([\d.]+)(us|ms|s)", text)}
    return {"requests": requests, "errors": int(errors[1]) if errors else 0, "p50": latency["50"], "p99": latency["99"],
            "rate": float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])}


def measured(pid, *arguments, **options):
    before = cpu_seconds(pid)
    result = wrk(*arguments, **options)
    result["cpu_us"] = (cpu_seconds(pid) - before) * 1e6 / max(result["requests"], 1)
    return result


def is_open(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
