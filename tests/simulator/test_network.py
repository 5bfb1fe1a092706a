"""Services, receivers and clients on other hosts, and between them a network that loses what it carries, without a word."""
import contextlib
import os
import socket
import struct
import threading

import pytest
from services import chat, clock, fal, openai_chat, service
from services.files import BY_NAME
from services.network import Network
from services.receiver import Receiver

import llm
from callbacks import MODELS, of_task
from house import GATE, HELD_S, QUICK, VIDEO, eventually, file_model, saying_model
from llm import COMPLETIONS, PIECES, Held, content_of, model, price_of, read_until, route, said

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes hosts")

# A picture that is large because of what follows its end.
MADE = BY_NAME["png"][1] + bytes(400000)
MAKE = """#!/bin/sh
cat >/dev/null
cp "${0%/*}/picture.png" out.bin
echo 'result {"file":"out.bin"}'
"""
FILM = "seedance-2.0-text-to-video"
SPEED = 20  # of Fennec's time and the services', so that its two minutes of patience are six seconds


@pytest.fixture
def network():
    with contextlib.closing(Network()) as made:
        yield made


@pytest.fixture(autouse=True)
def home(network):
    """The host of Fennec and of the test itself."""
    member = network.host()
    with member.inside():
        yield member


@pytest.fixture
def away(network):
    """Makes something on a host of its own. Gives (it, its host)."""
    with contextlib.ExitStack() as made:
        def make(kind, *arguments, **options):
            host = network.host()
            with host.inside():
                there = kind(*arguments, host=host.address, **options)
            made.callback(getattr(there, "stop", None) or there.close)
            return there, host

        yield make


@pytest.fixture
def make_talk(make_stage, away):
    """Starts a Fennec whose services of language models are away. Gives (the stage, their hosts)."""
    def make(names, models, settings="", **options):
        places = {name: away(openai_chat.OpenAiService) for name in names}
        stage = make_stage({name: there for name, (there, _) in places.items()}, models, settings, **options)
        stage.server.start()
        return stage, *(host for _, host in places.values())

    return make


@pytest.fixture
def make_studio(make_server, away):
    """Starts a Fennec whose fal is away. Gives (fal, its host, the server)."""
    def make(script=None):
        there, host = away(fal.FalService, service.Script(script), clock.Clock(SPEED))
        server = make_server(f'drain = 0\n'
                             f'providers = {{ fal = {{ key = "fake-key", url = "{there.url}", allow_private = true }} }}')
        server.environment = there.clock.environment
        return there, host, server.start()

    return make


def completed(client, words):
    completion, task = client.complete({"model": "talker", **said(words)})
    assert completion["choices"][0]["message"]["content"] == "The fox is quick."
    return task


# -- the way to a service

def test_a_host_that_cannot_be_reached_was_sent_nothing(make_talk):
    """So another route makes it good (T4)."""
    stage, first, _ = make_talk(["openai", "openai-backup"],
                                model("talker", route("openai", priority=0) + route("openai-backup", priority=1)), speed=SPEED)
    first.lose()
    with stage.client() as client:
        task = completed(client, "by another way")
        assert client.charged(task) == price_of(chat.Usage())
    assert [one["provider"] for one in stage.server.shown(task)["attempts"]] == ["openai", "openai-backup"]
    assert stage.services["openai"].journal.entries == []


def test_a_task_waits_for_the_way_to_its_service(make_studio):
    there, host, server = make_studio()
    host.lose()
    with server.client(server.key("studio", credits=1000)) as client:
        task = client.submit(FILM, VIDEO, prompt="a fox")
        eventually(lambda: "unreachable" in server.log_text() or len(server.shown(task)["attempts"]) > 1)
        host.find()
        client.completed(task)
    assert there.journal.count("submit") == 1


@pytest.mark.parametrize("end", [None, "SIGKILL"])
def test_a_task_outlives_an_outage(make_studio, end):
    """Also when the server begins anew in it."""
    there, host, server = make_studio({"poll": ["running"]})
    with server.client(server.key("studio", credits=1000)) as client:
        task = client.submit(FILM, VIDEO, prompt="a fox")
        there.journal.wait("poll", 2)
        host.lose()
        there.script.go_on("poll", "completed")
        if end:
            server.kill()
            server.start()
        seen = there.journal.count("poll")
        host.find()
        client.completed(task)
        assert client.task(task)["usage"]["credits_charged"] == client.task(task)["usage"]["credits_reserved"]
    assert there.journal.count("submit") == 1 and there.journal.count("poll") > seen


def test_a_service_that_forgot_its_connections_in_an_outage_is_asked_anew(make_studio):
    """As after a fall of its power: what is sent on a kept connection is answered with a reset."""
    there, host, server = make_studio({"poll": ["running"]})
    with server.client(server.key("studio", credits=1000)) as client:
        task = client.submit(FILM, VIDEO, prompt="a fox")
        there.journal.wait("poll", 2)
        host.lose()
        for one in list(there.connections):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            one.shutdown(socket.SHUT_RDWR)
        eventually(lambda: not there.connections)
        there.script.go_on("poll", "completed")
        host.find()
        client.completed(task)
    assert there.journal.count("submit") == 1


def test_a_submission_whose_answer_is_lost_is_not_made_again(make_studio):
    """T3: it has made a job, and nobody can say so."""
    there, host, server = make_studio()
    there.moments.add("at", "submit", 1, lambda _: host.lose(to=False))
    with server.client(server.key("studio", credits=1000)) as client:
        task = client.submit(FILM, VIDEO, prompt="a fox")
        assert client.failed(task)["code"] == "submission_unknown"
        host.find()
    assert there.journal.count("submit") == 1


@pytest.mark.parametrize("streams, way", [(False, {}), (True, {"to": False})], ids=["whole", "stream, only the way back"])
def test_a_service_that_vanishes_while_it_thinks_is_not_waited_for(make_talk, streams, way):
    """An answer may take half an hour, but not that of a host that is no more."""
    gate = threading.Event()
    stage, host = make_talk(["openai"], model("talker", route("openai")), "llm = { idle = 86400, duration = 86400 }", speed=SPEED)
    there = stage.services["openai"]
    words = there.when("it vanishes", chat.Say(hold=gate))
    with stage.client() as client:
        task = client.generate({"model": "talker", "stream": streams, **said(words)})["id"]
        eventually(lambda: there.calls_with(words))
        host.lose(**way)
        assert client.failed(task)["code"] == "submission_unknown"
        host.find()
        assert client.spent() == 0
    gate.set()


def test_a_stream_outlives_a_short_outage(make_talk):
    stage, host = make_talk(["openai"], model("talker", route("openai")))
    there = stage.services["openai"]
    held = Held(there, "a short outage")
    with stage.client() as client:
        with client.stream("POST", COMPLETIONS, {"model": "talker", "stream": True, **said(held.words)}) as stream:
            held.upto(2)
            chunks = read_until(stream, PIECES[1])
            host.lose()
            held.all()
            there.journal.wait_over(there.calls_with(held.words)[0].entry)
            host.find()
            *more, done = stream.events()
        assert content_of(chunks + more) == llm.TEXT and done.data == "[DONE]"
        assert client.charged(stream.headers["X-Task-Id"]) == client.spent()


def test_a_stream_whose_service_vanishes_fails(make_talk):
    """Long before it has been silent for as long as it may."""
    stage, host = make_talk(["openai"], model("talker", route("openai")), "llm = { idle = 86400 }", speed=SPEED)
    held = Held(stage.services["openai"], "vanishes midway")
    with stage.client() as client:
        with client.stream("POST", COMPLETIONS, {"model": "talker", "stream": True, **said(held.words)}) as stream:
            held.upto(2)
            read_until(stream, PIECES[1])
            host.lose()
            *_, error = stream.events()
        assert error.json()["error"]["message"] and stream.whole
        assert client.failed(stream.headers["X-Task-Id"]) and client.spent() == 0
        host.find()
    held.all()


@pytest.fixture
def names(tmp_path):
    """Lets names lead somewhere in the server that is given, as /etc/hosts does."""
    def lead(server, **addresses):
        file = tmp_path / "hosts"
        file.write_text("".join(f"{address} {name}\n" for name, all_ in addresses.items() for address in all_))
        server.wrapper = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', str(file)]

    return lead


def test_the_sixth_version_may_lead_nowhere(make_stage, away, network, names):
    """A name has addresses of both, and to the first of them there is no way: the other is tried beside it."""
    there, host = away(openai_chat.OpenAiService)
    nowhere = network.host()
    nowhere.lose()
    there.url = f"http://model.example:{there.port}"
    stage = make_stage({"openai": there}, model("talker", route("openai")))
    names(stage.server, **{"model.example": [nowhere.address_6, host.address]})
    stage.server.start()
    with stage.client() as client:
        task = completed(client, "by the fourth")
        assert client.charged(task) == price_of(chat.Usage())
    assert len(stage.server.shown(task)["attempts"]) == 1


# -- the way to a receiver

def test_callbacks_wait_for_the_way_and_others_do_not(make_server, away):
    (first, host), (second, _) = away(Receiver), away(Receiver)
    time = clock.Clock(SPEED)
    server = make_server(f'''simulator = {{ seconds = 0 }} callbacks = {{ allow_http = true }}
        fetch = {{ allow = {{ "{first.pair}", "{second.pair}" }} }}''', MODELS, {"say": QUICK})
    server.environment = time.environment
    server.start()
    host.lose()
    with server.client(server.key("one", test=True)) as client:
        lost, other = (client.submit("say", prompt="x", callback_url=one.url("/hook")) for one in (first, second))
        eventually(lambda: of_task(client, lost)["try_count"] >= 2)
        eventually(lambda: of_task(client, other)["status"] == "delivered")
        host.find()
        row = eventually(lambda: (found := of_task(client, lost))["status"] == "delivered" and found)
    assert {one["outcome"] for one in row["tries"][:-1]} <= {"timeout", "connection_failed"}, row
    assert len(first.at("/hook")) == 1 == len(second.at("/hook"))


# -- the way to a client

@pytest.fixture
def open_to_all(home):
    """Lets a server be reached from other hosts."""
    def make(server, settings=None):
        server.host = home.address
        server.configure(settings)
        return server.start()

    return make


def test_readers_that_vanish_give_their_places_up(make_server, network, open_to_all, gates):
    visitor = network.host()
    server = make_server(models=saying_model("gate", timeout=HELD_S), commands={"gate": GATE})
    server.environment = clock.Clock(SPEED).environment
    open_to_all(server, "groups = { default = { waiters = 2 } }\nhttp = { request = 3, idle = 3 }")
    with server.client(server.key("one", credits=10)) as client, contextlib.ExitStack() as readers:
        task = client.submit("gate", prompt=gates("held"))
        path = f"/v1/tasks/{task}/events"
        for _ in range(2):
            with visitor.inside():
                readers.enter_context(llm.Stream(server, "GET", path, None, {"Authorization": f"Bearer {client.key}"})).event()
        assert client.get(path).status == 429
        visitor.lose()
        eventually(lambda: client.get(f"/v1/tasks/{task}?wait=1").status == 200)
        gates.open("held")
        client.completed(task)


def test_a_client_that_vanishes_is_not_written_for(network, make_stage, away, open_to_all):
    """The service is cut off, and what was written until then is paid."""
    there, _ = away(openai_chat.OpenAiService)
    stage = make_stage({"openai": there}, model("talker", route("openai")))
    visitor = network.host()
    open_to_all(stage.server, stage.all_settings().replace("idle = 86400, request = 86400", "idle = 3, request = 3"))
    held = Held(there, "for nobody")
    with stage.client() as client:
        with visitor.inside():
            stream = client.stream("POST", COMPLETIONS, {"model": "talker", "stream": True, **said(held.words)})
        with stream:
            held.upto(2)
            read_until(stream, PIECES[1])
            visitor.lose()
            held.upto(10)
            assert there.journal.wait_over(there.calls_with(held.words)[0].entry).gone
        assert 0 < client.charged(stream.headers["X-Task-Id"]) == client.spent()


def test_a_slow_line_is_no_silence(make_server, network, open_to_all):
    """A result that takes longer than a client may be silent, and comes all the time."""
    visitor = network.host()
    server = make_server(models=file_model("make"), commands={"make": MAKE})
    (server.libexec / "picture.png").write_bytes(MADE)
    open_to_all(server, "http = { request = 1, idle = 1 }")
    with server.client(server.key("one", credits=10)) as client:
        url, = (one["url"] for one in client.completed(client.submit("make", prompt="x"))["results"])
        visitor.slow_down("800kbit")
        with visitor.inside():
            answer = client.download(url)
    assert answer.status == 200 and answer.body == MADE
