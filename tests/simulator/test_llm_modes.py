"""Calls to language models in every mode: waiting or not, whole or as a stream, by each protocol and each dialect."""
import json

import pytest
from services.chat import Say, Tool, Usage

from llm import KEYS, COMPLETIONS, GENERATIONS, MP4, PNG, TWIN, WAV, content_of, price_of, reasoning_of, said

DIALECTS = ["openai", "anthropic", "gemini", "ollama"]
PIECES = ("Der ", "schöne ", "Fuchs ", "🦊.")
TEXT = "".join(PIECES)


@pytest.fixture(params=DIALECTS)
def dialect(request):
    return request.param


def asked_of(service, words):
    """The one call that the service got with the words."""
    calls = service.calls_with(words)
    assert len(calls) == 1, calls
    return calls[0]


def check_task(client, task_id, content=TEXT, usage=Usage(), finish="stop"):
    """The task that a call became: completed, with the whole answer, paid by the tokens."""
    task = client.settled(task_id)
    assert task["status"] == "completed" and task["progress"] == 100 and task["error"] is None, task
    assert list(task)[:11] == KEYS, task
    completion, = task["results"]
    choice = completion["choices"][0]
    assert completion["object"] == "chat.completion"
    assert (choice["message"]["content"], choice["finish_reason"]) == (content, finish)
    told = [completion["usage"][f"{word}_tokens"] for word in ("prompt", "completion", "total")]
    assert told == [usage.input, usage.output, usage.input + usage.output]
    assert client.charged(task_id) == price_of(usage) == client.spent()
    assert task["usage"]["billing_rule"] == "per_token", task
    return task


# -- the four modes

@pytest.mark.parametrize("path, body", [
    (GENERATIONS, lambda words: {"prompt": words}), (GENERATIONS, said), (TWIN, said)],
    ids=["prompt", "messages", "twin"])
def test_neither_waiting_nor_streaming_the_task_has_the_answer(stage, dialect, path, body):
    words = stage.services[dialect].when(f"poll {dialect} {path} {body('')}", Say(PIECES))
    with stage.client() as client:
        task = client.generate({"model": f"{dialect}-model", **body(words)}, path)
        assert (task["stream"], task["results"], task["error"], task["model"]) == (None, None, None, f"{dialect}-model")
        final = check_task(client, task["id"])
        assert final["stream"] is None
    assert not asked_of(stage.services[dialect], words).stream


@pytest.mark.parametrize("path", [GENERATIONS, TWIN])
def test_streaming_without_waiting_the_task_and_the_stream_have_the_answer(stage, dialect, path):
    words = stage.services[dialect].when(f"stream {dialect} {path}", Say(PIECES))
    with stage.client() as client:
        task = client.generate({"model": f"{dialect}-model", "stream": True, **said(words)}, path)
        assert task["stream"]["url"] == f"/v1/llm/generations/{task['id']}/stream"
        with client.follow(task) as stream:
            assert (stream.head().status, stream.type) == (200, "text/event-stream")
            *chunks, done = stream.events()
        assert stream.whole and {event.name for event in chunks} == {"chunk"}
        assert [event.json()["object"] for event in chunks] == ["chat.completion.chunk"] * len(chunks)
        assert (done.name, done.json()) == ("done", {"total_chunks": len(chunks)})
        assert content_of(chunks) == TEXT
        final = check_task(client, task["id"])
        assert final["stream"] == task["stream"]
        with client.stream("GET", f"/v1/llm_async/stream/{task['id']}") as twin:
            assert content_of(twin.events()[:-1]) == TEXT
    assert asked_of(stage.services[dialect], words).stream


@pytest.mark.parametrize("path, more", [(COMPLETIONS, {}), (GENERATIONS, {"sync": True})])
def test_waiting_the_answer_is_the_completion(stage, dialect, path, more):
    words = stage.services[dialect].when(f"wait {dialect} {path}", Say(PIECES))
    with stage.client() as client:
        completion, task_id = client.complete({"model": f"{dialect}-model", **more, **said(words)}, path)
        assert completion["choices"][0]["message"]["content"] == TEXT
        assert client.settled(task_id)["results"] == [completion]
        check_task(client, task_id)


@pytest.mark.parametrize("path, more", [(COMPLETIONS, {}), (GENERATIONS, {"sync": True})])
def test_waiting_and_streaming_the_answer_is_a_stream(stage, dialect, path, more):
    words = stage.services[dialect].when(f"both {dialect} {path}", Say(PIECES))
    with stage.client() as client:
        body = {"model": f"{dialect}-model", "stream": True, **more, **said(words)}
        with client.stream("POST", path, body) as stream:
            assert (stream.head().status, stream.type) == (200, "text/event-stream")
            *chunks, done = stream.events()
        assert stream.whole and done.data == "[DONE]" and {event.name for event in [*chunks, done]} == {"message"}
        assert content_of(chunks) == TEXT
        first, last = chunks[0].json(), chunks[-1].json()
        assert first["choices"][0]["delta"].get("role") == "assistant"
        assert last["choices"][0]["finish_reason"] == "stop"
        assert len({event.json()["id"] for event in chunks}) == 1
        check_task(client, stream.headers["X-Task-Id"])


# -- protocols

@pytest.mark.parametrize("parts, fields", [
    ({"text"}, {"prompt": "$words"}),
    ({"text", "image_url"}, {"prompt": "$words", "image_urls": [PNG, PNG]}),
    ({"text", "audio_url"}, {"prompt": "$words", "audio_url": WAV}),
    ({"text", "video_url"}, {"prompt": "$words", "video_urls": [MP4]}),
    ({"text", "image_url"}, {"messages": [{"role": "user", "content": [
        {"type": "text", "text": "$words"}, {"type": "image_url", "image_url": {"url": PNG}}]}]}),
], ids=["text", "vision", "audio", "video", "custom"])
@pytest.mark.parametrize("sync", [False, True])
@pytest.mark.parametrize("streams", [False, True])
def test_each_protocol_in_each_mode(stage, parts, fields, sync, streams):
    """At Gemini, which takes everything as inline data."""
    words = stage.services["gemini"].when(f"protocol {sorted(fields)} {len(str(fields))} {sync} {streams}", Say(PIECES))
    filled = {name: words if value == "$words" else value for name, value in fields.items()}
    if "messages" in filled:
        filled["messages"] = [{"role": "user", "content": [{"type": "text", "text": words},
                                                           {"type": "image_url", "image_url": {"url": PNG}}]}]
    with stage.client() as client:
        body = {"model": "gemini-model", "sync": sync, "stream": streams, "system_prompt": "Be a fox.",
                "temperature": 0.5, "max_tokens": 50, **filled}
        if "messages" in fields:
            del body["system_prompt"]
        task_id = run_in_mode(client, body, sync, streams)
        check_task(client, task_id)
    request = asked_of(stage.services["gemini"], words).body
    kinds = [("inline", part["inlineData"]["mimeType"]) if "inlineData" in part else ("text", part["text"])
             for part in request["contents"][-1]["parts"]]
    media = {"image_url": "image/png", "audio_url": "audio/wav", "video_url": "video/mp4"}
    assert ("text", words) in kinds, kinds
    assert {value for kind, value in kinds if kind == "inline"} == {media[part] for part in parts - {"text"}}
    assert len(kinds) == 1 + (2 if "image_urls" in fields else len(parts) - 1)
    assert request["generationConfig"]["maxOutputTokens"] == 50 and request["generationConfig"]["temperature"] == 0.5
    assert "messages" in fields or request["systemInstruction"]["parts"] == [{"text": "Be a fox."}]


def run_in_mode(client, body, sync, streams):
    """The task's id, after the answer came whole."""
    if not sync:
        return client.generate(body)["id"]
    if not streams:
        return client.complete(body, GENERATIONS)[1]
    with client.stream("POST", GENERATIONS, body) as stream:
        assert stream.events()[-1].data == "[DONE]"
        return stream.headers["X-Task-Id"]


def test_sound_without_words_is_asked_to_be_transcribed(stage):
    service = stage.services["gemini"]
    with stage.client() as client:
        client.settled(client.generate({"model": "gemini-model", "audio_url": WAV, "max_tokens": 77})["id"])
    parts = next(call for call in service.calls if call.body.get("generationConfig", {}).get("maxOutputTokens") == 77
                 ).body["contents"][-1]["parts"]
    assert any("ranscri" in part.get("text", "") for part in parts), parts


# -- what is in an answer

def test_reasoning_is_in_the_chunks_and_not_in_the_results(stage, dialect):
    usage = Usage(30, 12, 0, 5)
    words = stage.services[dialect].when(f"reasoning {dialect}",
                                         Say(("It ", "runs."), reasoning=("Hm. ", "So."), usage=usage))
    with stage.client() as client:
        body = {"model": f"{dialect}-model", "stream": True, "reasoning": True, **said(words)}
        task = client.generate(body)
        with client.follow(task) as stream:
            *chunks, _ = stream.events()
        assert (reasoning_of(chunks), content_of(chunks)) == ("Hm. So.", "It runs.")
        final = check_task(client, task["id"], "It runs.", usage)
        assert "Hm." not in str(final["results"])


def test_reasoning_is_not_in_the_results_when_our_own_reader_would_refuse_the_reply(stage):
    """It has an escaped NUL in it, which goes to clients as it came."""
    words = stage.services["openai"].when("with a NUL in it", Say(("It \0", "runs."), reasoning=("Hm. ",)))
    with stage.client() as client:
        task = client.generate({"model": "openai-model", "reasoning": True, **said(words)})
        client.settled(task["id"])
        said_in_the_end = str(client.task(task["id"])["results"])
        assert "runs." in said_in_the_end and "Hm." not in said_in_the_end


def test_calls_of_tools_come_whole_and_in_pieces(stage, dialect):
    tools = (Tool("weather", ('{"city":', ' "Köln"}')), Tool("time", ('{"zone": "CET"}',), "call_2"))
    words = stage.services[dialect].when(f"tools {dialect}", Say((), tools=tools))
    described = [{"type": "function", "function": {"name": name, "description": "It tells.", "parameters": {
        "type": "object", "properties": {"city": {"type": "string"}}}}} for name in ("weather", "time")]
    with stage.client() as client:
        body = {"model": f"{dialect}-model", "tools": described, **said(words)}
        whole, _ = client.complete(body)
        choice = whole["choices"][0]
        assert choice["finish_reason"] == "tool_calls"
        assert calls_of(choice["message"]["tool_calls"]) == [("weather", {"city": "Köln"}), ("time", {"zone": "CET"})]
        with client.stream("POST", COMPLETIONS, {**body, "stream": True}) as stream:
            chunks = [event.json() for event in stream.events()[:-1]]
        merged = merge_calls(chunks)
        assert calls_of(merged) == calls_of(choice["message"]["tool_calls"])
        assert len({one["id"] for one in merged}) == 2 and all(one["id"] for one in merged)
        assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"
        # The answer goes back with what the tools said.
        again = {**body,
                 "messages": body["messages"] + [{"role": "assistant", "content": None, "tool_calls": merged}] + [
            {"role": "tool", "tool_call_id": one["id"], "content": "sunny"} for one in merged]}
        stage.services[dialect].when("sunny", Say(PIECES))
        assert client.complete(again)[0]["choices"][0]["message"]["content"] == TEXT


def calls_of(calls):
    return [(one["function"]["name"], json.loads(one["function"]["arguments"])) for one in calls]


def merge_calls(chunks):
    calls = {}
    for chunk in chunks:
        for choice in chunk["choices"]:
            for delta in choice["delta"].get("tool_calls") or ():
                call = calls.setdefault(delta["index"], {"id": "", "type": "function",
                                                         "function": {"name": "", "arguments": ""}})
                call["id"] += delta.get("id") or ""
                call["function"]["name"] += delta["function"].get("name") or ""
                call["function"]["arguments"] += delta["function"].get("arguments") or ""
    return [calls[index] for index in sorted(calls)]


def test_the_reason_for_the_end_is_handed_on(stage, dialect):
    words = stage.services[dialect].when(f"cut short {dialect}", Say(PIECES, finish="length"))
    with stage.client() as client:
        completion, task_id = client.complete({"model": f"{dialect}-model", **said(words)})
        assert completion["choices"][0]["finish_reason"] == "length"
        check_task(client, task_id, finish="length")


@pytest.mark.parametrize("asked", [True, False])
def test_usage_is_in_a_last_chunk_for_those_who_ask(stage, dialect, asked):
    usage = Usage(30, 12, 20)
    usage.cached = 0 if dialect == "ollama" else usage.cached
    words = stage.services[dialect].when(f"usage {dialect} {asked}", Say(PIECES, usage=usage))
    with stage.client() as client:
        more = {"stream_options": {"include_usage": True}} if asked else {}
        with client.stream("POST", COMPLETIONS,
                           {"model": f"{dialect}-model", "stream": True, **more, **said(words)}) as stream:
            chunks = [event.json() for event in stream.events()[:-1]]
        told = [chunk for chunk in chunks if not chunk["choices"]]
        assert len(told) == (1 if asked else 0)
        if asked:
            assert told == chunks[-1:]
            assert (told[0]["usage"]["prompt_tokens"], told[0]["usage"]["completion_tokens"]) == (30, 12)
            assert (told[0]["usage"].get("prompt_tokens_details") or {}).get("cached_tokens", 0) == usage.cached
        check_task(client, stream.headers["X-Task-Id"], usage=usage)


def test_several_choices(stage):
    words = stage.services["openai"].when("several choices", Say(PIECES))
    with stage.client() as client:
        body = {"model": "openai-model", "n": 3, **said(words)}
        assert [one["message"]["content"] for one in client.complete(body)[0]["choices"]] == [TEXT] * 3
        task = client.generate({**body, "stream": True}, TWIN)
        choices = client.settled(task["id"])["results"][0]["choices"]
        assert [(one["index"], one["message"]["content"]) for one in choices] == [(0, TEXT), (1, TEXT), (2, TEXT)]


def test_parameters_of_openai_pass_through(stage):
    words = stage.services["openai"].when("pass through", Say(PIECES))
    more = {"top_p": 0.9, "seed": 7, "stop": ["END"], "presence_penalty": 0.5,
            "response_format": {"type": "json_object"}, "logit_bias": {"50256": -100}, "user": "someone",
            "max_completion_tokens": 40}
    with stage.client() as client:
        client.complete({"model": "openai-model", **more, **said(words)})
        client.settled(client.generate({"model": "openai-model", **more, **said(words)})["id"])
    for call in stage.services["openai"].calls_with(words):
        assert {name: call.body[name] for name in more} == more and call.body["model"] == "fake-model"
        assert not {"sync", "reasoning", "stream_options"} & set(call.body)


def test_a_call_is_a_task_like_any_other(stage):
    words = stage.services["openai"].when("like any other", Say(PIECES))
    with stage.client() as client:
        _, task_id = client.complete({"model": "openai-model", **said(words)})
        client.settled(task_id)
        assert client.tasks() == [task_id]
        timeline = [event["kind"] for event in stage.server.shown(task_id)["events"]]
        assert timeline[0] == "accepted" and timeline[-1] == "completed", timeline


# -- files of ours

@pytest.mark.parametrize("sync", [False, True])
def test_a_file_of_ours_is_read_here(stage, sync):
    """Nobody is asked for it: neither could the service reach us, nor may we fetch from a private address."""
    words = stage.services["gemini"].when(f"a file of ours {sync}", Say(PIECES))
    with stage.client() as client:
        file = client.post("/v1/files/upload/base64", {"file_data": PNG}).json()
        body = {"model": "gemini-model", "prompt": words, "image_urls": [file["url"], PNG], "sync": sync}
        check_task(client, run_in_mode(client, body, sync, False))
        part, other = [part["inlineData"] for part in asked_of(stage.services["gemini"], words).body["contents"][-1]["parts"]
                       if "inlineData" in part]
        assert part == other and part["mimeType"] == "image/png"
        client.request("DELETE", f"/v1/files/{file['id']}")
        status, error = client.refused(body, path=GENERATIONS)
        assert (status, error["code"], error["param"]) == (422, "invalid_url", "image_urls[0]"), error
        message = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": file["url"]}}]}
        status, error = client.refused({"model": "gemini-model", "messages": [message]}, path=GENERATIONS)
        assert (status, error["param"]) == (422, "messages[0].content[0].image_url.url"), error


@pytest.mark.parametrize("dialect", ["openai"], indirect=True)
def test_an_answered_call_has_its_events_at_once(stage, dialect):
    """Though it is written a moment after it is answered."""
    words = stage.services[dialect].when("has its events", Say())
    with stage.client() as client:
        for _ in range(20):
            _, task_id = client.complete({"model": f"{dialect}-model", **said(words)})
            with client.stream("GET", f"/v1/tasks/{task_id}/events") as stream:
                assert stream.head().status == 200 and "completed" in str([event.data for event in stream.events()])


@pytest.mark.parametrize("dialect", ["openai"], indirect=True)
def test_answered_calls_are_in_the_lists_at_once(stage, dialect):
    """Each in its place, which the next page goes on from; others' calls are in no way."""
    words = stage.services[dialect].when("listed at once", Say(PIECES))
    ask = {"model": f"{dialect}-model", "max_tokens": 20, **said(words)}
    with stage.client() as client, stage.client() as other:
        made = []
        for _ in range(20):
            other.complete(ask)
            made.insert(0, client.complete(ask)[1])
            listed = client.get("/v1/tasks?type=llm&status=completed&limit=100").json()["data"]
            assert [task["id"] for task in listed] == made
            made.insert(0, client.complete(ask)[1])
            page = client.get(f"/v1/tasks?limit=100&after={made[0]}").json()["data"]
            assert [task["id"] for task in page] == made[1:]
