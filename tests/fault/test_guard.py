"""The guard of a local command, each of whose calls fails: its task ends all the same, with its file or with an error of the
contract, nothing hangs, and nothing that the command has started is left."""
import errno
import random

import pytest

from faults import CALLS, NEVER, Client, Control, eventually
from test_calls import ERRORS, ROUNDS, SEED, sample

# Leaves what its guard has to find and to kill.
LEAVER = """#!/bin/sh
cat >/dev/null
setsid sleep 1000 </dev/null >/dev/null 2>&1 &
printf '\\211PNG\\r\\n\\032\\n\\0\\0\\0\\015IHDR\\0\\0\\0\\1\\0\\0\\0\\1\\010\\6\\0\\0\\0\\037\\025\\304\\211' >out.png
echo 'result {"file":"out.png"}'
"""
CODES = {"resource_exhausted", "service_unavailable", "generation_failed", "service_error"}
# Not its clock: a guard that cannot tell the time ends at once, as one that is killed does.
CALLS_OF_IT = ("fork", "exec", "pipe", "open", "read", "pipe_io", "dup", "stat", "readdir", "wait", "kill", "send",
               "epoll_wait", "eventfd", "malloc")


class Guards:
    """A server whose guards obey a control file of their own, one after the other."""

    def __init__(self, stage):
        self.stage, self.control = stage, Control(stage.server.directory / "guards")
        stage.server.command("maker", LEAVER)
        stage.server.environment["FAULT_GUARD"] = str(self.control.path)
        stage.start()

    def task(self):
        """A task from its submission to its end."""
        with Client(self.stage.server, self.stage.key) as client:
            ended = self.stage.final(client, self.stage.submit(client, "maker", "/v1/images/generations"))
        eventually(lambda: not self.stage.server.command_processes())
        return ended

    def counts(self):
        for call in CALLS:
            self.control.arm(call, NEVER, 0)
        assert self.task()["status"] == "completed"
        assert self.control.ready > 0, "the library is not in the guard"
        return {call: self.control.disarm(call)[0] for call in CALLS}


def test_a_guard_whose_calls_fail(make_stage):
    generator = random.Random(SEED)
    print(f"FAULT_SEED={SEED}")
    guards, struck, ends = Guards(make_stage()), {}, {}
    counts = guards.counts()
    print(counts)
    for call in CALLS_OF_IT:
        for number in sample(generator, counts[call], max(2, ROUNDS)):
            for error in ERRORS[call] if ROUNDS else [generator.choice(ERRORS[call])]:
                guards.control.arm(call, number, error)
                with guards.stage.told(f"{call} number {number} of a guard fails with {error}"):
                    ended = guards.task()
                struck[call] = struck.get(call, 0) + guards.control.disarm(call)[1]
                code = ended["error"]["code"] if ended["error"] else ended["status"]
                ends.setdefault(call, set()).add(code)
                assert code == "completed" or code in CODES, (call, number, error, ended)
    print(f"struck {struck}, ended {ends}")
    assert [call for call in CALLS_OF_IT if not struck.get(call)] == []
    guards.stage.settle()
    assert {model for _, model, _ in guards.stage.failed()} <= {"maker"}


@pytest.mark.parametrize("call, error, code", [
    ("fork", errno.EAGAIN, "resource_exhausted"), ("pipe", errno.EMFILE, "resource_exhausted"),
    ("exec", errno.EACCES, "service_unavailable"), ("eventfd", errno.ENOMEM, "resource_exhausted")])
def test_a_command_that_can_never_be_started(make_stage, call, error, code):
    """Its task fails with words, and costs nothing."""
    guards = Guards(make_stage())
    guards.control.arm(call, 1, error, period=1)
    ended = guards.task()
    guards.control.disarm(call)
    usage = ended["usage"]
    assert (ended["status"], ended["error"]["code"]) == ("failed", code) and ended["error"]["message"], ended
    assert usage["credits_charged"] == 0 and usage["credits_refunded"] == usage["credits_reserved"], ended
    assert guards.task()["status"] == "completed"
    guards.stage.settle()
