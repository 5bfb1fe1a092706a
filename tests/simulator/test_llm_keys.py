"""Idempotency keys at language models: one call of the service and one charge, whoever leaves, joins or comes again."""
import json

import pytest
from services.chat import Say, Usage
from services.openai_chat import OpenAiService

from house import eventually
from llm import COMPLETIONS, GENERATIONS, PIECES, TEXT, Held, content_of, model, price_of, read_until, route, said

MODELS = model("openai-model", route("openai"))


@pytest.fixture
def own(make_stage):
    def make(settings=""):
        stage = make_stage({"openai": OpenAiService()}, MODELS, settings)
        stage.server.start()
        return stage
    return make


@pytest.fixture
def stage(own):
    return own('groups = { narrow = { streams = 1 } }')


def call(client, words, key, stream=True, path=COMPLETIONS, **more):
    return client.stream("POST", path, {"model": "openai-model", "stream": stream, **said(words), **more},
                         {"Idempotency-Key": key})


def task_of(stream):
    return stream.head().headers["X-Task-Id"]


def replayed(stream):
    return stream.head().headers.get("Idempotent-Replayed") == "true"


def text_of(stream):
    """What a stream says, which must be whole; one that is stored comes in one piece."""
    if "Content-Length" in stream.head().headers:
        *chunks, done = [line[6:] for line in stream.body().decode().split("\n\n")[:-1]]
        assert done == "[DONE]", done
        return content_of([json.loads(chunk) for chunk in chunks])
    *chunks, done = stream.events()
    assert stream.whole and done.data == "[DONE]", done
    return content_of(chunks)


def test_a_call_whose_client_leaves_goes_on_and_is_paid_once(stage):
    held = Held(stage.services["openai"], "leaves early", usage=Usage())
    with stage.client() as client:
        with call(client, held.words, "one") as first:
            task = task_of(first)
            held.upto(3)
            read_until(first, PIECES[2])
        with call(client, held.words, "one") as again:  # while it runs, after the first has gone
            held.all()
            assert replayed(again) and task_of(again) == task and text_of(again) == TEXT
        client.settled(task)
        with call(client, held.words, "one") as later:
            assert replayed(later) and task_of(later) == task and text_of(later) == TEXT
        assert client.tasks() == [task]
        assert len(stage.services["openai"].calls_with(held.words)) == 1
        assert client.charged(task) == client.spent() == price_of(Usage())


def test_a_stream_is_joined_in_the_middle_from_its_beginning(stage):
    held = Held(stage.services["openai"], "joined midway")
    with stage.client() as client, call(client, held.words, "one") as first:
        held.upto(10)
        begun = read_until(first, PIECES[9])
        with call(client, held.words, "one") as second, call(client, held.words, "one") as third:
            assert replayed(second) and replayed(third) and not replayed(first)
            caught_up = read_until(second, PIECES[9])
            assert [event.data for event in caught_up] == [event.data for event in begun]
            third.close()
            held.all()
            assert content_of(caught_up) + text_of(second) == TEXT == content_of(begun) + text_of(first)
        assert client.tasks() == [task_of(first)]
        assert len(stage.services["openai"].calls_with(held.words)) == 1


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("trouble", [
    Say(stop_at=0, ending="error"), Say(PIECES, stop_at=5, ending="error"), Say(PIECES, stop_at=5)],
    ids=["at once", "midway", "cut"])
def test_after_a_failure_the_key_is_free(stage, trouble, stream):
    if not stream and trouble.ending == "error":
        trouble = Say(stop_at=0, ending="error")
    service = stage.services["openai"]
    words = service.when(f"fails first {stream} {trouble.stop_at} {trouble.ending}", *[trouble] * 10)
    with stage.client() as client:
        with call(client, words, "one", stream) as first:
            if first.head().status == 200 and stream:
                assert "error" in first.events()[-1].json()
            else:
                assert first.error()
        service.when(words, Say(PIECES))
        with call(client, words, "one", stream) as second:
            assert second.head().status == 200 and not replayed(second)
            if stream:
                assert text_of(second) == TEXT
            else:
                assert json.loads(second.body())["choices"][0]["message"]["content"] == TEXT
            assert task_of(second) != first.headers.get("X-Task-Id")
        with call(client, words, "one", stream) as third:
            assert replayed(third) and task_of(third) == task_of(second)


def test_a_call_without_a_place_leaves_its_key_free(stage):
    held = Held(stage.services["openai"], "takes the place", 1)
    words = stage.services["openai"].when("finds none", Say(PIECES))
    with stage.client(group="narrow") as client:
        with call(client, held.words, "busy") as busy:
            assert busy.head().status == 200  # its first chunk has the role alone
            with call(client, words, "one") as refused:
                assert refused.head().status == 429 and refused.headers["Retry-After"]
            held.all()
            busy.events()
        client.settled(task_of(busy))
        with call(client, words, "one", max_tokens=100) as again:  # something else: nothing was left of the first
            assert not replayed(again) and text_of(again) == TEXT
        assert len(client.tasks()) == 2


@pytest.mark.parametrize("path", [COMPLETIONS, GENERATIONS])
def test_an_overloaded_server_leaves_the_key_free(own, path):
    stage = own("limits = { open_tasks = 1 }")
    held = Held(stage.services["openai"], "takes all room", 1)
    words = stage.services["openai"].when("finds no room", Say(PIECES))
    with stage.client() as client:
        task = client.generate({"model": "openai-model", **said(held.words)})["id"]
        with call(client, words, "one", path=path) as refused:
            assert refused.head().status == 503 and refused.headers["Retry-After"]
        held.all()
        client.settled(task)

        def again():
            with call(client, words, "one", path=path, max_tokens=100) as stream:
                return (stream.head().status == 200) and (replayed(stream), stream.whole)
        assert eventually(again)[0] is False
        eventually(lambda: len(client.tasks()) == 2)


def test_after_a_day_the_key_is_free(stage):
    words = stage.services["openai"].when("a day later", Say(PIECES))
    body = {"model": "openai-model", **said(words)}

    def ask(client):
        with client.stream("POST", GENERATIONS, body, {"Idempotency-Key": "one"}) as stream:
            return replayed(stream), json.loads(stream.body())["id"]

    with stage.client() as client:
        fresh, task = ask(client)
        assert not fresh and ask(client) == (True, task)
        client.settled(task)
        stage.server.go_ahead(23 * 3600)
        assert ask(client) == (True, task)
        stage.server.go_ahead(25 * 3600)
        replay, another = ask(client)
        assert not replay and another != task and ask(client) == (True, another)
        client.settled(another)
        assert client.task(task)["status"] == "completed"  # the key alone has ended
