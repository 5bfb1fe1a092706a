"""Servers for scenarios, which must end well with them, and the services behind them."""
import pathlib
import sys
import tempfile

import pytest

from house import Server

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))  # tests/services


@pytest.fixture
def make_server(tmp_path):
    """Makes servers with settings, models and commands of their own, not started yet."""
    made = []

    def make(settings="", models="", commands=None, data=None):
        made.append(Server(tempfile.mkdtemp(dir=tmp_path), settings, models, commands, data))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def gates(tmp_path):
    """Files that held tasks wait for: gates("a") is a name for a prompt, gates.open("a") lets its tasks go on."""
    class Gates:
        def __call__(self, name):
            return str(tmp_path / f"gate-{name}")

        def open(self, name):
            (tmp_path / f"gate-{name}").touch()

    return Gates()
