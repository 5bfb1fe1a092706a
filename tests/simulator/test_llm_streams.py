"""Streams of tasks, read while they come into being: from any chunk on, by any number of readers, each at its pace."""
import threading

import pytest
from services.chat import Say

from house import Threads, eventually
from llm import GENERATIONS, PIECES, TEXT, Held, LlmClient, begin, content_of, read_until, said


def numbers_of(chunks):
    return [int(event.id) for event in chunks]


def test_chunks_arrive_as_they_are_written(stage):
    held = Held(stage.services["openai"], "as they are written")
    with stage.client() as client:
        task = begin(client, held.words)
        with client.follow(task) as stream:
            chunks = []
            for count in range(1, len(PIECES) + 1):
                held.upto(count)
                chunks += read_until(stream, PIECES[count - 1])
                assert client.status(task["id"]) == "processing"
            held.all()
            *rest, done = stream.events()
        chunks += rest
        assert numbers_of(chunks) == list(range(1, len(chunks) + 1))
        assert content_of(chunks) == TEXT and done.json() == {"total_chunks": len(chunks)}
        assert client.settled(task["id"])["results"][0]["choices"][0]["message"]["content"] == TEXT


def test_a_stream_can_be_read_before_during_and_after_from_any_chunk(stage):
    held = Held(stage.services["openai"], "from any chunk")
    with stage.client() as client:
        task = begin(client, held.words)
        early = client.follow(task)
        assert early.head().status == 200
        held.upto(10)
        first = read_until(early, PIECES[9])
        with client.follow(task, len(first) - 3) as middle:
            again = [middle.event() for _ in range(3)]
            held.all()
            *rest, done = middle.events()
        assert [event.data for event in again] == [event.data for event in first[-3:]]
        assert numbers_of(again) == numbers_of(first[-3:])
        chunks = first + rest
        assert content_of(chunks) == TEXT
        *late, _ = early.events()
        assert [event.data for event in late] == [event.data for event in rest]
        early.close()
        client.settled(task["id"])
        total = done.json()["total_chunks"]
        assert total == len(chunks)
        for offset in (0, 1, total - 1, total):
            with client.follow(task, offset) as after:
                *tail, end = after.events()
            assert [event.data for event in tail] == [event.data for event in chunks[offset:]]
            assert (end.name, end.json()) == ("done", {"total_chunks": total}) and after.whole


def test_the_number_of_the_last_event_resumes_as_an_offset_does(stage):
    words = stage.services["openai"].when("last event id", Say(PIECES))
    with stage.client() as client:
        task = begin(client, words)
        with client.follow(task) as stream:
            *chunks, _ = stream.events()
        for seen in (0, 4, len(chunks) - 2, len(chunks) - 1):
            with client.follow(task, headers={"Last-Event-ID": chunks[seen].id}) as stream:
                *rest, done = stream.events()
            assert [event.data for event in rest] == [event.data for event in chunks[seen + 1:]]
            assert done.json() == {"total_chunks": len(chunks)}


def test_the_last_event_goes_before_the_offset_that_a_reader_began_with(stage):
    words = stage.services["openai"].when("before the offset", Say(PIECES))
    with stage.client() as client:
        task = begin(client, words)
        with client.follow(task) as stream:
            chunks = stream.events()
        with client.follow(task, offset=2, headers={"Last-Event-ID": chunks[8].id}) as stream:
            assert [event.data for event in stream.events()] == [event.data for event in chunks[9:]]


def test_a_reader_that_keeps_dropping_loses_and_repeats_nothing(stage):
    held = Held(stage.services["openai"], "keeps dropping")
    with stage.client() as client:
        task = begin(client, held.words)
        chunks, last = [], None
        for count in range(1, len(PIECES) + 1):
            held.upto(count)
            with client.follow(task, headers={"Last-Event-ID": last} if last else None) as stream:
                chunks += read_until(stream, PIECES[count - 1])
            last = chunks[-1].id
        held.all()
        with client.follow(task, len(chunks)) as stream:
            *rest, done = stream.events()
        chunks += rest
        assert content_of(chunks) == TEXT and done.json() == {"total_chunks": len(chunks)}
        assert len(set(numbers_of(chunks))) == len(chunks)


def test_many_readers_see_the_same(stage):
    held = Held(stage.services["openai"], "many readers")
    with stage.client() as client:
        task = begin(client, held.words)
        seen = []

        def read(reader, _):
            with reader.follow(task) as stream:
                seen.append([event.data for event in stream.events()])

        readers = Threads(stage.server, client.key, 20, read, LlmClient)
        held.all()
        readers.join()
    assert len(seen) == 20 and len({tuple(one) for one in seen}) == 1 and len(seen[0]) > len(PIECES)


def test_a_reader_that_reads_nothing_holds_up_nobody(stage):
    """Neither other readers nor the task, with far more than sockets take."""
    piece = "x" * 4000
    words = stage.services["openai"].when("reads nothing", Say((piece,) * 1000))
    with stage.client() as client:
        task = begin(client, words)
        with client.stream("GET", task["stream"]["url"], receive_buffer=4096) as slow:
            assert slow.head().status == 200
            with client.follow(task) as fast:
                *chunks, done = fast.events()
            assert done.name == "done" and len(content_of(chunks)) == 4000 * 1000
            client.settled(task["id"])
            *late, done = slow.events()
            assert [event.data for event in late] == [event.data for event in chunks] and slow.whole


def test_a_stream_of_another_account_is_not_there(stage):
    words = stage.services["openai"].when("of another account", Say(PIECES))
    with stage.client() as client, stage.client() as stranger:
        task = begin(client, words)
        client.settled(task["id"])
        for path in (task["stream"]["url"], f"/v1/llm_async/stream/{task['id']}"):
            own, other = stranger.get(path), stranger.get(path.replace(task["id"], "task-llm-1700000000-abcdefgh"))
            assert (own.status, other.status) == (404, 404), (own, other)
            assert own.error() == other.error() or own.error()["code"] == other.error()["code"], (own, other)


def test_a_task_that_does_not_stream_has_no_stream(stage):
    words = stage.services["openai"].when("has no stream", Say(PIECES))
    with stage.client() as client:
        task = client.generate({"model": "openai-model", **said(words)})
        client.settled(task["id"])
        assert client.get(f"{GENERATIONS}/{task['id']}/stream").status == 404


@pytest.mark.parametrize("offset", ["-1", "x", "1.5", "99999999999999999999"])
def test_a_bad_offset_is_refused_by_name(stage, offset):
    words = stage.services["openai"].when(f"bad offset {offset}", Say(PIECES))
    with stage.client() as client:
        task = begin(client, words)
        answer = client.get(f"{task['stream']['url']}?offset={offset}")
        assert answer.status == 422 and answer.error()["param"] == "offset", answer


def test_a_stream_that_is_cancelled_before_its_first_word_costs_nothing(stage):
    words = stage.services["openai"].when("before its first word", Say(hold=threading.Event()))
    with stage.client() as client:
        task = begin(client, words)
        eventually(lambda: stage.services["openai"].calls_with(words))
        assert client.post(f"/v1/tasks/{task['id']}/cancel", {}).status == 200
        assert client.failed(task["id"])["code"] == "request_cancelled"
        assert client.spent() == 0


def test_a_very_long_answer_can_be_had(stage):
    piece = "a long answer " * 1000
    words = stage.services["openai"].when("very long answer", Say((piece,) * 1400))
    with stage.client() as client:
        task = begin(client, words)
        assert client.completed(task["id"])["results"][0]["choices"][0]["message"]["content"] == piece * 1400


def test_a_failure_in_the_middle_is_the_streams_last_event(stage):
    words = stage.services["openai"].when("in the middle of it",
                                          Say(PIECES, stop_at=5, ending="error", error="It broke."))
    with stage.client() as client:
        task = begin(client, words)
        with client.follow(task) as stream:
            *chunks, error = stream.events()
        assert content_of(chunks) == "".join(PIECES[:5])
        assert error.name == "error" and stream.whole
        assert client.failed(task["id"])["message"] == error.json()["message"]
        with client.follow(task, len(chunks)) as stream:
            assert [event.name for event in stream.events()] == ["error"]
        assert client.spent() == 0


def test_a_cancelled_stream_ends_with_an_error_and_costs_what_was_written(stage):
    """Else an answer could be read for nothing, by a cancel before its last word."""
    held = Held(stage.services["openai"], "cancelled stream")
    with stage.client() as client:
        task = begin(client, held.words)
        with client.follow(task) as stream:
            held.upto(3)
            chunks = read_until(stream, PIECES[2])
            cancelled = client.post(f"/v1/tasks/{task['id']}/cancel", {}).json()
            assert (cancelled["status"], cancelled["error"]["code"]) == ("failed", "request_cancelled")
            *_, error = stream.events()
        assert (error.name, error.json()["code"]) == ("error", "request_cancelled")
        with client.follow(task, len(chunks)) as stream:
            assert stream.events() == [error]
        usage = client.settled(task["id"])["usage"]
        assert 0 < usage["credits_charged"] < usage["credits_reserved"]
        assert client.charged(task["id"]) == client.spent()
        call, = stage.services["openai"].calls_with(held.words)
        assert stage.services["openai"].journal.wait_over(call.entry).gone, "the service was not cut off"


def test_huge_chunks_and_every_script_pass_unharmed(stage):
    pieces = ("🦊" * 50000, "\u2028 \\n \" \r\n\t ", "ß", "a" * 1000000)
    words = stage.services["openai"].when("huge chunks", Say(pieces, manner="split"))
    with stage.client() as client:
        task = begin(client, words)
        with client.follow(task) as stream:
            assert content_of(stream.events()[:-1]) == "".join(pieces)
        assert client.settled(task["id"])["results"][0]["choices"][0]["message"]["content"] == "".join(pieces)
