"""Services, hosts of files and receivers of callbacks behind TLS, as all real ones are: what is believed of a certificate, and
what becomes of a request when none is."""
import contextlib

import pytest
from services import cdn, fal, openai_chat, service
from services.chat import Say, Usage
from services.receiver import Receiver
from services.tls import Authority, Front

from callbacks import MODELS, ended, of_task
from house import QUICK, VIDEO, eventually
from llm import COMPLETIONS, content_of, model, price_of, route, said

FILM = "seedance-2.0-text-to-video"
DISTRUSTED = ("nobody's", "ended", "another's")


@pytest.fixture
def context(authority, tmp_path):
    """A server's certificate: a good one, or one that is not to be believed, and why."""
    def make(why=None):
        return {None: authority.context, "ended": lambda: authority.context(ended=True),
                "another's": lambda: authority.context("elsewhere.example"),
                "nobody's": lambda: Authority(tmp_path / "nobody", "An authority of nobody").context()}[why]()

    return make


@pytest.fixture
def make_chat(make_stage, authority):
    """Starts a Fennec that believes the authority."""
    def make(services, models):
        stage = make_stage(services, models)
        stage.server.environment = {"SSL_CERT_FILE": str(authority.file)}
        stage.server.start()
        return stage

    return make


@pytest.fixture
def make_studio(make_server, authority, front, context):
    """Starts a Fennec whose fal, with its host of files, is behind TLS. Gives (fal, its front, the server)."""
    with contextlib.ExitStack() as services:
        def make(script=None, of_fal=None, of_files=None, **more):
            films = cdn.FileHost(service.Script({"file": ["200 @mp4"]}))
            services.callback(films.stop)
            before_films = front(films, context(of_files))
            there = fal.FalService(service.Script(script), host_of_files=films)
            services.callback(there.stop)
            before_fal = front(there, context(of_fal))
            server = make_server(f'''
                providers = {{ fal = {{ key = "fake-key", url = "{there.url}", allow_private = true, poll_min = 0.05 }} }}
                fetch = {{ allow = {{ "{before_films.pair}" }} }}''', **more)
            server.environment = {"SSL_CERT_FILE": str(authority.file)}
            return there, before_fal, server.start()

        yield make


@pytest.fixture
def make_post(make_server, authority):
    """Starts a Fennec that may call a receiver back which is behind TLS. Gives (the server, the receiver's front, the receiver)."""
    with contextlib.ExitStack() as opened:
        def make(context):
            receiver = opened.enter_context(contextlib.closing(Receiver()))
            before = Front(receiver, context)
            opened.callback(before.stop)
            server = make_server(f'simulator = {{ seconds = 0 }}\nfetch = {{ allow = {{ "{before.pair}" }} }}', MODELS,
                                 {"say": QUICK})
            server.environment = {"SSL_CERT_FILE": str(authority.file)}
            return server.start(), before, receiver

        yield make


# -- as it should be

@pytest.mark.parametrize("streams", [False, True])
def test_a_completion_comes_through_tls(make_chat, front, context, streams):
    there = openai_chat.OpenAiService()
    before = front(there, context())
    stage = make_chat({"openai": there}, model("talker", route("openai")))
    with stage.client() as client:
        body = {"model": "talker", "stream": streams, **said("through TLS")}
        if streams:
            with client.stream("POST", COMPLETIONS, body) as stream:
                *chunks, done = stream.events()
            assert content_of(chunks) == "The fox is quick." and done.data == "[DONE]"
            task = stream.headers["X-Task-Id"]
        else:
            completion, task = client.complete(body)
            assert completion["choices"][0]["message"]["content"] == "The fox is quick."
        assert client.charged(task) == price_of(Usage())
    assert [one["protocol"] for one in before.connections] == ["http/1.1"], before.connections


def test_a_film_comes_through_tls(make_studio):
    there, before, server = make_studio()
    with server.client(server.key("studio", credits=1000)) as client:
        result, = client.completed(client.submit(FILM, VIDEO, prompt="a fox"))["results"]
        assert client.download(result["url"]).body == there.host_of_files.reply_of("200 @mp4").body
    assert there.journal.count("submit") == 1


def test_a_new_connection_goes_on_with_the_session_before(make_studio):
    """Only the first pays for a whole handshake."""
    _, before, server = make_studio()
    with server.client(server.key("studio", credits=1000)) as client:
        for number in range(4):
            client.completed(client.submit(FILM, VIDEO, prompt=f"fox {number}"))
            before.drop()
    resumed = [one["resumed"] for one in before.connections]
    assert len(resumed) >= 4 and resumed == [False] + [True] * (len(resumed) - 1)


def test_authorities_are_read_once(make_studio, authority):
    """To read Debian's for each connection takes longer than all the rest of a request."""
    there, before, server = make_studio()
    with server.client(server.key("studio", credits=1000)) as client:
        client.completed(client.submit(FILM, VIDEO, prompt="the first"))
        authority.file.unlink()
        before.drop()
        client.completed(client.submit(FILM, VIDEO, prompt="the second"))
    assert there.journal.count("submit") == 2


def test_a_callback_is_delivered_by_tls(make_post, context):
    server, before, _ = make_post(context())
    with server.client(server.key("one", test=True)) as client:
        task = client.submit("say", prompt="x", callback_url=f"{before.url}/hook")
        assert ended(client, task, "delivered")["try_count"] == 1
    assert len(before.connections) == 1


class Place:
    """Where a server listens."""

    def __init__(self, server):
        self.host, self.port = "127.0.0.1", server.port


def test_the_command_line_believes_whom_the_server_believes(make_server, front, authority, context):
    server = make_server().start()
    before = front(Place(server), context(), protocols=["http/1.1"])
    environment = {"FENNEC_ADMIN_KEY": server.cli("admin-key", "create").strip()}
    server.configure(f'providers = {{ ollama = {{ url = "{before.url}" }} }}')
    nobody = ("task", "retry", "task-unified-1757165031-uyujaw3d", "--url", before.url)

    def ask(*words):
        run = server.run_cli(*words, environment=environment)
        return run.stdout + run.stderr

    assert f"{before.url} cannot be reached" in ask("doctor") and "certificate" in ask("doctor")
    assert "cannot be asked" in ask(*nobody)
    environment["SSL_CERT_FILE"] = str(authority.file)
    assert f"{before.url} can be reached" in ask("doctor")
    assert "(404)" in ask(*nobody)


# -- certificates that are not to be believed

@pytest.mark.parametrize("why", DISTRUSTED)
@pytest.mark.parametrize("streams", [False, True])
def test_a_service_that_is_not_believed_gets_nothing_and_another_makes_it_good(make_chat, front, context, why, streams):
    services = {"openai": openai_chat.OpenAiService(), "openai-backup": openai_chat.OpenAiService()}
    before = front(services["openai"], context(why))
    front(services["openai-backup"], context())
    stage = make_chat(services, model("two-ways", route("openai", priority=0) + route("openai-backup", priority=1)))
    with stage.client() as client:
        task = client.settled(client.generate({"model": "two-ways", "stream": streams, **said("believe me")})["id"])
        assert task["status"] == "completed" and client.spent() == price_of(Usage())
        attempts = stage.server.shown(task["id"])["attempts"]
    assert [one["provider"] for one in attempts] == ["openai", "openai-backup"], attempts
    assert "certificate" in attempts[0]["detail"], attempts
    assert services["openai"].journal.entries == [] and before.met


@pytest.mark.parametrize("why", DISTRUSTED)
def test_a_paid_job_is_not_made_where_nobody_is_believed(make_studio, why):
    """What certainly was not sent is tried again, and is no submission whose end is unknown (T3, T4)."""
    there, before, server = make_studio(of_fal=why)
    with server.client(server.key("studio", credits=1000)) as client:
        task = client.submit(FILM, VIDEO, prompt="a fox")
        attempts = eventually(lambda: [one for one in server.shown(task)["attempts"] if one.get("detail")])
        assert "certificate" in attempts[0]["detail"], attempts
        assert client.task(task)["status"] in ("pending", "processing")
        client.request("POST", f"/v1/tasks/{task}/cancel")
        assert client.failed(task)["code"] == "request_cancelled"
    assert there.journal.entries == [] and before.met


@pytest.mark.parametrize("why", DISTRUSTED)
def test_a_result_is_not_taken_from_who_is_not_believed(make_studio, why):
    there, _, server = make_studio(of_files=why)
    with server.client(server.key("studio", credits=1000)) as client:
        task = client.submit(FILM, VIDEO, prompt="a fox")
        eventually(lambda: there.host_of_files.front.met > 1)  # asked again: it may be mended
        assert client.task(task)["status"] == "processing"
        client.request("POST", f"/v1/tasks/{task}/cancel")
        client.final(task)
    assert there.host_of_files.journal.entries == [] and there.journal.count("submit") == 1


@pytest.mark.parametrize("why", DISTRUSTED)
def test_no_callback_goes_to_who_is_not_believed(make_post, context, why):
    server, before, receiver = make_post(context(why))
    with server.client(server.key("one", test=True)) as client:
        task = client.submit("say", prompt="x", callback_url=f"{before.url}/hook")
        row = eventually(lambda: one if (one := of_task(client, task))["try_count"] else None)
        assert (row["status"], row["tries"][0]["outcome"]) == ("due", "connection_failed"), row
    assert receiver.requests == []


# -- connections that end

def test_a_connection_that_the_service_has_ended_is_not_used(make_chat, front, context):
    """It says so by TLS, which is no sign of life: what would be sent there, nobody could say what became of (T3)."""
    there = openai_chat.OpenAiService()
    before = front(there, context())
    stage = make_chat({"openai": there}, model("talker", route("openai")))
    with stage.client() as client:
        for number in range(3):
            for again in range(3):
                client.complete({"model": "talker", **said(f"call {number} {again}")})
            before.drop()
    assert len(before.connections) == 3 and there.journal.count("chat") == 9


@pytest.mark.parametrize("ending", ["cut", "reset", "close", "torn"])
def test_a_stream_that_breaks_is_no_whole_answer(make_chat, front, context, ending):
    """Nobody has said that it is over: neither the answer's last chunk nor TLS."""
    there = openai_chat.OpenAiService()
    front(there, context())
    there.script.steps["chat"] = [Say(("One ", "two ", "three."), stop_at=2, ending=ending)]
    stage = make_chat({"openai": there}, model("talker", route("openai")))
    with stage.client() as client:
        with client.stream("POST", COMPLETIONS, {"model": "talker", "stream": True, **said("it breaks")}) as stream:
            *chunks, error = stream.events()
        assert content_of(chunks) == "One two " and "error" in error.json()
        assert client.failed(stream.headers["X-Task-Id"]) and client.spent() == 0


@pytest.mark.parametrize("answer", ["reset", "truncated 200 $accepted"])
def test_a_paid_job_whose_answer_breaks_off_is_not_asked_for_again(make_studio, answer):
    """T3."""
    there, _, server = make_studio(script={"submit": [f"accepted as {answer}"]})
    with server.client(server.key("studio", credits=1000)) as client:
        assert client.failed(client.submit(FILM, VIDEO, prompt="a fox"))["code"] == "submission_unknown"
        assert client.credits() == 1000
    assert there.journal.count("submit") == 1
