"""The simulated services of language models speak the real protocols: their own clients believe them."""
import http.client
import json

import pytest
from clients import talk
from services.chat import Say, Tool, Usage

ASK = {"model": "fake-model", "messages": [{"role": "user", "content": "How is the fox?"}]}
TOLD = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0}}
WEATHER = Tool("weather", ('{"city":', ' "Köln"}'))


@pytest.fixture(scope="module")
def anthropic_client():
    with talk.open_client("anthropic") as client:
        yield client


@pytest.fixture(scope="module")
def ollama_client():
    with talk.open_client("ollama") as client:
        yield client


def ask(service, path, body, headers=None, method="POST"):
    connection = http.client.HTTPConnection(service.host, service.port, timeout=30)
    connection.request(method, path, json.dumps(body) if body is not None else None,
                       {"Content-Type": "application/json", **(headers or {})})
    response = connection.getresponse()
    data = response.read()
    connection.close()
    return response, data


# -- OpenAI's

def test_openais_client_gets_a_whole_answer(openai_client, make_service):
    answer = openai_client.value(make_service("openai").url, "create", body=ASK)["data"]
    assert answer["choices"][0]["message"]["content"] == "The fox is quick." and answer["usage"] == TOLD


@pytest.mark.parametrize("manner", ["plain", "split", "bytes", "once", "pings", "lines", "crlf"])
def test_openais_client_reads_a_stream_however_it_is_cut(openai_client, make_service, manner):
    service = make_service("openai")
    service.when("fox", Say(("Der ", "schöne ", "Fuchs 🦊"), manner=manner))
    body = {**ASK, "stream_options": {"include_usage": True}}
    chunks = openai_client.value(service.url, "stream", body=body)["chunks"]
    assert "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks[:-1]) == "Der schöne Fuchs 🦊"
    assert (chunks[-1]["choices"], chunks[-1]["usage"]) == ([], TOLD)


def test_openais_client_collects_the_calls_of_tools(openai_client, make_service):
    service = make_service("openai")
    service.when("fox", Say("", tools=(WEATHER, Tool("time", id="call_2"))))
    message = openai_client.value(service.url, "collect", body=ASK)["choices"][0]["message"]
    assert [(one["id"], one["function"]["name"], one["function"]["arguments"]) for one in message["tool_calls"]] == [
        ("call_1", "weather", '{"city": "Köln"}'), ("call_2", "time", "{}")]


@pytest.mark.parametrize("change, key, kind, status", [
    ({}, "another-key", "AuthenticationError", 401), ({"model": "no-such"}, "fake-key", "NotFoundError", 404),
    ({"colour": 1}, "fake-key", "BadRequestError", 400), ({"messages": []}, "fake-key", "BadRequestError", 400),
    ({"messages": [{"role": "fox", "content": "x"}]}, "fake-key", "BadRequestError", 400),
    ({"messages": [{"role": "user", "content": [{"type": "video_url"}]}]}, "fake-key", "BadRequestError", 400),
    ({"stream_options": {"include_usage": True}}, "fake-key", "BadRequestError", 400),
])
def test_openais_client_is_refused(openai_client, make_service, change, key, kind, status):
    said = openai_client.error(make_service("openai").url, "create", key, body={**ASK, **change})
    assert (said["class"], said["status"]) == (kind, status)


@pytest.mark.parametrize("trouble, kind", [
    ({"ending": "error"}, "APIError"), ({"ending": "cut"}, "TypeError"), ({"ending": "torn"}, "SyntaxError")])
def test_openais_client_sees_a_stream_break(openai_client, make_service, trouble, kind):
    service = make_service("openai")
    service.when("fox", Say(stop_at=2, **trouble))
    told = openai_client.begin(service.url, "stream", body=ASK)
    assert [told.event()["choices"][0]["delta"].get("content") for _ in range(3)] == ["", "The ", "fox "]
    assert told.end()["error"]["class"] == kind


def test_a_client_that_goes_is_noticed(openai_client, make_service):
    service = make_service("openai")
    service.when("fox", Say(iter(lambda: "on and on ", None)))
    openai_client(service.url, "stream", body=ASK, abortAfter=3)
    assert service.journal.wait_over(service.journal.of("chat")[0]).gone


def test_llama_cpp_numbers_its_errors_and_says_how_long_it_took(openai_client, make_service):
    service = make_service("openai", flavour="llama.cpp", keys=())
    answer = openai_client.value(service.url, "create", body=ASK)["data"]
    assert answer["timings"]["predicted_n"] == 7
    loading = '503 {"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}'
    service.when("fox", loading)
    assert openai_client.error(service.url, "create", body=ASK)["code"] == 503


# -- Anthropic's

CLAUDE = {**ASK, "max_tokens": 2000}


@pytest.mark.parametrize("command", ["create", "collect"])
def test_anthropics_client_gets_an_answer_with_everything(anthropic_client, make_service, command):
    service = make_service("anthropic")
    service.when("fox", Say(("It ", "runs."), reasoning=("Hm.", " So."), tools=(WEATHER,), usage=Usage(30, 9, 20, 4)))
    message = anthropic_client.value(service.url, command, body=CLAUDE)
    thought, text, tool = message["content"]
    assert (thought["thinking"], text["text"]) == ("Hm. So.", "It runs.")
    assert (tool["name"], tool["input"]) == ("weather", {"city": "Köln"})
    usage = message["usage"]
    assert (usage["input_tokens"], usage["cache_read_input_tokens"], usage["output_tokens"]) == (10, 20, 9)
    assert message["stop_reason"] == "tool_use"


@pytest.mark.parametrize("change, key, kind", [
    ({}, "another-key", "AuthenticationError"), ({"model": "no-such"}, "fake-key", "NotFoundError"),
    ({"max_tokens": 0}, "fake-key", "BadRequestError"), ({"n": 2}, "fake-key", "BadRequestError"),
    ({"messages": [{"role": "system", "content": "x"}]}, "fake-key", "BadRequestError"),
    ({"thinking": {"type": "enabled", "budget_tokens": 4000}}, "fake-key", "BadRequestError"),
    ({"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "x"}]}]}, "fake-key",
     "BadRequestError"),
])
def test_anthropics_client_is_refused(anthropic_client, make_service, change, key, kind):
    said = anthropic_client.error(make_service("anthropic").url, "create", key, body={**CLAUDE, **change})
    assert said["class"] == kind


def test_anthropics_client_sees_the_error_in_a_stream(anthropic_client, make_service):
    service = make_service("anthropic")
    service.when("fox", Say(stop_at=1, ending="error", error="Overloaded"))
    assert "Overloaded" in anthropic_client.error(service.url, "collect", body=CLAUDE)["message"]


# -- Ollama's

def test_ollamas_client_gets_an_answer(ollama_client, make_service):
    service = make_service("ollama")
    service.when("fox", Say(("Ja, ", "schön."), reasoning=("Hm.",), tools=(WEATHER,)))
    answer = ollama_client.value(service.url, "chat", body=ASK)
    assert (answer["message"]["content"], answer["message"]["thinking"]) == ("Ja, schön.", "Hm.")
    assert answer["message"]["tool_calls"] == [{"function": {"name": "weather", "arguments": {"city": "Köln"}}}]
    parts = ollama_client.value(service.url, "stream", body=ASK)
    assert "".join(part["message"]["content"] for part in parts) == "Ja, schön."
    assert (parts[-1]["done"], parts[-1]["prompt_eval_count"], parts[-1]["eval_count"]) == (True, 11, 7)


def test_ollamas_client_sees_errors(ollama_client, make_service):
    service = make_service("ollama")
    assert ollama_client.error(service.url, "chat", body={**ASK, "model": "no-such"})["status"] == 404
    service.when("fox", Say(stop_at=2, ending="error", error="out of memory"))
    assert "out of memory" in ollama_client.error(service.url, "stream", body=ASK)["message"]


# -- Gemini's, by hand

GEMINI = {"contents": [{"role": "user", "parts": [{"text": "How is the fox?"}]}]}
KEY = {"x-goog-api-key": "fake-key"}


def texts_of(fragments):
    return [part["text"] for one in fragments for part in one["candidates"][0]["content"].get("parts", ())]


def test_gemini_answers_whole_as_events_and_as_an_array(make_service):
    service = make_service("gemini")
    whole = json.loads(ask(service, "/v1beta/models/fake-model:generateContent", GEMINI, KEY)[1])
    assert texts_of([whole]) == ["The fox is quick."] and whole["usageMetadata"]["totalTokenCount"] == 18
    response, data = ask(service, "/v1beta/models/fake-model:streamGenerateContent?alt=sse", GEMINI, KEY)
    assert response.getheader("Content-Type") == "text/event-stream"
    fragments = [json.loads(line.removeprefix(b"data: ")) for line in data.split(b"\n") if line]
    assert texts_of(fragments) == ["The ", "fox ", "is ", "quick.", ""]
    response, data = ask(service, "/v1beta/models/fake-model:streamGenerateContent", GEMINI, KEY)
    assert response.getheader("Content-Type") == "application/json"
    assert texts_of(json.loads(data)) == texts_of(fragments)


def test_gemini_blocks_a_prompt_under_200(make_service):
    service = make_service("gemini")
    service.when("fox", Say(finish="blocked"))
    for method in ("generateContent", "streamGenerateContent?alt=sse"):
        response, data = ask(service, f"/v1beta/models/fake-model:{method}", GEMINI, KEY)
        assert response.status == 200 and b"blockReason" in data and b"candidates" not in data


@pytest.mark.parametrize("change, headers, model, status", [
    ({}, {}, "fake-model", 403), ({}, {"x-goog-api-key": "another"}, "fake-model", 400), ({}, KEY, "no-such", 404),
    ({"colour": 1}, KEY, "fake-model", 400), ({"generationConfig": {"max_tokens": 1}}, KEY, "fake-model", 400),
    ({"contents": [{"role": "assistant", "parts": [{"text": "x"}]}]}, KEY, "fake-model", 400),
    ({"contents": [{"role": "user", "parts": []}]}, KEY, "fake-model", 400),
    ({"contents": [{"role": "user", "parts": [{"inlineData": {"mimeType": "a/b", "data": "*"}}]}]}, KEY, "fake-model",
     400),
])
def test_gemini_refuses(make_service, change, headers, model, status):
    response, data = ask(make_service("gemini"), f"/v1beta/models/{model}:generateContent", {**GEMINI, **change},
                         headers)
    assert response.status == status and json.loads(data)["error"]["code"] == status
