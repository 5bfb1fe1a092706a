"""Ends of the server in the middle of work: the next start finishes everything, and no client sees a task go back."""
import http.client
import socket
import subprocess
import threading

import pytest

from house import GATE, HELD_S, VIDEO, Client, eventually, saying_model

MODELS = saying_model("gate", "per_call(2)", HELD_S)
SETTINGS = """
drain = 0
simulator = { seconds = 1 }
groups = { default = { concurrency = 2, requests_per_minute = 0 } }
"""


class Watcher(threading.Thread):
    """Polls tasks all the time, over ends and starts of the server, and notes whatever goes back."""

    def __init__(self, server, key, tasks):
        super().__init__(daemon=True)
        self.client, self.tasks, self.ended = Client(server, key), tasks, threading.Event()
        self.last = {task: ("pending", 0) for task in tasks}
        self.wrong, self.looks = [], 0

    def run(self):
        while not self.ended.wait(0.02):
            for task in self.tasks:
                try:
                    answer = self.client.get(f"/v1/tasks/{task}")
                except (OSError, http.client.HTTPException):
                    break  # between two lives
                self.note(task, answer)

    def note(self, task, answer):
        if answer.status == 503:
            return
        if answer.status != 200:
            self.wrong.append((task, answer))
            return
        self.looks += 1
        state = answer.json()
        status, progress = self.last[task]
        if state["progress"] < progress or (status in ("completed", "failed") and state["status"] != status):
            self.wrong.append((task, self.last[task], state))
        self.last[task] = (state["status"], state["progress"])

    def finish(self):
        self.ended.set()
        self.join(60)
        assert self.wrong == [] and self.looks > 0


@pytest.mark.parametrize("end", ["SIGTERM", "SIGKILL"])
def test_the_next_start_finishes_what_ran_and_what_waited(make_server, gates, end):
    server = make_server(SETTINGS.replace("seconds = 1", "seconds = 20"), MODELS, {"gate": GATE}).start()
    live, test = server.key("one", credits=100), server.key("two", test=True)
    with server.client(live) as client, server.client(test) as tester:
        held = [client.submit("gate", prompt=gates("all")) for _ in range(4)]
        simulated = [tester.submit("gate", prompt="x") for _ in range(4)]
        eventually(lambda: [client.status(i) for i in held] == ["processing"] * 2 + ["pending"] * 2)
        eventually(lambda: tester.task(simulated[0])["progress"] >= 20)
        eventually(lambda: client.task(held[0])["progress"] == 40)
        watchers = [Watcher(server, live, held), Watcher(server, test, simulated)]
        for watcher in watchers:
            watcher.start()
        assert (server.stop() if end == "SIGTERM" else server.kill()) == (0 if end == "SIGTERM" else -9)
        eventually(lambda: not server.command_processes())
        running = [task["id"] for task in server.listed("one") + server.listed("two") if task["status"] == "processing"]
        assert set(held) & set(running) == set(held[:2])
        server.configure(SETTINGS)
        server.start()
        assert client.credits() == 92
        eventually(lambda: len(server.command_processes()) >= 2)
        gates.open("all")
        assert all(client.completed(i) for i in held) and all(tester.completed(i) for i in simulated)
        for watcher in watchers:
            watcher.finish()
        assert client.account() == {"remaining_credits": 92, "used_credits": 8}
    for task in running:
        shown = server.shown(task)
        assert [attempt["state"] for attempt in shown["attempts"]] == ["abandoned", "succeeded"], shown
        assert [event["kind"] for event in shown["events"]] == [
            "accepted", "dispatched", "recovered", "dispatched", "completed"]
    for task in set(held + simulated) - set(running):
        assert [event["kind"] for event in server.shown(task)["events"]] == ["accepted", "dispatched", "completed"]


def test_the_drain_lets_running_tasks_end_and_keeps_the_waiting_ones(make_server, gates):
    server = make_server(SETTINGS.replace("drain = 0", "drain = 60"), MODELS, {"gate": GATE}).start()
    key = server.key("one", credits=100)
    with server.client(key) as client:
        tasks = [client.submit("gate", prompt=gates("all")) for _ in range(3)]
        eventually(lambda: [client.status(i) for i in tasks] == ["processing"] * 2 + ["pending"])
        server.process.terminate()
        eventually(lambda: client.try_submit("gate", prompt=gates("all")).status == 503)
        assert [client.status(i) for i in tasks] == ["processing"] * 2 + ["pending"], "queries are answered until the end"
        gates.open("all")
        assert server.reap() == 0
    left = {task["id"]: task["status"] for task in server.listed("one")}
    assert [left[i] for i in tasks] == ["completed", "completed", "pending"]
    server.start()
    with server.client(key) as client:
        assert all(client.completed(i) for i in left), "with those that came just before the door closed"
        assert client.account()["used_credits"] == 2 * len(left)


def test_lives_without_end_do_not_use_up_a_tasks_attempts(make_server, gates):
    """Retries are for failures of the task, not for ends of the server."""
    server = make_server(SETTINGS, MODELS, {"gate": GATE})
    task = None
    for _ in range(5):
        server.start()
        key = server.key("one", credits=2) if task is None else key
        with server.client(key) as client:
            task = task or client.submit("gate", prompt=gates("it"))
            eventually(server.command_processes)
        assert server.kill() == -9
        eventually(lambda: not server.command_processes())
    server.start()
    gates.open("it")
    with server.client(key) as client:
        client.completed(task)
        assert client.account() == {"remaining_credits": 0, "used_credits": 2}
    assert [attempt["state"] for attempt in server.shown(task)["attempts"]] == ["abandoned"] * 5 + ["succeeded"]


def test_what_is_gone_at_the_next_start_fails_its_tasks_and_pays_back(make_server, gates):
    """The model, or the command behind it, was taken away while nobody served."""
    server = make_server(SETTINGS, MODELS + saying_model("other", "per_call(3)", HELD_S) + saying_model("stays"),
                         {"gate": GATE, "other": GATE, "stays": GATE}).start()
    key = server.key("one", credits=100)
    with server.client(key) as client:
        held = {name: [client.submit(name, prompt=gates("it")) for _ in range(2)] for name in ("gate", "other", "stays")}
        eventually(lambda: client.status(held["gate"][0]) == "processing")
    assert server.kill() == -9
    server.models(MODELS + saying_model("stays"))
    (server.libexec / "gate").unlink()
    gates.open("it")
    server.start()
    with server.client(key) as client:
        assert [client.failed(i)["code"] for i in held["other"]] == ["resource_not_found"] * 2
        assert [client.failed(i)["code"] for i in held["gate"]] == ["service_unavailable"] * 2
        assert all(client.completed(i) for i in held["stays"])
        assert client.account() == {"remaining_credits": 98, "used_credits": 2}


@pytest.mark.parametrize("settings, models, place", [
    ("groups = {\n", "", "config.lua:"), ("colour = 'red'", "", "config.lua:3"), ("", "model 'x' {", "own.lua:1"),
    ("", "model 'x' { type = 'image' }", "own.lua:1"), ("drain = 'long'", "", "config.lua:3"),
])
def test_a_start_with_a_mistake_names_its_place(make_server, settings, models, place):
    server = make_server(settings, models)
    words = server.refused()
    assert place in words and len(words.strip().splitlines()) == 1, words


def test_a_catalogue_directory_that_is_not_there(make_server):
    server = make_server()
    server.config.write_text(f'catalog = "{server.directory}/nowhere"')
    assert "nowhere" in server.refused()


def test_an_address_that_is_taken(make_server):
    first = make_server().start()
    second = make_server()
    process = second.spawn(first.address)
    assert process.wait(60) == 1 and process.stdout.read() == ""
    assert first.address in second.log_text(), second.log_text()


def test_a_start_that_cannot_listen_says_so_at_once(make_server):
    server = make_server("drain = 3600").start()
    with server.client(server.key("one", test=True)) as client:
        task = client.submit("seedance-2.0-text-to-video", VIDEO, prompt="fennec:never")
        eventually(lambda: client.status(task) == "processing")
    assert server.kill() == -9
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = server.spawn(f"127.0.0.1:{taken.getsockname()[1]}", stderr=subprocess.PIPE)
        out, err = process.communicate(timeout=60)  # nothing is drained: nobody was served
    assert (process.returncode, out) == (1, "") and "Address already in use" in err, err
    assert server.shown(task)["status"] in ("pending", "processing")
