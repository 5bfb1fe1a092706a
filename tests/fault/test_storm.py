"""Starts and stops in quick succession, two at a time on one directory, killed and stopped at any moment of a start, told to read
their settings anew all the while, and an operator's commands beside them: never two writers, nothing lost. FAULT_STORMS sets
how many (default 6)."""
import contextlib
import os
import random
import signal
import threading
import time

from bookkeeper import Bookkeeper
from faults import FENNEC, PATIENCE_S, Client, after, eventually

STORMS = int(os.environ.get("FAULT_STORMS", "6"))
SEED = int(os.environ.get("FAULT_SEED", str(int(time.time()))))


ENDS = (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGHUP)


def submit_until_it_ends(stage, stop):
    with Client(stage.server, stage.key) as client, Client(stage.server, stage.test_key) as tester:
        while not stop.is_set():
            stage.submit_all(client, tester)
            if stop.wait(0.01):
                return


def hears_now(lines):
    return any(line.startswith("listening") for line in list(lines))


def is_elsewhere(said, port):
    """The second one serves, whom nobody asks."""
    return any(line.startswith("listening") and not line.strip().endswith(f":{port}") for lines in said for line in list(lines))


def tell_to_reload(process, hears, told, stop):
    """By SIGHUP, which ends one that has not come as far as to hear it; one that serves reads its settings."""
    while not stop.wait(0.03) and process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            if hears():
                process.send_signal(signal.SIGHUP)
                told.append(process)


def end(process, generator):
    """By kill -9 or by SIGTERM, which may come before it serves."""
    process.send_signal(generator.choice((signal.SIGKILL, signal.SIGTERM)))
    status = process.wait(timeout=PATIENCE_S)
    process.stdout.close()
    return status


def storm(stage, generator, told):
    """Two starts and their ends. Gives the statuses."""
    port, stop = stage.server.port, threading.Event()
    stage.control.before_a_life()
    first = stage.server.spawn(f"127.0.0.1:{port}")
    second = stage.server.spawn("127.0.0.1:0")  # on the same directory: one of them must give way
    submitter = threading.Thread(target=submit_until_it_ends, args=(stage, stop), daemon=True)
    submitter.start()
    both, said = (first, second), {first: [], second: []}
    readers = [threading.Thread(target=lambda p=process: said[p].append(p.stdout.readline()), daemon=True) for process in both]
    early = generator.random() < 0.5
    hears = {process: lambda p=process: early or hears_now(said[p]) for process in both}
    reloaders = [threading.Thread(target=tell_to_reload, args=(process, hears[process], told, stop), daemon=True)
                 for process in both]
    for thread in readers + reloaders:
        thread.start()
    try:
        if early:  # any moment of a start, or a life in which something is accepted
            time.sleep(generator.uniform(0, 0.4))
        else:
            before = len(stage.kept.acknowledged)
            eventually(lambda: len(stage.kept.acknowledged) > before or is_elsewhere(said.values(), port))
        serving = [process for process in both if hears_now(said[process])]
        ends = {process: end(process, generator) for process in generator.sample(both, 2)}
    finally:
        stop.set()
    submitter.join(PATIENCE_S)
    assert not submitter.is_alive()
    for thread in readers + reloaders:
        thread.join(PATIENCE_S)
    assert len(serving) <= 1, "two writers"
    assert {status for status in ends.values() if status not in (0, 1, *ENDS)} == set(), ends
    assert -signal.SIGHUP not in [ends[process] for process in serving], "it was told to read its settings"
    return list(ends.values())


def test_a_storm_of_starts(make_stage):
    generator = random.Random(SEED)
    print(f"FAULT_SEED={SEED} FAULT_STORMS={STORMS}")
    stage = make_stage("").start()
    statuses, told = [], []
    assert stage.server.stop() == 0
    with Bookkeeper(FENNEC, stage.server.data) as bookkeeper:
        for _ in range(STORMS):
            statuses += storm(stage, generator, told)
        print(f"{2 * STORMS} starts, {len(stage.kept.acknowledged)} tasks acknowledged, {len(told)} times told to reload, "
              f"{len(stage.server.reloads())} reloads, statuses {statuses}")
        stage.start()
        eventually(bookkeeper.has_worked)
    stage.settle()
    bookkeeper.assert_booked()
    assert {(model, error) for _, model, error in stage.failed()} <= {("clip", "submission_unknown")}
    assert after.states(stage.server.data)
