"""A real server with the fault library in it, a small load of whole lives, and the library's control file.

The library (fault.c) is loaded before all others, also before the sanitizers' own, which ask for nothing but that nobody
insists on the opposite: so the very build that the other suites test is used, and what leaks on the way of an error is
found when the server stops."""
import base64
import contextlib
import http.client
import json
import mmap
import os
import pathlib
import re
import struct
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "simulator")]

import aftermath as after  # noqa: E402
from house import FENNEC, PATIENCE_S, ROOT, Answer, Client, Server, eventually, file_model, saying_model  # noqa: E402,F401
import llm  # noqa: E402
from services import clock, fal  # noqa: E402
from services.ollama import OllamaService  # noqa: E402,F401
from services.openai_chat import OpenAiService  # noqa: E402
from services.receiver import Receiver  # noqa: E402

LIBRARY = pathlib.Path(FENNEC).parent / "tests" / "fault" / "fault.so"
CALLS = re.findall(r"^    X\((\w+)\)", (HERE / "fault.h").read_text(), re.M)
HEAD, ORDER = 5, 5  # 64-bit words of struct control and struct order
NEVER = 1 << 62
SPEED = 20
UNKNOWN = object()  # what a request came to whose connection broke

# What may be answered while calls fail, by the contract's table: type by status.
TYPES = {400: ("invalid_request_error",), 401: ("authentication_error",), 402: ("insufficient_quota",),
         403: ("permission_error",), 404: ("not_found",), 405: ("invalid_request_error",), 409: ("conflict_error",),
         413: ("request_too_large_error", "file_too_large_error"), 422: ("invalid_request_error", "service_unavailable_error"),
         429: ("rate_limit_error",), 500: ("server_error",), 503: ("service_unavailable",)}

# Leaves a file, after a word of progress.
MAKER = """#!/bin/sh
cat >/dev/null
echo progress 50
printf '\\211PNG\\r\\n\\032\\n\\0\\0\\0\\015IHDR\\0\\0\\0\\1\\0\\0\\0\\1\\010\\6\\0\\0\\0\\037\\025\\304\\211' >out.png
echo 'result {"file":"out.png"}'
"""
FILE = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(5000)).decode()
MODELS = """model "maker" {
    type = "image", summary = "Makes a file", estimated = 1, timeout = 600, price = per_call(3),
    params = { prompt = text{ min = 1, max = 2000, default = "x" } },
    routes = { exec = { command = "maker" } },
    results = function(out) return { { url = artifact(out) } } end,
}
model "clip" {
    type = "video", summary = "A film", estimated = 5, timeout = 6000, price = per_call(5),
    params = { prompt = text{ required, min = 1, max = 5000 } },
    routes = { fal = { target = "fake/film/make" } },
    results = function(out) return { { url = artifact(out.video), seed = out.seed } } end,
}
"""


class Control:
    """The control file. Orders are changed only while the call's order is off, so that the library sees whole ones."""

    def __init__(self, path):
        self.path, size = path, 8 * (HEAD + ORDER * len(CALLS))
        path.write_bytes(bytes(size))
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), size)
        self.put(2, -1)
        self.armed = (None, 0)  # the last call that was, and from which time on

    def put(self, word, value):
        struct.pack_into("<q", self.memory, 8 * word, value)

    def word(self, word):
        return struct.unpack_from("<q", self.memory, 8 * word)[0]

    def before_a_life(self):
        self.put(0, 0)

    @property
    def ready(self):
        return self.word(0)

    def arm(self, call, first, error, period=0):
        """From the `first` time on: once, or every `period` times; an error of 0 lets half of the bytes go."""
        at = HEAD + ORDER * CALLS.index(call)
        self.armed = (call, first)
        self.put(at, 0)
        for offset, value in ((1, period), (2, error), (3, 0), (4, 0), (0, first)):
            self.put(at + offset, value)

    def disarm(self, call):
        """How often the call was made since it was armed, and how often it failed."""
        at = HEAD + ORDER * CALLS.index(call)
        self.put(at, 0)
        return self.word(at + 3), self.word(at + 4)

    def seen(self, call):
        """How often it was made since it was armed."""
        return self.word(HEAD + ORDER * CALLS.index(call) + 3)

    def set_wall_ahead(self, seconds):
        self.put(1, int(seconds * 1e9))

    def set_bytes_left(self, count):
        self.put(2, count)

    def hold_names(self, hold):
        self.put(3, int(hold))

    def hold_syncs(self, hold):
        self.put(4, int(hold))


class Kept:
    """What clients know, over all lives."""

    def __init__(self):
        self.acknowledged, self.prompts, self.statuses, self.files, self.lock = {}, {}, {}, [], threading.Lock()


class Stage:
    """The server, fal and a receiver of callbacks; whatever is accepted is written down."""

    def __init__(self, directory, settings="", speed=SPEED, queue_s=0.1, run_s=0.2):
        directory = pathlib.Path(directory)
        self.clock = clock.Clock(speed)
        self.fal = fal.FalService(time=self.clock, queue_s=queue_s, run_s=run_s)
        self.receiver, self.chat = Receiver(), OpenAiService()
        self.control = Control(directory / "control")
        self.kept, self.number, self.deaths = Kept(), 0, []
        self.server = Server(directory, "", MODELS + llm.model("chatty", llm.route("openai")), {"maker": MAKER})
        (self.server.catalog / "providers").mkdir()
        source = (ROOT / "lua" / "providers" / "fal.lua").read_text().replace("https://rest.fal.ai", self.fal.url)
        (self.server.catalog / "providers" / "fal.lua").write_text(source)
        self.server.configure(f"""simulator = {{ seconds = 0.2 }}
providers = {{ fal = {{ key = "fake-key", url = "{self.fal.url}", allow_private = true, poll_min = 0.5 }},
    openai = {{ key = "fake-key", url = "{self.chat.url}/v1", allow_private = true }} }}
fetch = {{ allow = {{ "{self.fal.host}:{self.fal.port}", "{self.receiver.pair}" }} }}
callbacks = {{ allow_http = true }}
groups = {{ default = {{ concurrency = 2000, requests_per_minute = 0 }} }}
http = {{ idle = 86400, request = 86400 }}
drain = 200
{settings}""")
        self.server.errors_expected = True
        self.key, self.test_key = None, None
        self.environment()

    def environment(self):
        asan = os.environ.get("ASAN_OPTIONS", "")
        lsan = os.environ.get("LSAN_OPTIONS", "")
        self.server.environment = {
            **self.clock.environment, "LD_PRELOAD": str(LIBRARY), "FAULT_CONTROL": str(self.control.path),
            "FAULT_TRACE": str(self.server.directory / "faults.log"),
            "LSAN_OPTIONS": f"{lsan}:suppressions={HERE / 'linker.supp'}:print_suppressions=0",
            "ASAN_OPTIONS": asan + ":verify_asan_link_order=0:allocator_may_return_null=1:handle_abort=0"}

    # -- lives

    def start(self):
        self.control.before_a_life()
        self.server.start()
        assert self.control.ready == self.server.process.pid, "the library is not in the server"
        if self.key is None:
            self.key, self.test_key = self.server.key("one", credits=10 ** 6), self.server.key("two", test=True)
        return self

    def try_start(self):
        """A start that may fail: whether it serves; else how it ended and what it said."""
        self.control.before_a_life()
        process = self.server.spawn(f"127.0.0.1:{self.server.port}")
        line = process.stdout.readline()
        if line.startswith("listening on http://"):
            self.server.process, self.server.port = process, int(line.strip().rsplit(":", 1)[1])
            return None
        process.stdout.close()
        return process.wait(timeout=PATIENCE_S)

    def set_clock(self, seconds):
        """The server's wall clock is so far ahead of the true one from now on, as it sees time."""
        self.control.set_wall_ahead(seconds / self.clock.speed)

    @property
    def dead(self):
        return self.server.process.poll() is not None

    def bury(self, call, number):
        """After a death: how it died is written down, and it lives again."""
        status = self.server.reap()
        self.deaths.append((call, number, status, self.struck()))
        self.start()

    @contextlib.contextmanager
    def told(self, what):
        """What fails inside says what was struck, where that stands, and how the open tasks and callbacks are."""
        try:
            yield
        except AssertionError as failure:
            raise AssertionError(f"{what} (in {self.struck()}): {failure}\n{self.state()}") from failure

    def state(self):
        """For people: what is not over yet, by the store, the server and the system."""
        data = self.server.data
        words = [f"dead: {self.dead}"]
        for task, model, state, progress in after.rows(data, "SELECT id, model, state, progress FROM task WHERE state < 2"):
            timeline = after.rows(data, "SELECT kind, data FROM event WHERE task = ?", task)
            words.append(f"{task} {model} state={state} progress={progress}: {timeline}")
        words += [f"callback {row}" for row in after.rows(data, "SELECT task, state, tries FROM callback WHERE state < 2")]
        for thread in sorted(pathlib.Path(f"/proc/{self.server.process.pid}/task").glob("*")):
            with contextlib.suppress(OSError):
                words.append(f"thread {(thread / 'comm').read_text().strip()}: {(thread / 'wchan').read_text()}")
        return "\n".join(words)

    def struck(self):
        """Whose call it was that failed last: the file name of the program or library that made it."""
        stack = (self.server.directory / "faults.log").read_text(errors="replace").rsplit("-- ", 1)[-1]
        names = [pathlib.Path(line.split("(")[0]).name for line in stack.splitlines()[1:]]
        between = (LIBRARY.name, "libasan")  # AddressSanitizer stands before some calls, too
        return next((name for name in names if not name.startswith(between)), "")

    # -- the load

    def request(self, client, method, path, body=None):
        """Its answer, one of the table's; UNKNOWN when there was none."""
        try:
            answer = client.request(method, path, body)
        except (OSError, http.client.HTTPException):
            return UNKNOWN
        self.check(answer, path)
        return answer

    def check(self, answer, path):
        with self.kept.lock:
            self.kept.statuses[answer.status] = self.kept.statuses.get(answer.status, 0) + 1
        if answer.status == 200:
            return
        assert answer.status in TYPES, (path, answer)
        error = answer.json()["error"]
        assert list(error) == ["message", "type", "code", "param"] and error["message"], (path, answer)
        assert error["type"] in TYPES[answer.status], (path, answer)
        assert answer.headers.get("X-Request-Id"), (path, answer.headers.items())
        if answer.status in (429, 503):
            assert int(answer.headers["Retry-After"]) > 0, (path, answer.headers.items())

    def submit(self, client, model, endpoint, **parameters):
        """The task's id, once acknowledged."""
        with self.kept.lock:
            self.number += 1
            prompt = f"prompt {self.number}"
        answer = self.request(client, "POST", endpoint, {"model": model, "prompt": prompt, **parameters})
        if answer is UNKNOWN:
            return None
        assert answer.status in (200, 500, 503), answer
        if answer.status != 200:
            return None
        task = answer.json()["id"]
        with self.kept.lock:
            assert task not in self.kept.acknowledged
            self.kept.acknowledged[task] = model
            self.kept.prompts[task] = prompt
        return task

    def submit_all(self, client, tester):
        return [(client, self.submit(client, "maker", "/v1/images/generations")),
                (client, self.submit(client, "clip", "/v1/videos/generations", callback_url=self.receiver.url("/back"))),
                (tester, self.submit(tester, "phota-image", "/v1/images/generations"))]

    def taken(self, task):
        """Once the store knows the service's id of its job: from then on a kill takes nothing away."""
        eventually(lambda: after.rows(self.server.data, "SELECT 1 FROM attempt WHERE task = ? AND remote <> ''", task))

    def final(self, client, task, patience_s=PATIENCE_S):
        """The task once it has ended; None when the server has."""
        last = None

        def look():
            nonlocal last
            last = self.request(client, "GET", f"/v1/tasks/{task}?wait=5")
            if last is UNKNOWN or last.status != 200:
                return self.dead
            return last.json()["status"] in ("completed", "failed") and last.json()
        try:
            ended = eventually(look, patience_s)
        except AssertionError as failure:
            what = "no answer" if last is UNKNOWN else last
            raise AssertionError(f"the end of {task} ({self.kept.acknowledged[task]}), last seen {what}: {failure}") from failure
        return None if ended is True else ended

    def new_file(self):
        """Like no other, since one that is there already is not written again; and large: small ones are no file of their own."""
        with self.kept.lock:
            self.number += 1
            return base64.b64encode(base64.b64decode(FILE) + bytes(100000) + str(self.number).encode()).decode()

    def look_around(self, client, tester):
        """What else a client does: files, a chat, discovery, credits."""
        answer = self.request(client, "POST", "/v1/files/upload/base64", {"file_data": self.new_file(), "file_name": "a.png"})
        if answer is not UNKNOWN and answer.status == 200:
            self.kept.files.append(answer.json())
        for who in (client, tester):
            answer = self.request(who, "POST", "/v1/chat/completions",
                                  {"model": "chatty", "max_tokens": 50, "messages": [{"role": "user", "content": "Hi."}]})
            assert answer is UNKNOWN or answer.status in (200, 429, 500, 503), answer
        for path in ("/v1/account/credits", "/v1/models", "/v1/tasks?limit=3", "/healthz", "/metrics"):
            with contextlib.suppress(OSError, http.client.HTTPException):
                client.get(path)

    def round(self):
        """One of everything, up to its end. Gives what it accepted."""
        with Client(self.server, self.key) as client, Client(self.server, self.test_key) as tester:
            submitted = [(who, task) for who, task in self.submit_all(client, tester) if task]
            self.look_around(client, tester)
            for who, task in submitted:
                ended = self.final(who, task)
                if ended and ended["status"] == "completed" and ended["results"][0].get("url"):
                    with contextlib.suppress(OSError, http.client.HTTPException):
                        who.download(ended["results"][0]["url"])
        return [task for _, task in submitted]

    # -- the end

    def lives(self):
        """Again, if the last fault was its death: to die takes a moment."""
        if self.dead:
            self.bury(*self.control.armed)
        return True

    def settle(self):
        """A life without faults that brings everything to its end; then all that must be true."""
        for call in CALLS:
            self.control.disarm(call)
        if self.server.process is None:
            self.start()
        data = self.server.data
        eventually(lambda: self.lives() and after.open_tasks(data) == 0, 120)
        eventually(lambda: self.lives() and not after.orphans(data), 120)
        self.assert_callbacks()
        assert self.server.stop() == 0, self.server.log_text()[-4000:]
        self.assert_invariants()

    def assert_callbacks(self):
        """W1: each was delivered in the end."""
        data = self.server.data

        def waiting():
            return after.rows(data, "SELECT count(*) FROM callback WHERE state < 2")[0][0]
        eventually(lambda: waiting() == 0, 120)
        assert after.rows(data, "SELECT task, outcome FROM callback WHERE state <> 2") == []
        heard = {json.loads(one.body)["id"] for one in self.receiver.requests}
        assert {row[0] for row in after.rows(data, "SELECT task FROM callback")} <= heard

    def assert_invariants(self):
        data = self.server.data
        after.assert_acknowledged_tasks_are_final(data, list(self.kept.acknowledged))
        after.assert_every_task_ended_once(data)
        after.assert_no_input_is_left(data)
        after.assert_ledgers_sum(data, FENNEC, by_use=("chatty", "seer"))
        after.assert_blobs_are_whole(data)
        after.assert_nothing_left_over(data)
        after.assert_no_job_is_made_twice(self.fal)
        files = {row[0] for row in after.rows(data, "SELECT id FROM file")}
        assert [one["id"] for one in self.kept.files if one["id"] not in files] == []
        log = self.server.log_text()
        for word in ("Sanitizer", "runtime error:"):
            assert word not in log, log[log.index(word) - 200:][:6000]

    def failed(self):
        """What was accepted and failed: model and error."""
        known = after.states(self.server.data)
        return [(task, self.kept.acknowledged[task], known[task][1]) for task in self.kept.acknowledged
                if known[task][0] == after.FAILED]

    def close(self):
        self.server.kill_all()
        self.fal.stop()
        self.chat.stop()
        self.receiver.close()
