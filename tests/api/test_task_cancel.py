"""POST /v1/tasks/{task_id}/cancel."""
import pytest

from catalogue import VIDEO
from client import eventually

UNKNOWN = "task-unified-1757165031-uyujaw3d"
NARROW = """
simulator = { seconds = 0.2 }
groups = { default = { concurrency = 1 } }
"""

HELD = """
model "held" {
    type = "video", summary = "Never ends", estimated = 1, timeout = 600, price = per_call(3),
    params = { prompt = text{ required } }, routes = { exec = { command = "held" } },
    results = function(out) return { { said = out.said } } end,
}
"""


def submit_endless(client):
    return client.submit(VIDEO, {"model": "seedance-2.0-text-to-video", "prompt": "fennec:never", "duration": 4})["id"]


def test_a_running_task_ends_and_its_credits_come_back(server, live_key, tester):
    task = submit_endless(tester)
    eventually(lambda: tester.task(task)["status"] == "processing")
    response = tester.post(f"/v1/tasks/{task}/cancel")
    assert response.status == 200, response
    answer = response.json()
    assert (answer["id"], answer["status"], answer["results"]) == (task, "failed", None)
    assert (answer["error"]["code"], answer["error"]["type"]) == ("request_cancelled", "task_error")
    assert (answer["usage"]["credits_charged"], answer["usage"]["credits_refunded"]) == (0, answer["usage"]["credits_reserved"])
    assert tester.get(f"/v1/tasks/{task}").body == response.body


def test_a_task_that_waits_ends_at_once(make_server):
    server = make_server(NARROW)
    with server.client(server.key("one", test=True)) as client:
        first, second = submit_endless(client), submit_endless(client)
        eventually(lambda: client.task(first)["status"] == "processing")
        assert client.task(second)["status"] == "pending"
        for task in (second, first):
            answer = client.post(f"/v1/tasks/{task}/cancel", {}).json()
            assert (answer["status"], answer["error"]["code"]) == ("failed", "request_cancelled")


def test_a_local_command_is_stopped(make_server, tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "held.lua").write_text(HELD)
    command = tmp_path / "held"
    command.write_text("#!/bin/sh\necho progress 40\nexec sleep 900\n")
    command.chmod(0o755)
    server = make_server(f'catalog = "{tmp_path}"\nlibexec = "{tmp_path}"\n')
    with server.client(server.key("one", credits=5)) as client:
        task = client.submit(VIDEO, {"model": "held", "prompt": "x"})["id"]
        eventually(lambda: client.task(task)["progress"] == 40)
        assert client.credits() == 2
        answer = client.post(f"/v1/tasks/{task}/cancel").json()
        assert (answer["status"], answer["error"]["code"]) == ("failed", "request_cancelled")
        assert client.credits() == 5


@pytest.mark.parametrize("prompt, status", [("a fox", "completed"), ("fennec:error=service_error", "failed")])
def test_what_has_ended_is_409(tester, prompt, status):
    task = tester.submit(VIDEO, {"model": "seedance-2.0-text-to-video", "prompt": prompt, "duration": 4})["id"]
    ended = tester.finished(task)
    assert ended["status"] == status
    response = tester.post(f"/v1/tasks/{task}/cancel")
    assert response.status == 409, response
    assert (response.error()["type"], response.error()["code"]) == ("conflict_error", "task_final")
    assert tester.task(task) == ended


def test_twice_is_once(tester):
    task = submit_endless(tester)
    assert tester.post(f"/v1/tasks/{task}/cancel").status == 200
    assert tester.post(f"/v1/tasks/{task}/cancel").status == 409


def test_another_accounts_task_is_404_like_one_that_never_existed(server, tester):
    task = submit_endless(tester)
    with server.client(server.key("cancel-stranger", test=True)) as stranger:
        theirs, nobodys = stranger.post(f"/v1/tasks/{task}/cancel"), stranger.post(f"/v1/tasks/{UNKNOWN}/cancel")
    assert (theirs.status, theirs.body) == (nobodys.status, nobodys.body) and theirs.status == 404
    assert tester.task(task)["status"] in ("pending", "processing")
    assert tester.post(f"/v1/tasks/{task}/cancel").status == 200


def test_bad_requests(anyone, tester):
    assert anyone.post(f"/v1/tasks/{UNKNOWN}/cancel").status == 401
    assert tester.post("/v1/tasks/nonsense/cancel").error()["code"] == "invalid_task_id"
    response = tester.get(f"/v1/tasks/{UNKNOWN}/cancel")
    assert (response.status, response.headers["Allow"]) == (405, "POST, OPTIONS")
