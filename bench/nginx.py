"""nginx, with two workers and one server on loopback, as a measure of what a machine gives to a program that has next to nothing to do."""
import subprocess

from life import wait_for
from load import is_open
from processes import free_port

CONFIG = """
worker_processes 2;
daemon off;
pid %(root)s/nginx.pid;
error_log %(root)s/nginx.log;
events { worker_connections 16384; use epoll; }
http {
    access_log off;
    keepalive_requests 100000000;
    %(more)s
    server {
        listen 127.0.0.1:%(port)d reuseport;
        %(locations)s
    }
}
"""


def start_nginx(root, locations, more=""):
    """The process, of which the workers are children, and its base URL."""
    port = free_port()
    (root / "nginx.conf").write_text(CONFIG % {"root": root, "port": port, "locations": locations, "more": more})
    nginx = subprocess.Popen(["nginx", "-p", root, "-c", root / "nginx.conf"], stderr=subprocess.DEVNULL)
    wait_for(lambda: is_open(port), 0.01)
    return nginx, f"http://127.0.0.1:{port}"
