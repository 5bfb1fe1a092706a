"""Attacks on a whole server: one that all modules share, a bait that nobody may take, and servers with settings of their own.

The bait is a file of this machine and a listener on its loopback. An attack that makes the server read the one or call the
other is a hole, whatever the server answers; each test that uses it fails then."""
import pathlib
import sys
import tempfile

import pytest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "simulator")]  # tests/services, house.py

from house import Server  # noqa: E402
from services.receiver import Receiver  # noqa: E402

SECRET = b"only-on-this-machine"
SETTINGS = """
drain = 1
simulator = { seconds = 0 }
groups = { default = { price = 1.0, concurrency = 50, requests_per_minute = 0 } }
"""


class Bait:
    def __init__(self, directory):
        self.file = directory / "secret.txt"
        self.file.write_bytes(SECRET)
        self.listener = Receiver()

    def url(self, path="/bait"):
        return self.listener.url(path)

    def check(self, *parts):
        """The secret is in none of these, and nobody called."""
        assert not any(SECRET in part for part in parts)
        assert self.listener.requests == [] and self.listener.open == 0


@pytest.fixture
def bait(tmp_path):
    one = Bait(tmp_path)
    yield one
    one.check()
    one.listener.close()


@pytest.fixture(scope="session")
def house(tmp_path_factory):
    one = Server(tmp_path_factory.mktemp("house"), SETTINGS).start()
    yield one
    one.close()


@pytest.fixture(scope="session")
def key(house):
    return house.key("attacker", credits=1000000)


@pytest.fixture
def client(house, key):
    with house.client(key) as one:
        yield one


@pytest.fixture
def make_server(tmp_path):
    """Makes servers with settings, models and commands of their own, not started yet."""
    made = []

    def make(settings="", models="", commands=None):
        made.append(Server(tempfile.mkdtemp(dir=tmp_path), settings, models, commands))
        return made[-1]

    yield make
    for one in made:
        one.close()
