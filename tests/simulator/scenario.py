"""Scenarios: what the services behind answer, line by line, and what Fennec must make of it; a file each in scenarios/.

    # Words for people.
    model clip                     the model submitted; default clip, a film at a fixed price by fal's queue
    with {"prompt": "x"}           its parameters, beside a prompt of each task's own
    speed 20                       how fast time runs, for Fennec and the services; default 20
    timeout_s 30                   the time limit of the model clip; default a day
    keys fake-a fake-b             the provider's keys; default fake-key
    route backup 1                 the model has another route, with that priority, at a service that speaks the same
    adapter poll_first = 3600      another value in the adapter's table
    provider rehost = true         another setting of the provider; `setting …`: of Fennec
    away main                      nobody listens there
    next keys fake-b               how the next life is configured: with these keys, another `target` for fal's route, or the
                                   service under another name of its host, `url`
    dialect NAME                   that adapter, shipped or in tests/unit/provider/dialects, and a service that knows
                                   only its script; models of such are in dialects.lua

What services answer, each line once, the last for ever; `x3` at the end: three times. services/fal.py and
services/answer.py have the words. `backup.submit 503` is the other service's, `POST /v1/videos 200 {…}` of a scripted one.

    submit accepted
    poll running x3

What happens beside, `at` a request, before it is answered, or `after` its answer is out:

    at submit 1 kill               kill -9, and a new start; `stop`: SIGTERM
    at poll 2 see processing 40    the task query shows this now, while the answer is being waited for
    after poll 1 cancel            the client cancels; `refresh`: asks with sync_upstream, once the job is known
    at cancel 1 poll completed     what questions are answered from then on, after what is left of the script
    at submit 1 webhook forged     a call from fal: signed, forged, altered, stale, unsigned; `error`: of the model

And what must come of it. `task` submits one; the lines below it are about that one.

    task
    task until providers fal       one after the other, until that can be expected of one; the lines below are about it
    later 400                      the next task comes so many seconds later
    now submit accepted            what the main service answers to submissions from then on
    expect completed               or: failed CODE
    expect message too large       words of the error's message
    expect charged 5
    expect submissions 1           requests of a kind until now: submissions, polls, results, cancels, files, elsewhere
                                   (files of the host $elsewhere); also `>= 2`, `backup.submissions 0`
    expect accepted 1              jobs made until now
    expect rest 5 10               each submission after the fifth came ten seconds or more after the one before
    expect timeline accepted dispatched submitted completed
    expect attempts succeeded      their states; `providers fal backup`: where they went
    expect keys fake-a fake-b      of the submissions, in their order
    expect webhooks 200 401        what Fennec answered to them; `cancelled 200`, `refreshed 200` to the client
    expect event retried delay_ms >= 2000
    expect result seed 42
    expect requests POST /v1/videos 2             to a scripted service
    expect sent POST /v1/videos 1 'prompt": "x'   words in the body of the first of them
"""
import base64
import contextlib
import dataclasses
import http.client
import json
import operator
import re
import shlex
import threading
import time

from services import cdn, clock, fal, files, scripted, service

from house import ROOT, Client, eventually
from ports import held_port

KINDS = {"submissions": "submit", "polls": "poll", "results": "result", "cancels": "cancel", "files": "file",
         "keysets": "keys"}
COMPARISONS = {"=": operator.eq, ">=": operator.ge, "<=": operator.le, "!=": operator.ne}
SERVICE_KINDS = ("submit", "poll", "result", "cancel", "file")
METHODS = ("GET", "POST", "PUT", "DELETE")
CREDITS = 1000

CLIP = """model "clip" {{
    type = "video", summary = "A film at a fixed price", estimated = 5, timeout = {timeout}, price = per_call(5),
    params = {{ prompt = text{{ required, min = 1, max = 5000 }}, source_url = url{{ "image", nullable }} }},
    routes = {{ {routes} }},
    results = function(out) return {{ {{ url = artifact(out.video), seed = out.seed }} }} end,
}}
"""


@dataclasses.dataclass
class Scenario:
    name: str
    words: str = ""
    model: str = "clip"
    parameters: dict = dataclasses.field(default_factory=dict)
    speed: int = 20
    timeout_s: int = 86400
    keys: tuple = ("fake-key",)
    routes: list = dataclasses.field(default_factory=list)      # (name, priority) beside fal's
    adapter: list = dataclasses.field(default_factory=list)     # lines of the adapter's table
    provider: list = dataclasses.field(default_factory=list)    # lines of the provider's settings
    settings: list = dataclasses.field(default_factory=list)
    dialect: str = None
    away: list = dataclasses.field(default_factory=list)        # services that do not listen
    target: str = "fake/film/make"
    host: str = "127.0.0.1"
    next: dict = dataclasses.field(default_factory=dict)        # what the next life has of these
    steps: dict = dataclasses.field(default_factory=dict)       # (service, kind) -> answers
    acts: list = dataclasses.field(default_factory=list)        # (when, service, kind, number, words)
    tasks: list = dataclasses.field(default_factory=list)       # of expectations, each a list of words
    until: dict = dataclasses.field(default_factory=dict)       # what is expected of a repeated task, by its number
    later: dict = dataclasses.field(default_factory=dict)       # seconds before a task, by its number
    now: dict = dataclasses.field(default_factory=dict)         # (kind, answer) for what comes after it, by a task's number


def parse(path):
    scenario, comments = Scenario(path.stem), []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        line = line.strip()
        try:
            if line.startswith("#"):
                comments.append(line.lstrip("# "))
            elif line:
                read_line(scenario, line)
        except Exception as failure:
            raise ValueError(f"{path.name}:{number}: {line}: {failure}") from failure
    scenario.words = " ".join(comments)
    assert scenario.words and scenario.tasks, f"{path.name}: a scenario says what it is about, and has a task"
    return scenario


def read_line(scenario, line):
    word, _, rest = line.partition(" ")
    rest = rest.strip()
    simple = {"model": str, "dialect": str, "speed": int, "timeout_s": int}
    if word in simple:
        setattr(scenario, word, simple[word](rest))
    elif word == "with":
        scenario.parameters = json.loads(rest)
    elif word == "keys":
        scenario.keys = tuple(rest.split())
    elif word == "route":
        name, priority = rest.split()
        scenario.routes.append((name, int(priority)))
    elif word in ("adapter", "provider"):
        getattr(scenario, word).append(rest)
    elif word == "setting":
        scenario.settings.append(rest)
    elif word in ("at", "after"):
        read_act(scenario, word, rest)
    elif word == "next":
        what, *words = rest.split()
        scenario.next[{"keys": "keys", "target": "target", "url": "host"}[what]] = tuple(words) if what == "keys" else words[0]
    elif word == "away":
        scenario.away.append(rest)
    elif word == "later":
        scenario.later[len(scenario.tasks) + 1] = int(rest)
    elif word == "now":
        name, kind, words = read_kind(rest.split(" "))
        assert name == "main" and words, "an answer of the main service is missing"
        scenario.now.setdefault(len(scenario.tasks) + 1, []).append((kind, " ".join(words)))
    elif word == "task":
        scenario.tasks.append([])
        if rest:
            until, *words = shlex.split(rest)
            assert until == "until" and words, "a task can only be repeated until something"
            scenario.until[len(scenario.tasks)] = words
    elif word == "expect":
        scenario.tasks[-1].append(shlex.split(rest))
    else:
        read_step(scenario, line)


def read_kind(words):
    """Service and kind that the words begin with, and what follows."""
    if words[0] in METHODS:
        return "main", " ".join(words[:2]), words[2:]
    name, _, kind = words[0].rpartition(".")
    assert kind in SERVICE_KINDS, f"no such word: {kind}"
    return name or "main", kind, words[1:]


def read_step(scenario, line):
    name, kind, rest = read_kind(line.split(" "))
    text = " ".join(rest).strip()
    times = re.search(r" x(\d+)$", text)
    text = text[:times.start()] if times else text
    assert text, "an answer is missing"
    scenario.steps.setdefault((name, kind), []).extend([text] * int(times[1] if times else 1))


def read_act(scenario, when, rest):
    name, kind, rest = read_kind(rest.split())
    scenario.acts.append((when, name, kind, int(rest[0]), rest[1:]))


# ---- the stage ----

class Stage:
    """The services, the Fennec in front of them, and what happens in a scenario."""

    def __init__(self, scenario, make_server):
        self.scenario, self.clock = scenario, clock.Clock(scenario.speed)
        self.files = cdn.FileHost(self.script("main", ("file",)), self.clock, host="127.0.0.2")
        self.elsewhere = cdn.FileHost(time=self.clock, host="127.0.0.3")
        self.services = {name: self.make_service(name) for name in ["main", *(name for name, _ in scenario.routes)]}
        self.held = contextlib.ExitStack()
        for name in scenario.away:  # nobody else comes to listen there
            self.services[name].stop()
            self.services[name].url = f"http://127.0.0.1:{self.held.enter_context(held_port())}"
        self.server = make_server(models=self.model())
        self.server.environment = self.clock.environment
        self.write_adapters()
        self.server.configure(self.settings())
        self.at_rest, self.down, self.tasks, self.seen = threading.Event(), threading.Event(), [], {}
        self.threads, self.answers, self.failures = [], {"cancelled": [], "refreshed": []}, []
        self.at_rest.set()
        self.server.start()
        self.key = self.server.key("one", credits=CREDITS)
        for when, name, kind, number, words in scenario.acts:
            self.service_of(name, kind).moments.add(when, kind, number, self.act(words))

    def script(self, name, kinds=None):
        return service.Script({kind: steps for (owner, kind), steps in self.scenario.steps.items()
                               if owner == name and (kinds is None or kind in kinds)})

    def service_of(self, name, kind):
        return self.files if kind == "file" else self.services[name]

    def make_service(self, name):
        if self.scenario.dialect:
            made = scripted.ScriptedService(self.script(name), self.clock)
        else:
            made = fal.FalService(self.script(name), self.clock, self.scenario.keys, host_of_files=self.files)
        film = base64.b64encode(files.BY_NAME["large"][1]).decode()
        made.names.update(file=self.files.url + "/files/film.mp4", mp4_large=film,
                          elsewhere=self.elsewhere.url + "/film.mp4")
        self.files.names.update(made.names)
        return made

    # -- what Fennec is started with

    def model(self):
        scenario = self.scenario
        if scenario.dialect:
            models = (ROOT / "tests" / "simulator" / "dialects.lua").read_text()
            return re.search(rf'^model "{scenario.model}" .*?^}}$|\Z', models, re.M | re.S)[0]
        if scenario.model != "clip":
            return ""
        routes = "".join(f'{{ provider = "{name}", target = "{scenario.target}", priority = {priority} }}, '
                         for name, priority in [("fal", 0), *scenario.routes])
        return CLIP.format(timeout=scenario.timeout_s, routes=routes)

    def main_provider(self):
        return self.scenario.dialect or "fal"

    def write_adapters(self):
        folder = self.server.catalog / "providers"
        folder.mkdir()
        for name, service_ in self.services.items():
            provider = self.main_provider() if name == "main" else name
            own = ROOT / "tests" / "unit" / "provider" / "dialects" / f"{self.scenario.dialect}.lua"
            path = own if own.exists() else ROOT / "lua" / "providers" / f"{self.main_provider()}.lua"
            source = path.read_text().replace("https://rest.fal.ai", service_.url)
            for line in self.scenario.adapter:
                source = replace_member(source, line)
            (folder / f"{provider}.lua").write_text(source)

    def settings(self):
        providers = []
        for name, service_ in self.services.items():
            provider = self.main_provider() if name == "main" else name
            keys = ", ".join(f'"{key}"' for key in self.scenario.keys)
            more = "".join(f", {line}" for line in self.scenario.provider)
            members = f'key = {{ {keys} }}, url = "{self.address_of(service_)}", allow_private = true{more}'
            providers.append(f'["{provider}"] = {{ {members} }}')
        hosts = {one.url.removeprefix("http://") for one in (self.files, self.elsewhere, *self.services.values())}
        allow = ", ".join(f'"{host}"' for host in sorted(hosts))
        return "\n".join([f"providers = {{ {', '.join(providers)} }}", f"fetch = {{ allow = {{ {allow} }} }}",
                          f'public_url = "http://{self.server.address}"',
                          "http = { idle = 86400, request = 86400 }",  # clients have time, however fast the server's runs
                          *self.scenario.settings])

    def address_of(self, service_):
        return service_.url.replace("127.0.0.1", self.scenario.host)

    def begin_next_life(self):
        for name, value in self.scenario.next.items():
            setattr(self.scenario, name, value)
        if self.scenario.next:
            for one in self.services.values():
                one.keys = (*getattr(one, "keys", ()), *self.scenario.keys)
            self.server.models(self.model())
            self.server.configure(self.settings())
        self.server.start()

    # -- what happens beside

    def act(self, words):
        name, *rest = words
        return lambda entry: getattr(self, "act_" + name)(entry, *rest)

    def act_kill(self, entry):
        """Who is asked about a job is known; whether that is on the disk is no matter of luck."""
        if entry.kind in ("poll", "result", "file"):
            self.await_submitted()
        self.end(self.server.kill)

    def await_submitted(self):
        """Until the service's name for the job is stored."""
        self.at_rest.wait(60)
        eventually(lambda: "submitted" in [event["kind"] for event in self.server.shown(self.tasks[-1])["events"]])

    def act_stop(self, _entry):
        """The answer that is waited for may come before the end; the end is waited for elsewhere."""
        self.at_rest.wait(60)
        self.server.process.terminate()
        self.beside(lambda: self.end(self.server.reap))

    def end(self, how):
        self.at_rest.wait(60)
        how()
        self.down.set()

    def act_see(self, _entry, status, progress=None):
        self.at_rest.wait(60)
        with self.client() as client:
            def shown():
                task = client.task(self.tasks[-1])
                return (task["status"], task["progress"]) == (status, int(progress or task["progress"]))

            self.checked(lambda: eventually(shown, 30))

    def act_cancel(self, _entry):
        self.beside(lambda: self.ask("cancelled", "POST", "/cancel"))

    def act_refresh(self, _entry):
        def refresh():
            self.await_submitted()
            self.ask("refreshed", "GET", "?sync_upstream=true")

        self.beside(refresh)

    def act_poll(self, _entry, *words):
        self.services["main"].script.go_on("poll", " ".join(words))

    def ask(self, kind, method, suffix):
        self.at_rest.wait(60)
        with self.client() as client:
            self.answers[kind].append(client.request(method, f"/v1/tasks/{self.tasks[-1]}{suffix}").status)

    def act_webhook(self, entry, how, status="ok"):
        main = self.services["main"]
        main.call(main.jobs[entry.job], how, 422 if status == "error" else 200)

    def beside(self, work):
        thread = threading.Thread(target=self.checked, args=(work,), daemon=True)
        self.threads.append(thread)
        thread.start()

    def checked(self, work):
        try:
            work()
        except BaseException as failure:  # pylint: disable=broad-except
            self.failures.append(failure)

    # -- tasks

    def client(self):
        return Client(self.server, self.key)

    def play(self):
        for number, expectations in enumerate(self.scenario.tasks, 1):
            time.sleep(self.clock.real_s(self.scenario.later.get(number, 0)))
            for kind, text in self.scenario.now.get(number, ()):
                self.services["main"].script.go_on(kind, text)
            until = self.scenario.until.get(number)
            task = eventually(lambda: self.run_task_until(until)) if until else self.run_task()
            for words in expectations:
                self.expect(task, words)
        self.check_always()

    def expect(self, task, words):
        getattr(self, "expect_" + words[0])(task, *words[1:])

    def run_task_until(self, words):
        task = self.run_task()
        try:
            self.expect(task, words)
        except AssertionError:
            return None
        return task

    def run_task(self):
        parameters = dict(self.scenario.parameters)
        if "prompt" not in parameters and "no_prompt" not in parameters:
            parameters["prompt"] = f"task {len(self.tasks) + 1}"
        parameters.pop("no_prompt", None)
        parameters = {name: fill(value, self.services["main"].names) for name, value in parameters.items()}
        self.at_rest.clear()
        with self.client() as client:
            endpoint = parameters.pop("endpoint", "/v1/videos/generations")
            self.tasks.append(client.submit(self.scenario.model, endpoint, **parameters))
        self.at_rest.set()
        task = eventually(lambda: self.look(self.tasks[-1]))
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive(), "what happens beside hangs"
        self.raise_again()
        return task

    def look(self, task_id):
        """The task when it is final; brings the server back when it has gone."""
        self.raise_again()
        if self.down.is_set():
            self.down.clear()
            self.begin_next_life()
        try:
            with self.client() as client:
                answer = client.get(f"/v1/tasks/{task_id}")
        except (OSError, http.client.HTTPException):  # between two lives, or in the middle of the answer
            return None
        if answer.status == 503:
            return None
        assert answer.status == 200, answer
        return answer.json() if answer.json()["status"] in ("completed", "failed") else None

    def raise_again(self):
        if self.failures:
            raise self.failures[0]

    # -- expectations

    def expect_completed(self, task):
        assert task["status"] == "completed" and task["progress"] == 100 and task["results"], (task, self.shown(task))

    def expect_failed(self, task, code):
        assert task["status"] == "failed" and task["error"]["code"] == code, (task, self.shown(task))

    def expect_message(self, task, *words):
        assert " ".join(words) in task["error"]["message"], task

    def expect_result(self, task, name, value):
        assert str(task["results"][0][name]) == value, task

    def expect_charged(self, task, credits):
        usage = task["usage"]
        assert (usage["credits_charged"], usage["credits_refunded"]) == (
            float(credits), usage["credits_reserved"] - float(credits)), usage

    def expect_timeline(self, task, *kinds):
        assert [event["kind"] for event in self.shown(task)["events"]] == list(kinds), self.shown(task)["events"]

    def expect_attempts(self, task, *states):
        assert [one["state"] for one in self.shown(task)["attempts"]] == list(states), self.shown(task)["attempts"]

    def expect_providers(self, task, *providers):
        assert [one["provider"] for one in self.shown(task)["attempts"]] == list(providers)

    def expect_event(self, task, kind, name=None, comparison=None, value=None):
        events = [event["data"] for event in self.shown(task)["events"] if event["kind"] == kind]
        assert events, (kind, self.shown(task)["events"])
        if name:
            found = [data.get(name) for data in events]
            wanted = type(found[0])(value)
            assert any(COMPARISONS[comparison](one, wanted) for one in found), (found, comparison, wanted)

    def expect_keys(self, _task, *keys):
        entries = self.services["main"].journal.of("submit")
        sent = [entry.request.headers["authorization"].split(" ")[-1] for entry in entries]
        assert sent == list(keys), sent

    def expect_accepted(self, _task, count):
        assert sum(entry.accepted for entry in self.services["main"].journal.of("submit")) == int(count)

    def expect_rest(self, _task, after, seconds):
        came = [entry.request.at for entry in self.services["main"].journal.of("submit")][int(after) - 1:]
        rests = [(later - earlier) * self.clock.speed for earlier, later in zip(came, came[1:])]
        assert all(rest >= float(seconds) for rest in rests), rests

    def expect_elsewhere(self, _task, count):
        assert self.elsewhere.journal.count("file") == int(count)

    def expect_webhooks(self, _task, *statuses):
        """The task may end before the service has heard what its call is answered."""
        answers = self.services["main"].webhook_answers
        eventually(lambda: len(answers) >= len(statuses))
        assert [str(one) for one in answers] == list(statuses)

    def expect_cancelled(self, _task, *statuses):
        assert [str(one) for one in self.answers["cancelled"]] == list(statuses)

    def expect_refreshed(self, _task, *statuses):
        assert [str(one) for one in self.answers["refreshed"]] == list(statuses)

    def expect_requests(self, _task, *words):
        """`POST /v1/videos 2`: of a scripted service."""
        name, kind, rest = read_kind(list(words))
        assert self.services[name].journal.count(kind) == int(rest[0]), self.services[name].journal.kinds()

    def expect_sent(self, _task, *words):
        """`POST /v1/videos 1 WORDS`: that request's body has the words."""
        name, kind, rest = read_kind(list(words))
        body = self.services[name].journal.of(kind)[int(rest[0]) - 1].request.body.decode("latin-1")
        assert " ".join(rest[1:]) in body, body[:2000]

    def __getattr__(self, word):
        """expect_submissions and the like: how many requests of a kind there were."""
        name, _, plural = word.removeprefix("expect_").rpartition(".")
        if not word.startswith("expect_") or plural not in KINDS:
            raise AttributeError(word)

        def compare(_task, *words):
            *comparison, count = words
            kind, journal = KINDS[plural], self.service_of(name or "main", KINDS[plural]).journal
            if not comparison:  # what is given up without an answer may be read a moment later
                journal.wait_until(lambda: journal.count(kind) >= int(count))
            found = journal.count(kind)
            assert COMPARISONS[(comparison or ["="])[0]](found, int(count)), f"{found} {plural}"

        return compare

    def shown(self, task):
        """As operators see a task that is final, and so stays as it is."""
        if task["id"] not in self.seen:
            self.seen[task["id"]] = self.server.shown(task["id"])
        return self.seen[task["id"]]

    # -- what must hold whatever a scenario is about

    def check_always(self):
        for entry in self.files.journal.of("file") + self.elsewhere.journal.of("file"):
            assert "authorization" not in entry.request.headers, "a key was shown to a host of files"
        with self.client() as client:
            tasks = [client.task(task) for task in self.tasks]
            charged = sum(task["usage"]["credits_charged"] for task in tasks)
            assert client.credits() == CREDITS - charged
            for task in tasks:
                assert task["status"] != "failed" or task["usage"]["credits_charged"] == 0
                if task["status"] == "completed":
                    self.check_downloads(client, task)
        told = self.server.log_text() + "".join(json.dumps(self.server.shown(task)) for task in self.tasks)
        assert not [key for key in self.scenario.keys if key in told], "a key is in the log or in a timeline"
        for one in self.services.values():
            assert one.journal.count("unexpected") == 0, [e.request.target for e in one.journal.of("unexpected")]
        if not self.scenario.dialect:
            self.check_paid_once(tasks)

    @staticmethod
    def check_downloads(client, task):
        for result in task["results"]:
            if "url" in result:
                assert client.download(result["url"]).status == 200, result

    def check_paid_once(self, tasks):
        """At most one job of a task may cost anything, and one for each attempt was made."""
        jobs = [job for one in self.services.values() for job in one.jobs.values()]
        for number, task in enumerate(tasks, 1):
            prompt = self.scenario.parameters.get("prompt", f"task {len(self.tasks) + 1}")
            own = [job for job in jobs if job.input.get("prompt") == prompt]
            attempts = self.shown(task)["attempts"]
            assert len(own) <= len(attempts), (own, attempts)
            assert sum(job.may_cost() for job in own) <= 1, own
            if task["status"] == "failed" and task["error"]["code"] == "submission_unknown":
                assert len(own) <= 1 and attempts[-1]["state"] != "succeeded", (own, attempts)

    def close(self):
        self.held.close()
        for name, one in (("files", self.files), ("elsewhere", self.elsewhere), *self.services.items()):
            if name not in self.scenario.away:
                one.stop()


def fill(value, names):
    return re.sub(r"\$([a-z0-9_]+)", lambda m: str(names.get(m[1], m[0])), value) if isinstance(value, str) else value


def replace_member(source, line):
    """An adapter's text with another value of one member: `poll_first = 3600`."""
    name = line.split(" ")[0]
    changed, count = re.subn(rf"^    {name} = .*,$", f"    {line},", source, count=1, flags=re.M)
    if count == 0:
        changed, count = re.subn(r"^return \{$", f"return {{\n    {line},", source, count=1, flags=re.M)
    assert count == 1, line
    return changed
