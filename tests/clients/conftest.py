"""Clients for tests; the services behind; servers between them (tests/simulator/house.py)."""
import pathlib
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "simulator")]

from clients import talk  # noqa: E402
from services import anthropic, gemini, ollama, openai_chat  # noqa: E402

SERVICES = {"openai": openai_chat.OpenAiService, "anthropic": anthropic.AnthropicService, "gemini": gemini.GeminiService,
            "ollama": ollama.OllamaService}


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
        made.append(SERVICES[dialect](**options))
        return made[-1]

    yield make
    for one in made:
        one.stop()
