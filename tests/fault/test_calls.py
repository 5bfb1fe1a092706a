"""The n-th call of every interface of the system fails, in a server that lives through whole lives of tasks meanwhile.

FAULT_ROUNDS sets how many n of each call and errno are tried (default 0: one of each call alone, the same in every run, so
that a change is not blamed for a choice); FAULT_SEED repeats a run's choice of them."""
import contextlib
import errno
import os
import random
import signal
import sqlite3
import time

import pytest

from faults import NEVER, Client, after, eventually

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "0"))
SEED = int(os.environ.get("FAULT_SEED", str(int(time.time()) if ROUNDS else 1)))
SHORT = 0  # half of the bytes

# What each call may say by its manual page. `log` is our own standard error. Neither EAGAIN nor EINTR nor
# less than all of a socket: all of ours return at once, so nothing interrupts them, and no kernel says that there is no more
# where there is: epoll(7) lets those who wait for edges, as libmicrohttpd does, take it at its word.
ERRORS = {
    "write": (errno.ENOSPC, errno.EIO, errno.EINTR, SHORT), "log": (errno.EIO, SHORT),
    "pwrite": (errno.ENOSPC, errno.EIO, errno.EINTR, SHORT),
    "read": (errno.EIO, errno.EINTR, SHORT), "fsync": (errno.EIO, errno.ENOSPC),
    "open": (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO), "rename": (errno.ENOSPC, errno.EIO),
    "close": (errno.EIO, errno.ENOSPC), "stat": (errno.EIO, errno.ENOMEM), "readdir": (errno.EIO,),
    "chmod": (errno.EIO, errno.EROFS),
    "unlink": (errno.EIO, errno.EACCES), "mkdir": (errno.ENOSPC, errno.EIO), "ftruncate": (errno.ENOSPC, errno.EIO),
    "mmap": (errno.ENOMEM,), "malloc": (errno.ENOMEM,), "lock": (errno.ENOLCK, errno.EINTR),
    "accept": (errno.EMFILE, errno.ENFILE, errno.ECONNABORTED, errno.ENOMEM, errno.EINTR),
    "socket": (errno.EMFILE, errno.ENOBUFS), "bind": (errno.EADDRINUSE, errno.ENOMEM), "listen": (errno.EADDRINUSE,),
    "sockopt": (errno.ENOBUFS, errno.ENOMEM), "sockname": (errno.ENOBUFS,), "shutdown": (errno.ENOTCONN,),
    "connect": (errno.ECONNREFUSED, errno.ENETUNREACH, errno.ETIMEDOUT),
    "send": (errno.ECONNRESET, errno.EPIPE, errno.ENOBUFS),
    "recv": (errno.ECONNRESET, errno.ENOMEM),
    "pipe_io": (errno.EINTR,), "epoll_wait": (errno.EINTR,), "epoll_ctl": (errno.ENOSPC, errno.ENOMEM),
    "fork": (errno.EAGAIN, errno.ENOMEM), "exec": (errno.ENOMEM, errno.EMFILE), "dup": (errno.EMFILE, errno.EBUSY),
    "wait": (errno.EINTR,), "kill": (errno.ESRCH,),
    "pipe": (errno.EMFILE, errno.ENFILE), "eventfd": (errno.EMFILE,),
    "thread": (errno.EAGAIN,), "getrandom": (errno.EINTR, errno.ENOSYS), "clock": (errno.EINVAL,), "resolve": (1,),
}
# Without memory, a clock or chance the process ends, by design, and so does libuv where it cannot watch a file, make the pipe
# that its signals come by or start one of its pool's four threads (others that cannot be started are said, with status 1):
# the next life goes on.
MAY_ABORT = {"malloc", "clock", "getrandom"}
LIBUV_MAY_ABORT = {"epoll_ctl", "pipe", "thread"}

# What is not struck because it is not called there, and where it is instead.
AT_A_START, IN_A_ROUND, IN_A_GUARD = "at a start", "in a round", "test_guard.py"
NOT_IN_A_ROUND = {
    **dict.fromkeys(("bind", "listen", "eventfd", "thread", "mmap", "ftruncate"), AT_A_START), "kill": IN_A_GUARD,
    "resolve": "test_names.py: addresses are numbers here",
}
NOT_AT_A_START = {
    **dict.fromkeys(("accept", "close", "connect", "dup", "exec", "fork", "recv", "send", "shutdown", "wait",
                    "rename", "write"), IN_A_ROUND),
    "kill": IN_A_GUARD,
}


def sample(generator, count, most):
    """Numbers from 1 to count, spread over all of them."""
    most = min(most, count)
    return sorted({1 + (i * count + generator.randrange(count)) // most % count for i in range(most)})


def strike(stage, call, number, error):
    """A round in which that call fails; how often it did. A server that dies of it lives again."""
    stage.control.arm(call, number, error)
    with stage.told(f"{call} number {number} fails with {errno.errorcode.get(error, error)}"):
        stage.round()
    _, fired = stage.control.disarm(call)
    assert call != "clock" or fired == 0 or stage.struck() == "fennec", "no library's clock may fail"
    if stage.dead:
        stage.bury(call, (number, error))
    return fired


def count_calls(stage):
    """How often each is made in a round."""
    stage.round()
    for call in ERRORS:
        stage.control.arm(call, NEVER, 0)
    stage.round()
    return {call: stage.control.disarm(call)[0] for call in ERRORS}


def never_made(counts):
    return {call for call, count in counts.items() if count == 0}


def may_end_so(call, status, caller):
    return status == -signal.SIGABRT and (call in MAY_ABORT or (call in LIBUV_MAY_ABORT and caller.startswith("libuv.so")))


def assert_well(stage):
    """After the last life: only what may end so has died or failed."""
    stage.settle()
    print(f"statuses {stage.kept.statuses}, deaths {stage.deaths}, failed {stage.failed()}")
    assert [death for death in stage.deaths if not may_end_so(death[0], *death[2:])] == []
    assert {(model, error) for _, model, error in stage.failed()} <= {("clip", "submission_unknown")}


def test_each_call_fails_once_and_nothing_is_lost(make_stage):
    generator = random.Random(SEED)
    print(f"FAULT_SEED={SEED}")
    stage = make_stage().start()
    counts = count_calls(stage)
    print(counts)
    assert never_made(counts) <= set(NOT_IN_A_ROUND), "it is struck nowhere: say why"
    struck = {call: strike(stage, call, generator.randint(1, count), generator.choice(ERRORS[call]))
              for call, count in counts.items() if count > 0}
    print(struck)
    assert_well(stage)
    assert sum(struck.values()) > len(struck) / 2


@pytest.mark.skipif(ROUNDS == 0, reason="on demand: script/test faults-all")
@pytest.mark.parametrize("call", ERRORS)
def test_the_nth_call_fails_and_nothing_is_lost(make_stage, call):
    generator = random.Random(f"{SEED} {call}")
    print(f"FAULT_SEED={SEED} FAULT_ROUNDS={ROUNDS}")
    stage = make_stage().start()
    count = count_calls(stage)[call]
    struck = pairs = 0
    for error in ERRORS[call]:
        for number in sample(generator, max(count, 1), ROUNDS):
            struck += strike(stage, call, number, error)
            pairs += 1
    print(f"{call}: {count} a round, {pairs} pairs, {struck} faults")
    if generator.random() < 0.5:
        stage.server.kill()
    assert_well(stage)
    assert struck > 0 or call in NOT_IN_A_ROUND


@pytest.mark.parametrize("call", ["fsync", "pwrite"])
def test_without_a_disk_that_keeps_nothing_is_acknowledged(make_stage, call):
    """T2: no 200 before it is durable; and once the disk is well again, without a restart, all goes on."""
    stage = make_stage().start()
    stage.round()
    with Client(stage.server, stage.key) as client:
        before = len(stage.kept.acknowledged)
        stage.control.arm(call, 1, errno.EIO, period=1)
        tasks = [stage.submit(client, "clip", "/v1/videos/generations") for _ in range(5)]
        _, fired = stage.control.disarm(call)
        assert tasks == [None] * 5 and fired >= 5 and len(stage.kept.acknowledged) == before
        assert set(stage.kept.statuses) & {500, 503}
        stage.round()
    assert len(stage.kept.acknowledged) > before
    assert_well(stage)


def test_a_submission_without_memory_is_never_called_wrong(make_stage):
    """What the machine lacks is no mistake of the client's: 500 or 503, or the process ends, and never a 4xx."""
    generator = random.Random(SEED)
    print(f"FAULT_SEED={SEED} FAULT_ROUNDS={ROUNDS}")
    stage = make_stage().start()
    stage.round()

    def submit():
        with Client(stage.server, stage.key) as client, stage.told("a submission without memory"):
            stage.submit(client, "clip", "/v1/videos/generations", callback_url=stage.receiver.url("/back"))

    stage.control.arm("malloc", NEVER, 0)
    submit()
    count, _ = stage.control.disarm("malloc")
    struck = 0
    for number in sample(generator, count, max(8, ROUNDS)):
        stage.control.arm("malloc", number, errno.ENOMEM)
        submit()
        _, fired = stage.control.disarm("malloc")
        struck += fired
        if stage.dead:
            stage.bury("malloc", number)
    print(f"{count} for a submission, {struck} faults, {len(stage.deaths)} deaths")
    assert struck > 0
    assert_well(stage)


def cut_off_at_the_service(stage):
    """A life that ends when fal has made a job of a submission and has not said so."""
    stage.fal.moments.add("at", "submit", stage.fal.journal.count("submit") + 1, lambda _: stage.server.process.kill())
    with Client(stage.server, stage.key) as client:
        stage.submit(client, "clip", "/v1/videos/generations")
    eventually(lambda: stage.dead)
    stage.server.reap()


def test_what_cannot_be_read_again_is_not_sent_again(make_stage):
    """T3: a submission whose fate nobody knows has not failed because the next life cannot read its input; another would be a
    second job. The row is away for one life, and back in the one after."""
    stage = make_stage().start()
    data = stage.server.data
    cut_off_at_the_service(stage)
    with contextlib.closing(sqlite3.connect(data / "fennec.db")) as db:
        kept = db.execute("SELECT input, number FROM task WHERE input <> ''").fetchall()
        assert kept
        db.execute("UPDATE task SET input = ''")
        db.commit()
    stage.start()
    eventually(lambda: after.rows(data, "SELECT 1 FROM event WHERE kind IN ('retried', 'failed')"))
    assert stage.server.kill() == -signal.SIGKILL
    with contextlib.closing(sqlite3.connect(data / "fennec.db")) as db:
        if after.open_tasks(data) > 0:
            db.executemany("UPDATE task SET input = ? WHERE number = ? AND state < 2", kept)
            db.commit()
    stage.start()
    assert_well(stage)
    assert [(model, error) for _, model, error in stage.failed()] in ([], [("clip", "submission_unknown")])


def test_a_start_in_which_any_call_fails_serves_or_says_why(make_stage):
    """And the next one serves."""
    generator = random.Random(SEED)
    stage = make_stage().start()
    stage.round()
    for call in ERRORS:
        stage.control.arm(call, NEVER, 0)
    assert stage.server.kill() == -signal.SIGKILL
    stage.start()
    eventually(lambda: stage.control.seen("epoll_wait"))  # its threads may still be on their way there
    counts = {call: stage.control.disarm(call)[0] for call in ERRORS}
    print(counts)
    assert never_made(counts) <= set(NOT_AT_A_START), "it is struck nowhere: say why"
    served, refused = 0, []
    for call, count in counts.items():
        for number in sample(generator, count, max(1, ROUNDS)):
            for error in ERRORS[call][:1 if ROUNDS == 0 else None]:
                stage.server.kill()
                before = len(stage.server.log_text())
                stage.control.arm(call, number, error)
                status = stage.try_start()
                stage.control.disarm(call)
                if status is None:
                    served += 1
                else:
                    words = stage.server.log_text()[before:].strip()
                    refused.append((call, number, error, status, words[-300:], stage.struck()))
                    stage.start()
    print(f"{served} served, {len(refused)} refused: {refused}")
    assert [one for one in refused if one[3] != 1 and not may_end_so(one[0], one[3], one[5])] == []
    assert [one for one in refused if one[3] == 1 and not one[4]] == []
    assert_well(stage)
