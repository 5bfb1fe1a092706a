"""What takes submissions besides Fennec: each queue behind the same small server (bench/submit/front.js), syncing to the
same disk before it answers."""
import contextlib
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import sys
import time

from npm import npm_folder
from processes import ROOT, listening

KEY = "bench-key"
POSTGRES = pathlib.Path("/usr/lib/postgresql/15/bin")
LIMIT_S = 30


class Queue:
    """Its server's address and all processes that take part (those of the database's that it forks included)."""
    def __init__(self, base, pids):
        self.base, self.pids, self.key = base, pids, KEY


def until(condition, what):
    for _ in range(LIMIT_S * 20):
        if condition():
            return
        time.sleep(0.05)
    sys.exit(f"{what} did not start")


@contextlib.contextmanager
def running(command, number=signal.SIGTERM, **options):
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, **options)
    try:
        yield process
    finally:
        process.send_signal(number)
        process.wait()


@contextlib.contextmanager
def front(root, name, *arguments):
    """The server of that name before its store."""
    log = root / f"{name}.log"
    environment = {**os.environ, "NODE_ENV": "production", "BENCH_KEY": KEY,
                   "NODE_PATH": str(npm_folder("submit", scripts=True) / "node_modules")}
    with open(log, "wb") as file, running(["node", ROOT / "bench" / "submit" / f"{name}.js", *map(str, arguments)], env=environment,
                                          stdout=subprocess.PIPE, stderr=file, text=True) as process:
        yield process.pid, listening(process, name, log)


@contextlib.contextmanager
def bullmq(root):
    path = root / "redis.sock"
    command = ["redis-server", "--port", "0", "--unixsocket", path, "--dir", root, "--save", "", "--appendonly", "yes",
               "--appendfsync", "always"]
    with running(command, stdout=subprocess.DEVNULL) as redis:
        until(path.exists, "redis-server")
        with front(root, "bullmq", path) as (pid, base):
            yield Queue(base, [pid, redis.pid])


def unprivileged():
    """PostgreSQL does not run as root: the account that came with it, and the words before a command that is to be run as it."""
    if os.getuid() != 0:
        return pwd.getpwuid(os.getuid()), []
    user = pwd.getpwnam("postgres")
    return user, ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


@contextlib.contextmanager
def pgboss(root):
    user, words = unprivileged()
    folder = root / "postgres"
    folder.mkdir()
    root.chmod(0o711)
    if words:
        shutil.chown(folder, user.pw_uid, user.pw_gid)
    subprocess.run([*words, POSTGRES / "initdb", "-D", folder / "data", "-A", "trust", "-U", "bench"], check=True, cwd=folder,
                   stdout=subprocess.DEVNULL)
    settings = {"listen_addresses": "", "unix_socket_directories": folder, "fsync": "on", "synchronous_commit": "on",
                "shared_buffers": "512MB", "max_wal_size": "4GB"}
    command = [*words, POSTGRES / "postgres", "-D", folder / "data", *(f"--{name}={value}" for name, value in settings.items())]
    with running(command, signal.SIGINT, cwd=folder, stdout=subprocess.DEVNULL, stderr=open(root / "postgres.log", "wb")) as server:
        until(lambda: subprocess.run([*words, POSTGRES / "pg_isready", "-q", "-h", folder], cwd=folder).returncode == 0,
              "postgres")
        with front(root, "pgboss", folder, "bench") as (pid, base):
            yield Queue(base, [pid, server.pid])


@contextlib.contextmanager
def sqlite(root):
    with front(root, "sqlite", root / "tasks.db") as (pid, base):
        yield Queue(base, [pid])


QUEUES = {"bullmq": bullmq, "pg-boss": pgboss, "node+sqlite": sqlite}
