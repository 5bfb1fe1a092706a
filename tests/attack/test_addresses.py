"""S1 on the whole server: no URL from outside makes it connect to an inner address, wherever the API takes one.

The server runs with a network of its own (network.c), which writes down each address that it tries to connect to. Whatever the
answers say, those lines must be the services' own alone. Places that cost a whole task get every third or fourth URL, with
ATTACK_ALL=1 each of them."""
import ipaddress
import os
import subprocess

import pytest
import urls
from conftest import Bait, TESTS
from house import IMAGE, VIDEO, Server
from services import ollama, wire

LLM, CHAT = "/v1/llm/generations", "/v1/chat/completions"
MODELS = """
model "look" { type = "image", summary = "Looks", estimated = 1, timeout = 60, price = per_call(1),
    params = { image_url = url{ "image", required } }, routes = { exec = { command = "quick" } },
    results = function(out) return { { said = out.said } } end }
model "look-at-all" { type = "image", summary = "Looks", estimated = 1, timeout = 60, price = per_call(1),
    params = { images = list{ object{ url = url{ "image", required } }, min = 1, max = 5 } },
    routes = { exec = { command = "quick" } }, results = function(out) return { { said = out.said } } end }
model "echo" { type = "video", summary = "A result at any URL", estimated = 1, timeout = 60, price = per_call(1),
    params = { prompt = text{ required } }, routes = { echo = { target = "echo" } },
    results = function(out) return { { url = artifact(out.url) } } end }
model "hold" { type = "image", summary = "Never ends", estimated = 1, timeout = 60, price = per_call(1),
    params = { prompt = text{ nullable } }, routes = { exec = { command = "hold" } },
    simulate = function() return { said = "nothing" } end, results = function(out) return { { said = out.said } } end }
llm "reader" { routes = { { provider = "ollama", target = "fake-model" } }, price = per_token{ input = 1, output = 1 }, takes = { "text", "image" } }
"""
ECHO = """
return {
    url = "http://127.0.0.1:1", auth = function(key) return { Authorization = key } end,
    submit = function(task) return { post = "/echo", json = { url = task.input.prompt } } end,
    accepted = function(reply) return { output = reply.json } end,
}
"""
COMMANDS = {"quick": "#!/bin/sh\ncat >/dev/null\necho 'result {\"said\":\"done\"}'\n", "hold": "#!/bin/sh\nexec sleep 1000\n"}


class Echo(wire.HttpServer):
    """A service whose result is where it was told, and which redirects to where it is told."""

    def handle(self, request):
        if request.path == "/echo":
            return wire.Reply.of(200, request.json())
        code = request.path.rsplit("/", 1)[1]
        return wire.Reply(int(code), {"Location": request.query["to"]}) if code.isdigit() else wire.Reply.of(404, {})


def is_public(address):
    within = getattr(address, "sixtofour", None) or getattr(address, "ipv4_mapped", None)
    return (within or address).is_global


class World:
    """A server in front of services that it may talk to, on a network that remembers."""

    def __init__(self, directory):
        self.dials, names, library = directory / "dials", directory / "names", directory / "network.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, TESTS / "attack" / "network.c"], check=True)
        names.write_text("".join(f"{one.host} {','.join(one.addresses)}\n" for one in urls.of("leads-to")))
        self.dials.touch()
        self.bait, self.echo, self.ollama = Bait(directory), Echo(), ollama.OllamaService()
        self.server = Server(directory / "house", "", MODELS, {**COMMANDS})
        (self.server.catalog / "providers").mkdir()
        (self.server.catalog / "providers" / "echo.lua").write_text(ECHO)
        self.server.configure(f"""
            drain = 1 simulator = {{ seconds = 0 }}
            providers = {{ echo = {{ key = "k", url = "{self.echo.url}", allow_private = true }},
                           ollama = {{ url = "{self.ollama.url}", allow_private = true }} }}
            fetch = {{ allow = {{ "127.0.0.1:{self.echo.port}" }} }} callbacks = {{ allow_http = true }}
            groups = {{ default = {{ price = 1.0, concurrency = 1000, requests_per_minute = 0 }} }}""")
        self.server.environment = {"LD_PRELOAD": str(library), "FENNEC_NAMES": str(names), "FENNEC_DIALS": str(self.dials),
                                   "ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0"}
        self.server.start()
        self.client = self.server.client(self.server.key("attacker", credits=1000000))

    def tried(self):
        """The inner addresses that the server tried to connect to, its services' apart."""
        ours = {f"127.0.0.1 {self.echo.port}", f"127.0.0.1 {self.ollama.port}"}
        dials = set(self.dials.read_text().splitlines()) - ours
        return sorted(one for one in dials if not is_public(ipaddress.ip_address(one.split()[0])))

    def close(self):
        with self.client:
            for task in self.server.listed("attacker"):
                if task["status"] not in ("completed", "failed"):
                    self.client.request("POST", f"/v1/tasks/{task['id']}/cancel")
        self.server.close()
        self.bait.check()
        self.bait.listener.close()
        for one in (self.echo, self.ollama):
            one.stop()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    one = World(tmp_path_factory.mktemp("world"))
    yield one
    one.close()


@pytest.fixture(autouse=True)
def nothing_inside_is_dialled(world):
    yield
    assert world.tried() == []
    world.bait.check()


# -- the places that take a URL: each gives what was refused at once (True), or the task to watch

def submit(world, endpoint, model, **parameters):
    answer = world.client.try_submit(model, endpoint, **parameters)
    assert answer.status in (200, 400, 422), answer
    return answer.json()["id"] if answer.status == 200 else True


def at_once(world, path, body, statuses=(400, 422)):
    answer = world.client.request("POST", path, body)
    assert answer.status in statuses, (path, body, answer)
    return True


def message(url):
    return [{"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": url}}]}]


PLACES = {
    "media parameter": lambda world, url: submit(world, IMAGE, "look", image_url=url),
    "media list": lambda world, url: submit(world, IMAGE, "look-at-all", images=[{"url": url}]),
    "upload": lambda world, url: at_once(world, "/v1/files/upload/url", {"url": url}),
    "callback": lambda world, url: at_once(world, IMAGE, {"model": "hold", "callback_url": url}),
    "callback test": lambda world, url: at_once(world, "/v1/callbacks/test", {"url": url}),
    "message to a model": lambda world, url: submit(world, LLM, "reader", messages=message(url)),
    "call to a model": lambda world, url: at_once(world, CHAT, {"model": "reader", "messages": message(url)},
                                                  (400, 422, 503)),
    "result of a service": lambda world, url: submit(world, VIDEO, "echo", prompt=url),
}
# Where a name cannot be known for what it is until it is asked for.
TAKES_NAMES = ("callback", "callback test")
COSTLY = {} if os.environ.get("ATTACK_ALL") else {
    "media list": 4, "message to a model": 4, "call to a model": 3, "result of a service": 4}


def attack(world, place, those):
    those = those[::COSTLY.get(place, 1)] if len(those) > 40 else those
    tasks = [PLACES[place](world, url) for url in those]
    for url, task in zip(those, tasks):
        if task is not True:
            ended = world.client.final(task)
            assert ended["status"] == "failed" and ended["usage"]["credits_charged"] == 0, (url, ended)


def texts(*verdicts):
    return [one.text for one in urls.of(*verdicts) if one.text is not None]


@pytest.mark.parametrize("place", PLACES)
def test_no_inner_address_is_reached(world, place):
    attack(world, place, texts("inside"))


@pytest.mark.parametrize("place", PLACES)
def test_no_spelling_of_this_machine_reaches_a_listener(world, place):
    """As above, but somebody listens there; it would answer."""
    those = urls.at_port(world.bait.listener.port)
    assert len(those) >= 50
    attack(world, place, those)


@pytest.mark.parametrize("place", [one for one in PLACES if one not in TAKES_NAMES])
def test_no_name_leads_inside(world, place):
    attack(world, place, texts("leads-to"))


@pytest.mark.parametrize("place", [one for one in PLACES if one not in ("message to a model", "call to a model")])
def test_what_is_no_url_is_refused(world, place):
    attack(world, place, [one for one in texts("malformed") if one and not (place.startswith("media") and is_inline(one))])


def is_inline(url):
    """A parameter that is neither a URL nor white space may be base64 of a file: the file is nonsense then."""
    return url.startswith("data:")


@pytest.mark.parametrize("place", [one for one in PLACES if one not in TAKES_NAMES])
def test_no_redirect_leads_inside(world, place):
    """Of every kind, to every form of target, from a host that may be asked."""
    port = world.bait.listener.port
    targets = [f"http://localhost:{port}/bait", f"http://127.0.0.1:{port}/bait", f"//127.1:{port}/bait",
               "http://169.254.169.254/latest/", f"http://[::ffff:127.0.0.1]:{port}/", "http://metadata.google.internal/",
               "file:///etc/passwd", f"gopher://127.0.0.1:{port}/_x", f"ftp://127.0.0.1:{port}/", "data:image/png;base64,AA==",
               f"http://user@127.0.0.1:{port}/", f"\\\\127.0.0.1:{port}\\", f"HTTP://0x7f000001:{port}/bait"]
    codes = (301, 302, 303, 307, 308)
    first = [f"{world.echo.url}/redirect/{codes[i % 5]}?to={one}" for i, one in enumerate(targets)]
    chain = f"{world.echo.url}/redirect/302?to={world.echo.url}/redirect/307?to=http://localhost:{port}/bait"
    loop = f"{world.echo.url}/redirect/302?to=/redirect/302?to=x"
    attack(world, place, [one.replace("\\", "%5C").replace("@", "%40") for one in first] + [chain, loop])


def test_a_name_that_leads_inside_gets_no_callback(world):
    """It looks well when it is given; the connection is refused when it is made."""
    for one in texts("leads-to")[:6]:
        answer = world.client.request("POST", "/v1/callbacks/test", {"url": one})
        assert answer.status == 200 and answer.json()["outcome"] != "delivered", (one, answer)
        assert answer.json()["tries"][0]["http_status"] is None, answer


def test_public_urls_are_let_through(world):
    """They are taken for what they are: where a callback goes to is said to be all right. Nothing leaves this machine."""
    with world.server.client(world.server.key("tester", test=True)) as client:
        for one in urls.of("public"):
            if "#" not in one.url:
                answer = client.try_submit("hold", IMAGE, callback_url=one.url)
                assert answer.status == 200, (one, answer)


def test_urls_beyond_all_bounds(world):
    for url in ("http://example.com/" + "a" * 2030, "http://" + "a" * 300 + "/", "http://" + "a." * 1000 + "example/"):
        for place in ("media parameter", "upload", "callback", "callback test"):
            attack(world, place, [url])
