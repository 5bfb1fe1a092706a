"""A server to live in: its settings, its own models with their commands, its lives one after the other, its clients."""
import contextlib
import http.client
import json
import os
import pathlib
import re
import resource
import signal
import stat
import subprocess
import threading
import time

import aftermath
from ports import held_port

ROOT = pathlib.Path(__file__).resolve().parents[2]
FENNEC = str(pathlib.Path(os.environ.get("FENNEC", ROOT / "build" / "fennec")).resolve())
# A look for leaks is a third of a command's time, and tests/cli has it for all of them.
COMMAND_ENV = {**os.environ, "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}
PATIENCE_S = 60
HELD_S = 3600  # the time limit of tasks that a test holds
IMAGE, VIDEO, AUDIO = "/v1/images/generations", "/v1/videos/generations", "/v1/audios/generations"

# Waits for the file that its prompt names: a test holds such a task for as long as it wants.
GATE = """#!/bin/sh
gate=$(sed -n 's/.*"prompt": *"\\([^"]*\\)".*/\\1/p')
echo progress 40
while [ ! -e "$gate" ]; do sleep 0.05; done
echo 'result {"said":"done"}'
"""
QUICK = """#!/bin/sh
cat >/dev/null
echo 'result {"said":"done"}'
"""
FAILING = """#!/bin/sh
cat >/dev/null
echo progress 70
echo 'error generation_failed It was not meant to be.'
exit 1
"""


def eventually(question, patience_s=PATIENCE_S):
    """The first truthy answer; fails when there was none in time."""
    end = time.monotonic() + patience_s
    pause_s = 0.01
    while True:
        answer = question()
        if answer:
            return answer
        assert time.monotonic() < end, f"still not, after {patience_s} s: {answer!r}"
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, 0.2)


def saying_model(name, price="per_call(1)", timeout=60):
    """A model whose result is a word, made by the command of its own name."""
    return f"""model "{name}" {{
    type = "image", summary = "Says a word", estimated = 1, timeout = {timeout}, price = {price},
    params = {{ prompt = text{{ min = 1, max = 2000, default = "x" }}, num_outputs = integer{{ default = 1, min = 1, max = 1000 }} }},
    routes = {{ exec = {{ command = "{name}" }} }},
    simulate = function(p) return {{ said = p.prompt }} end,
    results = function(out) return {{ {{ said = out.said }} }} end,
}}
"""


def file_model(name, timeout=60):
    """A model whose result is the file `out.bin` that the command of its own name leaves."""
    return f"""model "{name}" {{
    type = "image", summary = "Makes a file", estimated = 1, timeout = {timeout}, price = per_call(3),
    params = {{ prompt = text{{ min = 1, max = 2000, default = "x" }} }},
    routes = {{ exec = {{ command = "{name}" }} }},
    results = function(out) return {{ {{ url = artifact(out.file and out or out.image) }} }} end,
}}
"""


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def error(self):
        return self.json()["error"]

    def __repr__(self):
        return f"<{self.status} {self.body[:400]!r}>"


class Client:
    """One account's connection; opens again when the server has closed it. Not for several threads."""

    def __init__(self, server, key=None):
        self.server, self.key, self.connection = server, key, None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.connection is not None:
            self.connection.close()

    def request(self, method, path, body=None):
        """Asks a second time only what is harmless, on a connection that the server had closed meanwhile."""
        kept = self.connection is not None
        try:
            return self.request_once(method, path, body)
        except (OSError, http.client.HTTPException):
            if not kept or method != "GET":
                raise
        return self.request_once(method, path, body)

    def request_once(self, method, path, body):
        if self.connection is None:
            self.connection = http.client.HTTPConnection(self.server.address, timeout=PATIENCE_S)
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            self.connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            response = self.connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        except (OSError, http.client.HTTPException):
            self.connection.close()
            self.connection = None
            raise

    def get(self, path):
        return self.request("GET", path)

    def try_submit(self, model, endpoint=IMAGE, **parameters):
        return self.request("POST", endpoint, {"model": model, **parameters})

    def submit(self, model, endpoint=IMAGE, **parameters):
        answer = self.try_submit(model, endpoint, **parameters)
        assert answer.status == 200, answer
        return answer.json()["id"]

    def task(self, task_id):
        answer = self.get(f"/v1/tasks/{task_id}")
        assert answer.status == 200, answer
        return answer.json()

    def position(self, task_id):
        """Its place in the queue; None when it does not wait."""
        return (self.task(task_id).get("task_info") or {}).get("queue_position")

    def status(self, task_id):
        return self.task(task_id)["status"]

    def final(self, task_id, patience_s=PATIENCE_S):
        def look():
            task = self.task(task_id)
            return task if task["status"] in ("completed", "failed") else None

        return eventually(look, patience_s)

    def completed(self, task_id, patience_s=PATIENCE_S):
        task = self.final(task_id, patience_s)
        assert task["status"] == "completed", task
        assert task["progress"] == 100 and task["results"], task
        return task

    def failed(self, task_id, patience_s=PATIENCE_S):
        """The error, after checking that the whole reservation went back."""
        task = self.final(task_id, patience_s)
        assert task["status"] == "failed" and task["results"] is None, task
        usage = task["usage"]
        assert usage["credits_charged"] == 0 and usage["credits_refunded"] == usage["credits_reserved"], task
        return task["error"]

    def account(self):
        answer = self.get("/v1/account/credits")
        assert answer.status == 200, answer
        return answer.json()["data"]["user"]

    def credits(self):
        return self.account()["remaining_credits"]

    def download(self, url):
        """What a result URL gives, without a key."""
        assert url.startswith(f"http://{self.server.address}/v1/artifacts/"), url
        with contextlib.closing(http.client.HTTPConnection(self.server.address, timeout=PATIENCE_S)) as connection:
            connection.request("GET", url.split(self.server.address, 1)[1])
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())


class Server:
    """A data directory with its settings and own models, and the process that serves it now."""

    def __init__(self, directory, settings, models="", commands=None, data=None):
        self.directory = pathlib.Path(directory)
        self.data = pathlib.Path(data) if data else self.directory / "data"
        self.catalog, self.libexec = self.directory / "catalog", self.directory / "libexec"
        self.config, self.log = self.directory / "config.lua", self.directory / "server.log"
        (self.catalog / "models").mkdir(parents=True)
        self.libexec.mkdir()
        for name, source in (commands or {}).items():
            self.command(name, source)
        self.settings = settings
        if models:
            self.models(models)
        self.configure()
        self.holder = contextlib.ExitStack()
        self.process, self.port, self.errors_expected = None, self.holder.enter_context(held_port()), False
        self.spawned = []  # all its processes, those of tests' own among them
        self.files_max = None  # descriptors of the process
        self.environment = {}  # beside the test's own
        self.host, self.wrapper = "127.0.0.1", []  # where it listens; words before the command

    # -- what it is made of

    def command(self, name, source):
        path = self.libexec / name
        path.write_text(source)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def models(self, source, name="own"):
        (self.catalog / "models" / f"{name}.lua").write_text(source)

    def configure(self, settings=None):
        if settings is not None:
            self.settings = settings
        libexec = f'libexec = "{self.libexec}"\n' if any(self.libexec.iterdir()) else f'libexec = "{ROOT / "libexec"}"\n'
        self.config.write_text(f'catalog = "{self.catalog}"\n{libexec}{self.settings}\n')

    # -- its lives

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    def start(self):
        """Also after an end, on the same port, which some other connection may have for a moment if nobody has held it."""
        def listens():
            told = len(self.log_text())
            self.process = self.spawn(self.address)
            line = self.process.stdout.readline()
            if line == "" and "Address already in use" in self.log_text()[told:]:
                self.reap()
                return None
            assert line.startswith("listening on http://"), line + self.log_text()[-4000:]
            return line

        line = eventually(listens)
        self.port = int(line.strip().rsplit(":", 1)[1])
        return self

    def spawn(self, listen="127.0.0.1:0", stderr=None):
        self.spawned.append(subprocess.Popen(
            [*self.wrapper, FENNEC, "serve", "--data", str(self.data), "--config", str(self.config), "--listen", listen],
            stdout=subprocess.PIPE, stderr=stderr or open(self.log, "ab"), text=True, cwd=self.directory,
            env={**os.environ, **self.environment}, preexec_fn=self.limit_files if self.files_max else None))
        return self.spawned[-1]

    def limit_files(self):
        resource.setrlimit(resource.RLIMIT_NOFILE, (self.files_max, self.files_max))

    def refused(self):
        """What a start says that must not succeed."""
        process = self.spawn(stderr=subprocess.PIPE)
        out, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 1, (process.returncode, out, err)
        assert out == "", out
        assert_clean(err)
        return err

    def stop(self):
        """SIGTERM, and its exit status; a sanitizer that found something would make it another."""
        self.process.send_signal(signal.SIGTERM)
        return self.reap()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        return self.reap()

    def kill_all(self):
        """Whatever `spawn` made and nobody has ended, since a test failed before it did."""
        for process in self.spawned:
            process.kill()
            process.wait(timeout=PATIENCE_S)
            process.stdout.close()
        self.process = None

    def reap(self):
        status = self.process.wait(timeout=120)
        self.process.stdout.close()
        self.process = None
        return status

    def go_ahead(self, seconds):
        """A new life, whose time is so many seconds ahead from now on, and runs at double speed."""
        assert self.stop() == 0
        self.environment = {"FENNEC_CLOCK_SPEED": f"2@{int(time.time()) - seconds}"}
        self.start()

    def reload(self):
        """SIGHUP, and the line that says how it went."""
        before = len(self.reloads())
        self.process.send_signal(signal.SIGHUP)
        return eventually(lambda: self.reloads()[before:])[0]

    def reloads(self):
        return re.findall(r"^\S+ (?:info|error) +(?:reloaded|reload refused).*$", self.log_text(), re.M)

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def close(self):
        """The end of a test: a clean end of the process, nothing said by a sanitizer, balanced books, nothing left over."""
        try:
            if self.process is not None:
                assert self.stop() == 0, self.log_text()[-8000:]
        finally:
            self.kill_all()
        log = self.log_text()
        assert_clean(log)
        if not self.errors_expected:
            assert re.findall(r"^\S+Z error .*$", log, re.M) == []
        if (self.data / "fennec.db").exists():
            assert [row["words"] for row in self.ledger_findings() if row["status"] != "ok"] == []
        self.assert_nothing_left()
        self.holder.close()

    # -- looks from outside

    def run_cli(self, *words, environment=None):
        words, arguments = (words[:words.index("--")], words[words.index("--"):]) if "--" in words else (words, ())
        run = subprocess.run([FENNEC, *words, "--data", str(self.data), "--config", str(self.config), *arguments],
                             env={**COMMAND_ENV, **(environment or {})}, capture_output=True, text=True, timeout=PATIENCE_S)
        assert_clean(run.stderr)
        return run

    def cli(self, *words, code=0):
        run = self.run_cli(*words)
        assert run.returncode == code, (words, run.returncode, run.stdout, run.stderr)
        return run.stdout

    def key(self, account, credits=None, group=None, test=False, concurrency=None):
        options = [f"--{name}={value}" for name, value in (("credits", credits), ("group", group),
                                                           ("concurrency", concurrency)) if value is not None]
        return self.cli("key", "create", "--account", account, *options, *(["--test"] if test else [])).strip()

    def take(self, account, credits, code=0):
        self.cli("account", "credit", "--", account, f"-{credits}", code=code)

    def client(self, key=None):
        return Client(self, key)

    def shown(self, task_id):
        """The task as operators see it: attempts, events, artifacts. A call is written a moment after its answer."""
        def look():
            run = self.run_cli("task", "show", task_id, "--json")
            return run.returncode == 0 and run.stdout
        return json.loads(eventually(look))

    def listed(self, account):
        return json.loads(self.cli("task", "list", "--account", account, "--limit", "10000", "--json"))

    def ledger_findings(self):
        run = subprocess.run([FENNEC, "doctor", "--json", "--data", str(self.data), "--config", str(self.config)],
                             env=COMMAND_ENV, capture_output=True, text=True, timeout=PATIENCE_S)
        assert_clean(run.stderr)
        findings = [row for row in json.loads(run.stdout) if row["what"] == "ledger"]
        assert findings, run.stdout
        return findings

    def assert_nothing_left(self):
        """No work directory, no half-written blob, no process of a command; a live server clears up behind a task's end."""
        def left():
            return left_in(self.data / "work") + left_in(self.data / "blobs" / "tmp")

        if self.process is not None:
            eventually(lambda: not left())
        assert left() == []
        assert eventually(lambda: not self.command_processes() or None) is True

    def command_processes(self):
        """Processes that this server's commands are, or were started by: they work below the data directory."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit() and self.is_commands(entry):
                found.append(int(entry.name))
        return found

    def is_commands(self, entry):
        try:
            directory = os.readlink(entry / "cwd")
        except OSError:
            return False
        return directory.startswith(str(self.data / "work"))

    def blob(self, url):
        """The stored file behind a result URL, if it is not a small one."""
        digest = self.digest(url)
        return self.data / "blobs" / digest[:2] / digest[2:]

    @staticmethod
    def digest(url):
        return url.split("/v1/artifacts/")[1].split("/")[0]

    def small(self, url):
        """The bytes behind a result URL in each row that has a small file."""
        query = "SELECT bytes FROM artifact JOIN small ON small.id = artifact.small WHERE hash = ?"
        return [row[0] for row in aftermath.rows(self.data, query, self.digest(url))]


def left_in(directory):
    """Also while a server clears up there: what goes meanwhile is not left."""
    return sorted(os.path.join(top, name) for top, folders, files in os.walk(directory) for name in folders + files)


def assert_clean(text):
    for word in ("Sanitizer", "runtime error:", "Assertion"):
        assert word not in text, text[-8000:]


class Threads:
    """Runs a function in several threads, each with a client of its own, and raises what went wrong in any."""

    def __init__(self, server, key, count, work, kind=Client):
        self.failures, self.stopped, self.kind = [], threading.Event(), kind
        self.threads = [threading.Thread(target=self.run, args=(server, key, work), daemon=True) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def run(self, server, key, work):
        try:
            with self.kind(server, key) as client:
                work(client, self.stopped)
        except BaseException as failure:  # pylint: disable=broad-except
            self.failures.append(failure)

    def join(self, patience_s=PATIENCE_S):
        for thread in self.threads:
            thread.join(patience_s)
            assert not thread.is_alive(), "a client hangs"
        if self.failures:
            raise self.failures[0]

    def stop(self):
        self.stopped.set()
        self.join()
