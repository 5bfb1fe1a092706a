"""OpenAI's own client against Fennec: whatever the dialect of the service behind, it finds what it finds at OpenAI."""
import threading

import pytest
from services import wire
from services.chat import Say, Tool, Usage

from house import eventually
from llm import PNG, micro, price_of, said

DIALECTS = ["openai", "anthropic", "gemini", "ollama"]
PIECES = ("Der ", "schöne ", "Fuchs ", "🦊.")
TEXT = "".join(PIECES)
WEATHER = {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}


@pytest.fixture(params=DIALECTS)
def dialect(request):
    return request.param


class Caller:
    """OpenAI's client with the key of an account at the stage's Fennec."""

    def __init__(self, stage, client, talk):
        self.url, self.client, self.talk = f"http://{stage.server.address}", client, talk

    def __call__(self, command, **argument):
        return self.talk(self.url, command, self.client.key, **argument)

    def __getattr__(self, name):
        told = getattr(self.talk, name)
        return lambda command, **argument: told(self.url, command, self.client.key, **argument)


@pytest.fixture
def caller(stage, openai_client):
    with stage.client() as client:
        yield Caller(stage, client, openai_client)


def ask(dialect, words, **more):
    return {"model": f"{dialect}-model", **said(words), **more}


def test_a_whole_answer(stage, caller, dialect):
    words = stage.services[dialect].when(f"whole {dialect}", Say(PIECES))
    said_ = caller.value("create", body=ask(dialect, words))
    completion = said_["data"]
    assert (completion["object"], completion["choices"][0]["message"]["content"]) == ("chat.completion", TEXT)
    assert completion["choices"][0]["finish_reason"] == "stop" and completion["usage"]["total_tokens"] == 18
    assert caller.client.settled(said_["headers"]["x-task-id"])["results"] == [completion]


def test_a_stream(stage, caller, dialect):
    words = stage.services[dialect].when(f"stream {dialect}", Say(PIECES))
    body = ask(dialect, words, stream_options={"include_usage": True})
    said_ = caller.value("stream", body=body)
    *chunks, last = said_["chunks"]
    assert "".join(one["choices"][0]["delta"].get("content") or "" for one in chunks) == TEXT
    assert last["choices"] == [] and last["usage"]["prompt_tokens"] == 11 and last["usage"]["completion_tokens"] == 7
    assert caller.client.charged(said_["headers"]["x-task-id"]) == price_of(Usage())


def test_the_clients_own_collector_of_chunks(stage, caller, dialect):
    words = stage.services[dialect].when(f"collector {dialect}",
                                         Say(PIECES, reasoning=("Hm.",), usage=Usage(11, 7, 0, 2)))
    completion = caller.value("collect", body=ask(dialect, words, stream_options={"include_usage": True}))
    assert completion["choices"][0]["message"]["content"] == TEXT and completion["usage"]["completion_tokens"] == 7


def test_streamed_calls_of_tools(stage, caller, dialect):
    tools = (Tool("weather", ('{"city":', ' "Köln"}')), Tool("weather", ('{"city": "Bonn"}',), "call_2"))
    words = stage.services[dialect].when(f"streamed tools {dialect}", Say(("Let me ", "look."), tools=tools))
    body = ask(dialect, words, tools=[{"type": "function", "function": WEATHER}])
    choice = caller.value("collect", body=body)["choices"][0]
    assert choice["finish_reason"] == "tool_calls" and choice["message"]["content"] == "Let me look."
    calls = choice["message"]["tool_calls"]
    assert [one["function"]["arguments"].replace(" ", "") for one in calls] == ['{"city":"Köln"}', '{"city":"Bonn"}']
    assert len({one["id"] for one in calls}) == 2


def test_the_clients_own_loop_of_tools(stage, caller, dialect):
    service = stage.services[dialect]
    words = service.when(f"loop of tools {dialect}", Say((), tools=(Tool("weather", ('{"city": "Köln"}',)),)),
                         Say(PIECES))
    said_ = caller.value("runTools", body=ask(dialect, words), tools=[WEATHER])
    assert (said_["called"], said_["content"]) == ([["weather", {"city": "Köln"}]], TEXT)
    assert "weather(" in service.calls_with(words)[1].entry.request.body.decode()


def test_pictures_in_messages(stage, caller, dialect):
    words = stage.services[dialect].when(f"pictures {dialect}", Say(PIECES))
    parts = [{"type": "text", "text": words}, {"type": "image_url", "image_url": {"url": PNG, "detail": "low"}}]
    body = {"model": f"{dialect}-model",
            "messages": [{"role": "system", "content": "Look."}, {"role": "user", "content": parts}]}
    assert caller.value("create", body=body)["data"]["choices"][0]["message"]["content"] == TEXT
    call, = stage.services[dialect].calls_with(words)
    assert PNG.split(",")[1] in call.entry.request.body.decode()


def test_several_choices(stage, caller):
    words = stage.services["openai"].when("several choices", Say(PIECES))
    assert len(caller.value("create", body=ask("openai", words, n=2))["data"]["choices"]) == 2
    choices = caller.value("collect", body=ask("openai", words, n=2))["choices"]
    assert [(one["index"], one["message"]["content"]) for one in choices] == [(0, TEXT), (1, TEXT)]


def test_models_are_listed(caller):
    names = [model["id"] for model in caller.value("models")]
    assert {f"{dialect}-model" for dialect in DIALECTS} <= set(names)


# -- errors, by the classes that the client makes of them

def test_a_wrong_key(stage, openai_client):
    error = openai_client.error(f"http://{stage.server.address}", "create", "sk-live-wrong", body=ask("openai", "x"))
    assert (error["class"], error["status"], error["code"]) == ("AuthenticationError", 401, "invalid_api_key")
    assert error["requestID"]


@pytest.mark.parametrize("body, code, param", [
    ({"model": "no-such", **said("x")}, "no_available_model", "model"),
    ({"model": "openai-model", **said("x"), "max_tokens": 0}, None, "max_tokens"),
    ({"model": "openai-model", "messages": []}, None, "messages"),
])
@pytest.mark.parametrize("command", ["create", "stream"])
def test_a_wrong_request(caller, body, code, param, command):
    error = caller.error(command, body=body)
    assert (error["class"], error["status"], error["param"]) == ("UnprocessableEntityError", 422, param), error
    assert error["code"] == code or code is None and error["code"]


@pytest.mark.parametrize("answer, kind", [
    ('400 {"error":{"message":"Too long.","type":"invalid_request_error","code":"context_length_exceeded",'
     '"param":"messages"}}', "BadRequestError"),
    ('422 {"error":{"message":"No.","type":"invalid_request_error","code":null,"param":null}}',
     "UnprocessableEntityError"),
    ('429 Retry-After:9 {"error":{"message":"Slow down.","type":"rate_limit_error","code":"rate_limit_exceeded"}}',
     "RateLimitError"),
    ('503 {"error":{"message":"Overloaded.","type":"server_error","code":null}}', "InternalServerError"),
])
@pytest.mark.parametrize("command", ["create", "stream"])
def test_what_the_service_refuses(stage, caller, answer, kind, command):
    name = f"openai-{command}-{answer[:3]}"
    stage.services[name].script.steps["chat"] = [answer]
    error = caller.error(command, body=ask(name, "It is refused."))
    assert error["class"] == kind and error["message"], error
    if answer.startswith("400"):
        assert (error["code"], error["param"]) == ("context_length_exceeded", "messages"), error
        assert "Too long." in error["message"]
    assert caller.client.spent() == 0


def test_no_credits(stage, openai_client):
    with stage.client(credits="0.000001") as client:
        error = openai_client.error(f"http://{stage.server.address}", "create", client.key,
                                    body=ask("openai", "x", max_tokens=100))
    assert (error["status"], error["type"]) == (402, "insufficient_quota")


def test_too_many_requests(stage, openai_client):
    with stage.client(group="slow") as client:
        url = f"http://{stage.server.address}"
        words = stage.services["openai"].when("too many requests", Say(PIECES))
        said_ = [openai_client(url, "create", client.key, body=ask("openai", words)) for _ in range(3)]
    errors = [one["error"] for one in said_ if "error" in one]
    kinds = {(one["class"], one["status"], one["code"]) for one in errors}
    assert kinds == {("RateLimitError", 429, "rate_limit_exceeded")}


def test_an_error_in_the_middle_of_a_stream(stage, caller, dialect):
    name = f"{dialect}-error"
    words = stage.services[name].when("in the middle", Say(PIECES, stop_at=2, ending="error", error="It broke."))
    begun = caller.begin("stream", body=ask(name, words))
    heard = ""
    while "event" in (line := begun.line()):
        heard += line["event"]["choices"][0]["delta"].get("content") or ""
    assert heard == "".join(PIECES[:2])
    assert line["error"]["class"] == "APIError" and line["error"]["message"].startswith("The service behind this model"), line
    assert caller.client.spent() == 0


def test_a_stream_cut_by_the_service_is_an_error_too(stage, caller, dialect):
    name = f"{dialect}-cut"
    words = stage.services[name].when("it cuts", Say(PIECES, stop_at=2, ending="cut"))
    assert caller.error("stream", body=ask(name, words))["class"] == "APIError"


# -- patience

def test_an_abort_while_it_streams(stage, caller, dialect):
    service = stage.services[dialect]
    gate = threading.Event()
    words = service.when(f"abort stream {dialect}", Say(PIECES, holds={2: gate}))
    caller("stream", body=ask(dialect, words), abortAfter=2)
    call, = service.calls_with(words)
    assert service.journal.wait_over(call.entry).gone, "the service was not cut off"
    task = caller.client.settled(eventually(caller.client.tasks)[0])
    assert micro(task["usage"]["credits_charged"]) == caller.client.spent()


def test_an_abort_before_the_answer(stage, caller):
    service = stage.services["openai"]
    gate = threading.Event()
    words = service.when("abort before", Say(PIECES, hold=gate))
    with Bell(lambda: service.journal.wait_until(lambda: service.calls_with(words))) as bell:
        error = caller.error("abort", body=ask("openai", words), when=bell.url)
    assert error["class"] == "APIUserAbortError", error
    call, = service.calls_with(words)
    assert service.journal.wait_over(call.entry).gone, "the service was not cut off"


class Bell(wire.HttpServer):
    """Answers once what it waits for has come."""

    def __init__(self, come):
        self.come = come
        super().__init__()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def handle(self, request):
        self.come()
        return wire.Reply(200)


def test_the_client_tries_again_as_it_is_told(stage, caller):
    """Fennec's own 503 and 429 are answered by the client with another try; a fresh call, so it is paid once."""
    words = stage.services["openai"].when("tries again", Say(PIECES))
    completion = caller.value("create", body=ask("openai", words), retries=2)["data"]
    assert completion["choices"][0]["message"]["content"] == TEXT
    assert len(stage.services["openai"].calls_with(words)) == 1
