"""Stuck work and operators: attempts that are given up, tasks that are failed, providers that are paused; with a local
command that hangs, and a service that never answers."""
import json

import pytest

from house import GATE, HELD_S, QUICK, VIDEO, Client, eventually, saying_model
from services import fal, service

FILM = """model "film" {
    type = "video", summary = "A film", estimated = 5, timeout = 600, price = per_call(5),
    params = { prompt = text{ required, min = 1, max = 5000 } },
    routes = { fal = { target = "fake/film/make" } },
    results = function(out) return { { url = artifact(out.video), seed = out.seed } } end,
}
"""


class Operator:
    def __init__(self, server):
        self.client = Client(server, server.cli("admin-key", "create").strip())

    def __call__(self, method, path, body=None, status=200):
        answer = self.client.request(method, "/admin/v1/" + path, body)
        assert answer.status == status, (path, answer)
        return answer.json() if status == 200 else answer.error()

    def task(self, task):
        return self("GET", f"tasks/{task}")

    def actions(self):
        return [change["action"] for change in self("GET", "changes")["data"]]


@pytest.fixture
def make_film(make_server):
    """A Fennec whose films are made by a simulated fal."""
    made = []

    def make(steps=None, models=FILM, commands=None, **options):
        film = fal.FalService(service.Script(steps), **options)
        made.append(film)
        server = make_server(f"""
            providers = {{ fal = {{ key = "fake-key", url = "{film.url}", allow_private = true, poll_min = 0.1 }} }}
            fetch = {{ allow = {{ "{film.url.removeprefix('http://')}" }} }}
        """, models, commands)
        return film, server.start()

    yield make
    for one in made:
        one.stop()


def test_a_command_that_hangs_is_given_up_and_run_again(make_server, gates):
    server = make_server("", saying_model("gate", "per_call(7)", HELD_S), {"gate": GATE}).start()
    operator = Operator(server)
    with server.client(server.key("one", credits=14)) as client:
        task = client.submit("gate", prompt=gates("a"))
        eventually(lambda: operator.task(task)["progress"] == 40)
        operator("POST", f"tasks/{task}/retry", {"reason": "it hangs"})
        eventually(lambda: len(operator.task(task)["attempts"]) == 2)
        gates.open("a")
        assert client.completed(task)["usage"]["credits_charged"] == 7
        shown = operator.task(task)
        assert [attempt["state"] for attempt in shown["attempts"]] == ["abandoned", "succeeded"]
        assert operator.actions().count("task.retried") == 1
        stuck = client.submit("gate", prompt=gates("b"))
        eventually(lambda: operator.task(stuck)["status"] == "processing")
        operator("POST", f"tasks/{stuck}/fail", {"code": "generation_timeout", "message": "It did not end."})
        assert client.failed(stuck) == {"code": "generation_timeout", "message": "It did not end.", "type": "task_error"}
        assert client.credits() == 7
    server.assert_nothing_left()


def test_the_command_line_gives_the_same_orders(make_server, gates):
    server = make_server("", saying_model("gate", "per_call(7)", HELD_S), {"gate": GATE}).start()
    key, operator = server.cli("admin-key", "create").strip(), Operator(server)

    def order(*words, code=0, key=key):
        run = server.run_cli("task", *words, "--url", f"http://{server.address}/", environment={"FENNEC_ADMIN_KEY": key})
        assert run.returncode == code, (words, run.stdout, run.stderr)
        assert not key or key not in run.stdout + run.stderr
        return json.loads(run.stdout) if code == 0 else run.stderr

    with server.client(server.key("one", credits=14)) as client:
        task = client.submit("gate", prompt=gates("a"))
        eventually(lambda: operator.task(task)["progress"] == 40)
        assert order("retry", task, "--reason", "it hangs", "--json")["id"] == task
        eventually(lambda: len(operator.task(task)["attempts"]) == 2)
        gates.open("a")
        assert client.completed(task)["usage"]["credits_charged"] == 7
        assert "what is final stays so" in order("retry", task, code=1)
        stuck = client.submit("gate", prompt=gates("b"))
        eventually(lambda: operator.task(stuck)["status"] == "processing")
        order("fail", stuck, "--code", "generation_timeout", "--message", "It did not end.", "--json")
        assert client.failed(stuck) == {"code": "generation_timeout", "message": "It did not end.", "type": "task_error"}
        assert client.credits() == 7
        assert "(401)" in order("fail", stuck, code=1, key="not-an-admin-key")
        assert "FENNEC_ADMIN_KEY" in order("fail", stuck, code=1, key="")
    assert operator.actions().count("task.retried") == 1
    server.assert_nothing_left()


def test_a_service_that_never_ends_a_job_is_left_and_asked_again(make_film):
    film, server = make_film({"poll": ["running"] * 100000}, run_s=3600)
    operator = Operator(server)
    with server.client(server.key("one", credits=100)) as client:
        task = client.submit("film", VIDEO, prompt="x")
        film.journal.wait("poll", 1)
        # The job is known, so it may be given up; the service is asked to stop it, and does not.
        operator("POST", f"tasks/{task}/retry", {"reason": "an hour already"})
        film.journal.wait("submit", 2)
        assert film.journal.count("cancel") >= 1
        shown = eventually(lambda: (t := operator.task(task))["attempts"][-1]["remote"] and t)
        assert [a["state"] for a in shown["attempts"]] == ["abandoned", "started"]
        assert shown["attempts"][0]["key"] and "fake-key" not in json.dumps(shown)
        fail = operator("POST", f"tasks/{task}/fail", {"reason": "enough"})
        assert fail["status"] == "failed" and client.failed(task)["code"] == "service_error"
        assert client.credits() == 100
        assert film.journal.count("submit") == 2
    assert operator.actions()[:2] == ["task.failed", "task.retried"]


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_a_job_that_is_left_binds_its_task_to_the_route_over_a_restart(make_film, end):
    """T4: the service may be at work on it, so nobody else is asked."""
    routes = 'routes = { fal = { target = "fake/film/make", priority = 1 }, exec = { command = "film", priority = 2 } }'
    models = FILM.replace('routes = { fal = { target = "fake/film/make" } }', routes)
    film, server = make_film({"poll": ["running"] * 100000}, models, {"film": QUICK}, run_s=3600)
    operator = Operator(server)
    with server.client(server.key("one", credits=100)) as client:
        task = client.submit("film", VIDEO, prompt="x")
        film.journal.wait("poll", 1)
        eventually(lambda: operator.task(task)["attempts"][0]["remote"])
        operator("POST", "providers/fal/pause", {"reason": "it is slow"})
        assert operator("POST", f"tasks/{task}/retry", {"reason": "an hour already"})["status"] == "pending"
    assert server.stop() == 0 if end == "stop" else server.kill()
    server.start()
    operator.client = server.client(operator.client.key)
    operator("POST", "providers/fal/resume")
    film.journal.wait("submit", 2)
    shown = eventually(lambda: (t := operator.task(task))["attempts"][-1]["remote"] and t)
    assert [(a["provider"], a["state"]) for a in shown["attempts"]] == [("fal", "abandoned"), ("fal", "started")]
    operator("POST", f"tasks/{task}/fail", {"reason": "enough"})


def test_nothing_is_sent_twice_where_nobody_knows(make_film):
    """T3: the service has the submission, and says nothing."""
    film, server = make_film({"submit": ["accepted as silent"]})
    operator = Operator(server)
    with server.client(server.key("one", credits=5)) as client:
        task = client.submit("film", VIDEO, prompt="x")
        film.journal.wait("submit", 1)
        error = operator("POST", f"tasks/{task}/retry", {"reason": "x"}, status=409)
        assert error["code"] == "task_not_retryable" and "twice" in error["message"]
        assert operator.actions() == ["admin_key.created", "account.credited", "key.created", "account.created"][:1] or \
            "task.retried" not in operator.actions()
        operator("POST", f"tasks/{task}/fail", {"code": "submission_unknown", "reason": "given up"})
        assert client.failed(task)["code"] == "submission_unknown"
        assert client.credits() == 5 and film.journal.count("submit") == 1


def test_a_wait_for_the_next_attempt_is_cut_short(make_film):
    film, server = make_film({"submit": ["503"] + ["accepted"] * 10})
    server.errors_expected = True
    operator = Operator(server)
    with server.client(server.key("one", credits=5)) as client:
        task = client.submit("film", VIDEO, prompt="x")
        eventually(lambda: any(e["kind"] == "retried" for e in operator.task(task)["events"]))
        answer = operator.client.request("POST", f"/admin/v1/tasks/{task}/retry", {"reason": "it is back"})
        assert answer.status in (200, 409), answer  # 409: it has gone on by itself meanwhile
        assert client.completed(task)
        assert operator.actions().count("task.retried") == (1 if answer.status == 200 else 0)


def test_a_paused_service_gets_nothing_new_and_ends_what_it_has(make_film):
    film, server = make_film({"poll": ["running", "running", "running"]}, run_s=0.2)
    operator = Operator(server)
    with server.client(server.key("one", credits=100)) as client:
        first = client.submit("film", VIDEO, prompt="x")
        film.journal.wait("submit", 1)
        operator("POST", "providers/fal/pause", {"reason": "no money left"})
        second = client.submit("film", VIDEO, prompt="y")
        eventually(lambda: operator("GET", "providers/fal")["queued"] == 1)
        film.script.steps["poll"] = []
        assert client.completed(first)
        assert client.status(second) == "pending" and film.journal.count("submit") == 1
        operator("POST", "providers/fal/resume")
        assert client.completed(second)
        shown = operator("GET", "providers/fal")
        assert shown["configured"] and len(shown["keys"]) == 1 and "fake-key" not in json.dumps(shown)


def test_why_a_provider_failed_is_shown_and_its_breakers_are_reset(make_film):
    film, server = make_film({"submit": ["401"]})
    operator = Operator(server)
    with server.client(server.key("one", credits=100)) as client:
        client.failed(client.submit("film", VIDEO, prompt="x"))
        shown = operator("GET", "providers/fal")
        assert shown["last_failure"]["detail"] and shown["keys"][0]["breaker"]["state"] == "open", shown
        assert shown["keys"][0]["refused"] and shown["keys"][0]["breaker"]["retry_in"] > 0
        film.script.steps["submit"] = []
        reset = operator("POST", "providers/fal/reset", {"reason": "a new card"})
        assert reset["keys"][0]["breaker"]["state"] == "closed" and reset["keys"][0]["refused"] is None
        assert client.completed(client.submit("film", VIDEO, prompt="x"))
