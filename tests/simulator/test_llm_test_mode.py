"""Language models in test mode: the same shapes, at a real pace, with magic words; and no service is asked."""
import datetime

import pytest
from services.openai_chat import OpenAiService

import llm
from house import Server
from llm import COMPLETIONS, GENERATIONS, PNG, content_of, model, reasoning_of, route, said


@pytest.fixture(scope="module")
def lasting_stage(tmp_path_factory):
    """One whose test mode is quick."""
    stage = llm.Stage(Server(tmp_path_factory.mktemp("llm"), ""), {"openai": OpenAiService()},
                      model("openai-model", route("openai")), "simulator = { seconds = 0.1 }")
    stage.server.start()
    yield stage
    stage.server.close()
    assert stage.services["openai"].journal.entries == [], "a service was asked"
    stage.close()


@pytest.fixture
def tester(stage):
    with stage.client(credits=None, test=True) as tester:
        yield tester


def ask(words, **more):
    return {"model": "openai-model", **said(words), **more}


def test_a_stream_to_follow(tester):
    task = tester.generate(ask("How is the fox? fennec:tokens=40", stream=True))
    with tester.follow(task) as stream:
        *chunks, done = stream.events()
    assert len(chunks) >= 40 and done.json() == {"total_chunks": len(chunks)}
    final = tester.settled(task["id"])
    assert final["results"][0]["choices"][0]["message"]["content"] == content_of(chunks)
    assert final["results"][0]["usage"]["completion_tokens"] == 40
    with tester.follow(task, 30) as stream:
        assert [event.data for event in stream.events()[:-1]] == [event.data for event in chunks[30:]]


def test_a_stream_for_the_caller(tester):
    with tester.stream("POST", COMPLETIONS, ask("How?", stream=True, stream_options={"include_usage": True})) as stream:
        *chunks, usage, done = stream.events()
    assert content_of(chunks) and done.data == "[DONE]" and usage.json()["usage"]["completion_tokens"] > 0
    assert chunks[-1].json()["choices"][0]["finish_reason"] == "stop"


def test_a_whole_answer_and_a_task(tester):
    completion, task_id = tester.complete(ask("How is the fox?"))
    assert completion["choices"][0]["message"]["content"]
    assert tester.settled(task_id)["results"] == [completion]
    task = tester.settled(tester.generate({"model": "openai-model", "prompt": "How?", "image_urls": [PNG]})["id"])
    assert task["results"][0]["choices"][0]["message"]["content"] and task["usage"]["credits_charged"] > 0


def test_limits_are_kept(tester):
    completion, _ = tester.complete(ask("fennec:tokens=50", max_tokens=5, n=2))
    assert [one["finish_reason"] for one in completion["choices"]] == ["length", "length"]
    assert completion["usage"]["completion_tokens"] == 10


def test_it_thinks_aloud_and_calls_tools(tester):
    task = tester.generate(ask("fennec:reasoning", stream=True))
    with tester.follow(task) as stream:
        chunks = stream.events()[:-1]
    assert reasoning_of(chunks) and content_of(chunks)
    message = tester.settled(task["id"])["results"][0]["choices"][0]["message"]
    assert message["content"] == content_of(chunks) and "reasoning_content" not in message
    choice = tester.complete(ask("fennec:tool=weather"))[0]["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["tool_calls"][0]["function"] == {"name": "weather", "arguments": "{}"}


def test_errors_at_once_and_in_the_middle(tester):
    for path, more in ((COMPLETIONS, {}), (COMPLETIONS, {"stream": True}), (GENERATIONS, {"sync": True})):
        status, error = tester.refused(ask("fennec:error=content_policy_violation", **more), path)
        assert (status, error["code"]) == (400, "content_policy_violation"), error
    assert tester.failed(tester.generate(ask("fennec:error=quota_exceeded"))["id"])["code"] == "quota_exceeded"
    with tester.stream("POST", COMPLETIONS, ask("fennec:break fennec:tokens=30", stream=True)) as stream:
        *chunks, error = stream.events()
    assert content_of(chunks) and error.json()["error"]["message"] and stream.whole
    task = tester.generate(ask("fennec:break fennec:tokens=30", stream=True))
    with tester.follow(task) as stream:
        *chunks, error = stream.events()
    assert content_of(chunks) and error.name == "error"
    assert tester.failed(task["id"])["message"] == error.json()["message"]


def test_a_second_attempt_makes_it_good(tester):
    assert tester.settled(tester.generate(ask("fennec:flaky"))["id"])["status"] == "completed"


def test_its_pace(make_stage):
    """At two tokens a second of the server's time, forty take twenty of its seconds."""
    stage = make_stage({"openai": OpenAiService()}, model("openai-model", route("openai")), speed=20)
    stage.server.start()
    with stage.client(credits=None, test=True) as tester:
        task = tester.generate(ask("fennec:rate=2 fennec:tokens=40", stream=True))
        with tester.follow(task) as stream:
            *_, done = stream.events()
        assert done.name == "done"
        events = stage.server.shown(task["id"])["events"]
        begun, ended = (datetime.datetime.fromisoformat(event["at"].replace("Z", "+00:00"))
                        for event in (events[0], events[-1]))
        assert (ended - begun).total_seconds() >= 19, events


def test_its_words_come_before_its_end(tester):
    task = tester.generate(ask("fennec:never", stream=True))
    with tester.follow(task) as stream:
        assert content_of([stream.event()]) and tester.status(task["id"]) == "processing"
        assert tester.post(f"/v1/tasks/{task['id']}/cancel", {}).status == 200
        *_, error = stream.events()
    assert (error.name, error.json()["code"]) == ("error", "request_cancelled")
