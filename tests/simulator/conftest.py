"""Servers for scenarios, which must end well with them, and the services behind them."""
import pathlib
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))  # tests/services

import llm  # noqa: E402
from house import Server  # noqa: E402
from services import tls  # noqa: E402


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
def authority(tmp_path):
    """Whom a Fennec believes whose SSL_CERT_FILE names its file."""
    return tls.Authority(tmp_path / "authority")


@pytest.fixture
def front():
    """Puts something behind TLS; its links lead there, from then on."""
    made = []

    def make(behind, context, **options):
        made.append(tls.Front(behind, context, **options))
        behind.front, behind.url = made[-1], made[-1].url
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture
def gates(tmp_path):
    """Files that held tasks wait for: gates("a") is a name for a prompt, gates.open("a") lets its tasks go on."""
    class Gates:
        def __call__(self, name):
            return str(tmp_path / f"gate-{name}")

        def open(self, name):
            (tmp_path / f"gate-{name}").touch()

    return Gates()


@pytest.fixture
def make_stage(make_server):
    """Makes a Fennec with language models, not started yet: services by the name of their provider (llm.py)."""
    made = []

    def make(services, models="", settings="", **options):
        made.append(llm.Stage(make_server(), services, models, settings, **options))
        return made[-1]

    yield make
    for one in made:
        if one.server.process is not None:
            assert one.server.stop() == 0, one.server.log_text()[-8000:]
        one.close()


@pytest.fixture(scope="module")
def lasting_stage(tmp_path_factory):
    """A started one with a model of each dialect, `openai-model` and so on, that a module's tests share."""
    services = {name: kind() for name, kind in llm.DIALECTS.items()}
    models = "".join(llm.model(f"{name}-model", llm.route(name)) for name in services)
    stage = llm.Stage(Server(tmp_path_factory.mktemp("llm"), ""), services, models)
    stage.server.start()
    yield stage
    stage.server.close()
    stage.close()


@pytest.fixture
def stage(lasting_stage):
    """The books are balanced after each test."""
    yield lasting_stage
    assert [row["words"] for row in lasting_stage.server.ledger_findings() if row["status"] != "ok"] == []
