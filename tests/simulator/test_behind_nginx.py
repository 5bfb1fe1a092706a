"""Fennec behind nginx with the configuration that is shipped: clients speak TLS and HTTP/2, and see no difference."""
import contextlib
import json
import re
import signal
import subprocess
import threading

import pytest
from services import openai_chat
from services.chat import Say

from house import GATE, HELD_S, PATIENCE_S, ROOT, eventually, saying_model
from llm import COMPLETIONS, model, route, said
from ports import held_port

NAME = "media.example.com"


class Nginx:
    """As people would run it, but at a port of its own; `authority` has made its certificate."""

    def __init__(self, folder, authority):
        self.folder, self.authority, self.process = folder, authority, None
        self.holder = contextlib.ExitStack()
        self.port = self.holder.enter_context(held_port())
        self.url = f"https://{NAME}:{self.port}"
        certificate = authority.context(NAME).file
        shipped = (ROOT / "packaging" / "nginx.conf").read_text()
        shipped, changed = re.subn(r"listen 443 ssl http2;", f"listen 127.0.0.1:{self.port} ssl http2;", shipped)
        shipped, more = re.subn(r"(ssl_certificate\S*\s+)\S+;", rf"\g<1>{certificate};", shipped)
        assert (changed, more) == (1, 2)
        self.server = shipped

    def start(self, port):
        """Before the Fennec at that port."""
        shipped, changed = re.subn(r"server 127\.0\.0\.1:8080;", f"server 127.0.0.1:{port};", self.server)
        assert changed == 1
        file = self.folder / "nginx.conf"
        file.write_text(f"daemon off;\npid {self.folder}/nginx.pid;\nerror_log {self.folder}/error.log;\n"
                        f"events {{}}\nhttp {{\naccess_log off;\n"
                        + "".join(f"{kind}_temp_path {self.folder}/{kind};\n"
                                  for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
                        + shipped + "}\n")
        self.process = subprocess.Popen(["nginx", "-p", self.folder, "-c", file], stderr=subprocess.DEVNULL)
        eventually(lambda: self.ask("/v1/models")[0] == 401)

    def words(self, path, key=None, body=None, more=()):
        words = ["curl", "--silent", "--http2", "--cacert", self.authority.file, "--max-time", str(PATIENCE_S),
                 "--resolve", f"{NAME}:{self.port}:127.0.0.1", "--no-buffer", *more]
        if key:
            words += ["--header", f"Authorization: Bearer {key}"]
        if body is not None:
            words += ["--header", "Content-Type: application/json", "--data", json.dumps(body)]
        return [*words, path if path.startswith("https:") else self.url + path]

    def ask(self, path, key=None, body=None, more=()):
        """The status, the version of HTTP, the body."""
        run = subprocess.run([*self.words(path, key, body, more), "--write-out", "\n%{http_code} %{http_version}"],
                             capture_output=True, check=False)
        body, _, told = run.stdout.rpartition(b"\n")
        status, version = told.decode().split()
        return int(status), version, body

    @contextlib.contextmanager
    def follow(self, path, key, body=None):
        """The lines of an answer as they come; its client goes with the block."""
        client = subprocess.Popen(self.words(path, key, body), stdout=subprocess.PIPE, text=True)
        guard = threading.Timer(PATIENCE_S, client.kill)
        guard.start()
        try:
            yield client.stdout
        finally:
            guard.cancel()
            client.kill()
            client.stdout.close()
            client.wait()

    def stop(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait()
        self.holder.close()


@pytest.fixture
def nginx(tmp_path, authority):
    folder = tmp_path / "nginx"
    folder.mkdir()
    made = Nginx(folder, authority)
    yield made
    made.stop()


@pytest.fixture
def house(make_server, nginx, gates):
    """A Fennec behind it, with a model that a test can hold, and a key."""
    server = make_server(f'public_url = "{nginx.url}"\nsimulator = {{ seconds = 0 }}',
                         saying_model("gate", "per_call(7)", HELD_S), {"gate": GATE}).start()
    nginx.start(server.port)
    return server, server.key("one", credits=100), server.key("two", test=True)


def test_a_task_is_submitted_waited_for_and_its_result_fetched(house, nginx):
    _, _, key = house
    status, version, body = nginx.ask("/v1/videos/generations", key, {"model": "seedance-2.0-text-to-video", "prompt": "a fox"})
    assert (status, version) == (200, "2"), body
    status, _, body = nginx.ask(f"/v1/tasks/{json.loads(body)['id']}?wait=60", key)
    task = json.loads(body)
    assert (status, task["status"]) == (200, "completed"), task
    url = task["results"][0]["url"]
    assert url.startswith(nginx.url + "/v1/artifacts/")
    status, _, film = nginx.ask(url)
    assert status == 200 and film[4:8] == b"ftyp"


def test_events_come_as_they_happen(house, nginx, gates):
    """While the task is held: nothing gathers them on the way."""
    server, key, _ = house
    with server.client(key) as client:
        task = client.submit("gate", prompt=gates("a"))
        with nginx.follow(f"/v1/tasks/{task}/events", key) as lines:
            assert any('"progress":40' in line.replace(" ", "") for line in lines)
            assert client.status(task) == "processing"
            gates.open("a")
            assert any("completed" in line for line in lines)


def test_a_waiting_query_is_answered_at_the_end(house, nginx, gates):
    server, key, _ = house
    with server.client(key) as client:
        task = client.submit("gate", prompt=gates("a"))
        eventually(lambda: client.status(task) == "processing")
        with nginx.follow(f"/v1/tasks/{task}?wait=60", key) as lines:
            eventually(lambda: b"fennec_http_requests_suspended 1" in client.get("/metrics").body)
            gates.open("a")
            assert json.loads(lines.read())["status"] in ("processing", "completed")
        client.completed(task)


def test_large_files_are_uploaded(house, nginx, tmp_path):
    """Larger than what nginx takes of itself."""
    _, key, _ = house
    file = tmp_path / "film.mp4"
    file.write_bytes(b"\0\0\0\x18ftypisom\0\0\0\0isommp42" + bytes(5 << 20))
    status, _, body = nginx.ask("/v1/files/upload/stream", key, more=["--form", f"file=@{file}"])
    assert status == 200, body


def test_what_is_for_those_who_run_it_is_not_for_strangers(house, nginx):
    for path in ("/metrics", "/healthz", "/readyz", "/admin/v1/accounts", "/admin/"):
        assert nginx.ask(path)[0] == 403, path


def test_an_answer_streams_and_its_client_may_go(make_stage, nginx):
    """Its service is cut off when the client goes, as without nginx."""
    there, gate = openai_chat.OpenAiService(), threading.Event()
    stage = make_stage({"openai": there}, model("talker", route("openai")))
    stage.server.start()
    nginx.start(stage.server.port)
    there.script.steps["chat"] = [Say(("One ", "two ", "three."), holds={2: gate})]
    with stage.client() as client:
        with nginx.follow(COMPLETIONS, client.key, {"model": "talker", "stream": True, **said("go on")}) as lines:
            assert any("two " in line for line in lines)
        call = there.journal.wait("chat", 1)
        assert there.journal.wait_over(call).gone
        task, = client.tasks()
        assert client.settled(task)["results"][0]["choices"][0]["message"]["content"] == "One two "
