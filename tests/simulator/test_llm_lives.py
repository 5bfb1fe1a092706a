"""Streams that outlive things: long silences, their retention, and the lives of the server."""
import itertools

import pytest
from services.chat import Say
from services.openai_chat import OpenAiService

from house import eventually
from llm import COMPLETIONS, PIECES, TEXT, Held, begin, content_of, model, read_until, route, said


@pytest.fixture
def own(make_stage):
    """A started stage with the openai model alone, and settings of its own."""
    def make(settings="", speed=1, **options):
        models = model("openai-model", route("openai"), more="timeout = 86400")
        stage = make_stage({"openai": OpenAiService()}, models, settings, speed=speed, **options)
        stage.server.start()
        return stage

    return make


def test_a_silent_stream_is_kept_alive_by_comments(own):
    stage = own("llm = { duration = 86400 }", speed=60)
    held = Held(stage.services["openai"], "kept alive", 2)
    with stage.client() as client:
        task = begin(client, held.words)
        with client.follow(task) as stream:
            held.upto(1)
            chunks = read_until(stream, PIECES[0])
            for _ in range(3):
                assert stream.comment().startswith(":")
            held.all()
            assert content_of(chunks + stream.events()[:-1]) == "".join(PIECES[:2])
        client.settled(task["id"])


def test_the_stream_of_a_waiting_call_is_kept_alive_too(own):
    stage = own("llm = { duration = 86400 }", speed=60)
    held = Held(stage.services["openai"], "first chunk", 1)
    with stage.client() as client:
        with client.stream("POST", COMPLETIONS,
                           {"model": "openai-model", "stream": True, **said(held.words)}) as stream:
            first = stream.event()  # has the role alone
            assert content_of([first]) == ""
            stream.comment()
            held.all()
            assert content_of(stream.events()[:-1]) == PIECES[0]


def test_chunks_are_kept_for_a_quarter_of_an_hour(own):
    stage = own()
    words = stage.services["openai"].when("quarter of an hour", Say(PIECES))
    with stage.client() as client:
        task = begin(client, words)
        client.settled(task["id"])
        stage.server.go_ahead(600)
        with client.follow(task) as stream:
            assert content_of(stream.events()[:-1]) == TEXT
        stage.server.go_ahead(1000)
        assert_expired(client, task)


@pytest.mark.parametrize("seconds", [1, 3600])
def test_how_long_chunks_are_kept_is_a_setting(own, seconds):
    stage = own(f"llm = {{ retention = {seconds} }}")
    words = stage.services["openai"].when("a setting", Say(PIECES))
    with stage.client() as client:
        task = begin(client, words)
        client.settled(task["id"])
        if seconds > 1:
            stage.server.go_ahead(1800)
            with client.follow(task) as stream:
                assert content_of(stream.events()[:-1]) == TEXT
        else:  # in the life that they were made in
            eventually(lambda: client.get(task["stream"]["url"]).status != 200)
            assert_expired(client, task)


def assert_expired(client, task):
    """The chunks alone."""
    answer = client.get(task["stream"]["url"])
    assert answer.status == 410 and answer.error()["code"] == "stream_expired", answer
    assert client.task(task["id"])["results"][0]["choices"][0]["message"]["content"] == TEXT


def test_a_stream_without_end_is_ended(own):
    stage = own("llm = { duration = 30 }", speed=20)
    words = stage.services["openai"].when("without end", Say(itertools.repeat("on and on ")))
    with stage.client() as client:
        task = begin(client, words)
        client.failed(task["id"], 120)
        call, = eventually(lambda: stage.services["openai"].calls_with(words))
        assert stage.services["openai"].journal.wait_over(call.entry).gone
        assert client.spent() == 0


def test_a_service_that_falls_silent_is_given_up(own):
    """One that a busy machine keeps from speaking is, too, perhaps before its third piece: then it is asked once more."""
    stage = own("llm = { idle = 2 }")
    words = stage.services["openai"].when("falls silent", Say(PIECES, stop_at=3, ending="silent"))
    with stage.client() as client:
        def heard():
            task = begin(client, words)
            with client.follow(task) as stream:
                *chunks, error = stream.events()
            assert "".join(PIECES[:3]).startswith(content_of(chunks)) and error.name == "error"
            assert client.failed(task["id"])["code"] in ("generation_timeout", "service_error", "service_unavailable")
            return content_of(chunks)
        eventually(lambda: heard() == "".join(PIECES[:3]))


# -- lives

def test_a_finished_stream_outlives_its_server(own):
    stage = own()
    words = stage.services["openai"].when("outlives", Say(PIECES))
    with stage.client() as client:
        task = begin(client, words)
        with client.follow(task) as stream:
            before = [(event.name, event.id, event.data) for event in stream.events()]
        client.settled(task["id"])
        for end in (stage.server.kill, stage.server.stop):
            end()
            stage.server.start()
            with client.follow(task) as stream:
                assert [(event.name, event.id, event.data) for event in stream.events()] == before
            with client.follow(task, 5) as stream:
                assert [(event.name, event.id, event.data) for event in stream.events()] == before[5:]
        assert client.settled(task["id"])["results"][0]["choices"][0]["message"]["content"] == TEXT


def test_an_interrupted_stream_ends_in_an_error_and_costs_nothing(own):
    stage = own()
    held = Held(stage.services["openai"], "interrupted")
    with stage.client() as client:
        task = begin(client, held.words)
        with client.follow(task) as stream:
            held.upto(5)
            chunks = read_until(stream, PIECES[4])
            stage.server.kill()
            assert stream.events() == [] and stream.whole is False
        stage.server.start()
        with client.follow(task, len(chunks)) as stream:
            *_, error = stream.events()
        assert error.name == "error" and error.json()["message"] and stream.whole
        error = client.failed(task["id"])
        assert client.spent() == 0
        assert len(stage.services["openai"].calls_with(held.words)) == 1, "it was sent again (T3)"


def test_a_server_that_stops_ends_its_streams(own):
    stage = own("drain = 1")
    held = Held(stage.services["openai"], "that stops")
    with stage.client() as client:
        task = begin(client, held.words)
        with client.follow(task) as stream:
            held.upto(5)
            read_until(stream, PIECES[4])
            assert stage.server.stop() == 0
            stream.events()
        stage.server.start()
        client.failed(task["id"])
        assert client.spent() == 0


def test_a_waiting_call_that_a_crash_cut_off_is_forgotten_and_costs_nothing(own):
    stage = own()
    held = Held(stage.services["openai"], "cut off by a crash")
    with stage.client() as client:
        stream = client.stream("POST", COMPLETIONS, {"model": "openai-model", "stream": True, **said(held.words)})
        held.upto(2)
        task_id = stream.head().headers["X-Task-Id"]
        while PIECES[1] not in stream.event().data:
            pass
        stage.server.kill()
        stream.events()
        assert stream.whole is False
        stream.close()
        stage.server.start()
        assert client.get(f"/v1/tasks/{task_id}").status == 404
        assert client.spent() == 0 and client.tasks() == []
        assert len(stage.services["openai"].calls_with(held.words)) == 1, "it was sent again (T3)"
