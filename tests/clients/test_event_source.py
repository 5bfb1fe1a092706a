"""The standard's EventSource on the stream of a task: connections that break cost nothing but time."""
import threading

import pytest
from services.chat import Say

from llm import GENERATIONS, content_of, said

PIECES = tuple(f"piece {number} 🦊, " for number in range(20))
TEXT = "".join(PIECES)


@pytest.fixture
def client(stage):
    with stage.client() as client:
        yield client


def begin(client, words):
    return client.generate({"model": "openai-model", "stream": True, **said(words)})


def read(stage, event_source, client, path, **options):
    return event_source.value(f"http://{stage.server.address}", "read", client.key, path=path, **options)


def data_of(said_):
    return [chunk["data"] for chunk in said_["chunks"]]


def test_it_reads_a_stream_to_its_end(stage, event_source, client):
    task = begin(client, stage.services["openai"].when("to its end", Say(PIECES)))
    said_ = read(stage, event_source, client, task["stream"]["url"])
    assert content_of(data_of(said_)) == TEXT and said_["done"] == {"total_chunks": len(said_["chunks"])}
    assert [one["type"].split(";")[0] for one in said_["requests"]] == ["text/event-stream"]


@pytest.mark.parametrize("breaks", [[1], [3, 0, 5], [0, 0, 0]], ids=str)
def test_it_goes_on_after_its_connections_broke(stage, event_source, client, breaks):
    gates = {10: threading.Event()}
    words = stage.services["openai"].when(f"broke {breaks}", Say(PIECES, holds=gates))
    task = begin(client, words)
    begun = event_source.begin(f"http://{stage.server.address}", "read", client.key, path=task["stream"]["url"],
                               breaks=breaks)
    begun.event()
    gates[10].set()
    said_ = begun.end()["value"]
    assert content_of(data_of(said_)) == TEXT, "something was lost or repeated"
    assert said_["done"] == {"total_chunks": len(said_["chunks"])}
    assert len(said_["requests"]) == len(breaks) + 1
    ids = [chunk["id"] for chunk in said_["chunks"]]
    assert len(set(ids)) == len(ids) and [int(one) for one in ids] == sorted(int(one) for one in ids)
    seen = 0
    for count, request in zip(breaks, said_["requests"][1:]):
        seen += count
        assert request["lastEventId"] == (ids[seen - 1] if seen else None)


def test_it_goes_on_after_the_end_too(stage, event_source, client):
    task = begin(client, stage.services["openai"].when("after the end", Say(PIECES)))
    client.settled(task["id"])
    said_ = read(stage, event_source, client, task["stream"]["url"], breaks=[7])
    assert content_of(data_of(said_)) == TEXT and len(said_["requests"]) == 2


def test_the_twin_of_the_stream(stage, event_source, client):
    task = begin(client, stage.services["openai"].when("twin", Say(PIECES)))
    said_ = read(stage, event_source, client, f"/v1/llm_async/stream/{task['id']}", breaks=[2])
    assert content_of(data_of(said_)) == TEXT


def test_it_is_told_of_a_failure(stage, event_source, client):
    task = begin(client,
                 stage.services["openai"].when("a failure", Say(PIECES, stop_at=4, ending="error", error="It broke.")))
    said_ = read(stage, event_source, client, task["stream"]["url"], breaks=[2])
    assert content_of(data_of(said_)) == "".join(PIECES[:4]) and said_["error"]["message"].startswith("The service")


def test_it_gives_up_at_a_stream_that_is_not_there(stage, event_source, client):
    assert read(stage, event_source, client, f"{GENERATIONS}/task-llm-1700000000-abcdefgh/stream")["refused"] == 404
