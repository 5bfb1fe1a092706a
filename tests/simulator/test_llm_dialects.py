"""What no service of a model can be told is refused at once and alike, however it was asked; where one can, that one is asked."""
import pytest
from services.chat import Say

import llm
from house import Server
from llm import COMPLETIONS, DIALECTS, GENERATIONS, PNG, TWIN, WAV, model, route, said

BMP = "data:image/bmp;base64,Qk0AAA=="
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
MODELS = "".join([
    model("claude", route("anthropic")),
    model("claude-by-budget", route("anthropic", reasoning='"budget"')),
    model("gemini", route("gemini")),
    model("llama", route("ollama", "qwen3:8b")),
    model("claude-or-gpt", route("anthropic") + route("openai", priority=1)),
    model("claude-or-llama", route("anthropic") + route("ollama", "qwen3:8b", priority=1)),
    model("claude-or-nothing", route("anthropic") + route("openai-absent", priority=1)),
])


@pytest.fixture(scope="module")
def lasting_stage(tmp_path_factory):
    """One with a service of each dialect. Nothing is configured for `openai-absent`."""
    stage = llm.Stage(Server(tmp_path_factory.mktemp("llm"), ""), {name: make() for name, make in DIALECTS.items()}, MODELS)
    (stage.server.catalog / "providers" / "openai-absent.lua").write_text(llm.adapter("openai"))
    stage.server.start()
    yield stage
    stage.server.close()
    stage.close()


def asked(stage):
    """How often each service was."""
    return {name: len(service.journal.entries) for name, service in stage.services.items()}


def ways(body):
    """All ways to ask: path, and what the body says besides."""
    modes = ({}, {"stream": True}, {"sync": True}, {"sync": True, "stream": True}, {"dry_run": True})
    yield from ((GENERATIONS, more) for more in modes)
    if "messages" in body and "system_prompt" not in body:
        yield from ((path, more) for path in (COMPLETIONS, TWIN) for more in ({}, {"stream": True}, {"dry_run": True}))


REFUSED = [
    ("claude", {"prompt": "x", "n": 2}, "model_rule_violation", "n"),
    ("claude", said("x", n=2), "model_rule_violation", "n"),
    ("claude", said("x", stop=["\n\n"]), "model_rule_violation", "stop"),
    ("claude", said("x", response_format={"type": "grammar"}), "model_rule_violation", "response_format.type"),
    ("claude", {"prompt": "x", "image_urls": [PNG, BMP]}, "unsupported_content_type", "image_urls[1]"),
    ("claude", {"system_prompt": "y", "prompt": "x", "image_urls": [BMP]}, "unsupported_content_type", "image_urls[0]"),
    ("claude", {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": BMP}}]}]},
     "unsupported_content_type", "messages[0].content[0].image_url.url"),
    ("claude", {"messages": [{"role": "function", "name": "f", "content": "x"}]}, "model_rule_violation",
     "messages[0].role"),
    ("claude", {"system_prompt": "y", "messages": [{"role": "function", "name": "f", "content": "x"}]},
     "model_rule_violation", "messages[0].role"),
    ("claude-by-budget", said("x", reasoning=True, max_tokens=1000), "model_rule_violation", "max_tokens"),
    ("gemini", said("x", tools=TOOLS, parallel_tool_calls=False), "model_rule_violation", "parallel_tool_calls"),
    ("gemini", said("x", n=17), "model_rule_violation", "n"),
    ("llama", {"audio_url": WAV}, "unsupported_content_type", "audio_url"),
    ("llama", said("x", tools=TOOLS, tool_choice="required"), "model_rule_violation", "tool_choice"),
    ("claude-or-llama", said("x", n=2), "model_rule_violation", "n"),
    ("claude-or-nothing", said("x", n=2), "model_rule_violation", "n"),
]


@pytest.mark.parametrize("name, body, code, param", REFUSED)
def test_what_cannot_be_said_is_refused_alike(stage, name, body, code, param):
    before = asked(stage)
    with stage.client() as client:
        errors = [client.refused({"model": name, **body, **more}, path) for path, more in ways(body)]
        status, error = errors[0]
        assert (status, error["code"], error["param"], error["type"]) == (422, code, param, "invalid_request_error"), error
        assert all(one == errors[0] for one in errors), errors
        assert client.spent() == 0 and client.tasks() == []
    assert asked(stage) == before


@pytest.mark.parametrize("name, body, code, param", [REFUSED[0], REFUSED[4]])
def test_a_test_key_hears_the_same(stage, name, body, code, param):
    with stage.client(credits=None, test=True) as tester:
        status, error = tester.refused({"model": name, **body}, GENERATIONS)
        assert (status, error["code"], error["param"]) == (422, code, param), error
        tester.settled(tester.generate({"model": "claude-or-nothing", **body})["id"])  # by its other service it would do


def test_the_service_that_can_is_asked(stage):
    words = stage.services["openai"].when("two of them", Say())
    before = asked(stage)["anthropic"]
    with stage.client() as client:
        body = {"model": "claude-or-gpt", **said(words, n=2)}
        assert client.post(GENERATIONS, {**body, "dry_run": True}).json()["object"] == "estimate"
        task = client.settled(client.generate(body)["id"])
        assert (task["status"], len(task["results"][0]["choices"])) == ("completed", 2), task
        assert len(client.complete(body)[0]["choices"]) == 2
        assert len(client.complete({**body, "sync": True}, GENERATIONS)[0]["choices"]) == 2
    assert asked(stage)["anthropic"] == before and len(stage.services["openai"].calls_with(words)) == 3


def test_the_first_service_is_asked_for_what_it_can_be(stage):
    words = stage.services["anthropic"].when("one of them", Say())
    with stage.client() as client:
        for name in ("claude-or-gpt", "claude-or-nothing"):
            client.complete({"model": name, **said(words)})
    assert len(stage.services["anthropic"].calls_with(words)) == 2
