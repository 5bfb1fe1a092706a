"""`query`: GET /v1/tasks/{id} with a key, against nginx that answers the same bytes."""
import json
import pathlib
import statistics
import subprocess
import tempfile
import time

from life import wait_for
from load import is_open, measured
from processes import call, create_key, free_port, spread, start_fennec, stop
from table import Row

CONFIG = """
simulator = { seconds = 0 }
groups = { default = { price = 1.0, concurrency = 50, requests_per_minute = 0 } }
"""
NGINX = """
worker_processes 2;
daemon off;
pid %(root)s/nginx.pid;
error_log %(root)s/nginx.log;
events { worker_connections 4096; use epoll; }
http {
    access_log off;
    keepalive_requests 100000000;
    default_type application/json;
    server {
        listen 127.0.0.1:%(port)d reuseport;
        location / { return 200 '%(body)s'; }
    }
}
"""


def completed_task(base, key):
    answer = json.loads(call(base + "/v1/videos/generations", key, {"model": "seedance-2.0-text-to-video", "prompt": "bench"}))
    while True:
        body = call(f"{base}/v1/tasks/{answer['id']}", key)
        if json.loads(body)["status"] in ("completed", "failed"):
            return answer["id"], body
        time.sleep(0.05)


def measure_query(options):
    rows = {"fennec": [], "nginx": []}
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        key = create_key(root, "--test")
        server, base = start_fennec(root, CONFIG)
        task, body = completed_task(base, key)
        port = free_port()
        (root / "nginx.conf").write_text(NGINX % {"root": root, "port": port, "body": body.decode().replace("'", "\\'")})
        nginx = subprocess.Popen(["nginx", "-p", root, "-c", root / "nginx.conf"], stderr=subprocess.DEVNULL)
        try:
            wait_for(lambda: is_open(port), 0.01)
            for _ in range(options.rounds):
                rows["fennec"].append(measured(server.pid, f"{base}/v1/tasks/{task}", 64, options.seconds,
                                               headers=[f"Authorization: Bearer {key}"]))
                rows["nginx"].append(measured(nginx.pid, f"http://127.0.0.1:{port}/v1/tasks/{task}", 64, options.seconds))
        finally:
            stop(nginx)
            stop(server)
    return {"bytes": len(body), **rows}


def print_query(query):
    ratio = [n["cpu_us"] / f["cpu_us"] for f, n in zip(query["fennec"], query["nginx"])]
    print(f"task query, {query['bytes']} bytes, 64 connections")
    for name in ("fennec", "nginx"):
        print(f"  {name:8} {spread([r['cpu_us'] for r in query[name]])} µs CPU per request,"
              f" {statistics.median(r['rate'] for r in query[name]):.0f} requests/s, errors {sum(r['errors'] for r in query[name])}")
    print(f"  requests per CPU-second, fennec / nginx: {spread(ratio)}")


def rows_query(query):
    cpu = {name: [r["cpu_us"] for r in query[name]] for name in ("fennec", "nginx")}
    return [Row(f"task query with a key, {query['bytes']} bytes, 64 connections", "µs CPU per request", cpu,
                goal="at least 0.9 of nginx", met=lambda value, ratios: ratios["nginx"] >= 0.9)]
