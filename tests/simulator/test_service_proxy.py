"""Services that are asked through a proxy, which the environment names; what strangers name never is (S1)."""
import pytest
from services import cdn, fal, openai_chat, proxy, service
from services.chat import Usage
from services.receiver import Receiver

from callbacks import ended
from house import VIDEO
from llm import model, price_of, route, said

FILM = "seedance-2.0-text-to-video"


@pytest.fixture
def way_out():
    there = proxy.Proxy()
    yield there
    there.stop()


@pytest.fixture
def closing():
    """Stops at the end what it is given, and gives it back."""
    opened = []

    def keep(one):
        opened.append(one)
        return one

    yield keep
    for one in opened:
        (one.close if isinstance(one, Receiver) else one.stop)()


@pytest.fixture
def environment(way_out, authority):
    return {"https_proxy": way_out.url, "http_proxy": way_out.url, "SSL_CERT_FILE": str(authority.file)}


def completed(client, name):
    completion, task = client.complete({"model": name, **said("through a proxy")})
    assert completion["choices"][0]["message"]["content"] == "The fox is quick."
    assert client.charged(task) == price_of(Usage())
    return task


def test_a_service_behind_tls_is_asked_through_a_tunnel(make_stage, way_out, environment, authority, front):
    """The proxy hears where it leads, and nothing of what is said there."""
    there = openai_chat.OpenAiService()
    before = front(there, authority.context())
    stage = make_stage({"openai": there}, model("talker", route("openai")))
    stage.server.environment = environment
    stage.server.start()
    with stage.client() as client:
        completed(client, "talker")
    (method, target, headers), = way_out.asked
    assert (method, target) == ("CONNECT", before.pair) and "authorization" not in headers
    assert there.journal.of("chat")[0].request.headers["authorization"] == "Bearer fake-key"


def test_a_proxy_behind_tls_is_believed_as_a_service_is(make_stage, way_out, environment, authority, front):
    """Of SSL_CERT_FILE alone: nothing of the system's would do here."""
    there = openai_chat.OpenAiService()
    front(there, authority.context())
    before = front(way_out, authority.context(), protocols=["http/1.1"])
    stage = make_stage({"openai": there}, model("talker", route("openai")))
    stage.server.environment = {**environment, "https_proxy": before.url}
    stage.server.start()
    with stage.client() as client:
        completed(client, "talker")
    assert len(before.connections) == 1 and [method for method, *_ in way_out.asked] == ["CONNECT"]


def test_a_service_without_tls_is_asked_through_the_proxy(make_stage, way_out, environment):
    there = openai_chat.OpenAiService()
    stage = make_stage({"openai": there}, model("talker", route("openai")))
    stage.server.environment = environment
    stage.server.start()
    with stage.client() as client:
        completed(client, "talker")
    assert [(method, target) for method, target, _ in way_out.asked] == [("POST", f"{there.url}/v1/chat/completions")]


@pytest.mark.parametrize("status", [403, 407, 502])
def test_a_proxy_that_makes_no_tunnel_has_sent_nothing(make_stage, way_out, environment, authority, front, status):
    """So another route makes it good (T4): this one the environment says to ask directly."""
    services = {"openai": openai_chat.OpenAiService(), "openai-backup": openai_chat.OpenAiService()}
    front(services["openai"], authority.context())
    services["openai-backup"].url = services["openai-backup"].url.replace("127.0.0.1", "localhost")
    stage = make_stage(services, model("two-ways", route("openai", priority=0) + route("openai-backup", priority=1)))
    stage.server.environment = {**environment, "no_proxy": "localhost"}
    stage.server.start()
    way_out.refusal = status
    with stage.client() as client:
        task = completed(client, "two-ways")
        attempts = stage.server.shown(task)["attempts"]
    assert [one["provider"] for one in attempts] == ["openai", "openai-backup"], attempts
    assert services["openai"].journal.entries == [] and {method for method, *_ in way_out.asked} == {"CONNECT"}


def test_the_proxys_word_is_not_the_services(make_stage, way_out, environment, authority, front):
    """It has said 200; the service has said nothing, and nobody knows what it took (T3)."""
    there = openai_chat.OpenAiService()
    front(there, authority.context())
    there.script.steps["chat"] = ["reset"]
    stage = make_stage({"openai": there}, model("talker", route("openai")))
    stage.server.environment = environment
    stage.server.start()
    with stage.client() as client:
        task = client.generate({"model": "talker", **said("broken off")})["id"]
        assert client.failed(task)["code"] == "submission_unknown" and client.spent() == 0
    assert there.journal.count("chat") == 1 == len(way_out.asked)


def test_what_strangers_name_is_not_asked_through_it(make_server, way_out, environment, closing):
    """Behind a proxy no address could be judged: results' hosts and receivers are connected to, or not at all."""
    films, receiver = closing(cdn.FileHost(service.Script({"file": ["200 @mp4"]}))), closing(Receiver())
    there = closing(fal.FalService(service.Script(), host_of_files=films))
    pairs = ", ".join(f'"{one}"' for one in (films.url.removeprefix("http://"), receiver.pair))
    server = make_server(f'''
        providers = {{ fal = {{ key = "fake-key", url = "{there.url}", allow_private = true, poll_min = 0.05 }} }}
        callbacks = {{ allow_http = true }} fetch = {{ allow = {{ {pairs} }} }}''')
    server.environment = environment
    server.start()
    with server.client(server.key("studio", credits=1000)) as client:
        task = client.submit(FILM, VIDEO, prompt="a fox", callback_url=receiver.url("/hook"))
        client.completed(task)
        ended(client, task, "delivered")
    assert films.journal.count("file") == 1 and there.journal.count("submit") == 1
    assert way_out.asked and all(target.startswith(there.url) for _, target, _ in way_out.asked), way_out.asked
