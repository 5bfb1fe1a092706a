"""Names whose resolution hangs, whatever needs them: everything else goes on, what hangs goes on once they are resolved, and a
stop is still clean."""
import threading

import pytest

import llm
from faults import NEVER, Client, OllamaService, after, eventually
from services import files, wire

NAMES = 40  # at once, for one account
HOST = "here.test"  # this machine, says the library
FRAMER = """model "framer" {
    type = "image", summary = "Makes a file of another", estimated = 1, timeout = 600, price = per_call(3),
    params = { image_url = url{ "image", required }, prompt = text{ min = 1, max = 2000, default = "x" } },
    routes = { exec = { command = "maker" } },
    results = function(out) return { { url = artifact(out) } } end,
}
"""


class Asked(threading.Thread):
    """A request whose client waits."""

    def __init__(self, stage, method, path, body):
        super().__init__(daemon=True)
        self.stage, self.order, self.answer = stage, (method, path, body), None
        self.start()

    def run(self):
        with Client(self.stage.server, self.stage.key) as client:
            self.answer = self.stage.request(client, *self.order)

    def end(self):
        self.join(60)
        assert not self.is_alive(), self.order
        return self.answer


def named(url):
    return url.replace("127.0.0.1", HOST)


# -- what needs a name: each begins it, and gives what waits for its end once names are resolved

def task_ends(stage, client, task):
    return lambda: completed(stage.final(client, task))


def completed(task):
    assert task["status"] == "completed", task


def submission(stage, client):
    return task_ends(stage, client, stage.submit(client, "clip", "/v1/videos/generations"))


def question(stage, client):
    """The first one of a new life, which knows no address yet."""
    stage.control.hold_names(False)
    task = stage.submit(client, "clip", "/v1/videos/generations")
    stage.taken(task)
    stage.server.kill()
    stage.control.hold_names(True)
    stage.start()
    return task_ends(stage, client, task)


def result_file(stage, client):
    stage.fal.host_of_files = stage.fal
    stage.fal.names["file"] = named(stage.fal.names["file"])
    return submission(stage, client)


def input_file(stage, client):
    url = named(stage.fal.url) + "/files/a.png"
    return task_ends(stage, client, stage.submit(client, "framer", "/v1/images/generations", image_url=url))


def callback(stage, client):
    url = stage.receiver.url("/back", HOST)
    return task_ends(stage, client, stage.submit(client, "clip", "/v1/videos/generations", callback_url=url))


def upload(stage, _client):
    asked = Asked(stage, "POST", "/v1/files/upload/url", {"url": named(stage.fal.url) + "/files/a.png"})
    return lambda: succeeded(asked.end())


def link_in_a_message(stage, _client):
    parts = [{"type": "text", "text": "What is it?"},
             {"type": "image_url", "image_url": {"url": named(stage.fal.url) + "/files/a.png"}}]
    body = {"model": "seer", "max_tokens": 50, "messages": [{"role": "user", "content": parts}]}
    asked = Asked(stage, "POST", "/v1/chat/completions", body)
    return lambda: succeeded(asked.end())


def language_model(stage, _client):
    body = {"model": "chatty", "max_tokens": 50, "messages": [{"role": "user", "content": "Hi."}]}
    asked = Asked(stage, "POST", "/v1/chat/completions", body)
    return lambda: succeeded(asked.end())


def many_names(stage, _client):
    """Of hosts that there are not, in the end."""
    asked = [Asked(stage, "POST", "/v1/files/upload/url", {"url": f"https://host{number}.example/a.png"})
             for number in range(NAMES)]

    def end():
        assert {one.end().status for one in asked} <= {422, 429, 503}, [one.answer for one in asked]
    return end


def succeeded(answer):
    assert answer.status == 200, answer


# By what hangs: how it begins, whose address is a name, and what else hangs with it.
HANGS = {"a submission": (submission, "fal", "clip"), "a question": (question, "fal", "clip"),
         "a result file": (result_file, None, "clip"), "an input file": (input_file, None, None),
         "a callback": (callback, None, None), "an upload by URL": (upload, None, None),
         "a link in a message": (link_in_a_message, None, None), "a language model": (language_model, "chat", "chatty"),
         "many names": (many_names, None, None)}


@pytest.fixture
def named_stage(make_stage):
    """With a language model that is sent no links, and with the service of that name, if any, known by its name."""
    made = []

    def make(service=None, **settings):
        stage = make_stage(speed=1)
        seer = OllamaService()
        made.append(seer)
        stage.fal.uploads["a.png"] = wire.Reply(200, {"Content-Type": "image/png"}, files.png())
        stage.server.models(FRAMER + llm.model("seer", llm.route("ollama")), "named")
        words = stage.server.settings.replace(
            "providers = {", f'providers = {{ ollama = {{ url = "{seer.url}", allow_private = true }},').replace(
            "fetch = { allow = {", f'fetch = {{ allow = {{ "{HOST}:{stage.fal.port}", "{HOST}:{stage.receiver.port}",')
        if service:
            url = getattr(stage, service).url
            words = words.replace(f'url = "{url}', f'url = "{named(url)}')
            getattr(stage, service).url = named(url)  # where its answers say to go on
        for name, value in settings.items():
            words = words.replace("drain = 200", f"{name} = {value}")
        stage.server.configure(words)
        return stage

    yield make
    for one in made:
        one.stop()


def hold(stage):
    stage.control.hold_names(True)
    stage.control.arm("resolve", NEVER, 0)


def go_on(stage, but=None):
    """What needs no name: everything, but for that model's."""
    with Client(stage.server, stage.key) as client, Client(stage.server, stage.test_key) as tester:
        for who, model, endpoint in ((client, "maker", "/v1/images/generations"), (client, "clip", "/v1/videos/generations"),
                                     (tester, "phota-image", "/v1/images/generations")):
            if model != but:
                completed(stage.final(who, stage.submit(who, model, endpoint)))
        if but != "chatty":
            stage.look_around(client, tester)
        assert client.get("/healthz").status == 200


@pytest.mark.parametrize("what", HANGS)
def test_what_waits_for_a_name_holds_up_nothing_else(named_stage, what):
    begin, service, but = HANGS[what]
    stage = named_stage(service).start()
    with Client(stage.server, stage.key) as client:
        hold(stage)
        end = begin(stage, client)
        eventually(lambda: stage.control.seen("resolve") > 0)
        go_on(stage, but)
        stage.control.hold_names(False)
        end()
    go_on(stage)
    stage.settle()
    assert stage.failed() == []


def test_a_name_that_cannot_be_resolved_for_a_moment(named_stage):
    """Nothing was sent: it is tried again."""
    stage = named_stage("fal").start()
    with Client(stage.server, stage.key) as client:
        stage.control.arm("resolve", 1, 1)
        completed(stage.final(client, stage.submit(client, "clip", "/v1/videos/generations")))
        assert stage.control.disarm("resolve")[1] == 1
    stage.settle()


def test_a_stop_while_names_hang(named_stage):
    """What its drain does not wait for goes on in the next life."""
    stage = named_stage("fal", drain=0).start()
    with Client(stage.server, stage.key) as client:
        hold(stage)
        for begin in (submission, input_file, callback):
            begin(stage, client)
        asked = [Asked(stage, "POST", "/v1/files/upload/url", {"url": "https://host.example/a.png"})]
        eventually(lambda: stage.control.seen("resolve") >= 3)
        assert stage.server.stop() == 0, stage.server.log_text()[-4000:]
        for one in asked:
            one.end()
    stage.control.hold_names(False)
    stage.start()
    stage.settle()
    assert stage.failed() == []


def test_a_name_that_is_never_resolved_outlives_its_try(make_stage):
    stage = make_stage()
    port = stage.receiver.port
    stage.server.configure(stage.server.settings.replace("fetch = { allow = {", f'fetch = {{ allow = {{ "hangs.example:{port}", ')
                           .replace("drain = 200", "drain = 20"))
    stage.start()
    stage.control.hold_names(True)
    stage.control.arm("resolve", NEVER, 0)
    with Client(stage.server, stage.key) as client, Client(stage.server, stage.test_key) as tester:
        held = stage.submit(client, "clip", "/v1/videos/generations", callback_url=f"http://hangs.example:{port}/held")
        assert stage.final(client, held)["status"] == "completed", "the task itself needs no name"
        eventually(lambda: stage.control.seen("resolve") > 0)  # the name is being resolved
        for _ in range(3):
            for who, task in stage.submit_all(client, tester):
                assert stage.final(who, task)["status"] == "completed"
        # Also when the try is over, whose name is still being resolved.
        eventually(lambda: after.rows(stage.server.data, "SELECT max(tries) FROM callback")[0][0] >= 2)
        assert client.get("/healthz").status == 200
        waiting = after.rows(stage.server.data, "SELECT count(*) FROM callback WHERE url LIKE '%/held' AND state = 1")
        assert waiting[0][0] == 1
    assert stage.server.stop() == 0, "while a name is still being resolved"
    stage.control.hold_names(False)
    after.assert_acknowledged_tasks_are_final(stage.server.data, list(stage.kept.acknowledged))
