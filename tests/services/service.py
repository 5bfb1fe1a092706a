"""What all simulated services have: a journal of every request, scripted answers, moments at which a test steps in."""
import collections
import dataclasses
import threading

from . import answer, clock, wire


@dataclasses.dataclass
class Entry:
    """One request, as the journal keeps it."""
    kind: str  # submit, poll, result, cancel, file, …; "unexpected" until the service knows better
    request: wire.Request
    number: int = 0        # of its kind: 1, 2, …
    job: str = None        # the id that it made, or is about
    accepted: bool = False  # it made a job, whatever the client was told
    status: int = None     # what it was answered; None: no answer, or none yet
    over: bool = False     # nothing more is sent
    gone: bool = False     # the client had closed before all was sent


class Journal:
    """Every request in the order of arrival. Any thread."""

    def __init__(self):
        self.entries, self.counts, self.changed = [], collections.Counter(), threading.Condition()

    def add(self, entry):
        with self.changed:
            self.counts[entry.kind] += 1
            entry.number = self.counts[entry.kind]
            self.entries.append(entry)
            self.changed.notify_all()

    def of(self, kind):
        with self.changed:
            return [entry for entry in self.entries if entry.kind == kind]

    def count(self, kind):
        with self.changed:
            return self.counts[kind]

    def wait(self, kind, number, patience_s=60):
        """The `number`th request of that kind, once it has arrived."""
        with self.changed:
            def found():
                return next((e for e in self.entries if e.kind == kind and e.number == number), None)

            entry = self.changed.wait_for(found, patience_s)
        assert entry, f"no {kind} number {number} within {patience_s} s, but {self.kinds()}"
        return entry

    def wait_until(self, come, patience_s=60):
        """What `come` gives once that is true; asked whenever something has happened."""
        with self.changed:
            return self.changed.wait_for(come, patience_s) or come()

    def wait_over(self, entry, patience_s=60):
        """The entry, once its answer is out, or its client has gone."""
        with self.changed:
            assert self.changed.wait_for(lambda: entry.over, patience_s), f"still answering {entry.request.target}"
        return entry

    def kinds(self):
        with self.changed:
            return dict(self.counts)


class Script:
    """What to answer, by kind of request: each step once, the last one for ever. Any thread."""

    def __init__(self, steps=None):
        self.steps, self.taken, self.lock = steps or {}, collections.Counter(), threading.Lock()

    def __contains__(self, kind):
        return bool(self.steps.get(kind))

    def next(self, kind, default):
        with self.lock:
            steps = self.steps.get(kind) or [default]
            step = steps[min(self.taken[kind], len(steps) - 1)]
            self.taken[kind] += 1
            return step

    def go_on(self, kind, step):
        """After what is left of the script comes this, and not the last answer once more; it is the last one now."""
        with self.lock:
            steps = self.steps.setdefault(kind, [])
            self.taken[kind] = min(self.taken[kind], len(steps))
            steps.append(step)


class Moments:
    """What tests do at exact moments: `at` the nth request of a kind, before its answer, or `after` that is out."""

    def __init__(self):
        self.acts = collections.defaultdict(list)

    def add(self, when, kind, number, act):
        assert when in ("at", "after")
        self.acts[when, kind, number].append(act)

    def come(self, when, entry):
        for act in self.acts.get((when, entry.kind, entry.number), ()):
            act(entry)


class Service(wire.HttpServer):
    """A subclass says what kind a request is of, and what is answered."""

    def __init__(self, script=None, time=None, host="127.0.0.1"):
        self.script, self.journal, self.moments = script or Script(), Journal(), Moments()
        self.clock = time or clock.Clock()
        self.names = {}  # what $NAME stands for in this service's answers
        self.lock = threading.RLock()
        super().__init__(host)

    def kind_of(self, request):
        """The kind and the job's id of a request, "unexpected" and None when the service does not know it."""
        raise NotImplementedError

    def answer(self, entry):
        """The wire.Reply."""
        raise NotImplementedError

    def handle(self, request):
        kind, job = self.kind_of(request)
        request.entry = Entry(kind, request, job=job)
        self.journal.add(request.entry)
        reply = self.answer(request.entry)
        self.moments.come("at", request.entry)
        return reply

    def sent(self, request, reply):
        if reply.manner in wire.MANNERS[:4]:
            request.entry.status = reply.status
        with self.journal.changed:
            request.entry.over, request.entry.gone = True, reply.gone
            self.journal.changed.notify_all()
        self.moments.come("after", request.entry)

    def reply_of(self, text, **more):
        return answer.parse(text, {**self.names, **more}, self.clock.wall_s())
