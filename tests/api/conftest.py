"""A running server for each test session, more of them for tests that need their own, and what tests say to them."""
import os
import pathlib
import signal
import subprocess
import tempfile

import pytest

from client import Client
from described import forget_description

ROOT = pathlib.Path(__file__).resolve().parents[2]
FENNEC = str(pathlib.Path(os.environ.get("FENNEC", ROOT / "build" / "fennec")).resolve())
# A look for leaks is a third of a command's time, and tests/cli has it for all of them.
COMMAND_ENV = {**os.environ, "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}

CONFIG = """
drain = 1
simulator = { seconds = 0.2 }
groups = {
  default = { price = 1.0, concurrency = 50, requests_per_minute = 0 },
  double  = { price = 2.0, concurrency = 50, requests_per_minute = 0 },
  slow    = { price = 1.0, concurrency = 50, requests_per_minute = 3 },
  narrow  = { price = 1.0, concurrency = 1,  requests_per_minute = 0 },
}
"""

# For a server whose clock runs: so do its limits for idle connections.
PATIENT = "http = { idle = 86400, request = 86400 }\n"


def pytest_make_parametrize_id(config, val, argname):
    """Short names, also for values that are long or no text."""
    text = val.decode("latin-1") if isinstance(val, bytes) else val if isinstance(val, str) else repr(val)
    return "".join(c if c.isalnum() or c in "-_./:%+" else "~" for c in text)[:48].encode("ascii", "replace").decode()


class Server:
    """One server process on a data directory of its own."""

    def __init__(self, directory, config=CONFIG, listen="127.0.0.1:0"):
        self.directory = pathlib.Path(directory)
        self.data = self.directory / "data"
        self.config = self.directory / "config.lua"
        self.log = self.directory / "server.log"
        self.listen = listen
        self.config.write_text(config)
        self.process = None
        self.address = None

    def start(self):
        self.process = subprocess.Popen(
            [FENNEC, "serve", "--data", str(self.data), "--config", str(self.config), "--listen", self.listen],
            stdout=subprocess.PIPE, stderr=open(self.log, "ab"), text=True, cwd=self.directory)
        line = self.process.stdout.readline()
        assert line.startswith("listening on http://"), line + self.log.read_text()[-4000:]
        self.address = line.strip().removeprefix("listening on http://")
        forget_description(self.address)
        return self

    @property
    def port(self):
        return int(self.address.rsplit(":", 1)[1])

    def stop(self):
        """Its exit status; one that a sanitizer spoke in, or that had to be killed, has another than 0."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self.process.stdout.close()
        self.process = None
        return status

    def cli(self, *arguments):
        run = subprocess.run([FENNEC, *arguments, "--data", str(self.data), "--config", str(self.config)],
                             env=COMMAND_ENV, capture_output=True, text=True, timeout=60)
        assert run.returncode == 0, run.stderr
        return run.stdout

    def key(self, account, credits=None, test=False, group=None, expires=None, name=None, requests_per_minute=None,
            concurrency=None):
        options = []
        for option, value in (("--credits", credits), ("--group", group), ("--expires", expires), ("--name", name),
                              ("--requests-per-minute", requests_per_minute), ("--concurrency", concurrency)):
            if value is not None:
                options += [option, str(value)]
        if test:
            options.append("--test")
        return self.cli("key", "create", "--account", account, *options).strip()

    def client(self, key=None):
        return Client(self.address, key)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    one = Server(tmp_path_factory.mktemp("server")).start()
    yield one
    assert one.stop() == 0, one.log.read_text()[-8000:]
    assert_quiet(one)


@pytest.fixture
def make_server(tmp_path):
    """Makes servers with settings of their own; they are stopped, and must stop well, when the test ends."""
    made = []

    def make(config=CONFIG, listen="127.0.0.1:0"):
        directory = tempfile.mkdtemp(dir=tmp_path)
        made.append(Server(directory, config, listen))
        return made[-1].start()

    yield make
    for one in made:
        running = one.process is not None
        status = one.stop()
        if running:
            assert status == 0, one.log.read_text()[-8000:]
        assert_quiet(one)


def assert_quiet(server):
    """No sanitizer spoke, and no key was logged."""
    log = server.log.read_text(errors="replace")
    for word in ("Sanitizer", "runtime error:", "sk-live-", "sk-test-", "sk-admin-", "signature="):
        assert word not in log, log[-8000:]


@pytest.fixture(scope="session")
def live_key(server):
    return server.key("live", credits=1000000)


@pytest.fixture(scope="session")
def test_key(server):
    return server.key("tester", test=True)


@pytest.fixture
def live(server, live_key):
    with server.client(live_key) as client:
        yield client


@pytest.fixture
def tester(server, test_key):
    with server.client(test_key) as client:
        yield client


@pytest.fixture
def anyone(server):
    with server.client() as client:
        yield client


GATED = """
model "gated" {
    type = "image", timeout = 600, price = per_call(3), params = { prompt = text{ required, min = 1, max = 500 } },
    routes = { exec = { command = "gated" } },
    results = function(out) return { { result_type = "profile", profile_id = out.id } } end,
}
"""


@pytest.fixture
def gated(tmp_path):
    """Settings with a model `gated`, whose tasks run until there is the file that their prompt names."""
    for folder in ("catalog/models", "libexec"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "catalog/models/gated.lua").write_text(GATED)
    command = tmp_path / "libexec/gated"
    command.write_text("#!/bin/sh\ngate=$(sed -n 's/.*\"prompt\": *\"\\([^\"]*\\)\".*/\\1/p')\necho progress 40\n"
                       "while [ ! -e \"$gate\" ]; do sleep 0.05; done\necho 'result {\"id\":\"x\"}'\n")
    command.chmod(0o755)
    return f'catalog = "{tmp_path / "catalog"}"\nlibexec = "{command.parent}"\n'
