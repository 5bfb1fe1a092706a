"""Clients for tests; the services behind; a Fennec between them (tests/simulator/llm.py)."""
import pathlib
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "simulator")]

import llm  # noqa: E402
from clients import talk  # noqa: E402
from house import Server  # noqa: E402

# Services in trouble are left alone for a while, so each trouble has one of its own.
TROUBLED = [*(f"openai-{command}-{status}" for command in ("create", "stream") for status in (400, 422, 429, 503)),
            *(f"{dialect}-{trouble}" for dialect in llm.DIALECTS for trouble in ("error", "cut"))]


@pytest.fixture(scope="module")
def openai_client():
    with talk.open_client("openai") as client:
        yield client


@pytest.fixture(scope="module")
def event_source():
    with talk.open_client("eventsource") as client:
        yield client


@pytest.fixture
def make_service():
    made = []

    def make(dialect, **options):
        made.append(llm.DIALECTS[dialect](**options))
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture(scope="module")
def lasting_stage(tmp_path_factory):
    """A Fennec with a model of each dialect, and more of those in trouble."""
    services = {name: kind() for name, kind in llm.DIALECTS.items()}
    services |= {name: llm.DIALECTS[name.split("-")[0]]() for name in TROUBLED}
    models = "".join(llm.model(f"{name}-model", llm.route(name)) for name in services)
    stage = llm.Stage(Server(tmp_path_factory.mktemp("llm"), ""), services, models,
                      "groups = { slow = { requests_per_minute = 1 } }")
    stage.server.start()
    yield stage
    stage.server.close()
    stage.close()


@pytest.fixture
def stage(lasting_stage):
    """The books are balanced after each test."""
    yield lasting_stage
    assert [row["words"] for row in lasting_stage.server.ledger_findings() if row["status"] != "ok"] == []
