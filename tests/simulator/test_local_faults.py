"""Commands that misbehave: each is a failed task that says what happened, costs nothing and leaves nothing behind."""
import os
import signal

import pytest

from house import GATE, HELD_S, eventually, file_model, left_in, saying_model

PYTHON = "#!/usr/bin/python3\nimport os, sys, time\nsys.stdin.read()\n"
PNG = ("open('out.bin', 'wb').write(bytes.fromhex('89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
       "0000000d49444154789c6364f8cf500f0003061801683452ce0000000049454e44ae426082'))\n")
RESULT = "print('result {\"file\": \"out.bin\"}', flush=True)\n"
FATAL = "import signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_DFL)\n"  # which Python ignores

# name: what the command does, the error code, what the message must speak of
FAULTS = {
    "exit-3": ("sys.exit(3)", "generation_failed", "exit status 3"),
    "hang": ("open('left', 'w').write('x')\ntime.sleep(600)", "generation_timeout", "longer than"),
    "hang-deaf": ("import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(600)", "generation_timeout", "longer than"),
    "text-as-image": ("open('out.bin', 'w').write('These are words.')\n" + RESULT, "generation_failed_no_content", "wrong kind"),
    "empty-file": ("open('out.bin', 'w').close()\n" + RESULT, "generation_failed", "empty"),
    "missing-file": (RESULT, "generation_failed", "does not exist"),
    "file-outside": ("print('result {\"file\": \"../../fennec.db\"}')", "generation_failed", "not in the work directory"),
    "absolute-file": ("print('result {\"file\": \"/etc/passwd\"}')", "generation_failed", "not in the work directory"),
    "link-outside": ("os.symlink('/etc/passwd', 'out.bin')\n" + RESULT, "generation_failed", "link"),
    "directory-as-file": ("os.mkdir('out.bin')\n" + RESULT, "generation_failed", "no regular file"),
    "pipe-as-file": ("os.mkfifo('out.bin')\n" + RESULT, "generation_failed", "no regular file"),
    "too-large": (FATAL + "open('out.bin', 'wb').write(b'x' * 3000000)\n" + RESULT, "generation_failed", "limit"),
    "too-large-said-by-itself": ("open('out.bin', 'wb').write(b'x' * 3000000)\n" + RESULT, "generation_failed", "exit status 1"),
    "too-large-sparse": (FATAL + "open('out.bin', 'wb').truncate(1 << 40)\n" + RESULT, "generation_failed", "limit"),
    "too-large-together": ("[open(f'part-{i}', 'wb').write(b'x' * 900000) for i in range(50)]\ntime.sleep(600)",
                           "generation_failed", "limit"),
    "no-result": ("print('all went well')", "generation_failed_no_content", "without a result"),
    "two-results": (PNG + RESULT * 2, "generation_failed", "2 results"),
    "result-no-json": ("print('result {\"file\": ')", "generation_failed", "cannot be read"),
    "result-no-object": ("print('result [1, 2]')", "generation_failed", "cannot be read"),
    "result-deep": ("print('result {\"file\":' + '[' * 100000 + ']' * 100000 + '}')", "generation_failed", "cannot be read"),
    "result-empty": ("print('result {}')", "service_error", "could not be understood"),
    "result-huge": ("print('result {\"file\": \"' + 'x' * 5000000 + '\"}')", "generation_failed", "longer than"),
    "output-flood": ("while True: os.write(1, b'noise ' * 10000)", "generation_failed", "too much"),
    "stderr-flood": ("while True: os.write(2, b'noise ' * 10000)", "generation_failed", "too much"),
    "daemon": ("""
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(600)
    os._exit(0)
sys.exit(4)""", "generation_failed", "exit status 4"),
    "daemon-holds-output": ("""
if os.fork() == 0:
    os.setsid()
    time.sleep(600)
print('error service_error Its child lives on.', flush=True)
sys.exit(1)""", "service_error", "Its child lives on."),
    "error-line-garbage": ("print('error \\x00\\x1b[31m \\xff bad')\nsys.exit(1)", "generation_failed", ""),
    "error-unknown-code": ("print('error out_of_cheese No cheese.')\nsys.exit(1)", "generation_failed", "No cheese."),
    "error-but-exit-0": ("print('error content_policy_violation Not this.')", "content_policy_violation", "Not this."),
}


def command(body):
    return PYTHON + body + "\n"


@pytest.fixture(scope="module")
def aftermath(tmp_path_factory):
    """All of them at once, beside a command that behaves; what came of each."""
    from house import Server
    timeouts = {"hang": 1, "hang-deaf": 1}
    models = "".join(file_model(name, timeouts.get(name, 60)) for name in FAULTS) + file_model("good")
    commands = {name: command(body) for name, (body, _, _) in FAULTS.items()}
    commands["good"] = command(PNG + RESULT)
    server = Server(tmp_path_factory.mktemp("faults"),
                    "limits = { artifact = 1000000 }\nproviders = { exec = { concurrency = 4 } }", models, commands).start()
    tasks = {}
    with server.client(server.key("one", credits=10000)) as client:
        ids = {name: client.submit(name) for name in [*FAULTS, "good"]}
        for name, task in ids.items():
            tasks[name] = client.final(task, 120)
        account = client.account()
    eventually(lambda: left_in(server.data / "work") == [])
    yield server, tasks, account
    server.close()


@pytest.mark.parametrize("name", FAULTS)
def test_it_fails_and_says_why(aftermath, name):
    _, code, words = FAULTS[name]
    task = aftermath[1][name]
    assert task["status"] == "failed", task
    usage = task["usage"]
    assert (usage["credits_charged"], usage["credits_refunded"]) == (0, usage["credits_reserved"])
    error = task["error"]
    assert error["code"] == code and words in error["message"], error
    assert error["message"].isprintable() and len(error["message"]) < 1000
    assert str(aftermath[0].directory) not in error["message"], "paths of the machine are not the client's"


def test_the_good_one_beside_them_completes(aftermath):
    assert aftermath[1]["good"]["status"] == "completed", aftermath[1]["good"]


def test_only_the_good_one_costs(aftermath):
    assert aftermath[2]["used_credits"] == 3


def test_no_process_and_no_file_is_left(aftermath):
    aftermath[0].assert_nothing_left()
    blobs = [path for path in (aftermath[0].data / "blobs").rglob("*") if path.is_file()]
    assert len(blobs) <= 2, blobs  # the good one's, and what the wrong kind left for the sweeper


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT])
def test_a_crash_is_tried_again_and_then_told(make_server, number):
    crash = command(f"os.kill(os.getpid(), {int(number)})")
    server = make_server("", saying_model("crash", "per_call(2)"), {"crash": crash}).start()
    with server.client(server.key("one", credits=2)) as client:
        task = client.submit("crash")
        error = client.failed(task)
        assert error["code"] == "generation_failed" and f"signal {int(number)} ({number.name})" in error["message"], error
        assert client.credits() == 2
    states = [attempt["state"] for attempt in server.shown(task)["attempts"]]
    assert states == ["failed"] * 3, states


def test_a_command_that_is_killed_from_outside_is_run_again(make_server, gates):
    server = make_server("", saying_model("gate", "per_call(2)", HELD_S), {"gate": GATE}).start()
    with server.client(server.key("one", credits=2)) as client:
        task = client.submit("gate", prompt=gates("it"))
        os.kill(eventually(lambda: shell_of(server)), signal.SIGKILL)
        eventually(lambda: len(server.shown(task)["attempts"]) == 2)
        gates.open("it")
        client.completed(task)
        assert client.credits() == 0
    first, second = server.shown(task)["attempts"]
    assert (first["state"], second["state"]) == ("failed", "succeeded")
    assert "signal 9" in first["detail"], first


def test_a_guard_that_is_killed_from_outside_takes_its_command_along(make_server, gates):
    server = make_server("", saying_model("gate", "per_call(2)", HELD_S), {"gate": GATE}).start()
    with server.client(server.key("one", credits=2)) as client:
        task = client.submit("gate", prompt=gates("it"))
        victim = eventually(lambda: shell_of(server))
        os.kill(parent_of(victim), signal.SIGKILL)
        eventually(lambda: not os.path.exists(f"/proc/{victim}") or len(server.shown(task)["attempts"]) == 2)
        gates.open("it")
        client.completed(task)
    assert [attempt["state"] for attempt in server.shown(task)["attempts"]] == ["failed", "succeeded"]


def test_garbage_progress_does_no_harm(make_server):
    lines = ["progress", "progress ", "progress -5", "progress 30", "progress 10", "progress nan", "progress 1e9", "progress 0x20",
             "progress 99999999999999999999", "progress 55.9", "PROGRESS 99", "progress 60 percent", "progress 2000", "\x00\x01\x02",
             "progress " + "9" * 100000]
    noisy = command("".join(f"print({line!r}, flush=True)\n" for line in lines) + "print('result {\"said\":\"done\"}')")
    server = make_server("", saying_model("noisy"), {"noisy": noisy}).start()
    with server.client(server.key("one", credits=2)) as client:
        task, seen = client.submit("noisy"), []

        def look():
            state = client.task(task)
            seen.append(state["progress"])
            return state["status"] in ("completed", "failed")

        eventually(look)
        assert client.completed(task)["results"] == [{"said": "done"}]
        assert seen == sorted(seen) and all(0 <= progress <= 100 for progress in seen)


def test_a_command_that_is_missing_is_said_at_once(make_server):
    server = make_server("", saying_model("absent"), {"other": GATE}).start()
    with server.client(server.key("one", credits=2)) as client:
        answer = client.try_submit("absent")
        assert answer.status == 422 and answer.error()["code"] == "no_compatible_channel", answer
        assert client.credits() == 2


def test_a_command_that_goes_missing_while_its_task_waits(make_server, gates):
    models = saying_model("gate", timeout=HELD_S) + saying_model("going")
    server = make_server("providers = { exec = { concurrency = 1 } }", models, {"gate": GATE, "going": GATE}).start()
    with server.client(server.key("one", credits=2)) as client:
        held, waiting = client.submit("gate", prompt=gates("it")), client.submit("going", prompt=gates("it"))
        (server.libexec / "going").unlink()
        gates.open("it")
        client.completed(held)
        assert client.failed(waiting)["code"] == "service_unavailable"
        assert client.credits() == 1


def shell_of(server):
    """The command itself, not what it started, which comes and goes and has its name before it becomes another program."""
    shells = [pid for pid in server.command_processes() if name_of(pid) == "gate"]
    return next((pid for pid in shells if parent_of(pid) not in (*shells, None)), None)


def name_of(pid):
    """None: it has gone."""
    try:
        with open(f"/proc/{pid}/comm") as file:
            return file.read().strip()
    except OSError:
        return None


def parent_of(pid):
    """None: it has gone."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return int(file.read().rsplit(")", 1)[1].split()[1])
    except OSError:
        return None
