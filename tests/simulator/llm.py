"""Fennec in front of simulated language models: services of each dialect, their models, what clients say."""
import contextlib
import dataclasses
import fractions
import http.client
import json
import math
import re
import socket
import threading

from services import anthropic, chat, clock, gemini, ollama, openai_chat

import house

DIALECTS = {"openai": openai_chat.OpenAiService, "anthropic": anthropic.AnthropicService,
            "gemini": gemini.GeminiService, "ollama": ollama.OllamaService}
GENERATIONS, COMPLETIONS, TWIN = "/v1/llm/generations", "/v1/chat/completions", "/v1/llm_async/chat/completions"
TASK_ID = re.compile(r"task-llm-\d{10}-[a-z0-9]{8}\Z")
CREDITS = 1000
KEYS = ["id", "object", "type", "model", "status", "progress", "created", "stream", "results", "error", "usage"]
MICRO = 10 ** 6
# Microcredits a token, by what it is: those of PRICE.
INPUT, OUTPUT, CACHED = 3, 15, fractions.Fraction(3, 10)
PRICE = "per_token{ input = 3, output = 15, cached = 0.3 }"
PNG = ("data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
       "rkJggoAA")
WAV = "data:audio/wav;base64,UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA="
MP4 = "data:video/mp4;base64,AAAAGGZ0eXBpc29tAAAAAGlzb21tcDQy"


def adapter(dialect, url="http://127.0.0.1:1"):
    """An adapter for one more service of that dialect."""
    auth = {"openai": '{ Authorization = "Bearer " .. key }', "gemini": '{ ["x-goog-api-key"] = key }',
            "anthropic": '{ ["x-api-key"] = key }', "ollama": "{}"}[dialect]
    return f'return {{ url = "{url}", chat = "{dialect}", auth = function(key) return {auth} end }}\n'


def model(name, routes, price=PRICE, more=""):
    """`routes`: Lua's table of them."""
    return f'llm "{name}" {{ routes = {{ {routes} }}, price = {price}, {more} }}\n'


def route(provider, target="fake-model", **more):
    return f'{{ provider = "{provider}", target = "{target}"{"".join(f", {k} = {v}" for k, v in more.items())} }}, '


class Stage:
    """`services` by provider's name; what is not a shipped adapter's is `DIALECT-anything`. `away`: those that do not
    listen."""

    def __init__(self, server, services, models="", settings="", away=(), speed=1):
        self.services, self.server, self.accounts, self.speed = services, server, 0, speed
        self.nobodies = [self.replace_by_nobody(services[name]) for name in away]
        if speed > 1:
            server.environment = clock.Clock(speed).environment
        folder = server.catalog / "providers"
        folder.mkdir()
        for name in services:
            if not (house.ROOT / "lua" / "providers" / f"{name}.lua").exists():
                (folder / f"{name}.lua").write_text(adapter(name.split("-")[0]))
        server.models(models)
        self.settings = settings
        server.configure(self.all_settings())

    @staticmethod
    def replace_by_nobody(service):
        """A socket whose port is the service's from now on: nobody else can get it, and nobody listens there."""
        service.stop()
        nobody = socket.socket()
        nobody.bind((service.host, 0))
        service.port = nobody.getsockname()[1]
        service.url = f"http://{service.host}:{service.port}"
        return nobody

    def all_settings(self):
        """Clients have all the time that they want, however fast the server's runs."""
        providers = ", ".join(f'["{name}"] = {{ key = "fake-key", url = "{self.base(name)}", allow_private = true }}'
                              for name in self.services)
        return f"providers = {{ {providers} }}\nhttp = {{ idle = 86400, request = 86400 }}\n{self.settings}"

    def base(self, name):
        """What paths are appended to: the dialects name theirs from the host on, OpenAI's from its /v1 on."""
        return self.services[name].url + ("/v1" if name.startswith("openai") else "")

    def client(self, credits=CREDITS, **options):
        """Of an account of its own."""
        self.accounts += 1
        account = f"account-{self.accounts}"
        return LlmClient(self.server, self.server.key(account, credits=credits, **options), account)

    def close(self):
        """After the server: what the services complain of, requests that none of them knows."""
        for one in self.services.values():
            assert one.journal.count("unexpected") == 0, [e.request.target for e in one.journal.of("unexpected")]
            assert not getattr(one, "ignored", None), one.ignored
        for one in self.services.values():
            with contextlib.suppress(OSError):
                one.stop()
        for one in self.nobodies:
            one.close()


@dataclasses.dataclass
class Event:
    name: str
    data: str
    id: str = None

    def json(self):
        return json.loads(self.data)


class Stream:
    """An answer read as it comes, over a connection of its own. `whole` once it has ended: whether it was all."""

    def __init__(self, server, method, path, body=None, headers=None, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(house.PATIENCE_S)
        self.socket.connect((server.host, server.port))
        self.file, self.line_rest, self.comments, self.whole = self.socket.makefile("rb"), b"", [], None
        data = json.dumps(body).encode() if body is not None else b""
        headers = {"Host": server.address, "Content-Length": len(data), "Content-Type": "application/json", **headers}
        head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        with contextlib.suppress(ConnectionError):  # it may answer, and close, before it has read all
            self.socket.sendall(head.encode() + b"\r\n" + data)
        self.status, self.headers = None, None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def head(self):
        """Waits for status and headers."""
        if self.status is None:
            line = self.file.readline()
            assert line.startswith(b"HTTP/1.1 "), line
            self.status, self.headers = int(line.split()[1]), http.client.parse_headers(self.file)
        return self

    @property
    def type(self):
        return self.head().headers.get("Content-Type").split(";")[0]

    def piece(self):
        """The next chunk of the transfer; empty at its end."""
        assert self.head().headers.get("Transfer-Encoding") == "chunked", self.headers
        try:
            line = self.file.readline()
            size = int(line, 16) if line else None
            if size is None:
                self.whole = False
                return b""
            data = self.file.read(size)
            self.file.readline()
        except ConnectionResetError:
            self.whole = False
            return b""
        if size == 0 or len(data) < size:
            self.whole = size == 0
            return b""
        return data

    def lines(self):
        """Up to the next empty line; None at the end."""
        while b"\n\n" not in self.line_rest:
            if self.whole is not None or not (data := self.piece()):
                assert not self.line_rest.strip() or not self.whole, self.line_rest
                return None
            self.line_rest += data
        event, self.line_rest = self.line_rest.split(b"\n\n", 1)
        return event.decode().split("\n")

    def event(self):
        """The next event; comments are kept apart. None: it has ended."""
        while (lines := self.lines()) is not None:
            fields = {}
            for line in lines:
                if line.startswith(":"):
                    self.comments.append(line)
                elif line:
                    name, _, value = line.partition(": ")
                    fields.setdefault(name, []).append(value)
            if "data" in fields:
                return Event(fields.get("event", ["message"])[0], "\n".join(fields["data"]),
                             fields.get("id", [None])[0])
        return None

    def comment(self):
        """The next comment."""
        count = len(self.comments)
        while len(self.comments) == count:
            lines = self.lines()
            assert lines is not None and all(line.startswith(":") for line in lines if line), lines
            self.comments += [line for line in lines if line]
        return self.comments[-1]

    def events(self):
        """All that is left."""
        return list(iter(self.event, None))

    def body(self):
        """Of an answer that is no stream of events."""
        if self.head().headers.get("Transfer-Encoding") == "chunked":
            return b"".join(iter(self.piece, b""))
        return self.file.read(int(self.headers["Content-Length"]))

    def error(self):
        return json.loads(self.body())["error"]

    def close(self):
        self.file.close()
        self.socket.close()


class LlmClient(house.Client):
    def __init__(self, server, key=None, account=None):
        super().__init__(server, key)
        self.account_name = account

    def tasks(self):
        """The ids of all that the account ever made, newest first. A call whose answer has come is written when the credits
        are told."""
        self.credits()
        return [task["id"] for task in self.server.listed(self.account_name)]

    def stream(self, method, path, body=None, headers=None, **options):
        return Stream(self.server, method, path, body, {"Authorization": f"Bearer {self.key}", **(headers or {})},
                      **options)

    def post(self, path, body):
        return self.request("POST", path, body)

    def generate(self, body, path=GENERATIONS):
        """The submit object."""
        answer = self.post(path, body)
        assert answer.status == 200, answer
        task = answer.json()
        assert list(task)[:11] == KEYS, task
        assert TASK_ID.match(task["id"]) and (task["object"], task["type"]) == ("llm.generation.task", "llm"), task
        return task

    def complete(self, body, path=COMPLETIONS):
        """The ChatCompletion of a call that waits for it, and the task's id."""
        answer = self.post(path, body)
        assert answer.status == 200, answer
        value = answer.json()
        assert value["object"] == "chat.completion", value
        return value, answer.headers["X-Task-Id"]

    def refused(self, body, path=COMPLETIONS):
        """(status, error) of what must be refused."""
        answer = self.post(path, body)
        assert answer.status >= 400 and answer.headers["X-Request-Id"], answer
        assert list(answer.error()) == ["message", "type", "code", "param"], answer
        return answer.status, answer.error()

    def follow(self, task, offset=None, headers=None):
        """The task's stream, from `offset` on."""
        url = task["stream"]["url"] if isinstance(task, dict) else f"{GENERATIONS}/{task}/stream"
        return self.stream("GET", url + ("" if offset is None else f"?offset={offset}"), headers=headers)

    def final(self, task_id, patience_s=house.PATIENCE_S):
        """A call is written when it has been answered, which may be a moment ago."""
        house.eventually(lambda: self.get(f"/v1/tasks/{task_id}").status == 200, patience_s)
        return super().final(task_id, patience_s)

    def settled(self, task_id):
        """The final task, after checking that reserved = charged + refunded."""
        task = self.final(task_id)
        reserved, charged, refunded = (micro(task["usage"][f"credits_{word}"])
                                       for word in ("reserved", "charged", "refunded"))
        assert reserved == charged + refunded, task
        return task

    def charged(self, task_id):
        return micro(self.settled(task_id)["usage"]["credits_charged"])

    def spent(self):
        """Microcredits that are missing, once nothing is reserved any more."""
        return round(CREDITS * MICRO) - micro(self.credits())


def micro(credits):
    return round(credits * MICRO)


def said(text, **more):
    """A request whose one message is `text`."""
    return {"messages": [{"role": "user", "content": text}], **more}


def content_of(events):
    """What the chunks of a stream say; of events or of chunks."""
    chunks = [one.json() if isinstance(one, Event) else one for one in events]
    return "".join(choice["delta"].get("content") or "" for one in chunks for choice in one["choices"])


def reasoning_of(events):
    chunks = [one.json() if isinstance(one, Event) else one for one in events]
    return "".join(choice["delta"].get("reasoning_content") or "" for one in chunks for choice in one["choices"])


def price_of(usage, ratio=1):
    """Microcredits of a chat.Usage, by PRICE: rounded up once, at the very end."""
    exact = (usage.input - usage.cached) * INPUT + usage.cached * CACHED + usage.output * OUTPUT
    return math.ceil(exact * fractions.Fraction(str(ratio)))


def usage_told(completion):
    usage = completion["usage"]
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)
    return chat.Usage(usage["prompt_tokens"], usage["completion_tokens"], cached)


# ---- answers that a test holds, to see streams in the making ----

PIECES = tuple(f"piece {number}, " for number in range(20))
TEXT = "".join(PIECES)


class Held:
    """An answer that goes on as the test says: the gate before each piece is opened by `upto`, and by `all` that before the
    end, too."""

    def __init__(self, service, words, count=len(PIECES), **more):
        self.gates = {number: threading.Event() for number in (*range(count), -1)}
        self.words = service.when(words, chat.Say(PIECES[:count], holds=self.gates, **more))

    def upto(self, count):
        for number in range(count):
            self.gates[number].set()

    def all(self):
        for gate in self.gates.values():
            gate.set()


def begin(client, words, **more):
    return client.generate({"model": "openai-model", "stream": True, **said(words), **more})


def read_until(stream, words):
    """The chunks up to that which has the words."""
    chunks = []
    while True:
        event = stream.event()
        assert event is not None and event.name in ("chunk", "message"), (event, chunks)
        chunks.append(event)
        if words in event.data:
            return chunks
