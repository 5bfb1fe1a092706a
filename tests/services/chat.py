"""What the simulated services of language models have in common: what they say, and what goes wrong while they say it.

A script's steps of the kind `chat` are a Say, an answer as text (answer.py), or a function of the Call that gives
one of them. `when(words, …)` has steps for the requests alone whose body has the words, so that tests can share one.
"""
import dataclasses
import itertools
import json
import threading

from . import service, wire


@dataclasses.dataclass
class Tool:
    """One call of a tool; the arguments' pieces together are a JSON text."""
    name: str
    arguments: tuple = ("{}",)
    id: str = "call_1"


@dataclasses.dataclass
class Usage:
    input: int = 11   # all, the cached ones included
    output: int = 7   # all, the reasoning included
    cached: int = 0
    reasoning: int = 0


@dataclasses.dataclass
class Say:
    """An answer, and its troubles. Pieces are counted from 0: of the reasoning, then of the text, then of the tools."""
    text: object = ("The ", "fox ", "is ", "quick.")  # pieces; endless ones are fine
    reasoning: tuple = ()
    tools: tuple = ()
    finish: str = None      # in OpenAI's words; None: stop, or tool_calls
    usage: Usage = dataclasses.field(default_factory=Usage)  # None: it is not told
    more: dict = dataclasses.field(default_factory=dict)  # further members of a whole answer or of the last chunk
    headers: dict = dataclasses.field(default_factory=dict)
    # How it goes out.
    hold: threading.Event = None  # nothing comes before it is set, not even the status
    # Piece -> Event that is waited for before it, -1 for the end; a whole answer waits for its end's.
    holds: dict = dataclasses.field(default_factory=dict)
    stop_at: int = None     # the piece that does not come any more, but
    ending: str = "cut"     # cut, reset, silent: on the wire; close: as if it were all; error; torn: half an event
    error: str = "Something broke."
    manner: str = "plain"   # split: three bytes at a time; bytes: one; once: all at once; pings: with comments; lines:
                            # data over several lines; crlf: those are the lines' ends
    done: bool = True       # the last word ([DONE], message_stop) is said

    def pieces(self):
        """(kind, piece); a tool's are (tool's number, arguments), the first with None before it begins."""
        for piece in self.reasoning:
            yield "reasoning", piece
        for piece in [self.text] if isinstance(self.text, str) else self.text:
            yield "text", piece
        for number, tool in enumerate(self.tools):
            yield "tool", (number, None)
            for piece in tool.arguments:
                yield "tool", (number, piece)

    @property
    def all_text(self):
        return "".join(self.text)

    @property
    def reason(self):
        return self.finish or ("tool_calls" if self.tools else "stop")


@dataclasses.dataclass
class Call:
    """One request for an answer, as the service understood it."""
    entry: service.Entry
    body: dict
    model: str
    stream: bool
    id: str
    created: int
    say: Say = None
    count: int = 1  # of choices


class Refusal(Exception):
    """What a service answers to a request that is wrong: HTTP status, words, and what else its errors say."""

    def __init__(self, status, message, **more):
        super().__init__(message)
        self.status, self.message, self.more = status, message, more


class ChatService(service.Service):
    """A subclass reads requests as strictly as the real service, and says a Say in its dialect."""

    content_type = "text/event-stream"

    def __init__(self, script=None, time=None, keys=("fake-key",), models=("fake-model",), host="127.0.0.1"):
        self.keys, self.models, self.numbers = keys, models, itertools.count(1)
        self.special, self.calls = [], []
        super().__init__(script, time, host)

    def when(self, words, *steps):
        """Steps, each once and the last for ever, for requests whose body has the words. Gives the words."""
        self.special.insert(0, (words.encode(), service.Script({"chat": list(steps)})))
        return words

    def calls_with(self, words):
        """The calls whose body has the words, in their order."""
        with self.lock:
            return [call for call in self.calls if words.encode() in call.entry.request.body]

    def refusal(self, refused):
        """The wire.Reply of a Refusal."""
        raise NotImplementedError

    def authorize(self, request):
        """Raises a Refusal without a good key."""
        raise NotImplementedError

    def read(self, entry):
        """The Call; raises a Refusal."""
        raise NotImplementedError

    def answer(self, entry):
        handler = getattr(self, "answer_" + entry.kind, None)
        try:
            if handler is None:
                raise Refusal(404, f"Invalid URL ({entry.request.method} {entry.request.path})")
            self.authorize(entry.request)
            return handler(entry)
        except Refusal as refused:
            return self.refusal(refused)

    def answer_chat(self, entry):
        call = self.read(entry)
        with self.lock:
            self.calls.append(call)
        with self.journal.changed:
            self.journal.changed.notify_all()
        step = self.step_of(entry.request)
        step = step(call) if callable(step) else step
        if isinstance(step, str):
            return self.reply_of(step, model=call.model)
        entry.accepted, call.say = True, step
        return self.say(call)

    def step_of(self, request):
        for words, script in self.special:
            if words in request.body:
                return script.next("chat", None)
        return self.script.next("chat", Say())

    def check_model(self, name):
        if name not in self.models:
            raise Refusal(404, f"The model `{name}` does not exist or you do not have access to it.", model=name)

    def call_of(self, entry, body, model, stream, prefix):
        return Call(entry, body, model, stream, f"{prefix}{next(self.numbers):08d}", int(self.clock.wall_s()))

    # -- saying it

    def say(self, call):
        if call.stream:
            headers = {"Content-Type": self.content_type, "Cache-Control": "no-cache", **call.say.headers}
            return wire.Reply(200, headers, stream=self.written(call), hold=call.say.hold)
        reply = wire.Reply.of(200, {**self.whole(call), **call.say.more}, call.say.headers)
        reply.hold = call.say.hold or call.say.holds.get(-1)
        if call.say.stop_at is not None:
            reply = self.end_whole(call, reply)
        return reply

    def end_whole(self, call, reply):
        if call.say.ending == "error":
            return wire.Reply.of(200, self.error_value(call))
        if call.say.ending in ("torn", "close"):
            reply.body = reply.body[:len(reply.body) // 2]
        else:
            reply.manner = {"cut": "truncated"}.get(call.say.ending, call.say.ending)
        return reply

    def written(self, call):
        """The stream's bytes, in the manner that they shall go out."""
        size = {"split": 3, "bytes": 1}.get(call.say.manner)
        if call.say.manner == "once":
            yield b"".join(self.parts(call))
            return
        for part in self.parts(call):
            if size and isinstance(part, bytes):
                yield from wire.pieces(part, size)
            else:
                yield part

    def parts(self, call):
        """Events as bytes, with the Holds and the ending on the wire between them."""
        say = call.say
        yield from self.events(call, self.opening(call))
        for number, (kind, piece) in enumerate(say.pieces()):
            if number in say.holds:
                yield wire.Hold(say.holds[number])
            if number == say.stop_at:
                yield from self.break_off(call)
                return
            yield from self.events(call, self.piece(call, kind, piece))
        if -1 in say.holds:
            yield wire.Hold(say.holds[-1])
        if say.stop_at == -1:
            yield from self.break_off(call)
            return
        yield from self.events(call, self.closing(call))

    def break_off(self, call):
        ending = call.say.ending
        if ending == "error":
            yield from self.events(call, self.failing(call))
        elif ending == "torn":
            text = b"".join(self.events(call, self.piece(call, "text", "torn in its middle")))
            yield text[:text.index(b"torn") + 6] + text[-2:]
        elif ending != "close":
            yield ending

    def events(self, call, values):
        for name, value in values:
            if call.say.manner == "pings":
                yield self.ping()
            yield self.event(call, name, value)

    def ping(self):
        return b": keep-alive\n\n"

    def event(self, call, name, value):
        """One event as server-sent events have it."""
        lines_end = "\r\n" if call.say.manner == "crlf" else "\n"
        spread = call.say.manner == "lines" and not isinstance(value, str)
        data = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1 if spread else None)
        lines = ([f"event: {name}"] if name else []) + [f"data: {line}" for line in data.split("\n")]
        return (lines_end.join(lines) + 2 * lines_end).encode()

    # -- a dialect's own: (name, value) of events

    def whole(self, call):
        """The value of a whole answer."""
        raise NotImplementedError

    def opening(self, call):
        raise NotImplementedError

    def piece(self, call, kind, piece):
        raise NotImplementedError

    def closing(self, call):
        raise NotImplementedError

    def failing(self, call):
        """The events of an error in the middle."""
        yield None, self.error_value(call)

    def error_value(self, call):
        """An error as the body of an answer has it."""
        raise NotImplementedError


def refuse_unknown(value, known, words):
    """`words` is a function of the first unknown name that gives the Refusal."""
    for name in value:
        if name not in known:
            raise words(name)
