"""Starts and stops in quick succession, two at a time on one directory, killed and stopped at any moment of a start: never two
writers, nothing lost. FAULT_STORMS sets how many (default 6)."""
import os
import random
import signal
import threading
import time

from faults import PATIENCE_S, Client, after, eventually

STORMS = int(os.environ.get("FAULT_STORMS", "6"))
SEED = int(os.environ.get("FAULT_SEED", str(int(time.time()))))


def submit_until_it_ends(stage, stop):
    with Client(stage.server, stage.key) as client, Client(stage.server, stage.test_key) as tester:
        while not stop.is_set():
            stage.submit_all(client, tester)
            if stop.wait(0.01):
                return


def is_elsewhere(lines, port):
    """The second one serves, whom nobody asks."""
    return any(line.startswith("listening") and not line.strip().endswith(f":{port}") for line in list(lines))


def end(process, generator):
    """By kill -9 or by SIGTERM, which may come before it serves."""
    process.send_signal(generator.choice((signal.SIGKILL, signal.SIGTERM)))
    status = process.wait(timeout=PATIENCE_S)
    process.stdout.close()
    return status


def test_a_storm_of_starts(make_stage):
    generator = random.Random(SEED)
    print(f"FAULT_SEED={SEED} FAULT_STORMS={STORMS}")
    stage = make_stage("").start()
    port, statuses = stage.server.port, []
    assert stage.server.stop() == 0
    for _ in range(STORMS):
        stop = threading.Event()
        stage.control.before_a_life()
        first = stage.server.spawn(f"127.0.0.1:{port}")
        second = stage.server.spawn("127.0.0.1:0")  # on the same directory: one of them must give way
        submitter = threading.Thread(target=submit_until_it_ends, args=(stage, stop), daemon=True)
        submitter.start()
        lines = []
        readers = [threading.Thread(target=lambda p=process: lines.append(p.stdout.readline()), daemon=True)
                   for process in (first, second)]
        for reader in readers:
            reader.start()
        if generator.random() < 0.5:  # any moment of a start, or a life in which something is accepted
            time.sleep(generator.uniform(0, 0.4))
        else:
            before = len(stage.kept.acknowledged)
            eventually(lambda: len(stage.kept.acknowledged) > before or is_elsewhere(lines, port))
        serving = [line for line in list(lines) if line.startswith("listening")]
        both = [end(process, generator) for process in generator.sample((first, second), 2)]
        stop.set()
        submitter.join(PATIENCE_S)
        assert not submitter.is_alive()
        for reader in readers:
            reader.join(PATIENCE_S)
        statuses += both
        assert len(serving) <= 1, "two writers"
        assert {status for status in both if status not in (0, 1, -signal.SIGKILL, -signal.SIGTERM)} == set(), both
    print(f"{2 * STORMS} starts, {len(stage.kept.acknowledged)} tasks acknowledged, statuses {statuses}")
    stage.settle()
    assert {(model, error) for _, model, error in stage.failed()} <= {("clip", "submission_unknown")}
    assert after.states(stage.server.data)
